/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "engine/container.h"

#include <stdio.h>

struct wait_options {
	char unused;
};

static const struct cli_option options[] = { CLI_END };

static int one(const char *name, struct error *e)
{
	struct container c;
	int code = 0, r = container_find(name, &c, e);

	if (r < 0)
		return r;
	r = container_wait(&c, &code, e);
	container_free(&c);
	if (r < 0)
		return r;
	printf("%d\n", code);
	fflush(stdout);
	return 0;
}

/* Goes on after a failure, as docker does; each failure is told. */
static int run(void *options_, int argc, char **argv, struct error *e)
{
	int failed = 0;

	(void)options_;
	(void)e;
	for (int i = 0; i < argc; i++) {
		struct error own = { 0 };

		if (one(argv[i], &own) < 0) {
			cli_fail(&own);
			failed = 1;
		}
	}
	return failed;
}

const struct cli_command cmd_wait = {
	.name = "wait",
	.aliases = "container wait",
	.group = "Containers",
	.args = "CONTAINER...",
	.summary = "wait until containers end and print their exit codes",
	.options = options,
	.options_size = sizeof(struct wait_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
