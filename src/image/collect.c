/* SPDX-License-Identifier: Apache-2.0 */
/* What nothing refers to any more is removed: mark from index.json and the containers, then sweep. */
#include "image/store.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "image/index.h"
#include "image/name.h"
#include "image/partial.h"
#include "image/reference.h"
#include "image/seen.h"
#include "image/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTAINER_CONFIG_MAX = 4 * 1024 * 1024 };

static const char due[] = "collect";

/* A set of names up to 64 bytes. */
struct names {
	char (*slots)[DIGEST_SIZE]; /* "": free */
	size_t n, size;
};

static size_t name_hash(const char *s)
{
	size_t h = 14695981039346656037u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 1099511628211u;
	return h ^ h >> 29;
}

static char *name_slot(const struct names *s, const char *name)
{
	size_t i = name_hash(name) & (s->size - 1);

	while (s->slots[i][0] && !streq(s->slots[i], name))
		i = (i + 1) & (s->size - 1);
	return s->slots[i];
}

static void keep(struct names *s, const char *name)
{
	char *slot;

	if (s->n * 2 >= s->size) {
		struct names grown = { .size = s->size ? s->size * 2 : 1024 };

		grown.slots = xcalloc(grown.size, sizeof(*grown.slots));
		for (size_t i = 0; i < s->size; i++)
			if (s->slots[i][0])
				keep(&grown, s->slots[i]);
		free(s->slots);
		*s = grown;
	}
	slot = name_slot(s, name);
	if (!slot[0]) {
		snprintf(slot, DIGEST_SIZE, "%s", name);
		s->n++;
	}
}

static bool kept(const struct names *s, const char *name)
{
	return s->size && strlen(name) < DIGEST_SIZE && name_slot(s, name)[0];
}

struct collection {
	struct names blobs, layers, trees, objects, signatures;
	struct store_freed freed;
	store_run as_owner;
	bool left; /* something could not be removed by us */
	struct error *e;
};

static DIR *list(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		cleanup_close(&fd);
	return d;
}

