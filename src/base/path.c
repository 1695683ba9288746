/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int resolve(int rootfd, const char *path, int flags, mode_t mode, uint64_t how_flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .resolve = how_flags };

	if (flags & (O_CREAT | O_TMPFILE))
		how.mode = mode;
	if (flags & O_PATH) /* openat2 refuses what O_PATH ignores */
		how.flags &= O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW;
	for (int tries = 0; tries < 64; tries++) {
		int fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		/* EAGAIN: a rename or mount raced with ".."; the kernel asks to try again. */
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return -EAGAIN;
}

int path_open_in(int rootfd, const char *path, int flags, mode_t mode)
{
	return resolve(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_plain(int dirfd, const char *path, int flags)
{
	return resolve(dirfd, path, flags, 0, RESOLVE_NO_MAGICLINKS);
}

int path_open_beneath(int rootfd, const char *path, int flags, mode_t mode)
{
	return resolve(rootfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/*
 * Walks `path` part by part from the root again each time ("a", "a/b", ...), so that links are resolved by the kernel
 * inside the root; what is missing is made with mkdirat on the descriptor of its parent.
 */
static int mkdirs(int rootfd, const char *path, mode_t mode, bool last_is_file, mode_t file_mode)
{
	_cleanup_free_ char *copy = xstrdup(path);
	_cleanup_close_ int parent = -1;
	char *p = copy;

	parent = path_open_in(rootfd, ".", O_PATH | O_DIRECTORY, 0);
	if (parent < 0)
		return parent;
	for (;;) {
		while (*p == '/')
			p++;
		if (!*p)
			return last_is_file ? -EISDIR : steal_fd(&parent);
		char *end = strchrnul(p, '/');
		char saved = *end;
		char *rest = end;
		while (*rest == '/')
			rest++;
		bool last = *rest == 0 && saved == 0;
		*end = 0;
		int fd = path_open_in(rootfd, copy, O_PATH, 0);
		if (fd == -ENOENT) {
			if (streq(p, ".."))
				return -ENOENT;
			if (last && last_is_file) {
				int made = openat(parent, p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
						  file_mode);
				if (made < 0 && errno != EEXIST)
					return -errno;
				if (made >= 0)
					close(made);
			} else if (mkdirat(parent, p, mode) < 0 && errno != EEXIST) {
				return -errno;
			}
			fd = path_open_in(rootfd, copy, O_PATH, 0);
		}
		if (fd < 0)
			return fd; /* a dangling link stays -ENOENT: nothing is made through it */
		close(parent);
		parent = fd;
		struct stat st;
		if (fstat(parent, &st) < 0)
			return -errno;
		if (last && last_is_file)
			return S_ISDIR(st.st_mode) ? -EISDIR : steal_fd(&parent);
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
		*end = saved;
		p = end;
	}
}

int path_mkdirs_in(int rootfd, const char *path, mode_t mode)
{
	/* What is there already, as nearly always, takes one call. */
	int fd = path_open_in(rootfd, *path ? path : ".", O_PATH | O_DIRECTORY, 0);

	return fd != -ENOENT ? fd : mkdirs(rootfd, path, mode, false, 0);
}

int path_mkfile_in(int rootfd, const char *path, mode_t mode)
{
	return mkdirs(rootfd, path, 0755, true, mode);
}

/*
 * Removes what is in `dir`. A folder that is not empty is moved up into `top` under a fresh name and emptied later,
 * so that a tree of any depth needs three descriptors and no stack.
 */
static int empty_into(int top, int dir, unsigned long *serial, dev_t dev, bool *moved)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int result = 0, fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((de = readdir(d))) {
		struct stat st;
		char name[48];

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			result = result ? result : -errno;
			continue;
		}
		if (unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR) == 0)
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST) {
			result = result ? result : -errno;
			continue;
		}
		if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev) {
			result = result ? result : -EXDEV;
			continue;
		}
		if (top == dir) { /* already at the top: nothing to move */
			*moved = true;
			continue;
		}
		/* A folder's ".." changes with the move, which needs write permission on it. */
		(void)!fchmodat(dirfd(d), de->d_name, 0700, 0);
		snprintf(name, sizeof(name), ".brig-rm-%lu", (*serial)++);
		if (renameat(dirfd(d), de->d_name, top, name) < 0)
			result = result ? result : -errno;
		else
			*moved = true;
	}
	return result;
}

int path_remove_tree(int dirfd, const char *name)
{
	_cleanup_close_ int top = -1;
	unsigned long serial = 0;
	struct stat st;
	int result = 0;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (top < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (top < 0 || fstat(top, &st) < 0)
		return -errno;
	(void)!fchmod(top, 0700);
	for (;;) {
		_cleanup_closedir_ DIR *d = NULL;
		struct dirent *de;
		bool moved = false;
		int r = empty_into(top, top, &serial, st.st_dev, &moved), again = 0, fd;

		if (r < 0 && result == 0)
			result = r;
		if (!moved)
			break;
		fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		d = fdopendir(fd);
		if (!d) {
			close(fd);
			return -ENOMEM;
		}
		while ((de = readdir(d))) {
			_cleanup_close_ int sub = -1;
			struct stat sst;
			bool ignored = false;

			if (streq(de->d_name, ".") || streq(de->d_name, ".."))
				continue;
			sub = openat(top, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (sub < 0 && errno == EACCES && fchmodat(top, de->d_name, 0700, 0) == 0)
				sub = openat(top, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (sub < 0 || fstat(sub, &sst) < 0 || sst.st_dev != st.st_dev)
				continue;
			(void)!fchmod(sub, 0700);
			r = empty_into(top, sub, &serial, st.st_dev, &ignored);
			if (r < 0 && result == 0)
				result = r;
			if (r == 0 || ignored)
				again = 1;
		}
		if (!again)
			break;
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT && result == 0)
		result = -errno;
	return result;
}

bool path_is_part(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= 255 && !strchr(name, '/') && !streq(name, ".") && !streq(name, "..");
}

void path_of_fd(int fd, char out[static 32])
{
	snprintf(out, 32, "/proc/self/fd/%d", fd);
}
