/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Debian security tracker's JSON: {SOURCE: {CVE: {"description", "scope", "releases": {CODENAME: {"status":
 * "open|resolved|undetermined", "fixed_version", "urgency", "nodsa", "nodsa_reason", "repositories"}}}}}. `fixed_version` is
 * the one of that release, "0" means that it never was affected. The document is 70 MB: each source package is parsed by
 * itself.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/vet.h"

#include <string.h>

struct place {
	const char *what, *source;
	struct advisory_sink *sink;
};

static int read_release(const struct place *p, const char *cve, const char *summary, const char *release,
	const json_t *j, struct error *e)
{
	_cleanup_free_ char *where = xasprintf("%s: %s.%s.%s", p->what, p->source, cve, release);
	const char *status = NULL, *fixed = NULL, *urgency = NULL, *nodsa = NULL;
	struct advisory_row row = { .ecosystem = "deb/debian",
		.release = release,
		.package = p->source,
		.id = cve,
		.advisory = cve,
		.summary = summary};
	int r = json_get_str(j, where, "status", &status, e);

	if (r == 0)
		r = json_get_str(j, where, "fixed_version", &fixed, e);
	if (r == 0)
		r = json_get_str(j, where, "urgency", &urgency, e);
	if (r == 0)
		r = json_get_str(j, where, "nodsa", &nodsa, e);
	if (r < 0)
		return r;
	row.level = advisory_level_of_word(urgency);
	if (streq(status, "resolved") && fixed) {
		row.fixed = fixed;
		if (streq(fixed, "0"))
			row.status = ADVISORY_NOT_AFFECTED;
	} else if (streq(status, "undetermined")) {
		row.status = ADVISORY_UNDETERMINED;
	} else if (!streq(status, "open")) {
		return error_set(e, EBADMSG, "%s.status: neither open, resolved with a version, nor undetermined", where);
	} else if (urgency && str_after(urgency, "end-of-life")) {
		row.status = ADVISORY_EOL;
	} else if (nodsa || row.level == VET_INFO) {
		row.status = ADVISORY_MINOR;
	}
	return p->sink->row(p->sink->ctx, &row, e);
}

static int read_source(const struct place *p, const json_t *cves, struct error *e)
{
	const json_t *cve, *release;
	const char *id, *codename;
	int r = 0;

	json_object_foreach((json_t *)cves, id, cve) {
		const json_t *releases = json_object_get(cve, "releases");
		const char *summary = json_string_value(json_object_get(cve, "description"));

		if (!json_is_object(releases))
			return error_set(e, EBADMSG, "%s: %s.%s has no releases", p->what, p->source, id);
		json_object_foreach((json_t *)releases, codename, release) {
			if (!json_is_object(release))
				return error_set(e, EBADMSG, "%s: %s.%s.%s is no object", p->what, p->source, id, codename);
			r = read_release(p, id, summary, codename, release, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int advisory_parse_tracker(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	static const struct advisory_feed feed = { "debian-tracker", 0, false };
	struct json_cursor c;
	struct json_piece piece;
	int r = json_cursor_open(&c, data, n, what, e);

	if (r == 0)
		r = sink->feed(sink->ctx, &feed, NULL, e);
	while (r == 0 && (r = json_cursor_next(&c, &piece, what, e)) > 0) {
		_cleanup_free_ char *source = piece.key;
		_cleanup_json_ json_t *cves = json_parse(piece.value, piece.n, what, e);
		const struct place p = { what, source, sink };

		sink->at = (size_t)(c.at - data);
		if (!cves)
			return error_wrap(e, "source package %s", source);
		r = json_is_object(cves) ? read_source(&p, cves, e) : error_set(e, EBADMSG, "%s: %s is no object", what, source);
	}
	return r;
}
