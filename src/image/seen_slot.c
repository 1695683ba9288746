/* SPDX-License-Identifier: Apache-2.0 */
#include "image/seen_slot.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "image/seen.h"
#include "image/store.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LIST_MAX = 65536, CHUNK = 64 * 1024 };

/* A folder that is being compared: its names, sorted as the table sorts them, up to the one that is awaited next. */
struct level {
	int fd;
	size_t path_len;
	char **names;
	size_t n, at;
	bool touched; /* its time is not the table's: told only if nothing in it says why */
};

struct compare {
	int objects;
	bool full;
	struct seen_writer w;
	FILE *out;
	struct level stack[TREE_DEPTH_MAX + 2];
	int depth;
	char path[TREE_PATH_MAX + 1]; /* of the folder that is open last */
	char list[LIST_MAX], value[TREE_XATTR_VALUE_MAX];
	struct error *e;
};

/* `name` NULL: the folder that is open last. */
__attribute__((format(printf, 3, 4))) static int wrong(struct compare *c, const char *name, const char *fmt, ...)
{
	_cleanup_free_ char *path = xasprintf("/%s%s%s", c->path, c->path[0] && name ? "/" : "", name ? name : "");
	_cleanup_free_ char *shown = str_escape(path);
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return error_set(c->e, EUCLEAN, "%s: %s", shown, what);
}

static int read_names(struct level *l)
{
	int r = path_list(l->fd, ".", &l->names);

	if (r == 0)
		l->n = strv_len(l->names);
	return r;
}

static void drop_level(struct level *l)
{
	strv_free(l->names);
	cleanup_close(&l->fd);
	*l = (struct level){ .fd = -1 };
}

/* --- one entry --------------------------------------------------------------------------------------------------- */

static const char *kind_of(mode_t mode)
{
	return S_ISREG(mode) ? "a file" : S_ISDIR(mode) ? "a folder" : S_ISLNK(mode) ? "a link" :
	       S_ISFIFO(mode) ? "a FIFO" : "something else";
}

static mode_t type_of(char type)
{
	return type == 'd' ? S_IFDIR : type == 'l' ? S_IFLNK : type == 'p' ? S_IFIFO : S_IFREG;
}

static int check_inode(struct compare *c, const char *name, const struct inode *in, const struct stat *st)
{
	if ((st->st_mode & S_IFMT) != type_of(in->type))
		return wrong(c, name, "it is %s, the image has %s there", kind_of(st->st_mode), kind_of(type_of(in->type)));
	if (in->type != 'l' && (st->st_mode & 07777) != in->mode)
		return wrong(c, name, "its mode is %04o, in the image %04o", st->st_mode & 07777, in->mode);
	if (st->st_uid != in->uid || st->st_gid != in->gid)
		return wrong(c, name, "its owner is %u:%u, in the image %u:%u", st->st_uid, st->st_gid, in->uid, in->gid);
	if (in->type == 'f' && (uint64_t)st->st_size != in->size)
		return wrong(c, name, "it has %lld bytes, in the image %llu", (long long)st->st_size,
			     (unsigned long long)in->size);
	return 0;
}

static bool same_time(const struct inode *in, const struct stat *st)
{
	return st->st_mtim.tv_sec == in->mtime && (uint32_t)st->st_mtim.tv_nsec == in->mtime_ns;
}

/* What the attribute has to be; false: there shall be none of that name. */
static bool expected(const struct compare *c, const struct inode *in, const char *key, char redirect[static OBJECT_NAME_LEN + 2],
		     const void **value, size_t *len)
{
	if (in->type == 'f' && in->size > 0 && !c->full) {
		if (streq(key, "user.overlay.metacopy")) {
			*value = "";
			*len = 0;
			return true;
		}
		if (streq(key, "user.overlay.redirect")) {
			*len = (size_t)snprintf(redirect, OBJECT_NAME_LEN + 2, "/%s", in->object);
			*value = redirect;
			return true;
		}
	}
	for (const struct xattr *x = in->xattrs; x; x = x->next) {
		if (streq(x->name, key)) {
			*value = x->value;
			*len = x->len;
			return true;
		}
	}
	return false;
}

