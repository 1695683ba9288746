/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/join.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum step { STEP_ENTER, STEP_CLONE, STEP_FIRST, STEP_THEN, STEP_DONE };

struct report {
	pid_t pid;
	int err;
	enum step step;
	struct error said; /* STEP_FIRST, STEP_THEN */
};

/* What else the helper does; NULL: nothing. */
struct extra {
	int (*first)(void *ctx, struct error *e); /* before anything is entered */
	int (*then)(void *ctx, pid_t pid, struct error *e);
	void *ctx;
};

static bool enter_all(int fd, int enter, int netns_fd, int mntns_fd)
{
	return setns(fd, enter) == 0 && (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET) == 0) &&
	       (mntns_fd < 0 || setns(mntns_fd, CLONE_NEWNS) == 0);
}

/* In the helper. 0 in the new process. */
static pid_t helper_main(const struct extra *x, int fd, int enter, int netns_fd, int mntns_fd, struct clone_args *args,
			 struct report *rep)
{
	rep->step = STEP_FIRST;
	if (x->first && x->first(x->ctx, &rep->said) < 0)
		return -1;
	/*
	 * Where processes of the container are, they could look at us; the kernel lets them not (R12). Not before: /proc/self would be
	 * root's, and the score for the killer of processes could not be written.
	 */
	if (enter != CLONE_NEWUSER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rep->step = STEP_ENTER;
	if (!enter_all(fd, enter, netns_fd, mntns_fd)) {
		rep->err = errno;
		return -1;
	}
	rep->step = STEP_CLONE;
	args->flags = (args->flags | CLONE_PARENT) & ~(uint64_t)CLONE_PIDFD;
	args->exit_signal = 0; /* the helper's own, SIGCHLD, is taken over */
	rep->pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));
	rep->err = errno;
	if (rep->pid <= 0)
		return rep->pid;
	rep->step = x->then && x->then(x->ctx, rep->pid, &rep->said) < 0 ? STEP_THEN : STEP_DONE;
	return rep->pid;
}

static int failed(const struct report *rep, struct error *e)
{
	switch (rep->step) {
	case STEP_DONE:
		return 0;
	case STEP_FIRST:
	case STEP_THEN:
		*e = rep->said;
		return e->code;
	case STEP_CLONE:
		return error_errno(e, rep->err, "clone3");
	case STEP_ENTER:
	default:
		return error_errno(e, rep->err, "cannot enter the container's namespaces");
	}
}

static pid_t join(const struct extra *x, int fd, int enter, int netns_fd, int mntns_fd, struct clone_args *args, int *pidfd,
		  struct error *e)
{
	_cleanup_close_ int in = -1;
	struct report rep = { 0 };
	pid_t helper;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	in = p[0];
	helper = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (helper == 0) {
		if (helper_main(x, fd, enter, netns_fd, mntns_fd, args, &rep) == 0)
			return 0;
		(void)!write(p[1], &rep, sizeof(rep));
		_exit(0);
	}
	int err = errno;
	close(p[1]);
	if (helper < 0)
		return error_errno(e, err, "fork");
	ssize_t n = read(in, &rep, sizeof(rep));
	proc_wait(helper);
	if (n != sizeof(rep))
		return error_set(e, EIO, "the process that enters the namespaces died");
	r = failed(&rep, e);
	if (r == 0) {
		*pidfd = proc_pidfd(rep.pid);
		if (*pidfd < 0)
			r = error_errno(e, *pidfd, "pidfd_open");
	}
	if (r < 0 && rep.pid > 0) {
		kill(rep.pid, SIGKILL); /* our own child, not yet reaped: the number is its */
		proc_wait(rep.pid);
	}
	return r < 0 ? r : rep.pid;
}

pid_t join_clone(int fd, int enter, int netns_fd, int mntns_fd, struct clone_args *args, int *pidfd, struct error *e)
{
	return join(&(struct extra){ 0 }, fd, enter, netns_fd, mntns_fd, args, pidfd, e);
}

pid_t join_clone_after(int (*first)(void *ctx, struct error *e), void *ctx, int fd, int enter, struct clone_args *args, int *pidfd,
		       struct error *e)
{
	return join(&(struct extra){ .first = first, .ctx = ctx }, fd, enter, -1, -1, args, pidfd, e);
}

pid_t join_clone_mapped(int fd, int netns_fd, int (*map)(void *ctx, pid_t pid, struct error *e), void *ctx, struct clone_args *args,
			int *pidfd, struct error *e)
{
	return join(&(struct extra){ .then = map, .ctx = ctx }, fd, CLONE_NEWUSER, netns_fd, -1, args, pidfd, e);
}
