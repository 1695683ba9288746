/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/layer.h"

#include <string.h>

struct diff_options {
	char *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct diff_options, format, "format", 0, CLI_STRING, "json", "print a JSON object a line", "json"),
	CLI_END,
};

/* Runs in the process that has the container's ids, and prints from there. */
static int show(enum layer_change change, const char *path, void *arg, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(path);

	if (!path)
		return fflush(stdout) ? error_errno(e, errno, "cannot write to standard output") : 0;
	if (arg) {
		_cleanup_json_ json_t *line = NULL;
		json_t *text = json_string(path);

		line = json_pack("{s:s#,s:o}", "Kind", (const char[]){ (char)change }, 1, "Path",
				 text ? text : json_string(safe));
		cli_print_json(line, 0);
	} else {
		printf("%c %s\n", change, safe);
	}
	return ferror(stdout) ? error_errno(e, EIO, "cannot write to standard output") : 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct diff_options *o = options_;
	struct container c;
	int r;

	(void)argc;
	if (o->format && !streq(o->format, "json"))
		return error_set(e, EINVAL, "invalid value \"%s\" for --format: give json", o->format);
	r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	fflush(stdout);
	r = layer_diff(&c, show, o->format, e);
	if (r < 0)
		error_wrap(e, "container %s", c.config.name);
	container_free(&c);
	return r;
}

const struct cli_command cmd_diff = {
	.name = "diff",
	.aliases = "container diff",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER",
	.summary = "list what a container has changed in its files",
	.description = "One path a line, behind A (added), C (changed) or D (deleted), compared to the container's image. Volumes "
		       "and tmpfs are not looked at.",
	.options = options,
	.options_size = sizeof(struct diff_options),
	.min_args = 1,
	.max_args = 1,
	.complete = "containers",
	.run = run,
};
