/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the end of a container's pid 1. */
#include "engine/life.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "engine/events.h"
#include "engine/net.h"
#include "engine/vouch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DELAY_FIRST_MS = 100, DELAY_MAX_MS = 60000, LONG_RUN_S = 10 };

/* Doubling from 100 ms to a minute, as docker does; a run of ten seconds or more starts over. */
static uint64_t restart_delay(const struct container_state *s, uint64_t ran_ns)
{
	uint64_t ms = DELAY_FIRST_MS;

	if (ran_ns >= LONG_RUN_S * 1000000000ULL)
		return ms * 1000000;
	for (uint64_t i = 0; i < s->restarts && ms < DELAY_MAX_MS; i++)
		ms *= 2;
	return (ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS) * 1000000;
}

static bool wants_restart(struct container *c, enum monitor_reason why)
{
	const struct container_config *k = &c->config;

	if (why == MONITOR_STOPPED || life_stop_noted(c))
		return false;
	switch (k->restart) {
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return true;
	case RESTART_ON_FAILURE:
		return c->state.exit_code != 0 && (k->restart_max == 0 || c->state.restarts < k->restart_max);
	default:
		return false;
	}
}

static void record_end(struct container *c, int status, enum monitor_reason why)
{
	struct container_state *s = &c->state;
	char code[16];

	s->exit_code = proc_exit_code(status);
	s->finished_ns = clock_now_ns();
	s->pid = 0;
	s->oom_killed = why == MONITOR_OOM;
	s->stopped_by_person = why == MONITOR_STOPPED || life_stop_noted(c);
	free(s->error);
	s->error = why == MONITOR_DISK ? xstrdup("stopped: its writable layer outgrew its limit (--storage-opt size=)") :
					 NULL;
	snprintf(code, sizeof(code), "%d", s->exit_code);
	event_record("container", c->config.id, c->config.name, "die", &(struct event_attr){ "exitCode", code }, 1, NULL);
}

int life_after(struct container *c, int status, enum monitor_reason why, int userns_fd, uint64_t *delay_ns,
	       struct error *e)
{
	uint64_t ran = clock_now_ns() - c->state.started_ns;
	bool again;
	int r;

	record_end(c, status, why);
	again = wants_restart(c, why);
	life_clear(c, again);
	if (again) {
		*delay_ns = restart_delay(&c->state, ran);
		c->state.restarts = ran >= LONG_RUN_S * 1000000000ULL ? 1 : c->state.restarts + 1;
		c->state.status = ST_RESTARTING;
		r = container_save_state(c, e);
		return r < 0 ? r : LIFE_RESTART;
	}
	if (c->config.auto_remove)
		return life_remove_locked(c, true, userns_fd, e);
	c->state.status = ST_EXITED;
	return container_save_state(c, e);
}

/*
 * Until the time has come or a person stops the container: the file that says so (life_note_stop()) is waited for. False when it
 * is there.
 */
static bool wait_delay(struct container *c, uint64_t delay_ns)
{
	_cleanup_close_ int run = container_run_dir(c, NULL), notes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	uint64_t end = clock_monotonic_ns() + delay_ns, now;
	char path[32], drop[4096];

	if (run >= 0 && notes >= 0) {
		path_of_fd(run, path);
		inotify_add_watch(notes, path, IN_CREATE);
	}
	while (!life_stop_noted(c) && (now = clock_monotonic_ns()) < end) {
		struct pollfd p = { .fd = notes, .events = POLLIN };
		struct timespec t = { (time_t)((end - now) / 1000000000), (long)((end - now) % 1000000000) };

		if (ppoll(&p, 1, &t, NULL) > 0)
			(void)!read(notes, drop, sizeof(drop));
	}
	return !life_stop_noted(c);
}

static int stays_down(struct container *c, struct error *e)
{
	life_clear(c, false);
	c->state.status = ST_EXITED;
	c->state.stopped_by_person = true;
	return container_save_state(c, e);
}

/* Nobody reads what this process prints: why it does not run again must stand in its state. */
static int not_restarted(struct container *c, struct error *e)
{
	c->state.status = ST_EXITED;
	c->state.pid = 0;
	c->state.finished_ns = clock_now_ns();
	free(c->state.error);
	c->state.error = xasprintf("cannot be started again: %s", e->text);
	container_save_state(c, NULL);
	life_clear(c, false);
	return e->code;
}

int life_restart(struct container *c, struct started *st, uint64_t delay_ns, struct error *e)
{
	_cleanup_close_ int userns = fcntl(st->launched.userns_fd, F_DUPFD_CLOEXEC, 3), netns = -1;
	int r;

	if (userns < 0)
		return error_errno(e, errno, "cannot keep the user namespace");
	/* life_clear() left it, or it is gone. */
	if (c->state.net_pid > 0)
		netns = fcntl(st->launched.netns_fd, F_DUPFD_CLOEXEC, 3);
	started_free(st);
	if (!wait_delay(c, delay_ns))
		return stays_down(c, e);
	r = vouch_again(c, e);
	if (r < 0)
		return not_restarted(c, e);
	/*
	 * After a change of ids (root's `brig run` in the foreground) a process is closed to itself: the kernel would not show it
	 * the namespaces of its child. It is what brig-monitor, which was executed with these ids, is at this point.
	 */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	r = life_launch(c, &(struct life_kept){ userns, netns }, st, e);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return r < 0 ? not_restarted(c, e) : LIFE_RESTART;
}

int life_after_main(const char *id, const char *status_text, const char *reason_text, struct error *e)
{
	struct monitor_kit kit;
	enum monitor_reason why;
	struct container c;
	struct started st;
	uint64_t status, delay = 0;
	int r = monitor_kit_read(MONITOR_KIT_FD, &kit, e);

	if (r < 0)
		return r;
	if (!streq(id, kit.id) || parse_u64(status_text, 0, 65535, &status) < 0 ||
	    monitor_reason_parse(reason_text, &why) < 0)
		return error_set(e, EINVAL, "this command is for brig's own monitor");
	kept_take(&kit);
	r = container_find(id, &c, e);
	if (r < 0)
		return r;
	c.lock_fd = kit.fd[MFD_LOCK];
	r = life_after(&c, (int)status, why, kit.fd[MFD_USERNS], &delay, e);
	if (r != LIFE_RESTART)
		return r;
	started_init(&st);
	st.launched.userns_fd = kit.fd[MFD_USERNS];
	st.launched.netns_fd = kit.fd[MFD_NETNS];
	r = life_restart(&c, &st, delay, e);
	return r == LIFE_RESTART ? monitor_exec(&st.kit, e) : r;
}
