/* SPDX-License-Identifier: Apache-2.0 */
/* Work on files that belong to a container's ids, done by a child that has those ids. */
#include "engine/ids.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "confine/user.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct answer {
	int result;
	struct error error;
};

/* Root of the container's user namespace (-1: the one that was made with this process). */
static int become(int userns_fd, struct error *e)
{
	if (userns_fd >= 0 && setns(userns_fd, CLONE_NEWUSER) < 0)
		return error_errno(e, errno, "cannot enter the container's user namespace");
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return error_errno(e, errno, "cannot take the container's ids");
	return 0;
}

static void __attribute__((noreturn)) child(int sock, int userns_fd, ids_fn fn, void *ctx)
{
	struct answer a = { 0 };
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (userns_fd < 0 && read(sock, &go, 1) != 1)
		_exit(1);
	a.result = become(userns_fd, &a.error);
	if (a.result == 0)
		a.result = fn(ctx, &a.error);
	(void)!write(sock, &a, sizeof(a));
	_exit(0);
}

/* As `child` does it, but in the parent's memory, which waits. */
struct near {
	int userns_fd;
	ids_fn fn;
	void *ctx;
	struct answer answer;
};

static int near_child(void *arg)
{
	struct near *n = arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	n->answer.result = become(n->userns_fd, &n->answer.error);
	if (n->answer.result == 0)
		n->answer.result = n->fn(n->ctx, &n->answer.error);
	return 0; /* clone(2)'s wrapper ends it; what runs at _exit() would find a stack that is not its thread's */
}

int ids_run_near(int userns_fd, ids_fn fn, void *ctx, struct error *e)
{
	struct near n = { userns_fd, fn, ctx, { .result = -EIO } };
	const size_t size = 256 << 10, guard = 64 << 10;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		return error_errno(e, errno, "mmap");
	(void)!mprotect(stack, guard, PROT_NONE);
	pid = clone(near_child, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, &n);
	if (pid < 0) {
		n.answer.result = error_errno(e, errno, "clone");
	} else {
		proc_wait(pid);
		if (n.answer.result < 0 && n.answer.error.code == 0)
			error_set(&n.answer.error, EIO, "the helper process died");
		if (n.answer.result < 0 && e)
			*e = n.answer.error;
	}
	munmap(stack, size);
	return n.answer.result;
}

int ids_run(const struct spec *maps, int userns_fd, ids_fn fn, void *ctx, struct error *e)
{
	_cleanup_close_ int own = -1, other = -1;
	struct answer a;
	pid_t pid;
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	own = pair[0];
	other = pair[1];
	pid = (pid_t)syscall(SYS_clone, SIGCHLD | (userns_fd < 0 ? CLONE_NEWUSER | CLONE_NEWNS : 0), 0, 0, 0, 0);
	if (pid < 0)
		return error_errno(e, errno, "clone");
	if (pid == 0) {
		close(own);
		child(other, userns_fd, fn, ctx);
	}
	cleanup_close(&other);
	other = -1;
	if (userns_fd < 0) {
		r = user_write_maps(pid, maps->uidmap, maps->n_uidmap, maps->gidmap, maps->n_gidmap, e);
		if (r == 0 && write(own, "g", 1) != 1)
			r = error_errno(e, errno, "the helper process is gone");
	}
	if (r == 0) {
		ssize_t n;

		do
			n = read(own, &a, sizeof(a));
		while (n < 0 && errno == EINTR);
		if (n != sizeof(a)) {
			r = error_set(e, EIO, "the helper process died");
		} else {
			r = a.result;
			if (r < 0 && e)
				*e = a.error;
		}
	} else {
		kill(pid, SIGKILL); /* our child, not reaped: the number is its */
	}
	proc_wait(pid);
	return r;
}

/* `own`: what the caller's ids are inside. */
static int all_maps(struct spec_idmap uids[2], struct spec_idmap gids[2], uint32_t own_uid, uint32_t own_gid, struct error *e)
{
	struct ids_range range;
	int r = ids_own_range(&range, e);

	if (r < 0)
		return r;
	uids[0] = (struct spec_idmap){ own_uid, geteuid(), 1 };
	uids[1] = (struct spec_idmap){ range.uid_first, range.uid_first, range.uid_count };
	gids[0] = (struct spec_idmap){ own_gid, getegid(), 1 };
	gids[1] = (struct spec_idmap){ range.gid_first, range.gid_first, range.gid_count };
	return 0;
}

int ids_parent(struct error *e)
{
	struct spec_idmap uids[2], gids[2];
	char path[48];
	pid_t pid;
	int fd, r = all_maps(uids, gids, geteuid(), getegid(), e);

	if (r < 0)
		return r;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	if (pid < 0)
		return error_errno(e, errno, "clone");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? error_errno(e, errno, "cannot open the new user namespace")
		   : user_write_maps(pid, uids, 2, gids, 2, e);
	kill(pid, SIGKILL); /* our child, not reaped: the number is its */
	proc_wait(pid);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

int ids_run_all(ids_fn fn, void *ctx, struct error *e)
{
	struct spec_idmap uids[2], gids[2];
	struct spec maps;
	int r;

	if (home_is_root())
		return fn(ctx, e);
	r = all_maps(uids, gids, 0, 0, e);
	if (r < 0)
		return r;
	spec_init(&maps);
	maps.uidmap = uids;
	maps.gidmap = gids;
	maps.n_uidmap = maps.n_gidmap = 2;
	return ids_run(&maps, -1, fn, ctx, e);
}

int ids_run_as(const struct container *c, ids_fn fn, void *ctx, struct error *e)
{
	struct tree_ids tree = { 0 };
	struct spec s;
	int r;

	if (home_is_root())
		return fn(ctx, e);
	spec_init(&s);
	r = c->config.tree ? tree_ids_read(c->config.tree, &tree, e) : 0;
	if (r == 0)
		r = ids_maps(c, &tree, &s, e);
	if (r == 0)
		r = ids_run(&s, -1, fn, ctx, e);
	tree_ids_free(&tree);
	spec_free(&s);
	return r;
}
