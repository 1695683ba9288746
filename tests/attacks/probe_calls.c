/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that a container has no business with. The arguments are wrong on purpose: nothing is done. */
#include "probe.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
/* Linux 6.8 to 6.15; Debian 12's headers are older. */
enum { NR_STATMOUNT = 457, NR_LISTMOUNT = 458, NR_OPEN_TREE_ATTR = 467 };

struct call {
	const char *id, *name;
	long nr;
	long arg[6];
};

#define BAD (-1L)

static const struct call calls[] = {
	{ "R9", "open_by_handle_at", SYS_open_by_handle_at, { BAD, 0, 0 } },
	{ "R9", "name_to_handle_at", SYS_name_to_handle_at, { BAD, 0, 0, 0, BAD } },
	{ "R14", "setns", SYS_setns, { BAD, 0 } },
	{ "R15", "clone3", SYS_clone3, { 0, 0 } },
	{ "R15", "io_uring_setup", SYS_io_uring_setup, { 1, 0 } },
	{ "R15", "io_uring_enter", SYS_io_uring_enter, { BAD, 0, 0, 0, 0, 0 } },
	{ "R15", "io_uring_register", SYS_io_uring_register, { BAD, 0, 0, 0 } },
	{ "R16", "keyctl_get_keyring_id", SYS_keyctl, { KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0 } },
	{ "R16", "keyctl_read", SYS_keyctl, { KEYCTL_READ, KEY_SPEC_USER_SESSION_KEYRING, 0, 0 } },
	{ "R16", "keyctl_search", SYS_keyctl, { KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, 0, 0, 0 } },
	{ "R16", "add_key", SYS_add_key, { 0, 0, 0, 0, 0 } },
	{ "R16", "request_key", SYS_request_key, { 0, 0, 0, 0 } },
	{ "R24", "pidfd_getfd", SYS_pidfd_getfd, { BAD, BAD, 0 } },
	{ "R25", "mount", SYS_mount, { 0, 0, 0, 0, 0 } },
	{ "R25", "umount2", SYS_umount2, { 0, 0 } },
	{ "R25", "pivot_root", SYS_pivot_root, { 0, 0 } },
	{ "R25", "fsopen", SYS_fsopen, { 0, 0 } },
	{ "R25", "fsconfig", SYS_fsconfig, { BAD, 0, 0, 0, 0 } },
	{ "R25", "fsmount", SYS_fsmount, { BAD, 0, 0 } },
	{ "R25", "fspick", SYS_fspick, { BAD, 0, 0 } },
	{ "R25", "open_tree", SYS_open_tree, { BAD, 0, 1 } },
	{ "R25", "open_tree_attr", NR_OPEN_TREE_ATTR, { BAD, 0, 1, 0, 0 } },
	{ "R25", "move_mount", SYS_move_mount, { BAD, 0, BAD, 0, 0 } },
	{ "R25", "mount_setattr", SYS_mount_setattr, { BAD, 0, 0, 0, 0 } },
	{ "R25", "statmount", NR_STATMOUNT, { 0, 0, 0, 0 } },
	{ "R25", "listmount", NR_LISTMOUNT, { 0, 0, 0, 0 } },
	{ "R26", "syslog", SYS_syslog, { 10, 0, 0 } },
	{ "R27", "userfaultfd", SYS_userfaultfd, { BAD } },
	{ "R27", "perf_event_open", SYS_perf_event_open, { 0, 0, BAD, BAD, 0 } },
	{ "R27", "bpf", SYS_bpf, { 0, 0, 0 } },
	{ "R27", "kexec_load", SYS_kexec_load, { 0, 0xffff, 0, 0xff } },
	{ "R27", "kexec_file_load", SYS_kexec_file_load, { BAD, BAD, 0, 0, BAD } },
	{ "R27", "init_module", SYS_init_module, { 0, 0, 0 } },
	{ "R27", "finit_module", SYS_finit_module, { BAD, 0, BAD } },
	{ "R27", "delete_module", SYS_delete_module, { 0, 0 } },
	{ "R27", "swapon", SYS_swapon, { 0, BAD } },
	{ "R27", "swapoff", SYS_swapoff, { 0 } },
	{ "R27", "acct", SYS_acct, { 1 } },
	{ "R27", "quotactl", SYS_quotactl, { BAD, 0, 0, 0 } },
	{ "R27", "reboot", SYS_reboot, { 0, 0, 0, 0 } },
	{ "R27", "iopl", SYS_iopl, { 4 } },
	{ "R27", "ioperm", SYS_ioperm, { 0x10000, 1, 1 } },
	{ "R27", "fanotify_init", SYS_fanotify_init, { BAD, 0 } },
	{ "R27", "modify_ldt", SYS_modify_ldt, { 0, 0, 0 } },
	{ "R27", "vmsplice", SYS_vmsplice, { BAD, 0, 0, 0 } },
	{ "R27", "mbind", SYS_mbind, { 0, 0, 0, 0, 0, BAD } },
	{ "R27", "move_pages", SYS_move_pages, { BAD, 0, 0, 0, 0, BAD } },
	{ "R27", "sethostname", SYS_sethostname, { 0, BAD } },
	{ "R31", "settimeofday", SYS_settimeofday, { 0, 0 } },
	{ "R31", "clock_settime", SYS_clock_settime, { 0, 0 } },
	{ "R31", "adjtimex", SYS_adjtimex, { 0 } },
	{ "R31", "clock_adjtime", SYS_clock_adjtime, { 0, 0 } },
	{ "R23", "ptrace_seize", SYS_ptrace, { PTRACE_SEIZE, BAD, 0, 0 } },
	{ "R23", "ptrace_traceme", SYS_ptrace, { PTRACE_TRACEME, 0, 0, 0 } },
	{ "R23", "process_vm_readv", SYS_process_vm_readv, { 1, 0, 0, 0, 0, BAD } },
	{ "R23", "process_vm_writev", SYS_process_vm_writev, { 1, 0, 0, 0, 0, BAD } },
	{ "R23", "kcmp", SYS_kcmp, { BAD, BAD, 0, 0, 0 } },
	/* The kernel looks at the low half of the request: a filter that compares all of it misses the second. */
	{ "R11", "ioctl_tiocsti", SYS_ioctl, { BAD, TIOCSTI, 0 } },
	{ "R11", "ioctl_tiocsti_high", SYS_ioctl, { BAD, TIOCSTI | 1L << 32, 0 } },
	{ "R11", "ioctl_tioclinux", SYS_ioctl, { BAD, TIOCLINUX, 0 } },
	{ "R27", "personality", SYS_personality, { ADDR_NO_RANDOMIZE } },
};

