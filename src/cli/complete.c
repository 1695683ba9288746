/* SPDX-License-Identifier: Apache-2.0 */
/* `brig __complete KIND`: the names that a shell's completion offers, one a line. It never fails: a shell waits. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int run(void *options, int argc, char **argv, struct error *e)
{
	(void)options;
	(void)argc;
	(void)e;
	if (streq(argv[0], "commands"))
		for (const struct cli_command *const *c = cli_commands; *c; c++)
			if (!(*c)->hidden && !strchr((*c)->name, ' '))
				printf("%s\n", (*c)->name);
	return 0;
}

const struct cli_command cmd_complete = {
	.name = "__complete",
	.group = "System",
	.args = "KIND",
	.summary = "list names for a shell's completion",
	.min_args = 1,
	.max_args = 1,
	.hidden = true,
	.run = run,
};
