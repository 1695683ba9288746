/* SPDX-License-Identifier: Apache-2.0 */
/* Check "secrets" (catalogue V7): every file of every layer, removed ones too, and the texts of the configuration. */
#include "vet/secret.h"

#include "base/cleanup.h"
#include "vet/data.h"
#include "vet/inventory.h"
#include "vet/share.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 30, SHOWN_MAX = 200 };

/* Made by prepare, which runs before the process that looks is forked off. */
static struct secret_rules rules;

static int prepare(struct vet *v, struct error *e)
{
	_cleanup_vet_data_ struct vet_data ours = { 0 }, theirs = { 0 };
	int r;

	(void)v;
	secret_rules_free(&rules);
	r = vet_data_installed("vet-secrets.rules", &ours, e);
	if (r == 0)
		r = secret_rules_parse(&rules, ours.text, ours.len, ours.path, e);
	if (r == 0)
		r = vet_data_config("vet-secrets.rules", &theirs, e);
	if (r == 0 && theirs.path)
		r = secret_rules_parse(&rules, theirs.text, theirs.len, theirs.path, e);
	return r < 0 ? r : secret_rules_ready(&rules, e);
}

/* What one file or text holds, one entry a rule. */
struct hit {
	const struct secret_rule *rule;
	enum vet_level level;
	const char *note;
	char *preview;
	size_t offset, len, times;
};

struct hits {
	struct hit *list;
	size_t n;
};

static void note_hit(void *arg, const struct secret *s)
{
	struct hits *h = arg;
	struct hit *to = NULL;

	for (size_t i = 0; i < h->n && !to; i++)
		if (h->list[i].rule == s->rule)
			to = &h->list[i];
	if (to) {
		to->times++;
		if (s->level >= to->level)
			return; /* the worst one is told */
		free(to->preview);
	} else {
		h->list = xrealloc(h->list, h->n + 1, sizeof(*h->list));
		to = &h->list[h->n++];
		*to = (struct hit){ .rule = s->rule, .times = 1 };
	}
	to->level = s->level;
	to->note = s->note;
	to->preview = secret_preview(s);
	to->offset = s->offset;
	to->len = s->len;
}

static void clear(struct hits *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->list[i].preview);
	h->n = 0;
}

/* NAME=VALUE whose value a better rule knows: one secret is told once. */
static bool told_better(const struct hits *hits, size_t at)
{
	const struct hit *h = &hits->list[at];

	for (size_t i = 0; h->rule->checks & SECRET_ASSIGNMENTS && i < hits->n; i++) {
		const struct hit *other = &hits->list[i];

		if (i != at && h->times == 1 && other->level <= h->level && other->offset < h->offset + h->len &&
		    h->offset < other->offset + other->len)
			return true;
	}
	return false;
}

