/* SPDX-License-Identifier: Apache-2.0 */
/* The person's side of a container that runs in the foreground: what `run` and `start -a` have in common. */
#pragma once

#include "engine/container.h"
#include "engine/relay.h"

struct attach_options {
	bool sig_proxy;
	char *detach_keys; /* NULL: ctrl-p,ctrl-q */
	char **attach;	   /* "stdin", "stdout", "stderr"; NULL: all that the container has */
};

/* Sets up a relay for the container; it is opened by container_start(). */
int run_attach_relay(const struct attach_options *o, const struct container *c, struct relay *r, struct error *e);
