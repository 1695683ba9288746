/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/monitor_loop.h"

#include "engine/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* No pointers: a position independent monitor without a loader has nobody to relocate them. */
static const char reasons[][8] = {
	[MONITOR_EXITED] = "exited", [MONITOR_STOPPED] = "stopped", [MONITOR_DISK] = "disk",
	[MONITOR_BROKEN] = "broken", [MONITOR_OOM] = "oom",
};

const char *monitor_reason_name(enum monitor_reason r)
{
	return reasons[(size_t)r <= MONITOR_OOM ? r : MONITOR_EXITED];
}

int monitor_reason_parse(const char *name, enum monitor_reason *r)
{
	for (int i = MONITOR_EXITED; i <= MONITOR_OOM; i++) {
		if (!strcmp(name, monitor_reason_name((enum monitor_reason)i))) {
			*r = (enum monitor_reason)i;
			return 0;
		}
	}
	return -EINVAL;
}

void monitor_kit_init(struct monitor_kit *kit)
{
	memset(kit, 0, sizeof(*kit));
	kit->version = MONITOR_KIT_VERSION;
	kit->size = sizeof(*kit);
	kit->log_files = 1;
	for (int i = 0; i < MFD_COUNT; i++)
		kit->fd[i] = -1;
	for (int i = 0; i < MONITOR_KEEP_MAX; i++)
		kit->keep[i] = -1;
}

void monitor_event(struct monitor *m, const char *action, const struct event_attr *attrs, size_t n)
{
	if (m->kit->fd[MFD_DIR] >= 0)
		event_write(m->kit->fd[MFD_DIR], EVENTS_CONTAINER_MAX, "container", m->kit->id, action, attrs, n);
}

static void unblock(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* The container's side, for whoever moves its bytes. */
static int setup_mover(struct monitor *m)
{
	const struct monitor_kit *k = m->kit;
	int r = 0;

	m->tty = k->fd[MFD_TTY] >= 0;
	m->out[0] = m->tty ? k->fd[MFD_TTY] : k->fd[MFD_STDOUT];
	m->out[1] = m->tty ? -1 : k->fd[MFD_STDERR];
	m->in = m->tty ? k->fd[MFD_TTY] : k->fd[MFD_STDIN];
	m->notify = k->fd[MFD_NOTIFY];
	m->listen = k->fd[MFD_LISTEN];
	unblock(m->out[0]);
	unblock(m->out[1]);
	unblock(m->in);
	unblock(m->listen);
	if (k->log_size > 0)
		r = log_open(&m->log, k->fd[MFD_DIR], k->log_size, k->log_files);
	m->logging = k->log_size > 0 && r == 0;
	/* A container on a full disk still runs, without a log. */
	return r == -ENOSPC || r == -EDQUOT ? 0 : r;
}

/* Children, signals, limits: for whoever is pid 1's parent. */
static int setup_keeper(struct monitor *m)
{
	const struct monitor_kit *k = m->kit;
	sigset_t set;

	m->oom = k->fd[MFD_OOM_EVENT] >= 0 ? k->fd[MFD_OOM_EVENT] : k->fd[MFD_OOM];
	unblock(k->fd[MFD_OOM_EVENT]);
	/* The front's relay has the other signals. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (!m->front) {
		sigaddset(&set, SIGTERM);
		sigaddset(&set, SIGINT);
		sigaddset(&set, SIGHUP);
		sigaddset(&set, SIGQUIT);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals < 0)
		return -errno;
	m->oom_first = m->oom_seen = bare_field(k->fd[MFD_OOM], "oom_kill");
	task_start(m);
	/* A mover that died before the signal was blocked is told by nobody any more. */
	task_reap(m);
	return 0;
}

static int setup(struct monitor *m)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int r = 0;

	m->out[0] = m->out[1] = m->in = m->notify = m->listen = m->oom = m->signals = -1;
	for (int i = 0; i < ATTACH_CLIENTS; i++)
		m->client[i].fd = -1;
	for (int i = 0; i < ATTACH_LISTENERS; i++)
		m->joined[i] = -1;
	sigprocmask(SIG_BLOCK, NULL, &m->mask);
	sigaction(SIGPIPE, &ignore, &m->pipe);
	if (m->role != ROLE_MOVER)
		r = setup_keeper(m);
	if (r == 0 && m->role != ROLE_KEEPER)
		r = setup_mover(m);
	return r;
}

