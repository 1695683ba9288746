/* SPDX-License-Identifier: Apache-2.0 */
/* `brig image verify` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "engine/atrest.h"
#include "engine/ids.h"
#include "image/index.h"
#include "image/seen_slot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct verify_options {
	bool deep, all, quiet;
	char *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct verify_options, all, "all", 'a', CLI_FLAG, NULL, "every image", NULL),
	CLI_OPT(struct verify_options, deep, "deep", 0, CLI_FLAG, NULL,
		"read every byte again, of the layers as they were fetched as well, whatever the change times say", NULL),
	CLI_OPT(struct verify_options, format, "format", 'f', CLI_STRING, "TEMPLATE", "print by a Go template, or \"json\"", "json"),
	CLI_OPT(struct verify_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "show no progress", NULL),
	CLI_END,
};

struct report {
	json_t *findings; /* owned */
	uint64_t files, hashed;
	struct cli_progress *bar;
};

static void add(json_t *findings, const char *kind, const char *path, const char *text)
{
	json_t *f = json_object();

	json_object_set_new(f, "Kind", json_string(kind));
	json_object_set_new(f, "Path", path && *path ? json_string(path) : json_null());
	json_object_set_new(f, "Text", json_string(text));
	json_array_append_new(findings, f);
}

static void heard(void *arg, const struct verify_message *m)
{
	static const char *const kinds[] = { "blob", "chain", "table", "object" };
	struct report *r = arg;

	if (m->word == VERIFY_PROGRESS && r->bar) {
		r->bar->total = m->bytes.total;
		cli_progress_set(r->bar, m->bytes.done);
	} else if (m->word == VERIFY_DONE) {
		r->files = m->sum.files;
		r->hashed = m->sum.hashed;
	} else if (m->word == VERIFY_BAD && (size_t)m->bad.kind < ARRAY_SIZE(kinds)) {
		add(r->findings, kinds[m->bad.kind], m->bad.path, m->bad.text);
	}
}

struct one_slot {
	int tree, objects;
	const char *hex, *slot;
};

static int compare(void *arg, struct error *e)
{
	struct one_slot *s = arg;

	return slot_compare(s->tree, s->objects, s->hex, s->slot, NULL, e);
}

/* The trees that were made of it for containers. */
static int verify_slots(const char *hex, json_t *findings, struct error *e)
{
	_cleanup_close_ int tree = tree_dir(hex, e), objects = tree < 0 ? tree : store_objects(e);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int fd;

	if (tree < 0 || objects < 0)
		return tree < 0 ? tree : objects;
	fd = openat(tree, "slots", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return error_errno(e, errno, "the slots of tree %.12s", hex);
	while ((de = readdir(d))) {
		const char *name = str_after(de->d_name, "full-");
		struct one_slot s = { tree, objects, hex, name ? name : de->d_name };
		struct error own = { 0 };

		if (de->d_name[0] == '.')
			continue;
		if (ids_run_slot(hex, s.slot, compare, &s, &own) < 0)
			add(findings, "slot", NULL, own.text);
	}
	return 0;
}

static json_t *verify(const struct index_entry *i, const char *name, const struct verify_options *o, struct error *e)
{
	_cleanup_free_ char *what = xasprintf("Verifying %s", name), *id = xasprintf("sha256:%s", i->config);
	struct cli_progress bar;
	struct report rep = { .findings = json_array(), .bar = o->quiet ? NULL : &bar };
	json_t *j = json_object();
	bool table = false;
	size_t k;
	json_t *f;
	int r;

	if (rep.bar)
		cli_progress_start(&bar, what, 0);
	r = atrest_run(i->tree, i->manifest, i->config, o->deep, true, heard, &rep, e);
	json_array_foreach(rep.findings, k, f)
		table |= streq(json_string_value(json_object_get(f, "Kind")), "table");
	/* Against a table that is wrong nothing can be compared. */
	if ((r == 0 || r == -EUCLEAN) && !table)
		r = verify_slots(i->tree, rep.findings, e);
	if (rep.bar)
		cli_progress_end(&bar);
	json_object_set_new(j, "Image", json_string(name));
	json_object_set_new(j, "Id", json_string(id));
	json_object_set_new(j, "Verified", json_boolean(json_array_size(rep.findings) == 0));
	json_object_set_new(j, "Files", json_integer((json_int_t)rep.files));
	json_object_set_new(j, "Hashed", json_integer((json_int_t)rep.hashed));
	json_object_set_new(j, "Findings", rep.findings);
	if (r < 0 && r != -EUCLEAN) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static int show(const json_t *j, const char *format, struct error *e)
{
	const json_t *findings = json_object_get(j, "Findings"), *f;
	const char *name = json_string_value(json_object_get(j, "Image"));
	size_t k;

	if (format && !streq(format, "json"))
		return cli_print_format(format, j, e);
	if (format)
		return 0; /* all at once, at the end */
	if (json_is_true(json_object_get(j, "Verified"))) {
		char size[24];

		format_size((uint64_t)json_integer_value(json_object_get(j, "Hashed")), false, size);
		printf("%s: verified, %lld files, %s read\n", name, (long long)json_integer_value(json_object_get(j, "Files")), size);
		return 0;
	}
	json_array_foreach(findings, k, f) {
		const char *path = json_string_value(json_object_get(f, "Path"));

		printf("%s: %s%s%s\n", name, path ? path : "", path ? ": " : "", json_string_value(json_object_get(f, "Text")));
	}
	return 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct verify_options *o = options_;
	_cleanup_(index_free) struct index x = { 0 };
	_cleanup_json_ json_t *all = json_array();
	int r = index_read(&x, e), failed = 0;

	if (r < 0)
		return r;
	if (o->all != (argc == 0))
		return error_set(e, EINVAL, "name images, or give --all");
	for (size_t i = 0; i < (o->all ? x.n : (size_t)argc); i++) {
		struct error own = { 0 };
		ssize_t at = o->all ? (ssize_t)i : index_find(&x, argv[i], NULL, &own);
		const struct index_entry *entry = at < 0 ? NULL : &x.entries[at];
		json_t *j = entry ? verify(entry, entry->name ? entry->name : entry->config, o, &own) : NULL;

		if (!j) {
			cli_fail(&own);
			failed = 1;
			continue;
		}
		json_array_append_new(all, j);
		failed |= !json_is_true(json_object_get(j, "Verified"));
		if ((r = show(j, o->format, e)) < 0)
			return r;
	}
	if (streq(o->format, "json"))
		cli_print_json(all, 4);
	return failed;
}

const struct cli_command cmd_image_verify = {
	.name = "image verify",
	.group = "Images",
	.args = "[OPTIONS] [IMAGE...]",
	.summary = "verify what lies on the disk of images",
	.description =
		"From the manifest to each file's bytes, mode, owner, attributes and links, everything is compared with the digests. Every "
		"start of a container does the same for its own image. What did not move on the disk since it was read last is not read again; "
		"--deep reads it. Ends with 1 when something is wrong; brig image repair makes it right.",
	.options = options,
	.options_size = sizeof(struct verify_options),
	.max_args = -1,
	.complete = "images",
	.run = run,
};