static json_t *details(const struct hit *h, const unsigned char *data, const char *history)
{
	json_t *more = json_object();
	size_t line = 1;

	for (const unsigned char *p = data, *end = data + h->offset; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		line++;
	json_object_set_new(more, "line", json_integer((json_int_t)line));
	json_object_set_new(more, "length", json_integer((json_int_t)h->len));
	json_object_set_new(more, "times", json_integer((json_int_t)h->times));
	if (history)
		json_object_set_new(more, "history", vet_json(history));
	return more;
}

/* Folders of keys that everybody has: documentation, and the tests of libraries. */
static bool for_show(const char *path)
{
	static const char *const parts[] = { "test", "tests", "testing", "testdata", "test_data", "test-data", "fixtures",
					     "example", "examples", "sample", "samples", "dummyserver" };

	if (strncmp(path, "usr/share/doc/", 14) == 0)
		return true;
	while (*path) {
		size_t n = strcspn(path, "/");

		for (size_t i = 0; path[n] && i < ARRAY_SIZE(parts); i++)
			if (strlen(parts[i]) == n && strncmp(path, parts[i], n) == 0)
				return true;
		path += n + (path[n] != 0);
	}
	return false;
}

/* Why a secret there is less than it looks; NULL: it is not. */
static const char *harmless(struct vet *v, const struct vet_file *f)
{
	const struct inventory *inv = vet_inventory(v);
	const struct owned *o = inv ? inventory_owned(inv, f->path) : NULL;

	/* A package's file is everybody's, and that it is unchanged is said by integrity. Configuration may be changed. */
	if (o && !(inv->set.list[o->pkg].files[o->file].flags & (PKG_FILE_CONF | PKG_FILE_GHOST)))
		return "it comes with a package, so that everybody has it";
	if (strncmp(f->path, "etc/ssl/private/ssl-cert-snakeoil", 33) == 0)
		return "it is the self-signed certificate that Debian's ssl-cert made for the machine";
	if (for_show(f->path))
		return "it lies among documentation, examples or tests";
	return NULL;
}

static void tell(struct vet *v, const struct vet_file *f, const unsigned char *data, const struct hit *h)
{
	const char *history = f->layer < v->n_layers ? v->layers[f->layer].history : NULL, *note = harmless(v, f);
	_cleanup_free_ char *rule = xasprintf("V7-%s", h->rule->name), *why = NULL;
	enum vet_level level = note && h->level < VET_LOW ? VET_LOW : h->level;
	_cleanup_buf_ struct buf text = { 0 };

	buf_puts(&text, h->rule->why);
	if (h->note)
		buf_printf(&text, " But %s.", h->note);
	if (note)
		buf_printf(&text, " But %s.", note);
	if (v->n_layers > 1 || history)
		buf_printf(&text, " It came with layer %u%s%.*s", f->layer, history ? ": " : ".", history ? SHOWN_MAX : 0,
			   history ? history : "");
	why = buf_steal(&text);
	vet_add(v, "secrets", rule, level, f, details(h, data, history), why, "%s%s: %s", h->rule->title,
		f->hidden ? " in a file that a higher layer removes" : "", h->preview);
}

/* Objects that were looked at already: only the upper layers' view of one is told. A set by open addressing. */
struct seen {
	const char **slots;
	size_t n;
};

static bool seen_before(struct seen *s, const char *object)
{
	size_t i = 0;

	if (!object[0])
		return false;
	for (const char *p = object; *p; p++)
		i = i * 67 + (unsigned char)*p;
	for (i &= s->n - 1; s->slots[i]; i = (i + 1) & (s->n - 1))
		if (streq(s->slots[i], object))
			return true;
	s->slots[i] = object;
	return false;
}

static bool worth(const struct vet_file *f, struct seen *seen)
{
	return f->inode && f->inode->type == 'f' && f->inode->size && !(seen_before(seen, f->inode->object) && f->hidden);
}

/* The files to look at, in order. */
struct list {
	const struct vet_file **files;
	size_t n;
};

static void look_at_file(struct vet *v, size_t at, unsigned worker, void *arg)
{
	const struct vet_file *f = ((const struct list *)arg)->files[at];
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	struct hits hits = { 0 };
	int r;

	(void)worker;
	r = vet_read(v, f, FILE_MAX, &b);
	if (r == -EFBIG) {
		vet_not_looked(v, "%s: larger than 1 GiB, not searched for secrets", f->path);
	} else if (r < 0) {
		vet_add(v, "vet", "V0-unreadable", VET_MEDIUM, f, NULL, "What cannot be read may be anything.", "a file cannot be read (%s)",
			error_name(r));
	}
	if (r < 0)
		return;
	secret_scan(&rules, f->path, b.data, b.size, note_hit, &hits);
	for (size_t i = 0; i < hits.n; i++)
		if (!told_better(&hits, i))
			tell(v, f, b.data, &hits.list[i]);
	clear(&hits);
	free(hits.list);
}

/* A text of the configuration. `where` names it to a person; `layer` -1: none. */
static void look_at_text(struct vet *v, const char *kind, const char *text, const char *where, int layer)
{
	struct hits hits = { 0 };

	secret_scan(&rules, kind, text, strlen(text), note_hit, &hits);
	for (size_t i = 0; i < hits.n; i++) {
		const struct hit *h = &hits.list[i];
		_cleanup_free_ char *rule = xasprintf("V7-%s", h->rule->name);

		if (told_better(&hits, i))
			continue;
		vet_add(v, "secrets", rule, h->level, NULL, details(h, (const unsigned char *)text, NULL), h->rule->why, "%s in %s: %s",
			h->rule->title, where, h->preview);
		v->findings[v->n_findings - 1].layer = layer;
	}
	clear(&hits);
	free(hits.list);
}

static void look_at_strings(struct vet *v, const json_t *list, const char *kind, const char *what)
{
	_cleanup_free_ char *where = NULL;
	const json_t *value;
	size_t i;

	json_array_foreach(list, i, value) {
		const char *text = json_string_value(value);
		size_t name = text ? strcspn(text, "=") : 0;

		free(where);
		where = text && text[name] ? xasprintf("%s %.*s", what, (int)(name < 60 ? name : 60), text) : xstrdup(what);
		if (text)
			look_at_text(v, kind, text, where, -1);
	}
}

static void look_at_config(struct vet *v)
{
	const json_t *config = json_object_get(v->config, "config"), *history = json_object_get(v->config, "history"), *value;
	const char *key;
	int layer = 0;
	size_t i;

	look_at_strings(v, json_object_get(config, "Env"), ":env", "the environment's");
	look_at_strings(v, json_object_get(config, "Cmd"), ":history", "the command");
	look_at_strings(v, json_object_get(config, "Entrypoint"), ":history", "the entrypoint");
	look_at_strings(v, json_object_get(json_object_get(config, "Healthcheck"), "Test"), ":history", "the health check");
	json_object_foreach((json_t *)json_object_get(config, "Labels"), key, value) {
		_cleanup_free_ char *text = json_is_string(value) ? xasprintf("%s=%s", key, json_string_value(value)) : NULL;
		_cleanup_free_ char *where = xasprintf("the label %.60s", key);

		if (text)
			look_at_text(v, ":label", text, where, -1);
	}
	json_array_foreach(history, i, value) {
		const char *line = json_string_value(json_object_get(value, "created_by"));
		bool empty = json_is_true(json_object_get(value, "empty_layer"));
		_cleanup_free_ char *where = xasprintf("line %zu of the image's history", i + 1);

		if (line)
			look_at_text(v, ":history", line, where, empty ? -1 : layer);
		layer += !empty;
	}
}

static int run(struct vet *v, struct error *e)
{
	_cleanup_free_ const struct vet_file **files = xcalloc(v->n_files + 1, sizeof(*files));
	struct seen seen = { .n = 64 };
	struct list list = { .files = files };

	(void)e;
	while (seen.n < v->n_files * 2)
		seen.n *= 2;
	seen.slots = xcalloc(seen.n, sizeof(*seen.slots));
	for (int hidden = 0; hidden < 2; hidden++)
		for (size_t i = 0; i < v->n_files; i++)
			if (v->files[i].hidden == hidden && worth(&v->files[i], &seen))
				files[list.n++] = &v->files[i];
	free(seen.slots);
	vet_share(v, list.n, look_at_file, &list);
	look_at_config(v);
	secret_rules_free(&rules);
	return 0;
}

const struct vet_check vet_check_secrets = { .name = "secrets", .prepare = prepare, .run = run };
