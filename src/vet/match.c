/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/match.h"

#include "base/cleanup.h"
#include "vet/vet.h"

#include <string.h>

enum { RELEASES_MAX = 6 };

/* What several entries of the inventory share: the name that advisories speak of, and its version. */
struct group {
	struct advdb_db *db;
	struct vuln_result *out;
	match_module *module;
	void *module_ctx;
	const json_t *entries;
	const char *ecosystem, *name, *version;
	const char *releases[RELEASES_MAX];
	char *owned[RELEASES_MAX];
	bool binary;
	enum version_scheme scheme;
	/* statements about it, before those that contradict each other are settled */
	struct candidate *list;
	size_t n, cap;
};

struct candidate {
	int priority;
	bool affected;
	struct vuln_match match; /* id alone where it is not affected */
};

static const char *member(const json_t *entry, const char *object, const char *name)
{
	if (object)
		entry = json_object_get(entry, object);
	return json_string_value(json_object_get(entry, name));
}

char *match_ecosystem(const json_t *entry)
{
	static const char *const same[][2] = { { "centos", "rhel" }, { "redhat", "rhel" }, { "raspbian", "debian" },
						{ "sled", "sles" } };
	const char *type = member(entry, NULL, "type"), *id = member(entry, "distro", "id");

	if (!type)
		return NULL;
	if (!streq(type, "deb") && !streq(type, "rpm") && !streq(type, "apk"))
		return xstrdup(type);
	for (size_t i = 0; id && i < ARRAY_SIZE(same); i++)
		if (streq(id, same[i][0]))
			id = same[i][1];
	return id && *id ? xasprintf("%s/%s", type, id) : NULL;
}

