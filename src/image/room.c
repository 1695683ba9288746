/* SPDX-License-Identifier: Apache-2.0 */
#include "image/room.h"

#include "base/cleanup.h"

#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of Debian 12: Linux 6.2 (TRUNCATE), 6.7 (network), 6.10 (IOCTL_DEV), 6.12 (scopes). */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ROOM_FS_IOCTL_DEV (1ULL << 15)
#define ROOM_NET_ALL 3ULL
#define ROOM_NET_BIND 1ULL
#define ROOM_SCOPE_ALL 3ULL

struct ruleset_attr { /* struct landlock_ruleset_attr of Linux 6.12 */
	uint64_t handled_access_fs, handled_access_net, scoped;
};

static int add_dirs(int ruleset, const int *dirs, size_t n, uint64_t access, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = dirs[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return error_errno(e, errno, "landlock_add_rule");
	}
	return 0;
}

static int enter_landlock(const struct room *r, struct error *e)
{
	static const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	uint64_t write = read | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
			 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG;
	struct ruleset_attr attr = { .handled_access_fs = (1ULL << 13) - 1 };
	size_t size = sizeof(uint64_t);
	_cleanup_close_ int ruleset = -1;
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), err;

	if (abi < 1) {
		err = errno;
		if (r->accept_no_landlock)
			return 0;
		error_errno(e, err, "this kernel has no Landlock, which holds the process that reads the image");
		error_hint(e, "boot with landlock in the lsm= list, or accept it once: accept_lowered = landlock in "
			      "brig.conf");
		return -err;
	}
	if (abi >= 2) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
		write |= LANDLOCK_ACCESS_FS_REFER;
	}
	if (abi >= 3) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
		write |= LANDLOCK_ACCESS_FS_TRUNCATE;
	}
	if (abi >= 4) {
		attr.handled_access_net = r->network ? ROOM_NET_BIND : ROOM_NET_ALL;
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 5)
		attr.handled_access_fs |= ROOM_FS_IOCTL_DEV;
	if (abi >= 6) {
		attr.scoped = ROOM_SCOPE_ALL;
		size = sizeof(attr);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return error_errno(e, errno, "landlock_create_ruleset");
	err = add_dirs(ruleset, r->run_files, r->n_run, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE, e);
	if (err == 0)
		err = add_dirs(ruleset, r->write_dirs, r->n_write, write, e);
	if (err == 0)
		err = add_dirs(ruleset, r->read_dirs, r->n_read, read, e);
	if (err == 0)
		err = add_dirs(ruleset, r->read_files, r->n_read_files, LANDLOCK_ACCESS_FS_READ_FILE, e);
	if (err < 0)
		return err;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(e, errno, "landlock_restrict_self");
	return 0;
}

/* What every inhabitant needs to compute, and to die. */
static const int basic_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill), SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
#ifdef BRIG_SANITIZED /* shadow memory, and a report with names: never in what people install */
	SCMP_SYS(mprotect), SCMP_SYS(sigaltstack), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(open),
	SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(ioctl), SCMP_SYS(prlimit64),
#endif
};

/* Files below the folders that Landlock leaves, messages to the parent, and the child that decompresses. */
static const int file_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(ftruncate), SCMP_SYS(fchmod), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(unlinkat), SCMP_SYS(mkdirat), SCMP_SYS(getdents64), SCMP_SYS(fcntl),
	SCMP_SYS(pipe2), SCMP_SYS(wait4), SCMP_SYS(sendmsg), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(seccomp), SCMP_SYS(fadvise64), SCMP_SYS(sync_file_range),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(close_range),
};

/* Names, connections, threads (curl resolves names in one), and files below the folder that Landlock leaves. */
static const int network_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(ftruncate), SCMP_SYS(unlinkat), SCMP_SYS(fcntl), SCMP_SYS(pipe2),
	SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
	SCMP_SYS(bind), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(uname), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(sigaltstack),
};

/* What vetting needs beside files: the attributes and links of a folder that it walks, threads of its own. */
static const int look_calls[] = {
	SCMP_SYS(readlinkat), SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr), SCMP_SYS(sched_getaffinity), SCMP_SYS(geteuid),
};

