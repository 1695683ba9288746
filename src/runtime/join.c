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

enum step { STEP_ENTER, STEP_CLONE, STEP_FIRST };

struct report {
	pid_t pid;
	int err;
	enum step step;
	struct error said; /* STEP_FIRST */
};

/* What is done before anything is entered; NULL: nothing. */
struct first {
	int (*run)(void *ctx, struct error *e);
	void *ctx;
};

static pid_t join(const struct first *first, int fd, int enter, int netns_fd, int mntns_fd, struct clone_args *args, int *pidfd,
		  struct error *e)
{
	_cleanup_close_ int in = -1;
	struct report rep = { 0 };
	pid_t helper;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	in = p[0];
	helper = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (helper == 0) {
		int r = first ? first->run(first->ctx, &rep.said) : 0;

		/* Where processes of the container are, they could look at us; the kernel lets them not (R12). */
		if (enter != CLONE_NEWUSER)
			prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		if (r < 0) {
			rep.pid = -1;
			rep.step = STEP_FIRST;
		} else if (setns(fd, enter) < 0 || (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0) || (mntns_fd >= 0 && setns(mntns_fd, CLONE_NEWNS) < 0)) {
			rep = (struct report){ -1, errno, STEP_ENTER };
		} else {
			args->flags = (args->flags | CLONE_PARENT) & ~(uint64_t)CLONE_PIDFD;
			args->exit_signal = 0; /* the helper's own, SIGCHLD, is taken over */
			rep.pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));
			if (rep.pid == 0)
				return 0;
			rep = (struct report){ rep.pid, errno, STEP_CLONE };
		}
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
	if (rep.pid < 0 && rep.step == STEP_FIRST) {
		*e = rep.said;
		return e->code;
	}
	if (rep.pid < 0)
		return error_errno(e, rep.err, rep.step == STEP_CLONE ? "clone3" : "cannot enter the container's namespaces");
	*pidfd = proc_pidfd(rep.pid);
	if (*pidfd < 0) {
		err = *pidfd;
		kill(rep.pid, SIGKILL); /* our own child, not yet reaped: the number is its */
		proc_wait(rep.pid);
		return error_errno(e, err, "pidfd_open");
	}
	return rep.pid;
}

pid_t join_clone(int fd, int enter, int netns_fd, int mntns_fd, struct clone_args *args, int *pidfd, struct error *e)
{
	return join(NULL, fd, enter, netns_fd, mntns_fd, args, pidfd, e);
}

pid_t join_clone_after(int (*first)(void *ctx, struct error *e), void *ctx, int fd, int enter, struct clone_args *args, int *pidfd,
		       struct error *e)
{
	return join(&(struct first){ first, ctx }, fd, enter, -1, -1, args, pidfd, e);
}
