/* SPDX-License-Identifier: Apache-2.0 */
#include "image/assemble.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/ids.h"
#include "image/stream.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void chain_id(const char (*diff_ids)[DIGEST_SIZE], size_t n, char out[static DIGEST_SIZE])
{
	memcpy(out, diff_ids[0], DIGEST_SIZE);
	for (size_t i = 1; i < n; i++) {
		char text[2 * DIGEST_SIZE + 32];
		int len = snprintf(text, sizeof(text), "sha256:%s sha256:%s", out, diff_ids[i]);

		hash_hex(text, (size_t)len, out);
	}
}

static int make_dir(int parent, const char *name, struct error *e)
{
	int fd;

	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make a folder in the store");
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(e, errno, "cannot open a folder of the store") : fd;
}

static int write_table(int dir, struct tree *t, struct tree_total *total, struct error *e)
{
	int fd = openat(dir, "table", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0444);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		cleanup_close(&fd);
		return error_errno(e, errno, "cannot write a table of files");
	}
	setvbuf(f, NULL, _IOFBF, 256 * 1024);
	return table_write(t, f, total, e);
}

static bool exists(int dir, const char *hex, const char *name)
{
	char path[2 * DIGEST_SIZE + 16];

	snprintf(path, sizeof(path), "%s/%s", hex, name);
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool assemble_in_store(struct staging *st, const char *diff)
{
	return exists(st->store_layers, diff, "table") && (!st->may_use || st->may_use(st->arg, diff));
}

/* Was this blob found to hold that layer before, by an earlier load or earlier in this one? */
static bool known(struct staging *st, const char *diff, const char *mark)
{
	bool here = exists(st->layers, diff, mark), before = exists(st->store_layers, diff, mark);

	return (here && exists(st->layers, diff, "table")) || ((here || before) && assemble_in_store(st, diff));
}

static int put_mark(int dir, const char *mark, struct error *e)
{
	_cleanup_close_ int fd = openat(dir, mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);

	return fd < 0 ? error_errno(e, errno, "cannot note where a layer came from") : 0;
}

int assemble_layer(struct staging *st, struct objects *o, int blob, const char *blob_hex, char diff[static DIGEST_SIZE],
		   bool rootfs, struct assembled *a, struct error *e)
{
	_cleanup_(stream_close) struct stream in = { .copy = -1, .inflate = { .out = -1, .report = -1 } };
	_cleanup_(tar_close) struct tar t = { 0 };
	_cleanup_hash_ struct hash *hash = hash_new();
	_cleanup_close_ int dir = -1;
	_cleanup_tree_ struct tree tree = { 0 };
	unsigned char sha[SHA256_LEN];
	char mark[DIGEST_SIZE + 8], got[DIGEST_SIZE];
	struct layer_seen seen;
	int r;

	snprintf(mark, sizeof(mark), "from-%s", blob_hex);
	if (diff[0] && known(st, diff, mark))
		return 0;
	in.hash = hash;
	r = stream_open(&in, st, blob, e);
	if (r < 0)
		return r;
	t.read = stream_read;
	t.arg = &in;
	t.need_end = rootfs;
	tar_open(&t);
	tree_init(&tree);
	r = layer_read(&t, &tree, o, st->limits, rootfs, &seen, e);
	r = stream_end(&in, r, e);
	if (r < 0)
		return r;
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), got);
	if (diff[0] && !streq(diff, got))
		return error_set(e, EBADMSG, "its plain bytes have the digest sha256:%s, the configuration says sha256:%s",
				 got, diff);
	memcpy(diff, got, DIGEST_SIZE);
	a->seen.devices += seen.devices;
	a->seen.xattrs += seen.xattrs;
	dir = make_dir(st->layers, diff, e);
	if (dir < 0)
		return dir;
	if (!assemble_in_store(st, diff)) {
		r = write_table(dir, &tree, NULL, e);
		if (r < 0)
			return r;
	}
	return put_mark(dir, mark, e);
}

/* The table of a layer or tree, new or of the store. */
static int map_table(int fresh, int store, const char *hex, struct table_map *m, struct error *e)
{
	const int dirs[] = { fresh, store };
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int dir = openat(dirs[i], hex, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		r = dir < 0 ? -errno : table_map(dir, m);
	}
	return r < 0 ? error_errno(e, r, "table of %.12s", hex) : 0;
}

static int lay_over(struct staging *st, struct tree *tree, const char *diff, struct error *e)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	_cleanup_tree_ struct tree layer = { 0 };
	int r = map_table(st->layers, st->store_layers, diff, &m, e);

	if (r < 0)
		return r;
	tree_init(&layer);
	r = table_read(&layer, m.data, m.size, "table of the layer", e);
	if (r < 0)
		return r;
	if (tree->n_nodes + layer.n_nodes > st->limits->entries)
		return error_set(e, EFBIG, "with it the image has more than %llu entries",
				 (unsigned long long)st->limits->entries);
	return tree_apply(tree, &layer, e);
}

static int write_ids(struct staging *st, struct tree *tree, int dir, struct error *e)
{
	_cleanup_(table_unmap) struct table_map m = { 0 };
	const int objects[] = { st->objects, st->store_objects };
	int r = table_map(dir, &m);

	return r < 0 ? error_errno(e, r, "table of the tree") : ids_write(tree, &m, objects, dir, e);
}

int assemble_tree(struct staging *st, const char (*diff_ids)[DIGEST_SIZE], size_t n, struct assembled *a,
		  struct error *e)
{
	_cleanup_tree_ struct tree tree = { 0 };
	_cleanup_(table_unmap) struct table_map m = { 0 };
	_cleanup_close_ int dir = -1;
	struct tree_total total;
	int r;

	chain_id(diff_ids, n, a->tree);
	if (exists(st->store_trees, a->tree, "ids") || exists(st->trees, a->tree, "ids")) {
		r = map_table(st->trees, st->store_trees, a->tree, &m, e);
		if (r == 0 && !table_body(m.data, m.size, &total))
			r = error_set(e, EBADMSG, "table of tree %.12s is damaged", a->tree);
		a->size = r == 0 ? total.bytes : 0;
		return r;
	}
	tree_init(&tree);
	for (size_t i = 0; i < n; i++) {
		r = lay_over(st, &tree, diff_ids[i], e);
		if (r < 0)
			return error_wrap(e, "layer %zu of %zu (sha256:%.12s)", i + 1, n, diff_ids[i]);
	}
	dir = make_dir(st->trees, a->tree, e);
	if (dir < 0)
		return dir;
	if (mkdirat(dir, "slots", 01777) < 0)
		return error_errno(e, errno, "cannot make a folder in the store");
	r = write_table(dir, &tree, &total, e);
	a->size = total.bytes;
	return r < 0 ? r : write_ids(st, &tree, dir, e);
}
