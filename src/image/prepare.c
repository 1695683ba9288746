/* SPDX-License-Identifier: Apache-2.0 */
/* A tree's table becomes folders, links and (empty or full) files, in one pass and without resolving a path twice. */
#include "image/store.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "image/tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct level {
	int fd;
	size_t path_len;
	struct timespec mtime;
};

struct prepare {
	int objects;
	bool full;
	uint32_t uid, gid; /* what a new file gets by itself */
	struct level stack[TREE_DEPTH_MAX + 2];
	int depth; /* of the folder that is open last */
	char path[TREE_PATH_MAX + 1]; /* of that folder */
	struct error *e;
};

static int wrong(struct prepare *p, int err, const struct table_line *l, const char *what)
{
	_cleanup_free_ char *shown = str_escape(l->path);

	return error_errno(p->e, err, "%s \"%s\"", what, shown);
}

static struct timespec mtime_of(const struct table_line *l)
{
	return (struct timespec){ .tv_sec = l->inode.mtime, .tv_nsec = l->inode.mtime_ns };
}

/* A folder's time is set last: what is made in it changes it. */
static int leave(struct prepare *p)
{
	struct level *l = &p->stack[p->depth--];
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, l->mtime };
	int r = futimens(l->fd, ts) < 0 ? -errno : 0;

	close(l->fd);
	l->fd = -1;
	if (p->depth >= 0)
		p->path[p->stack[p->depth].path_len] = 0;
	return r < 0 ? error_errno(p->e, r, "cannot set the time of a folder") : 0;
}

/* Goes back to the folder that holds the line's entry; its name there. NULL: the table is damaged. */
static const char *enter_parent(struct prepare *p, const struct table_line *l, int *r)
{
	const char *slash = strrchr(l->path, '/');
	size_t len = slash ? (size_t)(slash - l->path) : 0;
	const char *name = slash ? slash + 1 : l->path;

	*r = 0;
	while (p->depth > 0) {
		const struct level *top = &p->stack[p->depth];

		if (top->path_len == len && memcmp(p->path, l->path, len) == 0)
			break;
		*r = leave(p);
		if (*r < 0)
			return NULL;
	}
	if (p->stack[p->depth].path_len != len || memcmp(p->path, l->path, len) != 0 || !path_is_part(name)) {
		*r = wrong(p, EBADMSG, l, "damaged table at");
		return NULL;
	}
	return name;
}

static int set_xattrs(struct prepare *p, int fd, const struct table_line *l)
{
	for (const struct xattr *x = l->inode.xattrs; x; x = x->next) {
		if (!str_after(x->name, "user.") || str_after(x->name, "user.overlay."))
			return wrong(p, EBADMSG, l, "damaged table: attribute of");
		if (fsetxattr(fd, x->name, x->value, x->len, 0) < 0)
			return wrong(p, errno, l, "cannot set an attribute of");
	}
	return 0;
}

static int make_folder(struct prepare *p, int dir, const char *name, const struct table_line *l)
{
	struct level *next = &p->stack[p->depth + 1];
	const struct inode *in = &l->inode;
	int fd;

	if (p->depth + 1 >= (int)ARRAY_SIZE(p->stack))
		return wrong(p, EBADMSG, l, "damaged table at");
	if (mkdirat(dir, name, 0700) < 0)
		return wrong(p, errno, l, "cannot make folder");
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return wrong(p, errno, l, "cannot open folder");
	next->fd = fd;
	next->mtime = mtime_of(l);
	next->path_len = l->path_len;
	memcpy(p->path, l->path, l->path_len + 1);
	p->depth++;
	/* fchown first: it may clear set-group-ID */
	if (fchown(fd, in->uid, in->gid) < 0)
		return wrong(p, errno, l, "cannot set the owner of");
	if (fchmod(fd, in->mode) < 0)
		return wrong(p, errno, l, "cannot set the mode of");
	return set_xattrs(p, fd, l);
}

