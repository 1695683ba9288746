/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is what lies in the store what the digests say? From the manifest to the bytes of each file: manifest and configuration hash to their
 * names, the configuration's layers make the tree's chain id, brig's own proof names the tree's table (image/proof.h), the table names the
 * objects, and each object's bytes hash to its name. Slots are compared by who has their ids (image/seen_slot.h).
 *
 * Documents are parsed and bytes hashed in a room without network that can write nothing (law 3).
 */
#pragma once

#include "base/error.h"
#include "image/limits.h"
#include "image/store.h"

enum verify_kind {
	VERIFY_BLOB,	/* manifest, configuration, or a layer as it was fetched: blobs/sha256/NAME */
	VERIFY_CHAIN,	/* the documents do not belong together */
	VERIFY_TABLE,	/* table, ids or proof of the tree */
	VERIFY_OBJECT,	/* bytes of a file: objects/NAME */
};

/* What brig-image tells the front, a record of fixed size at a time. */
struct verify_message {
	enum verify_word {
		VERIFY_PROGRESS,
		VERIFY_BAD,	/* one thing that is wrong */
		VERIFY_ERROR,	/* the looking itself failed */
		VERIFY_DONE,
	} word;
	union {
		struct {
			uint64_t done, total; /* bytes that are hashed */
		} bytes;
		struct {
			enum verify_kind kind;
			char name[DIGEST_SIZE]; /* of the blob or object */
			char path[700];		/* OBJECT: a file of the image that has these bytes; printable */
			char text[300];		/* what is wrong, printable */
		} bad;
		struct {
			uint64_t files, hashed; /* objects; bytes that were read for it */
		} sum;
		struct error error;
	};
};

struct verify_request {
	const char *tree;
	const char *manifest, *config; /* NULL: no image in the store names the tree any more, brig's proof has to do */
	bool deep;		       /* believe no earlier result; hash the layers' blobs as well */
	bool all;		       /* go on after the first thing that is wrong */
	struct image_limits limits;
	bool accept_no_landlock;
	void (*tell)(void *arg, const struct verify_message *m);
	void *arg;
};

/*
 * 0: all is well, and trees/HEX/seen says so to the next start. -EUCLEAN: `tell` was told what is wrong. Other errors: the looking
 * itself failed.
 */
int verify_tree(const struct verify_request *r, struct error *e);
