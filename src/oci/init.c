/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/init.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "confine/cgroup.h"
#include "confine/landlock.h"
#include "confine/net_filter.h"
#include "confine/seccomp_oci.h"
#include "oci/console.h"
#include "oci/hooks.h"
#include "oci/process.h"
#include "runtime/program.h"
#include "runtime/sync.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const int oci_ns_flags[OCI_NS_COUNT] = {
	[OCI_NS_USER] = CLONE_NEWUSER, [OCI_NS_PID] = CLONE_NEWPID, [OCI_NS_NETWORK] = CLONE_NEWNET,
	[OCI_NS_IPC] = CLONE_NEWIPC, [OCI_NS_UTS] = CLONE_NEWUTS, [OCI_NS_CGROUP] = CLONE_NEWCGROUP,
	[OCI_NS_TIME] = CLONE_NEWTIME, [OCI_NS_MOUNT] = CLONE_NEWNS,
};

static void __attribute__((noreturn)) give_up(int sock, struct error *e)
{
	sync_send_error(sock, e);
	_exit(1);
}

/* --- namespaces -------------------------------------------------------------------------------------------------- */

/* The mount namespace is entered when the root stands (oci_rootfs_enter). */
static int enter_given(const struct oci_init *i, struct error *e)
{
	for (int k = 0; k < OCI_NS_COUNT; k++)
		if (k != OCI_NS_MOUNT && i->ns[k] >= 0 && setns(i->ns[k], oci_ns_flags[k]) < 0)
			return error_errno(e, errno, "linux.namespaces: cannot enter %s", i->cfg->ns[k].path);
	return 0;
}

/* Offsets can be given only before a process is in the namespace: it is made for children, then entered (time_namespaces(7)). */
static int enter_time(const struct oci_config *c, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_close_ int ns = -1;
	int r = 0;

	if (!oci_ns_new(c, OCI_NS_TIME))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return error_errno(e, errno, "linux.namespaces: time");
	if (c->monotonic.set)
		buf_printf(&b, "monotonic %lld %u\n", (long long)c->monotonic.secs, c->monotonic.nanosecs);
	if (c->boottime.set)
		buf_printf(&b, "boottime %lld %u\n", (long long)c->boottime.secs, c->boottime.nanosecs);
	if (b.len)
		r = file_write(AT_FDCWD, "/proc/self/timens_offsets", b.data);
	if (r < 0)
		return error_errno(e, r, "linux.timeOffsets");
	ns = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWTIME) < 0)
		return error_errno(e, errno, "linux.namespaces: time");
	return 0;
}

static int set_names(const struct oci_config *c, struct error *e)
{
	if (c->hostname && *c->hostname && sethostname(c->hostname, strlen(c->hostname)) < 0)
		return error_errno(e, errno, "hostname");
	if (c->domainname && *c->domainname && setdomainname(c->domainname, strlen(c->domainname)) < 0)
		return error_errno(e, errno, "domainname");
	return 0;
}

/* It is down in a new network, and callers leave it to the runtime (podman's and docker's network "none"). */
static int set_loopback(const struct oci_config *c, struct error *e)
{
	int r = oci_ns_new(c, OCI_NS_NETWORK) ? net_loopback_up() : 0;

	return r < 0 ? error_errno(e, r, "linux.namespaces: network: loopback") : 0;
}

/* root of the new user namespace, so that what is made belongs to it. */
static int become_root(const struct oci_init *i, struct error *e)
{
	if (!i->in_userns)
		return 0;
	(void)!syscall(SYS_setgroups, 0, NULL); /* denied where the maker may not map groups */
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return error_errno(e, errno, "cannot become root of the user namespace (is id 0 mapped?)");
	if (oci_ns_new(i->cfg, OCI_NS_USER) && oci_ns_new(i->cfg, OCI_NS_IPC) && unshare(CLONE_NEWIPC) < 0)
		return error_errno(e, errno, "linux.namespaces: ipc");
	return 0;
}

static int write_sysctls(const struct oci_init *i, int proc_fd, struct error *e)
{
	for (size_t k = 0; k < i->cfg->n_sysctl; k++) {
		const struct oci_pair *p = &i->cfg->sysctl[k];
		_cleanup_free_ char *path = xasprintf("sys/%s", p->name), *safe = str_escape(p->name);
		bool slashes = strchr(p->name, '/');
		int r;

		for (char *s = path + 4; !slashes && *s; s++)
			if (*s == '.')
				*s = '/';
		r = file_write(proc_fd, path, p->value);
		if (r < 0)
			return error_errno(e, r, "linux.sysctl[\"%s\"]", safe);
	}
	return 0;
}