bool match_scheme(const char *ecosystem, enum version_scheme *out)
{
	static const struct {
		const char *prefix;
		enum version_scheme scheme;
	} schemes[] = {
		{"deb/", VERSION_DPKG},
		{"rpm/", VERSION_RPM},
		{"apk/", VERSION_APK},
		{"pypi", VERSION_PEP440},
		{"npm", VERSION_SEMVER},
		{"golang", VERSION_SEMVER},
		{"gem", VERSION_GEM},
		{"maven", VERSION_MAVEN},
		{"cargo", VERSION_SEMVER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_after(ecosystem, schemes[i].prefix)) {
			*out = schemes[i].scheme;
			return true;
		}
	return false;
}

static int at_least(int level, int least)
{
	return level < least ? level : least; /* worse is less */
}

int match_level(const struct advdb_row *row)
{
	int level = row->row.level;

	if (row->kev_added)
		return VET_CRITICAL;
	if (row->row.status == ADVISORY_UNDETERMINED)
		return VET_INFO;
	if (level < 0 || level >= VET_LEVELS)
		level = advisory_level_of_score(row->row.cvss);
	if (level == ADVISORY_NO_LEVEL)
		level = VET_MEDIUM;
	if (row->row.status == ADVISORY_MINOR && level < VET_LOW)
		level = VET_LOW;
	return row->epss >= 0.5 ? at_least(level, VET_HIGH) : level;
}

static bool in_range(const struct group *g, const struct advisory_row *row)
{
	if (row->status == ADVISORY_NOT_AFFECTED)
		return false;
	if (row->introduced && version_compare(g->scheme, g->version, row->introduced) < 0)
		return false;
	if (row->last && version_compare(g->scheme, g->version, row->last) > 0)
		return false;
	return !row->fixed || version_compare(g->scheme, g->version, row->fixed) < 0;
}

static int take(void *ctx, const struct advdb_row *row, struct error *e)
{
	struct group *g = ctx;
	struct candidate *c;

	(void)e;
	if (row->row.module && !(g->module && g->module(g->module_ctx, row->row.module)))
		return 0;
	if (g->n == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->list = xrealloc(g->list, g->cap, sizeof(*g->list));
	}
	c = &g->list[g->n++];
	*c = (struct candidate){ .priority = row->priority, .affected = in_range(g, &row->row), .match.id = xstrdup(row->row.id) };
	if (!c->affected)
		return 0;
	c->match.package = xstrdup(g->name);
	c->match.version = xstrdup(g->version);
	c->match.fixed = xstrdup(row->row.fixed);
	c->match.advisory = xstrdup(row->row.advisory);
	c->match.feed = xstrdup(row->feed);
	c->match.summary = xstrdup(row->row.summary);
	c->match.release = xstrdup(row->row.release);
	c->match.kev_added = xstrdup(row->kev_added);
	c->match.kev_due = xstrdup(row->kev_due);
	c->match.status = row->row.status;
	c->match.level = match_level(row);
	c->match.ransomware = row->ransomware;
	c->match.cvss = row->row.cvss;
	c->match.epss = row->epss;
	c->match.packages = g->entries;
	return 0;
}

static void free_match(struct vuln_match *m)
{
	free(m->id);
	free(m->package);
	free(m->version);
	free(m->fixed);
	free(m->advisory);
	free(m->feed);
	free(m->summary);
	free(m->release);
	free(m->kev_added);
	free(m->kev_due);
}

/* By CVE; of one CVE the feed that is believed first, in it what affects first. */
static int by_id(const void *a_, const void *b_)
{
	const struct candidate *a = a_, *b = b_;
	int r = strcmp(a->match.id, b->match.id);

	if (r == 0)
		r = a->priority - b->priority;
	return r ? r : (int)b->affected - (int)a->affected;
}

/* Two statements of the same weight that both say "vulnerable": the stronger one, and the later fix. */
static void merge(const struct group *g, struct vuln_match *into, struct vuln_match *other)
{
	bool later = into->fixed && (!other->fixed || version_compare(g->scheme, other->fixed, into->fixed) > 0);

	if (other->status < into->status || later) {
		struct vuln_match t = *into;

		*into = *other;
		*other = t;
	}
	into->level = at_least(into->level, other->level);
}

static void settle(struct group *g)
{
	struct vuln_result *out = g->out;

	if (g->n > 1)
		qsort(g->list, g->n, sizeof(*g->list), by_id);
	for (size_t i = 0; i < g->n;) {
		struct candidate *first = &g->list[i];
		size_t k = i + 1;

		for (; k < g->n && streq(g->list[k].match.id, first->match.id); k++)
			if (first->affected && g->list[k].affected && g->list[k].priority == first->priority)
				merge(g, &first->match, &g->list[k].match);
		if (first->affected) {
			if (out->n == out->cap) {
				out->cap = out->cap ? out->cap * 2 : 64;
				out->list = xrealloc(out->list, out->cap, sizeof(*out->list));
			}
			out->list[out->n++] = first->match;
			first->match = (struct vuln_match){ 0 };
		}
		i = k;
	}
	for (size_t i = 0; i < g->n; i++)
		free_match(&g->list[i].match);
	g->n = 0;
}

/* The names under which advisories know the release: its codename, its number, and the number's first parts. */
static void read_releases(struct group *g, const json_t *entry)
{
	const char *version = member(entry, "distro", "version"), *codename = member(entry, "distro", "codename");
	size_t n = 0, first, second;

	if (codename && *codename)
		g->owned[n++] = xstrdup(codename);
	if (version && *version) {
		first = strcspn(version, ".");
		second = version[first] ? first + 1 + strcspn(version + first + 1, "._-") : first;
		g->owned[n++] = xstrdup(version);
		if (second < strlen(version))
			g->owned[n++] = xstrndup(version, second);
		if (first < second && !str_after(g->ecosystem, "deb/ubuntu"))
			g->owned[n++] = xstrndup(version, first);
	}
	for (size_t i = 0; i < n; i++)
		g->releases[i] = g->owned[i];
}

static void free_group(struct group *g)
{
	for (size_t i = 0; i < RELEASES_MAX; i++)
		free(g->owned[i]);
	free(g->list);
}

/* Notes which place this is, and whether anything is known about it. */
static int note_place(struct group *g, const json_t *entry, struct error *e)
{
	bool distro = strchr(g->ecosystem, '/') != NULL;
	_cleanup_free_ char *place = xasprintf(
		"%s%s%s", g->ecosystem, distro ? " " : "", distro && g->releases[0] ? g->releases[0] : "");
	size_t n = json_array_size(g->entries);
	json_int_t before;
	int r;

	(void)entry;
	r = json_object_get(g->out->newest, place)        ? 1
	    : json_object_get(g->out->not_covered, place) ? 0
							  : advdb_covers(g->db, g->ecosystem, g->releases, e);
	if (r < 0)
		return r;
	if (r == 0) {
		before = json_integer_value(json_object_get(g->out->not_covered, place));
		json_object_set_new(g->out->not_covered, place, json_integer(before + (json_int_t)n));
		return 0;
	}
	if (!json_object_get(g->out->newest, place)) {
		_cleanup_free_ char *date = advdb_newest(g->db, g->ecosystem, g->releases);

		json_object_set_new(g->out->newest, place, json_string(date ? date : ""));
	}
	g->out->looked += n;
	return 1;
}

/* Names of Python packages mean the same with any case and separator (PEP 503). */
static char *normal_name(const char *ecosystem, const char *name)
{
	char *out = xstrdup(name), *to = out;

	if (!streq(ecosystem, "pypi"))
		return out;
	for (const char *s = name; *s; s++) {
		if (*s == '-' || *s == '_' || *s == '.') {
			if (to == out || to[-1] != '-')
				*to++ = '-';
		} else {
			*to++ = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;
		}
	}
	*to = 0;
	return out;
}

static int look_up(struct group *g, const char *name, const char *version, bool binary, struct error *e)
{
	_cleanup_free_ char *normal = normal_name(g->ecosystem, name);
	const struct advdb_query q = { .ecosystem = g->ecosystem,
		.releases = g->releases,
		.package = normal,
		.binary = binary,
		.row = take,
		.ctx = g};
	int r;

	g->name = name;
	g->version = version;
	g->binary = binary;
	r = advdb_find(g->db, &q, e);
	return r;
}

/* One source package (or binary, where there is no source) with the entries made of it. */
static int match_group(struct group *g, struct error *e)
{
	const json_t *first = json_array_get(g->entries, 0), *entry;
	_cleanup_free_ char *ecosystem = match_ecosystem(first);
	const char *name = member(first, NULL, "name"), *version = member(first, NULL, "version"),
		   *source = member(first, "source", "name"),
		   *source_version = member(first, "source", "version");
	size_t i;
	int r;

	g->ecosystem = ecosystem;
	if (!match_scheme(ecosystem, &g->scheme))
		return 0;
	read_releases(g, first);
	r = note_place(g, first, e);
	if (r <= 0)
		return r;
	r = look_up(g, source ? source : name, source_version ? source_version : version, false, e);
	/* Advisories about binary packages: OVAL speaks of those. */
	if (str_after(ecosystem, "deb/") || str_after(ecosystem, "rpm/"))
		json_array_foreach((json_t *)g->entries, i, entry)
			if (r == 0)
				r = look_up(g, member(entry, NULL, "name"), member(entry, NULL, "version"), true, e);
	settle(g);
	return r;
}

/* {"ECOSYSTEM RELEASE SOURCE VERSION": [entries]} */
static json_t *make_groups(const json_t *inventory, json_t *not_covered)
{
	json_t *groups = json_object(), *entry, *list;
	size_t i;

	json_array_foreach((json_t *)inventory, i, entry) {
		_cleanup_free_ char *ecosystem = match_ecosystem(entry), *key = NULL;
		const char *name = member(entry, NULL, "name"), *version = member(entry, NULL, "version"),
			   *source = member(entry, "source", "name");
		const char *type = member(entry, NULL, "type");

		if (!ecosystem && type) {
			json_int_t before = json_integer_value(json_object_get(not_covered, type));

			json_object_set_new(not_covered, type, json_integer(before + 1));
		}
		if (!ecosystem || !name || !version || !*version)
			continue;
		key = xasprintf("%s\n%s\n%s\n%s\n%s", ecosystem,
			member(entry, "distro", "version") ? member(entry, "distro", "version") : "",
			source ? source : name,
			source && member(entry, "source", "version") ? member(entry, "source", "version")
								     : version,
			member(entry, "distro", "codename") ? member(entry, "distro", "codename") : "");
		list = json_object_get(groups, key);
		if (!list) {
			list = json_array();
			json_object_set_new(groups, key, list);
		}
		json_array_append(list, entry);
	}
	return groups;
}

int match_packages(struct advdb_db *db, const json_t *inventory, match_module *module, void *ctx,
	struct vuln_result *out, struct error *e)
{
	const char *key;
	json_t *entries;
	int r = 0;

	*out = (struct vuln_result){ .not_covered = json_object(), .newest = json_object() };
	out->groups = make_groups(inventory, out->not_covered);
	json_object_foreach(out->groups, key, entries) {
		struct group g = { .db = db, .out = out, .module = module, .module_ctx = ctx, .entries = entries };

		r = match_group(&g, e);
		free_group(&g);
		if (r < 0)
			break;
	}
	return r < 0 ? r : 0;
}

void vuln_result_free(struct vuln_result *r)
{
	for (size_t i = 0; i < r->n; i++)
		free_match(&r->list[i]);
	free(r->list);
	json_decref(r->groups);
	json_decref(r->not_covered);
	json_decref(r->newest);
}
