/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/run_attach.h"
#include "cli/run_each.h"

#include "base/cleanup.h"

struct options {
	struct attach_options a;
	bool attach, interactive;
};

static const struct cli_option options[] = {
	CLI_OPT(struct options, attach, "attach", 'a', CLI_FLAG, NULL, "stay with it: its output, signals, exit code", NULL),
	CLI_OPT(struct options, interactive, "interactive", 'i', CLI_FLAG, NULL, "pass standard input on to it", NULL),
	CLI_OPT(struct options, a.detach_keys, "detach-keys", 0, CLI_STRING, "KEYS",
		"keys that leave it running in the background (ctrl-p,ctrl-q)", NULL),
	CLI_OPT(struct options, a.sig_proxy, "sig-proxy", 0, CLI_FLAG, NULL, "pass signals on to it (true)", NULL),
	CLI_END,
};

static void defaults(void *opts)
{
	struct options *o = opts;

	o->a.sig_proxy = true;
}

static int start_one(struct container *c, void *arg, struct error *e)
{
	int code;

	(void)arg;
	if (container_running(c))
		return 0;
	c->warn = cli_warn_text;
	return container_start(c, NULL, &code, e) < 0 ? e->code : 0;
}

static int start_attached(const struct options *o, struct container *c, struct error *e)
{
	struct relay front;
	int code = 0, r;

	if (container_running(c)) {
		error_set(e, EBUSY, "container %s runs already", c->config.name);
		error_hint(e, "join it: brig attach %s", c->config.name);
		return -EBUSY;
	}
	r = run_attach_relay(&o->a, c, &front, e);
	if (r < 0)
		return r;
	if (!o->interactive)
		front.in = -1;
	c->warn = cli_warn_text;
	r = container_start(c, &front, &code, e);
	return r < 0 ? r : r == CONTAINER_DETACHED ? 0 : code;
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	struct options *o = opts;
	struct container c;
	int r;

	if (!o->attach && !o->interactive)
		return run_each(argv, false, start_one, NULL);
	if (argc > 1)
		return error_set(e, EINVAL, "--attach and --interactive are for one container at a time");
	r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	r = start_attached(o, &c, e);
	container_free(&c);
	return r;
}

const struct cli_command cmd_start = {
	.name = "start",
	.aliases = "container start",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "start containers that were made or have ended",
	.options = options,
	.options_size = sizeof(struct options),
	.defaults = defaults,
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
