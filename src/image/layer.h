/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tar archive becomes a tree (with the layer's whiteouts in it) and objects. Nothing of the archive becomes a
 * path of the host: names are nodes, bytes are objects named by their digest. image-spec 1.1 layer.md.
 */
#pragma once

#include "base/error.h"
#include "image/hash.h"
#include "image/limits.h"
#include "image/tar.h"
#include "image/tree.h"

/* Where the bytes of files go. */
struct objects {
	int staging;  /* folder of the new ones */
	int store;    /* folder of those that are there already, -1: none */
	char *const *suspects; /* names in it that are not to be believed; NULL */
	uint64_t made, made_bytes, known; /* counted for the person */
	struct hash *hash; /* private */
	char *small;	   /* private */
};

void objects_init(struct objects *o, int staging, int store);
void objects_free(struct objects *o);

/* Stores the data of the entry that `t` stands at; its name into `name`. */
int objects_add(struct objects *o, struct tar *t, uint64_t size, char name[static OBJECT_NAME_LEN + 1],
		struct error *e);

struct layer_seen {
	uint64_t entries, bytes;
	uint64_t devices; /* left out below dev/ */
	uint64_t xattrs;  /* left out: file capabilities and attributes that are not user.* */
};

/*
 * Reads the archive to its end into the initialised tree. `rootfs`: a root file system for `brig import`, in which
 * names like .wh.x mean nothing and are refused. Errors name the entry.
 */
int layer_read(struct tar *t, struct tree *tree, struct objects *o, const struct image_limits *limits, bool rootfs,
	       struct layer_seen *seen, struct error *e);
