/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/wait.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct relay {
	int tty, signals;
	pid_t pid;
	bool raw, in_open, out_open, ended;
	int status;
	struct termios saved;
};

static void copy_size(const struct relay *r)
{
	struct winsize size;

	if (r->tty >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
		ioctl(r->tty, TIOCSWINSZ, &size);
}

static void make_raw(struct relay *r)
{
	struct termios t;

	if (tcgetattr(0, &r->saved) < 0)
		return;
	t = r->saved;
	cfmakeraw(&t);
	r->raw = tcsetattr(0, TCSANOW, &t) == 0;
	copy_size(r);
}

static void reap(struct relay *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid == r->pid) {
			r->status = status;
			r->ended = true;
		}
	}
}

static void take_signal(struct relay *r)
{
	struct signalfd_siginfo s;

	if (read(r->signals, &s, sizeof(s)) != sizeof(s))
		return;
	if (s.ssi_signo == SIGCHLD)
		reap(r);
	else if (s.ssi_signo == SIGWINCH && r->tty >= 0)
		copy_size(r);
	else if (s.ssi_signo != SIGURG && !r->ended) /* Go programs send themselves SIGURG all the time */
		kill(r->pid, (int)s.ssi_signo);
}

/* False at the end. */
static bool move(int from, int to)
{
	char data[16384];
	ssize_t n = read(from, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && fd_write_all(to, data, (size_t)n) == 0;
}

static int loop(struct relay *r, struct error *e)
{
	while (!r->ended || (r->tty >= 0 && r->out_open)) {
		struct pollfd p[3] = { { .fd = r->signals, .events = POLLIN },
				       { .fd = r->out_open ? r->tty : -1, .events = POLLIN },
				       { .fd = r->in_open ? 0 : -1, .events = POLLIN } };
		/* What is left of the output comes at once; a process that stayed behind may hold the terminal open. */
		int n = poll(p, 3, r->ended ? 100 : -1);

		if (n < 0 && errno != EINTR)
			return error_errno(e, errno, "poll");
		if (n == 0)
			return 0;
		if (n < 0)
			continue;
		if (p[0].revents)
			take_signal(r);
		if (p[1].revents && !move(r->tty, 1))
			r->out_open = false;
		if (p[2].revents && !move(0, r->tty))
			r->in_open = false;
	}
	return 0;
}

int oci_wait(pid_t pid, int tty, int *code, struct error *e)
{
	struct relay r = { .tty = tty, .pid = pid, .in_open = tty >= 0, .out_open = tty >= 0 };
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	r.signals = signalfd(-1, &all, SFD_CLOEXEC);
	if (r.signals < 0)
		return error_errno(e, errno, "signalfd");
	if (tty >= 0)
		make_raw(&r);
	reap(&r); /* it may have ended before */
	ret = loop(&r, e);
	if (r.raw)
		tcsetattr(0, TCSANOW, &r.saved);
	close(r.signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	*code = proc_exit_code(r.status);
	return ret;
}
