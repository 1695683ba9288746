/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/owner.h"
#include "image/refs.h"

#include <stdio.h>

struct rmi_options {
	bool force, no_prune;
};

static const struct cli_option options[] = {
	CLI_OPT(struct rmi_options, force, "force", 'f', CLI_FLAG, NULL,
		"take all names of an image that has several, or that containers use; a missing image is no failure", NULL),
	CLI_OPT(struct rmi_options, no_prune, "no-prune", 0, CLI_FLAG, NULL, "leave the data for a later removal", NULL),
	CLI_END,
};

static int remove_one(const char *ref, const struct rmi_options *o, struct error *e)
{
	_cleanup_(image_removed_free) struct image_removed removed = { 0 };
	int r = image_remove(ref, o->force, &removed, e);

	if (r < 0)
		return r;
	strv_foreach(it, removed.names)
		printf("Untagged: %s\n", *it);
	if (removed.id[0])
		printf("Deleted: sha256:%s\n", removed.id);
	else if (removed.moved_off)
		cli_warn("%s stays without a name, containers use it", ref);
	return 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct rmi_options *o = options_;
	int failed = 0, r;

	for (int i = 0; i < argc; i++) {
		struct error own = { 0 };

		r = remove_one(argv[i], o, &own);
		if (r < 0 && !(o->force && r == -ENOENT)) {
			cli_fail(&own);
			failed = 1;
		}
	}
	fflush(stdout);
	r = o->no_prune ? 0 : store_collect(cli_as_owner, false, NULL, e);
	return r < 0 ? r : failed;
}

const struct cli_command cmd_rmi = {
	.name = "rmi",
	.aliases = "image rm|image remove",
	.group = "Images",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "remove names, and images with their last name",
	.description = "An image that a container uses is not removed; with --force it loses its names. What no image and no "
		       "container refers to any more is given back to the disk.",
	.options = options,
	.options_size = sizeof(struct rmi_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "images",
	.run = run,
};
