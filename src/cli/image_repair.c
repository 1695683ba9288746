/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image repair` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "cli/owner.h"
#include "engine/container.h"
#include "engine/events.h"
#include "image/index.h"
#include "image/seen.h"

#include <stdio.h>
#include <unistd.h>

struct repair_options {
	char *from;
	bool all;
};

static const struct cli_option options[] = {
	CLI_OPT(struct repair_options, all, "all", 'a', CLI_FLAG, NULL, "every image", NULL),
	CLI_OPT(struct repair_options, from, "from", 0, CLI_STRING, "FILE",
		"take what is broken from this archive or layout of the same image, not from its registry", NULL),
	CLI_END,
};

/* What a running container has mounted is not replaced under it. */
static int nobody_runs(const char *tree, struct error *e)
{
	_cleanup_strv_ char **users = NULL;
	_cleanup_buf_ struct buf running = { 0 };
	int r = image_users(tree, &users, e);

	strv_foreach(it, users) {
		struct container c;

		if (container_find(*it, &c, NULL) < 0)
			continue;
		if (container_running(&c))
			buf_printf(&running, " %s", c.config.name);
		container_free(&c);
	}
	if (r < 0 || !running.len)
		return r;
	error_set(e, EBUSY, "containers run on it, on files that may be wrong:%s", running.data);
	error_hint(e, "brig stop%s", running.data);
	return -EBUSY;
}

static int mend(const char *ref, const char *from, struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%sbrig-image", proc_libexec());
	char word_from[] = "--from";
	char *argv[] = { (char[]){ "brig" }, (char[]){ "__mend" }, NULL, NULL, NULL, NULL };
	size_t n = 2;
	pid_t pid;
	int code;

	if (from) {
		argv[n++] = word_from;
		argv[n++] = (char *)from;
	}
	argv[n++] = (char *)ref;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "fork");
	if (pid == 0) {
		execv(path, argv);
		_exit(127);
	}
	code = proc_exit_code(proc_wait(pid));
	if (code == 127)
		return error_set(e, ENOENT, "%s cannot be run: install brig as a whole", path);
	return code ? -EIO : 0; /* it has said why */
}

/* Slots cost little and are made again at the next start; nobody has one in use. */
static int repair(const struct index_entry *i, const char *ref, const char *from, struct error *e)
{
	int r = nobody_runs(i->tree, e);

	seen_forget(i->tree, NULL);
	if (r == 0)
		r = tree_drop_slots(i->tree, NULL, cli_as_owner, e);
	if (r < 0 && e->code != 0)
		return error_wrap(e, "cannot repair %s", ref);
	r = mend(ref, from, e);
	if (r == 0)
		event_record("image", i->config, ref, "repair", NULL, 0, NULL);
	return r;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct repair_options *o = options_;
	_cleanup_(index_free) struct index x = { 0 };
	int r = index_read(&x, e), failed = 0;

	if (r < 0)
		return r;
	if (o->all != (argc == 0) || (o->from && argc != 1))
		return error_set(e, EINVAL, o->from ? "--from FILE goes with one image" : "name images, or give --all");
	for (size_t i = 0; i < (o->all ? x.n : (size_t)argc); i++) {
		struct error own = { 0 };
		ssize_t at = o->all ? (ssize_t)i : index_find(&x, argv[i], NULL, &own);
		const char *ref = o->all ? x.entries[i].name ? x.entries[i].name : x.entries[i].config : argv[i];

		r = at < 0 ? (int)at : repair(&x.entries[at], ref, o->from, &own);
		if (r < 0 && own.code)
			cli_fail(&own);
		failed |= r < 0;
	}
	return failed;
}

const struct cli_command cmd_image_repair = {
	.name = "image repair",
	.group = "Images",
	.args = "[OPTIONS] [IMAGE...]",
	.summary = "make images whole again that were changed on the disk",
	.description = "Verifies every byte of the image. What is wrong is made again from the layers as they were fetched; those that are "
		       "wrong themselves are fetched from where the image was pulled, and nothing else is. Nothing that was not verified is "
		       "used. Containers that run on the image have to be stopped before.",
	.options = options,
	.options_size = sizeof(struct repair_options),
	.max_args = -1,
	.complete = "images",
	.run = run,
};
