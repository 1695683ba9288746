/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The person's side of a container: this process's own stdin, stdout, stderr or terminal, joined to the container's pipes,
 * terminal or attach socket. Used by `run` and `start -a` in the foreground (through monitor_foreground()), by `exec`
 * (relay_run()) and by `attach` (relay_attach()).
 *
 *	struct relay r;
 *	relay_init(&r);
 *	r.terminal = tty; r.in = interactive ? 0 : -1;
 *	relay_open(&r, &e);			// raw mode, signals
 *	... monitor_foreground(&kit, &r, &end, &e);
 *	relay_close(&r);			// the terminal as it was
 *
 * While open: with `terminal`, the terminal at `in` is raw, its size follows SIGWINCH to the container and the detach keys
 * are looked for. Without, signals that end a process are passed on to the container (`sig_proxy`); the third SIGINT,
 * SIGTERM or SIGQUIT in a row that did not end it kills it. The terminal is restored by relay_close(), at exit(3), by a
 * fatal signal and while the process is stopped.
 */
#pragma once

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

enum { RELAY_KEYS_MAX = 8 };

struct relay;

/* How a loop moves the person's bytes: for the monitor, which links without this room's C library where there is no person. */
struct relay_ops {
	/* Output of `stream` (0: stdout, 1: stderr). Bytes taken, -EAGAIN, or another negative errno: nobody reads it. */
	ssize_t (*write)(struct relay *r, int stream, const void *data, size_t n);
	/* The same from a pipe, without a copy. 0 at its end; -EOPNOTSUPP: this output cannot. */
	ssize_t (*splice)(struct relay *r, int stream, int pipe);
	/* Input, once poll(2) announced it. 0 with in_ended set at its end; sets `detached` after the detach keys. */
	ssize_t (*read)(struct relay *r, void *data, size_t n);
	/* Handles what came on `signals`: passes them on to `pidfd` (-1: none), a new size to `tty` (-1: none). */
	void (*signals)(struct relay *r, int pidfd, int tty);
};

struct relay {
	/* set by the caller after relay_init() */
	int in, out, err;	 /* the person's descriptors, -1: none; not closed */
	bool terminal;		 /* the container has a terminal */
	bool sig_proxy;		 /* on by default */
	uint8_t keys[RELAY_KEYS_MAX]; /* detach keys; relay_init() sets ctrl-p,ctrl-q */
	unsigned n_keys;	 /* 0: there is no way to detach */

	/* the relay's own */
	const struct relay_ops *ops;
	int signals;		 /* signalfd */
	int own[2];		 /* out and err opened again, so that they can be non-blocking for us alone; -1: cannot be */
	bool can_splice[2];
	bool open, raw, in_ended, detached;
	unsigned keys_seen, interrupts;
	void (*resize)(struct relay *r, uint16_t rows, uint16_t cols); /* in place of `tty`: an attach socket */
	int sock;
	bool greeted;
	struct termios saved;
	sigset_t mask;
};

void relay_init(struct relay *r);

/* Reads "ctrl-p,ctrl-q", "a,ctrl-@"; "" turns detaching off. */
int relay_parse_keys(struct relay *r, const char *text, struct error *e);

/* The size of the terminal that `in` is, in characters; 0 and 0 when it is none. */
void relay_size(const struct relay *r, uint16_t *rows, uint16_t *cols);

int relay_open(struct relay *r, struct error *e);
void relay_close(struct relay *r);

/* One more process of a container (`exec`), a child of this process. Its pipes are closed as in monitor_foreground(). */
struct relay_process {
	pid_t pid;
	int pidfd;
	int in, out, err; /* outer ends of its pipes, -1: none */
	int tty;	  /* outer side of its terminal; the three are -1 then */
	int notify;	  /* its refused calls, answered and recorded in the events of container `id`, folder `dir`; -1 */
	int dir;
	const char *id;
};

/*
 * Moves bytes until the process ended and its output was passed on, and reaps it. RELAY_ENDED with *status the wait status,
 * RELAY_DETACHED, or a negative errno.
 */
enum { RELAY_ENDED = 0, RELAY_DETACHED = 1 };
int relay_run(struct relay *r, struct relay_process *p, int *status, struct error *e);

/*
 * Says hello on a connected attach socket before relay_attach() does: whoever says it before the container's program runs misses
 * nothing that it writes. in, out and err are set.
 */
int relay_hello(struct relay *r, int sock, struct error *e);

/*
 * The same over a connected attach socket (engine/attach.h). `pidfd` of pid 1 for passing signals on, -1: none.
 * RELAY_ENDED with *status the wait status, or RELAY_DETACHED.
 */
int relay_attach(struct relay *r, int sock, int pidfd, int *status, struct error *e);
