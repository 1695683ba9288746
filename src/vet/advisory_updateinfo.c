/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updateinfo.xml of an rpm repository (createrepo_c, `dnf updateinfo`), which is how Fedora says what its updates mend: an update has an id,
 * references among which CVEs are named, and a list of packages for each collection, whose name is that of a release. Only updates of the
 * type "security" are statements. An update replaces itself.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/advisory_xml.h"

#include <string.h>

enum { PACKAGES_MAX = 20000, CVES_MAX = 4096 };

struct package {
	char *name, *version;
	const char *ecosystem;
	char release[16];
};

struct reading {
	struct advisory_xml x; /* first */
	struct advisory_sink *sink;
	bool inside, security, any; /* in an update; of one that counts; there was an update */
	char *id, *title, **cves;
	int level;
	const char *ecosystem; /* of the collection; NULL: not one that brig compares */
	char release[16];
	struct package *packages;
	size_t n;
};

static void forget_update(struct reading *r)
{
	free(steal_ptr(&r->id));
	free(steal_ptr(&r->title));
	strv_free(steal_ptr(&r->cves));
	for (size_t i = 0; i < r->n; i++) {
		free(r->packages[i].name);
		free(r->packages[i].version);
	}
	r->n = 0;
	r->inside = r->security = false;
	r->level = ADVISORY_NO_LEVEL;
	r->ecosystem = NULL;
}

/* Every CVE that a text names: "CVE-2023-0286 openssl: X.400 address type confusion [fedora-all]". */
static void find_cves(struct reading *r, const char *text)
{
	for (const char *s = text ? strstr(text, "CVE-") : NULL; s; s = strstr(s + 4, "CVE-")) {
		_cleanup_free_ char *id = xstrndup(s, 4 + strspn(s + 4, "0123456789-"));

		if (advisory_is_cve(id) && !strv_has(r->cves, id) && strv_len(r->cves) < CVES_MAX)
			strv_add_copy(&r->cves, id);
	}
}

/* "Fedora 38"; what else stands behind the number ("Modular", "Testing") is another collection. */
static void read_collection(struct reading *r, const char *name)
{
	static const struct {
		const char *prefix, *ecosystem, *suffix;
	} known[] = {
		{ "Fedora EPEL ", "rpm/rhel", "" }, { "Fedora ", "rpm/fedora", "" },	    { "Amazon Linux ", "rpm/amzn", "" },
		{ "openSUSE Leap ", "rpm/opensuse-leap", " Update" }, { "openSUSE Leap ", "rpm/opensuse-leap", "" },
	};

	r->ecosystem = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(known) && !r->ecosystem; i++) {
		const char *rest = str_after(name, known[i].prefix);
		size_t n = rest ? strspn(rest, "0123456789.") : 0;

		if (n == 0 || n >= sizeof(r->release) || !streq(rest + n, known[i].suffix))
			continue;
		snprintf(r->release, sizeof(r->release), "%.*s", (int)n, rest);
		r->ecosystem = known[i].ecosystem;
	}
	r->sink->left_out += !r->ecosystem;
}

static void add_package(struct reading *r, const char **attrs)
{
	const char *name = advisory_xml_attribute(attrs, "name"), *version = advisory_xml_attribute(attrs, "version"),
		   *release = advisory_xml_attribute(attrs, "release"), *epoch = advisory_xml_attribute(attrs, "epoch"),
		   *arch = advisory_xml_attribute(attrs, "arch");
	_cleanup_free_ char *whole = NULL;
	struct package *p;

	if (!name || !*name || !version || !release) {
		advisory_xml_fail(&r->x, "a package without name, version or release");
		return;
	}
	if (!r->ecosystem || streq(arch, "src"))
		return;
	whole = xasprintf("%s%s%s-%s", epoch && !streq(epoch, "0") ? epoch : "", epoch && !streq(epoch, "0") ? ":" : "", version, release);
	/* The same of several architectures is one. */
	for (size_t i = r->n; i-- > 0;)
		if (streq(r->packages[i].name, name) && streq(r->packages[i].version, whole) && streq(r->packages[i].release, r->release) &&
		    streq(r->packages[i].ecosystem, r->ecosystem))
			return;
	if (r->n >= PACKAGES_MAX) {
		advisory_xml_fail(&r->x, "an update of too many packages");
		return;
	}
	r->packages = xrealloc(r->packages, r->n + 1, sizeof(*r->packages));
	p = &r->packages[r->n++];
	*p = (struct package){ .name = xstrdup(name), .version = steal_ptr(&whole), .ecosystem = r->ecosystem };
	memcpy(p->release, r->release, sizeof(p->release));
}

static void begin(void *ctx, const char *name, const char **attrs)
{
	struct reading *r = ctx;

	if (streq(name, "update")) {
		forget_update(r);
		r->inside = r->any = true;
		r->security = streq(advisory_xml_attribute(attrs, "type"), "security");
	} else if (r->inside && r->security && streq(name, "reference")) {
		find_cves(r, advisory_xml_attribute(attrs, "id"));
		find_cves(r, advisory_xml_attribute(attrs, "title"));
	} else if (r->inside && r->security && streq(name, "package")) {
		add_package(r, attrs);
	}
}

static int give(struct reading *r)
{
	struct advisory_row row = { .advisory = r->id, .status = ADVISORY_AFFECTED, .binary = true, .level = r->level, .summary = r->title };
	int err = r->sink->drop(r->sink->ctx, r->id, r->x.e);

	if (!r->cves)
		strv_add_copy(&r->cves, r->id);
	for (size_t i = 0; err == 0 && i < r->n; i++) {
		row.ecosystem = r->packages[i].ecosystem;
		row.release = r->packages[i].release;
		row.package = r->packages[i].name;
		row.fixed = r->packages[i].version;
		strv_foreach(cve, r->cves) {
			row.id = *cve;
			if (err == 0)
				err = r->sink->row(r->sink->ctx, &row, r->x.e);
		}
	}
	return err;
}

static void end(void *ctx, const char *name, const char *text)
{
	struct reading *r = ctx;

	if (!r->inside)
		return;
	if (streq(name, "id") && !r->id) {
		r->id = *text ? xstrdup(text) : NULL;
	} else if (streq(name, "title") && !r->title) {
		r->title = xstrdup(text);
	} else if (streq(name, "severity")) {
		r->level = advisory_level_of_word(text);
	} else if (streq(name, "name")) {
		read_collection(r, text);
	} else if (streq(name, "update")) {
		if (r->security && !r->id)
			advisory_xml_fail(&r->x, "an update without an id");
		else if (r->security) {
			int err = give(r);

			if (err < 0) {
				r->x.failed = err;
				XML_StopParser(r->x.xml, XML_FALSE);
			}
		}
		forget_update(r);
	}
}

int advisory_parse_updateinfo(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	static const struct advisory_feed feed = { "updateinfo", 1, true };
	struct reading r = { .x = { .what = what, .e = e }, .sink = sink };
	int err = sink->feed(sink->ctx, &feed, NULL, e);

	if (err < 0)
		return err;
	forget_update(&r);
	err = advisory_xml_run(&r.x, data, n, begin, end);
	if (err == 0 && !r.any)
		err = error_set(e, EBADMSG, "%s: no update in it", what);
	forget_update(&r);
	free(r.packages);
	return err;
}
