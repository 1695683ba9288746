/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image prune` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/owner.h"
#include "image/refs.h"

#include <stdio.h>
#include <unistd.h>

struct prune_options {
	bool all, force;
	char **filter;
};

static const struct cli_option prune_options[] = {
	CLI_OPT(struct prune_options, all, "all", 'a', CLI_FLAG, NULL, "also those with a name that no container uses", NULL),
	CLI_OPT(struct prune_options, filter, "filter", 0, CLI_LIST, "FILTER", "only those with label=KEY[=VALUE]", "label="),
	CLI_OPT(struct prune_options, force, "force", 'f', CLI_FLAG, NULL, "do not ask", NULL),
	CLI_END,
};

static bool agreed(const struct prune_options *o)
{
	char answer[8] = "";

	if (o->force || !isatty(0))
		return true;
	printf("Remove all images %s? [y/N] ", o->all ? "that no container uses" : "without a name");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int prune(void *options_, int argc, char **argv, struct error *e)
{
	struct prune_options *o = options_;
	_cleanup_strv_ char **labels = NULL, **ids = NULL;
	struct store_freed freed;
	char size[24];
	int r;

	(void)argc;
	(void)argv;
	strv_foreach(it, o->filter) {
		const char *label = str_after(*it, "label=");

		if (!label)
			return error_set(e, EINVAL, "unknown filter \"%s\": label=KEY[=VALUE]", *it);
		strv_add_copy(&labels, label);
	}
	if (!agreed(o))
		return 0;
	r = image_prune(o->all, labels, &ids, e);
	if (r == 0)
		r = store_collect(cli_as_owner, true, &freed, e);
	if (r < 0)
		return r;
	strv_foreach(it, ids)
		printf("Deleted: sha256:%s\n", *it);
	format_size(freed.bytes, false, size);
	printf("Total reclaimed space: %s\n", size);
	return 0;
}

const struct cli_command cmd_image_prune = {
	.name = "image prune",
	.group = "Images",
	.args = "[OPTIONS]",
	.summary = "remove images that nobody uses",
	.options = prune_options,
	.options_size = sizeof(struct prune_options),
	.max_args = 0,
	.run = prune,
};