static long do_call(void *arg)
{
	const struct call *c = arg;
	long r = syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);

	/* A number that the kernel gave (a key's serial) is success like any other. */
	return r < 0 ? -errno : 0;
}

static long do_unshare(void *arg)
{
	return syscall(SYS_unshare, *(const long *)arg) < 0 ? -errno : 0;
}

static long do_clone(void *arg)
{
	long pid = syscall(SYS_clone, *(const long *)arg | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

static long do_clone3(void *arg)
{
	struct clone_args a = { .flags = (uint64_t) * (const long *)arg, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

static void namespaces(void)
{
	static const struct {
		const char *name;
		long flag;
	} kinds[] = {
		{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },	 { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
		{ "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS },	 { "cgroup", CLONE_NEWCGROUP },
		{ "time", CLONE_NEWTIME }, { "user_net", CLONE_NEWUSER | CLONE_NEWNET },
	};
	static const struct {
		const char *name;
		probe_fn *fn;
	} ways[] = { { "unshare", do_unshare }, { "clone", do_clone }, { "clone3", do_clone3 } };
	char name[64];

	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			long flag = kinds[k].flag;

			/* clone takes its exit signal from the byte in which CLONE_NEWTIME lies. */
			if (ways[w].fn == do_clone && flag == CLONE_NEWTIME)
				continue;
			snprintf(name, sizeof(name), "%s_%s", ways[w].name, kinds[k].name);
			if (probe_wanted("R14", name))
				probe_result("R14", name, probe_isolated(ways[w].fn, &flag));
		}
}

/* Real handles of a file and of a namespace: what "shocker" did, and the kinds for which no capability is asked. */
static long do_handle(void *arg)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, dir;

	if (name_to_handle_at(AT_FDCWD, arg, &u.h, &mount_id, 0) < 0)
		return -errno;
	dir = open(arg, O_RDONLY | O_CLOEXEC);
	if (dir < 0)
		dir = open("/", O_RDONLY | O_CLOEXEC);
	return open_by_handle_at(dir, &u.h, O_RDONLY) < 0 ? -errno : 0;
}

static long do_steal(void *arg)
{
	int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);

	(void)arg;
	if (fd < 0)
		return -errno;
	return syscall(SYS_pidfd_getfd, fd, 0, 0) < 0 ? -errno : 0;
}

static long do_attach(void *arg)
{
	pid_t pid = fork();
	long r;

	(void)arg;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	r = ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 ? -errno : 0;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

static long do_chroot(void *arg)
{
	return chroot(arg) < 0 ? -errno : 0;
}

static long do_fifo_priority(void *arg)
{
	struct sched_param p = { .sched_priority = 1 };

	(void)arg;
	return sched_setscheduler(0, SCHED_FIFO, &p) < 0 ? -errno : 0;
}

static long do_nice(void *arg)
{
	(void)arg;
	return setpriority(PRIO_PROCESS, 0, -20) < 0 ? -errno : 0;
}

static long do_core(void *arg)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	(void)arg;
	return setrlimit(RLIMIT_CORE, &unlimited) < 0 ? -errno : 0;
}

static long do_mknod(void *arg)
{
	const char *folder = arg;
	char path[256];
	long r;

	snprintf(path, sizeof(path), "%s/probe-node-%d", folder, getpid());
	if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) < 0)
		return -errno;
	r = open(path, O_RDONLY | O_CLOEXEC) < 0 ? -errno : 0;
	unlink(path);
	return r;
}

void probe_calls(void)
{
	static const struct {
		const char *id, *name;
		probe_fn *fn;
		const char *arg;
	} deeds[] = {
		{ "R9", "handle_of_root", do_handle, "/" },
		{ "R9", "handle_of_namespace", do_handle, "/proc/self/ns/uts" },
		{ "R24", "pidfd_getfd_of_parent", do_steal, NULL },
		{ "R23", "ptrace_child", do_attach, NULL },
		{ "R32", "chroot", do_chroot, "/" },
		{ "D12", "sched_fifo", do_fifo_priority, NULL },
		{ "D12", "nice", do_nice, NULL },
		{ "D11", "core_limit", do_core, NULL },
		{ "R10", "mknod_tmp", do_mknod, "/tmp" },
		{ "R10", "mknod_shm", do_mknod, "/dev/shm" },
		{ "R10", "mknod_dev", do_mknod, "/dev" },
		{ "R10", "mknod_root", do_mknod, "/" },
		{ "R10", "mknod_data", do_mknod, "/data" },
	};

	namespaces();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (probe_wanted(calls[i].id, calls[i].name))
			probe_reach(calls[i].id, calls[i].name, probe_isolated(do_call, (void *)&calls[i]));
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		if (probe_wanted(deeds[i].id, deeds[i].name))
			probe_result(deeds[i].id, deeds[i].name, probe_isolated(deeds[i].fn, (void *)deeds[i].arg));
}
