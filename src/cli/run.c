/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/create_options.h"
#include "cli/run_attach.h"

#include "base/cleanup.h"

#include <stdio.h>

struct options {
	struct create_options c;
	struct attach_options a;
	bool detach;
};

static const struct cli_option options[] = {
	CLI_OPT(struct options, detach, "detach", 'd', CLI_FLAG, NULL, "run in the background and print the id", NULL),
	CLI_OPT(struct options, a.attach, "attach", 'a', CLI_LIST, "STREAM", "join stdin, stdout or stderr only",
		"stdin stdout stderr"),
	CLI_OPT(struct options, a.detach_keys, "detach-keys", 0, CLI_STRING, "KEYS",
		"keys that leave it running in the background (ctrl-p,ctrl-q)", NULL),
	CLI_OPT(struct options, a.sig_proxy, "sig-proxy", 0, CLI_FLAG, NULL, "pass signals on to it (true)", NULL),
	CREATE_OPTIONS(struct options, c),
	CLI_END,
};

static void defaults(void *opts)
{
	struct options *o = opts;

	o->a.sig_proxy = true;
}

static int start(struct options *o, struct container *c, struct error *e)
{
	struct relay front;
	int code = 0, r;

	if (o->detach) {
		r = container_start(c, NULL, &code, e);
		if (r >= 0)
			printf("%s\n", c->config.id);
		return r < 0 ? r : 0;
	}
	r = run_attach_relay(&o->a, c, &front, e);
	if (r == 0)
		r = container_start(c, &front, &code, e);
	return r < 0 ? r : r == CONTAINER_DETACHED ? 0 : code;
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	struct options *o = opts;
	struct container c;
	int r;

	(void)argc;
	if (o->detach && o->a.attach)
		return error_set(e, EINVAL, "--detach contradicts --attach");
	container_init(&c);
	c.config.detached = o->detach;
	c.warn = cli_warn_text;
	r = create_container(&o->c, argv, &c, e);
	if (r == 0) {
		r = start(o, &c, e);
		/* One that was to go when it ends goes when it does not even begin. */
		if (r < 0 && c.config.auto_remove)
			container_remove(&c, true, true, NULL);
	}
	container_free(&c);
	return r;
}

const struct cli_command cmd_run = {
	.name = "run",
	.aliases = "container run",
	.group = "Containers",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "make a container and start it",
	.description = "Runs a program of an image behind all walls. Without --detach brig stays with it and ends with its "
		       "exit code; 125 means that brig itself failed, 126 that the program may not be run, 127 that it "
		       "does not exist.",
	.options = options,
	.options_size = sizeof(struct options),
	.defaults = defaults,
	.min_args = 0,
	.max_args = -1,
	.stop_at_first = true,
	.complete = "images",
	.run = run,
};
