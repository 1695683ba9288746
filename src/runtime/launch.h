/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a container: one clone3(2) into all new namespaces, walls raised inside while the starting process does
 * what only it may, then exec. The two talk over one SOCK_SEQPACKET pair:
 *
 *	starter				container process
 *	clone3 ----------------------->	waits
 *	uid_map, gid_map, cgroup,
 *	idmapped mounts, network
 *	GO (mount descriptors) ------->	raises the walls in order
 *		<----------------------	TTY (terminal's outer side), NOTIFY (seccomp descriptor), READY
 *	(create stops here)
 *	START ------------------------>	execve
 *		<----------------------	end of file: it runs; ERROR (struct error): it does not
 */
#pragma once

#include "base/error.h"
#include "confine/wall.h"

struct launched {
	pid_t pid;
	uint64_t start_time; /* proc_start_time() of it */
	int pidfd;
	int sync;	     /* until launch_start(); then -1 */
	int tty_fd;	     /* outer side of the terminal, -1 without -t */
	int notify_fd;	     /* seccomp notifications, -1 when none */
	int userns_fd;	     /* keeps the id map usable for removal and restart; -1 without a user namespace */
	int netns_fd;
};

/*
 * Makes the container process and raises its walls; it waits before exec. `stdio` are the three descriptors that it gets
 * (ignored with a terminal). On failure nothing of it is left. The error's exit is 126 or 127 for the command itself.
 */
int launch_create(struct plan *p, const int stdio[3], struct launched *out, struct error *e);
int launch_start(struct launched *l, struct error *e);
/* Kills it if it still waits, closes what is held. */
void launch_free(struct launched *l);

/*
 * Another process in a running container, behind the same walls. The container is identified by pid and start time.
 */
struct exec_request {
	pid_t pid;
	uint64_t start_time;
	char **args, **env;
	char *cwd;
	uint32_t uid, gid, *groups;
	size_t n_groups;
	bool terminal;
	const int *stdio;
};
int launch_exec(const struct plan *p, const struct exec_request *r, struct launched *out, struct error *e);
