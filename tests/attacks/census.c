// SPDX-License-Identifier: Apache-2.0
/*
 * An errno census (CASES G2): every system call by number, through each of the three entries of x86-64, twice: with all
 * arguments zero and with all arguments -1. Each call is made by a child of its own; prints one line a number, or one for
 * a range of numbers with the same answers:
 *
 *	ENTRY NUMBER[-NUMBER] NAME ANSWER-TO-ZEROS ANSWER-TO-ONES
 *
 * An answer is "ok", an errno, "SIGnn" when it killed the child, "blocks", or "skip" for a call that would end or
 * multiply the child or disturb the machine.
 *
 *	census		all; refuses to run where no seccomp filter is in force
 *	census -c	the positive control: only calls that are harmless anywhere and that the walls refuse
 *	census -d WANTED	all, compared with a table: what it says is stopped must be stopped in the same way
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "confine/seccomp_table.h"

enum { NUMBERS = 1024, BLOCK_MS = 400 };

enum entry { NATIVE, I386, X32, ENTRIES };
static const char *const entry_names[] = { "x86-64", "i386", "x32" };

/* What the child writes for the parent. */
static struct shared {
	int done;
	long result;
} *shared;

static long call_native(long nr, long a)
{
	register long r10 __asm__("r10") = a, r8 __asm__("r8") = a, r9 __asm__("r9") = a;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(a), "d"(a), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long call_i386(long nr, long a)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"((int)nr), "b"((int)a), "c"((int)a), "d"((int)a), "S"((int)a), "D"((int)a)
			 : "r8", "r9", "r10", "r11", "memory");
	return result;
}

static long call_by(enum entry e, int nr, long a)
{
	return e == I386 ? call_i386(nr, a) : call_native(e == X32 ? 0x40000000L | nr : nr, a);
}

static const char *call_name(enum entry e, int nr)
{
	const struct seccomp_abi *abi = e == I386 ? seccomp_policy.compat : seccomp_policy.native;
	const char *name = abi->names;

	for (unsigned i = 0; i < abi->n_calls; i++, name += strlen(name) + 1)
		if (abi->calls[i].nr == nr)
			return name;
	return "-";
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

/* Calls that the census never makes: they end or multiply the child, wait for ever, or write all disks. */
static bool is_skipped(enum entry e, int nr, long a)
{
	static const char *const always[] = { "exit", "exit_group", "fork", "vfork", "pause", "sync", NULL };
	static const char *const zeros[] = { "clone",    "select",		 "_newselect", "pselect6",
					     "pselect6_time64", "ppoll", "ppoll_time64", NULL };
	const char *name = call_name(e, nr);

	/* x32 takes the native numbers, and from 512 on some of its own: execve is 520. */
	return is_one_of(name, always) || (a == 0 && is_one_of(name, zeros)) || (e == X32 && nr >= 512 && nr < 600);
}

/* Harmless on any machine and for any caller with these arguments: no pointer, no process, no descriptor behind them. */
static bool is_control(enum entry e, int nr, long a)
{
	static const char *const ones[] = { "ptrace",	 "keyctl",     "add_key",	   "request_key",   "bpf",
					    "io_uring_enter", "perf_event_open", "setns",  "process_vm_readv",
					    "open_by_handle_at", "pidfd_getfd", "clone3",  "unshare",	   "move_mount",
					    "name_to_handle_at", "userfaultfd", "mbind",   "kcmp", NULL };

	return a == -1 && is_one_of(call_name(e, nr), ones);
}

/* A message queue outlives its maker: msgctl(id, IPC_RMID, NULL). */
static void remove_queue(long id)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"((long)SYS_msgctl), "D"(id), "S"(0L), "d"(0L)
			 : "rcx", "r11", "memory");
}

struct question {
	enum entry e;
	int nr;
	long a;
};

/* Shares the parent's memory (copying it for each of 6,000 calls takes half a minute): touches nothing of libc. */
static int child(void *arg)
{
	const struct question *q = arg;
	long r = call_by(q->e, q->nr, q->a);

	if (q->e == NATIVE && q->nr == SYS_msgget && r >= 0)
		remove_queue(r);
	shared->result = r;
	shared->done = 1;
	call_native(SYS_exit_group, 0);
	return 0;
}

