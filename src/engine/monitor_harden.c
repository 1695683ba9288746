/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a detached monitor can no longer do (laws 1 and 5), whatever makes it try.
 *
 * A filter cannot be taken off: the front that the monitor executes for health checks and after the end has it too, and so
 * has a container that is restarted. It refuses, with EPERM, what none of them needs: the calls that hurt kernels in
 * 2022 to 2026 and those that change the machine. The container's own filter is narrower.
 */
#include "engine/monitor_loop.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

/* Linux 5.14; in Debian 12's headers only by number. */
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

enum { X32_BIT = 0x40000000 };

/* Each test jumps over its own refusal when the number is another. */
#define REFUSE(nr)                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define ALLOW_FAMILY(f)                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, f, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const struct sock_filter filter[] = {
	FIELD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	FIELD(nr),
#ifdef __x86_64__
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	REFUSE(SYS_iopl),
	REFUSE(SYS_ioperm),
	REFUSE(SYS_modify_ldt),
	REFUSE(SYS_uselib),
#endif
	REFUSE(SYS_io_uring_setup),
	REFUSE(SYS_io_uring_enter),
	REFUSE(SYS_io_uring_register),
	REFUSE(SYS_bpf),
	REFUSE(SYS_perf_event_open),
	REFUSE(SYS_userfaultfd),
	REFUSE(SYS_ptrace),
	REFUSE(SYS_process_vm_readv),
	REFUSE(SYS_process_vm_writev),
	REFUSE(SYS_pidfd_getfd),
	REFUSE(SYS_kcmp),
	REFUSE(SYS_add_key),
	REFUSE(SYS_request_key),
	REFUSE(SYS_kexec_load),
	REFUSE(SYS_kexec_file_load),
	REFUSE(SYS_init_module),
	REFUSE(SYS_finit_module),
	REFUSE(SYS_delete_module),
	REFUSE(SYS_reboot),
	REFUSE(SYS_swapon),
	REFUSE(SYS_swapoff),
	REFUSE(SYS_acct),
	REFUSE(SYS_settimeofday),
	REFUSE(SYS_clock_settime),
	REFUSE(SYS_clock_adjtime),
	REFUSE(SYS_adjtimex),
	REFUSE(SYS_quotactl_fd),
	REFUSE(SYS_open_by_handle_at),
	REFUSE(SYS_fanotify_init),
	REFUSE(SYS_syslog),
	REFUSE(SYS_vhangup),
	REFUSE(SYS_lookup_dcookie),
	REFUSE(SYS_nfsservctl),
	/* socket(2) and socketpair(2) only of the families that brig and pasta speak. */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socketpair, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	FIELD(args[0]),
	ALLOW_FAMILY(AF_UNIX),
	ALLOW_FAMILY(AF_INET),
	ALLOW_FAMILY(AF_INET6),
	ALLOW_FAMILY(AF_NETLINK),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
};

int monitor_harden(const struct monitor_kit *kit)
{
	struct sock_fprog prog = { .len = sizeof(filter) / sizeof(filter[0]), .filter = (struct sock_filter *)filter };
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* A monitor that restarted its container has the filter already; they would add up with every restart. */
	if (kit->restarted)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
