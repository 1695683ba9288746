/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/rlimits.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "confine/cgroup.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Names of --ulimit and of /proc/PID/limits (proc(5)); the latter's columns are fixed. */
static const struct {
	int resource;
	const char *name, *proc;
} known[] = {
	{ RLIMIT_AS, "as", "Max address space" },
	{ RLIMIT_CORE, "core", "Max core file size" },
	{ RLIMIT_CPU, "cpu", "Max cpu time" },
	{ RLIMIT_DATA, "data", "Max data size" },
	{ RLIMIT_FSIZE, "fsize", "Max file size" },
	{ RLIMIT_LOCKS, "locks", "Max file locks" },
	{ RLIMIT_MEMLOCK, "memlock", "Max locked memory" },
	{ RLIMIT_MSGQUEUE, "msgqueue", "Max msgqueue size" },
	{ RLIMIT_NICE, "nice", "Max nice priority" },
	{ RLIMIT_NOFILE, "nofile", "Max open files" },
	{ RLIMIT_NPROC, "nproc", "Max processes" },
	{ RLIMIT_RSS, "rss", "Max resident set" },
	{ RLIMIT_RTPRIO, "rtprio", "Max realtime priority" },
	{ RLIMIT_RTTIME, "rttime", "Max realtime timeout" },
	{ RLIMIT_SIGPENDING, "sigpending", "Max pending signals" },
	{ RLIMIT_STACK, "stack", "Max stack size" },
};

static const char *const details[] = { "core", "nofile", "nproc", "stack", "memlock", "rtprio", "nice", NULL };
static const char *const texts[] = { "core files",	   "open files, as the caller has them",
				     "tasks of each user", "stack size",
				     "locked memory",	   "real-time priorities",
				     "raised priorities",  NULL };

const char *rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].resource == resource)
			return known[i].name;
	return NULL;
}

int rlimit_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(known[i].name, name))
			return known[i].resource;
	return -1;
}

static int parse_value(const char *s, uint64_t *out)
{
	if (streq(s, "-1") || streq(s, "unlimited")) {
		*out = RLIM_INFINITY;
		return 0;
	}
	return parse_u64(s, 0, INT64_MAX, out);
}

int rlimit_parse(const char *arg, struct spec_rlimit *out, struct error *e)
{
	const char *eq = strchr(arg, '='), *colon;
	_cleanup_free_ char *name = NULL, *soft = NULL;

	if (!eq)
		return error_set(e, EINVAL, "ulimit \"%s\": not NAME=SOFT[:HARD]", arg);
	name = xstrndup(arg, (size_t)(eq - arg));
	out->resource = rlimit_by_name(name);
	if (out->resource < 0) {
		_cleanup_buf_ struct buf b = { 0 };

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			buf_printf(&b, "%s%s", i ? ", " : "", known[i].name);
		return error_set(e, EINVAL, "ulimit \"%s\": no such limit; there are %s", arg, b.data);
	}
	colon = strchr(eq, ':');
	soft = colon ? xstrndup(eq + 1, (size_t)(colon - eq - 1)) : xstrdup(eq + 1);
	if (parse_value(soft, &out->soft) < 0 || parse_value(colon ? colon + 1 : soft, &out->hard) < 0)
		return error_set(e, EINVAL, "ulimit \"%s\": not a number", arg);
	if (out->soft > out->hard)
		return error_set(e, EINVAL, "ulimit \"%s\": the soft limit is above the hard one", arg);
	return 0;
}

/* Root of a container or of a small virtual machine may lack it. */
bool rlimits_can_raise(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & (1u << CAP_SYS_RESOURCE));
}

static const struct spec_rlimit *asked(const struct spec *s, int resource)
{
	for (size_t i = 0; i < s->n_rlimits; i++)
		if (s->rlimits[i].resource == resource)
			return &s->rlimits[i];
	return NULL;
}

static void add_default(const struct spec *s, struct spec_rlimit *out, size_t *n, int resource, uint64_t soft,
			uint64_t hard)
{
	if (!asked(s, resource) && !spec_lowered(s, "rlimits", rlimit_name(resource)))
		out[(*n)++] = (struct spec_rlimit){ resource, soft, hard };
}

