/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "engine/attach.h"
#include "engine/container.h"
#include "engine/envfile.h"
#include "engine/events.h"
#include "engine/life.h"
#include "engine/passwd.h"
#include "engine/relay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	bool detach, interactive, tty;
	char **env, **env_file;
	char *user, *workdir, *keys;
};

/* The container's own environment with what -e and --env-file say laid over it. */
static int build_env(const struct options *o, struct spec *s, struct error *e)
{
	int r = 0;

	for (char *const *it = o->env_file; r == 0 && it && *it; it++)
		r = env_file_read(&s->env, *it, false, e);
	for (char *const *it = o->env; r == 0 && it && *it; it++)
		r = env_argument(&s->env, *it, false, e);
	if (r == 0 && o->tty) {
		const char *term = getenv("TERM");
		_cleanup_free_ char *entry = xasprintf("TERM=%s", term && *term ? term : "xterm");

		r = env_set(&s->env, entry, e);
	}
	return r;
}

static int build_spec(const struct container *c, const struct options *o, char **args, struct spec *s, struct error *e)
{
	int r = container_spec(c, s, e);

	if (r < 0)
		return r;
	strv_free(s->args);
	s->args = strv_copy(args);
	s->terminal = o->tty;
	s->init = false;
	if (o->workdir) {
		if (o->workdir[0] != '/')
			return error_set(e, EINVAL, "-w %s: not an absolute path", o->workdir);
		free(s->cwd);
		s->cwd = xstrdup(o->workdir);
	}
	if (o->user) {
		struct passwd_user u = { 0 };

		r = passwd_resolve_in(c->config.tree, c->config.rootfs, o->user, NULL, &u, e);
		if (r < 0)
			return error_wrap(e, "-u %s", o->user);
		free(u.home);
		s->uid = u.uid;
		s->gid = u.gid;
		free(s->groups);
		s->groups = u.groups;
		s->n_groups = u.n_groups;
		if (s->uid != 0)
			s->caps = 0;
	}
	if (spec_host_id(s->uidmap, s->n_uidmap, s->uid) < 0 || spec_host_id(s->gidmap, s->n_gidmap, s->gid) < 0)
		return error_set(e, ERANGE, "user %u:%u has no id in this container: only those that its image names are mapped",
				 s->uid, s->gid);
	return build_env(o, s, e);
}

static int check_state(const struct container *c, struct error *e)
{
	if (c->state.status == ST_PAUSED)
		return error_set(e, EBUSY, "container %s is paused: brig unpause %s first", c->config.name, c->config.name);
	if (!container_running(c)) {
		error_set(e, ESRCH, "container %s is not running", c->config.name);
		error_hint(e, "brig start %s", c->config.name);
		return -ESRCH;
	}
	return 0;
}

/* Moves bytes until it ends; root is given up first, for this may take days (law 1). */
static int wait_here(const struct container *c, const struct options *o, const struct spec *s, struct launched *l,
		     struct error *e)
{
	/* The loop closes the pipes when their streams end. */
	struct relay_process p = { .pid = l->pid, .pidfd = l->pidfd, .in = steal_fd(&l->stdio[0]),
				   .out = steal_fd(&l->stdio[1]), .err = steal_fd(&l->stdio[2]), .tty = l->tty_fd,
				   .notify = l->notify_fd, .dir = c->dir_fd, .id = c->config.id };
	struct relay front;
	int status = 0, r;

	relay_init(&front);
	front.terminal = o->tty;
	front.in = o->interactive ? 0 : -1;
	front.out = 1;
	front.err = 2;
	r = o->keys ? relay_parse_keys(&front, o->keys, e) : 0;
	if (r == 0)
		r = life_drop(s, e);
	if (r == 0)
		r = relay_open(&front, e);
	if (r == 0)
		r = relay_run(&front, &p, &status, e);
	relay_close(&front);
	if (r < 0)
		return r;
	return r == RELAY_DETACHED ? 0 : proc_exit_code(status);
}

/*
 * Refused calls of a joined process are answered by whoever started it; in the background that is the container's monitor. Where
 * it does not take them (see ATTACH_LISTENERS) the listener closes with us, and the kernel gives ENOSYS.
 */
