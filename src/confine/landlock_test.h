/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Landlock wall's self-test. The kernel lets nobody read back a process's Landlock domain, so that the process itself
 * tries, before and after, what only Landlock can have made the difference of: opening a file of its procfs for writing (no
 * write), a bind to an undeclared port, a connect to a socket from before.
 */
#pragma once

#include "base/error.h"
#include "confine/landlock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct landlock_test {
	bool fs, net, scope; /* what is tried; set by landlock_test_before() */
	int proc;	     /* procfs, -1: none */
	const char *knob;    /* a file of it that we may write */
	uint16_t port;
	int family;
	int socket;	     /* abstract, made before; the caller closes it when >= 0 */
	struct sockaddr_un name;
	socklen_t name_len;
};

/*
 * Tries what must succeed while no rule is in force. The caller sets `proc`, and `socket` to -1. 0 or a negative errno.
 */
int landlock_test_before(struct landlock_test *t, const struct spec *s, const struct landlock_scope *handled,
			 struct error *e);

/* Tries the same again, which must fail now as Landlock refuses it. 0, or -EPROTO when the rules do not hold. */
int landlock_test_after(const struct landlock_test *t, struct error *e);

/*
 * True when /proc may be written: by name, or since a user namespace made inside needs its maps written.
 * Then writing there proves nothing.
 */
bool landlock_opens_proc(const struct spec *s);
