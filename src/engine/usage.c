/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/usage.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int not_running(const struct container *c, struct error *e)
{
	return error_set(e, ESRCH, "container %s is not running", c->config.name);
}

int container_cgroup(const struct container *c, struct cgroup *cg, struct error *e)
{
	cgroup_init(cg);
	if (!container_running(c))
		return not_running(c, e);
	if (!c->state.cgroup || !*c->state.cgroup)
		return error_set(e, EOPNOTSUPP, "container %s has no cgroup of its own", c->config.name);
	return cgroup_open(c->state.cgroup, cg, e);
}

bool container_paused(const struct container *c)
{
	return container_running(c) && c->state.cgroup && cgroup_frozen_at(c->state.cgroup);
}

int container_pause(const struct container *c, bool frozen, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;
	int r = container_cgroup(c, &cg, e);

	if (r == -EOPNOTSUPP) {
		/* SIGSTOP would not be the same: a process sees it, and another one inside can undo it. */
		error_set(e, r, "container %s cannot be paused: it has no cgroup of its own", c->config.name);
		error_hint(e, "a delegated cgroup takes, once, as root: brig setup --user %u", geteuid());
		return r;
	}
	if (r < 0)
		return r;
	if (cgroup_frozen(&cg) == frozen)
		return error_set(e, EALREADY, "container %s is %s", c->config.name,
				 frozen ? "already paused" : "not paused");
	r = cgroup_freeze(&cg, frozen, 10000, e);
	return r < 0 ? error_wrap(e, "container %s", c->config.name) : 0;
}

/* Below /proc/PID, by descriptor: the pid may become another's, the descriptor not. */
static int open_proc(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* "/proc/PID/net/dev", proc(5): two head lines, then "name: rx_bytes 7 more tx_bytes ...". Names are the container's. */
static void net_usage(const struct container *c, struct usage *u)
{
	_cleanup_close_ int proc = -1;
	_cleanup_free_ char *text = NULL;

	if (c->config.network && streq(c->config.network, "host"))
		return;
	proc = open_proc(c->state.pid);
	if (proc < 0 || proc_start_time(c->state.pid) != c->state.pid_start ||
	    file_read(proc, "net/dev", 1 << 20, &text, NULL) < 0)
		return;
	u->net_rx = u->net_tx = 0;
	for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char *colon = line + strcspn(line, ":\n"), *p, *end;
		unsigned long long v[9];
		int n = 0;

		if (*colon != ':')
			continue;
		while (*line == ' ')
			line++;
		if (colon - line == 2 && memcmp(line, "lo", 2) == 0)
			continue;
		for (p = colon + 1; n < 9; n++, p = end) {
			v[n] = strtoull(p, &end, 10);
			if (end == p)
				break;
		}
		if (n == 9) {
			u->net_rx += v[0];
			u->net_tx += v[8];
		}
	}
}

/* Where no cgroup counts. */
static int sum_usage(const struct container *c, struct usage *u, struct error *e)
{
	struct usage_process *p = NULL;
	size_t n = 0;
	int r = container_processes(c, &p, &n, e);

	if (r < 0)
		return r;
	if (u->cg.cpu_ns == UINT64_MAX) {
		u->cg.cpu_ns = 0;
		for (size_t i = 0; i < n; i++)
			u->cg.cpu_ns += p[i].cpu_ns;
	}
	if (u->cg.memory == UINT64_MAX) {
		u->cg.memory = 0;
		for (size_t i = 0; i < n; i++)
			u->cg.memory += p[i].rss;
	}
	if (u->cg.pids == UINT64_MAX) {
		u->cg.pids = 0;
		for (size_t i = 0; i < n; i++)
			u->cg.pids += p[i].threads;
	}
	usage_processes_free(p, n);
	return 0;
}

int container_usage(const struct container *c, struct usage *u, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;

	memset(u, 0xff, sizeof(*u));
	cgroup_init(&cg);
	if (!container_running(c))
		return not_running(c, e);
	u->at_ns = clock_monotonic_ns();
	if (container_cgroup(c, &cg, NULL) == 0)
		cgroup_stats(&cg, &u->cg);
	net_usage(c, u);
	if (u->cg.cpu_ns == UINT64_MAX || u->cg.memory == UINT64_MAX || u->cg.pids == UINT64_MAX)
		return sum_usage(c, u, e);
	return 0;
}