static size_t count_expected(const struct compare *c, const struct inode *in)
{
	size_t n = in->type == 'f' && in->size > 0 && !c->full ? 2 : 0;

	for (const struct xattr *x = in->xattrs; x; x = x->next)
		n++;
	return n;
}

/* By name through the folder's descriptor, since a link or a file without read permission is not opened. */
static int check_xattrs(struct compare *c, int dir, const char *name, const struct inode *in)
{
	char at[TREE_NAME_MAX + 48], redirect[OBJECT_NAME_LEN + 2];
	size_t found = 0;
	ssize_t n;

	snprintf(at, sizeof(at), "/proc/self/fd/%d/%s", dir, *name ? name : ".");
	name = *name ? name : NULL;
	n = llistxattr(at, c->list, sizeof(c->list));
	if (n < 0 && errno == ENOTSUP)
		n = 0;
	if (n < 0)
		return wrong(c, name, "its attributes cannot be read: %s", strerror(errno));
	for (const char *key = c->list; key < c->list + n; key += strlen(key) + 1) {
		const void *want;
		size_t len;
		ssize_t got;

		/* The host's label, as it is on every file where SELinux is on. */
		if (streq(key, "security.selinux"))
			continue;
		_cleanup_free_ char *shown = str_escape_n(key, strnlen(key, 100));
		if (!expected(c, in, key, redirect, &want, &len))
			return wrong(c, name, "it has the attribute %s, in the image it has not", shown);
		got = lgetxattr(at, key, c->value, sizeof(c->value));
		if (got != (ssize_t)len || memcmp(c->value, want, len) != 0)
			return wrong(c, name, "its attribute %s is not the image's", shown);
		found++;
	}
	return found == count_expected(c, in) ? 0 : wrong(c, name, "it lacks an attribute that it has in the image");
}

static int check_target(struct compare *c, int dir, const char *name, const struct inode *in)
{
	char target[TREE_PATH_MAX + 2];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return wrong(c, name, "%s", strerror(errno));
	target[n] = 0;
	if (streq(target, in->target))
		return 0;
	_cleanup_free_ char *is = str_escape_n(target, strnlen(target, 100)), *was = str_escape_n(in->target, strnlen(in->target, 100));
	return wrong(c, name, "it leads to \"%s\", in the image to \"%s\"", is, was);
}

/* A full tree has the bytes themselves; the object is known to be right. */
static int check_bytes(struct compare *c, int dir, const char *name, const struct inode *in)
{
	_cleanup_close_ int a = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_close_ int b = openat(c->objects, in->object, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *x = xmalloc(2 * CHUNK);
	uint64_t left = in->size;

	if (a < 0 || b < 0)
		return wrong(c, name, "%s", strerror(errno));
	while (left > 0) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = pread(a, x, want, (off_t)(in->size - left)), m;

		m = n <= 0 ? n : pread(b, x + CHUNK, (size_t)n, (off_t)(in->size - left));
		if (n < 0 || m < 0)
			return wrong(c, name, "%s", strerror(errno));
		if (n == 0 || n != m || memcmp(x, x + CHUNK, (size_t)n) != 0)
			return wrong(c, name, "its bytes are not the image's");
		left -= (uint64_t)n;
	}
	return 0;
}

static int check_hard(struct compare *c, const char *name, const struct inode *in, const struct stat *st)
{
	_cleanup_close_ int first = path_open_beneath(c->stack[0].fd, in->target, O_PATH | O_NOFOLLOW, 0);
	struct stat other;

	if (first < 0 || fstat(first, &other) < 0 || other.st_ino != st->st_ino || other.st_dev != st->st_dev) {
		_cleanup_free_ char *shown = str_escape(in->target);
		return wrong(c, name, "it is not the same file as /%.200s, in the image it is", shown);
	}
	return 0;
}

static void note(struct compare *c, char kind, const struct stat *st, const char *name)
{
	if (c->out)
		seen_put(&c->w, kind, st, name);
}

/* --- folders ----------------------------------------------------------------------------------------------------- */

