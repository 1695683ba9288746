/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launch.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "confine/user.h"
#include "runtime/child.h"
#include "runtime/join.h"
#include "runtime/sync.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void launched_init(struct launched *l)
{
	*l = (struct launched){ .pidfd = -1, .sync = -1, .tty_fd = -1, .notify_fd = -1, .userns_fd = -1,
				.netns_fd = -1, .mntns_fd = -1, .stdio = { -1, -1, -1 } };
}

void launch_free(struct launched *l)
{
	if (l->sync >= 0 && l->pidfd >= 0) {
		proc_pidfd_signal(l->pidfd, SIGKILL);
		proc_wait(l->pid);
	}
	cleanup_close(&l->pidfd);
	cleanup_close(&l->sync);
	cleanup_close(&l->tty_fd);
	for (int i = 0; i < 3; i++)
		cleanup_close(&l->stdio[i]);
	cleanup_close(&l->notify_fd);
	cleanup_close(&l->userns_fd);
	cleanup_close(&l->netns_fd);
	cleanup_close(&l->mntns_fd);
	launched_init(l);
}

static uint64_t clone_flags(const struct spec *s, bool own_userns, bool own_netns)
{
	uint64_t f = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWTIME |
		     CLONE_PIDFD;

	if (own_userns)
		f |= CLONE_NEWUSER;
	if (own_netns && (s->net == SPEC_NET_NONE || s->net == SPEC_NET_PRIVATE))
		f |= CLONE_NEWNET;
	return f;
}

/* In the helper that stands in the parent of the new user namespace. */
static int write_maps(void *ctx, pid_t pid, struct error *e)
{
	const struct launch *l = ctx;
	int r = user_write_maps_directly(pid, l->plan->spec, e);

	return r < 0 ? error_wrap(e, "user wall") : 0;
}

/*
 * The user namespace belongs to the effective uid of its maker: with root that is the container's owner for the length of
 * the call, so that root is not needed later (law 1).
 */
static pid_t clone_process(struct launch *l, const struct launch_again *again, int *pidfd, struct error *e)
{
	const struct spec *s = l->plan->spec;
	int userns_fd = again->userns_fd;
	struct clone_args args = { .flags = clone_flags(s, userns_fd < 0, again->netns_fd < 0), .exit_signal = SIGCHLD,
				   .pidfd = (uint64_t)(uintptr_t)pidfd };
	bool swap = geteuid() == 0 && s->owner != 0 && userns_fd < 0;
	bool join = s->net == SPEC_NET_JOIN && s->net_fd >= 0 && userns_fd < 0;
	_cleanup_close_ int home = -1;
	pid_t pid;

	if (l->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)l->cgroup_fd;
	}
	if (s->parent_fd >= 0 && userns_fd < 0)
		return join_clone_mapped(s->parent_fd, join ? s->net_fd : -1, write_maps, l, &args, pidfd, e);
	if (userns_fd >= 0)
		return join_clone(userns_fd, CLONE_NEWUSER, again->netns_fd, again->mntns_fd, &args, pidfd, e);
	/* Born in the other container's network: from its own user namespace the new process could not enter it. */
	if (join) {
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (home < 0 || setns(s->net_fd, CLONE_NEWNET) < 0)
			return error_errno(e, errno, "cannot enter the network of the container that was named");
	}
	if (swap && syscall(SYS_setresuid, -1, s->owner, -1) < 0)
		return error_errno(e, errno, "cannot take uid %u", s->owner);
	if (swap)
		syscall(SYS_setfsuid, 0); /* files, the target cgroup's among them, stay root's to open */
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		return 0;
	int err = errno;
	if (swap && syscall(SYS_setresuid, -1, 0, -1) < 0)
		_exit(EXIT_ENGINE); /* cannot happen: the saved uid is still 0 */
	if (join && setns(home, CLONE_NEWNET) < 0)
		_exit(EXIT_ENGINE); /* a starter in a container's network would do the rest of its work there */
	if (pid < 0) {
		error_errno(e, err, "clone3");
		if (err == ENOSPC || err == EPERM)
			error_hint(e, "user namespaces may be switched off: see /proc/sys/user/max_user_namespaces and "
				      "kernel.unprivileged_userns_clone; `brig info` looks");
		return -err;
	}
	return pid;
}

