/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "confine/wall.h"

#include <stdio.h>

enum { COLUMN = 26 };

struct options {
	char *format;
};

static json_t *document(void)
{
	json_t *list = json_array();

	for (int i = 0; i < WALL_COUNT; i++) {
		const struct wall *w = walls[i];
		json_t *lower = json_array();

		if (w->can_lower)
			json_array_append_new(lower, json_string(w->name));
		for (size_t d = 0; w->details && w->details[d]; d++) {
			_cleanup_free_ char *term = xasprintf("%s=%s", w->name, w->details[d]);

			json_array_append_new(lower, json_string(term));
		}
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:o}", "Wall", w->name, "What", w->what, "Lower", lower));
	}
	return list;
}

static void print_text(void)
{
	cli_help_text("All walls are up in every container. One comes down by name, wholly or in a part, with\n\n"
		      "    brig run --lower WALL[=PART] ...\n\n"
		      "and `brig posture` says so as long as the container runs. What --lower takes:\n");
	for (int i = 0; i < WALL_COUNT; i++) {
		const struct wall *w = walls[i];

		if (w->can_lower)
			cli_help_item(w->name, w->what, COLUMN);
		for (size_t d = 0; w->details && w->details[d]; d++) {
			_cleanup_free_ char *term = xasprintf("%s=%s", w->name, w->details[d]);

			cli_help_item(term, w->texts[d], COLUMN);
		}
	}
	printf("\nThese have no --lower:\n\n");
	for (int i = 0; i < WALL_COUNT; i++)
		if (!walls[i]->can_lower && !walls[i]->details)
			cli_help_item(walls[i]->name, walls[i]->what, COLUMN);
}

static int run(void *options, int argc, char **argv, struct error *e)
{
	const struct options *o = options;

	(void)argc;
	(void)argv;
	if (o->format) {
		_cleanup_json_ json_t *j = document();

		return cli_print_format(o->format, j, e);
	}
	print_text();
	return 0;
}

static const struct cli_option options[] = {
	CLI_OPT(struct options, format, "format", 'f', CLI_STRING, "FORMAT", "json, or a template", NULL),
	CLI_END,
};

const struct cli_command cmd_help_walls = {
	.name = "help walls",
	.group = "Walls",
	.args = "[OPTIONS]",
	.summary = "list the walls, and what --lower takes for each",
	.description = "The walls in the order in which they are raised, and the parts of each that come down by name.",
	.options = options,
	.options_size = sizeof(struct options),
	.run = run,
};
