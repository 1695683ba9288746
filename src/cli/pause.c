/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/events.h"
#include "engine/usage.h"

#include <stdlib.h>

struct pause_options {
	bool all;
};

static const struct cli_option options[] = {
	CLI_OPT(struct pause_options, all, "all", 'a', CLI_FLAG, NULL, "all that it applies to", NULL),
	CLI_END,
};

static int one(const struct container *c, bool frozen, struct error *e)
{
	int r = container_pause(c, frozen, e);

	if (r < 0)
		return r;
	event_record("container", c->config.id, c->config.name, frozen ? "pause" : "unpause", NULL, 0, NULL);
	printf("%s\n", c->config.name);
	return 0;
}

static int all(bool frozen, struct error *e)
{
	struct container *list = NULL;
	size_t n = 0;
	int r = container_list(&list, &n, e), first = r;

	for (size_t i = 0; i < n; i++) {
		struct error own = { 0 };

		if (container_running(&list[i]) && container_paused(&list[i]) != frozen &&
		    one(&list[i], frozen, &own) < 0) {
			first = 1;
			cli_fail(&own);
		}
		container_free(&list[i]);
	}
	free(list);
	return first;
}

/* Goes on after a failure, as docker does; each failure is told. */
static int many(bool every, int argc, char **argv, bool frozen, struct error *e)
{
	int first = 0;

	if (every && argc)
		return error_set(e, EINVAL, "--all and a container's name do not go together");
	if (every)
		return all(frozen, e);
	if (!argc)
		return error_set(e, EINVAL, "which container?");
	for (int i = 0; i < argc; i++) {
		struct error own = { 0 };
		struct container c;
		int r = container_find(argv[i], &c, &own);

		if (r == 0) {
			r = one(&c, frozen, &own);
			container_free(&c);
		}
		if (r < 0) {
			cli_fail(&own);
			first = 1;
		}
	}
	return first;
}

static int run_pause(void *options_, int argc, char **argv, struct error *e)
{
	return many(((struct pause_options *)options_)->all, argc, argv, true, e);
}

static int run_unpause(void *options_, int argc, char **argv, struct error *e)
{
	return many(((struct pause_options *)options_)->all, argc, argv, false, e);
}

const struct cli_command cmd_pause = {
	.name = "pause",
	.aliases = "container pause",
	.group = "Containers",
	.args = "CONTAINER...",
	.summary = "freeze all processes of containers",
	.description = "Through the cgroup freezer: the processes do not notice and cannot undo it. Needs a cgroup.",
	.options = options,
	.options_size = sizeof(struct pause_options),
	.max_args = -1,
	.complete = "running",
	.run = run_pause,
};

const struct cli_command cmd_unpause = {
	.name = "unpause",
	.aliases = "container unpause",
	.group = "Containers",
	.args = "CONTAINER...",
	.summary = "let paused containers go on",
	.options = options,
	.options_size = sizeof(struct pause_options),
	.max_args = -1,
	.complete = "running",
	.run = run_unpause,
};