/* --- attributes of the process ----------------------------------------------------------------------------------- */

static int set_memory_policy(const struct oci_config *c, struct error *e)
{
	unsigned long mask[16] = { 0 }; /* 1024 nodes */
	const char *p = c->memory_policy.nodes;

	if (!c->memory_policy.set)
		return 0;
	while (p && *p) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (end == p)
			return error_set(e, EINVAL, "linux.memoryPolicy.nodes: is no list of nodes");
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
			if (end == p)
				return error_set(e, EINVAL, "linux.memoryPolicy.nodes: is no list of nodes");
		}
		if (to >= 1024 || from > to || (*end && *end != ','))
			return error_set(e, EINVAL, "linux.memoryPolicy.nodes: is no list of nodes");
		for (unsigned long n = from; n <= to; n++)
			mask[n / 64] |= 1UL << (n % 64);
		p = *end ? end + 1 : end;
	}
	if (syscall(SYS_set_mempolicy, c->memory_policy.mode | (int)c->memory_policy.flags, p ? mask : NULL, p ? 1025 : 0) < 0)
		return error_errno(e, errno, "linux.memoryPolicy");
	return 0;
}

static int set_attributes(const struct oci_init *i, struct error *e)
{
	const struct oci_config *c = i->cfg;
	int r = oci_process_limits(&c->process, e);

	if (r == 0)
		r = set_memory_policy(c, e);
	if (r == 0 && c->has_personality && personality(c->personality) < 0)
		r = error_errno(e, errno, "linux.personality");
	return r;
}

/* --- the sequence ------------------------------------------------------------------------------------------------ */

static int prepare(struct oci_init *i, struct error *e)
{
	const struct oci_config *c = i->cfg;
	int r = cgroup_join(i->joins, i->n_joins);

	if (r < 0)
		return error_errno(e, r, "cannot join the cgroup");
	/* While the ids are still the caller's: what needs the host's rights. */
	r = set_attributes(i, e);
	if (r == 0)
		r = sync_recv(i->sync, SYNC_GO, &i->container->pid, sizeof(pid_t), NULL, NULL, "the runtime is gone", e);
	if (r == 0)
		r = enter_given(i, e);
	if (r == 0)
		r = enter_time(c, e);
	if (r == 0 && !i->no_keyring)
		r = oci_process_keyring(i->container->id, c->process.selinux, e);
	/* Takes its root from where the process is by now. */
	if (r == 0 && oci_ns_new(c, OCI_NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		r = error_errno(e, errno, "linux.namespaces: cgroup");
	return r;
}

/* The maker runs the hooks that belong into the runtime's namespaces while this process waits. */
static int hooks(struct oci_init *i, struct error *e)
{
	const struct oci_config *c = i->cfg;
	int r = 0;

	if (c->n_hooks[OCI_HOOK_PRESTART] || c->n_hooks[OCI_HOOK_CREATE_RUNTIME] || c->n_netdevs) {
		r = sync_send(i->sync, SYNC_MOUNTED, NULL, 0, NULL, 0);
		if (r < 0)
			return error_errno(e, r, "the runtime is gone");
		r = sync_recv(i->sync, SYNC_GO, NULL, 0, NULL, NULL, "the runtime is gone", e);
	}
	return r == 0 ? oci_hooks_run(c, OCI_HOOK_CREATE_CONTAINER, i->container, "creating", e) : r;
}

static int build(struct oci_init *i, struct oci_setup *s, struct error *e)
{
	/* Sources and root are opened as the caller; in a user namespace its files may not be root's. */
	int r = oci_rootfs_open(s, e);

	if (r == 0)
		r = become_root(i, e);
	if (r == 0)
		r = set_names(i->cfg, e);
	if (r == 0)
		r = set_loopback(i->cfg, e);
	if (r == 0)
		r = oci_rootfs_fill(s, e);
	if (r == 0)
		r = write_sysctls(i, s->proc_fd, e);
	if (r == 0)
		r = hooks(i, e);
	return r < 0 ? r : oci_rootfs_enter(s, e);
}

static int install_filter(struct oci_init *i, struct error *e)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!i->filter && i->ruleset < 0)
		return 0;
	r = oci_process_before_filter(&i->cfg->process, e);
	if (r == 0 && i->ruleset >= 0)
		r = landlock_bundle_restrict(i->ruleset, e);
	if (r == 0 && i->filter)
		r = seccomp_oci_install(&i->cfg->seccomp, i->filter, i->n_filter, &fd, e);
	if (r == 0 && fd >= 0)
		r = oci_notify_send(i->notify, fd, i->container, i->container->pid, "creating", i->cfg, e);
	return r == 0 ? oci_process_after_filter(&i->cfg->process, e) : r;
}

