/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>

static int run(void *options, int argc, char **argv, struct error *e)
{
	(void)options;
	(void)argc;
	(void)argv;
	(void)e;
	printf("brig version " BRIG_VERSION "\n");
	return 0;
}

const struct cli_command cmd_version = {
	.name = "version",
	.group = "System",
	.args = "",
	.summary = "show the version",
	.run = run,
};
