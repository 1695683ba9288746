/* SPDX-License-Identifier: Apache-2.0 */
/* What volume*.c share. */
#pragma once

#include "engine/volume.h"

/* DATA/volumes/NAME: a descriptor, or a negative errno. */
int volume_open(const char *name, struct error *e);
/* The same with its lock (flock) held as long as the descriptor is open. */
int volume_lock(const char *name, struct error *e);
int volume_load(int dir, const char *name, struct volume *v, struct error *e);
int volume_save(int dir, const struct volume *v, bool sync, struct error *e);

/* Removes what unprivileged owners of root's containers had to leave. */
void volume_sweep(void);

/*
 * Removes the folder `name` of DATA/volumes with its data/, whose files may belong to ids of containers: an ordinary user
 * does it as root of a namespace that maps them.
 */
int volume_delete_tree(int all, const char *name, struct error *e);

/*
 * Gives the files below `data` from the ids of one pair of maps to another's. `dir` is the volume's folder, in which the journal
 * "owners" stands while it goes on, so that it can be gone on with after a crash. -EOVERFLOW: an owner is not in the maps.
 */
struct owner_maps {
	const struct spec_idmap *uid, *gid;
	size_t n_uid, n_gid;
};
int volume_shift(int dir, const struct owner_maps *from, const struct owner_maps *to, struct error *e);
