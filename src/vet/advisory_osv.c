/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSV records (schema 1.6): {"id", "aliases", "related", "upstream", "withdrawn", "summary", "severity": [{"type", "score"}],
 * "affected": [{"package": {"ecosystem", "name"}, "ranges": [{"type", "events": [{"introduced"|"fixed"|"last_affected"}]}],
 * "versions", ...}]}. A range of events becomes one row for each pair of introduced and what follows it. Ranges of git commits
 * are left out.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"

#include <string.h>

enum { EVENTS_MAX = 10000 };

struct record {
	const char *what;
	struct advisory_sink *sink;
	struct advisory_row row;
	char **ids; /* CVEs among id, aliases and upstream; else the id itself */
	char *ecosystem, *release;
};

/* "15 SP5" at the end of a product's name is 15.5 in its os-release. */
static bool read_suse_release(struct record *r, const char *product)
{
	static const char *const bought[] = { "LTSS", "ESPOS", "SAP", "HPC", "TERADATA", "Live Patching" };
	size_t n = strlen(product), at = n;
	const char *pack = strstr(product, " SP");

	if (!str_after(product, "Linux Enterprise Server ") && !str_after(product, "Linux Enterprise Module for "))
		return false;
	/* Fixes of a subscription are in no archive that everybody has. */
	for (size_t i = 0; i < ARRAY_SIZE(bought); i++)
		if (strstr(product, bought[i]))
			return false;
	if (pack && (!pack[3] || pack[3 + strspn(pack + 3, "0123456789")]))
		return false;
	if (pack)
		at = (size_t)(pack - product);
	n = at;
	while (at > 0 && strchr("0123456789.", product[at - 1]))
		at--;
	if (at == n)
		return false;
	r->release = xasprintf("%.*s%s%s", (int)(n - at), product + at, pack ? "." : "", pack ? pack + 3 : "");
	r->ecosystem = xstrdup("rpm/sles");
	return true;
}

/* Ecosystems whose releases are products' names, or CPEs. */
static bool read_product(struct record *r, const char *name)
{
	const char *rest = str_after(name, "SUSE:");

	free(steal_ptr(&r->ecosystem));
	free(steal_ptr(&r->release));
	if (rest)
		return read_suse_release(r, rest);
	rest = str_after(name, "openSUSE:");
	if (rest && str_after(rest, "Leap ")) {
		r->ecosystem = xstrdup("rpm/opensuse-leap");
		r->release = xstrdup(str_after(rest, "Leap "));
	} else if (streq(rest, "Tumbleweed")) {
		r->ecosystem = xstrdup("rpm/opensuse-tumbleweed");
		r->release = xstrdup("");
	}
	rest = str_after(name, "Red Hat:enterprise_linux:");
	if (rest && strspn(rest, "0123456789") > 0 && strspn(rest, "0123456789") == strcspn(rest, ":")) {
		r->ecosystem = xstrdup("rpm/rhel");
		r->release = xstrndup(rest, strcspn(rest, ":"));
	}
	return r->ecosystem != NULL;
}

/* OSV's "ECOSYSTEM[:RELEASE...]" as ours. False: not one that brig compares. */
static bool read_ecosystem(struct record *r, const char *name)
{
	static const struct {
		const char *osv, *ours;
		bool major; /* only the number before the first dot counts */
	} known[] = {
		{ "Debian", "deb/debian", false }, { "Ubuntu", "deb/ubuntu", false },	{ "Alpine", "apk/alpine", false },
		{ "Wolfi", "apk/wolfi", false },   { "Chainguard", "apk/chainguard", false }, { "Rocky Linux", "rpm/rocky", true },
		{ "AlmaLinux", "rpm/almalinux", true },
		{ "PyPI", "pypi", false },	   { "npm", "npm", false },		{ "RubyGems", "gem", false },
		{ "Maven", "maven", false },	   { "Go", "golang", false },		{ "crates.io", "cargo", false },
	};
	const char *colon = strchr(name, ':'), *release = colon ? colon + 1 : "";
	size_t n = colon ? (size_t)(colon - name) : strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].osv) != n || strncmp(known[i].osv, name, n) != 0)
			continue;
		/* Fixes of a subscription are in no archive that everybody has. */
		if (str_after(release, "Pro:") || str_after(release, "Pro-"))
			return false;
		free(r->ecosystem);
		free(r->release);
		r->ecosystem = xstrdup(known[i].ours);
		if (streq(known[i].ours, "apk/alpine"))
			release += *release == 'v';
		r->release = xstrndup(release, strcspn(release, known[i].major ? ".:" : ":"));
		return true;
	}
	return read_product(r, name);
}

