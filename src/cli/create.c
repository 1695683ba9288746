/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/create_options.h"

#include "base/cleanup.h"

#include <stdio.h>

struct options {
	struct create_options c;
};

static const struct cli_option options[] = {
	CREATE_OPTIONS(struct options, c),
	CLI_END,
};

static int run(void *opts, int argc, char **argv, struct error *e)
{
	struct options *o = opts;
	struct container c;
	int r;

	(void)argc;
	container_init(&c);
	r = create_container(&o->c, argv, &c, e);
	if (r == 0)
		printf("%s\n", c.config.id);
	container_free(&c);
	return r;
}

const struct cli_command cmd_create = {
	.name = "create",
	.aliases = "container create",
	.group = "Containers",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "make a container without starting it",
	.description = "Prints the id of the new container, which `brig start` starts. The options are those of `brig run`.",
	.options = options,
	.options_size = sizeof(struct options),
	.min_args = 0,
	.max_args = -1,
	.stop_at_first = true,
	.complete = "images",
	.run = run,
};
