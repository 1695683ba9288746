/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/ps_filter.h"
#include "engine/layer.h"

#include <stdlib.h>
#include <string.h>

struct prune_options {
	bool force;
	char **filter;
};

static const struct cli_option options[] = {
	CLI_OPT(struct prune_options, filter, "filter", 0, CLI_LIST, "KEY=VALUE",
		"remove only those that fit: until=TIME (made before), label=, and what ps knows", "until= label="),
	CLI_OPT(struct prune_options, force, "force", 'f', CLI_FLAG, NULL, "do not ask", NULL),
	CLI_END,
};

static bool is_over(const struct container *c)
{
	return c->state.status == ST_CREATED || c->state.status == ST_EXITED || c->state.status == ST_DEAD;
}

struct result {
	unsigned removed, failed;
	uint64_t bytes;
};

static void remove_one(struct container *c, struct result *res)
{
	_cleanup_free_ char *id = xstrdup(c->config.id);
	struct layer_size size = { 0 };
	struct error e = { 0 };

	layer_size(c, &size, NULL);
	if (container_remove(c, false, false, &e) < 0) {
		/* Started or removed by somebody else meanwhile: it is not one of those any more. */
		if (e.code != -EBUSY && e.code != -ENOENT) {
			cli_fail(&e);
			res->failed++;
		}
		return;
	}
	res->removed++;
	res->bytes += size.bytes;
	printf("%s\n", id);
}

static int prune_containers(const struct prune_options *o, struct result *res, struct error *e)
{
	_cleanup_(ps_filter_free) struct ps_filter filter = { 0 };
	struct container *list = NULL;
	size_t n = 0;
	int r = ps_filter_parse(&filter, o->filter, e);

	if (r == 0)
		r = container_list(&list, &n, e);
	bool *chosen = xcalloc(n, sizeof(bool));
	/* All are looked at before the first goes: before= and since= name some of them. */
	for (size_t i = 0; i < n; i++)
		chosen[i] = is_over(&list[i]) && ps_filter_fits(&filter, &list[i], list, n);
	for (size_t i = 0; i < n; i++) {
		if (chosen[i])
			remove_one(&list[i], res);
		container_free(&list[i]);
	}
	free(chosen);
	free(list);
	return r;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct prune_options *o = options_;
	struct result res = { 0 };
	char size[24];
	int r;

	(void)argc;
	(void)argv;
	if (!o->force && !cli_agreed("all containers that do not run"))
		return 1;
	r = prune_containers(o, &res, e);
	if (r < 0)
		return r;
	format_size(res.bytes, false, size);
	printf("%sTotal reclaimed space: %s\n", res.removed ? "\n" : "", size);
	return res.failed ? 1 : 0;
}

const struct cli_command cmd_container_prune = {
	.name = "container prune",
	.group = "Containers",
	.args = "[OPTIONS]",
	.summary = "remove all containers that do not run",
	.options = options,
	.options_size = sizeof(struct prune_options),
	.run = run,
};
