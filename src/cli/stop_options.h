/* SPDX-License-Identifier: Apache-2.0 */
/* Options that `stop` and `restart` share. */
#pragma once

#include "cli/cli.h"

struct stop_options {
	char *timeout, *signal;
};

#define STOP_OPTIONS                                                                                                  \
	CLI_OPT(struct stop_options, timeout, "time", 't', CLI_STRING, "SECONDS",                                     \
		"wait so long before SIGKILL, -1: for ever", NULL),                                                   \
	CLI_OPT(struct stop_options, timeout, "timeout", 0, CLI_STRING, "SECONDS", NULL, NULL),                       \
	CLI_OPT(struct stop_options, signal, "signal", 's', CLI_STRING, "SIGNAL", "signal that asks it to end", NULL)

/* As container_stop() takes them. */
struct stop_values {
	int signal;
	uint64_t timeout_s;
};
int stop_values(const struct stop_options *o, struct stop_values *v, struct error *e);