size_t rlimits_make(const struct plan *p, struct spec_rlimit *out)
{
	const struct spec *s = p->spec;
	bool in_cgroup = s->cgroup_stands || (p->cgroup.controllers & CG_BIT(CG_PIDS));
	size_t n = 0;

	add_default(s, out, &n, RLIMIT_CORE, 0, 0);
	add_default(s, out, &n, RLIMIT_NOFILE, 65536, 65536);
	/* Beside a pids cgroup it would only stand in the way of a limit that is raised later: a hard limit cannot be. */
	if (s->limits.pids && !in_cgroup)
		add_default(s, out, &n, RLIMIT_NPROC, s->limits.pids, s->limits.pids);
	add_default(s, out, &n, RLIMIT_STACK, 8 << 20, 64 << 20);
	add_default(s, out, &n, RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
	add_default(s, out, &n, RLIMIT_RTPRIO, 0, 0);
	add_default(s, out, &n, RLIMIT_NICE, 0, 0);
	for (size_t i = 0; i < s->n_rlimits && n < RLIMITS_MAX; i++)
		out[n++] = s->rlimits[i];
	return n;
}

static const char *value_text(uint64_t v, char out[static 24])
{
	if (v == RLIM_INFINITY)
		return "unlimited";
	snprintf(out, 24, "%llu", (unsigned long long)v);
	return out;
}

static int rlimits_plan(const struct spec *s, struct plan *p, struct error *e)
{
	struct spec_rlimit limits[RLIMITS_MAX];
	char text[400] = "", note[200] = "", num[24];
	size_t n, used = 0;

	if (spec_lowered(s, "rlimits", NULL)) {
		wall_not_up(p, WALL_RLIMITS, INTENT_LOWERED, "lowered by name", "the caller's own limits");
		return 0;
	}
	n = rlimits_make(p, limits);
	for (size_t i = 0; i < n; i++) {
		const struct spec_rlimit *r = &limits[i];
		struct rlimit now;

		if (r->soft > r->hard)
			return error_set(e, EINVAL, "ulimit %s: the soft limit is above the hard one",
					 rlimit_name(r->resource));
		if (asked(s, r->resource) && !rlimits_can_raise() &&
		    getrlimit((__rlimit_resource_t)r->resource, &now) == 0 && r->hard > now.rlim_max)
			return error_set(e, EPERM, "ulimit %s: %s is more than the caller's own hard limit of %llu",
					 rlimit_name(r->resource), value_text(r->hard, num),
					 (unsigned long long)now.rlim_max);
		if (used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s", used ? ", " : "",
						 rlimit_name(r->resource), value_text(r->soft, num));
	}
	used = 0;
	for (size_t i = 0; details[i]; i++)
		if (spec_lowered(s, "rlimits", details[i]) && used < sizeof(note))
			used += (size_t)snprintf(note + used, sizeof(note) - used, "%s%s", used ? ", " : "lowered: ",
						 details[i]);
	if (used)
		wall_not_up(p, WALL_RLIMITS, INTENT_LOWERED, note, "%s", text);
	else
		wall_up(p, WALL_RLIMITS, "%s", text);
	return 0;
}

static int set_limit(pid_t pid, const struct spec *s, const struct spec_rlimit *want, struct error *e)
{
	__rlimit_resource_t res = (__rlimit_resource_t)want->resource;
	struct rlimit now, set = { .rlim_cur = want->soft, .rlim_max = want->hard };

	if (prlimit(pid, res, NULL, &now) < 0)
		return error_errno(e, errno, "cannot read ulimit %s", rlimit_name(want->resource));
	/* A default that is above what the caller has would be no limit at all: the caller's stays. */
	if (!asked(s, want->resource)) {
		if (set.rlim_max > now.rlim_max)
			set.rlim_max = now.rlim_max;
		if (set.rlim_cur > set.rlim_max)
			set.rlim_cur = set.rlim_max;
	}
	if (prlimit(pid, res, &set, NULL) < 0)
		return error_errno(e, errno, "cannot set ulimit %s", rlimit_name(want->resource));
	return 0;
}

/* CAP_SYS_RESOURCE inside a user namespace does not raise a hard limit: so it is done from here. */
static int rlimits_outside(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;

	if (spec_lowered(s, "rlimits", NULL) || !rlimits_can_raise())
		return 0;
	for (size_t i = 0; i < s->n_rlimits; i++) {
		int r = set_limit(l->pid, s, &s->rlimits[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int rlimits_raise(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	struct spec_rlimit limits[RLIMITS_MAX];
	size_t n;

	if (spec_lowered(s, "rlimits", NULL))
		return 0;
	n = rlimits_make(l->plan, limits);
	for (size_t i = 0; i < n; i++) {
		int r = set_limit(0, s, &limits[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A line of /proc/PID/limits: the name in 26 columns, then soft, hard, unit. */
static bool find_limit(const char *text, int resource, uint64_t *soft, uint64_t *hard)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char a[24], b[24];
		const char *line;

		if (known[i].resource != resource)
			continue;
		line = strstr(text, known[i].proc);
		if (!line || sscanf(line + strlen(known[i].proc), " %23s %23s", a, b) != 2)
			return false;
		*soft = streq(a, "unlimited") ? RLIM_INFINITY : strtoull(a, NULL, 10);
		*hard = streq(b, "unlimited") ? RLIM_INFINITY : strtoull(b, NULL, 10);
		return true;
	}
	return false;
}

static void judge(const struct spec_rlimit *want, const char *text, struct evidence *ev)
{
	const char *name = rlimit_name(want->resource);
	uint64_t soft, hard;
	char a[24], b[24], c[24], d[24];
	bool ok;

	if (!find_limit(text, want->resource, &soft, &hard)) {
		evidence_add(ev, VERDICT_UNKNOWN, "%s: not in /proc/PID/limits", name);
		evidence_why(ev, "%s cannot be read", name);
		return;
	}
	/* The container may tighten its own; never loosen them. */
	ok = hard <= want->hard && soft <= hard;
	evidence_add(ev, ok ? VERDICT_STANDS : VERDICT_DOWN, "%s %s/%s", name, value_text(soft, a), value_text(hard, b));
	if (!ok)
		evidence_why(ev, "%s is %s/%s, planned %s/%s", name, value_text(soft, a), value_text(hard, b),
			     value_text(want->soft, c), value_text(want->hard, d));
}

/* Of a process that brig did not start: what a container should not have. */
static const struct spec_rlimit foreign[] = {
	{ RLIMIT_CORE, 0, 0 },
	{ RLIMIT_NOFILE, 1 << 20, 1 << 20 },
	{ RLIMIT_NPROC, 1 << 22, 1 << 22 },
};

static void rlimits_prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	struct spec_rlimit limits[RLIMITS_MAX];
	const struct spec_rlimit *want = foreign;
	size_t n = ARRAY_SIZE(foreign);

	if (file_read(s->proc_fd, "limits", 65536, &text, NULL) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "/proc/PID/limits cannot be read");
		evidence_why(ev, "the process is gone or not ours to read");
		return;
	}
	if (p && spec_lowered(p->spec, "rlimits", NULL)) {
		n = 0;
		evidence_add(ev, VERDICT_STANDS, "the caller's own limits");
	} else if (p) {
		n = rlimits_make(p, limits);
		want = limits;
	}
	for (size_t i = 0; i < n; i++)
		judge(&want[i], text, ev);
	evidence_settle(ev, p, WALL_RLIMITS);
}

const struct wall wall_rlimits = {
	.on_exec = true,
	.id = WALL_RLIMITS,
	.name = "rlimits",
	.what = "open files, tasks, stack, locked memory; no core files, no priority",
	.details = details,
	.texts = texts,
	.can_lower = true,
	.plan = rlimits_plan,
	.outside = rlimits_outside,
	.raise = rlimits_raise,
	.prove = rlimits_prove,
};
