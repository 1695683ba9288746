/* SPDX-License-Identifier: Apache-2.0 */
/* The front's side of the monitor: handing over the kit, and running the loop in this process. */
#include "engine/monitor_loop.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "engine/relay.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Each descriptor of the kit once, after the kit itself, which takes the number MONITOR_KIT_FD. */
struct moved {
	int from[1 + MFD_COUNT + MONITOR_KEEP_MAX];
	size_t n;
};

static void move(struct moved *m, int32_t *fd)
{
	size_t i = 1;

	if (*fd < 0)
		return;
	while (i < m->n && m->from[i] != *fd)
		i++;
	if (i == m->n)
		m->from[m->n++] = *fd;
	*fd = MONITOR_KIT_FD + (int32_t)i;
}

/*
 * Puts the kit and its descriptors where brig-monitor and the internal commands expect them, not close-on-exec, with
 * /dev/null as stdio and nothing else. Only for a process that is about to execute.
 */
static int arrange(struct monitor_kit *kit)
{
	struct moved m = { .n = 1 };
	int null, r;

	for (int i = 0; i < MFD_COUNT; i++)
		move(&m, &kit->fd[i]);
	for (uint32_t i = 0; i < kit->n_keep; i++)
		move(&m, &kit->keep[i]);
	m.from[0] = memfd_sealed("brig-kit", kit, sizeof(*kit));
	if (m.from[0] < 0)
		return m.from[0];
	r = fds_arrange(m.from, m.n, MONITOR_KIT_FD);
	if (r < 0)
		return r;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return -errno;
	if (close_range(MONITOR_KIT_FD + (unsigned)m.n, ~0U, 0) < 0)
		return -errno;
	return 0;
}

/*
 * The static monitor keeps its whole environment in memory, and so does the front after it: only what steers brig and
 * finding its files goes on.
 */
static char **small_env(void)
{
	static const char *const names[] = { "HOME=", "PATH=", "XDG_", "BRIG_", "DBUS_SESSION_BUS_ADDRESS=", "TZ=" };
	char **out = NULL;

	strv_foreach(it, environ) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (str_after(*it, names[i]))
				strv_add_copy(&out, *it);
	}
	return out;
}

int monitor_exec_at(const char *path, struct monitor_kit *kit, struct error *e)
{
	char name[] = "brig-monitor", *argv[] = { name, kit->id, NULL }, *none[] = { NULL };
	char **env = small_env();
	int r;

	if (kit->fd[MFD_PIDFD] < 0 || kit->fd[MFD_FRONT] < 0 || kit->fd[MFD_DIR] < 0)
		return error_set(e, EINVAL, "monitor's kit has no pidfd, front or folder");
	if (access(path, X_OK) < 0)
		return error_errno(e, errno, "%s", path);
	r = arrange(kit);
	if (r < 0)
		return error_errno(e, r, "cannot hand the container over to its monitor");
	execve(path, argv, env ? env : none);
	return error_errno(e, errno, "%s", path);
}

int monitor_exec(struct monitor_kit *kit, struct error *e)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%sbrig-monitor", proc_libexec());
	return monitor_exec_at(path, kit, e);
}

static void prepare_child(struct monitor *m)
{
	if (arrange(m->kit) < 0)
		_exit(127);
}

int monitor_kit_read(int fd, struct monitor_kit *kit, struct error *e)
{
	int r = monitor_kit_load(fd, kit);

	return r < 0 ? error_errno(e, r, "descriptor %d is no monitor's kit", fd) : 0;
}

/* 170 KB, of which only what is used costs memory. One process is parent of one container. */
static struct monitor the;

static int run(struct monitor_kit *kit, struct relay *front, struct monitor_end *end, struct error *e)
{
	int r;

	memset(&the, 0, offsetof(struct monitor, log));
	memset(&the.log, 0, offsetof(struct log_writer, line));
	the.kit = kit;
	the.peer = -1;
	the.front = front;
	the.env = environ;
	the.prepare_child = prepare_child;
	r = monitor_run(&the);
	if (r < 0)
		return error_errno(e, r, "cannot watch container %s", kit->id);
	if (the.detach)
		return MONITOR_DETACHED;
	end->status = the.status;
	end->reason = the.reason;
	return MONITOR_ENDED;
}

int monitor_foreground(struct monitor_kit *kit, struct relay *front, struct monitor_end *end, struct error *e)
{
	return run(kit, front, end, e);
}

int relay_run(struct relay *r, struct relay_process *p, int *status, struct error *e)
{
	struct monitor_kit kit;
	struct monitor_end end;
	int result;

	monitor_kit_init(&kit);
	snprintf(kit.id, sizeof(kit.id), "%s", p->id ? p->id : "");
	kit.pid = p->pid;
	kit.fd[MFD_PIDFD] = p->pidfd;
	kit.fd[MFD_STDIN] = p->in;
	kit.fd[MFD_STDOUT] = p->out;
	kit.fd[MFD_STDERR] = p->err;
	kit.fd[MFD_TTY] = p->tty;
	kit.fd[MFD_NOTIFY] = p->notify;
	kit.fd[MFD_DIR] = p->dir;
	result = run(&kit, r, &end, e);
	p->in = kit.fd[MFD_STDIN];
	p->out = kit.fd[MFD_STDOUT];
	p->err = kit.fd[MFD_STDERR];
	if (result == MONITOR_ENDED)
		*status = end.status;
	return result;
}
