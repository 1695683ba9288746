/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: folders that outlive containers.
 *
 *	DATA/volumes/NAME/data		what containers see
 *	DATA/volumes/NAME/volume.json	see struct volume
 *	DATA/volumes/NAME/owners	only while owners are shifted: the owner inside of every inode; see volume_shift.c
 *	DATA/volumes/.new-*, .rm-*	being made or removed; flocked, else left from a crash and removed by volume_list()
 *
 * Owners. Root: files hold the ids as containers know them ("raw"), every container sees them through an idmapped mount,
 * and several may use a volume at once. An ordinary user cannot idmap: files belong to the host ids of the container that
 * used the volume last. volume_claim() shifts them to the next one's, so only one running container may have it
 * writable; an id that the next container does not have is an error, which is why a container gets the ids of its volumes
 * at create (volume_ids()). Whether a container runs is told by its lock, which its monitor holds.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "engine/container.h"

enum volume_fill {
	VOLUME_NEW,	/* never used */
	VOLUME_FILLING, /* a first start is copying the image's content into it, or died at that */
	VOLUME_FILLED,
};

struct volume {
	char *name;
	uint64_t created_ns;
	char **labels;	/* "KEY=value" */
	bool anonymous; /* made for one container, without a name of a person's */
	bool auto_remove; /* goes with the container that used it last */
	enum volume_fill fill;
	char used_by[CONTAINER_ID_LEN + 1];   /* the container that used it last; "" for none */
	struct spec_idmap *uidmap, *gidmap; /* whose host ids the files hold; none: raw ids, or never used */
	size_t n_uidmap, n_gidmap;
};

/* [A-Za-z0-9][A-Za-z0-9_.-]{0,127} */
int volume_name_check(const char *name, struct error *e);
/* 64 hex digits, as docker names anonymous ones. The caller frees; NULL with errno. */
char *volume_random_name(void);

/* Makes it. One of that name stays as it is: 0 as well, and *made (may be NULL) is false. */
int volume_create(const char *name, char *const *labels, bool anonymous, bool *made, struct error *e);
int volume_find(const char *name, struct volume *out, struct error *e); /* -ENOENT */
/* All of them by name; those that cannot be read are left out and named in `notes` (may be NULL). Removes leftovers. */
int volume_list(struct volume **out, size_t *n, char ***notes, struct error *e);
void volume_free(struct volume *v);
json_t *volume_json(const struct volume *v);
int volume_parse(const json_t *j, struct volume *v, struct error *e);

/* The ids of containers that have it, running or not; a list to free with strv_free, NULL for none. */
int volume_users(const char *name, char ***ids, struct error *e);
/* -EBUSY: a container has it; the error names it. -ENOENT. */
int volume_remove(const char *name, struct error *e);
/*
 * The anonymous volumes of a container that is being removed, unless another container has one. What an unprivileged owner
 * (volume_is_owner()) cannot remove goes when root's brig looks at volumes the next time: `auto_remove`.
 */
int volume_drop_anonymous(const struct container_config *c, struct error *e);

/* The ids inside that files of the volume may have, added to the lists without doubles. For a user's volumes. */
int volume_ids(const char *name, uint32_t **uids, size_t *n_uids, uint32_t **gids, size_t *n_gids, struct error *e);

/*
 * Before a start: makes the volume if it is not there, sees to it that this container may have it and that its files
 * belong to the ids of the maps (none when root: raw). Returns a descriptor (O_PATH) of data/, or -EBUSY (a running
 * container has it), -EOVERFLOW (files of an id that the maps lack). *copy_up: the container process shall fill it with
 * what the image has at its target. A read-only claim of a volume that a running container has is given without shifting:
 * its files appear as nobody's.
 */
int volume_claim(const struct container *c, const struct volume_mount *m, const struct spec_idmap *uidmap, size_t n_uidmap,
		 const struct spec_idmap *gidmap, size_t n_gidmap, bool *copy_up, struct error *e);

/* True in a process that is a container of root's unprivileged owner: root's volumes are out of its reach. */
bool volume_is_owner(const struct container *c);

/*
 * All that the configuration mounts (binds, volumes, tmpfs) into a specification that has its id maps. Of a running container, and
 * for its owner's restart, without opening anything.
 */
int volume_mounts(const struct container *c, struct spec *s, struct error *e);
/* Once the container's mounts stand: the volumes that were to be filled from the image have been. */
int volumes_filled(const struct container *c, struct error *e);

/* The bytes that it takes on the disk. */
int volume_size(const char *name, uint64_t *bytes, struct error *e);
/* The path of data/, for inspect. The caller frees. */
char *volume_path(const char *name);
