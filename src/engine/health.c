/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/health.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "confine/notify.h"
#include "engine/events.h"
#include "engine/life.h"
#include "engine/monitor_bare.h"
#include "runtime/launch.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* As timeout(1) has it. */
enum { EXIT_LATE = 124 };

bool health_step(const struct health_config *h, struct container_state *s, int code, uint64_t now_ns)
{
	const char *next = s->health ? s->health : "starting";
	bool changed;

	if (code == 0) {
		s->health_failing = 0;
		next = "healthy";
	} else if (!streq(next, "starting") || now_ns >= s->started_ns + h->start_period_ns) {
		/* Until the first success failures count only after the start period. */
		s->health_failing++;
		if (s->health_failing >= h->retries)
			next = "unhealthy";
	}
	changed = !s->health || !streq(s->health, next);
	if (changed) {
		free(s->health);
		s->health = xstrdup(next);
	}
	return changed;
}

static void free_result(struct health_result *r)
{
	free(r->output);
}

/* Takes `r`; the oldest goes when there are more than HEALTH_LOG_MAX. */
static void add_result(struct container_state *s, struct health_result r)
{
	while (s->n_health_log >= HEALTH_LOG_MAX) {
		free_result(&s->health_log[0]);
		memmove(s->health_log, s->health_log + 1, --s->n_health_log * sizeof(r));
	}
	s->health_log = xrealloc(s->health_log, s->n_health_log + 1, sizeof(r));
	s->health_log[s->n_health_log++] = r;
}

/* What runs: ["CMD", ...] as it is, ["CMD-SHELL", text] by the container's shell. */
static char **test_args(const struct health_config *h)
{
	char **args = NULL;

	if (!streq(h->test[0], "CMD-SHELL"))
		return strv_copy(h->test + 1);
	strv_add_copy(&args, "/bin/sh");
	strv_add_copy(&args, "-c");
	strv_add_copy(&args, h->test[1]);
	return args;
}

static int start(struct container *c, struct launched *l, struct error *e)
{
	_cleanup_free_ struct plan *plan = xcalloc(1, sizeof(*plan));
	struct launch_io io = { .fd = { -1, -1, -1 } };
	struct launch_again again = { .userns_fd = -1, .netns_fd = -1, .mntns_fd = -1 };
	struct spec s;
	int r = container_spec(c, &s, e);

	if (r == 0) {
		strv_free(s.args);
		s.args = test_args(&c->config.health);
		s.terminal = s.init = false;
		if (kept_is_owner() && c->state.cgroup && *c->state.cgroup)
			s.cgroup_stands = xstrdup(c->state.cgroup);
		r = plan_make(&s, plan, e);
	}
	if (r == 0 && kept_is_owner())
		r = kept_again(&again, e);
	if (r == 0)
		r = launch_exec(plan, c->state.pid, c->state.pid_start, c->state.ns, &io, kept_is_owner() ? &again : NULL, l, e);
	spec_free(&s);
	return r;
}

struct output {
	char data[HEALTH_OUTPUT_MAX];
	size_t len;
};

/* Takes what there is; what does not fit is dropped, so that the check never waits for us. */
static void take(int *fd, struct output *o)
{
	char drop[4096];
	size_t room = sizeof(o->data) - o->len;
	ssize_t n = room ? read(*fd, o->data + o->len, room) : read(*fd, drop, sizeof(drop));

	if (n > 0 && room)
		o->len += (size_t)n;
	if (n == 0 || (n < 0 && errno != EINTR)) {
		close(*fd);
		*fd = -1;
	}
}

/*
 * Until it ended or its time is up; then it is killed. What it left running may hold its pipes open: they are not waited for.
 * Its refused calls are answered and not told: a check is the person's own.
 */
