/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol between starter and container process, over a SOCK_SEQPACKET pair. Both run the same binary. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum sync_type { SYNC_SOURCES = 1, SYNC_GO, SYNC_STAGED, SYNC_MOUNTED, SYNC_READY, SYNC_START, SYNC_ERROR };

struct sync_ready {
	uint8_t tty;	/* the first descriptor is a terminal's outer side */
	uint8_t pipes;	/* bits 0 to 2: stdin, stdout, stderr follow in that order */
	uint8_t notify; /* the last one is the seccomp listener */
};

/* Sends a message with its descriptors. */
int sync_send(int sock, enum sync_type type, const void *body, size_t n, const int *fds, size_t nfds);
int sync_send_error(int sock, const struct error *e);

/*
 * Receives one message of type `want` (body of exactly `n` bytes). SYNC_ERROR from the other side becomes our error;
 * end of file is -EPIPE with `gone` as the story.
 */
int sync_recv(int sock, enum sync_type want, void *body, size_t n, int *fds, size_t *nfds, const char *gone,
	      struct error *e);
/* As above for any type, which is returned (> 0), or 0 at end of file. */
int sync_recv_any(int sock, void *body, size_t n, int *fds, size_t *nfds, struct error *e);

/* For the starter: waits for READY and takes the descriptors into `l`; then for the end of file that says that its program runs. */
struct launched;
int sync_wait_ready(struct launched *l, struct error *e);
int sync_wait_running(struct launched *l, struct error *e);
