/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/report.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* SARIF 3.27.10: error, warning, note. */
static const char *level_of(enum vet_level level)
{
	return level <= VET_HIGH ? "error" : level == VET_MEDIUM ? "warning" : "note";
}

/* What code hosts sort by: CVSS-like numbers, as text. */
static const char *severity_of(enum vet_level level)
{
	static const char *const numbers[] = { "9.5", "8.0", "5.5", "3.0", "0.0" };

	return numbers[level];
}

/* A path as relative URI (RFC 3986): whatever is not unreserved is a %XX. */
static json_t *uri(const char *path)
{
	_cleanup_buf_ struct buf out = { 0 };

	buf_puts(&out, "");
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~/", *p))
			buf_add(&out, p, 1);
		else
			buf_printf(&out, "%%%02X", *p);
	}
	return json_string(out.data);
}

static json_t *safe_text(const char *s)
{
	_cleanup_free_ char *safe = str_escape(s);

	return json_string(safe);
}

static json_t *message(const char *text)
{
	return json_pack("{s:o}", "text", safe_text(text));
}

static json_t *rule(const struct vet_finding *f)
{
	return json_pack("{s:o, s:o, s:o, s:{s:s}, s:{s:s, s:[s, s]}}", "id", safe_text(f->rule), "shortDescription", message(f->title),
			 "help", message(*f->why ? f->why : f->title), "defaultConfiguration", "level", level_of(f->level), "properties",
			 "security-severity", severity_of(f->level), "tags", "security", f->check);
}

static json_t *result(const struct vet *v, const struct vet_finding *f, size_t rule_index)
{
	json_t *j = json_pack("{s:o, s:I, s:s, s:o, s:{s:s, s:s}}", "ruleId", safe_text(f->rule), "ruleIndex", (json_int_t)rule_index,
			      "level", level_of(f->level), "message", message(f->title), "properties", "check", f->check, "level",
			      vet_level_name(f->level));
	json_t *properties = json_object_get(j, "properties");
	_cleanup_free_ char *text = NULL;

	if (*f->why)
		text = xasprintf("%s: %s", f->title, f->why);
	if (text)
		json_object_set_new(j, "message", message(text));
	if (f->layer >= 0)
		json_object_set_new(properties, "layer", json_integer(f->layer));
	if (f->hidden)
		json_object_set_new(properties, "hidden", json_true());
	if (f->more)
		json_object_set(properties, "more", f->more);
	/* Code hosts show a result only with a place: what has no file belongs to the image as a whole. */
	json_object_set_new(j, "locations", json_pack("[{s:{s:{s:o}}, s:[{s:o}]}]", "physicalLocation", "artifactLocation", "uri",
						      uri(f->path ? f->path : "."), "logicalLocations", "fullyQualifiedName",
						      safe_text(v->name)));
	return j;
}

/* The index of the finding's rule; new ones are added. */
static size_t rule_index(json_t *rules, json_t *seen, const struct vet_finding *f)
{
	const json_t *known = json_object_get(seen, f->rule);
	size_t n = json_array_size(rules);

	if (known)
		return (size_t)json_integer_value(known);
	json_array_append_new(rules, rule(f));
	json_object_set_new_nocheck(seen, f->rule, json_integer((json_int_t)n));
	return n;
}

void vet_report_sarif(const struct vet *v, struct buf *out)
{
	_cleanup_json_ json_t *doc = NULL, *seen = json_object();
	json_t *rules = json_array(), *results = json_array(), *notes = json_array();
	const json_t *text;
	size_t i;
	char *dump;

	for (i = 0; i < v->n_findings; i++)
		json_array_append_new(results, result(v, &v->findings[i], rule_index(rules, seen, &v->findings[i])));
	json_array_foreach(json_object_get(v->facts, "not_looked"), i, text) {
		_cleanup_free_ char *note = xasprintf("not looked at: %s", json_string_value(text));

		json_array_append_new(notes, json_pack("{s:s, s:o}", "level", "warning", "message", message(note)));
	}
	doc = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:[{s:b, s:o}], s:o, s:s}]}", "$schema",
			"https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool", "driver", "name", "brig vet",
			"version", BRIG_VERSION, "rules", rules, "invocations", "executionSuccessful", 1, "toolExecutionNotifications", notes,
			"results", results, "columnKind", "utf16CodeUnits");
	dump = json_dumps(doc, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	buf_puts(out, dump ? dump : "{}");
	buf_puts(out, "\n");
	free(dump);
}