static int give(struct record *r, struct error *e)
{
	strv_foreach(id, r->ids) {
		int err;

		r->row.id = *id;
		err = r->sink->row(r->sink->ctx, &r->row, e);
		if (err < 0)
			return err;
	}
	return 0;
}

/* Events as the schema orders them: introduced opens, fixed or last_affected closes; several may follow each other. */
static int read_range(struct record *r, const json_t *range, struct error *e)
{
	const json_t *events = json_object_get(range, "events"), *event;
	const char *open = NULL;
	size_t i;
	int err;

	if (!json_is_array(events) || json_array_size(events) > EVENTS_MAX)
		return error_set(e, EBADMSG, "%s: a range without events, or with too many", r->what);
	r->row.fixed = r->row.last = NULL;
	json_array_foreach(events, i, event) {
		const char *introduced = json_string_value(json_object_get(event, "introduced"));
		const char *fixed = json_string_value(json_object_get(event, "fixed"));
		const char *last = json_string_value(json_object_get(event, "last_affected"));

		if (introduced) {
			open = introduced;
			continue;
		}
		if ((!fixed && !last) || !open)
			continue;
		r->row.introduced = streq(open, "0") ? NULL : open;
		r->row.fixed = fixed;
		r->row.last = fixed ? NULL : last;
		open = NULL;
		err = give(r, e);
		if (err < 0)
			return err;
	}
	if (!open)
		return 0;
	r->row.introduced = streq(open, "0") ? NULL : open;
	r->row.fixed = r->row.last = NULL;
	return give(r, e);
}

static int read_versions(struct record *r, const json_t *versions, struct error *e)
{
	const json_t *v;
	size_t i;
	int err = 0;

	json_array_foreach((json_t *)versions, i, v) {
		r->row.introduced = r->row.last = json_string_value(v);
		r->row.fixed = NULL;
		if (!r->row.last)
			return error_set(e, EBADMSG, "%s: a version that is no text", r->what);
		err = give(r, e);
		if (err < 0)
			return err;
	}
	return 0;
}

static void read_severity(struct record *r, const json_t *of)
{
	const json_t *list = json_object_get(of, "severity"), *one;
	const char *word = json_string_value(json_object_get(json_object_get(of, "database_specific"), "severity"));
	size_t i;

	if (!word)
		word = json_string_value(json_object_get(json_object_get(of, "ecosystem_specific"), "urgency"));
	if (advisory_level_of_word(word) != ADVISORY_NO_LEVEL)
		r->row.level = advisory_level_of_word(word);
	json_array_foreach((json_t *)list, i, one) {
		const char *type = json_string_value(json_object_get(one, "type")),
			   *score = json_string_value(json_object_get(one, "score"));
		/* Version 2 rates more mildly and is older: it counts where there is no other. */
		double cvss = streq(type, "CVSS_V2") && json_array_size(list) > 1 ? 0 : advisory_cvss(score);

		if (cvss > r->row.cvss)
			r->row.cvss = cvss;
		if (streq(type, "Ubuntu") && advisory_level_of_word(score) != ADVISORY_NO_LEVEL)
			r->row.level = advisory_level_of_word(score);
	}
}