static const char *answer(enum entry e, int nr, long a, char text[static 16])
{
	static char stack[65536] __attribute__((aligned(16)));
	struct question q = { e, nr, a };
	struct pollfd p = { .events = POLLIN };
	int status = 0;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, &q);
	if (pid < 0) {
		perror("census: clone");
		exit(1);
	}
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd >= 0 && poll(&p, 1, BLOCK_MS) == 0) {
		kill(pid, SIGKILL);
		snprintf(text, 16, "blocks");
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(p.fd);
	if (text[0])
		return text;
	if (!shared->done)
		snprintf(text, 16, WIFSIGNALED(status) ? "SIG%d" : "exit%d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	else if (shared->result < 0 && shared->result >= -4095)
		snprintf(text, 16, "%s", error_name((int)-shared->result));
	else
		snprintf(text, 16, "ok");
	return text;
}

struct row {
	char zeros[16], ones[16];
};
static struct row rows[ENTRIES][NUMBERS];

static void ask(enum entry e, int nr, bool control)
{
	static const long args[] = { 0, -1 };

	for (int i = 0; i < 2; i++) {
		char *text = i ? rows[e][nr].ones : rows[e][nr].zeros;

		if (control ? !is_control(e, nr, args[i]) : is_skipped(e, nr, args[i]))
			strcpy(text, "skip");
		else
			answer(e, nr, args[i], text);
	}
}

static bool same(const struct row *a, const struct row *b)
{
	return strcmp(a->zeros, b->zeros) == 0 && strcmp(a->ones, b->ones) == 0;
}

static void print_all(bool control)
{
	for (int e = 0; e < ENTRIES; e++) {
		for (int nr = 0; nr < NUMBERS;) {
			const struct row *r = &rows[e][nr];
			const char *name = e == NATIVE ? call_name(NATIVE, nr) : "-";
			int last = nr;

			/* The other entries are one range each when they are shut; names would hide that. */
			while (last + 1 < NUMBERS && same(&rows[e][last + 1], r) &&
			       (e != NATIVE || (*name == '-' && call_name(NATIVE, last + 1)[0] == '-')))
				last++;
			if (!control || strcmp(r->ones, "skip") != 0) {
				printf(last > nr ? "%s %d-%d" : "%s %d", entry_names[e], nr, last);
				printf(" %s %s %s\n", name, r->zeros, r->ones);
			}
			nr = last + 1;
		}
	}
}

static bool is_stop(const char *answer)
{
	return !strcmp(answer, "EPERM") || !strcmp(answer, "ENOSYS") || !strcmp(answer, "SIG31") ||
	       !strcmp(answer, "EAFNOSUPPORT");
}

/* A cell that the table says is stopped. Fewer calls behind the wall is no difference: an older kernel has fewer. */
static unsigned compare_cell(enum entry e, int nr, const char *args, const char *wanted, const char *found)
{
	/* A kernel without an entry ends the caller or knows no call; that stops as well. */
	bool no_entry = (e == I386 && !strcmp(found, "SIG11")) || (e == X32 && !strcmp(found, "ENOSYS"));

	if (!is_stop(wanted) || !strcmp(wanted, found) || no_entry)
		return 0;
	printf("%s %d %s with %s: expected %s, found %s\n", entry_names[e], nr, call_name(e, nr), args, wanted, found);
	return 1;
}

/* Returns the number of differences, or -1 when the table cannot be read or leaves a number out. */
static int compare(const char *path)
{
	char line[256], entry[16], name[64];
	static bool seen[ENTRIES][NUMBERS];
	unsigned differences = 0;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		struct row wanted;
		int first, last, used, e = 0;

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%15s %d%n", entry, &first, &used) != 2)
			return -1;
		last = first;
		if (line[used] == '-' && sscanf(line + used, "-%d%n", &last, &e) == 1)
			used += e;
		if (sscanf(line + used, " %63s %15s %15s", name, wanted.zeros, wanted.ones) != 3)
			return -1;
		for (e = 0; e < ENTRIES && strcmp(entry, entry_names[e]) != 0; e++)
			;
		if (e == ENTRIES || first < 0 || last >= NUMBERS)
			return -1;
		for (int nr = first; nr <= last; nr++) {
			seen[e][nr] = true;
			differences += compare_cell(e, nr, "zeros", wanted.zeros, rows[e][nr].zeros);
			differences += compare_cell(e, nr, "ones", wanted.ones, rows[e][nr].ones);
		}
	}
	if (!f)
		return -1;
	fclose(f);
	for (int e = 0; e < ENTRIES; e++)
		for (int nr = 0; nr < NUMBERS; nr++)
			if (!seen[e][nr])
				return -1;
	return (int)differences;
}

int main(int argc, char **argv)
{
	bool control = argc == 2 && strcmp(argv[1], "-c") == 0;
	const char *wanted = argc == 3 && strcmp(argv[1], "-d") == 0 ? argv[2] : NULL;
	int own, r = 0;

	if (argc > 1 && !control && !wanted) {
		fprintf(stderr, "usage: census [-c | -d TABLE]\n");
		return 2;
	}
	if (!control && prctl(PR_GET_SECCOMP) != 2) {
		fprintf(stderr, "census: no seccomp filter is in force here; unconfined, some calls would change the "
				"machine. Only census -c runs anywhere.\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* Descriptor 0 is the one that calls with zeros reach: fchmod(0, 0) must hit nothing of the machine's. */
	own = memfd_create("census", MFD_CLOEXEC);
	if (shared == MAP_FAILED || own < 0 || dup2(own, 0) < 0) {
		perror("census");
		return 1;
	}
	for (int e = 0; e < ENTRIES; e++)
		for (int nr = 0; nr < NUMBERS; nr++)
			ask((enum entry)e, nr, control);
	if (!wanted) {
		print_all(control);
		return 0;
	}
	r = compare(wanted);
	if (r < 0)
		fprintf(stderr, "census: cannot use the table %s\n", wanted);
	return r != 0;
}
