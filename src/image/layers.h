/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of an image, several at a time: each is verified, decompressed and unpacked by a process of its own, in the room that
 * all share. A layer can begin as soon as its blob has arrived. Runs in the room.
 */
#pragma once

#include "image/assemble.h"

struct layers {
	struct staging *st;
	struct source *source;
	struct objects *objects;
	const char *const *blobs; /* hex, with their sizes (UINT64_MAX: not known) and the digests of their plain bytes */
	const uint64_t *sizes;
	const char (*diffs)[DIGEST_SIZE];
	size_t n;
	bool streamed;
	void (*next)(void *arg, char hex[static DIGEST_SIZE]);	 /* streamed: waits for another blob; empty: no more come */
	void (*failed)(void *arg, const struct error *e); /* streamed: in the process of the layer, which then ends */
	void *arg;
};

/* After it, assemble_layer() finds every layer done, but those that have bytes in common with another one's. */
int layers_unpack(const struct layers *l, struct assembled *a, struct error *e);
