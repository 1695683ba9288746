/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ids.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "image/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the caller's range ------------------------------------------------------------------------------------------ */

/* The login name of a uid in /etc/passwd; a directory service is asked by libsubid's tools, not here. */
static char *login_name(uid_t uid)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;

	if (file_read(AT_FDCWD, "/etc/passwd", 16 << 20, &text, NULL) < 0)
		return NULL;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		char *name = strsep(&line, ":"), *field;
		uint64_t n;

		if (!name || !line || !strsep(&line, ":") || !(field = strsep(&line, ":")))
			continue;
		if (parse_u64(field, 0, UINT32_MAX, &n) == 0 && n == uid)
			return xstrdup(name);
	}
	return NULL;
}

/* The largest range of lines "NAME:FIRST:COUNT", where NAME is the login name or the uid. */
static int largest(const char *file, const char *name, uid_t uid, uint32_t *first, uint32_t *count)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest, number[16];
	int r = file_read(AT_FDCWD, file, 16 << 20, &text, NULL);

	*count = 0;
	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "%u", uid);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		char *who = strsep(&line, ":"), *a = strsep(&line, ":"), *b = line;
		uint64_t start, n;

		if (!who || !a || !b || !(streq(who, number) || (name && streq(who, name))))
			continue;
		if (parse_u64(a, 1, UINT32_MAX - 1, &start) < 0 || parse_u64(b, 1, UINT32_MAX - start, &n) < 0)
			continue;
		if (n > *count) {
			*first = (uint32_t)start;
			*count = (uint32_t)n;
		}
	}
	return *count ? 0 : -ENOENT;
}

int ids_own_range(struct ids_range *out, struct error *e)
{
	uid_t uid = geteuid();
	_cleanup_free_ char *name = NULL;

	if (uid == 0) {
		*out = (struct ids_range){ IDS_ROOT_BASE, IDS_ROOT_COUNT * (uint32_t)IDS_ROOT_SLOTS, IDS_ROOT_BASE,
					   IDS_ROOT_COUNT * (uint32_t)IDS_ROOT_SLOTS };
		return 0;
	}
	name = login_name(uid);
	if (largest("/etc/subuid", name, uid, &out->uid_first, &out->uid_count) < 0 ||
	    largest("/etc/subgid", name, uid, &out->gid_first, &out->gid_count) < 0) {
		error_set(e, ENOENT, "user %s has no subordinate ids in /etc/subuid and /etc/subgid", name ? name : "?");
		error_hint(e, "as root once: brig setup --user %s", name ? name : "NAME");
		return -ENOENT;
	}
	return 0;
}

/* --- leases ------------------------------------------------------------------------------------------------------ */

struct lease {
	uint32_t offset, count;
};

