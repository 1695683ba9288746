/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/home.h"
#include "base/json.h"
#include "image/name.h"
#include "image/store.h"
#include "image/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct history_options {
	bool no_trunc, quiet;
	bool human;
	char *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct history_options, format, "format", 0, CLI_STRING, "TEMPLATE",
		"print by a Go template, \"table\" or \"json\"", "json table"),
	CLI_OPT(struct history_options, human, "human", 'H', CLI_FLAG, NULL,
		"sizes and times for people (the default; --human=false shows bytes and dates)", NULL),
	CLI_OPT(struct history_options, no_trunc, "no-trunc", 0, CLI_FLAG, NULL, "show whole commands", NULL),
	CLI_OPT(struct history_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show only ids", NULL),
	CLI_END,
};

static void defaults(void *options_)
{
	((struct history_options *)options_)->human = true;
}

/* Bytes of the files of one layer. */
static uint64_t layer_size(const char *diff_id)
{
	_cleanup_close_ int layers = home_data_dir("layers", NULL), dir = -1;
	_cleanup_(table_unmap) struct table_map m = { 0 };
	const char *hex = diff_id ? digest_hex(diff_id) : NULL;
	struct tree_total total = { 0 };

	if (layers < 0 || !hex)
		return 0;
	dir = openat(layers, hex, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0 && table_map(dir, &m) == 0)
		table_body(m.data, m.size, &total);
	return total.bytes;
}

static json_t *row_of(const struct history_options *o, const json_t *step, const char *id, uint64_t bytes)
{
	const char *created = json_string_value(json_object_get(step, "created"));
	const char *by = json_string_value(json_object_get(step, "created_by"));
	const char *comment = json_string_value(json_object_get(step, "comment"));
	_cleanup_free_ char *command = xstrdup(by ? by : ""), *since = NULL;
	uint64_t ns = 0, now = clock_now_ns();
	char words[40], size[24];
	json_t *row = json_object();

	if (!o->no_trunc && strlen(command) > 45) {
		size_t cut = 44;

		while (cut > 0 && ((unsigned char)command[cut] & 0xc0) == 0x80)
			cut--;
		command[cut] = 0;
		char *shorter = xasprintf("%s\xe2\x80\xa6", command);
		free(command);
		command = shorter;
	}
	if (created && clock_parse(created, &ns) == 0) {
		clock_words(now > ns ? now - ns : 0, words);
		since = xasprintf("%s ago", words);
	}
	if (o->human)
		format_size(bytes, false, size);
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	json_object_set_new(row, "ID", json_string(id));
	json_object_set_new(row, "CreatedSince", json_string(since ? (o->human ? since : created) : "N/A"));
	json_object_set_new(row, "CreatedAt", json_string(created ? created : "N/A"));
	json_object_set_new(row, "CreatedBy", json_string(command));
	json_object_set_new(row, "Size", json_string(size));
	json_object_set_new(row, "Comment", json_string(comment ? comment : ""));
	return row;
}

/* Newest first. Layers without an entry of their own (old or odd images) come as rows without a command. */
static json_t *rows_of(const struct image *img, const struct history_options *o)
{
	json_t *diffs = json_object_get(json_object_get(img->config, "rootfs"), "diff_ids");
	json_t *steps = json_object_get(img->config, "history"), *rows = json_array(), *step;
	_cleanup_free_ char *id = xasprintf(o->no_trunc ? "sha256:%s" : "%.12s", img->id);
	size_t layer = 0, i;

	json_array_foreach(steps, i, step) {
		bool empty = json_is_true(json_object_get(step, "empty_layer"));
		uint64_t bytes = empty ? 0 : layer_size(json_string_value(json_array_get(diffs, layer)));

		layer += !empty;
		json_array_insert_new(rows, 0, row_of(o, step, "<missing>", bytes));
	}
	for (; layer < json_array_size(diffs); layer++)
		json_array_insert_new(rows, 0, row_of(o, NULL, "<missing>",
						      layer_size(json_string_value(json_array_get(diffs, layer)))));
	if (json_array_size(rows))
		json_object_set_new(json_array_get(rows, 0), "ID", json_string(id));
	return rows;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	static const struct cli_column columns[] = {
		{ "ID", "IMAGE", true },
		{ "CreatedSince", "CREATED", true },
		{ "CreatedAt", "CREATED AT", false },
		{ "CreatedBy", "CREATED BY", true },
		{ "Size", "SIZE", true },
		{ "Comment", "COMMENT", true },
		{ NULL, NULL, false },
	};
	struct history_options *o = options_;
	_cleanup_json_ json_t *rows = NULL;
	struct image img;
	int r = image_find(argv[0], &img, e);

	(void)argc;
	if (r < 0)
		return r;
	rows = rows_of(&img, o);
	image_free(&img);
	return cli_list(o->quiet ? "{{.ID}}" : o->format, columns, rows, e);
}

const struct cli_command cmd_history = {
	.name = "history",
	.aliases = "image history",
	.group = "Images",
	.args = "[OPTIONS] IMAGE",
	.summary = "show how an image was made, as it claims",
	.options = options,
	.options_size = sizeof(struct history_options),
	.defaults = defaults,
	.min_args = 1,
	.max_args = 1,
	.complete = "images",
	.run = run,
};
