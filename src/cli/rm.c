/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/run_each.h"

struct options {
	bool force, volumes;
};

static const struct cli_option options[] = {
	CLI_OPT(struct options, force, "force", 'f', CLI_FLAG, NULL, "kill those that run; one that is not there is fine", NULL),
	CLI_OPT(struct options, volumes, "volumes", 'v', CLI_FLAG, NULL, "remove their unnamed volumes too", NULL),
	CLI_END,
};

static int remove_one(struct container *c, void *arg, struct error *e)
{
	const struct options *o = arg;

	return container_remove(c, o->force, o->volumes, e);
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	struct options *o = opts;

	(void)argc;
	(void)e;
	return run_each(argv, o->force, remove_one, o);
}

const struct cli_command cmd_rm = {
	.name = "rm",
	.aliases = "container rm|container remove",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "remove containers",
	.options = options,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
