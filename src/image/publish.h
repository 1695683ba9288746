/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The staging folder of one load, DATA/loading/XXXX, with o (objects), b (blobs), l (layers), t (trees), m (members of
 * the archive). It is locked (flock) while it is in use; one that is not was left by a killed process and is removed.
 */
#pragma once

#include "base/error.h"

struct staging_dirs {
	char name[24];
	int loading, staging; /* DATA/loading, and the folder in it */
	int objects, blobs, layers, trees, members;
	int store_objects, store_blobs, store_layers, store_trees;
};

int staging_open(struct staging_dirs *d, struct error *e);
/* Removes the folder with what is still in it, and closes all. */
void staging_close(struct staging_dirs *d);

/*
 * Brings everything to the disk (one syncfs(2) instead of an fsync for each of thousands of files), then into the store by
 * rename: objects and blobs, then layers, then trees. What has a final name is whole and was on the disk before it got it.
 */
int staging_publish(struct staging_dirs *d, struct error *e);
