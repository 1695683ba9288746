// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a command behind the seccomp wall alone (and the Landlock wall with -L), without a container: for the census and
 * for trying programs out. Reported calls are answered as the monitor does and printed on stderr.
 *
 *	behind [-L] [-R] [-l WALL=DETAIL]... [-p PORT]... [-w PLACE]... [-q] COMMAND [ARGUMENT]...
 *
 * -R: the root counts as read-only, so that only the places of -w are writable.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/landlock.h"
#include "confine/notify.h"
#include "confine/seccomp.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct options {
	struct spec spec;
	bool landlock, quiet;
};

static void options_read(struct options *o, int argc, char **argv)
{
	struct spec *s = &o->spec;
	int c;

	spec_init(s);
	while ((c = getopt(argc, argv, "+LRl:p:qw:")) != -1) {
		char *sep;

		switch (c) {
		case 'L':
			o->landlock = true;
			break;
		case 'l':
			sep = strchr(optarg, '=');
			s->lower = xrealloc(s->lower, s->n_lower + 1, sizeof(*s->lower));
			s->lower[s->n_lower++] = (struct spec_lower){
				sep ? xstrndup(optarg, (size_t)(sep - optarg)) : xstrdup(optarg),
				sep ? xstrdup(sep + 1) : NULL,
			};
			break;
		case 'p':
			s->expose_tcp = xrealloc(s->expose_tcp, s->n_expose_tcp + 1, sizeof(*s->expose_tcp));
			s->expose_tcp[s->n_expose_tcp++] = (uint16_t)atoi(optarg);
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'w':
			spec_add_mount(s, "bind", optarg, optarg, NULL, 0)->writable = true;
			break;
		case 'R':
			s->root.read_only = true;
			break;
		default:
			exit(2);
		}
	}
	if (optind == argc) {
		fprintf(stderr, "behind: no command\n");
		exit(2);
	}
}

static void fail(const struct error *e)
{
	fprintf(stderr, "behind: %s\n", e->text);
	_exit(125);
}

static void child(struct options *o, int sync, char **argv)
{
	static struct plan p;
	struct launch l = { .plan = &p, .proc_fd = -1, .root_fd = -1, .notify_fd = -1 };
	struct error e = { 0 };

	p.spec = &o->spec;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(125);
	if (o->landlock && (wall_landlock.plan(&o->spec, &p, &e) < 0 || wall_landlock.raise(&l, &e) < 0))
		fail(&e);
	if (wall_seccomp.plan(&o->spec, &p, &e) < 0 || wall_seccomp.raise(&l, &e) < 0)
		fail(&e);
	if (socket_send(sync, "n", 1, &l.notify_fd, l.notify_fd >= 0) < 0)
		_exit(125);
	execvp(*argv, argv);
	fprintf(stderr, "behind: %s: %m\n", *argv);
	_exit(127);
}

static void answer(const struct options *o, int notify_fd, struct notify_meter *m)
{
	struct notify_event ev;
	uint32_t missed;
	char words[96];
	char *comm;

	if (notify_answer(notify_fd, &ev) != 1 || !notify_record(m, &ev, clock_monotonic_ns(), &missed) || o->quiet)
		return;
	notify_words(&ev, words);
	comm = str_escape(ev.comm);
	fprintf(stderr, "behind: %s (%d) tried %s", comm, (int)ev.pid, words);
	fprintf(stderr, missed ? ", %u others left out\n" : "\n", missed);
	free(comm);
}

/* Answers until every process behind the filter is gone. */
static void monitor(const struct options *o, int notify_fd)
{
	struct pollfd p = { .fd = notify_fd, .events = POLLIN };
	struct notify_meter m = { 0 };

	while (notify_fd >= 0) {
		int wait = notify_wait_ms(&m, clock_monotonic_ns());

		if (wait > 0) {
			usleep((useconds_t)wait * 1000);
			continue;
		}
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			break;
		if (p.revents & POLLIN)
			answer(o, notify_fd, &m);
		else if (p.revents & (POLLHUP | POLLERR))
			break;
	}
}

int main(int argc, char **argv)
{
	static struct options o;
	int sync[2], notify_fd = -1, status;
	size_t n = 1;
	char byte;
	pid_t pid;

	options_read(&o, argc, argv);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0)
		return 125;
	pid = fork();
	if (pid == 0) {
		close(sync[0]);
		child(&o, sync[1], argv + optind);
	}
	close(sync[1]);
	signal(SIGINT, SIG_IGN);
	if (pid > 0 && socket_recv(sync[0], &byte, 1, &notify_fd, &n) == 1 && n == 1)
		monitor(&o, notify_fd);
	status = proc_wait(pid);
	return status < 0 ? 125 : proc_exit_code(status);
}
