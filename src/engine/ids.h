/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host ids for containers. Each existing container leases a range that no other has: as root 65,536 ids from 0x70000000
 * up (below 2^31, above what distributions give to people and to systemd-nspawn); as a user as many as its image uses, out of
 * the subordinate ids in /etc/subuid and /etc/subgid (subuid(5)). A lease is the file DATA/ids/OFFSET-COUNT that
 * holds the container's id; OFFSET counts from the start of the caller's range, for uids and gids alike.
 */
#pragma once

#include "engine/container.h"
#include "image/store.h"

enum {
	IDS_ROOT_BASE = 0x70000000,
	IDS_ROOT_COUNT = 65536, /* the last of them is mapped nowhere: it owns the namespace and runs the monitor */
	IDS_ROOT_SLOTS = 4095,
	IDS_UNIT = 16, /* a user's ranges are rounded up to this, so that they can be taken again by another image */
};

/* The caller's subordinate ids: the largest range of each kind. -ENOENT with a hint when there is none. */
struct ids_range {
	uint32_t uid_first, uid_count, gid_first, gid_count;
};
int ids_own_range(struct ids_range *out, struct error *e);

/*
 * Leases a range for the container and fills config.id_first_uid, id_first_gid, id_count and slot. Prefers one for which the
 * container's tree is prepared already. -ENOSPC with a hint when there is no room.
 */
int ids_lease(struct container *c, const struct tree_ids *tree, struct error *e);
/* Gives it back; one that is not there is fine. */
void ids_release(const struct container *c);

/* Gives back what is leased to containers that are not there any more: left by a start that was killed. */
void ids_sweep(void);

/*
 * The id maps of a container: as root one line of 65,535; as a user the k-th id of its tree is base+k, and ids that only the
 * configuration names (user, group, supplementary groups) follow behind. Fills spec->uidmap, gidmap and owner.
 */
int ids_maps(const struct container *c, const struct tree_ids *tree, struct spec *s, struct error *e);

/*
 * Runs `fn` in a child process that is root in a user namespace with these maps (with an own mount namespace too), or in the one
 * of `userns_fd` when that is >= 0. What fn returns and writes into its error comes back. The child has every descriptor
 * of ours.
 */
typedef int (*ids_fn)(void *ctx, struct error *e);
int ids_run(const struct spec *maps, int userns_fd, ids_fn fn, void *ctx, struct error *e);

/*
 * For an ordinary user: a new user namespace in which the caller's own ids and all its subordinate ones are mapped to their own
 * numbers, and nobody lives. The caller has every right in it and in those below it, so that containers made below the same one can
 * be brought together. A descriptor to close.
 */
int ids_parent(struct error *e);

/* The same with the ids of a slot of the tree `hex`, which its name tells. Plain root runs fn directly. */
int ids_run_slot(const char *hex, const char *slot, ids_fn fn, void *ctx, struct error *e);

/*
 * ids_run() in a namespace that nothing runs in any more, by a child that shares our memory while we wait (vfork(2)): no copy of
 * it is made. fn has 190 KB of stack. This process is not dumpable afterwards.
 */
int ids_run_near(int userns_fd, ids_fn fn, void *ctx, struct error *e);

/*
 * The same as root over all that the caller's containers may own: every subordinate id is mapped to its own number, 0 is
 * the caller. Plain root runs fn directly.
 */
int ids_run_all(ids_fn fn, void *ctx, struct error *e);

/* The same with the maps of a container, made again from its configuration. Plain root runs fn directly. */
int ids_run_as(const struct container *c, ids_fn fn, void *ctx, struct error *e);
