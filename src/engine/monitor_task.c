/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor does beside moving bytes: its children, stopping the container, and its limits. */
#include "engine/monitor_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USAGE_SHARE = 20 }; /* a measurement may take a twentieth of the time */

static uint64_t ms(uint64_t v)
{
	return v * NS_PER_MS;
}

static void signal_init(struct monitor *m, int sig)
{
	syscall(SYS_pidfd_send_signal, m->kit->fd[MFD_PIDFD], sig, NULL, 0);
}

void monitor_stop(struct monitor *m, enum monitor_reason why, uint64_t timeout_s)
{
	if (m->stopping || m->ended)
		return;
	m->stopping = true;
	m->reason = why;
	signal_init(m, m->kit->stop_signal > 0 ? m->kit->stop_signal : SIGTERM);
	m->kill_at = bare_ticks() + (timeout_s > 0 ? timeout_s * NS_PER_S : 1);
}

void monitor_oom(struct monitor *m)
{
	uint64_t count, drop;

	if (m->kit->fd[MFD_OOM_EVENT] >= 0)
		while (read(m->kit->fd[MFD_OOM_EVENT], &drop, sizeof(drop)) > 0)
			;
	count = bare_field(m->kit->fd[MFD_OOM], "oom_kill");
	if (count > m->oom_seen) {
		m->oom_seen = count;
		monitor_event(m, "oom", NULL, 0);
	}
}

void monitor_exec_front(struct monitor *m, const char *command, bool after)
{
	char status[24], brig[] = "brig", *argv[6] = { brig, (char *)command, (char *)m->kit->id };

	if (after) {
		bare_decimal((uint64_t)(unsigned)m->status, 1, status);
		argv[3] = status;
		argv[4] = (char *)monitor_reason_name(m->reason);
	}
	syscall(SYS_execveat, m->kit->fd[MFD_FRONT], "", argv, m->env, AT_EMPTY_PATH);
}

static void run(struct monitor *m, struct task *t, const char *command, uint64_t limit_ms)
{
	uint64_t now = bare_ticks();
	pid_t pid;

	t->next = 0;
	if (m->kit->fd[MFD_FRONT] < 0)
		return;
	pid = fork();
	if (pid == 0) {
		sigaction(SIGPIPE, &m->pipe, NULL);
		sigprocmask(SIG_SETMASK, &m->mask, NULL);
		if (m->prepare_child)
			m->prepare_child(m);
		monitor_exec_front(m, command, false);
		_exit(127);
	}
	t->started = now;
	t->pid = pid > 0 ? pid : 0;
	t->kill_at = now + ms(limit_ms);
	/* No process to be had: the next time comes. */
	if (pid < 0)
		t->next = now + ms(USAGE_AGAIN_MS);
}

static uint64_t health_interval(const struct monitor *m)
{
	return m->kit->health_interval_ns;
}

void task_start(struct monitor *m)
{
	uint64_t now = bare_ticks();

	if (m->kit->fd[MFD_FRONT] < 0)
		return;
	if (health_interval(m))
		m->health.next = now + health_interval(m);
	if (m->kit->disk || m->kit->disk_inodes)
		m->usage.next = now + ms(USAGE_FIRST_MS);
	disk_start(m, now);
}

/* Exit code of a measurement: when is the next one, at the latest? */
static void usage_done(struct monitor *m, int code, uint64_t took)
{
	uint64_t next = ms(code >= 0 && code <= 100 ? USAGE_FINE_MS : USAGE_AGAIN_MS);

	disk_measured(m, code, took);
	if (code == USAGE_OVER || code == USAGE_FAR_OVER) {
		if (m->stopping)
			m->kill_at = bare_ticks();
		monitor_stop(m, MONITOR_DISK, code == USAGE_OVER ? DISK_STOP_S : 0);
		return;
	}
	if (next < took * USAGE_SHARE)
		next = took * USAGE_SHARE;
	m->usage.next = m->usage.started + took + next;
}

/* The mover ended: after pid 1, as it should, or the container has nobody who takes its output and answers its calls. */
static void mover_done(struct monitor *m, int status)
{
	m->mover = 0;
	if (m->ended && status == 0)
		return;
	monitor_event(m, "monitor_died", NULL, 0);
	if (!m->ended) {
		m->stopping = true;
		m->reason = MONITOR_BROKEN;
		signal_init(m, SIGKILL);
	}
}

void task_reap(struct monitor *m)
{
	struct task *all[] = { &m->health, &m->usage };
	uint64_t now = bare_ticks();
	int end;

	if (m->mover > 0 && waitpid(m->mover, &end, WNOHANG) == m->mover)
		mover_done(m, end);
	for (int i = 0; i < 2; i++) {
		struct task *t = all[i];
		int status;

		if (t->pid <= 0 || waitpid(t->pid, &status, WNOHANG) != t->pid)
			continue;
		t->pid = 0;
		t->kill_at = 0;
		if (t == &m->health)
			t->next = now + health_interval(m);
		else
			usage_done(m, WIFEXITED(status) ? WEXITSTATUS(status) : -1, now - t->started);
	}
}

void task_end(struct monitor *m)
{
	struct task *all[] = { &m->health, &m->usage };

	for (int i = 0; i < 2; i++) {
		if (all[i]->pid > 0) {
			kill(all[i]->pid, SIGKILL);
			while (waitpid(all[i]->pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
		*all[i] = (struct task){ 0 };
	}
	m->disk.at = 0;
}

void task_timers(struct monitor *m, uint64_t now, uint64_t *next)
{
	if (m->kill_at && now >= m->kill_at) {
		if (!m->ended)
			signal_init(m, SIGKILL);
		else if (m->mover > 0)
			kill(m->mover, SIGKILL);
		m->kill_at = 0;
	}
	sooner(next, m->kill_at);
	if (m->ended || m->role == ROLE_MOVER)
		return;
	if (m->health.next && now >= m->health.next)
		run(m, &m->health, "__health", m->kit->health_timeout_ns / NS_PER_MS + CHILD_GRACE_MS);
	if (disk_timers(m, now, next) || (m->usage.next && now >= m->usage.next)) {
		disk_measuring(m);
		run(m, &m->usage, "__usage", USAGE_LIMIT_MS);
	}
	struct task *all[] = { &m->health, &m->usage };
	for (int i = 0; i < 2; i++) {
		if (all[i]->kill_at && now >= all[i]->kill_at) {
			kill(all[i]->pid, SIGKILL);
			all[i]->kill_at = 0;
		}
		sooner(next, all[i]->kill_at);
		sooner(next, all[i]->next);
	}
	sooner(next, m->kill_at);
}
