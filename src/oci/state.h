/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What brig-oci knows of its containers: one folder ROOT/ID each with
 *
 *	state.json	pid, start time, bundle, cgroup; its absence: being made, or half made by a process that died
 *	config.json	the bundle's, as it was when the container was made
 *	start		the socket on which a created container waits; gone once it was started
 *
 * runtime-spec, runtime.md, "State" and "Lifecycle". The folder is locked (flock(2)) while a command changes it.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "spec/oci.h"

#include <stdint.h>
#include <sys/types.h>

enum oci_status {
	OCI_CREATING,
	OCI_CREATED,
	OCI_RUNNING,
	OCI_PAUSED,
	OCI_STOPPED,
};
extern const char *const oci_status_names[];

struct oci_container {
	char *id;
	int root_fd, dir_fd; /* ROOT and ROOT/ID; -1: not open */
	char *bundle;	     /* absolute */
	char *rootfs;	     /* absolute */
	pid_t pid;
	uint64_t start_time; /* proc_start_time() of it */
	uint64_t created_ns; /* clock_now_ns() */
	uid_t owner;
	json_t *cgroup;	     /* oci_cgroup_record(), NULL: it has none */
	char *version;	     /* ociVersion of its config.json */
	json_t *annotations; /* or NULL */
	bool landlock;	     /* brig.conf wanted it when the container was made */
	int hooks;	     /* bits 1 << enum oci_hook_kind of those that config.json has; -1: not known */
};

void oci_container_init(struct oci_container *c);
void oci_container_free(struct oci_container *c);
#define _cleanup_oci_container_ __attribute__((cleanup(oci_container_free)))

/* [A-Za-z0-9_+.-]{1,255}, not "." or ".." */
int oci_id_check(const char *id, struct error *e);

/* Makes ROOT (0700) and ROOT/ID, locked; -EEXIST when there is one already. */
int oci_container_make(const char *root, const char *id, struct oci_container *c, struct error *e);
/* Opens one, locked when `lock`. Without state.json pid is 0. -ENOENT when there is none. */
int oci_container_open(const char *root, const char *id, bool lock, struct oci_container *c, struct error *e);
/* Takes and gives back the lock of one that is open. */
int oci_container_lock(struct oci_container *c, struct error *e);
void oci_container_unlock(struct oci_container *c);
int oci_container_save(const struct oci_container *c, struct error *e);
/* Removes ROOT/ID. */
int oci_container_drop(struct oci_container *c, struct error *e);
enum oci_status oci_container_status(const struct oci_container *c);
/* Its copy of config.json. */
int oci_container_config(const struct oci_container *c, struct oci_config *out, struct error *e);
/* The state as the specification has it, for hooks and the state command; `more`: what runc adds. A new reference. */
json_t *oci_container_json(const struct oci_container *c, const char *status, bool more);
/* All ids below ROOT; the caller frees with strv_free. */
int oci_container_list(const char *root, char ***ids, struct error *e);