/* What tree_prepare() makes for every start to mount on, where the image has nothing. */
static bool is_mount_point(const struct compare *c, const char *name, bool *folder)
{
	static const char *const folders[] = { "dev", "proc", "etc" }, *const files[] = { "hosts", "hostname", "resolv.conf" };

	*folder = c->depth == 0;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (c->depth == 0 && streq(name, folders[i]))
			return true;
		if (c->depth == 1 && streq(c->path, "etc") && streq(name, files[i]))
			return true;
	}
	return false;
}

static int enter(struct compare *c, int dir, const char *name, const char *path, size_t path_len, struct stat *st)
{
	struct level *next = &c->stack[c->depth + 1];
	int r;

	if (c->depth + 1 >= (int)ARRAY_SIZE(c->stack))
		return wrong(c, name, "it lies too deep");
	next->fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (next->fd < 0 || fstat(next->fd, st) < 0)
		return wrong(c, c->depth < 0 ? NULL : name, "%s", strerror(errno));
	c->depth++;
	next->path_len = path_len;
	memmove(c->path, path, path_len + 1);
	r = read_names(next);
	return r < 0 ? wrong(c, NULL, "%s", strerror(-r)) : 0;
}

static int check_extra(struct compare *c, const char *name);

/* Back to the folder above: what is left in this one was not in the table. */
static int leave(struct compare *c)
{
	struct level *l = &c->stack[c->depth];

	while (l->at < l->n) {
		int r = check_extra(c, l->names[l->at++]);

		if (r < 0)
			return r;
	}
	if (l->touched)
		return wrong(c, NULL, "its modification time is not the image's");
	drop_level(l);
	c->depth--;
	if (c->depth >= 0)
		c->path[c->stack[c->depth].path_len] = 0;
	if (c->out)
		seen_up(&c->w);
	return 0;
}

static int check_extra(struct compare *c, const char *name)
{
	struct inode in = { .type = 'f', .mode = 0644 };
	int dir = c->stack[c->depth].fd, r;
	char path[8];
	struct stat st;
	bool folder;

	if (!is_mount_point(c, name, &folder))
		return wrong(c, name, "there is nothing of that name in the image");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return wrong(c, name, "%s", strerror(errno));
	if (folder)
		in = (struct inode){ .type = 'd', .mode = 0755 };
	r = check_inode(c, name, &in, &st);
	if (r == 0)
		r = check_xattrs(c, dir, name, &in);
	if (r < 0)
		return r;
	if (!folder) {
		note(c, 'f', &st, name);
		return 0;
	}
	snprintf(path, sizeof(path), "%s", name);
	r = enter(c, dir, path, path, strlen(path), &st);
	if (r < 0)
		return r;
	note(c, 'd', &st, path);
	return leave(c);
}

/* The folder that holds the line's entry becomes the last one; the entry's name there. */
static int enter_parent(struct compare *c, const struct table_line *l, const char **name)
{
	const char *slash = strrchr(l->path, '/');
	size_t len = slash ? (size_t)(slash - l->path) : 0;

	*name = slash ? slash + 1 : l->path;
	while (c->depth > 0 && !(c->stack[c->depth].path_len == len && memcmp(c->path, l->path, len) == 0)) {
		int r = leave(c);

		if (r < 0)
			return r;
	}
	if (c->stack[c->depth].path_len != len || memcmp(c->path, l->path, len) != 0 || !path_is_part(*name))
		return error_set(c->e, EUCLEAN, "damaged table at \"%.200s\"", l->path);
	return 0;
}

/* What stands before the awaited name is too much. */
static int await(struct compare *c, const char *name)
{
	struct level *l = &c->stack[c->depth];

	while (l->at < l->n) {
		int order = strcmp(l->names[l->at], name), r;

		if (order > 0)
			break;
		l->at++;
		if (order == 0)
			return 0;
		r = check_extra(c, l->names[l->at - 1]);
		if (r < 0)
			return r;
		l = &c->stack[c->depth];
	}
	return wrong(c, name, "it is in the image, and not here");
}

