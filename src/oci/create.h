/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life cycle of runtime-spec, runtime.md: create, start, kill, delete.
 *
 *	create				container process (init.c)
 *	config.json, ROOT/ID, cgroup
 *	clone3 ----------------------->	cgroup, attributes
 *	id maps; GO ------------------>	namespaces, mounts
 *	prestart, createRuntime	<------	MOUNTED (only with such hooks)
 *	GO --------------------------->	createContainer, pivot_root, credentials
 *		<----------------------	READY, or ERROR
 *	state.json, pid file; GO ----->	waits on ROOT/ID/start
 *	ends
 *	start connects, START -------->	startContainer, seccomp, execve
 *		<----------------------	end of file, or ERROR
 *	poststart
 */
#pragma once

#include "oci/state.h"

struct oci_caller { /* global options */
	const char *root;
	bool systemd_cgroup, no_cgroups;
};

struct oci_create_options {
	const char *bundle;	    /* NULL: the working directory */
	const char *config;	    /* NULL: the bundle's config.json */
	const char *console_socket; /* NULL: none */
	const char *pid_file;
	const char *pidfd_socket;   /* gets a pidfd of the container's process; NULL: none */
	unsigned preserve_fds;
	bool no_pivot, no_new_keyring;
	bool starts_now;	    /* oci_start() follows at once: what waits for it need not be small */
};

/*
 * A created container, *c locked. On failure nothing of it is left, the poststop hooks have run if any other hook had, and e->exit is
 * 126 or 127 when it was for the program itself. With `tty`, the terminal's outer side is handed out instead of sent.
 */
int oci_create(const struct oci_caller *caller, const char *id, const struct oci_create_options *o, struct oci_container *c,
	       int *tty, struct error *e);
/* Starts a created container that is open and locked. -EINVAL in another state. */
int oci_start(struct oci_container *c, struct error *e);
/* Sends a signal to its first process, or to all. */
int oci_kill(struct oci_container *c, int sig, bool all, struct error *e);
/* Removes a stopped container; with `force` any, and one that does not exist is fine. */
int oci_delete(struct oci_container *c, bool force, struct error *e);
/* Writes the pid that a caller waits for, in one step. */
int oci_pid_file(const char *path, pid_t pid, struct error *e);

/*
 * What create and restore share: config.json of the bundle (or the file `config`, NULL: none), of which ROOT/ID keeps a copy,
 * and what brig.conf adds.
 */
int oci_bundle_open(const char *bundle, const char *config, struct oci_container *c, struct oci_config *cfg, struct error *e);
int oci_bundle_settings(struct oci_container *c, struct error *e);
