/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "image/refs.h"

struct tag_options {
	bool unused;
};

static const struct cli_option options[] = { CLI_END };

static int run(void *options_, int argc, char **argv, struct error *e)
{
	(void)options_;
	(void)argc;
	return image_tag(argv[0], argv[1], e);
}

const struct cli_command cmd_tag = {
	.name = "tag",
	.aliases = "image tag",
	.group = "Images",
	.args = "IMAGE NAME[:TAG]",
	.summary = "give an image another name",
	.description = "A name that another image bears moves over. Without a host the name is kept below localhost/, without "
		       "a tag it gets :latest.",
	.options = options,
	.options_size = sizeof(struct tag_options),
	.min_args = 2,
	.max_args = 2,
	.complete = "images",
	.run = run,
};
