/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rlimits wall: getrlimit(2). What the specification names goes over brig's defaults:
 *
 *	core		0: a core file of a container is data that leaves it, written by a helper of the host
 *	nofile		65536
 *	nproc		the task limit, where no pids cgroup can be had. Counts per user of the container's user namespace
 *			(since Linux 5.14)
 *	stack		8 MiB, 64 MiB hard
 *	memlock		8 MiB
 *	rtprio, nice	0: no real-time scheduling, no priority over others
 *
 * A default never raises what the caller itself has; a value that was asked for and is above it is an error, but for
 * root (CAP_SYS_RESOURCE), whose starting process raises it from outside.
 * Others (cpu, fsize, data, as, ...) stay as the caller has them.
 */
#pragma once

#include "confine/wall.h"

/* "nofile" and so on, as docker's --ulimit spells it; NULL or -1 when there is none. */
const char *rlimit_name(int resource);
int rlimit_by_name(const char *name);

/* docker's --ulimit: NAME=SOFT[:HARD], "-1" or "unlimited" for none. 0 or negative errno with `e` filled. */
int rlimit_parse(const char *arg, struct spec_rlimit *out, struct error *e);

/* The limits that the wall sets, after the cgroup wall was planned: one for each resource that it touches. Returns the number; room for 16. */
enum { RLIMITS_MAX = 16 };
size_t rlimits_make(const struct plan *p, struct spec_rlimit *out);

/* Has the calling process what it takes to raise a hard limit? */
bool rlimits_can_raise(void);

extern const struct wall wall_rlimits;
