/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "image/name.h"
#include "image/store.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct images_options {
	bool all, quiet, no_trunc, digests;
	char **filter, *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct images_options, all, "all", 'a', CLI_FLAG, NULL, "same as without: brig keeps no intermediate images",
		NULL),
	CLI_OPT(struct images_options, digests, "digests", 0, CLI_FLAG, NULL, "show the digests of the manifests", NULL),
	CLI_OPT(struct images_options, filter, "filter", 'f', CLI_LIST, "FILTER",
		"only those with reference=PATTERN, dangling=true|false, label=KEY[=VALUE], before=IMAGE or since=IMAGE",
		"reference= dangling= label= before= since="),
	CLI_OPT(struct images_options, format, "format", 0, CLI_STRING, "TEMPLATE",
		"print by a Go template, \"table\" or \"json\"", "json table"),
	CLI_OPT(struct images_options, no_trunc, "no-trunc", 0, CLI_FLAG, NULL, "show whole ids", NULL),
	CLI_OPT(struct images_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show only ids", NULL),
	CLI_END,
};

/* What the filters ask for; all of one kind: any of them, all kinds: each. */
struct wanted {
	char **references, **labels;
	int dangling; /* -1: either */
	uint64_t before, since;
};

static int created_of(const char *ref, uint64_t *ns, struct error *e)
{
	struct image img;
	int r = image_find(ref, &img, e);

	if (r < 0)
		return r;
	*ns = img.created_ns;
	image_free(&img);
	return 0;
}

