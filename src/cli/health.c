/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor runs beside its container; see engine/monitor.h. */
#include "cli/cli.h"

#include "engine/health.h"
#include "engine/watermark.h"

struct none {
	char unused;
};

static const struct cli_option options[] = { CLI_END };

static int run_health(void *unused, int argc, char **argv, struct error *e)
{
	(void)unused;
	(void)argc;
	return health_main(argv[0], e);
}

static int run_usage(void *unused, int argc, char **argv, struct error *e)
{
	(void)unused;
	(void)argc;
	return watermark_main(argv[0], e);
}

const struct cli_command cmd_health = {
	.name = "__health",
	.group = "System",
	.args = "ID",
	.summary = "check a container's health, for its monitor",
	.options = options,
	.options_size = sizeof(struct none),
	.min_args = 1,
	.max_args = 1,
	.hidden = true,
	.run = run_health,
};

const struct cli_command cmd_usage = {
	.name = "__usage",
	.group = "System",
	.args = "ID",
	.summary = "measure a container's writable layer, for its monitor",
	.options = options,
	.options_size = sizeof(struct none),
	.min_args = 1,
	.max_args = 1,
	.hidden = true,
	.run = run_usage,
};