static void finish(struct monitor *m)
{
	if (m->signals >= 0)
		close(m->signals);
	sigaction(SIGPIPE, &m->pipe, NULL);
	sigprocmask(SIG_SETMASK, &m->mask, NULL);
	if (m->logging)
		log_close(&m->log);
	for (int i = 0; i < ATTACH_CLIENTS; i++)
		client_drop(&m->client[i]);
	for (int i = 0; i < ATTACH_LISTENERS; i++)
		if (m->joined[i] >= 0)
			close(m->joined[i]);
}

static void on_signals(struct monitor *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			task_reap(m);
		else if (info.ssi_signo == SIGTERM)
			monitor_stop(m, MONITOR_STOPPED, m->kit->stop_timeout_s);
	}
}

static void on_end(struct monitor *m)
{
	int status = 0;
	pid_t r;

	do
		r = waitpid(m->kit->pid, &status, WNOHANG);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return;
	m->ended = true;
	m->status = r < 0 ? SIGKILL : status;
	m->ended_at = bare_ticks();
	m->kill_at = m->role == ROLE_KEEPER ? m->ended_at + (uint64_t)MOVER_END_MS * NS_PER_MS : 0;
	if (m->peer >= 0 && write(m->peer, &m->status, sizeof(m->status)) < 0)
		m->kill_at = m->ended_at;
	monitor_oom(m);
	if (m->reason == MONITOR_EXITED && m->oom_seen > m->oom_first && WIFSIGNALED(m->status) && WTERMSIG(m->status) == SIGKILL)
		m->reason = MONITOR_OOM;
	task_end(m);
}

static void want(struct pollfd *p, int fd, short events)
{
	p->fd = events ? fd : -1;
	p->events = events;
	p->revents = 0;
}

/* The keeper's word that pid 1 ended; or the keeper's own end, which ends everything. */
static void on_peer(struct monitor *m)
{
	if (read(m->peer, &m->status, sizeof(m->status)) != (ssize_t)sizeof(m->status))
		_exit(EXIT_ENGINE);
	m->ended = true;
	m->ended_at = bare_ticks();
	m->peer = -1;
}

static void prepare(struct monitor *m, struct pollfd *p)
{
	bool take = !output_busy(m) && !m->pause_until, wait_in = m->in_len > 0;

	want(&p[SLOT_SIGNALS], m->signals, POLLIN);
	want(&p[SLOT_PID], m->kit->fd[MFD_PIDFD], m->ended || m->role == ROLE_MOVER ? 0 : POLLIN);
	want(&p[SLOT_OUT], m->out[0], take ? POLLIN : 0);
	want(&p[SLOT_ERR], m->out[1], take ? POLLIN : 0);
	want(&p[SLOT_IN], m->in, wait_in ? POLLOUT : 0);
	want(&p[SLOT_NOTIFY], m->notify, m->notify_at ? 0 : POLLIN);
	want(&p[SLOT_OOM], m->oom, m->ended ? 0 : m->kit->fd[MFD_OOM_EVENT] >= 0 ? POLLIN : POLLPRI);
	want(&p[SLOT_LISTEN], m->listen, POLLIN);
	want(&p[SLOT_PEER], m->peer, m->role == ROLE_MOVER ? POLLIN : 0);
	for (int i = 0; i < ATTACH_LISTENERS; i++)
		want(&p[SLOT_JOINED + i], m->joined[i], m->notify_at ? 0 : POLLIN);
	for (int i = SLOT_FRONT_SIGNALS; i <= SLOT_FRONT_OUT; i++)
		want(&p[i], -1, 0);
	if (m->front) {
		want(&p[SLOT_FRONT_SIGNALS], m->front->signals, POLLIN);
		want(&p[SLOT_FRONT_IN], m->front->in, m->in < 0 || wait_in || m->front->in_ended ? 0 : POLLIN);
		want(&p[SLOT_FRONT_OUT], m->chunk[0] == ATTACH_STDERR ? m->front->err : m->front->out,
		     m->front_due ? POLLOUT : 0);
	}
	for (int i = 0; i < ATTACH_CLIENTS; i++) {
		struct client *c = &m->client[i];

		want(&p[SLOT_CLIENTS + i], c->fd,
		     (short)((c->due ? POLLOUT : 0) | (c->stalled && wait_in ? 0 : POLLIN)));
	}
}

