/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes at a start: who may have one, whose ids its files get, and the mounts of a specification. */
#include "engine/volume_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void add_id(uint32_t **list, size_t *n, uint32_t id)
{
	for (size_t i = 0; i < *n; i++)
		if ((*list)[i] == id)
			return;
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = id;
}

int volume_ids(const char *name, uint32_t **uids, size_t *n_uids, uint32_t **gids, size_t *n_gids, struct error *e)
{
	struct volume v;
	int r = volume_find(name, &v, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < v.n_uidmap; i++)
		for (uint32_t k = 0; k < v.uidmap[i].count; k++)
			add_id(uids, n_uids, v.uidmap[i].inside + k);
	for (size_t i = 0; i < v.n_gidmap; i++)
		for (uint32_t k = 0; k < v.gidmap[i].count; k++)
			add_id(gids, n_gids, v.gidmap[i].inside + k);
	volume_free(&v);
	return 0;
}

/* True when the container that used it last may still write to it. Short uses of its lock (a rename) are waited for. */
static bool user_is_alive(const char *id)
{
	struct timespec pause = { 0, 50000000 };

	for (int tries = 0; tries < 20; tries++) {
		if (!container_is_held(id))
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool same_map(const struct spec_idmap *a, size_t n, const struct spec_idmap *b, size_t m)
{
	return n == m && (n == 0 || memcmp(a, b, n * sizeof(*a)) == 0);
}

static struct spec_idmap *copy_map(const struct spec_idmap *map, size_t n)
{
	struct spec_idmap *copy = xcalloc(n, sizeof(*map));

	if (n)
		memcpy(copy, map, n * sizeof(*map));
	return copy;
}

static void set_maps(struct volume *v, const struct owner_maps *to)
{
	free(v->uidmap);
	free(v->gidmap);
	v->uidmap = copy_map(to->uid, to->n_uid);
	v->gidmap = copy_map(to->gid, to->n_gid);
	v->n_uidmap = to->n_uid;
	v->n_gidmap = to->n_gid;
}

/* Gives the files to the ids of `to`. A new volume's only file is data/, which the caller made. */
static int take_over(int dir, struct volume *v, const struct owner_maps *to, struct error *e)
{
	const struct spec_idmap own_uid = { 0, geteuid(), 1 }, own_gid = { 0, getegid(), 1 };
	struct owner_maps from = { v->uidmap, v->gidmap, v->n_uidmap, v->n_gidmap };
	int r;

	if (v->n_uidmap == 0 && v->n_gidmap == 0)
		from = (struct owner_maps){ &own_uid, &own_gid, 1, 1 };
	if (same_map(from.uid, from.n_uid, to->uid, to->n_uid) && same_map(from.gid, from.n_gid, to->gid, to->n_gid) &&
	    faccessat(dir, "owners", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	r = volume_shift(dir, &from, to, e);
	if (r < 0)
		return r;
	set_maps(v, to);
	r = volume_save(dir, v, false, e);
	/* Only now: until the new maps are recorded the journal is what tells the owners. */
	if (r == 0 && unlinkat(dir, "owners", 0) < 0 && errno != ENOENT)
		r = error_errno(e, errno, "cannot remove owners");
	return r;
}

static bool is_empty(int dir)
{
	int fd = openat(dir, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			return false;
	return d != NULL;
}

/* `dir` is locked. */
static int claim(int dir, struct volume *v, const struct container *c, const struct volume_mount *m,
		 const struct owner_maps *to, bool *copy_up, struct error *e)
{
	bool mine = streq(v->used_by, c->config.id), user = to->n_uid > 0;
	int r;

	if (user && v->used_by[0] && !mine && user_is_alive(v->used_by)) {
		if (m->read_only)
			return 0;
		error_set(e, EBUSY, "volume %s: container %.12s runs and has it writable", v->name, v->used_by);
		error_hint(e, "an ordinary user's volume belongs to one running container at a time: stop that one (brig stop "
			   "%.12s), or mount it read-only (-v %s:%s:ro)", v->used_by, v->name, m->target);
		return -EBUSY;
	}
	if (v->fill == VOLUME_NEW)
		v->fill = m->no_copy || !is_empty(dir) ? VOLUME_FILLED : VOLUME_FILLING;
	*copy_up = v->fill == VOLUME_FILLING;
	memcpy(v->used_by, c->config.id, sizeof(v->used_by));
	v->auto_remove = m->anonymous && c->config.auto_remove;
	r = volume_save(dir, v, false, e);
	if (r == 0 && user)
		r = take_over(dir, v, to, e);
	return r;
}

int volume_claim(const struct container *c, const struct volume_mount *m, const struct spec_idmap *uidmap, size_t n_uidmap,
		 const struct spec_idmap *gidmap, size_t n_gidmap, bool *copy_up, struct error *e)
{
	struct owner_maps to = { uidmap, gidmap, n_uidmap, n_gidmap };
	_cleanup_close_ int dir = -1;
	struct error own = { 0 };
	struct volume v;
	int r, fd;

	if (!e)
		e = &own;
	*copy_up = false;
	if (m->anonymous && home_is_root())
		volume_sweep();
	r = volume_create(m->source, NULL, m->anonymous, NULL, e);
	if (r < 0)
		return r;
	dir = volume_lock(m->source, e);
	if (dir < 0)
		return dir;
	r = volume_load(dir, m->source, &v, e);
	if (r < 0)
		return r;
	r = claim(dir, &v, c, m, &to, copy_up, e);
	volume_free(&v);
	if (r < 0)
		return r;
	fd = openat(dir, "data", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(e, errno, "volume %s", m->source) : fd;
}

static int filled(const char *name, const struct container *c, struct error *e)
{
	_cleanup_close_ int dir = volume_lock(name, e);
	struct error own = { 0 };
	struct volume v;
	int r;

	if (dir < 0)
		return dir;
	r = volume_load(dir, name, &v, e ? e : &own);
	if (r < 0)
		return r;
	if (v.fill != VOLUME_FILLED && (home_is_root() || streq(v.used_by, c->config.id))) {
		v.fill = VOLUME_FILLED;
		r = volume_save(dir, &v, false, e);
	}
	volume_free(&v);
	return r;
}

/* --- the mounts of a start ---------------------------------------------------------------------------------------- */

/*
 * The path was resolved when the container was made: a link in it now is somebody's doing. As root the kernel resolves it
 * for root, so what the container gets is what root named.
 */
static int open_source(const char *path, struct error *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *safe = str_escape(path);
	int fd;

	if (root < 0)
		return error_errno(e, errno, "/");
	fd = path[1] ? path_open_beneath(root, path + 1, O_PATH, 0) : steal_fd(&root);
	if (fd == -ELOOP)
		return error_set(e, ELOOP, "bind source %s: a part of it has become a link since the container was made", safe);
	return fd < 0 ? error_errno(e, fd, "bind source %s", safe) : fd;
}

static int add_bind(const struct volume_mount *m, struct spec *s, struct error *e)
{
	struct spec_mount *sm;
	struct stat st;
	int fd = open_source(m->source, e);

	if (fd < 0)
		return fd;
	sm = spec_add_mount(s, "bind", m->source, m->target, NULL, 0);
	sm->fd = fd;
	sm->recursive = m->recursive;
	sm->file = fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
	return 0;
}

/*
 * What runs is only looked at, and a restart by the owner of a container of root's finds its sources mounted already: in
 * neither case anything is opened or claimed.
 */
static bool stands_already(const struct container *c)
{
	return container_running(c) || volume_is_owner(c);
}

static int add_volume(const struct container *c, const struct volume_mount *m, struct spec *s, struct error *e)
{
	bool raw = home_is_root(), copy_up;
	struct spec_mount *sm;
	int fd = volume_claim(c, m, s->uidmap, raw ? 0 : s->n_uidmap, s->gidmap, raw ? 0 : s->n_gidmap, &copy_up, e);

	if (fd < 0)
		return fd;
	sm = spec_add_mount(s, "bind", NULL, m->target, NULL, 0);
	sm->fd = fd;
	sm->idmap = raw;
	sm->copy_up = copy_up;
	return 0;
}

int volume_mounts(const struct container *c, struct spec *s, struct error *e)
{
	bool stands = stands_already(c);

	for (size_t i = 0; i < c->config.n_mounts; i++) {
		const struct volume_mount *m = &c->config.mounts[i];
		struct spec_mount *sm;
		int r = 0;

		if (stands && !streq(m->type, "tmpfs"))
			spec_add_mount(s, "bind", m->source, m->target, NULL, 0);
		else if (streq(m->type, "tmpfs"))
			spec_add_mount(s, "tmpfs", NULL, m->target, m->options, 0);
		else if (streq(m->type, "bind"))
			r = add_bind(m, s, e);
		else
			r = add_volume(c, m, s, e);
		if (r < 0)
			return r;
		sm = &s->mounts[s->n_mounts - 1];
		sm->attrs = (m->read_only ? MOUNT_ATTR_RDONLY : 0) | (m->no_exec ? MOUNT_ATTR_NOEXEC : 0);
		sm->writable = !m->read_only;
	}
	return 0;
}

bool volume_is_owner(const struct container *c)
{
	return !home_is_root() && streq(c->config.slot, "raw");
}

int volumes_filled(const struct container *c, struct error *e)
{
	if (volume_is_owner(c))
		return 0; /* the first start has done it */
	for (size_t i = 0; i < c->config.n_mounts; i++) {
		int r = 0;

		if (streq(c->config.mounts[i].type, "volume"))
			r = filled(c->config.mounts[i].source, c, e);
		if (r < 0)
			return r;
	}
	return 0;
}
