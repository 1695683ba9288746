/* SPDX-License-Identifier: Apache-2.0 */
/* From verified blobs to layer tables, the tree of an image, and the list of its ids. Runs in the room. */
#pragma once

#include "image/layer.h"
#include "image/source.h"

struct assembled {
	char tree[DIGEST_SIZE]; /* chain id */
	uint64_t size;		/* bytes of the layers' files */
	struct layer_seen seen; /* sums of what was left out */
};

/*
 * Unpacks the layer in `blob` (an open blob, whose digest is `blob_hex`) unless that was done before, and verifies that
 * its plain bytes have the digest `diff` (empty string: none is known yet, for import; it is filled in).
 */
int assemble_layer(struct staging *st, struct objects *o, int blob, const char *blob_hex, char diff[static DIGEST_SIZE],
		   bool rootfs, struct assembled *a, struct error *e);

/* The store has the table of that layer, and nobody changed it since. */
bool assemble_in_store(struct staging *st, const char *diff);

/* Lays the layers over each other. All have been through assemble_layer(). */
int assemble_tree(struct staging *st, const char (*diff_ids)[DIGEST_SIZE], size_t n, struct assembled *a,
		  struct error *e);

/* image-spec config.md "Layer ChainID". */
void chain_id(const char (*diff_ids)[DIGEST_SIZE], size_t n, char out[static DIGEST_SIZE]);
