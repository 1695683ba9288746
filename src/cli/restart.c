/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/run_each.h"
#include "cli/stop_options.h"

static const struct cli_option options[] = {
	STOP_OPTIONS,
	CLI_END,
};

static int restart_one(struct container *c, void *arg, struct error *e)
{
	const struct stop_values *v = arg;
	int code, r;

	if (c->config.auto_remove && container_running(c)) {
		error_set(e, EINVAL, "container %s was started with --rm: stopping it removes it", c->config.name);
		error_hint(e, "stop it and run it again");
		return -EINVAL;
	}
	r = container_stop(c, v->signal, v->timeout_s, e);
	if (r < 0)
		return r;
	c->warn = cli_warn_text;
	r = container_start(c, NULL, &code, e);
	return r < 0 ? r : 0;
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	struct stop_values v;
	int r = stop_values(opts, &v, e);

	(void)argc;
	return r < 0 ? r : run_each(argv, false, restart_one, &v);
}

const struct cli_command cmd_restart = {
	.name = "restart",
	.aliases = "container restart",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "stop containers and start them again",
	.options = options,
	.options_size = sizeof(struct stop_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
