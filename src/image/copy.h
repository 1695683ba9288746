/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of images between registries and OCI layouts, byte by byte: digests stay what they are, and the store here has no part in it. Each
 * registry is spoken to by a process of its own, so that who reads the source never has the destination's password. What was fetched
 * is read in a room without network (copy_read.c). A copy runs nothing, so nobody is asked whether the image may run.
 */
#pragma once

#include "image/oci.h"
#include "image/registry.h"

struct copy_end {
	struct reference ref; /* a registry; host NULL: a layout */
	char *folder, *tag;   /* OCI layout; tag NULL: its only image, or none */
};

/* "docker://NAME", "oci:DIR[:TAG]", or a name with its host. -EINVAL */
int copy_end_parse(const char *s, struct copy_end *out, struct error *e);
void copy_end_free(struct copy_end *c);

struct copy_request {
	const struct copy_end *from, *to;
	const char *platform; /* of an index, the one image for it; NULL: this machine's */
	bool all;	      /* of an index, all of it */
	bool referrers;	      /* signatures, attestations and whatever else refers to it as well */
	const struct conf *conf;
	struct registry_report report;
};

struct copied {
	char digest[DIGEST_SIZE]; /* of what the destination's name means now */
	size_t blobs, sent;	  /* of blobs: all, and those that were not there already */
	size_t extras;		  /* documents that refer to it */
};

int image_copy(const struct copy_request *r, struct copied *out, struct error *e);

/* --- copy_read.c: the room ------------------------------------------------------------------------------------------ */

/* One part of a copy, in an order in which everything comes before what names it. */
struct copy_item {
	char hex[DIGEST_SIZE];
	uint64_t size;
	char media_type[FETCH_MEDIA_TYPE]; /* of a manifest or index; empty: a blob */
	char tag[FETCH_MEDIA_TYPE];	   /* may be empty */
	char artifact[FETCH_MEDIA_TYPE];   /* of what refers to something: its kind; may be empty */
	bool top, extra;		   /* what the name means; it refers to that */
};

struct copy_extra {
	char hex[DIGEST_SIZE], tag[FETCH_MEDIA_TYPE];
};

struct copy_reading {
	int documents;	  /* the folder in which they lie by their digest */
	int layout;	  /* of a layout; -1: `top` says what to begin with */
	const char *tag;  /* of a layout; may be NULL */
	char top[DIGEST_SIZE];
	char type[FETCH_MEDIA_TYPE]; /* as the registry sent it */
	struct oci_platform platform;
	bool all, referrers;
	const struct copy_extra *extras;
	size_t n_extras;
	bool accept_no_landlock;
};

/* The parts, each once. The caller frees *items. */
int copy_read(const struct copy_reading *r, struct copy_item **items, size_t *n, struct error *e);

/* The index.json of a layout with `top` in it under `tag` (may be NULL), in place of what had that name; to free. */
int copy_index(int layout, const struct copy_item *top, const char *tag, bool accept_no_landlock, char **text, size_t *n, struct error *e);
