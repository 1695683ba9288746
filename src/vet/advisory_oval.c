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
#include "vet/advisory_xml.h"
#include "vet/oval.h"

#include <string.h>

struct reading {
	struct advisory_xml x; /* first */
	struct oval o;
	struct oval_def *def;	 /* the definition that is being read */
	struct oval_item *item;	 /* the test, object, state or variable */
	char *modules[ADVISORY_XML_DEPTH]; /* condition of the criteria at this depth */
	char *attribute;	 /* of an element whose text counts: severity of a CVE */
	double cvss;
};

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
	for (unsigned d = r->x.depth; d-- > 0;)
		if (r->modules[d])
			return r->modules[d];
	return NULL;
}

static void begin_in_definition(struct reading *r, const char *name, const char **attrs)
{
	if (streq(name, "criterion")) {
		const char *test = advisory_xml_attribute(attrs, "test_ref");
		char *module = read_module(advisory_xml_attribute(attrs, "comment"));

		if (module) { /* holds for the criteria around it; the definition is one more level, so there is one */
			free(r->modules[r->x.depth - 2]);
			r->modules[r->x.depth - 2] = module;
		} else if (test && !streq(advisory_xml_attribute(attrs, "negate"), "true")) {
			if (oval_def_test(r->def, test, module_here(r)) < 0)
				advisory_xml_fail(&r->x, "too many criteria");
		}
	} else if (streq(name, "reference")) {
		const char *id = advisory_xml_attribute(attrs, "ref_id");

		if (id && advisory_is_cve(id))
			oval_def_cve(r->def, id, ADVISORY_NO_LEVEL, 0);
		else if (id && !r->def->advisory)
			r->def->advisory = xstrdup(id);
	} else if (streq(name, "cve")) {
		const char *word = advisory_xml_attribute(attrs, "impact");

		if (!word)
			word = advisory_xml_attribute(attrs, "priority");
		free(r->attribute);
		r->attribute = xstrdup(word);
		r->cvss = read_score(advisory_xml_attribute(attrs, "cvss3") ? advisory_xml_attribute(attrs, "cvss3") : advisory_xml_attribute(attrs, "cvss_vector"));
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
			return oval_item_add(&r->o, kinds[i].list, advisory_xml_attribute(attrs, "id"));
	return NULL;
}

static void begin_in_item(struct reading *r, const char *name, const char **attrs)
{
	const char *ref = NULL;

	if (streq(name, "object"))
		ref = advisory_xml_attribute(attrs, "object_ref");
	else if (streq(name, "name"))
		ref = advisory_xml_attribute(attrs, "var_ref");
	else if (streq(name, "state"))
		ref = advisory_xml_attribute(attrs, "state_ref");
	else if (streq(name, "evr"))
		r->item->less = streq(advisory_xml_attribute(attrs, "operation"), "less than");
	if (!ref)
		return;
	if (streq(name, "state"))
		strv_add_copy(&r->item->values, ref);
	else
		free(r->item->ref), r->item->ref = xstrdup(ref);
}

static void begin(void *ctx, const char *name, const char **attrs)
{
	struct reading *r = ctx;

	if (r->def) {
		begin_in_definition(r, name, attrs);
	} else if (r->item) {
		begin_in_item(r, name, attrs);
	} else if (streq(name, "definition")) {
		r->def = oval_def_add(&r->o, advisory_xml_attribute(attrs, "class"));
		if (!r->def)
			advisory_xml_fail(&r->x, "too many definitions");
	} else {
		r->item = begin_item(r, name, attrs);
		if (r->item)
			r->item->depth = r->x.depth;
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

static void end(void *ctx, const char *name, const char *text)
{
	struct reading *r = ctx;

	if (r->def) {
		end_in_definition(r, name, text);
	} else if (r->item) {
		if (r->x.depth == r->item->depth)
			r->item = NULL;
		else if (streq(name, "name") || streq(name, "evr") || streq(name, "value"))
			strv_add_copy(&r->item->values, text);
	} else if (streq(name, "timestamp") && !r->o.published) {
		r->o.published = xstrndup(text, strnlen(text, 40));
	}
	if (r->x.depth - 1 < ADVISORY_XML_DEPTH)
		free(steal_ptr(&r->modules[r->x.depth - 1]));
}

int advisory_parse_oval(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	struct reading r = { .x = { .what = what, .e = e } };
	int err = advisory_xml_run(&r.x, data, n, begin, end);

	if (err == 0)
		err = oval_give(&r.o, what, sink, e);
	for (unsigned i = 0; i < ADVISORY_XML_DEPTH; i++)
		free(r.modules[i]);
	free(r.attribute);
	oval_free(&r.o);
	return err;
}
