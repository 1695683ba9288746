/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be vetted, opened by the person's process before it locks itself in: descriptors and mapped tables, nothing parsed but what
 * brig wrote itself. vet_subject_read() (in the room) makes the list of files out of it.
 */
#pragma once

#include "image/store.h"
#include "image/tree.h"
#include "vet/vet.h"

struct vet_source {
	char *name;		  /* as the person said it, or what it was found as */
	char *image;		  /* the name that the image bears; NULL: none */
	char *digest;		  /* of the manifest, hex; NULL: none */
	json_t *config;		  /* of the image; NULL: none */
	struct table_map *tables; /* of the image's layers, lowest first */
	char (*diff_ids)[DIGEST_SIZE];
	size_t n_tables;
	int objects;		  /* their bytes; -1: no tables */
	int folder;		  /* a folder of files, laid over the tables; -1: none */
	bool overlay;		  /* it is an overlay's writable layer: whiteouts and opaque folders mean something */
	uint32_t shift_uid, shift_gid; /* what the owners in the folder have more than the same ids in the image */
	char *bill;		  /* a bill of materials instead of all that; NULL: none */
	size_t bill_size;
	char **not_looked;	  /* what is known to be missing */
};

void vet_source_init(struct vet_source *s);
void vet_source_free(struct vet_source *s);

/* A stored image. -ENOENT as image_find(). */
int vet_source_image(struct vet_source *s, const char *ref, struct error *e);
/* A folder as root of a system. Opened by the caller's rights. */
int vet_source_folder(struct vet_source *s, const char *path, struct error *e);
/* A bill of materials: its bytes, not parsed; at most 256 MB. */
int vet_source_bill(struct vet_source *s, const char *path, struct error *e);
/*
 * An OCI layout or an archive: loaded by the confined loader into a store of its own, a new folder below $TMPDIR (or /var/tmp), whose path
 * becomes *scratch; the caller removes it with path_remove_tree() also on failure. This process's BRIG_DATA leads there from then on, so
 * it has to be called before anything of the person's own store is opened.
 */
struct vet_archive {
	const char *path, *platform;
	bool accept_no_landlock;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};
int vet_source_archive(struct vet_source *s, const struct vet_archive *a, char **scratch, struct error *e);

/* The layers of an image that a container uses, from its configuration in the store; the merged tree where the image is gone. */
int vet_source_layers(struct vet_source *s, const char *image_id, const char *tree, struct error *e);

/* In the room: fills v->layers, files, merged. -EBADMSG: a table is damaged. */
int vet_subject_read(struct vet *v, const struct vet_source *s, struct error *e);
void vet_subject_free(struct vet *v);

/* Bytes of all files of all layers. */
uint64_t vet_subject_bytes(const struct vet *v);
/* Bytes that checks have read so far. */
uint64_t vet_bytes_read(const struct vet *v);
