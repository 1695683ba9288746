/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence: where a process is and what its cgroup's files say, read from outside. */
#include "confine/cgroup_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_places(const struct subject *s)
{
	char *text = NULL;

	return file_read(s->proc_fd, "cgroup", 65536, &text, NULL) < 0 ? NULL : text;
}

/* `place` is `path` or below it. */
static bool within(const char *place, const char *path)
{
	const char *rest;

	while (*place == '/')
		place++;
	rest = str_after(place, path);
	return rest && (*rest == 0 || *rest == '/');
}

static void judge_place(const struct plan *p, const char *path, const char *text, struct evidence *ev)
{
	unsigned want = p->cgroup.version == 2 ? CG_BIT(CG_V2) : p->cgroup.controllers;

	for (enum cgroup_controller c = 0; c < CG_COUNT; c++) {
		char place[1024];

		if (!(want & CG_BIT(c)) || cgroup_top(c) < 0)
			continue;
		if (cgroup_place(text, c, place, sizeof(place)) < 0) {
			evidence_add(ev, VERDICT_DOWN, "%s: not in /proc/PID/cgroup", cgroup_controller_name(c));
			evidence_why(ev, "controller %s is not mounted any more", cgroup_controller_name(c));
		} else if (!within(place, path)) {
			evidence_add(ev, VERDICT_DOWN, "%s:%s", cgroup_controller_name(c), place);
			evidence_why(ev, "it is in %s, not in %s (%s)", place, path, cgroup_controller_name(c));
		}
	}
	if (ev->verdict == VERDICT_STANDS)
		evidence_add(ev, VERDICT_STANDS, "in %s", path);
}

static void judge_limits(const struct plan *p, const struct cgroup *cg, struct evidence *ev)
{
	struct cgroup_setting set[CG_SETTINGS_MAX];
	size_t n = cgroup_settings(p->spec, cg->v2, p->cgroup.controllers, set);

	for (size_t i = 0; i < n; i++) {
		char got[512];
		int fd = cgroup_fd(cg, set[i].controller);
		int r = fd < 0 ? -ENOENT : file_read_line(fd, set[i].file, got, sizeof(got));

		if (r == -ENOENT && (streq(set[i].file, "memory.oom.group") ||
				     (streq(set[i].limit, "swap") && !cgroup_machine_has_swap())))
			continue;
		if (r < 0) {
			evidence_add(ev, VERDICT_UNKNOWN, "%s: %s", set[i].file, error_name(r));
			evidence_why(ev, "%s cannot be read", set[i].file);
			continue;
		}
		if (cgroup_value_equal(set[i].file, set[i].value, got)) {
			evidence_add(ev, VERDICT_STANDS, "%s=%.*s", set[i].file, (int)strcspn(got, "\n"), got);
			continue;
		}
		evidence_add(ev, VERDICT_DOWN, "%s=%.*s", set[i].file, (int)strcspn(got, "\n"), got);
		evidence_why(ev, "%s is %.*s, planned %s", set[i].file, (int)strcspn(got, "\n"), got, set[i].value);
	}
}

static void judge_devices(const struct cgroup *cg, struct evidence *ev)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (cg->fd[CG_DEVICES] >= 0) {
		r = file_read(cg->fd[CG_DEVICES], "devices.list", 65536, &text, NULL);
		if (r < 0)
			evidence_add(ev, VERDICT_UNKNOWN, "devices.list: %s", error_name(r));
		else if (text[0] == 'a' || strstr(text, "*:*")) {
			evidence_add(ev, VERDICT_DOWN, "devices.list: all");
			evidence_why(ev, "every device is allowed");
		} else {
			size_t lines = 0;

			for (char *nl = text; (nl = strchr(nl, '\n')); nl++)
				lines++;
			evidence_add(ev, VERDICT_STANDS, "devices.list: %zu entries", lines);
		}
		return;
	}
	r = cgroup_devices_v2_stands(cg->fd[CG_V2]);
	if (r > 0)
		evidence_add(ev, VERDICT_STANDS, "device program attached");
	else if (r == -EPERM || r == -EACCES)
		evidence_add(ev, VERDICT_STANDS, "device program: only root can look");
	else {
		evidence_add(ev, VERDICT_DOWN, "no device program");
		evidence_why(ev, "the device program is not attached");
	}
}

/* Looks upwards from a place for a limit. 1 found (text in `out`), 0 none, or a negative errno. */
static int find_limit(enum cgroup_controller c, const char *place, const char *file, const char *none, char *out,
		      size_t size)
{
	char path[1100], got[64];

	snprintf(path, sizeof(path), ".%s", place);
	for (;;) {
		_cleanup_close_ int fd = path_open_beneath(cgroup_top(c), path, O_PATH | O_DIRECTORY, 0);
		char *slash;
		int r = fd < 0 ? fd : file_read_line(fd, file, got, sizeof(got));

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && !(none ? streq(got, none) : strtoull(got, NULL, 10) >= INT64_MAX / 4096 * 4096)) {
			snprintf(out, size, "%s=%s", file, got);
			return 1;
		}
		slash = strrchr(path, '/');
		if (!slash)
			return 0;
		*slash = 0;
	}
}

