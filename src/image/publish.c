/* SPDX-License-Identifier: Apache-2.0 */
#include "image/publish.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "base/path.h"
#include "base/str.h"
#include "image/proof.h"
#include "image/store.h"
#include "image/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *name;
	size_t offset;
} parts[] = {
	{ "o", offsetof(struct staging_dirs, objects) }, { "b", offsetof(struct staging_dirs, blobs) },
	{ "l", offsetof(struct staging_dirs, layers) },	 { "t", offsetof(struct staging_dirs, trees) },
	{ "m", offsetof(struct staging_dirs, members) },
};

static int *part(struct staging_dirs *d, size_t i)
{
	return (int *)((char *)d + parts[i].offset);
}

static int make_dir(int parent, const char *name, mode_t mode, struct error *e)
{
	int fd;

	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s in the store", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(e, errno, "cannot open %s in the store", name) : fd;
}

static int open_store(struct staging_dirs *d, struct error *e)
{
	_cleanup_close_ int images = home_data_dir("images", e), blobs = -1;

	if (images < 0)
		return images;
	blobs = make_dir(images, "blobs", 0755, e);
	if (blobs < 0)
		return blobs;
	if ((d->store_blobs = make_dir(blobs, "sha256", 0755, e)) < 0)
		return d->store_blobs;
	if ((d->store_objects = store_objects(e)) < 0)
		return d->store_objects;
	if ((d->store_layers = home_data_dir("layers", e)) < 0)
		return d->store_layers;
	return d->store_trees = home_data_dir("trees", e);
}

/* Makes the folder and locks it at once: store_sweep() takes only what it can lock. */
static int make_staging(struct staging_dirs *d, struct error *e)
{
	for (int tries = 0; tries < 100; tries++) {
		_cleanup_close_ int fd = -1;
		struct error own = { 0 };
		struct stat a, b;
		uint64_t rnd;

		if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
			return error_set(e, EIO, "no random bytes");
		snprintf(d->name, sizeof(d->name), "%016llx", (unsigned long long)rnd);
		/* A sweep may come between any of these: then the folder is gone, or about to be. */
		fd = make_dir(d->loading, d->name, 0700, &own);
		if (fd == -ENOENT)
			continue;
		if (fd < 0) {
			if (e)
				*e = own;
			return fd;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &a) < 0 ||
		    fstatat(d->loading, d->name, &b, AT_SYMLINK_NOFOLLOW) < 0 || a.st_ino != b.st_ino)
			continue;
		d->staging = steal_fd(&fd);
		return 0;
	}
	return error_set(e, EBUSY, "cannot make a folder in %s/loading", home_data_path(NULL));
}

int staging_open(struct staging_dirs *d, struct error *e)
{
	int r;

	*d = (struct staging_dirs){ .staging = -1, .objects = -1, .blobs = -1, .layers = -1, .trees = -1, .members = -1,
				    .store_objects = -1, .store_blobs = -1, .store_layers = -1, .store_trees = -1 };
	d->loading = home_data_dir("loading", e);
	r = d->loading < 0 ? d->loading : open_store(d, e);
	if (r >= 0)
		r = make_staging(d, e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(parts); i++)
		r = *part(d, i) = make_dir(d->staging, parts[i].name, 0700, e);
	if (r < 0) {
		staging_close(d);
		return r;
	}
	return 0;
}

void staging_close(struct staging_dirs *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		cleanup_close(part(d, i));
	if (d->staging >= 0)
		path_remove_tree(d->loading, d->name);
	cleanup_close(&d->staging);
	cleanup_close(&d->loading);
	cleanup_close(&d->store_objects);
	cleanup_close(&d->store_blobs);
	cleanup_close(&d->store_layers);
	cleanup_close(&d->store_trees);
	d->staging = d->loading = -1;
}

static DIR *list(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		cleanup_close(&fd);
	return d;
}

