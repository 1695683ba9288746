/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/layer.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "engine/ids.h"
#include "image/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

enum { DEPTH_MAX = 300 };

/* A walk through the layer, beside the tree below it. */
struct walk {
	layer_fn fn; /* NULL: only count */
	void *arg;
	int up, lower; /* where it starts; lower -1: nothing below */
	uint32_t shift_uid, shift_gid; /* what must be added to an owner below to get the same one in the layer */
	struct layer_size *size; /* shared with the caller's process */
	struct buf path;
	unsigned depth;
	/* Lengths of the starts of `path` that are folders which count as changed once something in them does. */
	size_t waiting[DEPTH_MAX + 1];
	unsigned n_waiting;
};

static int tell(struct walk *w, enum layer_change change, struct error *e)
{
	int r = 0;

	if (!w->fn)
		return 0;
	for (unsigned i = 0; r == 0 && i < w->n_waiting; i++) {
		char cut = w->path.data[w->waiting[i]];

		w->path.data[w->waiting[i]] = 0;
		r = w->fn(LAYER_CHANGED, w->path.data, w->arg, e);
		w->path.data[w->waiting[i]] = cut;
	}
	w->n_waiting = 0;
	return r < 0 ? r : w->fn(change, w->path.data, w->arg, e);
}

static size_t descend(struct walk *w, const char *name)
{
	size_t before = w->path.len;

	buf_printf(&w->path, "/%s", name);
	return before;
}

static void ascend(struct walk *w, size_t before)
{
	w->path.len = before;
	w->path.data[before] = 0;
}

