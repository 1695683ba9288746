/* SPDX-License-Identifier: Apache-2.0 */
/*
 * criu(8), as a child program by its command line. That is older and steadier than its RPC, needs no protobuf
 *and no parser of ours for what a process says that has read a container's memory; criu is GPL and stays a
 *program of its own.
 *
 * checkpoint.c writes, beside criu's images, `descriptors.json`: what stdin, stdout and stderr of the first
 *process are, by the names that criu gives them. It is written last, so that a folder without it holds no
 *whole checkpoint.
 *
 * What comes from outside of a container has a name in the images that only config.json gives a meaning
 *again:
 *
 *	to:DESTINATION	a bind mount		mask:PATH	the null device over a masked file
 *	dev:PATH	a device that is shown	cgroup:NAME	the container's folder in a v1 hierarchy
 *	brig-net	a network namespace by path
 */
#pragma once

#include "confine/cgroup_oci.h"
#include "oci/create.h"

#include <limits.h>

#define CRIU_STDIO "descriptors.json"
#define CRIU_NET "brig-net"

struct oci_criu_options {
	const char *program;                         /* NULL: the one in the usual folders */
	const char *image_path;                      /* NULL: "checkpoint" */
	const char *work_path;                       /* of criu's log; NULL: image_path */
	const char *parent_path;                     /* the images before, relative to image_path */
	const char *cgroups_mode;                    /* NULL: criu's own */
	const char *lsm_profile, *lsm_mount_context; /* restore */
	char **empty_ns;
	bool leave_running, tcp_established, ext_unix_sk, shell_job, file_locks, auto_dedup, pre_dump;
};

struct criu {
	char **argv;
	char *work, *log; /* absolute folder, name in it */
	int images;       /* the folder of the images */
};
void criu_free(struct criu *c);
#define _cleanup_criu_ __attribute__((cleanup(criu_free)))

/* Finds criu and the folders (made when `make`), and begins the arguments with what dump and restore share.
 */
int criu_begin(
	struct criu *c, const char *action, const struct oci_criu_options *o, bool make, struct error *e);
__attribute__((format(printf, 2, 3))) void criu_arg(struct criu *c, const char *fmt, ...);
/* What it prints of its version; the caller frees. 0 or a negative errno. */
int criu_version(const struct criu *c, char **text);
/* The path of an open folder; false: there is none. */
bool criu_path(int fd, char out[static PATH_MAX]);
/* The story of its failure: what of the kernel it misses, or its log's name and last errors. A negative
 * errno. */
int criu_failed(const struct criu *c, struct error *e);

/* A running container to images; ends it unless o->leave_running or o->pre_dump. It is open and locked. */
int oci_checkpoint(struct oci_container *c, const struct oci_criu_options *o, struct error *e);
/* As oci_create(), from images: the container runs, or nothing of it is left. */
int oci_restore(const struct oci_caller *caller, const char *id, const struct oci_create_options *o,
	const struct oci_criu_options *criu, struct oci_container *c, struct error *e);

/* What neither can keep, by its property in config.json. */
int criu_refuse(const struct oci_config *cfg, bool landlock, struct error *e);

/* walls.c: reads from the kernel whether the walls of config.json stand around the running processes. -EPERM
 * names what does not. */
int oci_walls_prove(pid_t init, const struct oci_config *cfg, const struct oci_cgroup *cg, struct error *e);