static int by_offset(const void *a, const void *b)
{
	const struct lease *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* A lease whose container does not exist any more was left by a crash. It was made after the container's folder. */
static bool is_stale(int ids, int containers, const char *file)
{
	char id[CONTAINER_ID_LEN + 2];

	if (file_read_line(ids, file, id, sizeof(id)) < 0 || !hex_valid(id, CONTAINER_ID_LEN))
		return true;
	return faccessat(containers, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int read_leases(int ids, struct lease **out, size_t *n, struct error *e)
{
	_cleanup_close_ int containers = home_data_dir("containers", e);
	_cleanup_strv_ char **names = NULL;
	size_t room = 0;
	int r;

	*out = NULL;
	*n = 0;
	if (containers < 0)
		return containers;
	r = path_list(ids, ".", &names);
	if (r < 0)
		return error_errno(e, r, "cannot read %s/ids", home_data_path(NULL));
	strv_foreach(name, names) {
		char *dash = strchr(*name, '-');
		uint64_t offset, count;

		/* Whoever writes one holds the lock, as we do: a crash came before its rename. */
		if (str_after(*name, ".tmp-"))
			unlinkat(ids, *name, 0);
		if (!dash || **name == '.')
			continue;
		_cleanup_free_ char *first = xstrndup(*name, (size_t)(dash - *name));
		if (parse_u64(first, 0, UINT32_MAX, &offset) < 0 || parse_u64(dash + 1, 1, UINT32_MAX, &count) < 0)
			continue;
		if (is_stale(ids, containers, *name)) {
			unlinkat(ids, *name, 0);
			continue;
		}
		if (*n == room) {
			room = room ? room * 2 : 32;
			*out = xrealloc(*out, room, sizeof(**out));
		}
		(*out)[(*n)++] = (struct lease){ (uint32_t)offset, (uint32_t)count };
	}
	if (*n > 1)
		qsort(*out, *n, sizeof(**out), by_offset);
	return 0;
}

static bool is_free(const struct lease *l, size_t n, uint32_t offset, uint32_t count)
{
	for (size_t i = 0; i < n; i++)
		if (offset < l[i].offset + l[i].count && l[i].offset < offset + count)
			return false;
	return true;
}

static char *slot_name(const struct ids_range *r, uint32_t offset)
{
	uint32_t u = r->uid_first + offset, g = r->gid_first + offset;

	return u == g ? xasprintf("%u", u) : xasprintf("%u-%u", u, g);
}

/* A free offset at which the tree stands prepared; -ENOENT. */
static int64_t prepared_offset(const char *tree, const struct ids_range *r, uint32_t size, const struct lease *l,
			       size_t n, uint32_t count)
{
	_cleanup_close_ int dir = tree ? tree_dir(tree, NULL) : -1, slots = -1; /* a folder has no tree */
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;

	if (dir < 0)
		return -ENOENT;
	slots = openat(dir, "slots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = slots < 0 ? NULL : fdopendir(slots);
	if (!d)
		return -ENOENT;
	slots = -1;
	while ((de = readdir(d))) {
		const char *name = str_after(de->d_name, "full-");
		char *end;
		unsigned long u = strtoul(name ? name : de->d_name, &end, 10);

		if (u < r->uid_first || u - r->uid_first > size - count)
			continue;
		_cleanup_free_ char *want = slot_name(r, (uint32_t)(u - r->uid_first));
		if (streq(want, name ? name : de->d_name) && is_free(l, n, (uint32_t)(u - r->uid_first), count))
			return (int64_t)(u - r->uid_first);
	}
	return -ENOENT;
}

static int64_t lowest_gap(const struct lease *l, size_t n, uint32_t size, uint32_t count)
{
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (l[i].offset >= at && l[i].offset - at >= count)
			return at;
		if (l[i].offset + l[i].count > at)
			at = l[i].offset + l[i].count;
	}
	return size - at >= count && at <= size ? (int64_t)at : -ENOSPC;
}

static bool list_has(const uint32_t *v, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

static void add_extra(uint32_t *out, size_t *n, const uint32_t *tree, size_t n_tree, uint32_t id)
{
	if (!list_has(tree, n_tree, id) && !list_has(out, *n, id))
		out[(*n)++] = id;
}

/* Ids that the configuration names and the tree does not, without doubles. Free with free(). */
static uint32_t *extra_uids(const struct container_config *c, const struct tree_ids *tree, size_t *n)
{
	uint32_t *out = xcalloc(c->n_more_uids + 1, sizeof(uint32_t));

	*n = 0;
	add_extra(out, n, tree->uids, tree->n_uids, c->uid);
	for (size_t i = 0; i < c->n_more_uids; i++)
		add_extra(out, n, tree->uids, tree->n_uids, c->more_uids[i]);
	return out;
}

static uint32_t *extra_gids(const struct container_config *c, const struct tree_ids *tree, size_t *n)
{
	uint32_t *out = xcalloc(c->n_groups + c->n_more_gids + 1, sizeof(uint32_t));

	*n = 0;
	add_extra(out, n, tree->gids, tree->n_gids, c->gid);
	for (size_t i = 0; i < c->n_groups; i++)
		add_extra(out, n, tree->gids, tree->n_gids, c->groups[i]);
	for (size_t i = 0; i < c->n_more_gids; i++)
		add_extra(out, n, tree->gids, tree->n_gids, c->more_gids[i]);
	return out;
}

static uint32_t ids_needed(const struct container_config *c, const struct tree_ids *tree)
{
	size_t n_uids, n_gids;

	free(extra_uids(c, tree, &n_uids));
	free(extra_gids(c, tree, &n_gids));
	n_uids += tree->n_uids;
	n_gids += tree->n_gids;
	size_t n = n_uids > n_gids ? n_uids : n_gids;

	return (uint32_t)((n + IDS_UNIT - 1) / IDS_UNIT * IDS_UNIT);
}

/* True when the caller's own ids are those of the container's user (--lower user=caller). */
static bool has_caller(const struct container_config *c)
{
	for (size_t i = 0; i < c->n_lower; i++)
		if (!c->lower[i].accept && streq(c->lower[i].wall, "user") && streq(c->lower[i].detail, "caller"))
			return !home_is_root();
	return false;
}

static int take(struct container *c, int ids, const struct ids_range *r, uint32_t offset, uint32_t count,
		struct error *e)
{
	char name[32];
	int w;

	snprintf(name, sizeof(name), "%u-%u", offset, count);
	w = file_replace(ids, name, c->config.id, CONTAINER_ID_LEN, 0600, false);
	if (w < 0)
		return error_errno(e, w, "cannot write %s/ids/%s", home_data_path(NULL), name);
	c->config.id_first_uid = r->uid_first + offset;
	c->config.id_first_gid = r->gid_first + offset;
	c->config.id_count = count;
	free(c->config.slot);
	c->config.slot = home_is_root() ? xstrdup("raw") : slot_name(r, offset);
	if (has_caller(&c->config)) {
		/* Other owners than in a tree for the same range without the caller. */
		char *slot = xasprintf("%s.%u.%u", c->config.slot, c->config.uid, c->config.gid);

		free(c->config.slot);
		c->config.slot = slot;
	}
	return 0;
}

int ids_lease(struct container *c, const struct tree_ids *tree, struct error *e)
{
	_cleanup_close_ int ids = home_data_dir("ids", e), lock = -1;
	_cleanup_free_ struct lease *l = NULL;
	struct ids_range r;
	uint32_t size, count;
	int64_t offset = -ENOENT;
	size_t n;
	int err;

	if (ids < 0)
		return ids;
	err = ids_own_range(&r, e);
	if (err < 0)
		return err;
	lock = openat(ids, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return error_errno(e, errno, "cannot lock %s/ids", home_data_path(NULL));
	err = read_leases(ids, &l, &n, e);
	if (err < 0)
		return err;
	size = r.uid_count < r.gid_count ? r.uid_count : r.gid_count;
	count = home_is_root() ? (uint32_t)IDS_ROOT_COUNT : ids_needed(&c->config, tree);
	if (count <= size && !home_is_root() && !has_caller(&c->config))
		offset = prepared_offset(c->config.tree, &r, size, l, n, count);
	if (offset < 0)
		offset = count <= size ? lowest_gap(l, n, size, count) : -ENOSPC;
	if (offset < 0) {
		uint64_t used = 0;

		for (size_t i = 0; i < n; i++)
			used += l[i].count;
		error_set(e, ENOSPC, "the image uses %u ids; %zu containers hold %llu of your %u subordinate ids and no gap is "
			  "large enough", count, n, (unsigned long long)used, size);
		error_hint(e, "remove containers (brig ps -a; brig rm NAME), or get more ids: brig setup --user NAME as root");
		return -ENOSPC;
	}
	return take(c, ids, &r, (uint32_t)offset, count, e);
}

void ids_sweep(void)
{
	_cleanup_close_ int ids = home_data_dir("ids", NULL), lock = -1;
	_cleanup_free_ struct lease *l = NULL;
	size_t n;

	if (ids < 0)
		return;
	lock = openat(ids, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock >= 0 && flock(lock, LOCK_EX) == 0)
		read_leases(ids, &l, &n, NULL);
}

void ids_release(const struct container *c)
{
	_cleanup_close_ int ids = home_data_dir("ids", NULL);
	char name[32], id[CONTAINER_ID_LEN + 2];
	struct ids_range r;

	if (ids < 0 || c->config.id_count == 0)
		return;
	if (geteuid() != 0 && c->config.id_first_uid >= (uint32_t)IDS_ROOT_BASE && streq(c->config.slot, "raw"))
		r.uid_first = IDS_ROOT_BASE; /* the monitor of a container of root's */
	else if (ids_own_range(&r, NULL) < 0)
		return;
	snprintf(name, sizeof(name), "%u-%u", c->config.id_first_uid - r.uid_first, c->config.id_count);
	if (file_read_line(ids, name, id, sizeof(id)) == 0 && streq(id, c->config.id))
		unlinkat(ids, name, 0);
}

/* --- maps -------------------------------------------------------------------------------------------------------- */

/* One line for each run of ids that follow each other; `own` inside (-1: none) is the host id `own_host`. */
static struct spec_idmap *map_list(const uint32_t *ids, size_t n, const uint32_t *extra, size_t n_extra, uint32_t first,
				   int64_t own, uint32_t own_host, size_t *out_n)
{
	struct spec_idmap *m = xcalloc(n + n_extra, sizeof(*m));
	size_t used = 0;

	for (size_t k = 0; k < n + n_extra; k++) {
		uint32_t id = k < n ? ids[k] : extra[k - n], host = id == own ? own_host : first + (uint32_t)k;
		struct spec_idmap *last = used ? &m[used - 1] : NULL;

		if (last && last->inside + last->count == id && last->host + last->count == host)
			last->count++;
		else
			m[used++] = (struct spec_idmap){ id, host, 1 };
	}
	*out_n = used;
	return m;
}

int ids_maps(const struct container *c, const struct tree_ids *tree, struct spec *s, struct error *e)
{
	const struct container_config *k = &c->config;
	size_t n_uids, n_gids;
	_cleanup_free_ uint32_t *more_uids = extra_uids(k, tree, &n_uids), *more_gids = extra_gids(k, tree, &n_gids);

	if (k->id_count == 0)
		return error_set(e, EINVAL, "the container has no id range");
	free(s->uidmap);
	free(s->gidmap);
	if (streq(k->slot, "raw")) {
		s->uidmap = xcalloc(1, sizeof(*s->uidmap));
		s->gidmap = xcalloc(1, sizeof(*s->gidmap));
		s->uidmap[0] = (struct spec_idmap){ 0, k->id_first_uid, k->id_count - 1 };
		s->gidmap[0] = (struct spec_idmap){ 0, k->id_first_gid, k->id_count - 1 };
		s->n_uidmap = s->n_gidmap = 1;
		s->owner = k->id_first_uid + k->id_count - 1;
		if (k->uid >= k->id_count - 1 || k->gid >= k->id_count - 1)
			return error_set(e, ERANGE, "user %u:%u is outside of the container's %u ids", k->uid, k->gid,
					 k->id_count - 1);
		return 0;
	}
	if (tree->n_uids + n_uids > k->id_count || tree->n_gids + n_gids > k->id_count)
		return error_set(e, ERANGE, "the container needs more ids than the %u that were leased to it", k->id_count);
	s->uidmap = map_list(tree->uids, tree->n_uids, more_uids, n_uids, k->id_first_uid,
			     has_caller(k) ? (int64_t)k->uid : -1, geteuid(), &s->n_uidmap);
	s->gidmap = map_list(tree->gids, tree->n_gids, more_gids, n_gids, k->id_first_gid,
			     has_caller(k) ? (int64_t)k->gid : -1, getegid(), &s->n_gidmap);
	s->owner = geteuid();
	return 0;
}

/* A slot's name: UID[-GID][.OWNUID.OWNGID], see slot_name() and take(). */
int ids_run_slot(const char *hex, const char *slot, ids_fn fn, void *ctx, struct error *e)
{
	unsigned uid, gid, own_uid = 0, own_gid = 0;
	const char *dot = strchr(slot, '.'), *dash = strchr(slot, '-');
	struct tree_ids tree = { 0 };
	struct spec maps;
	int r;

	if (home_is_root())
		return fn(ctx, e);
	if (!slot_valid(slot) || sscanf(slot, "%u", &uid) != 1)
		return error_set(e, EINVAL, "\"%.60s\" is no slot of a user's", slot);
	gid = uid;
	if (dash)
		sscanf(dash, "-%u", &gid);
	if (dot)
		sscanf(dot, ".%u.%u", &own_uid, &own_gid);
	r = tree_ids_read(hex, &tree, e);
	if (r < 0)
		return r;
	spec_init(&maps);
	maps.uidmap = map_list(tree.uids, tree.n_uids, NULL, 0, uid, dot ? (int64_t)own_uid : -1, geteuid(), &maps.n_uidmap);
	maps.gidmap = map_list(tree.gids, tree.n_gids, NULL, 0, gid, dot ? (int64_t)own_gid : -1, getegid(), &maps.n_gidmap);
	r = ids_run(&maps, -1, fn, ctx, e);
	tree_ids_free(&tree);
	spec_free(&maps);
	return r;
}
