/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a container: one clone3(2) into all new namespaces, walls raised inside while the starting process does
 * what only it may, then exec. The two talk over one SOCK_SEQPACKET pair (sync.h):
 *
 *	starter				container process
 *	clone3 ----------------------->	opens its sources (ordinary user)
 *	walls' outside: id maps,
 *	cgroup, idmapped mounts
 *	SOURCES, GO ------------------>	raises the walls in order
 *		<----------------------	READY with descriptors, or ERROR
 *	(create stops here)
 *	START ------------------------>	execve
 *		<----------------------	end of file: it runs; ERROR: it does not
 */
#pragma once

#include "base/error.h"
#include "confine/wall.h"

struct launched {
	pid_t pid;
	uint64_t start_time; /* proc_start_time() of it */
	int pidfd;
	int sync;	     /* until launch_start(); then -1 */
	int tty_fd;	     /* outer side of the terminal, -1 without */
	int stdio[3];	     /* outer ends of its pipes: write, read, read; -1 where there is none */
	int notify_fd;	     /* seccomp notifications, -1 when none */
	int userns_fd;	     /* keeps the id map usable for removal and restart */
	int netns_fd;
	int mntns_fd;	     /* launch_again.keep: holds the sources of the root for a restart; else -1 */
};

/*
 * A start that follows another of the same container, without rights that the first one had: -1 and NULL for what there is not.
 * With `keep`, a first start (of root's) leaves a mount namespace for that, launched.mntns_fd.
 */
struct launch_again {
	int userns_fd;		 /* the container's id-mapped user namespace */
	int netns_fd;		 /* its network namespace, which is kept; -1: a new one where the spec wants one */
	int mntns_fd;
	const int *cgroup_procs; /* files by which the new process joins its cgroups */
	size_t n_cgroup_procs;
	bool keep;
};

/* What the process gets as descriptors 0, 1, 2 without a terminal. */
struct launch_io {
	bool inherit;	  /* the given ones, as they are */
	int fd[3];
	bool stdin_open;  /* not inherit: a pipe as stdin; else /dev/null */
	uint16_t rows, cols; /* of its terminal from the first moment on; 0: the kernel's default, unknown */
};

/*
 * Called in the starter once the ids are mapped, while the new process raises its walls: the engine brings the network
 * up meanwhile and gets ready to be its parent. Of `l` the descriptors of terminal, streams and notifications are not there yet.
 * A negative errno ends the start.
 */
struct launch_hook {
	int (*mapped)(void *ctx, const struct launched *l, struct error *e);
	void *ctx;
};

/*
 * Makes the container process and raises its walls; it waits before exec. Returns 0 with *out filled. On failure nothing of
 * it is left and the error's exit says 126 or 127 when it was for the command itself. The caller is its parent and
 * must stay so: it dies with its parent (PR_SET_PDEATHSIG).
 */
int launch_create(struct plan *p, const struct launch_io *io, const struct launch_again *again,
		  const struct launch_hook *hook, struct launched *out, struct error *e);
/* Lets it execute its program. */
int launch_start(struct launched *l, struct error *e);
/* Kills and reaps it if it still waits before exec, closes what is held. */
void launch_free(struct launched *l);
void launched_init(struct launched *l);

/*
 * Another process in the running container whose pid 1 is `pid` with that start time, behind the same walls. The
 * namespaces found must be those of `ns` (inode numbers: user pid ipc uts cgroup time net mnt; 0: not compared), so
 * that a process that took over the pid, or a pid 1 that moved, is refused (R33). The spec of the plan carries what the new
 * process runs: args, env, cwd, uid, gid, groups, terminal. Started at once. `again`: the caller may not open the cgroup,
 * but has the files by which it is joined; NULL: it may.
 */
int launch_exec(struct plan *p, pid_t pid, uint64_t start_time, const uint64_t ns[8], const struct launch_io *io,
		const struct launch_again *again, struct launched *out, struct error *e);
