/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/run_each.h"
#include "cli/stop_options.h"

#include "base/signal.h"

static const struct cli_option options[] = {
	STOP_OPTIONS,
	CLI_END,
};

static int stop_one(struct container *c, void *arg, struct error *e)
{
	const struct stop_values *v = arg;

	return container_stop(c, v->signal, v->timeout_s, e);
}

int stop_values(const struct stop_options *o, struct stop_values *v, struct error *e)
{
	int64_t timeout = 0;

	v->signal = o->signal ? signal_number(o->signal) : 0;
	if (v->signal < 0)
		return error_set(e, EINVAL, "--signal %s: there is no such signal, see signal(7)", o->signal);
	if (o->timeout && parse_i64(o->timeout, -1, INT32_MAX, &timeout) < 0)
		return error_set(e, EINVAL, "--time %s: give seconds, or -1 to wait for ever", o->timeout);
	v->timeout_s = !o->timeout ? UINT64_MAX : timeout < 0 ? INT32_MAX : (uint64_t)timeout;
	return 0;
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	struct stop_values v;
	int r = stop_values(opts, &v, e);

	(void)argc;
	return r < 0 ? r : run_each(argv, false, stop_one, &v);
}

const struct cli_command cmd_stop = {
	.name = "stop",
	.aliases = "container stop",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "ask containers to end, and end those that do not",
	.options = options,
	.options_size = sizeof(struct stop_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