static int read_filters(char *const *filters, struct wanted *w, struct error *e)
{
	w->dangling = -1;
	strv_foreach(it, filters) {
		const char *v;
		int r = 0;

		if ((v = str_after(*it, "reference="))) {
			strv_add_copy(&w->references, v);
		} else if ((v = str_after(*it, "label="))) {
			strv_add_copy(&w->labels, v);
		} else if ((v = str_after(*it, "dangling="))) {
			w->dangling = streq(v, "true") || streq(v, "1");
			if (!w->dangling && !streq(v, "false") && !streq(v, "0"))
				r = error_set(e, EINVAL, "filter \"%s\": neither true nor false", *it);
		} else if ((v = str_after(*it, "before="))) {
			r = created_of(v, &w->before, e);
		} else if ((v = str_after(*it, "since="))) {
			r = created_of(v, &w->since, e);
		} else {
			r = error_set(e, EINVAL, "unknown filter \"%s\": reference=, dangling=, label=, before=, since=", *it);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* A pattern fits the name with or without tag, with or without localhost/. */
static bool reference_fits(const char *pattern, const char *name)
{
	/* without a host it means what it would mean to run */
	const char *tries[2] = { name, name_has_host(pattern) ? NULL : str_after(name, "localhost/") };

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		size_t n;

		if (!tries[i])
			continue;
		name_tag(tries[i], &n);
		_cleanup_free_ char *bare = xstrndup(tries[i], n);
		if (fnmatch(pattern, tries[i], FNM_PATHNAME) == 0 || fnmatch(pattern, bare, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

static bool label_fits(const struct image *img, const char *want)
{
	const json_t *labels = json_object_get(json_object_get(img->config, "config"), "Labels");
	const char *equals = strchr(want, '=');
	_cleanup_free_ char *key = xstrndup(want, equals ? (size_t)(equals - want) : strlen(want));
	const char *value = json_string_value(json_object_get(labels, key));

	return value && (!equals || streq(value, equals + 1));
}

static bool image_fits(const struct image *img, const struct wanted *w)
{
	if (w->dangling >= 0 && w->dangling != (img->names[0] == NULL))
		return false;
	if (w->before && img->created_ns >= w->before)
		return false;
	if (w->since && img->created_ns <= w->since)
		return false;
	strv_foreach(it, w->labels) {
		if (!label_fits(img, *it))
			return false;
	}
	return true;
}

static bool name_fits(const char *name, const struct wanted *w)
{
	if (!w->references)
		return true;
	strv_foreach(it, w->references) {
		if (name && reference_fits(*it, name))
			return true;
	}
	return false;
}

static char *created_at(uint64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[64];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", localtime_r(&t, &tm));
	return xstrdup(text);
}

/* One name, or none, of an image as a row. */
static json_t *row_of(const struct image *img, const char *name, bool whole)
{
	_cleanup_free_ char *id = xasprintf(whole ? "sha256:%s" : "%.12s", img->id);
	_cleanup_free_ char *digest = xasprintf("sha256:%s", img->manifest), *at = created_at(img->created_ns);
	_cleanup_free_ char *since = NULL, *repository = NULL;
	const json_t *labels = json_object_get(json_object_get(img->config, "config"), "Labels");
	char words[40], size[24];
	uint64_t now = clock_now_ns();
	size_t n = 0;
	const char *tag = name ? name_tag(name, &n) : NULL;
	json_t *row = json_object();

	clock_words(now > img->created_ns ? now - img->created_ns : 0, words);
	since = img->created_ns ? xasprintf("%s ago", words) : xstrdup("N/A");
	repository = name ? xstrndup(name, n) : xstrdup("<none>");
	format_size(img->size, false, size);
	json_object_set_new(row, "Repository", json_string(repository));
	json_object_set_new(row, "Tag", json_string(tag ? tag : "<none>"));
	json_object_set_new(row, "Digest", json_string(digest));
	json_object_set_new(row, "ID", json_string(id));
	json_object_set_new(row, "CreatedSince", json_string(since));
	json_object_set_new(row, "CreatedAt", json_string(img->created_ns ? at : "N/A"));
	json_object_set_new(row, "Size", json_string(size));
	json_object_set_new(row, ".Label", labels ? json_deep_copy(labels) : json_object());
	return row;
}

static json_t *rows_of(const struct image *images, size_t n, const struct wanted *w, bool whole)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n; i++) {
		if (!image_fits(&images[i], w))
			continue;
		if (!images[i].names[0] && name_fits(NULL, w))
			json_array_append_new(rows, row_of(&images[i], NULL, whole));
		strv_foreach(it, images[i].names) {
			if (name_fits(*it, w))
				json_array_append_new(rows, row_of(&images[i], *it, whole));
		}
	}
	return rows;
}

static void print_ids(const json_t *rows)
{
	_cleanup_strv_ char **seen = NULL;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *id = json_string_value(json_object_get(row, "ID"));

		if (strv_has(seen, id))
			continue;
		strv_add_copy(&seen, id);
		printf("%s\n", id);
	}
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct images_options *o = options_;
	const struct cli_column columns[] = {
		{ "Repository", "REPOSITORY", true },
		{ "Tag", "TAG", true },
		{ "Digest", "DIGEST", o->digests },
		{ "ID", "IMAGE ID", true },
		{ "CreatedSince", "CREATED", true },
		{ "CreatedAt", "CREATED AT", false },
		{ "Size", "SIZE", true },
		{ NULL, NULL, false },
	};
	_cleanup_json_ json_t *rows = NULL;
	struct wanted w = { 0 };
	struct image *images = NULL;
	size_t n = 0;
	int r = read_filters(o->filter, &w, e);

	if (argc)
		strv_add_copy(&w.references, argv[0]);
	if (r == 0)
		r = image_list(&images, &n, e);
	if (r == 0) {
		rows = rows_of(images, n, &w, o->no_trunc);
		if (o->quiet)
			print_ids(rows);
		else
			r = cli_list(o->format, columns, rows, e);
	}
	for (size_t i = 0; i < n; i++)
		image_free(&images[i]);
	free(images);
	strv_free(w.references);
	strv_free(w.labels);
	return r;
}

const struct cli_command cmd_images = {
	.name = "images",
	.aliases = "image ls|image list",
	.group = "Images",
	.args = "[OPTIONS] [NAME[:TAG]]",
	.summary = "list images",
	.description = "Sizes are those of the files in all layers, uncompressed; layers and files that images share take "
		       "their space on the disk only once.",
	.options = options,
	.options_size = sizeof(struct images_options),
	.max_args = 1,
	.complete = "images",
	.run = run,
};
