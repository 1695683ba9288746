/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/tar.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 300 };

/* Folders get their modes and times last: a read-only one could not be filled, and filling one changes its time. */
struct folder {
	char *path; /* below the target */
	struct tar_entry entry;
};

struct unpacker {
	const struct copy_unpack *how;
	struct tar tar;
	int target;	    /* folder below which everything goes */
	char *rename;	    /* takes the place of the first part of every name; NULL: names stay */
	int overwrite;	    /* a file that exists and is to be written through its own descriptor; -1 */
	bool begun;
	struct folder *folders;
	size_t n_folders, room;
};

static ssize_t from_fd(void *arg, void *data, size_t n, struct error *e)
{
	ssize_t got;

	do
		got = read(*(int *)arg, data, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? error_errno(e, errno, "cannot read the archive") : got;
}

static int open_place(const struct copy_place *place, const char *path, int flags)
{
	int fd;

	if (place->root >= 0)
		return path_open_in(place->root, path, flags, 0);
	fd = open(*path ? path : ".", flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The source's own name: the first part of the first entry; NULL when it is ".", which means contents. */
static char *source_name(const struct tar_entry *entry)
{
	size_t n = strcspn(entry->path, "/");

	return n == 0 || (n == 1 && entry->path[0] == '.') ? NULL : xstrndup(entry->path, n);
}

/* Into a folder that exists: contents straight into it, anything else under its own name. */
static int choose_folder(struct unpacker *u, int folder, const struct tar_entry *first)
{
	u->target = folder;
	u->rename = source_name(first);
	if (!u->rename)
		u->rename = xstrdup(".");
	return 0;
}

/* The path does not exist, or is a file: its folder, and its last part as the new name. */
static int choose_name(struct unpacker *u, struct error *e)
{
	const struct copy_place *to = &u->how->to;
	_cleanup_free_ char *path = xstrdup(to->path);
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = 0;
	slash = strrchr(path, '/');
	u->rename = xstrdup(slash ? slash + 1 : path);
	if (!path_is_part(u->rename))
		return error_set(e, EINVAL, "%s is no name for a file or folder", to->path);
	if (slash)
		slash[slash == path ? 1 : 0] = 0;
	u->target = open_place(to, slash ? path : "", O_PATH | O_DIRECTORY);
	if (u->target < 0)
		return error_errno(e, u->target, "the folder of %s", to->path);
	return 0;
}

/* A link that leads to a file: what it leads to is written, and the link stays. */
static int choose_link_target(struct unpacker *u, struct error *e)
{
	struct stat st;

	u->overwrite = open_place(&u->how->to, u->how->to.path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	if (u->overwrite < 0)
		return error_errno(e, u->overwrite, "%s", u->how->to.path);
	if (fstat(u->overwrite, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, EINVAL, "%s leads to something that is no file", u->how->to.path);
	return 0;
}

static bool ends_in_slash(const char *path)
{
	return str_ends(path, "/") || str_ends(path, "/.");
}

/* Docker's rules for where a copy goes, decided when the first entry tells what the source is. */
static int choose(struct unpacker *u, const struct tar_entry *first, struct error *e)
{
	const char *path = u->how->to.path;
	int at = open_place(&u->how->to, path, O_PATH);
	struct stat st;

	if (at == -ENOENT) {
		_cleanup_close_ int dangling = open_place(&u->how->to, path, O_PATH | O_NOFOLLOW);

		if (dangling >= 0)
			return error_set(e, ENOENT, "%s is a link to something that does not exist", path);
		if (first->type != 'd' && ends_in_slash(path))
			return error_set(e, ENOENT, "the folder %s does not exist", path);
		return choose_name(u, e);
	}
	if (at < 0)
		return error_errno(e, at, "%s", path);
	if (fstat(at, &st) < 0 || S_ISDIR(st.st_mode))
		return choose_folder(u, at, first);
	close(at);
	if (first->type == 'd')
		return error_set(e, ENOTDIR, "%s is a file; a folder cannot be copied onto it", path);
	if (ends_in_slash(path))
		return error_set(e, ENOTDIR, "%s is no folder", path);
	_cleanup_close_ int link = open_place(&u->how->to, path, O_PATH | O_NOFOLLOW);
	if (link >= 0 && fstat(link, &st) == 0 && S_ISLNK(st.st_mode) && first->type == 'f')
		return choose_link_target(u, e);
	return choose_name(u, e);
}

/*
 * The name of an entry below the target, clean: no "..", no empty or "." parts, renamed. NULL with `e` filled when it
 * cannot be; "" for the target itself.
 */
static char *place_name(const struct unpacker *u, const char *path, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_free_ char *copy = xstrdup(path);
	char *rest = copy, *part;
	bool first = true;
	unsigned depth = 0;

	if (*path == '/') {
		error_set(e, EBADMSG, "entry %s: not a relative name", path);
		return NULL;
	}
	buf_puts(&b, "");
	while ((part = strsep(&rest, "/"))) {
		const char *use = first && u->rename ? u->rename : part;

		first = false;
		if (!*use || streq(use, "."))
			continue;
		if (!path_is_part(use) || ++depth > DEPTH_MAX) {
			error_set(e, EBADMSG, "entry %s: not a name that can be unpacked", path);
			return NULL;
		}
		buf_printf(&b, "%s%s", b.len ? "/" : "", use);
	}
	return buf_steal(&b);
}

/* Opens the folder that `path` stands in, no link followed; *last is its last part. */
static int open_parent(const struct unpacker *u, const char *path, const char **last)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : NULL;

	*last = slash ? slash + 1 : path;
	return dir ? path_open_beneath(u->target, dir, O_PATH | O_DIRECTORY, 0) : fcntl(u->target, F_DUPFD_CLOEXEC, 3);
}

static mode_t mode_of(const struct unpacker *u, const struct tar_entry *entry)
{
	return entry->mode & (u->how->keep_setid ? 07777 : 01777);
}

static int set_owner(const struct unpacker *u, int fd, const char *path, const struct tar_entry *entry,
		     struct error *e)
{
	if (!u->how->owners)
		return 0;
	if (fchownat(fd, path, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EINVAL)
		return error_set(e, EINVAL, "%s: owner %u:%u has no id there", entry->path, entry->uid, entry->gid);
	return error_errno(e, errno, "%s: cannot set owner %u:%u", entry->path, entry->uid, entry->gid);
}

static void set_time(int fd, const char *path, const struct tar_entry *entry)
{
	const struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { entry->mtime, entry->mtime_ns } };

	/* A time that the file system cannot hold is not worth failing. */
	utimensat(fd, path, t, AT_SYMLINK_NOFOLLOW | (*path ? 0 : AT_EMPTY_PATH));
}

static int write_data(struct unpacker *u, int fd, const struct tar_entry *entry, struct error *e)
{
	const void *p;
	ssize_t n;

	while ((n = tar_data(&u->tar, &p, e)) > 0) {
		int r = fd_write_all(fd, p, (size_t)n);

		if (r < 0)
			return error_errno(e, r, "%s", entry->path);
	}
	return (int)n;
}

/* Opens a file that is new, after what had its name. One that is mounted over (EBUSY) is written through. */
static int open_new(int dir, const char *last, const struct tar_entry *entry, bool *fresh, struct error *e)
{
	int fd;

	*fresh = true;
	if (unlinkat(dir, last, 0) < 0 && errno != ENOENT) {
		if (errno != EBUSY)
			return error_errno(e, errno, "%s", entry->path);
		*fresh = false;
		fd = openat(dir, last, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	} else {
		fd = openat(dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	return fd < 0 ? error_errno(e, errno, "%s", entry->path) : fd;
}

static int unpack_file(struct unpacker *u, int dir, const char *last, const struct tar_entry *entry, struct error *e)
{
	_cleanup_close_ int fd = -1;
	bool fresh = false;
	int r;

	if (u->overwrite >= 0) {
		fd = steal_fd(&u->overwrite);
		if (ftruncate(fd, 0) < 0)
			return error_errno(e, errno, "%s", entry->path);
	} else {
		fd = open_new(dir, last, entry, &fresh, e);
		if (fd < 0)
			return fd;
	}
	r = write_data(u, fd, entry, e);
	if (r == 0 && fresh)
		r = set_owner(u, fd, "", entry, e);
	if (r == 0 && fresh && fchmod(fd, mode_of(u, entry)) < 0)
		r = error_errno(e, errno, "%s", entry->path);
	if (r == 0)
		set_time(fd, "", entry);
	return r;
}

static int unpack_folder(struct unpacker *u, int dir, const char *last, const char *path,
			 const struct tar_entry *entry, struct error *e)
{
	struct folder *f;
	struct stat st;

	if (*last) {
		if (mkdirat(dir, last, 0700) < 0 && errno != EEXIST)
			return error_errno(e, errno, "%s", entry->path);
		if (errno == EEXIST && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			return error_set(e, ENOTDIR, "%s: there is something that is no folder", entry->path);
	}
	if (u->n_folders == u->room) {
		u->room = u->room ? u->room * 2 : 64;
		u->folders = xrealloc(u->folders, u->room, sizeof(*u->folders));
	}
	f = &u->folders[u->n_folders++];
	*f = (struct folder){ xstrdup(path), *entry };
	f->entry.path = f->path;
	return 0;
}

/* "h": a name for a file that came before, below the same target. */
static int unpack_hard_link(struct unpacker *u, int dir, const char *last, const struct tar_entry *entry,
			    struct error *e)
{
	_cleanup_free_ char *old = place_name(u, entry->link, e);
	_cleanup_close_ int from = -1;
	const char *old_last;

	if (!old || !*old)
		return old ? error_set(e, EBADMSG, "entry %s: a link to nothing", entry->path) : e->code;
	from = open_parent(u, old, &old_last);
	if (from < 0)
		return error_errno(e, from, "entry %s: link to %s", entry->path, entry->link);
	if ((unlinkat(dir, last, 0) < 0 && errno != ENOENT) || linkat(from, old_last, dir, last, 0) < 0)
		return error_errno(e, errno, "entry %s: link to %s", entry->path, entry->link);
	return 0;
}

static int unpack_small(struct unpacker *u, int dir, const char *last, const struct tar_entry *entry, struct error *e)
{
	int r;

	if (unlinkat(dir, last, 0) < 0 && errno != ENOENT)
		return error_errno(e, errno, "%s", entry->path);
	r = entry->type == 'l' ? symlinkat(entry->link, dir, last) : mkfifoat(dir, last, mode_of(u, entry) & 0777);
	if (r < 0)
		return error_errno(e, errno, "%s", entry->path);
	r = set_owner(u, dir, last, entry, e);
	if (r == 0)
		set_time(dir, last, entry);
	return r;
}

static int unpack_entry(struct unpacker *u, const struct tar_entry *entry, struct error *e)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int dir = -1;
	const char *last;

	if (u->overwrite >= 0 && entry->type == 'f')
		return unpack_file(u, -1, "", entry, e);
	path = place_name(u, entry->path, e);
	if (!path)
		return e->code;
	if (!*path && entry->type != 'd')
		return error_set(e, EBADMSG, "entry %s: only a folder can have that name", entry->path);
	dir = open_parent(u, path, &last);
	if (dir < 0)
		return error_errno(e, dir, "the folder of %s", entry->path);
	switch (entry->type) {
	case 'd':
		return unpack_folder(u, dir, last, path, entry, e);
	case 'f':
		return unpack_file(u, dir, last, entry, e);
	case 'h':
		return unpack_hard_link(u, dir, last, entry, e);
	case 'l':
	case 'p':
		return unpack_small(u, dir, last, entry, e);
	default:
		return error_set(e, EPERM, "entry %s: devices are not copied", entry->path);
	}
}

/* The innermost ones first. The target itself keeps what it has, unless the stream names it. */
static int finish_folders(struct unpacker *u, int r, struct error *e)
{
	while (u->n_folders > 0) {
		struct folder *f = &u->folders[--u->n_folders];
		_cleanup_close_ int fd = -1;

		if (r == 0 && *f->path) {
			fd = path_open_beneath(u->target, f->path, O_RDONLY | O_DIRECTORY, 0);
			r = fd < 0 ? error_errno(e, fd, "%s", f->path) : set_owner(u, fd, "", &f->entry, e);
			if (r == 0 && fchmod(fd, mode_of(u, &f->entry)) < 0)
				r = error_errno(e, errno, "%s", f->path);
			if (r == 0)
				set_time(fd, "", &f->entry);
		}
		free(f->path);
	}
	free(u->folders);
	return r;
}

static int start(struct unpacker *u, const struct tar_entry *first, struct error *e)
{
	u->begun = true;
	if (!u->how->into)
		return choose(u, first, e);
	u->target = open_place(&u->how->to, u->how->to.path, O_PATH | O_DIRECTORY);
	return u->target < 0 ? error_errno(e, u->target, "%s", u->how->to.path) : 0;
}

int copy_unpack(const struct copy_unpack *how, int fd, struct error *e)
{
	struct unpacker u = { .how = how, .target = -1, .overwrite = -1,
			      .tar = { .read = from_fd, .arg = &fd, .need_end = !how->into } };
	const struct tar_entry *entry;
	int r;

	tar_open(&u.tar);
	while ((r = tar_next(&u.tar, &entry, e)) > 0) {
		if (!u.begun)
			r = start(&u, entry, e);
		if (r >= 0)
			r = unpack_entry(&u, entry, e);
		if (r < 0)
			break;
	}
	if (r == 0 && !u.begun && !how->into)
		r = error_set(e, EBADMSG, "the archive is empty");
	r = finish_folders(&u, r, e);
	tar_close(&u.tar);
	free(u.rename);
	cleanup_close(&u.target);
	cleanup_close(&u.overwrite);
	return r;
}