/* Descriptors of the new namespaces, opened while the new process may still be looked at. */
static int hold_namespaces(struct launched *out, int userns_fd, struct error *e)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", out->pid);
	out->userns_fd = userns_fd >= 0 ? fcntl(userns_fd, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (out->userns_fd < 0)
		return error_errno(e, errno, "cannot open the new user namespace");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", out->pid);
	out->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	return out->netns_fd < 0 ? error_errno(e, errno, "cannot open the new network namespace") : 0;
}

static int send_sources(struct launch *l, struct error *e)
{
	int batch[FD_PASS_MAX], r = 0;
	size_t n = 0;

	for (size_t i = 0; r == 0 && i < l->n_sources; i++) {
		if (l->sources[i] >= 0)
			batch[n++] = l->sources[i];
		if (n == FD_PASS_MAX || (n > 0 && i + 1 == l->n_sources)) {
			r = sync_send(l->sync, SYNC_SOURCES, NULL, 0, batch, n);
			n = 0;
		}
	}
	if (r == 0)
		r = sync_send(l->sync, SYNC_GO, NULL, 0, NULL, 0);
	return r < 0 ? error_errno(e, r, "the new process is gone") : 0;
}

static void drop_sources(struct launch *l)
{
	for (size_t i = 0; i < l->n_sources; i++)
		cleanup_close(&l->sources[i]);
	free(l->sources);
	l->sources = NULL;
	l->n_sources = 0;
}

static int run_outside(struct launch *l, bool have_maps, struct error *e)
{
	for (int i = 0; i < WALL_COUNT; i++) {
		int r;

		if (!walls[i]->outside || (i == WALL_USER && have_maps))
			continue;
		r = walls[i]->outside(l, e);
		if (r < 0)
			return error_wrap(e, "%s wall", walls[i]->name);
	}
	return 0;
}

/* A process that failed says why and ends; what it said counts more than what we saw of its end. */
static int reap_failed(struct launched *out, struct error *e)
{
	struct error said = { 0 };
	char none;
	int r;

	proc_pidfd_signal(out->pidfd, SIGKILL);
	proc_wait(out->pid);
	r = sync_recv_any(out->sync, &none, 0, NULL, NULL, &said);
	if (r < 0 && said.code < 0 && e && e->code != said.code && e->code == -EPIPE)
		*e = said;
	cleanup_close(&out->sync);
	launch_free(out);
	return e ? e->code : -EIO;
}

static void launch_init(struct launch *l, struct plan *p, int sync)
{
	*l = (struct launch){ .plan = p, .sync = sync, .pidfd = -1, .root_fd = -1, .proc_fd = -1, .notify_fd = -1,
			      .cgroup_fd = -1, .tty_fd = -1, .ptmx_fd = -1, .stage_fd = -1, .init_fd = -1 };
}

/* The program for --init, in memory that nobody can change: pid 1's /proc/1/exe leads to it (R1). */
static int load_init(struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%sbrig-init", proc_libexec()), *data = NULL;
	size_t n;
	int r = file_read(AT_FDCWD, path, 1 << 22, &data, &n);

	if (r < 0)
		return error_errno(e, r, "%s", path);
	r = memfd_sealed("brig-init", data, n);
	return r < 0 ? error_errno(e, r, "memfd for %s", path) : r;
}

