/* SPDX-License-Identifier: Apache-2.0 */
/* Another process in a running container. */
#include "runtime/launch.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "runtime/child.h"
#include "runtime/join.h"
#include "runtime/sync.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct {
	const char *name;
	int flag;
} namespaces[8] = {
	{ "user", CLONE_NEWUSER }, { "pid", CLONE_NEWPID },	  { "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS },
	{ "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME }, { "net", CLONE_NEWNET }, { "mnt", CLONE_NEWNS },
};

/* R33: what is entered must be what was recorded at the start. */
static int compare_namespaces(pid_t pid, const uint64_t want[8], struct error *e)
{
	for (int i = 0; i < 8; i++) {
		char path[48];
		struct stat st;

		if (!want || want[i] == 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, namespaces[i].name);
		if (stat(path, &st) < 0)
			return error_errno(e, errno, "%s", path);
		if (st.st_ino != want[i])
			return error_set(e, EPERM, "its %s namespace is not the one it was started with", namespaces[i].name);
	}
	return 0;
}

static int enter_flags(pid_t pid)
{
	int flags = 0;

	for (int i = 0; i < 8; i++) {
		char path[48], own[32];
		struct stat a, b;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, namespaces[i].name);
		snprintf(own, sizeof(own), "/proc/self/ns/%s", namespaces[i].name);
		/* setns(2) refuses to enter the user namespace one is in; the rest that is shared costs nothing to skip. */
		if (stat(path, &a) == 0 && stat(own, &b) == 0 && a.st_ino != b.st_ino)
			flags |= namespaces[i].flag;
	}
	return flags;
}

/* Descriptors by which the new process joins the container's cgroups before anything else. */
static int open_cgroup(struct launch *l, const struct launch_again *again, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;
	int r;

	cgroup_init(&cg);
	if (!l->plan->cgroup.path[0])
		return 0;
	for (size_t i = 0; again && i < again->n_cgroup_procs && i < ARRAY_SIZE(l->cgroup_join); i++) {
		int fd = fcntl(again->cgroup_procs[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return error_errno(e, errno, "cgroup wall");
		l->cgroup_join[l->n_cgroup_join++] = fd;
	}
	if (l->n_cgroup_join > 0)
		return 0;
	r = cgroup_open(l->plan->cgroup.path, &cg, e);
	if (r == 0) {
		r = cgroup_open_procs(&cg, l->cgroup_join, e);
		if (r >= 0) {
			l->n_cgroup_join = (size_t)r;
			r = 0;
		}
	}
	return r < 0 ? error_wrap(e, "cgroup wall") : 0;
}

/*
 * The LSM wall writes to the new process's own attributes. The container's /proc is read-only and masked, and a new one cannot be
 * mounted beside that: it goes through the /proc of the starter, in which the process sees itself as well.
 */
static int open_proc(struct launch *l, struct error *e)
{
	struct statfs fs;

	if (!l->plan->spec->apparmor && !l->plan->spec->selinux)
		return 0;
	l->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->proc_fd < 0 || fstatfs(l->proc_fd, &fs) < 0)
		return error_errno(e, errno, "/proc");
	return fs.f_type == PROC_SUPER_MAGIC ? 0 : error_set(e, EINVAL, "/proc is not a procfs");
}

int launch_exec(struct plan *p, pid_t pid, uint64_t start_time, const uint64_t ns[8], const struct launch_io *io,
		const struct launch_again *again, struct launched *out, struct error *e)
{
	_cleanup_close_ int target = proc_pidfd_checked(pid, start_time), inner = -1;
	struct clone_args args = { 0 };
	struct launch l = { .plan = p, .pidfd = -1, .root_fd = -1, .proc_fd = -1, .notify_fd = -1, .cgroup_fd = -1,
			    .tty_fd = -1, .ptmx_fd = -1, .stage_fd = -1, .init_fd = -1, .joining = true };
	int pair[2], r;

	launched_init(out);
	if (target < 0)
		return error_set(e, target, "it does not run");
	r = compare_namespaces(pid, ns, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	out->sync = pair[0];
	inner = pair[1];
	l.sync = inner;
	r = open_cgroup(&l, again, e);
	if (r == 0)
		r = open_proc(&l, e);
	if (r < 0) {
		cgroup_release(&l);
		cleanup_close(&out->sync);
		return r;
	}
	out->pid = join_clone(target, enter_flags(pid), -1, -1, &args, &out->pidfd, e);
	if (out->pid == 0) {
		close(pair[0]);
		child_exec(&l, io);
	}
	cleanup_close(&inner);
	inner = -1;
	cgroup_release(&l);
	cleanup_close(&l.proc_fd);
	if (out->pid < 0) {
		r = out->pid;
		cleanup_close(&out->sync);
		return r;
	}
	out->start_time = proc_start_time(out->pid);
	r = sync_wait_ready(out, e);
	if (r == 0)
		r = sync_wait_running(out, e);
	if (r < 0) {
		struct error kept = e ? *e : (struct error){ 0 };

		launch_free(out);
		if (e)
			*e = kept;
	}
	return r;
}
