/* SPDX-License-Identifier: Apache-2.0 */
/* Which process a container has as its parent: this one, or one in the background that becomes its monitor. */
#include "engine/life.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "engine/attach.h"
#include "engine/relay.h"
#include "engine/vouch.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- in the foreground ------------------------------------------------------------------------------------------- */

/*
 * Before root is given up: a restart in another container's network takes rights over that one, unless the process that starts
 * it is there already.
 */
static int settle(const struct container *c, const struct started *st, struct error *e)
{
	if (geteuid() == 0 && st->spec.net == SPEC_NET_JOIN && c->config.restart != RESTART_NO &&
	    setns(st->spec.net_fd, CLONE_NEWNET) < 0)
		return error_errno(e, errno, "cannot enter the network of the container that was named");
	return life_drop(&st->spec, e);
}

/* This process is the container's parent until it has ended, as often as its restart policy says. */
static int watch_here(struct container *c, struct started *st, struct relay *front, int *exit_code, struct error *e)
{
	for (;;) {
		struct monitor_end end;
		uint64_t delay = 0;
		int r = relay_open(front, e);

		if (r == 0)
			r = monitor_foreground(&st->kit, front, &end, e);
		relay_close(front);
		if (r < 0)
			return r;
		*exit_code = proc_exit_code(end.status);
		r = life_after(c, end.status, end.reason, st->launched.userns_fd, &delay, e);
		if (r == LIFE_RESTART)
			r = life_restart(c, st, delay, e);
		if (r != LIFE_RESTART)
			return r;
	}
}

static void warn(const struct container *c, const char *note)
{
	if (*note && c->warn)
		c->warn(note);
}

static int run_here(struct container *c, struct relay *front, int *exit_code, struct error *e)
{
	struct started st;
	int r;

	started_init(&st);
	r = life_launch(c, &(struct life_kept){ -1, -1 }, &st, e);
	if (r == 0)
		warn(c, st.note);
	if (r == 0 && geteuid() == 0)
		kept_take(&st.kit);
	if (r == 0)
		r = settle(c, &st, e);
	if (r == 0)
		r = watch_here(c, &st, front, exit_code, e);
	started_free(&st);
	return r;
}

/* --- in the background ------------------------------------------------------------------------------------------- */

struct news {
	int result;
	struct error error;
	char note[sizeof(((struct started *)0)->note)];
};

/*
 * The process that becomes the monitor. It tells twice: that the container stands and takes visitors, and, after the caller
 * has answered (having come to visit, perhaps), that its program runs.
 */
static void __attribute__((noreturn)) background(struct container *c, const struct relay *front, int sock)
{
	struct news n = { 0 };
	struct started st;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	started_init(&st);
	if (front)
		relay_size(front, &st.rows, &st.cols);
	st.announce = sock;
	setsid();
	if (null >= 0)
		for (int i = 0; i < 3; i++)
			dup2(null, i);
	n.result = life_launch(c, &(struct life_kept){ -1, -1 }, &st, &n.error);
	if (n.result == 0)
		n.result = settle(c, &st, &n.error);
	(void)!write(sock, &n, sizeof(n));
	if (n.result < 0)
		_exit(1);
	close(sock);
	monitor_exec(&st.kit, &n.error);
	/* Without a monitor there is no container: it dies with this process, and the next command says so. */
	_exit(1);
}

static int read_news(const struct container *c, int sock, struct error *e)
{
	struct news n;
	ssize_t r;

	do
		r = read(sock, &n, sizeof(n));
	while (r < 0 && errno == EINTR);
	if (r != sizeof(n))
		return error_set(e, EIO, "the starting process died");
	warn(c, n.note);
	if (n.result < 0 && e)
		*e = n.error;
	return n.result;
}

int life_announce(struct started *st, struct error *e)
{
	struct news n = { 0 };
	char go;

	if (st->announce < 0)
		return 0;
	memcpy(n.note, st->note, sizeof(n.note));
	if (write(st->announce, &n, sizeof(n)) != sizeof(n) || read(st->announce, &go, 1) != 1)
		return error_set(e, EPIPE, "the caller is gone");
	return 0;
}

static int visit(struct container *c, struct relay *front, struct error *e)
{
	_cleanup_close_ int run = container_run_dir(c, e), sock = -1;

	if (run < 0)
		return run;
	sock = attach_connect(run, e);
	if (sock < 0)
		return sock;
	int r = relay_hello(front, sock, e);
	return r < 0 ? r : steal_fd(&sock);
}

static int run_background(struct container *c, struct relay *front, int *exit_code, struct error *e)
{
	_cleanup_close_ int own = -1, visitor = -1, pidfd = -1;
	int pair[2], status = 0, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	own = pair[0];
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		background(c, front, pair[1]);
	}
	int err = errno;
	close(pair[1]);
	if (pid < 0)
		return error_errno(e, err, "fork");
	r = read_news(c, own, e);
	if (r == 0 && front)
		r = visitor = visit(c, front, e);
	if (r >= 0)
		r = write(own, "g", 1) == 1 ? read_news(c, own, e) : error_set(e, EIO, "the starting process died");
	if (r < 0) {
		cleanup_close(&own);
		own = -1;
		proc_wait(pid); /* it has seen our end or told its own: it ends by itself */
	}
	/* The lock lives on in the monitor. */
	container_unlock(c);
	if (r < 0 || !front)
		return r;
	r = relay_open(front, e);
	if (r == 0)
		r = relay_attach(front, visitor, pidfd, &status, e);
	relay_close(front);
	if (r < 0)
		return r;
	/* Whoever sees us end finds the container's end recorded, and with --rm the container gone. */
	if (r == RELAY_ENDED && c->config.restart == RESTART_NO)
		proc_wait(pid);
	*exit_code = r == RELAY_DETACHED ? 0 : proc_exit_code(status);
	return r == RELAY_DETACHED ? CONTAINER_DETACHED : CONTAINER_ENDED;
}

/* The lock is its monitor's while it runs; a command that mends, or an end that is being recorded, has it for a moment only. */
static int lock_to_start(struct container *c, struct error *e)
{
	enum { TRIES = 400, PAUSE_NS = 5000000 };

	for (int i = 0;; i++) {
		_cleanup_close_ int pid = -1;
		int r = container_lock(c, false, e);

		if (r != -EBUSY)
			return r;
		r = container_load_state(c, e);
		if (r < 0)
			return r;
		if (container_running(c))
			pid = life_pidfd(c, NULL);
		if (pid >= 0 || i == TRIES)
			return error_set(e, EBUSY, "container %s is running already", c->config.name);
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	}
}

int container_start(struct container *c, struct relay *front, int *exit_code, struct error *e)
{
	int r = 0;

	if (c->lock_fd < 0)
		r = lock_to_start(c, e);
	if (r == 0 && c->state.status == ST_REMOVING)
		r = error_set(e, EBUSY, "container %s is being removed", c->config.name);
	if (r == 0)
		r = vouch(c, NULL, e);
	if (r == 0)
		r = vouch_folder(c, e);
	if (r < 0)
		return r;
	life_forget_stop(c);
	c->state.restarts = 0;
	/* A terminal can be left by its keys, so that somebody else must be the container's parent. */
	return front && !c->config.tty ? run_here(c, front, exit_code, e) : run_background(c, front, exit_code, e);
}
