/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup wall: what a container may use of the machine, and the handle by which all of its processes are found,
 * stopped and killed. cgroups(7), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
 *
 * One folder a container, of the same path in every hierarchy that is used:
 *
 *	root		brig/run/ID. brig/ is 0700, run/ has the sticky bit: the container's owner (an unprivileged host id)
 *			removes its own folder through a descriptor, nobody else gets near it.
 *	a user		brig-user-UID/ID, delegated once by `brig setup`; under systemd, below the user's manager.
 *	named parent	PARENT/brig-ID
 *
 * Kinds: 2 (one v2 tree) and 1 (v1 hierarchies; a "hybrid" machine has a v2 tree beside them, which is left alone: to
 * put a process back into it takes rights that a container's owner cannot have).
 *
 * How a start uses it:
 *
 *	cgroup_prepare()	folders, limits, descriptors; before clone3, so that nothing ever runs unlimited
 *	clone3			with CLONE_INTO_CGROUP and launch.cgroup_fd when that is >= 0
 *	cgroup_enter()		first thing in the new process (it still has the caller's ids): joins the v1 hierarchies
 *	cgroup_release()	in the starter: closes what prepare opened
 *	wall_cgroupns.raise	unshares the cgroup namespace, which takes its root from where the process is by then; so
 *				CLONE_NEWCGROUP does not belong into clone3's flags
 *
 * A process that writes "0" to a v1 `tasks` file migrates itself without the kernel's threadgroup lock: 5 to 15
 * microseconds. Written from outside, the first of them waits for an RCU grace period: half a millisecond and more.
 */
#pragma once

#include "base/error.h"
#include "confine/wall.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller {
	CG_MEMORY,
	CG_PIDS,
	CG_CPU,
	CG_CPUSET,
	CG_IO,
	CG_DEVICES,
	CG_FREEZER,
	CG_CPUACCT,
	CG_V2, /* a v2 machine's one tree, which serves all of the above */
	CG_COUNT,
};
#define CG_BIT(c) (1u << (c))

/* An open container cgroup: a descriptor of its folder in each hierarchy (-1: not there). */
struct cgroup {
	char path[512];
	int fd[CG_COUNT];
	bool v2; /* memory, pids, ... are in the v2 tree: those fd[] are -1 and CG_V2 serves them */
};
void cgroup_init(struct cgroup *cg);
void cgroup_close(struct cgroup *cg);
#define _cleanup_cgroup_ __attribute__((cleanup(cgroup_close)))

/*
 * Opens the cgroup at a recorded path. Only a path of brig's own shape is opened (a last part below brig/run or
 * brig-user-N, or one that begins with "brig-"), without links and without leaving the hierarchy: -EPERM otherwise.
 * -ENOENT: it does not exist in any hierarchy.
 */
int cgroup_open(const char *path, struct cgroup *cg, struct error *e);
/* True when the path has that shape. */
bool cgroup_path_ok(const char *path);

/* For handing it to another program: the descriptors in use, and back. `fds` has room for CG_COUNT; returns the number. */
size_t cgroup_fds(const struct cgroup *cg, int *fds);
int cgroup_from_fds(struct cgroup *cg, const char *path, const int *fds, size_t n, struct error *e);

/*
 * Descriptors by which a later process joins, even where whoever holds them has no right to open the files: the kernel
 * asks the credentials of the opener, so that one that root opened puts any process into this one cgroup: never for a
 * process that handles a container's bytes. v1 needs no root: the owner may open them itself (cgroup_owner_joins()). `fds` has room for CG_COUNT; returns the number or a negative errno.
 */
int cgroup_open_procs(const struct cgroup *cg, int *fds, struct error *e);
/* True when the owner of the cgroup may call cgroup_open_procs() without root: v1. */
static inline bool cgroup_owner_joins(const struct cgroup *cg)
{
	return !cg->v2;
}
/* The calling, single-threaded process joins. 0 or a negative errno. */
int cgroup_join(const int *fds, size_t n);

/* Start; see above. On failure of prepare nothing is left behind. */
int cgroup_prepare(struct plan *p, struct launch *l, struct error *e);
int cgroup_enter(struct launch *l, struct error *e);
void cgroup_release(struct launch *l);

/* Sets the limits of `s` on a running container's cgroup. The error names the limit; earlier ones stay set. */
int cgroup_update(const struct cgroup *cg, const struct spec *s, struct error *e);

/* Kills every process in it and below, until none is left. 0, or -ETIMEDOUT after `timeout_ms` (uninterruptible sleep). */
int cgroup_kill(const struct cgroup *cg, int timeout_ms, struct error *e);
/* Freezes or thaws all of it; waits until that is so. -EOPNOTSUPP where no hierarchy can. */
int cgroup_freeze(const struct cgroup *cg, bool frozen, int timeout_ms, struct error *e);
bool cgroup_frozen(const struct cgroup *cg);
/* The same by a recorded path, opening no more than that; false when it cannot be told. */
bool cgroup_frozen_at(const char *path);
/* Removes the folders, and those that were made below them. -EBUSY when a process is in it. One that is gone is 0. */
int cgroup_remove(const struct cgroup *cg, struct error *e);
/* Process ids in it and below, as our pid namespace numbers them; the caller frees. */
int cgroup_procs(const struct cgroup *cg, pid_t **pids, size_t *n, struct error *e);
/* 1 when a process is in it or below, 0 when none, or a negative errno. */
int cgroup_populated(const struct cgroup *cg);

/* UINT64_MAX: not known here, or (limits) none. */
struct cgroup_stats {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t throttled_ns;
	uint64_t memory, memory_peak, memory_limit; /* bytes; `memory` without inactive page cache, as docker counts */
	uint64_t memory_cache, swap;
	uint64_t pids, pids_limit;
	uint64_t io_read, io_write; /* bytes */
	uint64_t oom_kills;	    /* processes killed for lack of memory */
};
void cgroup_stats(const struct cgroup *cg, struct cgroup_stats *st);

/*
 * For who watches it: a descriptor of the file whose "oom_kill N" counts processes killed for lack of memory (v2 memory.events,
 * which poll(2) announces by POLLPRI; v1 memory.oom_control), and with v1 an eventfd that the kernel adds to. -1: none.
 */
void cgroup_open_oom(const struct cgroup *cg, int *file, int *event);

/* What this machine has, for `brig info` and `brig setup`. */
struct cgroup_machine {
	int version;		 /* 2, 1, 0: none */
	bool hybrid;		 /* v1 with a v2 tree beside it, unused */
	unsigned present;	 /* controllers that exist */
	unsigned usable;	 /* controllers in which the caller can make containers' folders */
	char base[256];		 /* where, relative to each mount; empty when nowhere */
};
void cgroup_look(struct cgroup_machine *m);
const char *cgroup_controller_name(enum cgroup_controller c);

/*
 * Root: makes brig-user-UID in each hierarchy and gives it to the user; with `check`, only looks. `done` gets a line for
 * each thing that was made or is missing (the caller frees). Returns how many things were, or would be, made.
 */
int cgroup_delegate(uid_t uid, gid_t gid, bool check, char ***done, struct error *e);

/* Root: removes brig-user-UID everywhere; -EBUSY while a container runs in it. `done` gets a line when there was one. */
int cgroup_undelegate(uid_t uid, char ***done, struct error *e);

extern const struct wall wall_cgroup;
extern const struct wall wall_cgroupns;
