/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners of an ordinary user's volumes. The work is done by a child that is root of a user namespace in which every id
 * that may own a file has its host number (and the caller's own ids are 0).
 *
 * Ranges of ids are leased again, so the old and the new one may overlap, and what a half-done shift means could not be told
 * from the owners on disk. Hence the journal: first every inode's owner inside is written to DATA/volumes/NAME/owners,
 * then the files are given away by it. After a crash the journal is used again.
 */
#include "engine/volume_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "engine/ids.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { INODES_MAX = 50000000 };

/* One inode of the journal: its owner as containers know it. Sorted by inode number. */
struct owner {
	uint64_t ino;
	uint32_t uid, gid;
};

/* --- walking ------------------------------------------------------------------------------------------------------ */

/* What is done with each inode: `name` below `dir`, or `dir` itself when it is "". */
typedef int (*walk_fn)(int dir, const char *name, const struct stat *st, void *arg, struct error *e);

/* The folders of one level that are still to be entered. */
struct level {
	char **names;
	size_t n, room, next;
};

static void level_free(struct level *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
}

static int read_level(int dir, dev_t dev, struct level *l, walk_fn fn, void *arg, struct error *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d)
		return error_errno(e, errno, "cannot read a folder");
	while ((de = readdir(d))) {
		struct stat st;
		int r;

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		if (fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno(e, errno, "%s", de->d_name);
		if (st.st_dev != dev)
			return error_set(e, EXDEV, "%s: another file system is mounted there", de->d_name);
		r = fn(dir, de->d_name, &st, arg, e);
		if (r < 0)
			return r;
		if (!S_ISDIR(st.st_mode))
			continue;
		if (l->n == l->room) {
			l->room = l->room ? l->room * 2 : 16;
			l->names = xrealloc(l->names, l->room, sizeof(char *));
		}
		l->names[l->n++] = xstrdup(de->d_name);
	}
	return 0;
}

/*
 * Every inode below `top` and `top` itself, with one descriptor at a time however deep the tree is: up again by "..",
 * which is sound because nobody else writes here now.
 */
static int walk(int top, walk_fn fn, void *arg, struct error *e)
{
	_cleanup_close_ int dir = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct level *levels = NULL;
	size_t depth = 0;
	struct stat st;
	int r;

	if (dir < 0 || fstat(dir, &st) < 0)
		return error_errno(e, errno, "data");
	r = fn(dir, "", &st, arg, e);
	if (r < 0)
		return r;
	levels = xcalloc(1, sizeof(*levels));
	r = read_level(dir, st.st_dev, &levels[0], fn, arg, e);
	while (r == 0) {
		struct level *l = &levels[depth];
		int next;

		if (l->next == l->n && depth == 0)
			break;
		next = openat(dir, l->next == l->n ? ".." : l->names[l->next], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0) {
			r = error_errno(e, errno, "%s", l->next == l->n ? ".." : l->names[l->next]);
			break;
		}
		close(dir);
		dir = next;
		if (l->next == l->n) {
			level_free(l);
			depth--;
			continue;
		}
		l->next++;
		levels = xrealloc(levels, ++depth + 1, sizeof(*levels));
		memset(&levels[depth], 0, sizeof(*levels));
		r = read_level(dir, st.st_dev, &levels[depth], fn, arg, e);
	}
	for (size_t i = 0; i <= depth; i++)
		level_free(&levels[i]);
	free(levels);
	return r;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

struct shift {
	int data, journal;
	struct owner_maps from, to;
	uint32_t own_uid, own_gid; /* the caller's, which the namespace calls 0 */
	struct owner *list;
	size_t n, room;
};

static uint32_t host_of(uint32_t seen, uint32_t own)
{
	return seen == 0 ? own : seen;
}

static uint32_t seen_of(uint32_t host, uint32_t own)
{
	return host == own ? 0 : host;
}

static int64_t inside_of(const struct spec_idmap *map, size_t n, uint32_t host)
{
	for (size_t i = 0; i < n; i++)
		if (host >= map[i].host && host - map[i].host < map[i].count)
			return (int64_t)map[i].inside + (host - map[i].host);
	return -ENOENT;
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

/* linux/posix_acl_xattr.h: a version, then entries of tag, permissions and id; these tags have an id. */
static bool acl_names_ids(const char *path, const char *name)
{
	unsigned char acl[65536];
	ssize_t n = lgetxattr(path, name, acl, sizeof(acl));

	for (ssize_t at = 4; at + 8 <= n; at += 8)
		if (acl[at] == 0x02 || acl[at] == 0x08)
			return true;
	return n < 0 && errno == ERANGE;
}

static int check_acl(int dir, const char *name, const struct stat *st, struct error *e)
{
	char path[300];

	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	if (acl_names_ids(path, "system.posix_acl_access") ||
	    (S_ISDIR(st->st_mode) && acl_names_ids(path, "system.posix_acl_default"))) {
		_cleanup_free_ char *safe = str_escape(name);

		error_set(e, EOPNOTSUPP, "\"%s\" has an access control list that names users or groups, which cannot be taken "
			  "over to other ids", safe);
		error_hint(e, "remove it in the container that made it: setfacl -b");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int lacks(struct error *e, const char *name, const char *kind, uint32_t id)
{
	_cleanup_free_ char *safe = str_escape(*name ? name : "its root");

	error_set(e, EOVERFLOW, "\"%s\" belongs to %s %u, which this container does not have", safe, kind, id);
	error_hint(e, "make the container again: it gets the ids of its volumes when it is made");
	return -EOVERFLOW;
}

static int note_owner(int dir, const char *name, const struct stat *st, void *arg, struct error *e)
{
	struct shift *s = arg;
	uint32_t huid = host_of(st->st_uid, s->own_uid), hgid = host_of(st->st_gid, s->own_gid);
	int64_t uid = inside_of(s->from.uid, s->from.n_uid, huid), gid = inside_of(s->from.gid, s->from.n_gid, hgid);
	int r;

	/* What the person put there by hand. */
	if (uid < 0 && huid == s->own_uid)
		uid = 0;
	if (gid < 0 && hgid == s->own_gid)
		gid = 0;
	if (uid < 0)
		return lacks(e, name, "the host's uid", huid);
	if (gid < 0)
		return lacks(e, name, "the host's gid", hgid);
	if (spec_host_id(s->to.uid, s->to.n_uid, (uint32_t)uid) < 0)
		return lacks(e, name, "uid", (uint32_t)uid);
	if (spec_host_id(s->to.gid, s->to.n_gid, (uint32_t)gid) < 0)
		return lacks(e, name, "gid", (uint32_t)gid);
	r = check_acl(dir, name, st, e);
	if (r < 0)
		return r;
	if (s->n == s->room) {
		if (s->n >= INODES_MAX)
			return error_set(e, EFBIG, "more than %d files", INODES_MAX);
		s->room = s->room ? s->room * 2 : 1024;
		s->list = xrealloc(s->list, s->room, sizeof(*s->list));
	}
	s->list[s->n++] = (struct owner){ st->st_ino, (uint32_t)uid, (uint32_t)gid };
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int write_journal(void *ctx, struct error *e)
{
	struct shift *s = ctx;
	int r = walk(s->data, note_owner, s, e);

	if (r == 0) {
		qsort(s->list, s->n, sizeof(*s->list), by_inode);
		r = fd_write_all(s->journal, s->list, s->n * sizeof(*s->list));
		if (r == 0 && fsync(s->journal) < 0)
			r = -errno;
		if (r < 0)
			error_errno(e, r, "cannot write owners");
	}
	free(s->list);
	return r;
}

static int give_away(int dir, const char *name, const struct stat *st, void *arg, struct error *e)
{
	struct shift *s = arg;
	const struct owner key = { .ino = st->st_ino };
	const struct owner *o = s->n ? bsearch(&key, s->list, s->n, sizeof(key), by_inode) : NULL;
	int64_t uid, gid;

	if (!o)
		return error_set(e, EBADMSG, "\"%s\" is not in owners", name);
	uid = spec_host_id(s->to.uid, s->to.n_uid, o->uid);
	gid = spec_host_id(s->to.gid, s->to.n_gid, o->gid);
	if (uid < 0)
		return lacks(e, name, "uid", o->uid);
	if (gid < 0)
		return lacks(e, name, "gid", o->gid);
	uid = seen_of((uint32_t)uid, s->own_uid);
	gid = seen_of((uint32_t)gid, s->own_gid);
	if (uid == st->st_uid && gid == st->st_gid)
		return 0;
	if (fchownat(dir, name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return error_errno(e, errno, "cannot give \"%s\" to the container", name);
	/* chown(2) takes the set-id bits away. */
	if (S_ISREG(st->st_mode) && (st->st_mode & 06000) && fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return error_errno(e, errno, "cannot restore the mode of \"%s\"", name);
	return 0;
}

static int apply_journal(void *ctx, struct error *e)
{
	struct shift *s = ctx;
	struct stat st;
	int r;

	if (fstat(s->journal, &st) < 0)
		return error_errno(e, errno, "owners");
	if (st.st_size == 0 || (size_t)st.st_size % sizeof(struct owner))
		return error_set(e, EBADMSG, "owners is damaged");
	s->n = (size_t)st.st_size / sizeof(struct owner);
	s->list = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, s->journal, 0);
	if (s->list == MAP_FAILED)
		return error_errno(e, errno, "owners");
	r = walk(s->data, give_away, s, e);
	munmap(s->list, (size_t)st.st_size);
	return r;
}

int volume_shift(int dir, const struct owner_maps *from, const struct owner_maps *to, struct error *e)
{
	_cleanup_close_ int data = openat(dir, "data", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), journal = -1;
	struct shift s = { .data = data, .from = *from, .to = *to, .own_uid = geteuid(), .own_gid = getegid() };
	int r;

	if (data < 0)
		return error_errno(e, errno, "data");
	journal = openat(dir, "owners", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (journal < 0) {
		journal = openat(dir, "owners.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (journal < 0)
			return error_errno(e, errno, "owners.new");
		s.journal = journal;
		r = ids_run_all(write_journal, &s, e);
		if (r == 0 && renameat(dir, "owners.new", dir, "owners") < 0)
			r = error_errno(e, errno, "owners");
		if (r < 0) {
			unlinkat(dir, "owners.new", 0);
			return r;
		}
	}
	s.journal = journal;
	return ids_run_all(apply_journal, &s, e);
}

struct deletion {
	int all;
	const char *name;
};

static int delete_tree(void *ctx, struct error *e)
{
	const struct deletion *d = ctx;
	int r = path_remove_tree(d->all, d->name);

	return r < 0 ? error_errno(e, r, "cannot remove %s/volumes/%s", home_data_path(NULL), d->name) : 0;
}

int volume_delete_tree(int all, const char *name, struct error *e)
{
	struct deletion d = { all, name };
	int r = path_remove_tree(all, name);

	if (r == 0)
		return 0;
	return home_is_root() ? error_errno(e, r, "cannot remove %s/volumes/%s", home_data_path(NULL), name) :
				ids_run_all(delete_tree, &d, e);
}

/* --- size --------------------------------------------------------------------------------------------------------- */

struct measure {
	int data;
	uint64_t *bytes; /* shared with the child */
};

static int add_size(int dir, const char *name, const struct stat *st, void *arg, struct error *e)
{
	(void)dir;
	(void)name;
	(void)e;
	*(uint64_t *)arg += (uint64_t)st->st_blocks * 512;
	return 0;
}

static int measure(void *ctx, struct error *e)
{
	struct measure *m = ctx;

	return walk(m->data, add_size, m->bytes, e);
}

int volume_size(const char *name, uint64_t *bytes, struct error *e)
{
	_cleanup_close_ int dir = volume_open(name, e), data = -1;
	struct measure m;
	int r;

	if (dir < 0)
		return dir;
	data = openat(dir, "data", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (data < 0)
		return error_errno(e, errno, "volume %s", name);
	m = (struct measure){ data, mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	if (m.bytes == MAP_FAILED)
		return error_errno(e, errno, "volume %s", name);
	r = ids_run_all(measure, &m, e);
	if (r == 0)
		*bytes = *m.bytes;
	munmap(m.bytes, sizeof(uint64_t));
	return r;
}