static void dispatch_front(struct monitor *m, const struct pollfd *p)
{
	struct relay *r = m->front;

	if (!r)
		return;
	if (p[SLOT_FRONT_SIGNALS].revents)
		r->ops->signals(r, m->kit->fd[MFD_PIDFD], m->kit->fd[MFD_TTY]);
	if (p[SLOT_FRONT_IN].revents)
		input_front(m);
	if (r->detached)
		m->detach = true;
}

static void dispatch(struct monitor *m, const struct pollfd *p)
{
	if (p[SLOT_SIGNALS].revents)
		on_signals(m);
	if (p[SLOT_NOTIFY].revents)
		monitor_notify(m, &m->notify, p[SLOT_NOTIFY].revents);
	for (int i = 0; i < ATTACH_LISTENERS; i++)
		if (p[SLOT_JOINED + i].revents)
			monitor_notify(m, &m->joined[i], p[SLOT_JOINED + i].revents);
	if (p[SLOT_OOM].revents)
		monitor_oom(m);
	if (p[SLOT_IN].revents)
		input_write(m);
	dispatch_front(m, p);
	for (int i = 0; i < ATTACH_CLIENTS; i++) {
		struct client *c = &m->client[i];
		short got = p[SLOT_CLIENTS + i].revents;

		if (got & POLLIN)
			client_read(m, c);
		else if (got & (POLLHUP | POLLERR))
			client_drop(c);
	}
	if (output_busy(m))
		output_deliver(m);
	if (p[SLOT_LISTEN].revents)
		client_accept(m);
	/* The two streams take turns: what is read first waits for delivery. */
	for (int s = 0; s < 2; s++)
		if (p[SLOT_OUT + s].revents && !output_busy(m))
			output_read(m, s);
	if (p[SLOT_PID].revents)
		on_end(m);
	if (p[SLOT_PEER].revents)
		on_peer(m);
}

/* After the end: takes what is left in the pipes. True when that is done. */
static bool drained(struct monitor *m)
{
	if (m->role == ROLE_KEEPER)
		return m->mover == 0;
	for (int s = 0; s < 2; s++) {
		while (m->out[s] >= 0 && !output_busy(m)) {
			if (output_read(m, s))
				continue;
			/* A terminal hands over what was written a moment later, then says EIO. */
			if (m->out[s] >= 0 && m->tty && bare_ticks() < m->ended_at + (uint64_t)TTY_DRAIN_MS * NS_PER_MS)
				return false;
			output_close(m, s);
		}
	}
	return m->out[0] < 0 && m->out[1] < 0 && !output_busy(m);
}

static int wait_ms(uint64_t now, uint64_t next)
{
	if (!next)
		return -1;
	if (next <= now)
		return 0;
	next = (next - now + NS_PER_MS - 1) / NS_PER_MS;
	return next > 3600000 ? 3600000 : (int)next;
}

static int loop(struct monitor *m)
{
	struct pollfd p[SLOT_COUNT];

	while (!m->detach) {
		uint64_t now = bare_ticks(), next = 0;

		if (m->ended && drained(m))
			break;
		output_timers(m, now, &next);
		task_timers(m, now, &next);
		if (m->ended && m->tty && !output_busy(m))
			sooner(&next, m->ended_at + (uint64_t)TTY_DRAIN_MS * NS_PER_MS);
		prepare(m, p);
		if (poll(p, SLOT_COUNT, wait_ms(now, next)) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		dispatch(m, p);
	}
	return 0;
}

int monitor_run(struct monitor *m)
{
	int r = setup(m);

	if (r == 0)
		r = loop(m);
	if (m->logging)
		log_flush(&m->log, bare_now());
	if (m->ended)
		client_farewell(m);
	if (m->ended && !m->tty)
		input_close(m);
	finish(m);
	return r;
}
