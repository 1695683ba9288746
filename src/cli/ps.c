/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/layer.h"
#include "cli/ps_filter.h"
#include "cli/show.h"

#include <string.h>

struct ps_options {
	bool all, quiet, latest, no_trunc, size;
	uint64_t last;
	char **filter, *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct ps_options, all, "all", 'a', CLI_FLAG, NULL, "show all containers, not only running ones", NULL),
	CLI_OPT(struct ps_options, filter, "filter", 'f', CLI_LIST, "KEY=VALUE",
		"show only those that fit: id, name, label, status, ancestor, exited, health, network, volume, before, since",
		"id= name= label= status= ancestor= exited= health= network= volume= before= since="),
	CLI_OPT(struct ps_options, format, "format", 0, CLI_STRING, "TEMPLATE",
		"print by a Go template, \"json\", or \"table TEMPLATE\"", "json table"),
	CLI_OPT(struct ps_options, last, "last", 'n', CLI_U64, "N", "show the N containers made last, in any state", NULL),
	CLI_OPT(struct ps_options, latest, "latest", 'l', CLI_FLAG, NULL, "show the container made last, in any state", NULL),
	CLI_OPT(struct ps_options, no_trunc, "no-trunc", 0, CLI_FLAG, NULL, "cut nothing short", NULL),
	CLI_OPT(struct ps_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "print ids only", NULL),
	CLI_OPT(struct ps_options, size, "size", 's', CLI_FLAG, NULL, "measure the writable layers", NULL),
	CLI_END,
};

static const struct cli_column columns[] = {
	{ "ID", "CONTAINER ID", true },	     { "Image", "IMAGE", true },	  { "Command", "COMMAND", true },
	{ "RunningFor", "CREATED", true },   { "Status", "STATUS", true },	  { "Ports", "PORTS", true },
	{ "Names", "NAMES", true },	     { "CreatedAt", "CREATED AT", false }, { "State", "STATE", false },
	{ "Size", "SIZE", false },	     { "Labels", "LABELS", false },	  { "Mounts", "MOUNTS", false },
	{ "Networks", "NETWORKS", false },   { "LocalVolumes", "LOCAL VOLUMES", false }, { NULL },
};

/* "1.09kB (virtual 77.8MB)" */
static int put_size(const struct container *c, json_t *row, struct error *e)
{
	struct layer_size size;
	char own[24], all[24];
	int r = layer_size(c, &size, e);

	if (r < 0)
		return error_wrap(e, "container %s", c->config.name);
	format_size(size.bytes, false, own);
	format_size(size.bytes + size.image_bytes, false, all);
	_cleanup_free_ char *text = xasprintf("%s (virtual %s)", own, all);
	json_object_set_new(row, "Size", json_string(text));
	return 0;
}

static int collect(struct ps_options *o, json_t *rows, struct error *e)
{
	_cleanup_(ps_filter_free) struct ps_filter filter = { 0 };
	struct container *list = NULL;
	size_t n = 0, taken = 0;
	uint64_t max = o->latest ? 1 : o->last;
	bool needs_size = o->size || (o->format && strstr(o->format, ".Size"));
	int r = ps_filter_parse(&filter, o->filter, e);

	if (r == 0)
		r = container_list(&list, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct container *c = &list[i];
		bool shown = o->all || max || filter.any_status || container_running(c) ||
			     c->state.status == ST_RESTARTING;

		if (!shown || (max && taken == max) || !ps_filter_fits(&filter, c, list, n))
			continue;
		json_t *row = show_container_row(c, !o->no_trunc);
		json_array_append_new(rows, row);
		taken++;
		if (needs_size && !o->quiet)
			r = put_size(c, row, e);
	}
	for (size_t i = 0; i < n; i++)
		container_free(&list[i]);
	free(list);
	return r;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct ps_options *o = options_;
	_cleanup_json_ json_t *rows = json_array();
	struct cli_column shown[ARRAY_SIZE(columns)];
	int r = collect(o, rows, e);

	(void)argc;
	(void)argv;
	if (r < 0)
		return r;
	if (o->quiet && (!o->format || str_after(o->format, "table")))
		return cli_list("{{.ID}}", columns, rows, e);
	memcpy(shown, columns, sizeof(columns));
	for (struct cli_column *c = shown; c->field; c++)
		if (streq(c->field, "Size"))
			c->shown = o->size;
	return cli_list(o->format, shown, rows, e);
}

const struct cli_command cmd_ps = {
	.name = "ps",
	.aliases = "container ls|container list|container ps",
	.group = "Containers",
	.args = "[OPTIONS]",
	.summary = "list containers",
	.description =
		"Without options the running containers are listed, newest first.\n\n"
		"Several --filter of the same key are alternatives; of different keys all must fit. name takes a regular "
		"expression. label takes KEY or KEY=VALUE, and each one must fit.\n\n"
		"Fields for --format: .ID .Image .Command .CreatedAt .RunningFor .Ports .State .Status .Size .Names "
		".Labels .Label .Mounts .LocalVolumes .Networks",
	.options = options,
	.options_size = sizeof(struct ps_options),
	.run = run,
};
