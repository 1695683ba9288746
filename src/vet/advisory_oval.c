/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OVAL definitions as Red Hat and Ubuntu publish them (OVAL language 5.11; the linux-def namespace). A definition has CVEs and
 * a tree of criteria whose leaves are tests; a test joins an object (the name of a package) with a state (its version is less
 * than...). All of these stand in lists of their own that follow the definitions, so that statements are made at the end.
 *
 * The tree is not evaluated as logic: each leaf "version less than" is a statement about one package, which is what such a tree
 * says when it is read package by package; the condition that a module stream is enabled is kept. Other leaves (which
 * distribution it is, who signed a package) say nothing about versions. Documents with a DOCTYPE are refused: no entity is ever
 * expanded.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/oval.h"

#include <expat.h>
#include <string.h>

enum { DEPTH_MAX = 64, TEXT_MAX = 1 << 16, CHUNK = 1 << 20 };

struct reading {
	struct oval o;
	struct oval_def *def;	 /* the definition that is being read */
	struct oval_item *item;	 /* the test, object, state or variable */
	char *modules[DEPTH_MAX]; /* condition of the criteria at this depth */
	unsigned depth;
	struct buf text;
	char *attribute;	 /* of an element whose text counts: severity of a CVE */
	double cvss;
	XML_Parser xml;
	const char *what;
	struct error *e;
	int failed;
};

static int fail(struct reading *r, const char *why)
{
	if (!r->failed)
		r->failed = error_set(r->e, EBADMSG, "%s line %lu: %s", r->what, (unsigned long)XML_GetCurrentLineNumber(r->xml), why);
	XML_StopParser(r->xml, XML_FALSE);
	return r->failed;
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static const char *attribute(const char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (streq(local_name(attrs[0]), name))
			return attrs[1];
	return NULL;
}

/* "7.5/CVSS:3.1/AV:N/..." */
static double read_score(const char *text)
{
	const char *vector = text ? strstr(text, "CVSS:") : NULL;

	return advisory_cvss(vector);
}

/* "Module nodejs:12 is enabled" */
static char *read_module(const char *comment)
{
	const char *name = comment ? str_after(comment, "Module ") : NULL, *end = name ? strstr(name, " is enabled") : NULL;

	return end ? xstrndup(name, (size_t)(end - name)) : NULL;
}

static const char *module_here(const struct reading *r)
{
	for (unsigned d = r->depth < DEPTH_MAX ? r->depth : DEPTH_MAX; d-- > 0;)
		if (r->modules[d])
			return r->modules[d];
	return NULL;
}

static void begin_in_definition(struct reading *r, const char *name, const char **attrs)
{
	if (streq(name, "criterion")) {
		const char *test = attribute(attrs, "test_ref");
		char *module = read_module(attribute(attrs, "comment"));

		if (module) { /* holds for the criteria around it; the definition is one more level, so there is one */
			free(r->modules[r->depth - 2]);
			r->modules[r->depth - 2] = module;
		} else if (test && !streq(attribute(attrs, "negate"), "true")) {
			if (oval_def_test(r->def, test, module_here(r)) < 0)
				fail(r, "too many criteria");
		}
	} else if (streq(name, "reference")) {
		const char *id = attribute(attrs, "ref_id");

		if (id && advisory_is_cve(id))
			oval_def_cve(r->def, id, ADVISORY_NO_LEVEL, 0);
		else if (id && !r->def->advisory)
			r->def->advisory = xstrdup(id);
	} else if (streq(name, "cve")) {
		const char *word = attribute(attrs, "impact");

		if (!word)
			word = attribute(attrs, "priority");
		free(r->attribute);
		r->attribute = xstrdup(word);
		r->cvss = read_score(attribute(attrs, "cvss3") ? attribute(attrs, "cvss3") : attribute(attrs, "cvss_vector"));
	}
}

static struct oval_item *begin_item(struct reading *r, const char *name, const char **attrs)
{
	static const struct {
		const char *name;
		enum oval_list list;
	} kinds[] = {{"rpminfo_test", OVAL_TESTS}, {"dpkginfo_test", OVAL_TESTS},
		{"rpminfo_object", OVAL_OBJECTS}, {"dpkginfo_object", OVAL_OBJECTS},
		{"rpminfo_state", OVAL_STATES}, {"dpkginfo_state", OVAL_STATES},
		{"constant_variable", OVAL_VARIABLES}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].name, name))
			return oval_item_add(&r->o, kinds[i].list, attribute(attrs, "id"));
	return NULL;
}