static int read_affected(struct record *r, const json_t *affected, struct error *e)
{
	const json_t *package = json_object_get(affected, "package"), *ranges = json_object_get(affected, "ranges"), *range;
	const char *ecosystem = json_string_value(json_object_get(package, "ecosystem")),
		   *name = json_string_value(json_object_get(package, "name"));
	int level = r->row.level, err = 0;
	double cvss = r->row.cvss;
	bool ranged = false;
	size_t i;

	if (!ecosystem || !name || !read_ecosystem(r, ecosystem)) {
		r->sink->left_out++;
		return 0;
	}
	r->row.ecosystem = r->ecosystem;
	r->row.release = r->release;
	r->row.package = name;
	read_severity(r, affected);
	json_array_foreach((json_t *)ranges, i, range) {
		const char *type = json_string_value(json_object_get(range, "type"));

		if (!streq(type, "ECOSYSTEM") && !streq(type, "SEMVER")) {
			r->sink->left_out++;
			continue;
		}
		ranged = true;
		err = read_range(r, range, e);
		if (err < 0)
			return err;
	}
	if (!ranged)
		err = read_versions(r, json_object_get(affected, "versions"), e);
	r->row.level = level;
	r->row.cvss = cvss;
	return err;
}

static void add_ids(struct record *r, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)list, i, one)
		if (advisory_is_cve(json_string_value(one)) && !strv_has(r->ids, json_string_value(one)))
			strv_add_copy(&r->ids, json_string_value(one));
}

/* "DEBIAN-CVE-2023-1" and "UBUNTU-CVE-2023-1" are about that CVE even where the aliases do not say so. */
static void read_ids(struct record *r, const json_t *doc, const char *id)
{
	const char *inner = strstr(id, "CVE-");

	if (advisory_is_cve(inner))
		strv_add_copy(&r->ids, inner);
	add_ids(r, json_object_get(doc, "aliases"));
	add_ids(r, json_object_get(doc, "upstream"));
	/* A distribution's advisory is of several CVEs, which older records name as related. */
	if (!r->ids && (str_after(id, "DSA-") || str_after(id, "DLA-") || str_after(id, "USN-") ||
			       str_after(id, "ALSA-") || str_after(id, "RLSA-")))
		add_ids(r, json_object_get(doc, "related"));
	if (!r->ids)
		strv_add_copy(&r->ids, id);
}

static int read_record(const char *what, const json_t *doc, struct advisory_sink *sink, struct error *e)
{
	struct record r = { .what = what, .sink = sink, .row.level = ADVISORY_NO_LEVEL };
	const char *id = json_string_value(json_object_get(doc, "id"));
	const json_t *list = json_object_get(doc, "affected"), *affected;
	size_t i;
	int err;

	if (!id || !*id)
		return error_set(e, EBADMSG, "%s: an OSV record without an id", what);
	if (list && !json_is_array(list))
		return error_set(e, EBADMSG, "%s: %s: affected is no list", what, id);
	err = sink->drop(sink->ctx, id, e);
	if (err < 0)
		return err;
	if (json_is_string(json_object_get(doc, "withdrawn"))) {
		sink->left_out++;
		return 0;
	}
	read_ids(&r, doc, id);
	r.row.advisory = id;
	r.row.summary = json_string_value(json_object_get(doc, "summary"));
	if (!r.row.summary)
		r.row.summary = json_string_value(json_object_get(doc, "details"));
	read_severity(&r, doc);
	json_array_foreach((json_t *)list, i, affected) {
		err = read_affected(&r, affected, e);
		if (err < 0)
			break;
	}
	strv_free(r.ids);
	free(r.ecosystem);
	free(r.release);
	return err;
}

/* One record, a list of them, or one after the other. */
int advisory_parse_osv(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	static const struct advisory_feed feed = { "osv", 2, true };
	const char *end = data + n;
	int r = sink->feed(sink->ctx, &feed, NULL, e);

	for (const char *s = data; r == 0;) {
		size_t size, i;
		_cleanup_json_ json_t *doc = NULL;
		json_t *one;

		while (s < end && *s && strchr(" \t\r\n", *s))
			s++;
		if (s == end)
			break;
		size = json_value_size(s, (size_t)(end - s));
		if (size == 0)
			return error_set(e, EBADMSG, "%s: cut, or damaged, at byte %zu", what, (size_t)(s - data));
		doc = json_parse(s, size, what, e);
		if (!doc)
			return -EBADMSG;
		s += size;
		sink->at = (size_t)(s - data);
		if (!json_is_array(doc)) {
			r = read_record(what, doc, sink, e);
			continue;
		}
		json_array_foreach(doc, i, one) {
			r = read_record(what, one, sink, e);
			if (r < 0)
				break;
		}
	}
	return r;
}
