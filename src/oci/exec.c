/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/exec.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "confine/cgroup_oci.h"
#include "confine/landlock.h"
#include "confine/seccomp_oci.h"
#include "oci/console.h"
#include "oci/create.h"
#include "oci/exec_cgroup.h"
#include "oci/init.h"
#include "oci/process.h"
#include "oci/rootfs.h"
#include "runtime/join.h"
#include "runtime/program.h"
#include "runtime/sync.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

struct joining {
	struct oci_container *c;
	const struct oci_config *cfg;
	const struct oci_exec *x;
	struct sock_filter *filter;
	unsigned n_filter;
	int enter;	/* CLONE_NEW* of the namespaces that are not ours already */
	int joins[OCI_CG_HIERARCHIES];
	size_t n_joins;
	int console, notify, pidfd; /* connected sockets, -1: none */
	int sync;	/* of the new process */
	int ruleset;	/* Landlock; -1: none */
	int root;	/* the container's root, where its mount namespace is one that others are in; -1 */
	pid_t self;	/* the new process as the host numbers it */
};

/* --- in the new process ------------------------------------------------------------------------------------------ */

/* "0-3,7": the CPUs on which it runs before and after it joins the cgroup (config.md, execCPUAffinity). */
static int set_affinity(const char *list, const char *name, struct error *e)
{
	cpu_set_t set;

	if (!list || !*list)
		return 0;
	CPU_ZERO(&set);
	for (const char *p = list; *p;) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (end != p && *end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
		}
		if (end == p || from > to || to >= CPU_SETSIZE || (*end && *end != ','))
			return error_set(e, EINVAL, "process.execCPUAffinity.%s: is no list of CPUs", name);
		for (; from <= to; from++)
			CPU_SET(from, &set);
		p = *end ? end + 1 : end;
	}
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return error_errno(e, errno, "process.execCPUAffinity.%s", name);
	return 0;
}

/* In the helper that enters the namespaces next: what only somebody outside can set, and is inherited. */
static int outside(void *ctx, struct error *e)
{
	struct joining *j = ctx;
	const struct oci_process *p = j->x->process;
	int r = set_affinity(p->cpu_initial, "initial", e);

	if (r < 0)
		return r;
	/* Nothing of it runs unlimited. */
	r = cgroup_join(j->joins, j->n_joins);
	if (r < 0)
		return error_errno(e, r, "cannot join the cgroup");
	r = set_affinity(p->cpu_final, "final", e);
	if (r == 0)
		r = oci_process_limits(p, e);
	if (r == 0 && !j->x->no_keyring)
		r = oci_process_keyring(j->c->id, p->selinux, e);
	if (r == 0 && j->cfg->has_personality && personality(j->cfg->personality) < 0)
		r = error_errno(e, errno, "linux.personality");
	return r;
}

static int become_root(const struct joining *j, struct error *e)
{
	if (!(j->enter & CLONE_NEWUSER))
		return 0;
	(void)!syscall(SYS_setgroups, 0, NULL); /* denied where the maker might not map groups */
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return error_errno(e, errno, "cannot become root of the container's user namespace");
	return 0;
}

static int terminal(const struct joining *j, int *ptmx, int *tty, struct error *e)
{
	_cleanup_close_ int root = -1;
	int r;

	if (!j->x->process->terminal)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_errno(e, errno, "/");
	r = oci_terminal_open(root, j->x->process, ptmx, tty, e);
	if (r == 0 && j->console >= 0) {
		r = oci_console_send(j->console, *ptmx, e);
		cleanup_close(ptmx);
		*ptmx = -1;
	}
	return r;
}

static int install_filter(const struct joining *j, struct error *e)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!j->filter && j->ruleset < 0)
		return 0;
	r = oci_process_before_filter(j->x->process, e);
	if (r == 0 && j->ruleset >= 0)
		r = landlock_bundle_restrict(j->ruleset, e);
	if (r == 0 && j->filter)
		r = seccomp_oci_install(&j->cfg->seccomp, j->filter, j->n_filter, &fd, e);
	if (r == 0 && fd >= 0)
		r = oci_notify_send(j->notify, fd, j->c, j->self, "running", j->cfg, e);
	return r == 0 ? oci_process_after_filter(j->x->process, e) : r;
}

