/* SPDX-License-Identifier: Apache-2.0 */
/* The detached monitor: takes the kit, splits into keeper and mover, and becomes the front again. */
#include "engine/monitor_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int monitor_kit_load(int fd, struct monitor_kit *kit)
{
	const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	ssize_t n;

	if (seals < 0)
		return -errno;
	if ((seals & sealed) != sealed)
		return -EPERM;
	n = pread(fd, kit, sizeof(*kit), 0);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(*kit) || kit->version != MONITOR_KIT_VERSION || kit->size != sizeof(*kit) ||
	    !memchr(kit->id, 0, sizeof(kit->id)) || kit->pid <= 0 || kit->n_keep > MONITOR_KEEP_MAX ||
	    kit->fd[MFD_PIDFD] < 0)
		return -EINVAL;
	return 0;
}

/* What carries the container's bytes belongs to the mover, everything else to the keeper; both have the folder. */
static bool for_mover(int i)
{
	return i == MFD_STDIN || i == MFD_STDOUT || i == MFD_STDERR || i == MFD_TTY || i == MFD_NOTIFY;
}

static void let_go(struct monitor_kit *kit, bool mover)
{
	for (int i = 0; i < MFD_COUNT; i++) {
		if (kit->fd[i] < 0 || for_mover(i) == mover || i == MFD_DIR || i == MFD_LISTEN)
			continue;
		close(kit->fd[i]);
		kit->fd[i] = -1;
	}
	if (!mover)
		return;
	close(MONITOR_KIT_FD);
	for (uint32_t i = 0; i < kit->n_keep; i++)
		close(kit->keep[i]);
}

static __attribute__((noreturn)) void mover(struct monitor *m, int in, pid_t keeper)
{
	m->role = ROLE_MOVER;
	m->peer = in;
	let_go(m->kit, true);
	/* The keeper's death ends the mover; one that came before is seen. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != keeper || monitor_harden(m->kit->fd[MFD_DIR]) < 0)
		_exit(EXIT_ENGINE);
	_exit(monitor_run(m) < 0 ? EXIT_ENGINE : 0);
}

static int keep(struct monitor *m)
{
	pid_t self = getpid();
	int p[2];

	/* Nobody of the same uid looks into this memory or takes its descriptors: ptrace(2), "access mode checking". */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	m->mover = fork();
	if (m->mover < 0)
		return -errno;
	if (m->mover == 0) {
		close(p[1]);
		mover(m, p[0], self);
	}
	close(p[0]);
	m->role = ROLE_KEEPER;
	m->peer = p[1];
	let_go(m->kit, false);
	return monitor_run(m);
}

/* Without a loop the container would run unwatched: it ends instead. */
static void give_up(struct monitor *m)
{
	int status = SIGKILL;

	if (m->ended)
		return;
	syscall(SYS_pidfd_send_signal, m->kit->fd[MFD_PIDFD], SIGKILL, NULL, 0);
	while (waitpid(m->kit->pid, &status, 0) < 0 && errno == EINTR)
		;
	m->status = status;
	m->reason = MONITOR_BROKEN;
}

int monitor_main(char **env)
{
	static struct monitor_kit kit;
	static struct monitor m;

	if (monitor_kit_load(MONITOR_KIT_FD, &kit) < 0)
		return EXIT_ENGINE;
	m.kit = &kit;
	m.env = env;
	m.peer = -1;
	if (keep(&m) < 0)
		give_up(&m);
	monitor_exec_front(&m, "__after", true);
	return EXIT_ENGINE;
}