static bool object_name_valid(const char *s)
{
	return strlen(s) == OBJECT_NAME_LEN && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
							 "-_") == OBJECT_NAME_LEN;
}

static bool hex_name_valid(const char *s)
{
	return hex_valid(s, DIGEST_HEX);
}

static bool layer_file_valid(const char *s)
{
	const char *hex = str_after(s, "from-");

	return streq(s, "table") || streq(s, "proof") || (hex && hex_valid(hex, DIGEST_HEX));
}

static bool is_table(const char *s)
{
	return streq(s, "table") || streq(s, "proof");
}

static bool is_ids(const char *s)
{
	return streq(s, "ids");
}

/* Moves every plain file with a proper name over; others stay and go with the staging folder. */
static int move_files(int from, int to, bool (*valid)(const char *), struct error *e)
{
	_cleanup_closedir_ DIR *d = list(from);
	struct dirent *de;

	if (!d)
		return error_errno(e, errno, "cannot list a folder of the store");
	while ((de = readdir(d))) {
		struct stat st;

		if (!valid(de->d_name) || fstatat(from, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (renameat(from, de->d_name, to, de->d_name) < 0)
			return error_errno(e, errno, "cannot bring %s into the store", de->d_name);
	}
	return 0;
}

/*
 * Moves a folder over as a whole. When it is there already: a layer may be known from another blob, and of a tree that
 * was about to be removed the slots may still stand (its ids are what makes it complete, so they come last).
 */
static int move_folder(int from, int to, const char *name, bool tree, struct error *e)
{
	_cleanup_close_ int inner = -1, outer = -1;
	int r;

	if (renameat2(from, name, to, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return error_errno(e, errno, "cannot bring %.12s into the store", name);
	inner = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	outer = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (inner < 0 || outer < 0)
		return error_errno(e, errno, "cannot open %.12s in the store", name);
	if (!tree)
		return move_files(inner, outer, layer_file_valid, e);
	r = move_files(inner, outer, is_table, e);
	return r < 0 ? r : move_files(inner, outer, is_ids, e);
}

static int move_folders(int from, int to, bool tree, struct error *e)
{
	_cleanup_closedir_ DIR *d = list(from);
	struct dirent *de;
	int r;

	if (!d)
		return error_errno(e, errno, "cannot list a folder of the store");
	while ((de = readdir(d))) {
		if (!hex_name_valid(de->d_name))
			continue;
		r = move_folder(from, to, de->d_name, tree, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* brig says what it has unpacked: see image/proof.h. A layer that was known already has no table here. */
static int prove(int folder, enum proof_kind kind, const struct store_key *key, struct error *e)
{
	_cleanup_closedir_ DIR *d = list(folder);
	struct dirent *de;

	if (!d)
		return error_errno(e, errno, "cannot list a folder of the store");
	while ((de = readdir(d))) {
		_cleanup_close_ int dir = -1;
		int r;

		if (!hex_name_valid(de->d_name))
			continue;
		dir = openat(folder, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			return error_errno(e, errno, "%.12s", de->d_name);
		if (faccessat(dir, "table", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		r = proof_write(dir, kind, de->d_name, key, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int staging_publish(struct staging_dirs *d, struct error *e)
{
	struct store_key key;
	int r = store_key_read(&key, e);

	if (r == 0)
		r = prove(d->layers, PROOF_LAYER, &key, e);
	if (r == 0)
		r = prove(d->trees, PROOF_TREE, &key, e);
	if (r < 0)
		return r;
	if (syncfs(d->staging) < 0)
		return error_errno(e, errno, "cannot bring the image to the disk");
	r = move_files(d->objects, d->store_objects, object_name_valid, e);
	if (r == 0)
		r = move_files(d->blobs, d->store_blobs, hex_name_valid, e);
	if (r == 0)
		r = move_folders(d->layers, d->store_layers, false, e);
	return r < 0 ? r : move_folders(d->trees, d->store_trees, true, e);
}
