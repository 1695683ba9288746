/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/docs.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

const char *docs_str(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

bool docs_kind(const char *kind)
{
	static const char *const kinds[] = { "containers", "running", "images", "volumes", "walls",
					     "files",	   "dirs",    "paths",	"commands" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i], kind))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(docs_str(*(json_t *const *)a, "name"), docs_str(*(json_t *const *)b, "name"));
}

static json_t *find(const json_t *table, const char *name)
{
	size_t i;
	json_t *c;

	json_array_foreach(table, i, c)
		if (streq(docs_str(c, "name"), name))
			return c;
	return NULL;
}

/* What the front says about a command of another program, completed by what that program says. */
static json_t *completed(const json_t *all, json_t *front, struct error *e)
{
	json_t *other = NULL;

	for (size_t i = 1; !other && i < json_array_size(all); i++)
		other = find(json_array_get(all, i), docs_str(front, "name"));
	if (!other) {
		error_set(e, ENOENT, "\"brig %s\": %s has no such command", docs_str(front, "name"),
			  docs_str(front, "program"));
		return NULL;
	}
	if (!streq(docs_str(front, "summary"), docs_str(other, "summary")) ||
	    !streq(docs_str(front, "group"), docs_str(other, "group"))) {
		error_set(e, EINVAL, "\"brig %s\": %s has another summary or group", docs_str(front, "name"),
			  docs_str(front, "program"));
		return NULL;
	}
	other = json_copy(other);
	if (json_object_get(front, "aliases"))
		json_object_set(other, "aliases", json_object_get(front, "aliases"));
	return other;
}

json_t *docs_merge(const json_t *all, struct error *e)
{
	const json_t *front = json_array_get(all, 0);
	size_t n = 0, i;
	json_t **list = xcalloc(json_array_size(front) + 1, sizeof(json_t *)), *c, *out = json_array();

	json_array_foreach(front, i, c) {
		if (json_is_true(json_object_get(c, "hidden")))
			continue;
		list[n] = *docs_str(c, "program") ? completed(all, c, e) : json_incref(c);
		if (!list[n]) {
			json_decref(out);
			out = NULL;
			break;
		}
		n++;
	}
	qsort(list, n, sizeof(*list), by_name);
	for (i = 1; i < n && out; i++) {
		if (by_name(&list[i - 1], &list[i]) == 0) {
			error_set(e, EEXIST, "\"brig %s\" is in the table twice", docs_str(list[i], "name"));
			json_decref(out);
			out = NULL;
		}
	}
	for (i = 0; i < n; i++) {
		if (out)
			json_array_append(out, list[i]);
		json_decref(list[i]);
	}
	free(list);
	return out;
}

/* Text for man(7): backslash, dash and a leading dot or quote are roff's. */
static void roff(struct buf *out, const char *s)
{
	bool start = out->len == 0 || out->data[out->len - 1] == '\n';

	for (; *s; s++) {
		if (start && (*s == '.' || *s == '\''))
			buf_puts(out, "\\&");
		start = *s == '\n';
		if (*s == '\\')
			buf_puts(out, "\\e");
		else if (*s == '-')
			buf_puts(out, "\\-");
		else
			buf_add(out, s, 1);
	}
}

/* "first. second" with the first letter raised, as a sentence. */
static void sentence(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	char first[2] = { *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s, 0 };

	if (n == 0)
		return;
	roff(out, first);
	roff(out, s + 1);
	if (s[n - 1] != '.')
		buf_puts(out, ".");
}

static void paragraphs(struct buf *out, const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		_cleanup_free_ char *part = end ? xstrndup(text, (size_t)(end - text)) : xstrdup(text);
		bool example = *part == ' ';

		buf_puts(out, example ? ".PP\n.nf\n" : ".PP\n");
		roff(out, part);
		buf_puts(out, example ? "\n.fi\n" : "\n");
		text = end ? end + 2 : "";
	}
}

char *docs_page_name(const char *command)
{
	char *name = xasprintf("brig-%s", command);

	for (char *p = name; *p; p++)
		if (*p == ' ')
			*p = '-';
	return name;
}

