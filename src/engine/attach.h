/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN/ID/attach: the monitor's socket, SOCK_SEQPACKET (unix(7)), mode 0600. The monitor takes connections of the
 * container's owner and of root only (SO_PEERCRED). A message is one type byte and its payload, at most ATTACH_MAX bytes.
 *
 *	client to monitor
 *	ATTACH_HELLO	struct attach_hello; the first message of a client that wants output, gives input or waits for the end
 *	ATTACH_STDIN	bytes for the container
 *	ATTACH_EOF	the client's stdin ended
 *	ATTACH_SIZE	struct attach_size: new size of the terminal
 *	ATTACH_PING	asks for ATTACH_STATUS
 *	ATTACH_NOTIFY	with a seccomp listener (SCM_RIGHTS) of a process that joined the container: the monitor answers its
 *			refused calls from now on, and says ATTACH_READY. One too many (ATTACH_LISTENERS) is refused by end of file.
 *
 *	monitor to client
 *	ATTACH_READY	the hello was taken: what the container writes from now on follows
 *	ATTACH_STDOUT, ATTACH_STDERR	bytes
 *	ATTACH_STATUS	struct attach_status
 *	ATTACH_EXIT	int32_t wait status: pid 1 ended and this is all of its output
 *
 * Numbers are in the machine's byte order: both ends are on one machine. The monitor holds no bytes back for a client: while
 * one does not read, the container's output waits, for at most ATTACH_PATIENCE_MS; then the client is dropped. End of file
 * without ATTACH_EXIT: dropped, or the monitor died.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	ATTACH_MAX = 32768 + 1,
	ATTACH_CLIENTS = 64,	   /* at one time; more are refused */
	ATTACH_LISTENERS = 16,	   /* of joined processes that still live */
	ATTACH_PATIENCE_MS = 5000,
};

enum attach_type {
	ATTACH_HELLO = 'H',
	ATTACH_STDIN = 'i',
	ATTACH_EOF = 'e',
	ATTACH_SIZE = 's',
	ATTACH_PING = 'p',
	ATTACH_NOTIFY = 'n',
	ATTACH_READY = 'R',
	ATTACH_STDOUT = 'O',
	ATTACH_STDERR = 'E',
	ATTACH_STATUS = 'S',
	ATTACH_EXIT = 'X',
};

enum { ATTACH_WANT_STDIN = 1, ATTACH_WANT_STDOUT = 2, ATTACH_WANT_STDERR = 4 };

struct attach_hello {
	uint32_t want; /* ATTACH_WANT_*; none: only the ATTACH_EXIT */
};

struct attach_size {
	uint16_t rows, cols;
};

struct attach_status {
	int32_t pid;	     /* pid 1 of the container */
	uint32_t clients;
	uint64_t log_bytes;   /* output since the start */
	uint64_t log_dropped; /* of it not written to the log (full disk) */
	uint64_t refused;     /* system calls answered by the monitor */
};

/* Makes and listens on "attach" in the folder `run_dir`, replacing a dead one. A descriptor or a negative errno. */
int attach_listen(int run_dir, struct error *e);

/* Connects to it. -ENOENT or -ECONNREFUSED: there is no monitor. */
int attach_connect(int run_dir, struct error *e);

/* Asks a monitor how it is; waits at most a second. 0 or a negative errno. */
int attach_ping(int run_dir, struct attach_status *out, struct error *e);

/* Leaves a seccomp listener to the monitor; the descriptor stays the caller's to close. 0 or a negative errno. */
int attach_notify(int run_dir, int notify_fd, struct error *e);

/* Sets the size of the container's terminal. */
int attach_resize(int run_dir, uint16_t rows, uint16_t cols, struct error *e);
