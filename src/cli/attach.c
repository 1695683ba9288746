/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "engine/attach.h"
#include "engine/container.h"
#include "engine/life.h"
#include "engine/relay.h"

#include <unistd.h>

struct attach_options {
	bool no_stdin, sig_proxy;
	char *keys;
};

static const struct cli_option options[] = {
	CLI_OPT(struct attach_options, keys, "detach-keys", 0, CLI_STRING, "KEYS",
		"what leaves a terminal, such as ctrl-p,ctrl-q; empty: nothing does", NULL),
	CLI_OPT(struct attach_options, no_stdin, "no-stdin", 0, CLI_FLAG, NULL, "only watch", NULL),
	CLI_OPT(struct attach_options, sig_proxy, "sig-proxy", 0, CLI_FLAG, NULL,
		"pass signals on to the container (default true; never with a terminal)", NULL),
	CLI_END,
};

static void defaults(void *options_)
{
	struct attach_options *o = options_;

	o->sig_proxy = true;
}

static int check(const struct container *c, const struct attach_options *o, struct error *e)
{
	if (c->state.status == ST_PAUSED) {
		error_set(e, EBUSY, "container %s is paused", c->config.name);
		error_hint(e, "brig unpause %s", c->config.name);
		return -EBUSY;
	}
	if (!container_running(c)) {
		error_set(e, ESRCH, "container %s is not running", c->config.name);
		error_hint(e, "brig start -a %s", c->config.name);
		return -ESRCH;
	}
	if (c->config.tty && c->config.interactive && !o->no_stdin && !isatty(0)) {
		error_set(e, ENOTTY, "the input device is not a TTY: container %s has a terminal", c->config.name);
		error_hint(e, "--no-stdin watches it without one");
		return -ENOTTY;
	}
	return 0;
}

static int join(const struct container *c, const struct attach_options *o, int *status, struct error *e)
{
	_cleanup_close_ int dir = container_run_dir(c, e), sock = -1, pidfd = -1;
	struct relay r;
	int err;

	if (dir < 0)
		return dir;
	sock = attach_connect(dir, e);
	if (sock < 0)
		return error_wrap(e, "container %s", c->config.name);
	pidfd = life_pidfd(c, e);
	if (pidfd < 0)
		return pidfd;
	relay_init(&r);
	r.terminal = c->config.tty;
	r.in = c->config.interactive && !o->no_stdin ? 0 : -1;
	r.out = 1;
	r.err = 2;
	r.sig_proxy = o->sig_proxy;
	err = o->keys ? relay_parse_keys(&r, o->keys, e) : 0;
	if (err == 0)
		err = relay_open(&r, e);
	if (err == 0)
		err = relay_attach(&r, sock, pidfd, status, e);
	relay_close(&r);
	return err;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct container c;
	int status = 0, r;

	(void)argc;
	r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	r = check(&c, options_, e);
	if (r == 0)
		r = join(&c, options_, &status, e);
	container_free(&c);
	if (r < 0)
		return r;
	return r == RELAY_DETACHED ? 0 : proc_exit_code(status);
}

const struct cli_command cmd_attach = {
	.name = "attach",
	.aliases = "container attach",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER",
	.summary = "join a running container's terminal or output",
	.description = "Shows what the container writes from now on and gives it what is typed, if it was started with -i. Ends with "
		       "the container, with its exit code. On a terminal ctrl-p ctrl-q leaves it running.",
	.options = options,
	.options_size = sizeof(struct attach_options),
	.defaults = defaults,
	.min_args = 1,
	.max_args = 1,
	.complete = "running",
	.run = run,
};