static int check_line(struct compare *c, const struct table_line *l)
{
	const struct inode *in = &l->inode;
	const char *name;
	struct stat st;
	int dir, r = enter_parent(c, l, &name);

	if (r == 0)
		r = await(c, name);
	if (r < 0)
		return r;
	dir = c->stack[c->depth].fd;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return wrong(c, name, "%s", strerror(errno));
	if (in->type == 'h') {
		r = check_hard(c, name, in, &st);
		if (r == 0)
			note(c, 'f', &st, name);
		return r;
	}
	/* First what says most about what was done. */
	if (in->type == 'l' && S_ISLNK(st.st_mode))
		r = check_target(c, dir, name, in);
	if (r == 0)
		r = check_inode(c, name, in, &st);
	if (r == 0)
		r = check_xattrs(c, dir, name, in);
	if (r == 0 && in->type == 'f' && in->size > 0 && c->full)
		r = check_bytes(c, dir, name, in);
	/* Last: what moves it mostly shows elsewhere as well. */
	if (r == 0 && in->type != 'd' && !same_time(in, &st))
		r = wrong(c, name, "its modification time is not the image's");
	if (r == 0 && in->type == 'd') {
		r = enter(c, dir, name, l->path, l->path_len, &st);
		if (r == 0)
			c->stack[c->depth].touched = !same_time(in, &st);
	}
	if (r == 0)
		note(c, in->type == 'd' ? 'd' : 'f', &st, name);
	return r;
}

static int check_root(struct compare *c, int slots, const char *name, const struct table_line *l)
{
	struct stat st;
	int r = enter(c, slots, name, "", 0, &st);

	if (r == 0)
		r = check_inode(c, NULL, &l->inode, &st);
	if (r == 0)
		c->stack[0].touched = !same_time(&l->inode, &st);
	if (r == 0)
		r = check_xattrs(c, c->stack[0].fd, "", &l->inode);
	if (r == 0)
		note(c, 'd', &st, "");
	return r;
}

static int compare_all(struct compare *c, int slots, const char *name, const struct table_map *m)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const char *at = table_body(m->data, m->size, NULL), *end = m->data + m->size;
	int r = at ? table_line_parse(&at, end, &line) : -EBADMSG;

	if (r < 0 || line.path_len != 0 || line.inode.type != 'd')
		return error_set(c->e, EUCLEAN, "damaged table: no root folder");
	r = check_root(c, slots, name, &line);
	while (r == 0 && at < end) {
		r = table_line_parse(&at, end, &line);
		if (r < 0)
			return error_set(c->e, EUCLEAN, "damaged table behind \"%.200s\"", c->path);
		r = check_line(c, &line);
	}
	while (r == 0 && c->depth >= 0)
		r = leave(c);
	return r;
}

/* A tree is up to TREE_DEPTH_MAX folders deep, each of them open. */
static void more_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < TREE_DEPTH_MAX + 64 && rl.rlim_max > rl.rlim_cur) {
		rl.rlim_cur = rl.rlim_max < 4096 ? rl.rlim_max : 4096;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

int slot_compare(int tree_dir, int objects, const char *tree, const char *slot, FILE *out, struct error *e)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	_cleanup_free_ struct compare *c = NULL;
	_cleanup_close_ int slots = openat(tree_dir, "slots", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t before = seen_now();
	char name[96];
	struct stat st;
	int r = slots < 0 ? -errno : table_map(tree_dir, &m);

	if (r < 0)
		return error_errno(e, r, "the table of the tree");
	if (out)
		seen_settle(before);
	snprintf(name, sizeof(name), "%.80s", slot);
	c = xcalloc(1, sizeof(*c));
	c->objects = objects;
	c->depth = -1;
	c->out = out;
	c->e = e;
	for (size_t i = 0; i < ARRAY_SIZE(c->stack); i++)
		c->stack[i].fd = -1;
	if (fstatat(slots, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		snprintf(name, sizeof(name), "full-%.80s", slot);
		c->full = true;
	}
	if (out)
		seen_begin(&c->w, out, tree, slot);
	more_descriptors();
	r = compare_all(c, slots, name, &m);
	while (c->depth >= 0)
		drop_level(&c->stack[c->depth--]);
	if (r == 0 && out) {
		seen_end(&c->w);
		for (int i = 0; i < SEEN_CODE_HEX; i++)
			fputc('0', out);
		fputc('\n', out);
		if (fflush(out) != 0 || ferror(out))
			r = error_errno(e, errno ? errno : EIO, "cannot write what was seen of a tree");
		else if (c->w.newest > before)
			r = 1;
	}
	return r;
}
