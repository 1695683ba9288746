/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DATA/images/index.json: an OCI image index (image-spec image-index.md). One manifest descriptor for each name, or one
 * without name for an image that has none. What brig computed while it loaded the image stands in annotations, so that
 * a start reads two small files and hashes nothing:
 *
 *	org.opencontainers.image.ref.name	the name, localhost/web:latest
 *	brig.config				SHA-256 of the configuration, hex (the image's id)
 *	brig.tree				chain id, hex
 *	brig.size				bytes of the layers' files, uncompressed
 *	brig.pulled				where a registry sent it from: HOST/PATH[:TAG]@sha256:HEX, HEX of what the tag
 *						meant there (an index of platforms, or the manifest)
 *	brig.local				"yes": it was loaded or imported on this machine. What has neither of the two
 *						was written before brig pulled anything, so it was loaded
 */
#pragma once

#include "base/error.h"
#include "image/store.h"

enum {
	INDEX_FILE_MAX = 16 * 1024 * 1024,  /* bytes of index.json */
	INDEX_CONFIG_MAX = 4 * 1024 * 1024, /* bytes of a configuration or manifest, as container-libs bounds them */
};

struct index_entry {
	char *name;	  /* NULL: none */
	char *media_type; /* of the manifest */
	uint64_t manifest_size;
	char manifest[DIGEST_SIZE], config[DIGEST_SIZE], tree[DIGEST_SIZE];
	uint64_t size;
	char *pulled; /* NULL: never */
	bool local;
};

struct index {
	struct index_entry *entries;
	size_t n;
};

/* An index that is missing is empty. -EBADMSG with the place when it is damaged. */
int index_read(struct index *x, struct error *e);
void index_free(struct index *x);

/* Replaces the file, atomically and durably. The caller holds index_lock(). */
int index_write(const struct index *x, struct error *e);

/* Serialises read, change and write of the file. A descriptor to close. */
int index_lock(struct error *e);

/*
 * The entry that a person means by `ref`; -ENOENT, -EEXIST, -EINVAL with `e` filled. See image_find(). `by_id` (may be NULL)
 * tells whether it was an id or the start of one.
 */
ssize_t index_find(const struct index *x, const char *ref, bool *by_id, struct error *e);

/*
 * Adds an entry (its strings are copied). A name that another image bears moves over; what loses its last name stays
 * as an entry without one. What was known of the same image's origin stays known. Returns true when a name moved from another image.
 */
bool index_add(struct index *x, const struct index_entry *entry);

/* Takes out entry `i`. */
void index_remove(struct index *x, size_t i);
