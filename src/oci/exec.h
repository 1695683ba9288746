/* SPDX-License-Identifier: Apache-2.0 */
/* Another process in a running OCI container (`exec`): as runc and crun have it, since the specification does not. */
#pragma once

#include "oci/state.h"

struct oci_exec {
	struct oci_process *process;
	const char *console_socket; /* process->terminal: its outer side goes there; NULL: it is handed out */
	const char *pid_file;	    /* gets the new process's pid, NULL: none */
	const char *pidfd_socket;   /* gets a pidfd of it, NULL: none */
	char **cgroups;		    /* "[CONTROLLER,...:]PATH" below the container's own; NULL: in that */
	unsigned preserve;	    /* descriptors 3 to 2 + preserve go to the program */
	bool ignore_paused;	    /* joins a paused container: the program runs when it is resumed */
	bool no_keyring;
};

/* A process that runs, a child of ours. The descriptors are the caller's to close. */
struct oci_started {
	pid_t pid;
	int pidfd;
	int tty; /* outer side of its terminal, -1: none, or sent away */
};

/*
 * Starts it behind what the container's own configuration asks for (namespaces, cgroup, seccomp; what belongs to a process comes
 * from x->process). On failure nothing of it is left; e->exit is 126 or 127 where the program itself was at fault.
 */
int oci_exec(struct oci_container *c, const struct oci_config *cfg, const struct oci_exec *x, struct oci_started *out,
	     struct error *e);