static void leave_to_monitor(const struct container *c, int notify_fd)
{
	_cleanup_close_ int run = container_run_dir(c, NULL);
	struct error why = { 0 };

	if (notify_fd < 0 || (run >= 0 && attach_notify(run, notify_fd, &why) == 0))
		return;
	cli_warn("%s: refused system calls of this command are not told in the events", why.text);
}

/* What nobody reads or writes: the host's, so that a container that puts something else there cannot make us wait. */
static int no_stdio(struct launch_io *io, struct error *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (null < 0)
		return error_errno(e, errno, "/dev/null");
	*io = (struct launch_io){ .inherit = true, .fd = { null, null, null } };
	return null;
}

static int exec_in(struct container *c, const struct options *o, char **args, struct error *e)
{
	_cleanup_free_ struct plan *plan = xcalloc(1, sizeof(*plan));
	struct launch_io io = { .stdin_open = o->interactive, .fd = { -1, -1, -1 } };
	_cleanup_close_ int null = -1;
	struct launched l;
	struct spec s;
	int r = build_spec(c, o, args, &s, e);

	if (r == 0 && o->tty && o->interactive)
		relay_size(&(struct relay){ .in = 0 }, &io.rows, &io.cols);
	if (r == 0 && o->detach)
		r = (null = no_stdio(&io, e)) < 0 ? null : 0;

	launched_init(&l);
	if (r == 0)
		r = plan_make(&s, plan, e);
	if (r == 0)
		r = launch_exec(plan, c->state.pid, c->state.pid_start, c->state.ns, &io, NULL, &l, e);
	if (r == 0) {
		event_record("container", c->config.id, c->config.name, "exec_start", NULL, 0, NULL);
		if (o->detach)
			leave_to_monitor(c, l.notify_fd);
		else
			r = wait_here(c, o, &s, &l, e);
	}
	launch_free(&l);
	spec_free(&s);
	return r;
}

static int run(void *options, int argc, char **argv, struct error *e)
{
	struct options *o = options;
	struct container c;
	int r;

	(void)argc;
	if (o->detach && o->tty) {
		error_set(e, EINVAL, "-d contradicts -t: in the background nobody holds a terminal");
		error_hint(e, "exec -d without -t; or exec -it, and leave it running with ctrl-p ctrl-q");
		return -EINVAL;
	}
	if (o->tty && o->interactive && !isatty(0))
		return error_set(e, ENOTTY, "the input is not a terminal: leave -t out to pipe bytes");
	r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	r = check_state(&c, e);
	if (r == 0)
		r = exec_in(&c, o, argv + 1, e);
	container_free(&c);
	return r;
}

static const struct cli_option options[] = {
	CLI_OPT(struct options, detach, "detach", 'd', CLI_FLAG, NULL, "do not wait for it", NULL),
	CLI_OPT(struct options, keys, "detach-keys", 0, CLI_STRING, "KEYS", "keys that leave it running", NULL),
	CLI_OPT(struct options, env, "env", 'e', CLI_LIST, "NAME=VALUE", "set a variable", NULL),
	CLI_OPT(struct options, env_file, "env-file", 0, CLI_LIST, "FILE", "read variables from a file", "files"),
	CLI_OPT(struct options, interactive, "interactive", 'i', CLI_FLAG, NULL, "pass standard input on", NULL),
	CLI_OPT(struct options, tty, "tty", 't', CLI_FLAG, NULL, "give it a terminal", NULL),
	CLI_OPT(struct options, user, "user", 'u', CLI_STRING, "USER[:GROUP]", "run as this user", NULL),
	CLI_OPT(struct options, workdir, "workdir", 'w', CLI_STRING, "DIR", "working directory", NULL),
	CLI_END,
};

const struct cli_command cmd_exec = {
	.name = "exec",
	.aliases = "container exec",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "run a command in a running container",
	.description = "The command runs behind the same walls as the container itself, in its namespaces and cgroup.\n\n"
		       "The exit code is the command's own; 126 when it may not run, 127 when it does not exist.",
	.options = options,
	.options_size = sizeof(struct options),
	.min_args = 2,
	.max_args = -1,
	.stop_at_first = true,
	.complete = "running",
	.run = run,
};