static void judge_foreign(const char *text, struct evidence *ev)
{
	bool v2 = cgroup_version() == 2;
	const struct {
		enum cgroup_controller c;
		const char *file, *none, *what;
	} looked[] = {
		{ CG_MEMORY, v2 ? "memory.max" : "memory.limit_in_bytes", v2 ? "max" : NULL, "memory" },
		{ CG_PIDS, "pids.max", "max", "tasks" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(looked); i++) {
		enum cgroup_controller c = v2 ? CG_V2 : looked[i].c;
		char place[1024], found[128];
		int r = cgroup_top(c) < 0 ? cgroup_top(c) : cgroup_place(text, c, place, sizeof(place));

		if (r == 0)
			r = find_limit(c, place, looked[i].file, looked[i].none, found, sizeof(found));
		if (r > 0) {
			evidence_add(ev, VERDICT_STANDS, "%s", found);
			continue;
		}
		evidence_add(ev, r < 0 && r != -ENOENT ? VERDICT_UNKNOWN : VERDICT_DOWN, "%s: %s", looked[i].what,
			     r < 0 ? error_name(r) : "no limit");
		evidence_why(ev, "nothing limits its %s", looked[i].what);
	}
}

void cgroup_prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_free_ char *text = read_places(s);
	_cleanup_cgroup_ struct cgroup cg;
	const char *path = s->cgroup && *s->cgroup ? s->cgroup : p ? p->cgroup.path : NULL;
	struct error e = { 0 };

	cgroup_init(&cg);
	if (!text) {
		evidence_add(ev, VERDICT_UNKNOWN, "/proc/PID/cgroup cannot be read");
		evidence_why(ev, "the process is gone or not ours to read");
		return;
	}
	if (!p) {
		judge_foreign(text, ev);
		return;
	}
	if (!p->cgroup.controllers) {
		evidence_add(ev, VERDICT_STANDS, "no cgroup of its own");
	} else if (cgroup_open(path, &cg, &e) < 0) {
		evidence_add(ev, VERDICT_DOWN, "%s: not there", path);
		evidence_why(ev, "%s", e.text);
	} else {
		judge_place(p, path, text, ev);
		judge_limits(p, &cg, ev);
		if (p->cgroup.controllers & CG_BIT(CG_DEVICES))
			judge_devices(&cg, ev);
	}
	evidence_settle(ev, p, WALL_CGROUP);
}

static int cgroupns_plan(const struct spec *s, struct plan *p, struct error *e)
{
	(void)e;
	if (spec_lowered(s, "cgroupns", NULL))
		wall_not_up(p, WALL_CGROUPNS, INTENT_LOWERED, "lowered by name", "the host's cgroup namespace");
	else
		wall_up(p, WALL_CGROUPNS, "own cgroup namespace");
	return 0;
}

/* After cgroup_enter(): the namespace's root is where the process is now. */
static int cgroupns_raise(struct launch *l, struct error *e)
{
	if (l->plan->wall[WALL_CGROUPNS].intent != INTENT_UP)
		return 0;
	return unshare(CLONE_NEWCGROUP) < 0 ? error_errno(e, errno, "cannot make a cgroup namespace") : 0;
}

static void cgroupns_prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	uint64_t theirs = subject_ns(s, "cgroup");
	struct stat ours;

	if (!theirs || stat("/proc/self/ns/cgroup", &ours) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "ns/cgroup cannot be read");
		evidence_why(ev, "its namespaces are not ours to read");
		return;
	}
	if (theirs == ours.st_ino) {
		bool planned = p && p->wall[WALL_CGROUPNS].intent != INTENT_UP;

		evidence_add(ev, planned ? VERDICT_STANDS : VERDICT_DOWN, "cgroup:[%llu], the host's",
			     (unsigned long long)theirs);
		if (!planned)
			evidence_why(ev, "it shares the host's cgroup namespace");
	} else {
		evidence_add(ev, VERDICT_STANDS, "cgroup:[%llu], host cgroup:[%llu]", (unsigned long long)theirs,
			     (unsigned long long)ours.st_ino);
	}
	evidence_settle(ev, p, WALL_CGROUPNS);
}

const struct wall wall_cgroupns = {
	.id = WALL_CGROUPNS,
	.name = "cgroupns",
	.what = "own cgroup namespace: its cgroup is all it sees",
	.can_lower = true,
	.plan = cgroupns_plan,
	.raise = cgroupns_raise,
	.prove = cgroupns_prove,
};
