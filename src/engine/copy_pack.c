/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/tar_write.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 300, CHUNK = 128 * 1024 };

struct packer {
	struct tar_writer tar;
	uint64_t *left_out;
	char *chunk;
	unsigned depth;
};

static int to_fd(void *arg, const void *data, size_t n, struct error *e)
{
	int r = fd_write_all(*(int *)arg, data, n);

	return r < 0 ? error_errno(e, r, "cannot write the archive") : 0;
}

static struct tar_entry entry_of(const struct stat *st, const char *name)
{
	return (struct tar_entry){
		.path = name,
		.mode = (uint16_t)(st->st_mode & 07777),
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
	};
}

/* Exactly the bytes that the header promised, whatever happens to the file meanwhile. */
static int pack_bytes(struct packer *p, int fd, uint64_t size, const char *name, struct error *e)
{
	while (size > 0) {
		ssize_t n = read(fd, p->chunk, size < CHUNK ? (size_t)size : CHUNK);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, errno, "%s", name);
		if (n == 0)
			return error_set(e, EIO, "%s became shorter while it was read", name);
		r = tar_write_data(&p->tar, p->chunk, (size_t)n, e);
		if (r < 0)
			return r;
		size -= (uint64_t)n;
	}
	return 0;
}

static int pack_regular(struct packer *p, int fd, const char *name, struct error *e)
{
	struct tar_entry entry;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return error_set(e, ESTALE, "%s was replaced while it was read", name);
	entry = entry_of(&st, name);
	entry.type = 'f';
	entry.size = (uint64_t)st.st_size;
	r = tar_write_entry(&p->tar, &entry, e);
	return r < 0 ? r : pack_bytes(p, fd, entry.size, name, e);
}

static int pack_link(struct packer *p, int dir, const char *last, const struct stat *st, const char *name,
		     struct error *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, last, target, sizeof(target) - 1);
	struct tar_entry entry = entry_of(st, name);

	if (n <= 0)
		return error_errno(e, n < 0 ? errno : ESTALE, "%s", name);
	target[n] = 0;
	entry.type = 'l';
	entry.link = target;
	return tar_write_entry(&p->tar, &entry, e);
}

static int pack_folder(struct packer *p, int fd, const char *name, struct error *e);

/* `last` below `dir`; `name` is what it is called in the archive. */
static int pack_one(struct packer *p, int dir, const char *last, const char *name, struct error *e)
{
	_cleanup_close_ int fd = -1;
	struct tar_entry entry;
	struct stat st;

	if (fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "%s", name); /* gone since the folder was read */
	switch (st.st_mode & S_IFMT) {
	case S_IFLNK:
		return pack_link(p, dir, last, &st, name, e);
	case S_IFIFO:
		entry = entry_of(&st, name);
		entry.type = 'p';
		return tar_write_entry(&p->tar, &entry, e);
	case S_IFREG:
	case S_IFDIR:
		break;
	default:
		(*p->left_out)++;
		return 0;
	}
	/* O_NONBLOCK: what it has become meanwhile must not hold us. */
	fd = openat(dir, last, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
				       (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
	if (fd < 0)
		return error_errno(e, errno, "%s", name);
	return S_ISDIR(st.st_mode) ? pack_folder(p, fd, name, e) : pack_regular(p, fd, name, e);
}

static int pack_folder(struct packer *p, int fd, const char *name, struct error *e)
{
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_free_ char *as_folder = xasprintf("%s/", name);
	struct tar_entry entry;
	struct dirent *de;
	struct stat st;
	int own, r;

	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", name);
	if (p->depth >= DEPTH_MAX)
		return error_set(e, ELOOP, "%s: more than %d folders deep", name, DEPTH_MAX);
	entry = entry_of(&st, as_folder);
	entry.type = 'd';
	r = tar_write_entry(&p->tar, &entry, e);
	if (r < 0)
		return r;
	own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = own < 0 ? NULL : fdopendir(own);
	if (!d) {
		r = error_errno(e, errno, "%s", name);
		cleanup_close(&own);
		return r;
	}
	p->depth++;
	while (r == 0 && (errno = 0, de = readdir(d))) {
		_cleanup_free_ char *sub = xasprintf("%s/%s", name, de->d_name);

		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = pack_one(p, fd, de->d_name, sub, e);
	}
	if (r == 0 && errno)
		r = error_errno(e, errno, "%s", name);
	p->depth--;
	return r;
}

static int open_place(const struct copy_place *place, const char *path, int flags)
{
	int fd;

	if (place->root >= 0)
		return path_open_in(place->root, path, flags, 0);
	fd = open(*path ? path : ".", flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The last part, without slashes behind it; "." when the path means a folder's contents. */
static char *last_part(const char *path, bool *slash)
{
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	*slash = path[end] == '/';
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	char *part = xstrndup(path + start, end - start);
	if (!*part || streq(part, "..")) {
		free(part);
		part = xstrdup(".");
	}
	return part;
}

static int pack_named(struct packer *p, const struct copy_pack *what, struct error *e)
{
	const struct copy_place *from = &what->from;
	bool slash;
	_cleanup_free_ char *last = last_part(from->path, &slash);
	const char *top = what->top && !streq(last, ".") ? what->top : last;
	bool follow = what->follow || slash || streq(last, ".");
	_cleanup_close_ int at = open_place(from, from->path, O_PATH | (follow ? 0 : O_NOFOLLOW) | (slash ? O_DIRECTORY : 0));
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (at < 0)
		return error_errno(e, at, "%s", from->path);
	if (fstat(at, &st) < 0)
		return error_errno(e, errno, "%s", from->path);
	if (S_ISLNK(st.st_mode))
		return pack_link(p, at, "", &st, top, e);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(e, EINVAL, "%s is neither a file nor a folder nor a link", from->path);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? error_errno(e, errno, "%s", from->path) : pack_folder(p, fd, top, e);
	}
	fd = open_place(from, from->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
	return fd < 0 ? error_errno(e, fd, "%s", from->path) : pack_regular(p, fd, top, e);
}

int copy_pack(const struct copy_pack *what, int fd, uint64_t *left_out, struct error *e)
{
	struct packer p = { .tar = { .write = to_fd, .arg = &fd }, .left_out = left_out, .chunk = xmalloc(CHUNK) };
	int r;

	*left_out = 0;
	r = pack_named(&p, what, e);
	if (r == 0)
		r = tar_write_end(&p.tar, e);
	free(p.chunk);
	return r;
}
