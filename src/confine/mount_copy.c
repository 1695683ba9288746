/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the image has at a place, into the tmpfs or new volume that will stand there. Done by the process that becomes the
 * container, as root inside and with its ids: the image can name nothing that the container could not reach anyway.
 */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEMP ".brig-copy"

enum { DEPTH_MAX = 128 };

static int fail(struct error *e, int err, const char *name)
{
	_cleanup_free_ char *safe = str_escape(*name ? name : "its root");

	return error_errno(e, err, "copying \"%s\" of the image", safe);
}

/* user.* alone, and not what overlayfs keeps there. */
static int copy_xattrs(int from, int to)
{
	char names[65536], value[65536];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		const char *name = names + at;
		ssize_t size;

		if (!str_after(name, "user.") || str_after(name, "user.overlay."))
			continue;
		size = fgetxattr(from, name, value, sizeof(value));
		if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
			if (errno != EOPNOTSUPP && errno != ENODATA && errno != EPERM)
				return -errno;
	}
	return 0;
}

static int copy_bytes(int in, int out)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) != 0) {
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = fd_write_all(out, buf, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Owner, mode and times. Set-id bits are left out: every mount of a container is nosuid. */
static int set_meta(int fd, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	mode_t mode = st->st_mode & (S_ISDIR(st->st_mode) ? 07777 : 0777);

	return fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, mode) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

/* Under a temporary name until it is whole; one of that name that is there already stays. */
static int publish(int to, const char *name)
{
	if (renameat2(to, TEMP, to, name, RENAME_NOREPLACE) == 0)
		return 0;
	int err = errno;

	unlinkat(to, TEMP, 0);
	return err == EEXIST ? 0 : -err;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), out = -1;
	int r;

	if (in < 0)
		return -errno;
	unlinkat(to, TEMP, 0);
	out = openat(to, TEMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return -errno;
	r = copy_bytes(in, out);
	if (r == 0)
		r = copy_xattrs(in, out);
	if (r == 0)
		r = set_meta(out, st);
	if (r < 0) {
		unlinkat(to, TEMP, 0);
		return r;
	}
	return publish(to, name);
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = 0;
	unlinkat(to, TEMP, 0);
	if (symlinkat(target, to, TEMP) < 0 ||
	    fchownat(to, TEMP, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return publish(to, name);
}

static int copy_folder(int from, int to, int depth, struct error *e);

static int copy_subfolder(int from, int to, const char *name, int depth, struct error *e)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), out = -1;

	if (in < 0 || (mkdirat(to, name, 0700) < 0 && errno != EEXIST))
		return fail(e, errno, name);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (out < 0)
		return fail(e, errno, name);
	return copy_folder(in, out, depth + 1, e);
}

static int copy_entry(int from, int to, const char *name, int depth, struct error *e)
{
	struct stat st;
	int r = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno, name);
	if (S_ISDIR(st.st_mode))
		return copy_subfolder(from, to, name, depth, e);
	if (faccessat(to, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (S_ISREG(st.st_mode))
		r = copy_file(from, to, name, &st);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, to, name, &st);
	/* Sockets, pipes and devices are nothing that is kept. */
	return r < 0 ? fail(e, r, name) : 0;
}

static int copy_folder(int from, int to, int depth, struct error *e)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct stat st;

	if (!d || fstat(from, &st) < 0)
		return fail(e, errno, "");
	if (depth > DEPTH_MAX)
		return error_set(e, ELOOP, "the image's folders there are nested deeper than %d", DEPTH_MAX);
	while (r == 0 && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, "..") && !streq(de->d_name, TEMP))
			r = copy_entry(from, to, de->d_name, depth, e);
	if (r < 0)
		return r;
	unlinkat(to, TEMP, 0);
	r = copy_xattrs(fd, to);
	if (r == 0)
		r = set_meta(to, &st);
	return r < 0 ? fail(e, r, "") : 0;
}

int mount_copy(int from, int to, struct error *e)
{
	_cleanup_close_ int out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return out < 0 ? fail(e, errno, "") : copy_folder(from, out, 0, e);
}
