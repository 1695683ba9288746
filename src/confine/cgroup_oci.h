/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup of an OCI container (runtime-spec, config-linux.md, "Control groups"): where the caller wants it, with the
 * caller's resources. Beside cgroup.h, which places brig's own containers: here any path is possible, every v1 hierarchy
 * that is mounted gets a folder, and on a hybrid machine the v2 tree beside them too (its cgroup.kill and its device
 * programs work there).
 *
 *	path		absolute	from the mount points of the hierarchies
 *			relative	v1: from the caller's own cgroup; v2: from the folder above it, since controllers
 *					cannot be given to folders below one that has processes
 *			NULL or ""	brig-oci/ID; for a user brig-user-UID/ID (`brig setup`) or below its systemd manager
 *			a:b:c		with systemd: slice a, scope b-c.scope; or slice c when that ends with ".slice"
 *
 * How create uses it, when oci_cgroup_by_systemd() is false:
 *
 *	oci_cgroup_plan(), oci_cgroup_make(), oci_cgroup_apply()	before clone3: nothing ever runs unlimited
 *	oci_cgroup_open_joins(), clone3 with CLONE_INTO_CGROUP and oci_cgroup_clone_fd() when that is >= 0, and
 *	cgroup_join() of cgroup.h in the new process
 *
 * systemd starts a scope only with a process in it, so there: plan, clone3, oci_cgroup_start_scope(pid), apply, and only
 * then is the process told to go on.
 *
 * Errors of resources begin with the property's name, "linux.resources.memory.swap: ...". What the kernel does not have is
 * such an error, but for values that mean "no limit".
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "spec/oci.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { OCI_CG_HIERARCHIES = 16, OCI_CG_PATH = 1024 };

struct oci_hierarchy {
	char names[96]; /* "memory", "cpu,cpuacct", "name=systemd"; "" is v2, as in /proc/PID/cgroup */
	int top;	/* O_PATH of the mount point, owned */
	int fd;		/* O_PATH of the container's folder, owned; -1: not there */
	char own[OCI_CG_PATH];	/* the caller's own place, "/..." */
	char path[OCI_CG_PATH]; /* the container's folder from `top`, without a slash in front */
	bool made;	/* by oci_cgroup_make(), so that its failure can take it away */
};

struct oci_cgroup {
	int version; /* 2: one v2 tree; 1: v1 hierarchies, perhaps with a v2 tree beside; 0: none is mounted */
	size_t n;
	struct oci_hierarchy h[OCI_CG_HIERARCHIES];
	char slice[256], unit[256]; /* systemd; else "" */
	bool may_miss; /* a user without a delegated cgroup, and no path was asked for: goes on without */
};

struct oci_cgroup_request {
	const char *path; /* linux.cgroupsPath */
	const char *id;
	bool systemd;	  /* --systemd-cgroup */
};

void oci_cgroup_close(struct oci_cgroup *cg);
#define _cleanup_oci_cgroup_ __attribute__((cleanup(oci_cgroup_close)))

/* Looks at the machine and decides where; makes nothing. */
int oci_cgroup_plan(struct oci_cgroup *cg, const struct oci_cgroup_request *rq, struct error *e);
static inline bool oci_cgroup_by_systemd(const struct oci_cgroup *cg)
{
	return cg->unit[0] != 0;
}
/* Makes and opens the folders. -EBUSY: one has processes or is frozen. On failure nothing is left behind. */
int oci_cgroup_make(struct oci_cgroup *cg, struct error *e);
/* Has systemd start the scope around `pid`, with what of `r` (may be NULL) systemd sets itself, and opens the folders. */
int oci_cgroup_start_scope(struct oci_cgroup *cg, pid_t pid, const struct oci_resources *r, struct error *e);

/* What state.json keeps, and the way back: a missing folder gets fd -1. */
json_t *oci_cgroup_record(const struct oci_cgroup *cg);
int oci_cgroup_open(struct oci_cgroup *cg, const json_t *record, struct error *e);
/* Absolute path of the folder that callers look for (v2, else memory, else the first) or NULL. The caller frees. */
char *oci_cgroup_text(const struct oci_cgroup *cg);

/* All resources of a new container. Device rules: runc's and crun's standard devices are allowed after the caller's rules. */
int oci_cgroup_apply(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e);
/* Those that are given, on a running one; device rules only when there are some. Earlier ones stay set on failure. */
int oci_cgroup_update(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e);

/*
 * Descriptors for cgroup_join(). `init`, when > 0, is the container's first process: where it has moved on to a folder
 * below, because v2 takes no processes beside folders with controllers, a new process follows it there. v2 is not among
 * them with `cloned`. `fds` has room for OCI_CG_HIERARCHIES; returns the number or a negative errno.
 */
int oci_cgroup_open_joins(const struct oci_cgroup *cg, pid_t init, bool cloned, int *fds, struct error *e);
/* The v2 folder for clone3's CLONE_INTO_CGROUP, borrowed; -1: there is none. */
int oci_cgroup_clone_fd(const struct oci_cgroup *cg);
/* Moves another process in. */
int oci_cgroup_attach(const struct oci_cgroup *cg, pid_t pid, struct error *e);

int oci_cgroup_freeze(const struct oci_cgroup *cg, bool frozen, int timeout_ms, struct error *e);
bool oci_cgroup_frozen(const struct oci_cgroup *cg);
/* Does any hierarchy have a folder of the container? Without, nobody can say which processes are its own. */
bool oci_cgroup_has_members(const struct oci_cgroup *cg);
/* Pids in it and below, as our pid namespace numbers them; the caller frees. */
int oci_cgroup_pids(const struct oci_cgroup *cg, pid_t **pids, size_t *n, struct error *e);
/* Sends `sig` to all in it and below; SIGKILL at once where the kernel can, else frozen, so that none escapes by forking. */
int oci_cgroup_signal(const struct oci_cgroup *cg, int sig, struct error *e);
/* SIGKILL until none is left; -ETIMEDOUT. */
int oci_cgroup_kill(const struct oci_cgroup *cg, int timeout_ms, struct error *e);
/*
 * Ends the scope that systemd keeps of the container (org.freedesktop.systemd1(5), StopUnit). It does so by itself when it sees
 * the cgroup empty, which it cannot when the folder is gone first. 0 without a scope, or without systemd.
 */
int oci_cgroup_end_scope(const struct oci_cgroup *cg, struct error *e);
/* Removes the folders with what is below them. -EBUSY: processes. One that is gone is fine. */
int oci_cgroup_remove(const struct oci_cgroup *cg, struct error *e);

/* "data" of `events --stats`, in the shape that runc gave it. A new reference. */
json_t *oci_cgroup_stats(const struct oci_cgroup *cg);
/* For `events`: a descriptor that poll(2) reports (POLLPRI on v2, POLLIN on v1) when memory ran out. *file must stay open. */
int oci_cgroup_open_oom(const struct oci_cgroup *cg, int *file, struct error *e);
/* How often the kernel killed for lack of memory. */
uint64_t oci_cgroup_oom_kills(const struct oci_cgroup *cg);