/* The new process stands in a mount namespace with nothing but the sources of its root in place, and goes on in another. */
static int hold_stage(struct launched *out, struct error *e)
{
	char path[48];
	int r = sync_recv(out->sync, SYNC_STAGED, NULL, 0, NULL, NULL, "the new process died before it ran", e);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", out->pid);
	out->mntns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (out->mntns_fd < 0)
		return error_errno(e, errno, "cannot hold the mount namespace");
	r = sync_send(out->sync, SYNC_GO, NULL, 0, NULL, 0);
	return r < 0 ? error_errno(e, r, "the new process is gone") : 0;
}

static int outside(struct launch *l, int userns_fd, const struct launch_hook *hook, struct launched *out,
		   struct error *e)
{
	int r = hold_namespaces(out, userns_fd, e);

	if (r == 0)
		r = run_outside(l, userns_fd >= 0 || l->plan->spec->parent_fd >= 0, e);
	if (r == 0)
		r = send_sources(l, e);
	drop_sources(l);
	if (r == 0 && l->staging)
		r = hold_stage(out, e);
	if (r == 0 && hook && hook->mapped)
		r = hook->mapped(hook->ctx, out, e);
	if (r == 0)
		r = sync_wait_ready(out, e);
	return r;
}

static void drop_cgroup(const struct plan *p)
{
	_cleanup_cgroup_ struct cgroup cg;

	cgroup_init(&cg);
	if (p->cgroup.path[0] && cgroup_open(p->cgroup.path, &cg, NULL) == 0)
		cgroup_remove(&cg, NULL);
}

static int prepare_cgroup(struct plan *p, struct launch *l, const struct launch_again *again, struct error *e)
{
	if (again->n_cgroup_procs == 0 && p->spec->cgroup_stands)
		return error_set(e, EPERM, "nothing was kept by which a process joins %s again", p->cgroup.path);
	if (again->n_cgroup_procs == 0)
		return cgroup_prepare(p, l, e);
	/* It still stands, with its limits: only root could make it anew. */
	for (size_t i = 0; i < again->n_cgroup_procs && i < ARRAY_SIZE(l->cgroup_join); i++)
		l->cgroup_join[l->n_cgroup_join++] = fcntl(again->cgroup_procs[i], F_DUPFD_CLOEXEC, 3);
	return 0;
}

int launch_create(struct plan *p, const struct launch_io *io, const struct launch_again *again,
		  const struct launch_hook *hook, struct launched *out, struct error *e)
{
	static const struct launch_again first = { .userns_fd = -1, .netns_fd = -1, .mntns_fd = -1 };
	_cleanup_close_ int init = -1, inner = -1;
	struct launch l;
	int pair[2], r;

	launched_init(out);
	if (p->spec->init && (init = load_init(e)) < 0)
		return init;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	out->sync = pair[0];
	inner = pair[1];
	launch_init(&l, p, inner);
	l.init_fd = init;
	again = again ? again : &first;
	l.staged = again->mntns_fd >= 0;
	l.staging = again->keep;
	l.early = geteuid() != 0 && !l.staged;
	r = prepare_cgroup(p, &l, again, e);
	if (r < 0) {
		cleanup_close(&out->sync);
		return error_wrap(e, "cgroup wall");
	}
	out->pid = clone_process(&l, again, &out->pidfd, e);
	if (out->pid == 0) {
		close(pair[0]);
		child_container(&l, io);
	}
	cleanup_close(&inner);
	inner = -1;
	cgroup_release(&l);
	if (out->pid < 0) {
		r = out->pid;
		cleanup_close(&out->sync);
		drop_cgroup(p);
		return r;
	}
	l.sync = out->sync;
	l.pid = out->pid;
	l.pidfd = out->pidfd;
	out->start_time = proc_start_time(out->pid);
	r = outside(&l, again->userns_fd, hook, out, e);
	if (r < 0) {
		reap_failed(out, e);
		drop_cgroup(p);
		return e ? e->code : r;
	}
	return 0;
}

int launch_start(struct launched *l, struct error *e)
{
	int r = sync_send(l->sync, SYNC_START, NULL, 0, NULL, 0);

	return r < 0 ? error_errno(e, r, "the container process is gone") : sync_wait_running(l, e);
}
