/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/sarif.h"

#include "base/cleanup.h"
#include "vet/advisory.h"
#include "vet/purl.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 1000, RESULTS_MAX = 1000000 };

struct run {
	const char *where;
	const json_t *json, *driver;
	void (*give)(void *ctx, const struct sarif_result *r);
	void *ctx;
	size_t results;
};

static const char *text_of(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

/* The component that a reference names (3.54), the driver where it names none. */
static const json_t *component(const struct run *r, const json_t *reference)
{
	const json_t *index = json_object_get(json_object_get(reference, "toolComponent"), "index");

	if (!json_is_integer(index) || json_integer_value(index) < 0)
		return r->driver;
	return json_array_get(json_object_get(json_object_get(r->json, "tool"), "extensions"), (size_t)json_integer_value(index));
}

/* The rule's own description, by its index or its id (3.27.5 to 3.27.7). */
static const json_t *find_rule(const struct run *r, const json_t *result)
{
	const json_t *reference = json_object_get(result, "rule"), *index = json_object_get(reference, "index"), *rules, *rule;
	const char *id = text_of(result, "ruleId");
	size_t i;

	if (!json_is_integer(index))
		index = json_object_get(result, "ruleIndex");
	if (!id)
		id = text_of(reference, "id");
	rules = json_object_get(component(r, reference), "rules");
	if (json_is_integer(index) && json_integer_value(index) >= 0)
		return json_array_get(rules, (size_t)json_integer_value(index));
	/* An id may be more specific than the rule's: "CA1000/inner". */
	json_array_foreach((json_t *)rules, i, rule) {
		const char *rest = id && text_of(rule, "id") ? str_after(id, text_of(rule, "id")) : NULL;

		if (rest && (*rest == 0 || *rest == '/'))
			return rule;
	}
	return NULL;
}

/* What code hosts sort by, as text or number. */
static int score_level(const json_t *from)
{
	const json_t *score = json_object_get(json_object_get(from, "properties"), "security-severity");
	const char *text = json_string_value(score);
	double value = json_is_number(score) ? json_number_value(score) : text ? strtod(text, NULL) : 0;

	return value > 0 && value <= 10 ? advisory_level_of_score(value) : ADVISORY_NO_LEVEL;
}

static enum vet_level level_of(const json_t *result, const json_t *rule, const char *kind)
{
	const char *word = text_of(result, "level");
	int score = score_level(result);

	if (!streq(kind, "fail"))
		return VET_INFO;
	if (score == ADVISORY_NO_LEVEL)
		score = score_level(rule);
	if (score != ADVISORY_NO_LEVEL)
		return (enum vet_level)score;
	if (!word)
		word = text_of(json_object_get(rule, "defaultConfiguration"), "level");
	if (streq(word, "error"))
		return VET_HIGH;
	return streq(word, "note") ? VET_LOW : streq(word, "none") ? VET_INFO : VET_MEDIUM; /* 3.27.10: else it is a warning */
}

/* 3.11: text, or the rule's string of that id; arguments stay as they are, {0}. */
static const char *message_of(const json_t *result, const json_t *rule)
{
	const json_t *message = json_object_get(result, "message"), *strings = json_object_get(rule, "messageStrings");
	const char *id = text_of(message, "id"), *text = text_of(message, "text");

	if (!text)
		text = text_of(message, "markdown");
	if (!text && id)
		text = text_of(json_object_get(strings, id), "text");
	if (!text)
		text = text_of(json_object_get(rule, "shortDescription"), "text");
	return text ? text : text_of(json_object_get(rule, "fullDescription"), "text");
}

/* 3.35: every one of them must have been accepted. */
static bool is_suppressed(const json_t *result)
{
	const json_t *list = json_object_get(result, "suppressions"), *one;
	size_t i;

	json_array_foreach((json_t *)list, i, one) {
		const char *status = text_of(one, "status");

		if (status && !streq(status, "accepted"))
			return false;
	}
	return json_array_size(list) > 0;
}

/* "file:///usr/bin/x", "/usr/bin/x", "usr/bin/x", with %XX: usr/bin/x. */
static char *path_of(const struct run *r, const json_t *result)
{
	const json_t *place = json_object_get(json_object_get(json_array_get(json_object_get(result, "locations"), 0), "physicalLocation"),
					      "artifactLocation");
	const json_t *index = json_object_get(place, "index");
	const char *uri = text_of(place, "uri");
	char *out;

	if (!uri && json_is_integer(index) && json_integer_value(index) >= 0)
		uri = text_of(json_object_get(json_array_get(json_object_get(r->json, "artifacts"), (size_t)json_integer_value(index)), "location"),
			      "uri");
	if (!uri)
		return NULL;
	if (str_after(uri, "file://"))
		uri = str_after(uri, "file://");
	out = purl_decode(uri, strlen(uri));
	memmove(out, out + strspn(out, "/"), strlen(out + strspn(out, "/")) + 1);
	if (!*out || streq(out, ".") || strstr(uri, "://"))
		free(steal_ptr(&out));
	return out;
}

static void read_result(struct run *r, const json_t *result)
{
	const json_t *rule = find_rule(r, result);
	const char *kind = text_of(result, "kind"), *id = text_of(result, "ruleId"), *message = message_of(result, rule);
	_cleanup_free_ char *path = path_of(r, result);
	struct sarif_result out = { .tool = text_of(r->driver, "name"), .version = text_of(r->driver, "semanticVersion") };

	if (!kind)
		kind = "fail";
	if (streq(kind, "pass") || streq(kind, "notApplicable") || streq(text_of(result, "baselineState"), "absent"))
		return;
	if (!out.version)
		out.version = text_of(r->driver, "version");
	if (!id)
		id = text_of(json_object_get(result, "rule"), "id");
	if (!id)
		id = text_of(rule, "id");
	out.rule = id ? id : "";
	out.level = level_of(result, rule, kind);
	out.message = message && *message ? message : out.rule;
	out.help = text_of(json_object_get(rule, "help"), "text");
	out.path = path;
	out.suppressed = is_suppressed(result);
	r->give(r->ctx, &out);
}

static int read_run(struct run *r, struct error *e)
{
	const json_t *results = json_object_get(r->json, "results"), *one;
	size_t i;

	r->driver = json_object_get(json_object_get(r->json, "tool"), "driver");
	if (!text_of(r->driver, "name"))
		return error_set(e, EBADMSG, "%s: tool.driver.name is missing", r->where);
	if (results && !json_is_array(results) && !json_is_null(results))
		return error_set(e, EBADMSG, "%s: results is no list", r->where);
	json_array_foreach((json_t *)results, i, one) {
		if (!json_is_object(one))
			return error_set(e, EBADMSG, "%s: results[%zu] is no object", r->where, i);
		if (++r->results > RESULTS_MAX)
			return error_set(e, EBADMSG, "%s: more than %d results", r->where, RESULTS_MAX);
		read_result(r, one);
	}
	return 0;
}

int sarif_read(const char *what, const char *data, size_t n, void (*give)(void *ctx, const struct sarif_result *r), void *ctx, struct error *e)
{
	_cleanup_json_ json_t *doc = json_parse(data, n, what, e);
	const json_t *runs = json_object_get(doc, "runs"), *one;
	const char *version = text_of(doc, "version");
	struct run r = { .give = give, .ctx = ctx };
	size_t i;

	if (!doc)
		return -EBADMSG;
	if (!version || !str_after(version, "2.1."))
		return error_set(e, EBADMSG, "%s: not SARIF 2.1", what);
	if (!json_is_array(runs) || json_array_size(runs) > RUNS_MAX)
		return error_set(e, EBADMSG, "%s: no runs, or too many", what);
	json_array_foreach((json_t *)runs, i, one) {
		_cleanup_free_ char *where = xasprintf("%s: runs[%zu]", what, i);
		int err;

		r.where = where;
		r.json = one;
		err = read_run(&r, e);
		if (err < 0)
			return err;
	}
	return 0;
}
