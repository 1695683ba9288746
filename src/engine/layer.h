/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has written: its writable layer (rw/up) beside the image's tree. */
#pragma once

#include "engine/container.h"

struct layer_size {
	uint64_t bytes;	      /* that the layer takes on the disk, or of memory when it lies in a tmpfs */
	uint64_t inodes;
	uint64_t image_bytes; /* of the image's layers; 0 without an image */
};

int layer_size(const struct container *c, struct layer_size *out, struct error *e);

enum layer_change { LAYER_ADDED = 'A', LAYER_CHANGED = 'C', LAYER_DELETED = 'D' };

/*
 * Calls `fn` for every path that differs from the image, in order, parents first; `path` begins with a slash. A folder differs
 * when something in it does. Places that every start makes for its own mounts do not count. `fn` may run in a child process
 * with the container's ids: what it keeps in memory is lost, so it is called a last time with a NULL path when all has been
 * told. It may return a negative errno to end the walk.
 */
typedef int (*layer_fn)(enum layer_change change, const char *path, void *arg, struct error *e);
int layer_diff(const struct container *c, layer_fn fn, void *arg, struct error *e);
