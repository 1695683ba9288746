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

struct relay {
	/* set by the caller after relay_init() */
	int in, out, err;	 /* the person's descriptors, -1: none; not closed */
	bool terminal;		 /* the container has a terminal */
	bool sig_proxy;		 /* on by default */
	uint8_t keys[RELAY_KEYS_MAX]; /* detach keys; relay_init() sets ctrl-p,ctrl-q */
	unsigned n_keys;	 /* 0: there is no way to detach */

	/* the relay's own */
	int signals;		 /* signalfd */
	bool open, raw, in_ended, detached;
	unsigned keys_seen, interrupts;
	struct termios saved;
	sigset_t mask;
};

void relay_init(struct relay *r);

/* Reads "ctrl-p,ctrl-q", "a,ctrl-@"; "" turns detaching off. */
int relay_parse_keys(struct relay *r, const char *text, struct error *e);

int relay_open(struct relay *r, struct error *e);
void relay_close(struct relay *r);

/* One more process of a container (`exec`): its outer pipe ends (-1: none) or its terminal. The descriptors stay the caller's. */
struct relay_process {
	int pidfd;
	int in, out, err; /* write end of its stdin, read ends of its output */
	int tty;	  /* outer side of its terminal; the three are -1 then */
};

/*
 * Moves bytes until the process ended and its output was passed on. RELAY_ENDED, RELAY_DETACHED, or a negative errno. The
 * wait status is the caller's to fetch (waitpid).
 */
enum { RELAY_ENDED = 0, RELAY_DETACHED = 1 };
int relay_run(struct relay *r, const struct relay_process *p, struct error *e);

/*
 * The same over a connected attach socket (engine/attach.h). `pidfd` of pid 1 for passing signals on, -1: none.
 * RELAY_ENDED with *status the wait status, or RELAY_DETACHED.
 */
int relay_attach(struct relay *r, int sock, int pidfd, int *status, struct error *e);