static void option(const json_t *o, struct buf *out)
{
	const char *letter = docs_str(o, "letter"), *arg = docs_str(o, "arg");

	if (*docs_str(o, "heading")) {
		buf_puts(out, ".SS ");
		roff(out, docs_str(o, "heading"));
		buf_puts(out, "\n");
		return;
	}
	if (!*docs_str(o, "help"))
		return;
	buf_puts(out, ".TP\n");
	if (*letter)
		buf_printf(out, "\\fB\\-%s\\fR, ", letter);
	buf_puts(out, "\\fB\\-\\-");
	roff(out, docs_str(o, "name"));
	buf_puts(out, "\\fR");
	if (*arg) {
		buf_puts(out, " \\fI");
		roff(out, arg);
		buf_puts(out, "\\fR");
	}
	buf_puts(out, "\n");
	sentence(out, docs_str(o, "help"));
	if (json_is_true(json_object_get(o, "list")))
		buf_puts(out, " May be given again.");
	buf_puts(out, "\n");
}

void docs_man(const json_t *c, struct buf *out)
{
	_cleanup_free_ char *page = docs_page_name(docs_str(c, "name"));
	const json_t *aliases = json_object_get(c, "aliases"), *options = json_object_get(c, "options"), *item;
	size_t i;

	buf_puts(out, ".\\\" Made from the command's option table.\n.TH \"");
	for (const char *p = page; *p; p++)
		buf_printf(out, "%c", *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	buf_printf(out, "\" \"1\" \"\" \"brig %s\" \"brig\"\n.nh\n.ad l\n.SH NAME\n", BRIG_VERSION);
	roff(out, page);
	buf_puts(out, " \\- ");
	roff(out, docs_str(c, "summary"));
	buf_puts(out, "\n.SH SYNOPSIS\n\\fBbrig ");
	roff(out, docs_str(c, "name"));
	buf_puts(out, "\\fR ");
	roff(out, docs_str(c, "args"));
	buf_puts(out, "\n");
	json_array_foreach(aliases, i, item) {
		buf_puts(out, ".br\n\\fBbrig ");
		roff(out, json_string_value(item));
		buf_puts(out, "\\fR ");
		roff(out, docs_str(c, "args"));
		buf_puts(out, "\n");
	}
	buf_puts(out, ".SH DESCRIPTION\n");
	sentence(out, docs_str(c, "summary"));
	buf_puts(out, "\n");
	paragraphs(out, docs_str(c, "description"));
	if (json_array_size(options))
		buf_puts(out, ".SH OPTIONS\n");
	json_array_foreach(options, i, item)
		option(item, out);
	buf_puts(out, ".SH SEE ALSO\n\\fBbrig\\fR(1)\n");
}

/* A program whose commands have no page of their own (brig-oci) has them in full in its one. */
static void scdoc_in_full(const json_t *c, struct buf *out)
{
	const json_t *o;
	size_t i;

	buf_printf(out, "*%s* %s\n\t%s", docs_str(c, "name"), docs_str(c, "args"), docs_str(c, "summary"));
	json_array_foreach(json_object_get(c, "options"), i, o) {
		const char *letter = docs_str(o, "letter"), *arg = docs_str(o, "arg");

		if (!*docs_str(o, "name") || !*docs_str(o, "help"))
			continue;
		buf_printf(out, "%s *--%s*%s%s%s%s%s: %s", i ? ";" : ".", docs_str(o, "name"), *letter ? ", *-" : "", letter,
			   *letter ? "*" : "", *arg ? " " : "", arg, docs_str(o, "help"));
	}
	buf_puts(out, "\n\n");
}

void docs_scdoc_list(const json_t *commands, struct buf *out)
{
	static const struct {
		const char *name;
		bool in_full;
	} order[] = {
		{ "Containers", false }, { "Images", false }, { "Walls", false }, { "Volumes", false }, { "System", false },
		{ "Life cycle", true }, { "Documents", true },
	};
	size_t i;
	const json_t *c;

	for (size_t g = 0; g < ARRAY_SIZE(order); g++) {
		bool head = false;

		json_array_foreach(commands, i, c) {
			_cleanup_free_ char *page = docs_page_name(docs_str(c, "name"));

			if (!streq(docs_str(c, "group"), order[g].name))
				continue;
			if (!head)
				buf_printf(out, "## %s\n\n", order[g].name);
			head = true;
			if (order[g].in_full)
				scdoc_in_full(c, out);
			else
				buf_printf(out, "*%s*(1)\n\t%s\n\n", page, docs_str(c, "summary"));
		}
	}
}
