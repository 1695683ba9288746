/* SPDX-License-Identifier: Apache-2.0 */
/* What a running container uses: for `brig stats` and `brig top`; freezing it. Everything is read from the kernel. */
#pragma once

#include "base/error.h"
#include "confine/cgroup.h"
#include "engine/container.h"

/* A sample. UINT64_MAX: not known. */
struct usage {
	uint64_t at_ns; /* clock_monotonic_ns() */
	struct cgroup_stats cg;
	uint64_t net_rx, net_tx; /* bytes of all its interfaces but lo */
};
/* Of a running container. Without a cgroup, CPU time, memory and tasks are the sums over its processes. */
int container_usage(const struct container *c, struct usage *out, struct error *e);

/* One process of a container, as the host's /proc tells it. */
struct usage_process {
	pid_t pid, ppid, nspid; /* host's numbers; number inside */
	uint32_t uid, host_uid; /* inside (UINT32_MAX: not mapped) and on the host */
	uint64_t start_ns;	/* since the epoch */
	uint64_t cpu_ns;
	uint64_t vsz, rss;	/* bytes */
	uint32_t tty;		/* device number, 0: none */
	uint32_t threads;
	int nice;
	char state;
	char comm[32];		/* untrusted */
	char *args;		/* untrusted; owned */
};
/* By cgroup where there is one, else by pid namespace. Ascending by pid. */
int container_processes(const struct container *c, struct usage_process **out, size_t *n, struct error *e);
void usage_processes_free(struct usage_process *p, size_t n);

/* Freezes or thaws; -EOPNOTSUPP where no cgroup can. */
int container_pause(const struct container *c, bool frozen, struct error *e);
/* Asks the kernel. */
bool container_paused(const struct container *c);
/* Opens the cgroup of a running container. */
int container_cgroup(const struct container *c, struct cgroup *cg, struct error *e);
