/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by a hostile container on what enters it, on its terminal and on names that its engine resolves. */
#include "probe.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tally {
	unsigned processes, foreign, mem, fds, exe_read, exe_write, traced;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* True when the program of a process is not a file of this container: the engine itself, caught while it enters. */
static bool is_foreign(const char *proc)
{
	char path[64], exe[4096];
	struct stat a, b;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/exe", proc);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = 0;
	if (stat(path, &a) < 0)
		return false;
	return stat(exe, &b) < 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

/*
 * Attempts come first, the look at the program after: a process goes from the engine's program to the container's, never
 * back, so that whatever still is foreign afterwards was foreign during the attempt.
 */
static void attack(const char *name, struct tally *t, bool all)
{
	char proc[32], path[64];
	pid_t pid = (pid_t)atoi(name);
	struct tally got = { 0 };
	int fd;
	DIR *d;

	snprintf(proc, sizeof(proc), "/proc/%s", name);
	snprintf(path, sizeof(path), "%s/mem", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got.mem++;
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/fd", proc);
	d = opendir(path);
	if (d) {
		got.fds++;
		closedir(d);
	}
	snprintf(path, sizeof(path), "%s/exe", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got.exe_read++;
		close(fd);
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		got.exe_write++;
		close(fd);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
		got.traced++;
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		waitpid(pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, pid, 0, 0);
	}
	t->processes++;
	if (!all && !is_foreign(proc))
		return;
	t->foreign++;
	t->mem += got.mem;
	t->fds += got.fds;
	t->exe_read += got.exe_read;
	t->exe_write += got.exe_write;
	t->traced += got.traced;
}

/* watch SECONDS [PID]: with PID, a control: that process alone, whatever its program is. */
int probe_watch(int argc, char **argv)
{
	struct tally t = { 0 };
	double end = now() + (argc > 0 ? atof(argv[0]) : 1);
	char self[16];

	snprintf(self, sizeof(self), "%d", getpid());
	while (now() < end) {
		if (argc > 1) {
			attack(argv[1], &t, true);
			usleep(10000);
			continue;
		}
		_cleanup_closedir_ DIR *d = opendir("/proc");
		struct dirent *de;

		while (d && (de = readdir(d)))
			if (isdigit((unsigned char)de->d_name[0]) && strcmp(de->d_name, self) != 0 && strcmp(de->d_name, "1") != 0)
				attack(de->d_name, &t, false);
	}
	probe_line("R12", "seen", "fact", "%u", t.processes);
	probe_line("R12", "mem", t.mem ? "reached" : "stopped", "%u", t.mem);
	probe_line("R12", "descriptors", t.fds ? "reached" : "stopped", "%u", t.fds);
	probe_line("R12", "traced", t.traced ? "reached" : "stopped", "%u", t.traced);
	probe_line("R1", "exe_read", t.exe_read ? "reached" : "stopped", "%u", t.exe_read);
	probe_line("R1", "exe_write", t.exe_write ? "reached" : "stopped", "%u", t.exe_write);
	return 0;
}

/* One letter for each encoding of the request, into each descriptor that may be the operator's terminal. */
int probe_tty(int argc, char **argv)
{
	static const unsigned long requests[] = { TIOCSTI, TIOCSTI | 1UL << 32 };
	int fds[4] = { 0, 1, 2, open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) };
	char name[32];

	if (argc != 1)
		return 2;
	for (size_t f = 0; f < ARRAY_SIZE(fds); f++)
		for (size_t r = 0; r < ARRAY_SIZE(requests); r++) {
			snprintf(name, sizeof(name), "tiocsti_%zu_%zu", f, r);
			probe_result("R11", name, syscall(SYS_ioctl, fds[f], requests[r], argv[0]) < 0 ? -errno : 0);
		}
	return 0;
}

/* A and B change places until the time is over: whoever resolves a path through them gets either. */
int probe_swap(int argc, char **argv)
{
	unsigned long n = 0;

	if (argc != 3)
		return 2;
	for (double end = now() + atof(argv[2]); now() < end; n++)
		if (syscall(SYS_renameat2, AT_FDCWD, argv[0], AT_FDCWD, argv[1], RENAME_EXCHANGE) < 0) {
			probe_result("R6", "swap", -errno);
			return 1;
		}
	probe_line("R6", "swap", "fact", "%lu", n);
	return 0;
}

int probe_other(int argc, char **argv)
{
	struct shmid_ds ds;
	long id = argc == 2 ? atol(argv[1]) : 0;

	if (argc != 2)
		return 2;
	if (strcmp(argv[0], "pid") == 0) {
		char path[64];

		probe_result("R23", "signal", kill((pid_t)id, 0) < 0 ? -errno : 0);
		probe_result("R23", "pidfd", syscall(SYS_pidfd_open, id, 0) < 0 ? -errno : 0);
		snprintf(path, sizeof(path), "/proc/%ld/status", id);
		probe_result("R23", "proc", access(path, F_OK) < 0 ? -errno : 0);
	} else if (strcmp(argv[0], "shm") == 0) {
		probe_result("R29", "shared_memory", shmctl((int)id, IPC_STAT, &ds) < 0 ? -errno : 0);
	} else {
		return 2;
	}
	return 0;
}
