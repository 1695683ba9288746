/* SPDX-License-Identifier: Apache-2.0 */
/* `brig-image __remote`: what `brig image inspect --remote` shows. What the registry said is read, and printed, in a room. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "cli/remote_name.h"
#include "image/remote.h"

#include <stdio.h>
#include <string.h>

struct remote_options {
	char *platform, *format;
	bool raw;
};

static const struct cli_option options[] = {
	CLI_OPT(struct remote_options, platform, "platform", 0, CLI_STRING, "PLATFORM", "of an index, the image for it", NULL),
	CLI_OPT(struct remote_options, format, "format", 'f', CLI_STRING, "TEMPLATE", "print by a Go template, or \"json\"", "json"),
	CLI_OPT(struct remote_options, raw, "raw", 0, CLI_FLAG, NULL, "print the manifest or index as it came", NULL),
	CLI_END,
};

struct showing {
	const struct remote_options *o;
	const struct reference *ref;
};

static json_t *digest_json(const char *hex)
{
	return json_sprintf("sha256:%s", hex);
}

static json_t *descriptor_json(const struct oci_descriptor *d)
{
	json_t *j = json_object();

	json_object_set_new(j, "MediaType", json_string(d->media_type));
	json_object_set_new(j, "Digest", digest_json(d->hex));
	json_object_set_new(j, "Size", json_integer((json_int_t)d->size));
	return j;
}

static json_t *platforms_json(const struct oci_index *x)
{
	json_t *list = json_array();

	for (size_t i = 0; i < x->n; i++) {
		const struct oci_descriptor *d = &x->manifests[i];
		_cleanup_free_ char *name = xasprintf("%s/%s%s%s", d->os ? d->os : "unknown", d->architecture ? d->architecture : "unknown",
						      d->variant ? "/" : "", d->variant ? d->variant : "");
		json_t *j = descriptor_json(d);

		json_object_set_new(j, "Platform", json_string(name));
		json_object_set_new(j, "Attestation", json_boolean(d->attestation));
		json_array_append_new(list, j);
	}
	return list;
}

static void copy(json_t *to, const char *name, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	json_object_set(to, name, v ? v : json_null());
}

static json_t *view_json(const struct showing *s, const struct remote_view *v)
{
	_cleanup_free_ char *name = reference_name(s->ref), *pulled = reference_pulled(s->ref, v->hex);
	json_t *j = json_object(), *layers = json_array();
	uint64_t size = 0;

	for (size_t i = 0; i < v->manifest->n; i++) {
		size += v->manifest->layers[i].size;
		json_array_append_new(layers, descriptor_json(&v->manifest->layers[i]));
	}
	json_object_set_new(j, "Name", json_string(name ? name : pulled));
	json_object_set_new(j, "Digest", digest_json(v->hex));
	json_object_set_new(j, "MediaType", json_string(v->top_type));
	json_object_set_new(j, "Platforms", v->index ? platforms_json(v->index) : json_null());
	json_object_set_new(j, "Manifest", digest_json(v->manifest_hex));
	json_object_set_new(j, "Id", digest_json(v->manifest->config.hex));
	copy(j, "Created", v->config, "created");
	copy(j, "Author", v->config, "author");
	copy(j, "Architecture", v->config, "architecture");
	copy(j, "Variant", v->config, "variant");
	copy(j, "Os", v->config, "os");
	json_object_set_new(j, "Size", json_integer((json_int_t)size));
	copy(j, "Config", v->config, "config");
	json_object_set_new(j, "Layers", layers);
	copy(j, "DiffIDs", json_object_get(v->config, "rootfs"), "diff_ids");
	copy(j, "History", v->config, "history");
	copy(j, "Annotations", v->manifest->json, "annotations");
	return j;
}

/* To a file or pipe the bytes that have the digest, to a terminal nothing that could steer it. */
static void print_raw(const struct remote_view *v)
{
	const char *s = v->text, *end = v->text + v->n;

	if (!cli_on_terminal()) {
		fwrite(v->text, 1, v->n, stdout);
		return;
	}
	while (s < end) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((stop ? stop : end) - s);
		_cleanup_free_ char *safe = str_escape_n(s, n);

		printf("%s\n", safe);
		s += n + 1;
	}
}

static int show(void *arg, const struct remote_view *v, struct error *e)
{
	const struct showing *s = arg;
	_cleanup_json_ json_t *j = NULL, *list = NULL;

	if (s->o->raw) {
		print_raw(v);
		return 0;
	}
	j = view_json(s, v);
	if (s->o->format)
		return cli_print_format(s->o->format, j, e);
	list = json_array();
	json_array_append(list, j);
	cli_print_json(list, 4);
	return 0;
}

static int look(const struct remote_options *o, const struct conf *conf, const char *typed, struct error *e)
{
	_cleanup_reference_ struct reference ref = { 0 };
	struct showing s = { .o = o, .ref = &ref };
	struct registry_report report = { .note = cli_note_tell };
	int r = remote_name(typed, &ref, e);

	return r < 0 ? r : remote_look(&ref, o->platform, o->raw, conf, &report, show, &s, e);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct remote_options *o = options_;
	struct conf conf;
	int r, failed = 0;

	if (o->raw && (o->format || o->platform))
		return error_set(e, EINVAL, "--raw prints what the name means as it came: neither --format nor --platform go with it");
	r = conf_load(&conf, e);
	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++) {
		struct error own = { 0 };

		if (look(o, &conf, argv[i], &own) < 0)
			failed = cli_fail(&own);
	}
	conf_free(&conf);
	return failed;
}

const struct cli_command cmd_image_remote = {
	.name = "__remote",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "show an image of a registry, for brig image inspect --remote",
	.hidden = true,
	.options = options,
	.options_size = sizeof(struct remote_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