/* The label is written through a procfs that is one; a private one where the kernel gives it. */
static int set_label(const struct joining *j, struct error *e)
{
	const struct oci_process *p = j->x->process;
	_cleanup_close_ int proc = -1;
	struct error none = { 0 };
	struct statfs fs;

	if (!(p->apparmor && *p->apparmor) && !(p->selinux && *p->selinux))
		return 0;
	proc = oci_new_fs("proc", "proc", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &none);
	if (proc < 0)
		proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || fstatfs(proc, &fs) < 0)
		return error_errno(e, errno, "/proc of the container");
	if (fs.f_type != PROC_SUPER_MAGIC)
		return error_set(e, EINVAL, "/proc of the container is no procfs");
	return oci_process_label(p, proc, e);
}

static int raise_all(struct joining *j, int *ptmx, char *program, size_t size, struct error *e)
{
	struct oci_process *p = j->x->process;
	_cleanup_close_ int tty = -1;
	int r = become_root(j, e);

	if (r == 0 && j->root >= 0 && (fchdir(j->root) < 0 || chroot(".") < 0))
		r = error_errno(e, errno, "root of the container");
	if (r == 0)
		r = terminal(j, ptmx, &tty, e);
	if (r == 0)
		r = oci_process_stdio(tty, e);
	if (r == 0)
		r = set_label(j, e);
	if (r == 0)
		oci_process_home(p);
	/* Not scoped: its domain is not the first process's, which it may have to signal. */
	if (r == 0 && j->c->landlock)
		r = j->ruleset = oci_process_landlock(j->cfg, false, e);
	if (r >= 0)
		r = oci_process_become(p, j->filter || j->ruleset >= 0, e);
	if (r == 0)
		r = oci_process_cwd(p, e);
	if (r == 0)
		r = program_find(p->args[0], p->env, program, size, e);
	return r;
}

static void __attribute__((noreturn)) child(struct joining *j)
{
	const struct oci_process *p = j->x->process;
	struct error e = { 0 };
	char program[PATH_MAX];
	int ptmx = -1, r;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	umask(0);
	r = raise_all(j, &ptmx, program, sizeof(program), &e);
	if (r == 0)
		r = sync_send(j->sync, SYNC_READY, NULL, 0, &ptmx, ptmx >= 0);
	cleanup_close(&ptmx);
	if (r == 0)
		r = sync_recv(j->sync, SYNC_START, &j->self, sizeof(pid_t), NULL, NULL, "the runtime is gone", &e);
	if (r == 0)
		r = oci_process_fds(j->x->preserve, &e);
	program_signals();
	umask(p->umask >= 0 ? (mode_t)p->umask : 0022);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (r == 0)
		r = install_filter(j, &e);
	if (r == 0)
		oci_process_exec(p, program, &e);
	sync_send_error(j->sync, &e);
	_exit(1);
}

/* --- in ours ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{ "user", CLONE_NEWUSER }, { "pid", CLONE_NEWPID },	  { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS },
	{ "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME }, { "net", CLONE_NEWNET }, { "mnt", CLONE_NEWNS },
};

/* setns(2) refuses to enter the user namespace one is in; the rest that is shared costs nothing to skip. */
static int enter_flags(pid_t pid)
{
	int flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char path[48], own[32];
		struct stat a, b;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, namespaces[i].name);
		snprintf(own, sizeof(own), "/proc/self/ns/%s", namespaces[i].name);
		if (stat(path, &a) == 0 && stat(own, &b) == 0 && a.st_ino != b.st_ino)
			flags |= namespaces[i].flag;
	}
	return flags;
}

