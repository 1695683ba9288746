/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/layer.h"
#include "cli/image_json.h"
#include "cli/show.h"

struct inspect_options {
	char *format, *type;
	bool size;
};

static const struct cli_option options[] = {
	CLI_OPT(struct inspect_options, format, "format", 'f', CLI_STRING, "TEMPLATE",
		"print by a Go template, or \"json\" for one line each", "json"),
	CLI_OPT(struct inspect_options, size, "size", 's', CLI_FLAG, NULL,
		"measure the writable layers of containers: .SizeRw and .SizeRootFs", NULL),
	CLI_OPT(struct inspect_options, type, "type", 0, CLI_STRING, "TYPE",
		"look only for a \"container\", an \"image\" or a \"volume\"", "container image volume"),
	CLI_END,
};

static int container_doc(const char *ref, bool size, json_t **out, struct error *e)
{
	struct layer_size sizes;
	struct container c;
	int r = container_find(ref, &c, e);

	if (r < 0)
		return r;
	if (size)
		r = layer_size(&c, &sizes, e);
	if (r == 0) {
		*out = show_container(&c);
		if (size) {
			json_object_set_new(*out, "SizeRw", json_integer((json_int_t)sizes.bytes));
			json_object_set_new(*out, "SizeRootFs",
					    json_integer((json_int_t)(sizes.bytes + sizes.image_bytes)));
		}
	}
	container_free(&c);
	return r;
}

static int image_doc(const char *ref, json_t **out, struct error *e)
{
	struct image img;
	int r = image_find(ref, &img, e);

	if (r < 0)
		return r;
	*out = image_json(&img, e);
	image_free(&img);
	return *out ? 0 : e->code;
}

static int volume_doc(const char *name, json_t **out, struct error *e)
{
	struct volume v;
	int r = volume_find(name, &v, e);

	if (r < 0)
		return r;
	*out = show_volume(&v);
	volume_free(&v);
	return 0;
}

/* A container, else an image, else a volume, as docker looks. */
static int find(const struct inspect_options *o, const char *ref, json_t **out, struct error *e)
{
	int r = -ENOENT;

	if (!o->type || streq(o->type, "container"))
		r = container_doc(ref, o->size, out, e);
	if (r == -ENOENT && (!o->type || streq(o->type, "image")))
		r = image_doc(ref, out, e);
	if (r == -ENOENT && (!o->type || streq(o->type, "volume")))
		r = volume_doc(ref, out, e);
	if (r == -ENOENT && !o->type)
		error_set(e, ENOENT, "there is no container, image or volume \"%s\"", ref);
	return r;
}

/* Goes on after a name that does not exist, so that a script gets what there is; then the exit code is 1, as docker's. */
static int inspect(const struct inspect_options *o, char **refs, struct error *e)
{
	_cleanup_json_ json_t *all = json_array();
	int failed = 0;

	for (; *refs; refs++) {
		json_t *doc = NULL;
		struct error own = { 0 };

		if (find(o, *refs, &doc, &own) < 0) {
			cli_fail(&own);
			failed = 1;
			continue;
		}
		json_array_append_new(all, doc);
		if (o->format) {
			int r = cli_print_format(o->format, doc, e);

			if (r < 0)
				return r;
		}
	}
	if (!o->format)
		cli_print_json(all, 4);
	return failed;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct inspect_options *o = options_;

	(void)argc;
	if (o->type && !streq(o->type, "container") && !streq(o->type, "image") && !streq(o->type, "volume"))
		return error_set(e, EINVAL, "invalid value \"%s\" for --type: give container, image or volume", o->type);
	return inspect(o, argv, e);
}

static int run_container(void *options_, int argc, char **argv, struct error *e)
{
	((struct inspect_options *)options_)->type = (char[]){ "container" };
	return run(options_, argc, argv, e);
}

const struct cli_command cmd_inspect = {
	.name = "inspect",
	.group = "Containers",
	.args = "[OPTIONS] NAME|ID [NAME|ID...]",
	.summary = "show everything about containers, images and volumes",
	.description =
		"Prints a JSON list with docker's fields. What only brig has stands under .Brig: the range of host ids, the "
		"walls that were lowered, all limits, namespaces. A name of several things means the "
		"container, else the image.",
	.options = options,
	.options_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run,
};

const struct cli_command cmd_container_inspect = {
	.name = "container inspect",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "show everything about containers",
	.options = options,
	.options_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.complete = "containers",
	.run = run_container,
};