/* Calls `fn` with every container's configuration. One that cannot be read stops the collection: it may use anything. */
static int each_container(int (*fn)(void *arg, const char *id, const json_t *config), void *arg, struct error *e)
{
	_cleanup_close_ int all = -1;
	_cleanup_strv_ char **names = NULL;
	int data = home_data(e), r;

	if (data < 0)
		return data;
	all = openat(data, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = all < 0 ? -errno : path_list(all, ".", &names);
	if (r < 0)
		return r == -ENOENT ? 0 : error_errno(e, r, "cannot list %s/containers", home_data_path(NULL));
	for (char **id = names; r == 0 && *id; id++) {
		_cleanup_json_ json_t *j = NULL;
		char path[96];
		struct error own = { 0 };

		if (!hex_valid(*id, 64))
			continue;
		snprintf(path, sizeof(path), "%.64s/config.json", *id);
		j = json_read(all, path, CONTAINER_CONFIG_MAX, &own);
		if (!j && own.code == -ENOENT)
			continue; /* it is being made or removed */
		r = j ? fn(arg, *id, j) : own.code;
		if (!j && e)
			*e = own;
	}
	return r < 0 ? error_wrap(e, "%s/containers", home_data_path(NULL)) : 0;
}

/* Signatures of the manifest and of the index that it came by, with that index: what a signature of it says needs it. */
static void mark_signed(struct collection *c, const char *manifest, const char *pulled)
{
	const char *hex = reference_pulled_digest(pulled, NULL);

	keep(&c->signatures, manifest);
	if (hex) {
		keep(&c->signatures, hex);
		keep(&c->blobs, hex);
	}
}

static int mark_container(void *arg, const char *id, const json_t *config)
{
	struct collection *c = arg;
	const char *tree = json_string_value(json_object_get(config, "tree"));

	const char *manifest = json_string_value(json_object_get(config, "image_manifest"));

	(void)id;
	if (tree && hex_valid(tree, DIGEST_HEX))
		keep(&c->trees, tree);
	/* Its next start asks again whether it may run, with the same documents. */
	if (manifest && hex_valid(manifest, DIGEST_HEX)) {
		const char *image = json_string_value(json_object_get(config, "image_id"));

		keep(&c->blobs, manifest);
		if (image && hex_valid(image, DIGEST_HEX))
			keep(&c->blobs, image);
		mark_signed(c, manifest, json_string_value(json_object_get(config, "image_pulled")));
	}
	return 0;
}

struct users {
	const char *tree;
	char ***names;
};

static int note_user(void *arg, const char *id, const json_t *config)
{
	struct users *u = arg;
	const char *tree = json_string_value(json_object_get(config, "tree"));
	const char *name = json_string_value(json_object_get(config, "name"));

	if (streq(tree, u->tree))
		strv_add(u->names, name ? xstrdup(name) : xasprintf("%.12s", id));
	return 0;
}

int image_users(const char *tree, char ***names, struct error *e)
{
	struct users u = { tree, names };

	*names = NULL;
	return each_container(note_user, &u, e);
}

/* The blobs of one image, and its layers. */
static int mark_image(struct collection *c, int images, const struct index_entry *i)
{
	_cleanup_json_ json_t *manifest = NULL, *config = NULL;
	json_t *layers, *ids, *item;
	char path[96];
	size_t k;

	keep(&c->blobs, i->manifest);
	keep(&c->blobs, i->config);
	keep(&c->trees, i->tree);
	mark_signed(c, i->manifest, i->pulled);
	snprintf(path, sizeof(path), "blobs/sha256/%s", i->manifest);
	manifest = json_read(images, path, INDEX_CONFIG_MAX, c->e);
	if (!manifest)
		return c->e ? c->e->code : -EIO;
	snprintf(path, sizeof(path), "blobs/sha256/%s", i->config);
	config = json_read(images, path, INDEX_CONFIG_MAX, c->e);
	if (!config)
		return c->e ? c->e->code : -EIO;
	layers = json_object_get(manifest, "layers");
	json_array_foreach(layers, k, item) {
		const char *digest = json_string_value(json_object_get(item, "digest"));
		const char *hex = digest ? digest_hex(digest) : NULL;

		if (hex)
			keep(&c->blobs, hex);
	}
	ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	json_array_foreach(ids, k, item) {
		const char *hex = json_is_string(item) ? digest_hex(json_string_value(item)) : NULL;

		if (hex)
			keep(&c->layers, hex);
	}
	return 0;
}

/* The objects of every table that stays. */
static int mark_objects(struct collection *c, const struct names *tables, const char *folder)
{
	_cleanup_close_ int parent = home_data_dir(folder, c->e);

	if (parent < 0)
		return parent;
	for (size_t i = 0; i < tables->size; i++) {
		_cleanup_(table_unmap) struct table_map m = { 0 };
		_cleanup_(table_line_free) struct table_line line = { 0 };
		_cleanup_close_ int dir = -1;
		const char *p, *end;

		if (!tables->slots[i][0])
			continue;
		dir = openat(parent, tables->slots[i], O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0 && errno == ENOENT)
			continue;
		if (dir < 0 || table_map(dir, &m) < 0)
			return error_errno(c->e, errno, "%s/%.12s", folder, tables->slots[i]);
		end = m.data + m.size;
		for (p = table_body(m.data, m.size, NULL); p && p < end;) {
			if (table_line_parse(&p, end, &line) < 0)
				p = NULL;
			else if (line.inode.object[0])
				keep(&c->objects, line.inode.object);
			if (!p)
				break;
		}
		if (!p)
			return error_set(c->e, EBADMSG, "%s/%.12s/table is damaged", folder, tables->slots[i]);
	}
	return 0;
}

/* Files of a folder that are not kept; with what they take on the disk. */
static int sweep_files(struct collection *c, int dir, const struct names *names, size_t *count)
{
	_cleanup_closedir_ DIR *d = list(dir, ".");
	struct dirent *de;

	if (!d)
		return error_errno(c->e, errno, "cannot list a folder of the store");
	while ((de = readdir(d))) {
		struct stat st;

		if (streq(de->d_name, ".") || streq(de->d_name, "..") || kept(names, de->d_name))
			continue;
		if (fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (unlinkat(dir, de->d_name, 0) < 0)
			return error_errno(c->e, errno, "cannot remove %s from the store", de->d_name);
		c->freed.bytes += (uint64_t)st.st_size;
		++*count;
	}
	return 0;
}

struct removal {
	int dir;
	const char *name;
};

static int remove_here(void *arg, struct error *e)
{
	struct removal *r = arg;
	int err = path_remove_tree(r->dir, r->name);

	return err < 0 ? error_errno(e, err, "cannot remove %.60s", r->name) : 0;
}

static int remove_as(store_run as_owner, int dir, const char *name, struct error *e)
{
	struct removal r = { dir, name };

	return as_owner ? as_owner(remove_here, &r, e) : remove_here(&r, e);
}

/* Slots first, with their owners' rights; then the folder itself. A tree loses its table before its slots go. */
static int remove_tree(struct collection *c, int trees, const char *name)
{
	_cleanup_close_ int dir = openat(trees, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int r;

	if (dir < 0)
		return error_errno(c->e, errno, "trees/%.12s", name);
	if ((unlinkat(dir, "ids", 0) < 0 && errno != ENOENT) || (unlinkat(dir, "table", 0) < 0 && errno != ENOENT))
		return error_errno(c->e, errno, "cannot remove trees/%.12s", name);
	d = list(dir, "slots");
	while (d && (de = readdir(d))) {
		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		r = remove_as(c->as_owner, dirfd(d), de->d_name, c->e);
		if (r < 0)
			return r;
	}
	r = path_remove_tree(trees, name);
	return r < 0 ? error_errno(c->e, r, "cannot remove trees/%.12s", name) : 0;
}

static int sweep_folders(struct collection *c, const char *folder, const struct names *names, size_t *count)
{
	_cleanup_close_ int parent = home_data_dir(folder, c->e);
	_cleanup_closedir_ DIR *d = parent < 0 ? NULL : list(parent, ".");
	bool trees = streq(folder, "trees");
	struct dirent *de;
	int r;

	if (!d)
		return parent < 0 ? parent : error_errno(c->e, errno, "cannot list %s", folder);
	while ((de = readdir(d))) {
		if (streq(de->d_name, ".") || streq(de->d_name, "..") || kept(names, de->d_name))
			continue;
		r = trees ? remove_tree(c, parent, de->d_name) : path_remove_tree(parent, de->d_name);
		if (r < 0)
			return trees ? r : error_errno(c->e, r, "cannot remove %s/%.12s", folder, de->d_name);
		++*count;
	}
	return 0;
}

/* What stands in the slots belongs to ids that an ordinary user cannot reach without help: such trees wait. */
static int keep_unreachable(struct collection *c)
{
	_cleanup_close_ int parent = home_data_dir("trees", c->e);
	_cleanup_closedir_ DIR *d = parent < 0 ? NULL : list(parent, ".");
	struct dirent *de;

	if (!d)
		return parent < 0 ? parent : error_errno(c->e, errno, "cannot list trees");
	while ((de = readdir(d))) {
		_cleanup_closedir_ DIR *slots = NULL;
		struct dirent *slot;
		char path[DIGEST_SIZE + 8];

		if (!hex_valid(de->d_name, DIGEST_HEX) || kept(&c->trees, de->d_name))
			continue;
		snprintf(path, sizeof(path), "%.64s/slots", de->d_name);
		slots = list(parent, path);
		while (slots && (slot = readdir(slots))) {
			if (streq(slot->d_name, ".") || streq(slot->d_name, ".."))
				continue;
			keep(&c->trees, de->d_name);
			c->left = true;
			break;
		}
	}
	return 0;
}

/* Half-made slots of killed processes; one that is being made is locked. */
static int remove_unlocked(void *arg, struct error *e)
{
	struct removal *r = arg;
	_cleanup_close_ int fd = openat(r->dir, r->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	return remove_here(arg, e);
}

/* Indexes that were being written; the writer has its own locked. */
static void sweep_seen(int parent, const char *tree)
{
	_cleanup_closedir_ DIR *d = list(parent, tree);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		_cleanup_close_ int fd = -1;

		if (!str_after(de->d_name, ".seen-"))
			continue;
		fd = openat(dirfd(d), de->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(d), de->d_name, 0);
	}
}

/* Nobody need vouch for what is gone (image/seen.h). */
static void sweep_anchors(struct collection *c)
{
	int run = home_run(NULL);
	_cleanup_closedir_ DIR *d = run < 0 ? NULL : list(run, "seen");
	struct dirent *de;

	while (d && (de = readdir(d))) {
		char tree[DIGEST_SIZE];

		snprintf(tree, sizeof(tree), "%.64s", de->d_name);
		if (de->d_name[0] != '.' && !kept(&c->trees, tree))
			unlinkat(dirfd(d), de->d_name, 0);
	}
}

/* What vet answered about images that neither index.json nor a container names (vet/gate.h). */
static void sweep_verdicts(const struct collection *c)
{
	const char *data = home_data_path(NULL);
	_cleanup_close_ int parent = data ? open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_closedir_ DIR *d = parent < 0 ? NULL : list(parent, "verdicts");
	struct dirent *de;

	while (d && (de = readdir(d))) {
		char id[DIGEST_SIZE];

		snprintf(id, sizeof(id), "%.64s", de->d_name);
		if (hex_valid(id, DIGEST_HEX) && !kept(&c->blobs, id))
			unlinkat(dirfd(d), de->d_name, 0);
	}
}

static void sweep_slots(struct collection *c)
{
	_cleanup_close_ int parent = home_data_dir("trees", NULL);

	for (size_t i = 0; i < c->trees.size; i++) {
		_cleanup_closedir_ DIR *d = NULL;
		char path[DIGEST_SIZE + 8];
		struct dirent *de;

		if (!c->trees.slots[i][0])
			continue;
		sweep_seen(parent, c->trees.slots[i]);
		snprintf(path, sizeof(path), "%.64s/slots", c->trees.slots[i]);
		d = list(parent, path);
		while (d && (de = readdir(d))) {
			struct removal r = { dirfd(d), de->d_name };

			if (!str_after(de->d_name, ".tmp-"))
				continue;
			if (c->as_owner)
				c->as_owner(remove_unlocked, &r, NULL);
			else
				remove_unlocked(&r, NULL);
		}
	}
}

bool store_sweep(void)
{
	_cleanup_close_ int loading = home_data_dir("loading", NULL);
	_cleanup_closedir_ DIR *d = loading < 0 ? NULL : list(loading, ".");
	struct dirent *de;
	bool found = false;

	while (d && (de = readdir(d))) {
		_cleanup_close_ int fd = -1;

		if (de->d_name[0] == '.')
			continue;
		fd = openat(loading, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
			partial_keep(fd);
			path_remove_tree(loading, de->d_name);
			found = true;
		}
	}
	return found;
}

/* Temporary files of file_replace() and of the probe in joins.c. */
static void sweep_temporary(int images)
{
	_cleanup_closedir_ DIR *d = list(images, ".");
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (str_after(de->d_name, ".tmp-"))
			path_remove_tree(images, de->d_name);
}

static int collect(struct collection *c)
{
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_close_ int images = home_data_dir("images", c->e), blobs = -1, objects = -1, lock = -1;
	size_t signatures = 0;
	int r;

	if (images < 0)
		return images;
	lock = index_lock(c->e); /* tag and rmi hold only this one */
	if (lock < 0)
		return lock;
	r = index_read(&x, c->e);
	for (size_t i = 0; r == 0 && i < x.n; i++)
		r = mark_image(c, images, &x.entries[i]);
	if (r == 0)
		r = each_container(mark_container, c, c->e);
	if (r == 0 && !c->as_owner && !home_is_root())
		r = keep_unreachable(c);
	if (r == 0)
		r = mark_objects(c, &c->layers, "layers");
	if (r == 0)
		r = mark_objects(c, &c->trees, "trees");
	if (r < 0)
		return r;
	store_sweep();
	partial_sweep();
	sweep_temporary(images);
	sweep_slots(c);
	sweep_anchors(c);
	sweep_verdicts(c);
	/* Tables go before the objects they name, so that what is there stays whole wherever this is cut off. */
	r = sweep_folders(c, "trees", &c->trees, &c->freed.trees);
	if (r == 0)
		r = sweep_folders(c, "layers", &c->layers, &c->freed.layers);
	if (r == 0)
		r = sweep_folders(c, "signatures", &c->signatures, &signatures);
	blobs = openat(images, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (r == 0 && blobs >= 0)
		r = sweep_files(c, blobs, &c->blobs, &c->freed.blobs);
	objects = store_objects(c->e);
	if (r == 0)
		r = objects < 0 ? objects : sweep_files(c, objects, &c->objects, &c->freed.objects);
	if (r == 0 && !c->left)
		unlinkat(images, due, 0);
	return r;
}

int store_collect(store_run as_owner, bool wait, struct store_freed *freed, struct error *e)
{
	struct collection c = { .as_owner = as_owner, .e = e };
	_cleanup_close_ int lock = store_lock(true, wait, e);
	int r;

	if (freed)
		*freed = c.freed;
	if (lock < 0)
		return lock == -EWOULDBLOCK && !wait ? 0 : lock;
	r = collect(&c);
	free(c.blobs.slots);
	free(c.layers.slots);
	free(c.trees.slots);
	free(c.objects.slots);
	free(c.signatures.slots);
	if (freed)
		*freed = c.freed;
	return r < 0 ? error_wrap(e, "cannot clean up the image store") : 0;
}

int store_collect_later(struct error *e)
{
	_cleanup_close_ int images = home_data_dir("images", e), fd = -1;

	if (images < 0)
		return images;
	fd = openat(images, due, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? error_errno(e, errno, "cannot write %s/images/%s", home_data_path(NULL), due) : 0;
}

bool store_collect_due(void)
{
	_cleanup_close_ int images = home_data_dir("images", NULL);

	return images >= 0 && faccessat(images, due, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int tree_drop_slots(const char *tree, char *const *keep_slots, store_run as_owner, struct error *e)
{
	_cleanup_close_ int dir = tree_dir(tree, e);
	_cleanup_closedir_ DIR *d = dir < 0 ? NULL : list(dir, "slots");
	struct dirent *de;
	int r = 0;

	if (!d)
		return dir < 0 ? dir : error_errno(e, errno, "cannot list the slots of tree %.12s", tree);
	while (r == 0 && (de = readdir(d))) {
		const char *slot = str_after(de->d_name, "full-");

		if (streq(de->d_name, ".") || streq(de->d_name, "..") ||
		    strv_has(keep_slots, slot ? slot : de->d_name))
			continue;
		r = remove_as(as_owner, dirfd(d), de->d_name, e);
		if (r == 0) {
			char seen[96];

			seen_forget(tree, slot ? slot : de->d_name);
			seen_name(slot ? slot : de->d_name, seen);
			unlinkat(dir, seen, 0);
		}
	}
	return r;
}
