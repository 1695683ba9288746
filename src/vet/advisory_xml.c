/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/advisory_xml.h"

#include "base/cleanup.h"

#include <string.h>

enum { TEXT_MAX = 1 << 16, CHUNK = 1 << 20 };

struct run {
	struct advisory_xml *x;
	void (*begin)(void *ctx, const char *name, const char **attrs);
	void (*end)(void *ctx, const char *name, const char *text);
};

int advisory_xml_fail(struct advisory_xml *x, const char *why)
{
	if (!x->failed)
		x->failed = error_set(x->e, EBADMSG, "%s line %lu: %s", x->what, (unsigned long)XML_GetCurrentLineNumber(x->xml), why);
	XML_StopParser(x->xml, XML_FALSE);
	return x->failed;
}

const char *advisory_xml_name(const char *full)
{
	const char *colon = strrchr(full, ':');

	return colon ? colon + 1 : full;
}

const char *advisory_xml_attribute(const char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (streq(advisory_xml_name(attrs[0]), name))
			return attrs[1];
	return NULL;
}

static void forget_text(struct advisory_xml *x)
{
	x->text.len = 0;
	if (x->text.data)
		x->text.data[0] = 0;
}

static void XMLCALL begin(void *ctx, const char *full, const char **attrs)
{
	struct run *r = ctx;

	if (r->x->failed)
		return;
	if (r->x->depth >= ADVISORY_XML_DEPTH) {
		advisory_xml_fail(r->x, "nested too deep");
		return;
	}
	forget_text(r->x);
	r->x->depth++;
	r->begin(r->x, advisory_xml_name(full), attrs);
}

static void XMLCALL end(void *ctx, const char *full)
{
	struct run *r = ctx;

	if (r->x->failed)
		return;
	r->end(r->x, advisory_xml_name(full), r->x->text.data ? r->x->text.data : "");
	r->x->depth--;
	forget_text(r->x);
}

static void XMLCALL characters(void *ctx, const char *s, int n)
{
	struct run *r = ctx;

	if (r->x->failed || n <= 0)
		return;
	if (r->x->text.len + (size_t)n > TEXT_MAX)
		advisory_xml_fail(r->x, "a text that is too long");
	else
		buf_add(&r->x->text, s, (size_t)n);
}

static void XMLCALL doctype(void *ctx, const char *name, const char *sysid, const char *pubid, int internal)
{
	struct run *r = ctx;

	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	advisory_xml_fail(r->x, "a DOCTYPE, which no advisory needs");
}

static int parse(struct advisory_xml *x, const char *data, size_t n)
{
	size_t at = 0;

	do {
		size_t size = n - at < CHUNK ? n - at : CHUNK;

		if (XML_Parse(x->xml, data + at, (int)size, at + size == n) != XML_STATUS_OK)
			return x->failed ? x->failed :
					   error_set(x->e, EBADMSG, "%s line %lu: %s", x->what, (unsigned long)XML_GetCurrentLineNumber(x->xml),
						     XML_ErrorString(XML_GetErrorCode(x->xml)));
		at += size;
	} while (at < n);
	return x->failed;
}

int advisory_xml_run(struct advisory_xml *x, const char *data, size_t n, void (*on_begin)(void *ctx, const char *name, const char **attrs),
		     void (*on_end)(void *ctx, const char *name, const char *text))
{
	struct run r = { .x = x, .begin = on_begin, .end = on_end };
	int err;

	x->xml = XML_ParserCreate(NULL);
	if (!x->xml)
		return error_set(x->e, ENOMEM, "%s: no memory for its parser", x->what);
	XML_SetUserData(x->xml, &r);
	XML_SetElementHandler(x->xml, begin, end);
	XML_SetCharacterDataHandler(x->xml, characters);
	XML_SetStartDoctypeDeclHandler(x->xml, doctype);
	err = parse(x, data, n);
	XML_ParserFree(x->xml);
	x->xml = NULL;
	buf_free(&x->text);
	return err;
}