static int copy_bytes(struct prepare *p, int fd, const struct table_line *l)
{
	_cleanup_close_ int from = openat(p->objects, l->inode.object, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t left = l->inode.size;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return wrong(p, errno, l, "no bytes for");
	if ((uint64_t)st.st_size != left)
		return wrong(p, EBADMSG, l, "an object of the wrong size for");
	if (ioctl(fd, FICLONE, from) == 0)
		return 0;
	while (left > 0) {
		ssize_t n = copy_file_range(from, NULL, fd, NULL, left > 1 << 30 ? 1 << 30 : left, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return wrong(p, n < 0 ? errno : EBADMSG, l, "cannot copy the bytes of");
		left -= (uint64_t)n;
	}
	return 0;
}

static int join_bytes(struct prepare *p, int fd, const struct table_line *l)
{
	char redirect[OBJECT_NAME_LEN + 2];

	snprintf(redirect, sizeof(redirect), "/%s", l->inode.object);
	if (ftruncate(fd, (off_t)l->inode.size) < 0)
		return wrong(p, errno, l, "cannot set the size of");
	if (fsetxattr(fd, "user.overlay.redirect", redirect, strlen(redirect), XATTR_CREATE) < 0 ||
	    fsetxattr(fd, "user.overlay.metacopy", "", 0, XATTR_CREATE) < 0)
		return wrong(p, errno, l, "cannot set the overlay attributes of");
	return 0;
}

static int make_file(struct prepare *p, int dir, const char *name, const struct table_line *l)
{
	const struct inode *in = &l->inode;
	/* Most files are born with their mode (the umask is 0); attributes can be set only on what may be written. */
	mode_t born = (in->mode & 0777) | 0600;
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, born);
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, mtime_of(l) };
	bool other = in->uid != p->uid || in->gid != p->gid;
	int r = 0;

	if (fd < 0)
		return wrong(p, errno, l, "cannot make file");
	if (in->size > 0)
		r = p->full ? copy_bytes(p, fd, l) : join_bytes(p, fd, l);
	if (r == 0)
		r = set_xattrs(p, fd, l);
	if (r < 0)
		return r;
	if (other && fchown(fd, in->uid, in->gid) < 0)
		return wrong(p, errno, l, "cannot set the owner of");
	if (in->mode != born && fchmod(fd, in->mode) < 0)
		return wrong(p, errno, l, "cannot set the mode of");
	if (futimens(fd, ts) < 0)
		return wrong(p, errno, l, "cannot set the time of");
	return 0;
}

/* What is made by name, without a descriptor of its own: links and FIFOs. */
static int set_by_name(struct prepare *p, int dir, const char *name, const struct table_line *l)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, mtime_of(l) };
	const struct inode *in = &l->inode;

	if ((in->uid != p->uid || in->gid != p->gid) &&
	    fchownat(dir, name, in->uid, in->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return wrong(p, errno, l, "cannot set the owner of");
	if (in->type == 'p' && fchmodat(dir, name, in->mode, 0) < 0)
		return wrong(p, errno, l, "cannot set the mode of");
	if (utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return wrong(p, errno, l, "cannot set the time of");
	return 0;
}

static int make_hard(struct prepare *p, int dir, const char *name, const struct table_line *l)
{
	_cleanup_close_ int first = path_open_beneath(p->stack[0].fd, l->inode.target, O_PATH | O_NOFOLLOW, 0);
	struct stat st;
	char path[32];

	if (first < 0 || fstat(first, &st) < 0 || !S_ISREG(st.st_mode))
		return wrong(p, first < 0 ? first : EBADMSG, l, "no file to link to for");
	path_of_fd(first, path);
	if (linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0)
		return wrong(p, errno, l, "cannot make hard link");
	return 0;
}

static int make_entry(struct prepare *p, const struct table_line *l)
{
	const char *name;
	int r, dir;

	name = enter_parent(p, l, &r);
	if (!name)
		return r;
	dir = p->stack[p->depth].fd;
	switch (l->inode.type) {
	case 'd':
		return make_folder(p, dir, name, l);
	case 'f':
		return make_file(p, dir, name, l);
	case 'l':
		if (symlinkat(l->inode.target, dir, name) < 0)
			return wrong(p, errno, l, "cannot make link");
		return set_by_name(p, dir, name, l);
	case 'p':
		if (mkfifoat(dir, name, 0600) < 0)
			return wrong(p, errno, l, "cannot make FIFO");
		return set_by_name(p, dir, name, l);
	case 'h':
		return make_hard(p, dir, name, l);
	default:
		return wrong(p, EBADMSG, l, "damaged table at");
	}
}

/*
 * Places on which each start mounts something, where the image has none: else every container would make them in its own layer.
 * What the image has there, links too, stays as it is, and the start deals with it. An image without /etc gets one.
 */
static int make_mount_points(struct prepare *p)
{
	static const char *const folders[] = { "dev", "proc", "etc" }, *const files[] = { "hosts", "hostname", "resolv.conf" };
	_cleanup_close_ int etc = -1;
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(p->stack[0].fd, folders[i], 0755) < 0 && errno != EEXIST)
			return error_errno(p->e, errno, "cannot make /%s", folders[i]);
	etc = openat(p->stack[0].fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (etc < 0)
		return errno == ENOTDIR || errno == ELOOP ? 0 : error_errno(p->e, errno, "cannot open /etc");
	if (fstat(etc, &st) < 0)
		return error_errno(p->e, errno, "/etc");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_close_ int fd = openat(etc, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0 && errno != EEXIST)
			return error_errno(p->e, errno, "cannot make /etc/%s", files[i]);
	}
	ts[1] = st.st_mtim;
	return futimens(etc, ts) < 0 ? error_errno(p->e, errno, "cannot set the time of /etc") : 0;
}

static int make_all(struct prepare *p, const struct table_map *m)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const char *at = table_body(m->data, m->size, NULL), *end = m->data + m->size;
	const struct inode *in = &line.inode;
	int r;

	if (!at)
		return error_set(p->e, EBADMSG, "damaged table: no first line");
	r = table_line_parse(&at, end, &line);
	if (r < 0 || line.path_len != 0 || in->type != 'd')
		return error_set(p->e, EBADMSG, "damaged table: no root folder");
	p->stack[0].mtime = mtime_of(&line);
	if (fchown(p->stack[0].fd, in->uid, in->gid) < 0 || fchmod(p->stack[0].fd, in->mode) < 0)
		return wrong(p, errno, &line, "cannot set owner and mode of the root folder");
	r = set_xattrs(p, p->stack[0].fd, &line);
	while (r == 0 && at < end) {
		r = table_line_parse(&at, end, &line);
		if (r < 0)
			return error_set(p->e, r, "damaged table behind \"%.80s\"", p->path);
		r = make_entry(p, &line);
	}
	while (r == 0 && p->depth > 0)
		r = leave(p);
	if (r == 0)
		r = make_mount_points(p);
	return r == 0 ? leave(p) : r;
}

