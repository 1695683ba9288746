/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content store, below DATA/images (an OCI image layout, image-spec 1.1 "image-layout.md") and beside it what was
 * prepared from it:
 *
 *	images/oci-layout, index.json, blobs/sha256/HEX   what was loaded, as it came; index.json is replaced atomically
 *	objects/NAME		every regular file's bytes, once: NAME is the first 22 characters of the base64url of
 *				their SHA-256 (132 bits), mode 0444. 23 bytes with the slash fit into an ext4 inode
 *				beside the two overlay attributes, so that a tree costs no extra blocks.
 *	layers/HEX/table	one unpacked layer, HEX its diff_id: a line of JSON for each entry (names, types, owners, modes,
 *				times, xattrs, links, objects)
 *	trees/HEX/table		the layers of one image laid over each other, whiteouts applied; HEX its chain id
 *	trees/HEX/ids		every uid and gid that the tree, its passwd and its group name
 *	layers/HEX/proof, trees/HEX/proof	that the table (and ids) are what was unpacked, by brig's own code over them: proof.h
 *	(DATA/partial/HEX: first bytes of blobs whose pull broke off, see partial.h)
 *	trees/HEX/seen, seen-SLOT	inode and change time of all that was verified, for the next start: seen.h
 *	trees/HEX/slots/B	the tree as folders, links and empty files for ids from host id B ("raw": the image's own ids,
 *				for idmapped mounts). A regular file of more than 0 bytes is a sparse file of its size with
 *				user.overlay.metacopy and user.overlay.redirect="/NAME": overlayfs takes the bytes from
 *				objects/ as data-only lower layer (Linux 6.16 with userxattr, 6.5 for root).
 *				"B.U.G": the same, but that U and G inside are the caller's own ids.
 *				"full-B": with the bytes copied (reflinked where possible), for older kernels.
 *
 * Everything that is visible under its final name is whole: made under a temporary name, then renamed. A `kill -9` leaves
 * only temporary names, which the next command that takes the exclusive lock removes.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>
#include <sys/types.h>

enum { DIGEST_HEX = 64, DIGEST_SIZE = DIGEST_HEX + 1 };

struct image {
	char id[DIGEST_SIZE];	    /* SHA-256 of the configuration, hex */
	char manifest[DIGEST_SIZE]; /* SHA-256 of the manifest, hex */
	char tree[DIGEST_SIZE];	    /* chain id */
	char **names;		    /* all names, "localhost/web:latest"; NULL-terminated, may be empty */
	json_t *config;		    /* the OCI image configuration, checked: only known shapes of what brig reads */
	uint64_t size;		    /* bytes of the layers, uncompressed */
	uint64_t created_ns;	    /* when, as the configuration claims; 0 when it does not say */
	char *name;		    /* the one that was found by it; NULL: found by an id or digest */
	char *pulled;		    /* as in index.h; NULL: no registry sent it */
	bool local;		    /* loaded or imported on this machine */
};

void image_free(struct image *img);

/*
 * Finds an image by name (":latest" and "localhost/" are tried as a person expects), by id or by a unique start of
 * an id (4 digits up). -ENOENT: there is none; the error says how to get it. -EEXIST: the start fits several.
 */
int image_find(const char *ref, struct image *out, struct error *e);
/* All images, newest first. The caller frees each and the array. */
int image_list(struct image **out, size_t *n, struct error *e);

/* Every id that the tree uses, ascending, without doubles; 0 is always there. */
struct tree_ids {
	uint32_t *uids, *gids;
	size_t n_uids, n_gids;
};
int tree_ids_read(const char *tree, struct tree_ids *out, struct error *e);
void tree_ids_free(struct tree_ids *ids);

/* True when this kernel joins a tree of empty files with the objects; probed once and remembered in RUN/. */
bool tree_kernel_joins(void);

/*
 * A prepared tree. `slot` is "raw" or the decimal host id of the slot ("UID-GID" where they differ). Opens its folder (O_PATH) and, when it is joined
 * with objects, the objects' folder; *data_fd is -1 for a full tree. -ENOENT when it is not prepared yet.
 */
int tree_open(const char *tree, const char *slot, int *lower_fd, int *data_fd);

/*
 * Prepares it. To be called in a process whose ids 0.. are those of the slot (inside its user namespace as root there,
 * or plain root for "raw"); `tree_fd` is what tree_dir() gave before entering. Everything is resolved below it.
 */
int tree_dir(const char *tree, struct error *e); /* descriptor of trees/HEX, readable, to carry along */
int tree_prepare(int tree_fd, int objects_fd, const char *slot, bool full, struct error *e);
int store_objects(struct error *e); /* descriptor of objects/, to close */

/*
 * Files of a slot belong to ids that an ordinary user cannot touch without a user namespace in which they are mapped. A
 * store_run runs `fn` where all of the caller's subordinate ids are mapped and it is root over them (engine/ids.h knows
 * how); NULL: `fn` runs as it is, which is right for root.
 */
typedef int (*store_run)(int (*fn)(void *arg, struct error *e), void *arg, struct error *e);

/* The last use is kept by the slot folder's mtime; removes the slots of a tree but those listed. For prune and rmi. */
int tree_drop_slots(const char *tree, char *const *keep, store_run as_owner, struct error *e);

/*
 * Looks for a file of the merged tree without any slot: for passwd and group of the image. The bytes, at most `max`;
 * links are followed inside the tree. -ENOENT, -ELOOP, -EFBIG, -EINVAL (not a regular file).
 */
int tree_read_file(const char *tree, const char *path, size_t max, char **out, size_t *len);

/*
 * A folder of the store below the data folder, made and given `mode` where it differs; O_PATH descriptor to close.
 * objects/ and trees/ can be passed by other ids (what keeps people out is the 0700 of the data folder).
 */
int store_dir(const char *name, mode_t mode, struct error *e);

/*
 * The store's lock. Shared: whoever loads, or uses an image that no container's configuration names yet (create);
 * exclusive: removal of what nothing refers to. Without `wait`, -EWOULDBLOCK. A descriptor; closing it gives it back.
 */
int store_lock(bool exclusive, bool wait, struct error *e);

/* Containers that use the tree, by name, from their DATA/containers/ID/config.json. NULL: none. The caller frees. */
int image_users(const char *tree, char ***names, struct error *e);

struct store_freed {
	uint64_t bytes; /* of blobs and objects */
	size_t blobs, objects, layers, trees;
};

/*
 * Removes blobs, layers, trees and objects to which no name in index.json and no container refers, and what killed
 * commands left. Takes the exclusive lock; without `wait`, and while somebody loads, it leaves the work to the next
 * (0, and images/collect stays as a note of it).
 */
int store_collect(store_run as_owner, bool wait, struct store_freed *freed, struct error *e);
/* Notes that there is something to collect; before index.json is changed, so that a kill between the two loses nothing. */
int store_collect_later(struct error *e);
bool store_collect_due(void);

/* Removes staging folders that nobody uses; true when there was one. What cannot be removed now is removed later. */
bool store_sweep(void);
