/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alpine's secdb: {"distroversion": "v3.18", "reponame": "main", "packages": [{"pkg": {"name", "secfixes": {"1.2.3-r4":
 * ["CVE-...", ...]}}}]}. Packages are source packages ("origin"). The key "0" says that no version was affected. An entry may
 * hold several names with blanks between ("CVE-2019-1 XSA-2"); what has not been fixed is not told.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"

#include <string.h>

struct secdb {
	const char *what, *ecosystem, *release;
	struct advisory_sink *sink;
};

static int read_ids(const struct secdb *s, const char *name, const char *fixed, const char *ids, struct error *e)
{
	struct advisory_row row = { .ecosystem = s->ecosystem, .release = s->release, .package = name, .level = ADVISORY_NO_LEVEL };
	_cleanup_free_ char *copy = xstrdup(ids);
	char *at = NULL;
	int r = 0;

	if (streq(fixed, "0"))
		row.status = ADVISORY_NOT_AFFECTED;
	row.fixed = fixed;
	for (char *id = strtok_r(copy, " \t", &at); r == 0 && id; id = strtok_r(NULL, " \t", &at)) {
		row.id = row.advisory = id;
		r = s->sink->row(s->sink->ctx, &row, e);
	}
	return r;
}

static int read_package(const struct secdb *s, const json_t *pkg, struct error *e)
{
	const char *name = NULL, *fixed;
	json_t *fixes = NULL, *list, *id;
	size_t i;
	int r = json_get_str(pkg, s->what, "name", &name, e);

	if (r == 0)
		r = json_get_obj(pkg, s->what, "secfixes", &fixes, e);
	if (r < 0)
		return r;
	if (!name)
		return error_set(e, EBADMSG, "%s: a package without a name", s->what);
	json_object_foreach(fixes, fixed, list) {
		if (json_is_null(list))
			continue;
		if (!json_is_array(list))
			return error_set(e, EBADMSG, "%s: %s: the list of version %s is none", s->what, name, fixed);
		json_array_foreach(list, i, id) {
			if (!json_is_string(id))
				return error_set(e, EBADMSG, "%s: %s: an entry of version %s is no text", s->what, name, fixed);
			r = read_ids(s, name, fixed, json_string_value(id), e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Wolfi and Chainguard publish the same format, without a version of the distribution. */
static const char *ecosystem_of(const json_t *doc)
{
	const char *prefix = json_string_value(json_object_get(doc, "urlprefix"));

	if (prefix && strstr(prefix, "packages.wolfi.dev"))
		return "apk/wolfi";
	if (prefix && strstr(prefix, "packages.cgr.dev"))
		return "apk/chainguard";
	return "apk/alpine";
}

int advisory_parse_secdb(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	_cleanup_json_ json_t *doc = json_parse(data, n, what, e);
	const char *release = "", *repo = NULL;
	_cleanup_free_ char *feed_name = NULL;
	struct advisory_feed feed = { 0 };
	struct secdb s = { what, NULL, NULL, sink };
	json_t *packages = NULL, *entry;
	size_t i;
	int r;

	if (!doc)
		return -EBADMSG;
	r = json_get_str(doc, what, "distroversion", &release, e);
	if (r == 0)
		r = json_get_str(doc, what, "reponame", &repo, e);
	if (r == 0)
		r = json_get_arr(doc, what, "packages", &packages, e);
	if (r == 0 && !packages)
		r = error_set(e, EBADMSG, "%s: no packages", what);
	if (r < 0)
		return r;
	s.ecosystem = ecosystem_of(doc);
	s.release = streq(s.ecosystem, "apk/alpine") ? release + (*release == 'v') : "";
	feed_name = xasprintf("%s/%s/%s", s.ecosystem + strlen("apk/"), release, repo ? repo : "main");
	feed.name = feed_name;
	r = sink->feed(sink->ctx, &feed, NULL, e);
	json_array_foreach(packages, i, entry) {
		const json_t *pkg = json_object_get(entry, "pkg");

		if (r < 0)
			break;
		r = json_is_object(pkg) ? read_package(&s, pkg, e) : error_set(e, EBADMSG, "%s: packages[%zu] has no pkg", what, i);
	}
	return r;
}