static void begin_in_item(struct reading *r, const char *name, const char **attrs)
{
	const char *ref = NULL;

	if (streq(name, "object"))
		ref = attribute(attrs, "object_ref");
	else if (streq(name, "name"))
		ref = attribute(attrs, "var_ref");
	else if (streq(name, "state"))
		ref = attribute(attrs, "state_ref");
	else if (streq(name, "evr"))
		r->item->less = streq(attribute(attrs, "operation"), "less than");
	if (!ref)
		return;
	if (streq(name, "state"))
		strv_add_copy(&r->item->values, ref);
	else
		free(r->item->ref), r->item->ref = xstrdup(ref);
}

static void XMLCALL begin(void *ctx, const char *full, const char **attrs)
{
	struct reading *r = ctx;
	const char *name = local_name(full);

	if (r->failed)
		return;
	if (r->depth >= DEPTH_MAX) {
		fail(r, "nested too deep");
		return;
	}
	r->text.len = 0;
	r->depth++;
	if (r->def) {
		begin_in_definition(r, name, attrs);
	} else if (r->item) {
		begin_in_item(r, name, attrs);
	} else if (streq(name, "definition")) {
		r->def = oval_def_add(&r->o, attribute(attrs, "class"));
		if (!r->def)
			fail(r, "too many definitions");
	} else {
		r->item = begin_item(r, name, attrs);
		if (r->item)
			r->item->depth = r->depth;
	}
}

static void end_in_definition(struct reading *r, const char *name, const char *text)
{
	if (streq(name, "definition")) {
		r->def = NULL;
	} else if (streq(name, "platform")) {
		strv_add_copy(&r->def->platforms, text);
	} else if (streq(name, "title") && !r->def->title) {
		r->def->title = xstrdup(text);
	} else if (streq(name, "severity")) {
		r->def->level = advisory_level_of_word(text);
	} else if (streq(name, "cve") && advisory_is_cve(text)) {
		oval_def_cve(r->def, text, advisory_level_of_word(r->attribute), r->cvss);
	}
}

static void XMLCALL end(void *ctx, const char *full)
{
	struct reading *r = ctx;
	const char *name = local_name(full), *text;

	if (r->failed)
		return;
	buf_add(&r->text, "", 0);
	text = r->text.data ? r->text.data : "";
	if (r->def) {
		end_in_definition(r, name, text);
	} else if (r->item) {
		if (r->depth == r->item->depth)
			r->item = NULL;
		else if (streq(name, "name") || streq(name, "evr") || streq(name, "value"))
			strv_add_copy(&r->item->values, text);
	} else if (streq(name, "timestamp") && !r->o.published) {
		r->o.published = xstrndup(text, strnlen(text, 40));
	}
	if (r->depth > 0 && r->depth <= DEPTH_MAX) {
		r->depth--;
		if (r->depth < DEPTH_MAX)
			free(steal_ptr(&r->modules[r->depth]));
	}
	r->text.len = 0;
	if (r->text.data)
		r->text.data[0] = 0;
}

static void XMLCALL characters(void *ctx, const char *s, int n)
{
	struct reading *r = ctx;

	if (r->failed || n <= 0)
		return;
	if (r->text.len + (size_t)n > TEXT_MAX)
		fail(r, "a text that is too long");
	else
		buf_add(&r->text, s, (size_t)n);
}

static void XMLCALL doctype(void *ctx, const char *name, const char *sysid, const char *pubid, int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	fail(ctx, "a DOCTYPE, which no advisory needs");
}

static int run_parser(struct reading *r, const char *data, size_t n)
{
	size_t at = 0;

	XML_SetUserData(r->xml, r);
	XML_SetElementHandler(r->xml, begin, end);
	XML_SetCharacterDataHandler(r->xml, characters);
	XML_SetStartDoctypeDeclHandler(r->xml, doctype);
	do {
		size_t size = n - at < CHUNK ? n - at : CHUNK;

		if (XML_Parse(r->xml, data + at, (int)size, at + size == n) != XML_STATUS_OK)
			return r->failed ? r->failed
					 : error_set(r->e, EBADMSG, "%s line %lu: %s", r->what,
						   (unsigned long)XML_GetCurrentLineNumber(r->xml),
						   XML_ErrorString(XML_GetErrorCode(r->xml)));
		at += size;
	} while (at < n);
	return r->failed;
}

int advisory_parse_oval(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	struct reading r = { .what = what, .e = e, .xml = XML_ParserCreate(NULL) };
	int err;

	if (!r.xml)
		return error_set(e, ENOMEM, "%s: no memory for its parser", what);
	err = run_parser(&r, data, n);
	if (err == 0)
		err = oval_give(&r.o, what, sink, e);
	XML_ParserFree(r.xml);
	for (unsigned i = 0; i < DEPTH_MAX; i++)
		free(r.modules[i]);
	free(r.attribute);
	buf_free(&r.text);
	oval_free(&r.o);
	return err;
}