/* What a C library needs to begin and a program to read and write what is open. No socket, no child, no other program's memory. */
static const int program_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(arch_prctl), SCMP_SYS(open),
	SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(lseek),
	SCMP_SYS(mprotect), SCMP_SYS(pread64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(getcwd), SCMP_SYS(fadvise64),
	SCMP_SYS(time), SCMP_SYS(gettimeofday), SCMP_SYS(clock_getres), SCMP_SYS(times), SCMP_SYS(getrusage),
};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);

		if (r < 0)
			return r;
	}
	return 0;
}

static int allow_child(scmp_filter_ctx ctx)
{
	/* fork() only: no flag that makes a namespace. glibc asks for clone3 first, which cannot be looked into. */
	static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
					   CLONE_NEWNET | CLONE_NEWCGROUP;
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
	/* its own limits only */
	return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0));
}

static int allow_network(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	/* A pair that leads nowhere else: curl wakes itself up with one. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0));
}

enum inhabitant { PIPE, FILES, NETWORK, LOOK, PROGRAM };

static int allow_look(scmp_filter_ctx ctx)
{
	int r = allow(ctx, look_calls, ARRAY_SIZE(look_calls));

	/* Stacks and heaps of threads; nothing that can be executed comes into being. */
	return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow_program(scmp_filter_ctx ctx)
{
	int r = allow(ctx, program_calls, ARRAY_SIZE(program_calls));

	/* its own limits, to read */
	return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
}

static int enter_seccomp(enum inhabitant who, struct error *e)
{
	/* Whatever is not listed fails with EPERM; a foreign architecture's calls kill. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return error_set(e, ENOMEM, "seccomp_init");
	r = allow(ctx, basic_calls, ARRAY_SIZE(basic_calls));
	if (r == 0 && (who == FILES || who == LOOK))
		r = allow(ctx, file_calls, ARRAY_SIZE(file_calls));
	if (r == 0 && (who == FILES || who == LOOK))
		r = allow_child(ctx);
	if (r == 0 && who == LOOK)
		r = allow_look(ctx);
	if (r == 0 && who == PROGRAM)
		r = allow_program(ctx);
	if (r == 0 && who == NETWORK)
		r = allow(ctx, network_calls, ARRAY_SIZE(network_calls));
	if (r == 0 && who == NETWORK)
		r = allow_network(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? error_errno(e, r, "seccomp filter of the process that reads the image") : 0;
}

static void limit(int what, uint64_t max)
{
	struct rlimit rl;

	if (getrlimit(what, &rl) < 0)
		return;
	if (rl.rlim_max > max)
		rl.rlim_max = max;
	if (rl.rlim_cur > rl.rlim_max)
		rl.rlim_cur = rl.rlim_max;
	setrlimit(what, &rl);
}

static void limit_memory(uint64_t bytes)
{
#ifndef BRIG_SANITIZED /* which reserves 16 TiB of address space */
	limit(RLIMIT_AS, bytes);
#else
	(void)bytes;
#endif
}

/* Root's rights go but for reading; an ordinary user has none. */
static int drop_capabilities(bool keep_reading, struct error *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2], want[2] = { 0 };

	if (syscall(SYS_capget, &head, have) < 0)
		return error_errno(e, errno, "capget");
	if (keep_reading)
		want[0].effective = want[0].permitted = have[0].permitted & (1u << CAP_DAC_READ_SEARCH);
	if (syscall(SYS_capset, &head, want) < 0)
		return error_errno(e, errno, "capset");
	return 0;
}

int room_enter(const struct room *r, struct error *e)
{
	int err;

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, r->file_size);
	limit_memory(r->memory);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(e, errno, "no_new_privs");
	err = drop_capabilities(r->keep_reading, e);
	if (err == 0)
		err = enter_landlock(r, e);
	return err < 0 ? err : enter_seccomp(r->network ? NETWORK : r->look ? LOOK : r->n_run ? PROGRAM : FILES, e);
}

int room_enter_pipe(uint64_t memory, struct error *e)
{
	limit_memory(memory);
	return enter_seccomp(PIPE, e);
}
