// SPDX-License-Identifier: Apache-2.0
/*
 * Kills one process of a command at one of its system calls, by ptrace(2), for the crash tests.
 *
 *	killat -c COMMAND...		runs it whole; prints "PROCESS CALLS NAME" for each process, in the order of their birth
 *	killat PROCESS CALL COMMAND...	SIGKILL for the PROCESS-th (from 1) where it is about to make its CALL-th call
 *
 * Killed before each call it makes, a process is killed after each call as well. What it prints last says what was killed.
 * Exit codes: 0 killed (or counted), 3 the command did not end within HANG_S, 4 it ended before that call was made.
 * The command gets /dev/null as stdin, stdout and stderr. Programs of a container are let go when they are executed, and so are newuidmap and newgidmap, which have no rights
 * while somebody without rights traces them. It needs no rights itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64, QUIET_MS = 350, HANG_S = 20, OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
	PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC };

static struct process {
	pid_t pid;
	unsigned long calls;
	char name[32];
	bool gone; /* ended or let go */
} processes[PROCESSES_MAX];
static size_t n_processes;
static unsigned long want_process, want_call;
static bool killed;
static pid_t victim; /* until it is gone */

static struct process *find(pid_t pid)
{
	for (size_t i = 0; i < n_processes; i++)
		if (processes[i].pid == pid && !processes[i].gone)
			return &processes[i];
	if (n_processes == PROCESSES_MAX) {
		fprintf(stderr, "killat: more than %d processes\n", PROCESSES_MAX);
		exit(2);
	}
	processes[n_processes] = (struct process){ .pid = pid, .name = "?" };
	return &processes[n_processes++];
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The program that a process runs; "" when it may not be looked at. */
static void program(pid_t pid, char out[static 256])
{
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, out, 255);
	out[n > 0 ? n : 0] = 0;
}

/* The path that execve is about to run. */
static void peek_path(pid_t pid, uint64_t at, char out[static 256])
{
	size_t n = 0;

	while (n < 248) {
		errno = 0;
		long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(at + n), NULL);

		if (errno)
			break;
		memcpy(out + n, &word, sizeof(word));
		if (memchr(out + n, 0, sizeof(word)))
			return;
		n += sizeof(word);
	}
	out[n] = 0;
}

static void let_go(struct process *p)
{
	ptrace(PTRACE_DETACH, p->pid, NULL, NULL);
	p->gone = true;
}

static void go_on(struct process *p, int sig)
{
	ptrace(killed ? PTRACE_CONT : PTRACE_SYSCALL, p->pid, NULL, (void *)(long)sig);
}

static void tell(const struct process *p, uint64_t nr)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)nr);

	printf("process %ld (%s) at call %lu, %s\n", (long)(p - processes) + 1, p->name, p->calls, name ? name : "?");
	free(name);
}

static void on_call(struct process *p)
{
	struct __ptrace_syscall_info info;
	char path[256];

	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, (void *)sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY) {
		go_on(p, 0);
		return;
	}
	p->calls++;
	if ((unsigned long)(p - processes) + 1 == want_process && p->calls == want_call) {
		tell(p, info.entry.nr);
		killed = true;
		victim = p->pid;
		/* Sent as the process goes on, so that it needs no right to signal it; the call is not made any more. */
		ptrace(PTRACE_CONT, p->pid, NULL, (void *)(long)SIGKILL);
		return;
	}
	if (info.entry.nr == SYS_execve) {
		peek_path(p->pid, info.entry.args[0], path);
		if (!strcmp(base(path), "newuidmap") || !strcmp(base(path), "newgidmap")) {
			let_go(p);
			return;
		}
	}
	go_on(p, 0);
}

static void on_exec(struct process *p)
{
	char path[256];

	program(p->pid, path);
	snprintf(p->name, sizeof(p->name), "%.31s", base(path));
	/* The first one may be a shell that runs brig several times. */
	if (p > processes && *path && strncmp(base(path), "brig", 4) && strncmp(base(path), "pas", 3))
		let_go(p);
	else
		go_on(p, 0);
}

static void on_stop(struct process *p, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);
	unsigned long msg = 0;

	if (sig == (SIGTRAP | 0x80)) {
		on_call(p);
	} else if (event == PTRACE_EVENT_EXEC) {
		on_exec(p);
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		if (ptrace(PTRACE_GETEVENTMSG, p->pid, NULL, &msg) == 0 && msg > 0) {
			struct process *child = find((pid_t)msg);

			if (child->name[0] == '?')
				memcpy(child->name, p->name, sizeof(child->name));
		}
		go_on(p, 0);
	} else if (event == PTRACE_EVENT_STOP) {
		/* A new process, or a stop as the shell makes them, which stays one. */
		if (sig == SIGTRAP)
			go_on(p, 0);
		else
			ptrace(PTRACE_LISTEN, p->pid, NULL, NULL);
	} else {
		go_on(p, sig);
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the command has ended, and, while nothing was killed, what it left behind makes no more calls. */
static int follow(pid_t first)
{
	uint64_t begun = now_ms(), last = begun;
	bool ended = false;

	while (!(ended && (killed ? !victim : now_ms() - last > QUIET_MS))) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);

		if (pid < 0 && errno == ECHILD)
			break;
		if (pid <= 0) {
			if (now_ms() - begun > HANG_S * 1000)
				return 3;
			usleep(200);
			continue;
		}
		if (WIFSTOPPED(status)) {
			on_stop(find(pid), status);
		} else {
			find(pid)->gone = true;
			ended |= pid == first;
			victim = pid == victim ? 0 : victim;
		}
		last = now_ms();
	}
	return killed || !want_process ? 0 : 4;
}

static pid_t start(char **argv)
{
	int p[2];
	pid_t pid;
	char go;

	if (pipe(p) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		close(p[1]);
		if (read(p[0], &go, 1) != 1)
			_exit(2);
		close(p[0]);
		int null = open("/dev/null", O_RDWR);
		for (int i = 0; i < 3; i++)
			dup2(null, i);
		execv(argv[0], argv);
		_exit(127);
	}
	close(p[0]);
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)OPTIONS) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0) {
		fprintf(stderr, "killat: cannot trace: %s\n", strerror(errno));
		kill(pid, SIGKILL);
		return -1;
	}
	(void)!write(p[1], "g", 1);
	close(p[1]);
	return pid;
}

int main(int argc, char **argv)
{
	bool count = argc > 2 && !strcmp(argv[1], "-c");
	pid_t first;
	int r;

	if (!count && argc > 3) {
		want_process = strtoul(argv[1], NULL, 10);
		want_call = strtoul(argv[2], NULL, 10);
	}
	if (!count && (!want_process || !want_call)) {
		fputs("usage: killat -c COMMAND... | killat PROCESS CALL COMMAND...\n", stderr);
		return 2;
	}
	first = start(argv + (count ? 2 : 3));
	if (first < 0)
		return 2;
	r = follow(first);
	for (size_t i = 0; count && i < n_processes; i++)
		printf("%zu %lu %s\n", i + 1, processes[i].calls, processes[i].name);
	/* Whoever is still traced is let go by our end. */
	return r;
}
