/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor executes when its container has ended; see engine/monitor.h. */
#include "cli/cli.h"

#include "engine/life.h"

static int run(void *options, int argc, char **argv, struct error *e)
{
	(void)options;
	(void)argc;
	return life_after_main(argv[0], argv[1], argv[2], e);
}

const struct cli_command cmd_after = {
	.name = "__after",
	.group = "System",
	.args = "ID WAITSTATUS REASON",
	.summary = "Record the end of a container, for its monitor",
	.min_args = 3,
	.max_args = 3,
	.hidden = true,
	.run = run,
};