static int check_state(const struct joining *j, struct error *e)
{
	enum oci_status s = oci_container_status(j->c);

	if (s == OCI_CREATING || s == OCI_STOPPED)
		return error_set(e, EINVAL, "cannot exec in a %s container: container is not running", oci_status_names[s]);
	if (s == OCI_PAUSED && !j->x->ignore_paused)
		return error_set(e, EINVAL, "cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

static int prepare(struct joining *j, struct error *e)
{
	const struct oci_seccomp *s = &j->cfg->seccomp;
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	int r;

	j->console = j->notify = j->pidfd = -1;
	if (j->x->pidfd_socket) {
		j->pidfd = oci_socket_connect(j->x->pidfd_socket, "--pidfd-socket", e);
		if (j->pidfd < 0)
			return j->pidfd;
	}
	if (j->x->process->terminal && j->x->console_socket) {
		j->console = oci_socket_connect(j->x->console_socket, "console socket", e);
		if (j->console < 0)
			return j->console;
	}
	if (s->notifies) {
		j->notify = oci_socket_connect(s->listener_path, "linux.seccomp.listenerPath", e);
		if (j->notify < 0)
			return j->notify;
	}
	r = s->set ? seccomp_oci_compile(s, &j->filter, &j->n_filter, e) : 0;
	if (r < 0 || !j->c->cgroup)
		return r;
	r = oci_cgroup_open(&cg, j->c->cgroup, e);
	if (r == 0)
		r = oci_exec_joins(&cg, j->c->pid, j->x->cgroups, j->joins, e);
	j->n_joins = r > 0 ? (size_t)r : 0;
	return r < 0 ? r : 0;
}

/* Written before the program runs: the caller takes the pid from there to watch it. */
static int record(const struct joining *j, const struct oci_started *s, struct error *e)
{
	int r = j->x->pid_file ? oci_pid_file(j->x->pid_file, s->pid, e) : 0;

	return r == 0 && j->pidfd >= 0 ? oci_pidfd_send(j->pidfd, s->pidfd, e) : r;
}

static int follow(const struct joining *j, int sync, struct oci_started *out, struct error *e)
{
	size_t n = 1;
	int r = sync_recv(sync, SYNC_READY, NULL, 0, &out->tty, &n, "the new process died before it ran", e);

	if (r < 0 || n == 0)
		out->tty = -1;
	if (r == 0)
		r = record(j, out, e);
	if (r < 0)
		return r;
	r = sync_send(sync, SYNC_START, &out->pid, sizeof(pid_t), NULL, 0);
	if (r < 0)
		return error_errno(e, r, "the new process is gone");
	r = sync_recv_any(sync, NULL, 0, NULL, NULL, e);
	return r > 0 ? error_set(e, EPROTO, "an unexpected message") : r;
}

/* Elsewhere the namespace leads there. */
static int open_root(struct joining *j, struct error *e)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", j->c->pid);
	j->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return j->root < 0 ? error_errno(e, errno, "root of the container") : 0;
}

static int spawn(struct joining *j, struct oci_started *out, struct error *e)
{
	_cleanup_close_ int target = proc_pidfd_checked(j->c->pid, j->c->start_time), ours = -1, inner = -1;
	struct clone_args args = { 0 };
	int pair[2], r;

	if (target < 0)
		return error_set(e, ESRCH, "cannot exec in a stopped container: container is not running");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	ours = pair[0];
	inner = j->sync = pair[1];
	j->enter = enter_flags(j->c->pid);
	if (!oci_ns_new(j->cfg, OCI_NS_MOUNT) && (r = open_root(j, e)) < 0)
		return r;
	out->pid = join_clone_after(outside, j, target, j->enter, &args, &out->pidfd, e);
	if (out->pid == 0) {
		close(ours);
		child(j);
	}
	if (out->pid < 0)
		return out->pid;
	cleanup_close(&inner);
	r = follow(j, ours, out, e);
	if (r < 0) {
		proc_pidfd_signal(out->pidfd, SIGKILL);
		proc_wait(out->pid);
		cleanup_close(&out->pidfd);
		cleanup_close(&out->tty);
	}
	return r;
}

int oci_exec(struct oci_container *c, const struct oci_config *cfg, const struct oci_exec *x, struct oci_started *out,
	     struct error *e)
{
	struct joining j = { .c = c, .cfg = cfg, .x = x, .console = -1, .notify = -1, .pidfd = -1, .ruleset = -1, .root = -1 };
	int r;

	*out = (struct oci_started){ .pidfd = -1, .tty = -1 };
	r = check_state(&j, e);
	if (r == 0)
		r = oci_process_label_check(x->process, NULL, e);
	if (r == 0)
		r = prepare(&j, e);
	if (r == 0)
		r = spawn(&j, out, e);
	for (size_t i = 0; i < j.n_joins; i++)
		close(j.joins[i]);
	free(j.filter);
	cleanup_close(&j.console);
	cleanup_close(&j.notify);
	cleanup_close(&j.pidfd);
	cleanup_close(&j.root);
	return r;
}
