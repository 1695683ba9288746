/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image's blobs come from: an OCI layout folder, or an archive that holds one or is a `docker save` archive. Runs
 * in the room. Members of an archive are known by name in memory only; on disk they are numbered files.
 */
#pragma once

#include "base/error.h"
#include "image/hash.h"
#include "image/limits.h"

/* The staging folder, DATA/loading/XXXX, and what of the store may be looked at. Descriptors are borrowed. */
struct staging {
	int objects, blobs, layers, trees, members; /* o b l t m of the staging folder */
	int store_objects, store_blobs, store_layers, store_trees;
	const struct image_limits *limits;
	unsigned workers; /* layers to unpack at a time, at least 1 */
	char *const *suspects; /* of the store, not to be used */
	void (*progress)(void *arg, uint64_t bytes); /* bytes read, as they are */
	bool (*may_use)(void *arg, const char *diff); /* is the store's table of that layer what was unpacked? NULL: yes */
	void *arg;
};

struct member {
	char *name;   /* as it stands in the archive, without "./" */
	char *link;   /* a symbolic or hard link's target, else NULL */
	unsigned file; /* number in members */
	uint64_t size;
	char hex[DIGEST_SIZE];
	bool taken;   /* became a blob */
};

struct source {
	struct staging *st;
	int dir; /* the layout's folder, -1 for an archive */
	bool take; /* it is brig's own: its blobs are moved */
	struct member *members;
	size_t n;
};

/* Reads a whole archive from `fd` (plain, gzip or zstd) into numbered files. */
int source_archive(struct source *s, struct staging *st, int fd, struct error *e);
/* A folder: nothing is read yet. */
void source_folder(struct source *s, struct staging *st, int dir);
void source_free(struct source *s);

bool source_has(const struct source *s, const char *name); /* an archive's member */

/* A small file of the layout or archive, by name ("index.json"). -ENOENT when there is none. */
int source_document(struct source *s, const char *name, char **out, size_t *n, struct error *e);

/*
 * Makes the blob present in staging or store, verified (digest and size), and opens it for reading. `size` UINT64_MAX:
 * any (docker's archives do not say).
 */
int source_blob(struct source *s, const char *hex, uint64_t size, struct error *e);

/* The digest and size of an archive's member, a symbolic link inside the archive followed once. */
int source_member(struct source *s, const char *name, char hex[static DIGEST_SIZE], uint64_t *size, struct error *e);

/* Copies all of `fd` into the blobs of the staging folder under its digest; for `brig import`. */
int staging_copy(struct staging *st, int fd, uint64_t max, char hex[static DIGEST_SIZE], uint64_t *size,
		 struct error *e);
/* Puts a document that brig made into the blobs of the staging folder. */
int staging_put(struct staging *st, const char *data, size_t n, char hex[static DIGEST_SIZE], struct error *e);
