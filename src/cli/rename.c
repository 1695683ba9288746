/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/container.h"
#include "engine/events.h"

static int run(void *options, int argc, char **argv, struct error *e)
{
	struct container c;
	int r = container_find(argv[0], &c, e);

	(void)options;
	(void)argc;
	if (r < 0)
		return r;
	_cleanup_free_ char *old_name = xstrdup(c.config.name);
	r = container_rename(&c, argv[1], e);
	if (r == 0) {
		const struct event_attr attr = { "oldName", old_name };

		event_record("container", c.config.id, c.config.name, "rename", &attr, 1, NULL);
	} else {
		error_wrap(e, "cannot rename %s", argv[0]);
	}
	container_free(&c);
	return r;
}

const struct cli_command cmd_rename = {
	.name = "rename",
	.aliases = "container rename",
	.group = "Containers",
	.args = "CONTAINER NEW_NAME",
	.summary = "give a container another name",
	.min_args = 2,
	.max_args = 2,
	.complete = "containers",
	.run = run,
};