static bool exists(int dir, const char *name, struct stat *st)
{
	return dir >= 0 && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Places on which every start mounts something; it makes them where the image has none. */
static bool is_mount_point(const char *path, const struct stat *st)
{
	static const char *const files[] = { "/etc/hostname", "/etc/hosts", "/etc/resolv.conf" };
	static const char *const folders[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (S_ISREG(st->st_mode) && st->st_size == 0 && streq(path, files[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (S_ISDIR(st->st_mode) && streq(path, folders[i]))
			return true;
	return false;
}

/* A folder comes into the layer whenever something in it does; then it has changed only as a place. */
static bool same_folder(const struct walk *w, const struct stat *up, const struct stat *lower)
{
	return S_ISDIR(lower->st_mode) && up->st_mode == lower->st_mode && up->st_uid == lower->st_uid + w->shift_uid &&
	       up->st_gid == lower->st_gid + w->shift_gid;
}

/* A folder that hides the one below it whole (overlayfs.rst, "whiteouts and opaque directories"). */
static bool is_opaque(int dir)
{
	char value[2];

	return fgetxattr(dir, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

static int walk_folder(struct walk *w, int up, int lower, struct error *e);

static int walk_into(struct walk *w, int up, int lower, const char *name, bool wait, struct error *e)
{
	_cleanup_close_ int sub = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int sub_lower = lower < 0 ? -1 :
						    openat(lower, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	unsigned waiting;
	int r;

	if (sub < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(e, errno, "%s", w->path.data);
	if (w->depth >= DEPTH_MAX)
		return error_set(e, ELOOP, "%s: more than %d folders deep", w->path.data, DEPTH_MAX);
	waiting = w->n_waiting;
	if (wait)
		w->waiting[w->n_waiting++] = w->path.len;
	w->depth++;
	r = walk_folder(w, sub, sub_lower, e);
	w->depth--;
	if (w->n_waiting > waiting)
		w->n_waiting = waiting;
	return r;
}

static int walk_one(struct walk *w, int up, int lower, const char *name, struct error *e)
{
	struct stat st, under;
	bool below = exists(lower, name, &under), wait = false;
	int r = 0;

	if (fstatat(up, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "%s", w->path.data);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return below ? tell(w, LAYER_DELETED, e) : 0;
	w->size->inodes++;
	w->size->bytes += (uint64_t)st.st_blocks * 512 / (st.st_nlink > 1 && !S_ISDIR(st.st_mode) ? st.st_nlink : 1);
	if (!below && is_mount_point(w->path.data, &st))
		return 0;
	wait = below && S_ISDIR(st.st_mode) && same_folder(w, &st, &under);
	if (!wait)
		r = tell(w, below ? LAYER_CHANGED : LAYER_ADDED, e);
	return r < 0 || !S_ISDIR(st.st_mode) ? r : walk_into(w, up, below ? lower : -1, name, wait, e);
}

/* What an opaque folder hides and does not have itself. */
static int walk_hidden(struct walk *w, int up, int lower, struct error *e)
{
	_cleanup_strv_ char **names = NULL;
	struct stat st;
	int r = path_list(lower, ".", &names);

	if (r < 0)
		return error_errno(e, r, "cannot read the folder %s of the image", w->path.data);

	strv_foreach(name, names) {
		size_t before = descend(w, *name);

		if (r == 0 && !exists(up, *name, &st))
			r = tell(w, LAYER_DELETED, e);
		ascend(w, before);
	}
	return r;
}

static int walk_folder(struct walk *w, int up, int lower, struct error *e)
{
	_cleanup_strv_ char **names = NULL;
	int r = path_list(up, ".", &names);

	if (r < 0)
		return error_errno(e, r, "cannot read the folder %s", w->path.data);

	strv_foreach(name, names) {
		size_t before = descend(w, *name);

		if (r == 0)
			r = walk_one(w, up, lower, *name, e);
		ascend(w, before);
	}
	if (r == 0 && w->fn && lower >= 0 && is_opaque(up))
		r = walk_hidden(w, up, lower, e);
	return r;
}

static int walk_all(void *ctx, struct error *e)
{
	struct walk *w = ctx;
	int r;

	buf_puts(&w->path, "");
	r = walk_folder(w, w->up, w->lower, e);
	if (r == 0 && w->fn)
		r = w->fn(LAYER_CHANGED, NULL, w->arg, e);
	buf_free(&w->path);
	return r;
}

/* rw/up, -ENOENT when there is none: it was never started, or has no layer on disk. */
static int open_up(const struct container *c, struct error *e)
{
	_cleanup_close_ int rw = openat(c->dir_fd, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int up = rw < 0 ? -1 : openat(rw, "up", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (up < 0)
		return errno == ENOENT ? -ENOENT : error_errno(e, errno, "cannot open the writable layer");
	return up;
}

static int run_walk(const struct container *c, struct walk *w, struct layer_size *out, struct error *e)
{
	struct layer_size *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (shared == MAP_FAILED)
		return error_errno(e, errno, "mmap");
	w->size = shared;
	r = ids_run_as(c, walk_all, w, e);
	out->bytes = shared->bytes;
	out->inodes = shared->inodes;
	munmap(shared, sizeof(*shared));
	return r;
}

/* A layer in memory is seen only from inside: what its file system has given out. */
static int size_in_memory(const struct container *c, struct layer_size *out, struct error *e)
{
	_cleanup_close_ int root = -1;
	struct statfs fs;
	char path[40];

	if (!container_running(c))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", c->state.pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fstatfs(root, &fs) < 0)
		return error_errno(e, errno, "cannot look at the writable layer");
	out->bytes = (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize;
	out->inodes = fs.f_files - fs.f_ffree;
	return 0;
}

int layer_size(const struct container *c, struct layer_size *out, struct error *e)
{
	struct walk w = { .lower = -1 };
	struct image img;
	int r;

	*out = (struct layer_size){ 0 };
	if (c->config.image_id && image_find(c->config.image_id, &img, NULL) == 0) {
		out->image_bytes = img.size;
		image_free(&img);
	}
	if (c->config.read_only)
		return 0;
	if (c->config.root_tmpfs)
		return size_in_memory(c, out, e);
	w.up = open_up(c, e);
	if (w.up < 0)
		return w.up == -ENOENT ? 0 : w.up;
	r = run_walk(c, &w, out, e);
	close(w.up);
	return r;
}

/* The tree below the layer, or the folder of --rootfs. */
static int open_lower(const struct container *c, struct error *e)
{
	_cleanup_close_ int data = -1;
	int lower = -1, r;

	if (c->config.rootfs) {
		lower = open(c->config.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return lower < 0 ? error_errno(e, errno, "%s", c->config.rootfs) : lower;
	}
	r = tree_open(c->config.tree, c->config.slot, &lower, &data);
	return r < 0 ? error_errno(e, r, "image tree %.12s", c->config.tree) : lower;
}

int layer_diff(const struct container *c, layer_fn fn, void *arg, struct error *e)
{
	struct walk w = { .fn = fn, .arg = arg, .lower = -1 };
	struct layer_size unused;
	bool raw = home_is_root(); /* then the tree below has the image's own ids, and we are in no namespace of the container */
	int r;

	if (c->config.root_tmpfs)
		return error_set(e, EOPNOTSUPP, "the writable layer of %s lies in memory and cannot be compared",
				 c->config.name);
	w.up = c->config.read_only ? -ENOENT : open_up(c, e);
	if (w.up < 0)
		return w.up == -ENOENT ? 0 : w.up;
	w.shift_uid = raw ? c->config.id_first_uid : 0;
	w.shift_gid = raw ? c->config.id_first_gid : 0;
	w.lower = open_lower(c, e);
	r = w.lower < 0 ? w.lower : run_walk(c, &w, &unused, e);
	close(w.up);
	cleanup_close(&w.lower);
	return r;
}
