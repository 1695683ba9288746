/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount tree of an OCI container, as its config.json describes it. All of it works on descriptors: a target is resolved
 * inside the root by the kernel (openat2(2), RESOLVE_IN_ROOT), a new mount is made detached and then moved there
 * (fsopen(2), open_tree(2), move_mount(2)), so that a link in the image cannot lead out (CVE-2019-16884, CVE-2021-30465).
 */
#pragma once

#include "confine/cgroup_oci.h"
#include "spec/oci.h"

/* A container in the making, in its first process. */
struct oci_setup {
	const struct oci_config *cfg;
	const char *rootfs;    /* absolute path in the host's tree */
	const struct oci_cgroup *cgroup; /* NULL: none */
	int *sources;	       /* a detached mount for each of cfg->mounts that the caller made, or -1 */
	bool no_pivot;
	bool detached;	       /* the mount namespace is one that others are in: nothing is mounted there, see oci_rootfs_open() */
	int mnt_ns;	       /* that namespace, -1: the caller's */
	int root_fd;	       /* the new root's mount, from oci_rootfs_open() on */
	int proc_fd;	       /* a private procfs of the new pid namespace, never attached; -1: there can be none */
	int null_fd;	       /* the host's /dev/null, checked to be the device 1:3 */
	int tty_fd;	       /* inner side of the terminal, -1 without */
	int ptmx_fd;	       /* outer side */
};

/*
 * In the caller, before the process is made: detached mounts of the bind sources that the process itself may not be able to
 * open or to map. `sources` gets cfg->n_mounts descriptors or -1; oci_sources_close() closes them.
 */
int oci_sources_open(const struct oci_config *cfg, int *sources, struct error *e);
void oci_sources_close(const struct oci_config *cfg, int *sources);

/*
 * Propagation, and the root file system as a mount of its own: s->root_fd, proc_fd, null_fd. A container without a mount
 * namespace of its own gets its mounts in a tree that is attached nowhere (since Linux 6.15) and is its root directory: nobody
 * else sees them, and the kernel lets go of them with its last process.
 */
int oci_rootfs_open(struct oci_setup *s, struct error *e);
/* All of cfg->mounts, /dev, masked and read-only paths, the terminal. */
int oci_rootfs_fill(struct oci_setup *s, struct error *e);
/* Makes it the root of the mount namespace; nothing of the old tree stays. */
int oci_rootfs_enter(struct oci_setup *s, struct error *e);

/* The parts of it, one file each. */
int oci_mounts_all(struct oci_setup *s, struct error *e);	     /* mounts.c */
int oci_mount_cgroup(struct oci_setup *s, const struct oci_mount *m, int at, struct error *e); /* mount_cgroup.c */
int oci_dev_all(struct oci_setup *s, struct error *e);		     /* dev.c: nodes, links, terminal */
int oci_paths_all(struct oci_setup *s, struct error *e);	     /* masked and read-only paths */
/*
 * A new file system as a detached mount. `options`: "a=b,c" or NULL; `sb_flags`: MS_* of the file system; `attrs`:
 * MOUNT_ATTR_*. A descriptor or a negative errno.
 */
int oci_new_fs(const char *type, const char *source, const char *options, unsigned long sb_flags, uint64_t attrs,
	       struct error *e);
/* The same with linux.mountLabel (NULL: none) on all of its files, where the file system takes that. */
int oci_new_fs_labelled(const char *type, const char *source, const char *options, unsigned long sb_flags, uint64_t attrs,
			const char *label, struct error *e);
/* A terminal from the devpts below the current root or `root_fd`: fills ptmx_fd and tty_fd, with a size when not 0. */
int oci_terminal_open(int root_fd, const struct oci_process *p, int *ptmx, int *tty, struct error *e);
