/* SPDX-License-Identifier: Apache-2.0 */
/* The detached monitor: takes the kit, hardens itself, runs the loop, becomes the front again. */
#include "engine/monitor_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

/* Without a loop the container would run unwatched: it ends instead. */
static void give_up(struct monitor *m, const struct monitor_kit *kit)
{
	int status = SIGKILL;

	syscall(SYS_pidfd_send_signal, kit->fd[MFD_PIDFD], SIGKILL, NULL, 0);
	while (waitpid(kit->pid, &status, 0) < 0 && errno == EINTR)
		;
	m->status = status;
}

int monitor_main(char **env)
{
	static struct monitor_kit kit;
	static struct monitor m;

	if (monitor_kit_load(MONITOR_KIT_FD, &kit) < 0)
		return EXIT_ENGINE;
	m.kit = &kit;
	m.env = env;
	m.bare = true;
	if (monitor_harden(&kit) < 0 || monitor_run(&m) < 0)
		give_up(&m, &kit);
	monitor_exec_front(&m, "__after", true);
	return EXIT_ENGINE;
}