static int finish(struct oci_init *i, struct oci_setup *s, char *program, size_t size, struct error *e)
{
	const struct oci_process *p = &i->cfg->process;
	int r = oci_process_stdio(s->tty_fd, e);

	if (r == 0 && s->ptmx_fd >= 0 && i->console >= 0)
		r = oci_console_send(i->console, s->ptmx_fd, e);
	if (r == 0)
		r = oci_process_label(p, s->proc_fd, e);
	if (r == 0)
		oci_process_home(&i->cfg->process);
	if (r == 0 && i->container->landlock)
		r = i->ruleset = oci_process_landlock(i->cfg, true, e);
	if (r >= 0)
		r = oci_process_become(p, i->filter || i->ruleset >= 0, e);
	if (r == 0)
		r = oci_process_cwd(p, e);
	if (r == 0)
		r = program_find(p->args[0], p->env, program, size, e);
	return r;
}

extern const char __executable_start[], etext[]; /* end(3) */

/* What waits for its start needs hardly any of the program: pages of code come back from the file when they are. */
static void forget_code(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)__executable_start & ~(page - 1);

	(void)!madvise((void *)from, (uintptr_t)etext - from, MADV_DONTNEED);
}

/* A connection on ROOT/ID/start; end of file there tells that the program runs. */
static int wait_start(struct oci_init *i, struct error *e)
{
	for (;;) {
		int sock = accept4(i->listener, NULL, NULL, SOCK_CLOEXEC), r;
		struct error said = { 0 };

		if (sock < 0 && errno == EINTR)
			continue;
		if (sock < 0)
			return error_errno(e, errno, "cannot wait for the start");
		r = sync_recv_any(sock, NULL, 0, NULL, NULL, &said);
		if (r == SYNC_START)
			return sock;
		close(sock); /* whoever that was went away again */
	}
}

static void __attribute__((noreturn)) run(struct oci_init *i, const char *program)
{
	const struct oci_process *p = &i->cfg->process;
	struct error e = { 0 };
	int sock, r;

	if (!i->starts_now)
		forget_code();
	sock = wait_start(i, &e);
	if (sock < 0)
		_exit(1);
	r = oci_hooks_run(i->cfg, OCI_HOOK_START_CONTAINER, i->container, "created", &e);
	program_signals();
	if (r == 0)
		r = oci_process_fds(i->preserve, &e);
	if (p->umask >= 0)
		umask((mode_t)p->umask);
	else
		umask(0022);
	if (r == 0)
		r = install_filter(i, &e);
	if (r == 0)
		oci_process_exec(p, program, &e);
	give_up(sock, &e);
}

void oci_init_main(struct oci_init *i)
{
	struct oci_setup s = { .cfg = i->cfg, .rootfs = i->container->rootfs, .cgroup = i->cgroup, .sources = i->sources,
			       .no_pivot = i->no_pivot, .detached = !oci_ns_new(i->cfg, OCI_NS_MOUNT),
			       .mnt_ns = i->ns[OCI_NS_MOUNT], .root_fd = -1, .proc_fd = -1, .null_fd = -1,
			       .tty_fd = -1, .ptmx_fd = -1 };
	struct error e = { 0 };
	char program[PATH_MAX];
	int r;

	/* Until the container is recorded this process dies with its maker. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	umask(0);
	i->ruleset = -1;
	r = prepare(i, &e);
	if (r == 0)
		r = build(i, &s, &e);
	if (r == 0)
		r = finish(i, &s, program, sizeof(program), &e);
	if (r < 0)
		give_up(i->sync, &e);
	/* It holds descriptors of the host until exec: nobody may look (CVE-2016-9962). */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	cleanup_close(&s.root_fd);
	cleanup_close(&s.proc_fd);
	cleanup_close(&s.null_fd);
	cleanup_close(&s.tty_fd);
	cleanup_close(&s.ptmx_fd);
	cleanup_close(&i->console);
	/* With them goes the lock, which belongs to the maker. */
	close(i->container->dir_fd);
	close(i->container->root_fd);
	r = sync_send(i->sync, SYNC_READY, NULL, 0, NULL, 0);
	if (r == 0)
		r = sync_recv(i->sync, SYNC_GO, NULL, 0, NULL, NULL, "the runtime is gone", &e);
	if (r < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	close(i->sync);
	run(i, program);
}
