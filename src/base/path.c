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

/* Only the last part is missing, the next frequent case. -EEXIST: it is there, a dangling link perhaps. */
static int make_last(int rootfd, const char *path, mode_t mode)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	_cleanup_free_ char *above = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	_cleanup_close_ int parent = -1;

	if (!path_is_part(last))
		return -EEXIST;
	parent = path_open_in(rootfd, above, O_PATH | O_DIRECTORY, 0);
	if (parent < 0)
		return parent;
	if (mkdirat(parent, last, mode) < 0)
		return -errno;
	return path_open_in(rootfd, path, O_PATH | O_DIRECTORY, 0);
}

int path_mkdirs_in(int rootfd, const char *path, mode_t mode)
{
	/* What is there already, as nearly always, takes one call. */
	int fd = path_open_in(rootfd, *path ? path : ".", O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		fd = make_last(rootfd, path, mode);
	return fd != -ENOENT && fd != -EEXIST ? fd : mkdirs(rootfd, path, mode, false, 0);
}

int path_mkfile_in(int rootfd, const char *path, mode_t mode)
{
	return mkdirs(rootfd, path, 0755, true, mode);
}

/* --- removing trees ---------------------------------------------------------------------------------------------- */

enum { STRAIGHT = 16 }; /* so many levels are gone down into, with a descriptor for each */

struct removal {
	int top;
	dev_t dev;
	unsigned long serial;
	bool moved;
};

/* Below that a folder is moved up into `top` and emptied from there: a tree of any depth needs no more descriptors or stack. */
static int move_up(struct removal *m, int dir, const char *name)
{
	struct stat st;
	char fresh[48];

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev != m->dev)
		return -EXDEV;
	/* A folder's ".." changes with the move, which needs write permission on it. */
	(void)!fchmodat(dir, name, 0700, 0);
	do { /* what a removal that was cut off left may have such names */
		snprintf(fresh, sizeof(fresh), ".brig-rm-%lu", m->serial++);
		if (renameat(dir, name, m->top, fresh) == 0) {
			m->moved = true;
			return 0;
		}
	} while ((errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) && m->serial < 100000000);
	return -errno;
}

static int open_folder(int dir, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, fd = openat(dir, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = openat(dir, name, flags);
	return fd;
}

/* Opened, of the same file system, and open to changes. */
static int enter_folder(int dir, const char *name, dev_t *dev)
{
	_cleanup_close_ int fd = open_folder(dir, name);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (*dev && st.st_dev != *dev)
		return -EXDEV;
	*dev = st.st_dev;
	if ((st.st_mode & 0700) != 0700)
		(void)!fchmod(fd, 0700);
	return steal_fd(&fd);
}

static int empty_folder(struct removal *m, int dir, unsigned depth);

static int remove_entry(struct removal *m, int dir, const char *name, unsigned char type, unsigned depth)
{
	_cleanup_close_ int sub = -1;
	int r;

	if (type != DT_DIR) {
		if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
	}
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	if (depth == STRAIGHT)
		return move_up(m, dir, name);
	sub = enter_folder(dir, name, &m->dev);
	if (sub < 0)
		return sub == -ENOENT ? 0 : sub;
	r = empty_folder(m, sub, depth + 1);
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return r < 0 ? r : -errno;
}

static int empty_folder(struct removal *m, int dir, unsigned depth)
{
	char entries[4096] __attribute__((aligned(8)));
	int result = 0;
	ssize_t n;

	while ((n = getdents64(dir, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *de = (const void *)(entries + at);
			int r;

			at += de->d_reclen;
			if (streq(de->d_name, ".") || streq(de->d_name, ".."))
				continue;
			r = remove_entry(m, dir, de->d_name, de->d_type, depth);
			if (r < 0 && result == 0)
				result = r;
		}
	}
	return n < 0 && result == 0 ? -errno : result;
}

int path_remove_tree(int dirfd, const char *name)
{
	_cleanup_close_ int top = -1;
	struct removal m = { 0 };
	int result;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR)
		return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	top = enter_folder(dirfd, name, &m.dev);
	if (top < 0)
		return top == -ENOENT ? 0 : top;
	m.top = top;
	do {
		m.moved = false;
		if (lseek(top, 0, SEEK_SET) < 0)
			return -errno;
		result = empty_folder(&m, top, 0);
	} while (m.moved);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return result < 0 ? result : -errno;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int path_list(int dirfd, const char *name, char ***names)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_strv_ char **v = xcalloc(1, sizeof(char *));
	size_t n = 0, room = 1;
	struct dirent *de;

	if (!d) {
		int r = -errno;

		cleanup_close(&fd);
		return r;
	}
	while (errno = 0, (de = readdir(d))) {
		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		if (n + 1 >= room) {
			room = room < 32 ? 32 : room * 2;
			v = xrealloc(v, room, sizeof(char *));
		}
		v[n++] = xstrdup(de->d_name);
		v[n] = NULL;
	}
	if (errno)
		return -errno;
	qsort(v, n, sizeof(char *), by_bytes);
	*names = steal_ptr(&v);
	return 0;
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
