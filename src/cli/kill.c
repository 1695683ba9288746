/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/run_each.h"

#include "base/signal.h"

struct options {
	char *signal;
};

static const struct cli_option options[] = {
	CLI_OPT(struct options, signal, "signal", 's', CLI_STRING, "SIGNAL", "signal to send (KILL)", NULL),
	CLI_END,
};

static int kill_one(struct container *c, void *arg, struct error *e)
{
	return container_kill(c, *(const int *)arg, e);
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	const struct options *o = opts;
	int signal = signal_number(o->signal ? o->signal : "KILL");

	(void)argc;
	if (signal < 0)
		return error_set(e, EINVAL, "--signal %s: there is no such signal, see signal(7)", o->signal);
	return run_each(argv, false, kill_one, &signal);
}

const struct cli_command cmd_kill = {
	.name = "kill",
	.aliases = "container kill",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "send a signal to the first process of containers",
	.options = options,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
