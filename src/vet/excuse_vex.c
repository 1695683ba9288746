/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVEX 0.2.0 (and 0.0.x, which has plain texts for products and vulnerabilities): {"@context": "https://openvex.dev/ns/...",
 * "timestamp", "statements": [{"vulnerability": {"name", "@id", "aliases"}, "timestamp", "products": [{"@id", "identifiers":
 * {"purl"}, "subcomponents": [...]}], "status", "justification", "impact_statement", "action_statement"}]}.
 */
#include "vet/excuse.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <string.h>

enum { STATEMENTS_MAX = 100000 };

static int read_status(const char *where, const json_t *s, enum excuse_kind *out, struct error *e)
{
	static const struct {
		const char *word;
		enum excuse_kind kind;
	} words[] = { { "not_affected", EXCUSE_NOT_AFFECTED }, { "fixed", EXCUSE_FIXED }, { "affected", EXCUSE_AFFECTED },
		      { "under_investigation", EXCUSE_INVESTIGATED } };
	const char *status = json_string_value(json_object_get(s, "status"));

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i].word, status)) {
			*out = words[i].kind;
			return 0;
		}
	return error_set(e, EBADMSG, "%s.status: neither not_affected, affected, fixed nor under_investigation", where);
}

static void add_id(struct excuse *x, const char *id)
{
	if (id && *id && !strv_has(x->ids, id))
		strv_add_copy(&x->ids, id);
}

static int read_vulnerability(const char *where, const json_t *v, struct excuse *x, struct error *e)
{
	const json_t *alias;
	size_t i;

	add_id(x, json_string_value(v));
	add_id(x, json_string_value(json_object_get(v, "name")));
	add_id(x, json_string_value(json_object_get(v, "@id")));
	json_array_foreach(json_object_get(v, "aliases"), i, alias)
		add_id(x, json_string_value(alias));
	return x->ids ? 0 : error_set(e, EBADMSG, "%s: names no vulnerability", where);
}

/* The package URL of a product or of a part of one. */
static const char *purl_of(const json_t *p)
{
	const char *purl = json_string_value(json_object_get(json_object_get(p, "identifiers"), "purl"));

	if (!purl)
		purl = json_string_value(json_object_get(p, "@id"));
	return purl ? purl : json_string_value(p);
}

/* What has no package URL names nothing that brig could find. */
static int read_products(const char *where, const json_t *list, struct excuse *x, struct error *e)
{
	const json_t *p, *part;
	size_t i, k;

	if (!json_is_array(list))
		return error_set(e, EBADMSG, "%s: no products", where);
	x->products = xcalloc(json_array_size(list) + 1, sizeof(*x->products));
	json_array_foreach((json_t *)list, i, p) {
		struct excuse_product *out = &x->products[x->n_products];

		if (!purl_of(p))
			continue;
		out->purl = xstrdup(purl_of(p));
		json_array_foreach(json_object_get(p, "subcomponents"), k, part)
			strv_add_copy(&out->parts, purl_of(part) ? purl_of(part) : "");
		x->n_products++;
	}
	return 0;
}

static int read_statement(const char *what, size_t i, const json_t *s, uint64_t time, struct excuses *out, struct error *e)
{
	_cleanup_free_ char *where = xasprintf("%s: statements[%zu]", what, i);
	const char *justification = NULL, *impact = NULL, *when = NULL;
	enum excuse_kind kind = EXCUSE_INVESTIGATED;
	struct excuse *x;
	int r = json_is_object(s) ? read_status(where, s, &kind, e) : error_set(e, EBADMSG, "%s: no object", where);

	if (r == 0)
		r = json_get_str(s, where, "justification", &justification, e);
	if (r == 0)
		r = json_get_str(s, where, "impact_statement", &impact, e);
	if (r == 0)
		r = json_get_str(s, where, "timestamp", &when, e);
	if (r == 0 && kind == EXCUSE_NOT_AFFECTED && !justification && !impact)
		r = error_set(e, EBADMSG, "%s: not_affected without justification or impact_statement", where);
	if (r == 0 && when && clock_parse(when, &time) < 0)
		r = error_set(e, EBADMSG, "%s.timestamp: no time", where);
	if (r < 0)
		return r;
	x = excuse_add(out, kind, what);
	x->time = time;
	x->reason = xasprintf("%s%s%s",
		justification          ? justification
		: kind == EXCUSE_FIXED ? "fixed"
				       : "",
		justification && impact ? ": " : "", impact ? impact : "");
	r = read_vulnerability(where, json_object_get(s, "vulnerability"), x, e);
	return r < 0 ? r : read_products(where, json_object_get(s, "products"), x, e);
}

int excuse_parse_vex(const char *what, const char *data, size_t n, struct excuses *out, struct error *e)
{
	_cleanup_json_ json_t *doc = json_parse(data, n, what, e);
	const json_t *context = json_object_get(doc, "@context"), *list = json_object_get(doc, "statements"), *s;
	const char *when = json_string_value(json_object_get(doc, "timestamp")), *name;
	uint64_t time = 0;
	size_t i;
	int r = 0;

	if (!doc)
		return -EBADMSG;
	name = json_string_value(json_is_array(context) ? json_array_get(context, 0) : context);
	if (!name || !str_after(name, "https://openvex.dev/ns"))
		return error_set(e, EBADMSG, "%s: not an OpenVEX document", what);
	if (!json_is_array(list) || json_array_size(list) > STATEMENTS_MAX)
		return error_set(e, EBADMSG, "%s: no statements, or too many", what);
	if (when && clock_parse(when, &time) < 0)
		return error_set(e, EBADMSG, "%s: timestamp: no time", what);
	json_array_foreach((json_t *)list, i, s) {
		r = read_statement(what, i, s, time, out, e);
		if (r < 0)
			break;
	}
	return r;
}
