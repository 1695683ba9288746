/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/config.h"
#include "engine/events.h"
#include "engine/usage.h"

#include <stdlib.h>
#include <string.h>

struct update_options {
	uint64_t memory, memory_reservation, cpu_shares, cpu_weight, cpu_period, cpu_quota;
	char *memory_swap, *pids, *cpus, *cpuset_cpus, *cpuset_mems, *restart;
};

static const struct cli_option options[] = {
	CLI_OPT(struct update_options, memory, "memory", 'm', CLI_SIZE, "BYTES", "memory limit", NULL),
	CLI_OPT(struct update_options, memory_swap, "memory-swap", 0, CLI_STRING, "BYTES",
		"memory and swap together; -1: any amount of swap", NULL),
	CLI_OPT(struct update_options, memory_reservation, "memory-reservation", 0, CLI_SIZE, "BYTES",
		"memory that is reclaimed last", NULL),
	CLI_OPT(struct update_options, pids, "pids-limit", 0, CLI_STRING, "N", "tasks; -1: no limit", NULL),
	CLI_OPT(struct update_options, cpus, "cpus", 0, CLI_STRING, "N", "CPUs, such as 1.5", NULL),
	CLI_OPT(struct update_options, cpu_shares, "cpu-shares", 'c', CLI_U64, "N",
		"weight beside others, 2 to 262144, 1024 is usual", NULL),
	CLI_OPT(struct update_options, cpu_weight, "cpu-weight", 0, CLI_U64, "N", "the same, 1 to 10000, 100 is usual", NULL),
	CLI_OPT(struct update_options, cpu_period, "cpu-period", 0, CLI_U64, "MICROSECONDS", "period of --cpu-quota", NULL),
	CLI_OPT(struct update_options, cpu_quota, "cpu-quota", 0, CLI_U64, "MICROSECONDS", "CPU time in each period", NULL),
	CLI_OPT(struct update_options, cpuset_cpus, "cpuset-cpus", 0, CLI_STRING, "LIST", "CPUs to run on, such as 0-3,7",
		NULL),
	CLI_OPT(struct update_options, cpuset_mems, "cpuset-mems", 0, CLI_STRING, "LIST", "memory nodes", NULL),
	CLI_OPT(struct update_options, restart, "restart", 0, CLI_STRING, "POLICY",
		"no, on-failure[:N], always, unless-stopped", "no on-failure always unless-stopped"),
	CLI_END,
};

static bool any(const struct update_options *o)
{
	static const struct update_options none;

	return memcmp(o, &none, sizeof(none)) != 0;
}

/* What was not named stays as it is. */
static int change(struct container_config *c, const struct update_options *o, struct error *e)
{
	const struct spec_limits old = c->limits;
	const struct config_resources res = {
		.memory = o->memory,
		.memory_reservation = o->memory_reservation ? o->memory_reservation : old.memory_low,
		.memory_swap = o->memory_swap,
		.cpus = o->cpus,
		.cpuset_cpus = o->cpuset_cpus,
		.cpuset_mems = o->cpuset_mems,
		.pids_limit = o->pids,
		.cpu_shares = o->cpu_shares,
		.cpu_weight = o->cpu_weight,
		.cpu_period_us = o->cpu_period,
		.cpu_quota_us = o->cpu_quota,
	};
	int r = config_set_resources(c, &res, e);

	if (r == 0 && !o->cpus && !o->cpu_quota && !o->cpu_period) {
		c->limits.cpu_quota_us = old.cpu_quota_us;
		c->limits.cpu_period_us = old.cpu_period_us;
	}
	if (r == 0 && o->restart)
		r = config_set_restart(c, o->restart, e);
	return r;
}

static bool limits_named(const struct update_options *o)
{
	struct update_options rest = *o;

	rest.restart = NULL;
	return any(&rest);
}

/* First the running processes, then the file: a limit that cannot be set changes nothing. */
static int one(struct container *c, const struct update_options *o, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;
	struct spec s;
	int r = change(&c->config, o, e);

	cgroup_init(&cg);
	if (r < 0)
		return r;
	if (c->config.auto_remove && c->config.restart != RESTART_NO)
		return error_set(e, EINVAL, "a container that was made with --rm does not restart");
	if (container_running(c) && limits_named(o)) {
		spec_init(&s); /* borrows */
		s.limits = c->config.limits;
		s.lower = c->config.lower;
		s.n_lower = c->config.n_lower;
		r = container_cgroup(c, &cg, e);
		if (r == 0)
			r = cgroup_update(&cg, &s, e);
		if (r < 0)
			return r;
	}
	r = container_save_config(c, e);
	if (r == 0)
		event_record("container", c->config.id, c->config.name, "update", NULL, 0, NULL);
	return r;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct update_options *o = options_;
	int failed = 0;

	if (!any(o))
		return error_set(e, EINVAL, "what shall be updated? see brig update --help");
	for (int i = 0; i < argc; i++) {
		struct error own = { 0 };
		struct container c;
		int r = container_find(argv[i], &c, &own);

		if (r == 0) {
			r = one(&c, o, &own);
			if (r < 0)
				error_wrap(&own, "cannot update %s", argv[i]);
			container_free(&c);
		}
		if (r == 0) {
			printf("%s\n", argv[i]);
			continue;
		}
		cli_fail(&own);
		failed = 1;
	}
	return failed;
}

const struct cli_command cmd_update = {
	.name = "update",
	.aliases = "container update",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER...",
	.summary = "change the limits and the restart policy of containers",
	.description = "Limits of a running container change at once; less memory than it uses is taken from its caches, and "
		       "where that is not enough refused (cgroup v1) or taken by ending processes of it (v2). What is not named "
		       "stays. A limit of which the container runs without the controller is taken by its next start only.",
	.options = options,
	.options_size = sizeof(struct update_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
