/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left to the mover, the process that handles the container's bytes (law 3): the system calls of its loop, and with
 * Landlock the container's folder and nothing else of the file system. Any other call ends it, and so the container.
 */
#include "engine/monitor_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "no system call filter for this machine"
#endif

/* Each test jumps over its own answer when the number is another. x32 numbers are none of these. */
#define ALLOW(nr)                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))

static const struct sock_filter filter[] = {
	FIELD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	FIELD(nr),
	ALLOW(SYS_read),
	ALLOW(SYS_write),
	ALLOW(SYS_ppoll),
	ALLOW(SYS_clock_gettime),
	ALLOW(SYS_sendto),
	ALLOW(SYS_recvfrom),
	ALLOW(SYS_recvmsg),
	ALLOW(SYS_pread64),
	ALLOW(SYS_openat),
	ALLOW(SYS_close),
	ALLOW(SYS_fstat),
	ALLOW(SYS_newfstatat),
	ALLOW(SYS_renameat2),
	ALLOW(SYS_unlinkat),
	ALLOW(SYS_ftruncate),
	ALLOW(SYS_flock),
	ALLOW(SYS_fcntl),
	ALLOW(SYS_accept4),
	ALLOW(SYS_getsockopt),
	ALLOW(SYS_madvise),
	ALLOW(SYS_rt_sigprocmask),
	ALLOW(SYS_rt_sigaction),
	ALLOW(SYS_exit_group),
	/* What glibc uses for the same, where the monitor is built with it (bare.c has its own). */
#ifdef SYS_poll
	ALLOW(SYS_poll),
#endif
#ifdef SYS_renameat
	ALLOW(SYS_renameat),
#endif
#ifdef BRIG_SANITIZED /* shadow memory, and a report with names: never in what people install */
	ALLOW(SYS_mmap),
	ALLOW(SYS_munmap),
	ALLOW(SYS_mprotect),
	ALLOW(SYS_futex),
	ALLOW(SYS_getpid),
	ALLOW(SYS_gettid),
	ALLOW(SYS_getrandom),
	ALLOW(SYS_sigaltstack),
	ALLOW(SYS_rt_sigreturn),
	ALLOW(SYS_sched_yield),
	ALLOW(SYS_readlink),
	ALLOW(SYS_lseek),
	ALLOW(SYS_brk),
#endif
	/* ioctl(2): the terminal's size, and the container's refused calls. */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	FIELD(args[1]),
	ALLOW(TIOCSWINSZ),
	ALLOW((uint32_t)SECCOMP_IOCTL_NOTIF_RECV),
	ALLOW((uint32_t)SECCOMP_IOCTL_NOTIF_SEND),
	ALLOW((uint32_t)SECCOMP_IOCTL_NOTIF_ID_VALID),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

/* Of later kernels than Debian 12's headers know. */
enum {
	FS_REFER = 1 << 13,	/* Linux 5.19, ABI 2 */
	FS_TRUNCATE = 1 << 14,	/* Linux 6.2, ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* Linux 6.10, ABI 5 */
	NET_TCP = 3,		/* Linux 6.7, ABI 4: bind and connect */
	SCOPE = 3,		/* Linux 6.12, ABI 6: abstract sockets and signals */
};
struct ruleset {
	uint64_t fs, net, scoped;
};

static int add_rule(int rules, int dir, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = dir };

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/*
 * Files are opened in the container's folder, and names of threads read in /proc. A kernel without Landlock is no reason not
 * to run: what could be opened could then still not be sent anywhere but to the container's own log and clients.
 */
static int landlock(int dir)
{
	const uint64_t write = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
			       LANDLOCK_ACCESS_FS_REMOVE_FILE;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset all = { .fs = (1 << 13) - 1 };
	size_t size = sizeof(all.fs);
	int rules, proc, r;

	if (abi < 1)
		return 0;
	if (abi >= 2)
		all.fs |= FS_REFER;
	if (abi >= 3)
		all.fs |= FS_TRUNCATE;
	if (abi >= 5)
		all.fs |= FS_IOCTL_DEV;
	if (abi >= 4) {
		all.net = NET_TCP;
		size = offsetof(struct ruleset, scoped);
	}
	if (abi >= 6) {
		all.scoped = SCOPE;
		size = sizeof(all);
	}
	rules = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
	if (rules < 0)
		return -errno;
	r = add_rule(rules, dir, write | (all.fs & FS_TRUNCATE));
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && proc >= 0)
		r = add_rule(rules, proc, LANDLOCK_ACCESS_FS_READ_FILE);
	if (proc >= 0)
		close(proc);
	if (r == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		r = -errno;
	close(rules);
	return r;
}

int monitor_harden(int dir)
{
	struct sock_fprog prog = { .len = sizeof(filter) / sizeof(filter[0]), .filter = (struct sock_filter *)filter };
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = landlock(dir);
	if (r < 0)
		return r;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