static void more_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < TREE_DEPTH_MAX + 64 &&
	    rl.rlim_max > rl.rlim_cur) {
		rl.rlim_cur = rl.rlim_max < 4096 ? rl.rlim_max : 4096;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int prepare_in(int slots, const char *name, const struct table_map *m, struct prepare *p)
{
	char tmp[96];
	uint64_t rnd;
	int r;

	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return error_set(p->e, EIO, "no random bytes");
	snprintf(tmp, sizeof(tmp), ".tmp-%s-%016llx", name, (unsigned long long)rnd);
	if (mkdirat(slots, tmp, 0700) < 0)
		return error_errno(p->e, errno, "cannot make a folder in slots/");
	p->stack[0].fd = openat(slots, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* Locked while it is made: store_collect() removes what a killed process left, and only that. */
	if (p->stack[0].fd >= 0)
		(void)flock(p->stack[0].fd, LOCK_EX | LOCK_NB);
	r = p->stack[0].fd < 0 ? error_errno(p->e, errno, "cannot open slots/%s", tmp) : make_all(p, m);
	while (p->depth >= 0)
		cleanup_close(&p->stack[p->depth--].fd);
	if (r == 0 && renameat2(slots, tmp, slots, name, RENAME_NOREPLACE) < 0) {
		/* Somebody else may have made it meanwhile: as good. */
		r = errno == EEXIST ? 1 : error_errno(p->e, errno, "cannot rename slots/%s", tmp);
	}
	if (r != 0)
		path_remove_tree(slots, tmp);
	return r < 0 ? r : 0;
}

/* What a killed process left of this slot: of its ids, so that it is removed by who has them. */
static void sweep(int slots, const char *name)
{
	_cleanup_free_ char *prefix = xasprintf(".tmp-%s-", name);
	_cleanup_closedir_ DIR *d = NULL;
	int fd = openat(slots, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d && fd >= 0)
		close(fd);
	while (d && (de = readdir(d))) {
		_cleanup_close_ int left = -1;

		if (!str_after(de->d_name, prefix))
			continue;
		left = openat(slots, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (left >= 0 && flock(left, LOCK_EX | LOCK_NB) == 0)
			path_remove_tree(slots, de->d_name);
	}
}

int tree_prepare(int tree_fd, int objects_fd, const char *slot, bool full, struct error *e)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	_cleanup_free_ struct prepare *p = NULL;
	_cleanup_close_ int slots = -1;
	char name[64];
	mode_t mask;
	int r;

	if (!slot_valid(slot))
		return error_set(e, EINVAL, "\"%.40s\" names no slot", slot);
	snprintf(name, sizeof(name), "%s%s", full ? "full-" : "", slot);
	slots = openat(tree_fd, "slots", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (slots < 0)
		return error_errno(e, errno, "cannot open the slots of the tree");
	if (faccessat(slots, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = table_map(tree_fd, &m);
	if (r < 0)
		return error_errno(e, r, "cannot read the table of the tree");
	more_descriptors();
	p = xcalloc(1, sizeof(*p));
	p->objects = objects_fd;
	p->full = full;
	p->uid = geteuid();
	p->gid = getegid();
	p->e = e;
	sweep(slots, name);
	mask = umask(0);
	r = prepare_in(slots, name, &m, p);
	umask(mask);
	return r < 0 ? error_wrap(e, "cannot prepare the image's files for ids from %s", slot) : 0;
}
