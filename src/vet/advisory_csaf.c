/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSAF 2.0 (docs.oasis-open.org/csaf/csaf/v2.0): profiles "security advisory" and "VEX", as Red Hat and SUSE publish them. A tree of
 * branches names products; some are distributions (by their CPE), some packages (by their package URL, or by a name like an rpm file's).
 * Relationships make of both "this package of that distribution", sometimes with a module stream between. What a vulnerability says
 * of such a product is one statement; products that are of no distribution which brig compares are counted as left out, and so are the
 * streams of a distribution that cost extra (EUS, LTSS), whose fixes are in no archive that everybody has.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/purl.h"

#include <string.h>

enum { DEPTH_MAX = 32, CHAIN_MAX = 8, PRODUCTS_MAX = 2000000 };

struct csaf {
	const char *what;
	struct advisory_sink *sink;
	struct error *e;
	json_t *products;  /* id -> full product name object (borrowed inside) */
	json_t *relations; /* id -> relationship */
	const char *advisory, *title;
	int level; /* of the whole document */
	/* of one vulnerability */
	const char *id;
	json_t *levels, *scores, *remedies, *said;
};

/* --- products ----------------------------------------------------------------------------------------------------- */

static int add_product(struct csaf *c, const json_t *product)
{
	const char *id = json_string_value(json_object_get(product, "product_id"));

	if (!id || !*id)
		return error_set(c->e, EBADMSG, "%s: a product without product_id", c->what);
	if (json_object_size(c->products) >= PRODUCTS_MAX)
		return error_set(c->e, EBADMSG, "%s: more than %d products", c->what, PRODUCTS_MAX);
	json_object_set(c->products, id, (json_t *)(uintptr_t)product);
	return 0;
}

static int walk(struct csaf *c, const json_t *branches, int depth)
{
	const json_t *branch;
	size_t i;
	int r = 0;

	if (branches && !json_is_array(branches))
		return error_set(c->e, EBADMSG, "%s: branches that are no list", c->what);
	if (depth > DEPTH_MAX)
		return error_set(c->e, EBADMSG, "%s: branches nested too deep", c->what);
	json_array_foreach((json_t *)branches, i, branch) {
		const json_t *product = json_object_get(branch, "product");

		if (product)
			r = add_product(c, product);
		if (r == 0)
			r = walk(c, json_object_get(branch, "branches"), depth + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_tree(struct csaf *c, const json_t *tree)
{
	const json_t *one;
	size_t i;
	int r = walk(c, json_object_get(tree, "branches"), 0);

	json_array_foreach(json_object_get(tree, "full_product_names"), i, one)
		if (r == 0)
			r = add_product(c, one);
	json_array_foreach(json_object_get(tree, "relationships"), i, one) {
		const json_t *full = json_object_get(one, "full_product_name");
		const char *id = json_string_value(json_object_get(full, "product_id"));

		if (r == 0 && !id)
			r = error_set(c->e, EBADMSG, "%s: relationships[%zu] makes no product", c->what, i);
		if (r == 0)
			json_object_set(c->relations, id, (json_t *)(uintptr_t)one);
	}
	return r;
}

/* --- which distribution ------------------------------------------------------------------------------------------- */

struct place {
	const char *ecosystem;
	char release[16];
};

static bool set_release(struct place *p, const char *version, size_t n, const char *pack)
{
	size_t more = pack ? strlen(pack) + 1 : 0;

	if (n == 0 || n + more >= sizeof(p->release) || strspn(version, "0123456789.") < n)
		return false;
	snprintf(p->release, sizeof(p->release), "%.*s%s%s", (int)n, version, pack ? "." : "", pack ? pack : "");
	return true;
}

/* cpe:/o:redhat:enterprise_linux:8::baseos, also cpe:/a: for AppStream; what follows the number's dot (EUS) is another product's. */
static bool read_redhat(const char *rest, struct place *p)
{
	const char *version = str_after(rest, "enterprise_linux:");
	size_t n = version ? strspn(version, "0123456789") : 0;

	p->ecosystem = "rpm/rhel";
	/* 10.0, 10.1 are how Red Hat names the minor releases of the main stream since 10. */
	return version && (version[n] == 0 || version[n] == ':' || (version[n] == '.' && n == 2)) && set_release(p, version, n, NULL);
}

/* cpe:/o:suse:sles:15:sp5, cpe:/o:suse:sle-module-basesystem:15:sp5 */
static bool read_suse(const char *rest, struct place *p)
{
	const char *colon = strchr(rest, ':'), *version = colon ? colon + 1 : NULL, *pack;
	size_t name = colon ? (size_t)(colon - rest) : 0, n = version ? strspn(version, "0123456789.") : 0;
	char number[4] = "";

	if (n == 0 || (strncmp(rest, "sle-module-", 11) != 0 && !(name == 4 && (!strncmp(rest, "sles", 4) || !strncmp(rest, "sled", 4)))))
		return false;
	p->ecosystem = "rpm/sles";
	pack = str_after(version + n, ":sp");
	if (pack)
		snprintf(number, sizeof(number), "%.*s", (int)strspn(pack, "0123456789"), pack);
	return set_release(p, version, n, number[0] ? number : NULL);
}

static bool read_opensuse(const char *rest, struct place *p)
{
	const char *version = str_after(rest, "leap:");

	if (str_after(rest, "tumbleweed")) {
		*p = (struct place){ .ecosystem = "rpm/opensuse-tumbleweed" };
		return true;
	}
	p->ecosystem = "rpm/opensuse-leap";
	return version && set_release(p, version, strspn(version, "0123456789."), NULL);
}

static bool read_place(const json_t *product, struct place *p)
{
	static const struct {
		const char *vendor;
		bool (*read)(const char *rest, struct place *p);
	} vendors[] = { { "redhat:", read_redhat }, { "suse:", read_suse }, { "opensuse:", read_opensuse } };
	const char *cpe = json_string_value(json_object_get(json_object_get(product, "product_identification_helper"), "cpe"));
	const char *rest = cpe ? str_after(cpe, "cpe:/o:") : NULL;

	if (cpe && !rest)
		rest = str_after(cpe, "cpe:/a:");
	if (cpe && !rest)
		rest = str_after(cpe, "cpe:2.3:o:");
	if (cpe && !rest)
		rest = str_after(cpe, "cpe:2.3:a:");
	for (size_t i = 0; rest && i < ARRAY_SIZE(vendors); i++) {
		const char *after = str_after(rest, vendors[i].vendor);

		if (after)
			return vendors[i].read(after, p);
	}
	return false;
}

/* --- which package ------------------------------------------------------------------------------------------------ */

struct package {
	char *name, *version, *module; /* version NULL: all of them; module NULL: none */
	bool source;
};

static void package_free(struct package *p)
{
	free(p->name);
	free(p->version);
	free(p->module);
}
#define _cleanup_package_ __attribute__((cleanup(package_free)))

/* "nodejs:12:8040020210708131418:522a0ee4" is the stream nodejs:12. */
static char *module_stream(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon ? xstrndup(text, (size_t)(colon - text) + 1 + strcspn(colon + 1, ":")) : NULL;
}

static bool package_of_purl(const char *text, struct package *out)
{
	_cleanup_purl_ struct purl p = { 0 };
	_cleanup_free_ char *arch = NULL, *epoch = NULL, *module = NULL;
	const char *slash;

	if (!purl_read(text, &p))
		return false;
	slash = strrchr(p.name, '/');
	if (!slash || !slash[1])
		return false;
	if (str_after(p.name, "rpmmod/") && !out->name) { /* a module alone: pkg:rpmmod/redhat/nodejs@12:8040...:522a */
		out->module = p.version ? xasprintf("%s:%.*s", slash + 1, (int)strcspn(p.version, ":"), p.version) : NULL;
		return false;
	}
	if (!str_after(p.name, "rpm/"))
		return false;
	arch = purl_qualifier(&p, "arch", 4);
	epoch = purl_qualifier(&p, "epoch", 5);
	module = purl_qualifier(&p, "rpmmod", 6);
	out->name = xstrdup(slash + 1);
	out->source = !arch || streq(arch, "src") || streq(arch, "nosrc");
	if (p.version && epoch && !streq(epoch, "0"))
		out->version = xasprintf("%s:%s", epoch, p.version);
	else
		out->version = xstrdup(p.version);
	if (module)
		out->module = module_stream(module);
	return true;
}

/* "openssl-1_1-1:1.1.1l-150500.17.22.1.x86_64", as SUSE has it, or a bare name. */
static bool package_of_name(const char *text, struct package *out)
{
	static const char *const archs[] = { "x86_64", "aarch64", "noarch", "ppc64le", "s390x", "i586", "i686", "src", "nosrc" };
	const char *dot = strrchr(text, '.'), *dash[2] = { NULL, NULL };
	bool known = false;

	for (size_t i = 0; dot && i < ARRAY_SIZE(archs); i++)
		known = known || streq(dot + 1, archs[i]);
	if (strpbrk(text, " /") || !*text)
		return false;
	if (!known) {
		out->name = xstrdup(text);
		out->source = true;
		return true;
	}
	for (const char *s = dot, *k = NULL; s > text && !dash[1]; s--)
		if (s[-1] == '-') {
			dash[k != NULL] = s - 1;
			k = s;
		}
	if (!dash[1] || dash[1] == text)
		return false;
	out->name = xstrndup(text, (size_t)(dash[1] - text));
	out->version = xstrndup(dash[1] + 1, (size_t)(dot - dash[1] - 1));
	out->source = str_ends(dot, "src");
	return true;
}

static bool read_package(const json_t *product, struct package *out)
{
	const char *purl = json_string_value(json_object_get(json_object_get(product, "product_identification_helper"), "purl"));
	const char *name = json_string_value(json_object_get(product, "name"));

	if (purl)
		return package_of_purl(purl, out);
	return name && package_of_name(name, out);
}

/* The package and the distribution that a product is, over what relates it; false: it is not both. */
static bool resolve(const struct csaf *c, const char *id, struct package *pkg, struct place *place, int depth)
{
	for (int i = 0; i < CHAIN_MAX && depth > 0; i++) {
		const json_t *relation = json_object_get(c->relations, id), *product;
		const char *part = json_string_value(json_object_get(relation, "product_reference"));

		if (!relation)
			return read_place(json_object_get(c->products, id), place) && pkg->name;
		product = part ? json_object_get(c->products, part) : NULL;
		/* A part may be a product that relationships made: a package of a module. */
		if (!product && part && json_object_get(c->relations, part)) {
			struct place none;

			resolve(c, part, pkg, &none, depth - 1);
		} else if (!pkg->name) {
			read_package(product, pkg);
		} else if (!pkg->module) {
			struct package module = { .name = NULL };

			read_package(product, &module);
			pkg->module = steal_ptr(&module.module);
			package_free(&module);
		}
		id = json_string_value(json_object_get(relation, "relates_to_product_reference"));
		if (!id)
			return false;
	}
	return false;
}

/* --- what is said ------------------------------------------------------------------------------------------------- */

static void note_each(json_t *into, const json_t *ids, json_t *value)
{
	const json_t *id;
	size_t i;

	json_array_foreach((json_t *)ids, i, id)
		if (json_is_string(id) && !json_object_get(into, json_string_value(id)))
			json_object_set(into, json_string_value(id), value);
	json_decref(value);
}

static double score_of(const json_t *score)
{
	static const char *const versions[] = { "cvss_v4", "cvss_v3", "cvss_v2" };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		const json_t *v = json_object_get(score, versions[i]), *base = json_object_get(v, "baseScore");
		double given = json_is_number(base) ? json_number_value(base) : advisory_cvss(json_string_value(json_object_get(v, "vectorString")));

		if (given > 0 && given <= 10)
			return given;
	}
	return 0;
}

static void read_scores(struct csaf *c, const json_t *v)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(v, "scores"), i, one)
		note_each(c->scores, json_object_get(one, "products"), json_real(score_of(one)));
	json_array_foreach(json_object_get(v, "threats"), i, one) {
		int level = advisory_level_of_word(json_string_value(json_object_get(one, "details")));

		if (!streq(json_string_value(json_object_get(one, "category")), "impact") || level == ADVISORY_NO_LEVEL)
			continue;
		if (json_array_size(json_object_get(one, "product_ids")) == 0)
			json_object_set_new(c->levels, "", json_integer(level));
		note_each(c->levels, json_object_get(one, "product_ids"), json_integer(level));
	}
	json_array_foreach(json_object_get(v, "remediations"), i, one) {
		const char *category = json_string_value(json_object_get(one, "category")), *details = json_string_value(json_object_get(one, "details"));

		/* Red Hat's words (redhatproductsecurity.github.io/security-data-guidelines/csaf-vex). */
		if (streq(category, "no_fix_planned"))
			note_each(c->remedies, json_object_get(one, "product_ids"),
				  json_integer(details && strstr(details, "Out of support") ? ADVISORY_EOL : ADVISORY_MINOR));
	}
}

static const char *description(const json_t *v)
{
	const char *title = json_string_value(json_object_get(v, "title"));
	const json_t *note;
	size_t i;

	if (title)
		return title;
	json_array_foreach(json_object_get(v, "notes"), i, note) {
		const char *category = json_string_value(json_object_get(note, "category"));

		if (streq(category, "description") || streq(category, "summary") || streq(category, "general"))
			return json_string_value(json_object_get(note, "text"));
	}
	return NULL;
}

/* The same package of several architectures is one statement. */
static bool said_already(struct csaf *c, const struct place *place, const struct package *pkg, enum advisory_status status)
{
	_cleanup_free_ char *key = xasprintf("%s %s %s%d %s %s %d", place->ecosystem, place->release, pkg->name, pkg->source,
					     pkg->version ? pkg->version : "", pkg->module ? pkg->module : "", (int)status);

	if (json_object_get(c->said, key))
		return true;
	json_object_set_new(c->said, key, json_true());
	return false;
}

struct kind {
	const char *list;
	enum advisory_status status;
	bool fixed, last;
};

static int give(struct csaf *c, const json_t *v, const struct kind *kind, const char *product)
{
	_cleanup_package_ struct package pkg = { .name = NULL };
	struct place place = { .ecosystem = NULL };
	struct advisory_row row = { .status = kind->status, .id = c->id, .advisory = c->advisory, .summary = description(v) };
	const json_t *level, *remedy = json_object_get(c->remedies, product);

	if (!resolve(c, product, &pkg, &place, 3) || ((kind->fixed || kind->last) && !pkg.version)) {
		c->sink->left_out++;
		return 0;
	}
	if (remedy && row.status == ADVISORY_AFFECTED && !kind->fixed)
		row.status = (enum advisory_status)json_integer_value(remedy);
	if (said_already(c, &place, &pkg, row.status))
		return 0;
	level = json_object_get(c->levels, product);
	if (!level)
		level = json_object_get(c->levels, "");
	row.level = level ? (int)json_integer_value(level) : c->level;
	row.cvss = json_real_value(json_object_get(c->scores, product));
	row.ecosystem = place.ecosystem;
	row.release = place.release;
	row.package = pkg.name;
	row.binary = !pkg.source;
	row.module = pkg.module;
	if (!row.summary)
		row.summary = c->title;
	if (kind->fixed)
		row.fixed = pkg.version;
	else if (kind->last)
		row.last = pkg.version;
	return c->sink->row(c->sink->ctx, &row, c->e);
}

static int read_status(struct csaf *c, const json_t *v)
{
	/* SUSE calls "recommended" what others call fixed. */
	static const struct kind kinds[] = {
		{ "fixed", ADVISORY_AFFECTED, true, false },
		{ "first_fixed", ADVISORY_AFFECTED, true, false },
		{ "recommended", ADVISORY_AFFECTED, true, false },
		{ "last_affected", ADVISORY_AFFECTED, false, true },
		{ "known_affected", ADVISORY_AFFECTED, false, false },
		{ "under_investigation", ADVISORY_UNDETERMINED, false, false },
		{ "known_not_affected", ADVISORY_NOT_AFFECTED, false, false },
	};
	const json_t *status = json_object_get(v, "product_status"), *id;
	size_t i;
	int r = 0;

	if (status && !json_is_object(status))
		return error_set(c->e, EBADMSG, "%s: product_status is no object", c->what);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		json_array_foreach(json_object_get(status, kinds[k].list), i, id) {
			if (!json_is_string(id))
				return error_set(c->e, EBADMSG, "%s: %s: no product's id", c->what, kinds[k].list);
			r = give(c, v, &kinds[k], json_string_value(id));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int read_vulnerability(struct csaf *c, const json_t *v)
{
	const char *cve = json_string_value(json_object_get(v, "cve"));
	int r;

	c->id = cve && advisory_is_cve(cve) ? cve : c->advisory;
	c->levels = json_object();
	c->scores = json_object();
	c->remedies = json_object();
	c->said = json_object();
	read_scores(c, v);
	r = read_status(c, v);
	json_decref(c->levels);
	json_decref(c->scores);
	json_decref(c->remedies);
	json_decref(c->said);
	return r;
}

static int read_document(struct csaf *c, const json_t *doc)
{
	static const struct advisory_feed feed = { "csaf", 1, true };
	const json_t *about = json_object_get(doc, "document"), *list = json_object_get(doc, "vulnerabilities"), *v;
	const char *version = json_string_value(json_object_get(about, "csaf_version"));
	size_t i;
	int r;

	if (!version || !str_after(version, "2."))
		return error_set(c->e, EBADMSG, "%s: not CSAF 2", c->what);
	c->advisory = json_string_value(json_object_get(json_object_get(about, "tracking"), "id"));
	if (!c->advisory || !*c->advisory)
		return error_set(c->e, EBADMSG, "%s: document.tracking.id is missing", c->what);
	c->title = json_string_value(json_object_get(about, "title"));
	c->level = advisory_level_of_word(json_string_value(json_object_get(json_object_get(about, "aggregate_severity"), "text")));
	if (list && !json_is_array(list))
		return error_set(c->e, EBADMSG, "%s: vulnerabilities is no list", c->what);
	r = c->sink->feed(c->sink->ctx, &feed, NULL, c->e);
	if (r == 0)
		r = c->sink->drop(c->sink->ctx, c->advisory, c->e);
	if (r == 0 && streq(json_string_value(json_object_get(about, "category")), "csaf_withdrawn")) {
		c->sink->left_out++;
		return 0;
	}
	if (r == 0)
		r = read_tree(c, json_object_get(doc, "product_tree"));
	json_array_foreach((json_t *)list, i, v) {
		if (r < 0)
			break;
		r = read_vulnerability(c, v);
	}
	return r;
}

int advisory_parse_csaf(const char *what, const char *data, size_t n, struct advisory_sink *sink, struct error *e)
{
	_cleanup_json_ json_t *doc = json_parse(data, n, what, e);
	struct csaf c = { .what = what, .sink = sink, .e = e };
	int r;

	if (!doc)
		return -EBADMSG;
	c.products = json_object();
	c.relations = json_object();
	r = read_document(&c, doc);
	json_decref(c.products);
	json_decref(c.relations);
	return r;
}