static int attend(struct launched *l, uint64_t until, struct output *o, bool *late)
{
	for (;;) {
		struct pollfd p[4] = { { .fd = l->pidfd, .events = POLLIN }, { .fd = l->stdio[1], .events = POLLIN },
				       { .fd = l->stdio[2], .events = POLLIN }, { .fd = l->notify_fd, .events = POLLIN } };
		uint64_t now = clock_monotonic_ns();
		struct notify_event ev;

		if (now >= until) {
			*late = true;
			proc_pidfd_signal(l->pidfd, SIGKILL);
			return proc_wait(l->pid);
		}
		if (poll(p, 4, (int)((until - now) / 1000000 < 3600000 ? (until - now) / 1000000 + 1 : 3600000)) < 0 &&
		    errno != EINTR)
			return -errno;
		if (p[3].revents && (!(p[3].revents & POLLIN) || notify_answer(l->notify_fd, &ev) < 0)) {
			cleanup_close(&l->notify_fd);
			l->notify_fd = -1;
		}
		for (int i = 1; i <= 2; i++)
			if (p[i].revents)
				take(&l->stdio[i], o);
		if (p[0].revents && !(p[1].revents & POLLIN) && !(p[2].revents & POLLIN))
			return proc_wait(l->pid);
	}
}

/* Without the character that the bound has cut. */
static char *as_text(const struct output *o)
{
	size_t n = o->len;

	for (size_t back = 1; back <= 3 && back <= o->len; back++)
		if ((unsigned char)o->data[o->len - back] >= 0xc0) {
			if (bare_utf8((const unsigned char *)o->data + o->len - back, back) == -1)
				n = o->len - back;
			break;
		}
	return xstrndup(o->data, n);
}

/* In a frozen container a check would wait until its time is up and say that it is ill. */
static bool is_frozen(const struct container *c)
{
	_cleanup_cgroup_ struct cgroup cg;

	cgroup_init(&cg);
	return c->state.cgroup && *c->state.cgroup && kept_cgroup(c->state.cgroup, &cg, NULL) == 0 && cgroup_frozen(&cg);
}

static void record(struct container *c, bool changed)
{
	_cleanup_free_ char *action = changed ? xasprintf("health_status: %s", c->state.health) : NULL;

	if (changed)
		event_record("container", c->config.id, c->config.name, action, NULL, 0, NULL);
}

int health_check(struct container *c, struct error *e)
{
	const struct health_config *h = &c->config.health;
	struct health_result result = { .start_ns = clock_now_ns(), .exit_code = EXIT_ENGINE };
	struct error why = { 0 };
	struct output out = { .len = 0 };
	struct launched l;
	bool late = false;
	int r;

	if (!h->test)
		return error_set(e, EINVAL, "container %s has no health check", c->config.name);
	if (is_frozen(c))
		return HEALTH_OK;
	launched_init(&l);
	r = start(c, &l, &why);
	if (r == 0) {
		r = attend(&l, clock_monotonic_ns() + h->timeout_ns, &out, &late);
		if (r >= 0)
			result.exit_code = late ? EXIT_LATE : proc_exit_code(r);
	}
	launch_free(&l);
	result.end_ns = clock_now_ns();
	if (r < 0)
		result.output = xasprintf("cannot check: %s", why.text);
	else if (late)
		result.output = xasprintf("killed: it took longer than %llu ms", (unsigned long long)h->timeout_ns / 1000000);
	else
		result.output = as_text(&out);
	/* The container may have been paused, or renamed, while the check ran. */
	r = container_load_state(c, e);
	if (r < 0)
		return r;
	int code = result.exit_code;
	add_result(&c->state, result);
	bool changed = health_step(h, &c->state, code, clock_now_ns());
	r = container_save_state(c, e);
	if (r < 0)
		return r;
	record(c, changed);
	return code == 0 ? HEALTH_OK : code == EXIT_ENGINE ? HEALTH_ERROR : HEALTH_FAILED;
}

int health_main(const char *id, struct error *e)
{
	struct monitor_kit kit;
	struct container c;
	int r = monitor_kit_read(MONITOR_KIT_FD, &kit, e);

	if (r < 0)
		return r;
	if (!streq(id, kit.id))
		return error_set(e, EINVAL, "this command is for brig's own monitor");
	kept_take(&kit);
	r = container_find(id, &c, e);
	if (r < 0)
		return r;
	r = health_check(&c, e);
	container_free(&c);
	return r;
}
