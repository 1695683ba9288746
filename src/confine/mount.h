/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the mounts wall, in the order in which raise_mounts() calls them. All work on descriptors; a path of the
 * container is resolved in its root by the kernel (openat2(2)), never by name from outside.
 */
#pragma once

#include "confine/wall.h"

/* Flags that every mount of a container carries, but for the few devices (no nodev there). */
#define MOUNT_BASE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* Opens an O_PATH descriptor of what `l->sources` needs; see struct launch. Before the ids are mapped. */
int mount_sources_early(struct launch *l, struct error *e);   /* in the new process, as the caller */
int mount_sources_outside(struct launch *l, struct error *e); /* in the starter, as root */

/* A fresh file system of our own: fsopen, options "a=b,c", fsmount. A detached mount's descriptor or negative errno. */
int mount_new(const char *fs, const char *options, unsigned attrs, struct error *e);
/* Attaches a detached mount at the O_PATH descriptor `at`. */
int mount_attach(int mount_fd, int at, struct error *e);
/* A detached copy of what `fd` shows (open_tree), with attributes; `recursive` takes what is mounted below. */
int mount_clone(int fd, uint64_t attrs, bool recursive, struct error *e);

/*
 * Copies the folder `from` into `to`: files, links, folders, with owners, modes (without set-id bits), times and user.*
 * attributes, the folder's own too. What is there already stays, and each file appears whole, so that it can be gone on with
 * after a crash. Devices, sockets and pipes are left out. Descriptors may be O_PATH.
 */
int mount_copy(int from, int to, struct error *e);

/* The tmpfs on which the new root is put together; with l->staged the one that an earlier start left. */
int mount_stage(struct launch *l, struct error *e);
/* Attaches all sources to the stage, by number; and, in a copy of the mount namespace, opens stage and sources again. */
int mount_keep_sources(struct launch *l, struct error *e);
int mount_stage_again(struct launch *l, struct error *e);
int mount_root(struct launch *l, struct error *e);  /* overlay or folder; fills l->root_fd */
int mount_dev(struct launch *l, struct error *e);   /* /dev with its few nodes, devpts, shm, mqueue; the terminal */
/* A terminal in the devpts `pts`: fills l->ptmx_fd and l->tty_fd, which belongs to the container's user. */
int mount_terminal(struct launch *l, int pts, struct error *e);
int mount_proc(struct launch *l, struct error *e);  /* /proc with all that is not allowed masked; fills l->proc_fd */
int mount_rest(struct launch *l, struct error *e);  /* binds and tmpfs of the specification */
int mount_pivot(struct launch *l, struct error *e); /* the old root goes away */

/* True for a name in /proc's root that a container may see. */
bool mount_proc_allowed(const char *name);

/* The nodes of /dev: name, major, minor; NULL-terminated by name. */
struct mount_device {
	const char *name;
	unsigned major, minor;
};
extern const struct mount_device mount_devices[];
