/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/oval.h"

#include "base/cleanup.h"

#include <string.h>

enum { DEFS_MAX = 1 << 20, ITEMS_MAX = 1 << 22, TESTS_MAX = 1 << 16, CVES_MAX = 1 << 14 };

/* Room for one more of `size` bytes. */
static void *grow(void *list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return list;
	*cap = *cap ? *cap * 2 : 16;
	return xrealloc(list, *cap, size);
}

struct oval_def *oval_def_add(struct oval *o, const char *class)
{
	struct oval_def *d;

	if (o->n_defs >= DEFS_MAX)
		return NULL;
	o->defs = grow(o->defs, o->n_defs, &o->cap_defs, sizeof(struct oval_def *));
	d = o->defs[o->n_defs++] = xcalloc(1, sizeof(*d));
	d->patch = streq(class, "patch");
	d->level = ADVISORY_NO_LEVEL;
	return d;
}

struct oval_item *oval_item_add(struct oval *o, enum oval_list list, const char *id)
{
	struct oval_item *i;

	if (!id || o->n_items[list] >= ITEMS_MAX)
		return NULL;
	o->items[list] = grow(o->items[list], o->n_items[list], &o->cap_items[list], sizeof(struct oval_item *));
	i = o->items[list][o->n_items[list]++] = xcalloc(1, sizeof(*i));
	i->id = xstrdup(id);
	return i;
}

int oval_def_test(struct oval_def *d, const char *test, const char *module)
{
	if (d->n_tests >= TESTS_MAX)
		return -E2BIG;
	d->tests = grow(d->tests, d->n_tests, &d->cap_tests, sizeof(*d->tests));
	d->tests[d->n_tests++] = (struct oval_test){ xstrdup(test), xstrdup(module) };
	return 0;
}

void oval_def_cve(struct oval_def *d, const char *id, int level, double cvss)
{
	struct oval_cve *c = NULL;

	for (size_t i = 0; !c && i < d->n_cves; i++)
		if (streq(d->cves[i].id, id))
			c = &d->cves[i];
	if (!c) {
		if (d->n_cves >= CVES_MAX)
			return;
		d->cves = grow(d->cves, d->n_cves, &d->cap_cves, sizeof(*d->cves));
		c = &d->cves[d->n_cves++];
		*c = (struct oval_cve){ .id = xstrdup(id), .level = ADVISORY_NO_LEVEL };
	}
	if (level != ADVISORY_NO_LEVEL)
		c->level = level;
	if (cvss > 0)
		c->cvss = cvss;
}

static int by_id(const void *a, const void *b)
{
	return strcmp((*(struct oval_item *const *)a)->id, (*(struct oval_item *const *)b)->id);
}

static const struct oval_item *find(const struct oval *o, enum oval_list list, const char *id)
{
	struct oval_item key = { .id = (char *)id }, *k = &key, **found;

	if (!id || o->n_items[list] == 0)
		return NULL;
	found = bsearch(&k, o->items[list], o->n_items[list], sizeof(struct oval_item *), by_id);
	return found ? *found : NULL;
}

/* "Red Hat Enterprise Linux 8" as ecosystem and release; false: not one that brig compares. */
static bool read_platform(const char *platform, struct advisory_row *row, char release[static 16])
{
	static const struct {
		const char *prefix, *ecosystem;
	} known[] = {
		{ "Red Hat Enterprise Linux ", "rpm/rhel" }, { "Ubuntu ", "deb/ubuntu" },	{ "Debian GNU/Linux ", "deb/debian" },
		{ "Oracle Linux ", "rpm/ol" },		     { "AlmaLinux ", "rpm/almalinux" }, { "Rocky Linux ", "rpm/rocky" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *rest = str_after(platform, known[i].prefix);
		size_t n = rest ? strspn(rest, "0123456789.") : 0;

		if (n == 0 || n >= 16)
			continue;
		memcpy(release, rest, n);
		release[n] = 0;
		row->ecosystem = known[i].ecosystem;
		row->release = release;
		return true;
	}
	return false;
}

static int give_cves(const struct oval_def *d, struct advisory_row *row, struct advisory_sink *sink, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n_cves; i++) {
		row->id = d->cves[i].id;
		row->level = d->cves[i].level != ADVISORY_NO_LEVEL ? d->cves[i].level : d->level;
		row->cvss = d->cves[i].cvss;
		r = sink->row(sink->ctx, row, e);
	}
	if (d->n_cves)
		return r;
	row->id = row->advisory;
	row->level = d->level;
	return sink->row(sink->ctx, row, e);
}

/* For each name of the test's object. */
static int give_names(const struct oval *o, const struct oval_def *d, const struct oval_item *object, struct advisory_row *row,
		      struct advisory_sink *sink, struct error *e)
{
	const struct oval_item *variable = find(o, OVAL_VARIABLES, object->ref);

	strv_foreach(name, variable ? variable->values : object->values) {
		int r;

		if (!**name)
			continue;
		row->package = *name;
		r = give_cves(d, row, sink, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The version of the state that says "less than"; false: the test is about something else. */
static bool read_state(const struct oval *o, const struct oval_def *d, const struct oval_item *test, const char **fixed)
{
	*fixed = NULL;
	if (!test->values)
		return !d->patch; /* it is installed: enough for a vulnerability that nobody has fixed */
	strv_foreach(id, test->values) {
		const struct oval_item *state = find(o, OVAL_STATES, *id);

		if (state && state->less && state->values)
			*fixed = state->values[0];
	}
	return *fixed != NULL;
}

static int give_definition(const struct oval *o, const struct oval_def *d, struct advisory_row *row,
	struct advisory_sink *sink, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n_tests; i++) {
		const struct oval_item *test = find(o, OVAL_TESTS, d->tests[i].id),
				       *object = test ? find(o, OVAL_OBJECTS, test->ref) : NULL;

		if (!object || !read_state(o, d, test, &row->fixed))
			continue;
		row->module = d->tests[i].module;
		r = give_names(o, d, object, row, sink, e);
	}
	return r;
}

static int give_platforms(const struct oval *o, const struct oval_def *d, struct advisory_sink *sink, struct error *e)
{
	struct advisory_row row = { .binary = true, .summary = d->title, .level = d->level };
	char release[16];
	bool any = false;
	int r = 0;

	row.advisory = d->advisory ? d->advisory : d->n_cves ? d->cves[0].id : NULL;
	strv_foreach(platform, d->platforms) {
		if (r < 0 || !row.advisory || !read_platform(*platform, &row, release))
			continue;
		any = true;
		r = give_definition(o, d, &row, sink, e);
	}
	if (!any)
		sink->left_out++;
	return r;
}

/* Of the first platform that is known: a document is about one release. */
static char *feed_name(const struct oval *o)
{
	struct advisory_row row = { 0 };
	char release[16];

	for (size_t i = 0; i < o->n_defs; i++)
		strv_foreach(platform, o->defs[i]->platforms)
			if (read_platform(*platform, &row, release))
				return xasprintf("oval/%s/%s", row.ecosystem + 4, release);
	return NULL;
}

int oval_give(struct oval *o, const char *what, struct advisory_sink *sink, struct error *e)
{
	_cleanup_free_ char *name = feed_name(o);
	const struct advisory_feed feed = { name, 1, false };
	int r;

	if (!name)
		return error_set(e, EBADMSG, "%s: no definition for a distribution that is known", what);
	for (int i = 0; i < OVAL_LISTS; i++)
		if (o->n_items[i] > 1)
			qsort(o->items[i], o->n_items[i], sizeof(struct oval_item *), by_id);
	r = sink->feed(sink->ctx, &feed, o->published, e);
	for (size_t i = 0; r == 0 && i < o->n_defs; i++)
		r = give_platforms(o, o->defs[i], sink, e);
	return r;
}

static void free_def(struct oval_def *d)
{
	for (size_t i = 0; i < d->n_cves; i++)
		free(d->cves[i].id);
	for (size_t i = 0; i < d->n_tests; i++) {
		free(d->tests[i].id);
		free(d->tests[i].module);
	}
	free(d->cves);
	free(d->tests);
	free(d->advisory);
	free(d->title);
	strv_free(d->platforms);
	free(d);
}

void oval_free(struct oval *o)
{
	for (size_t i = 0; i < o->n_defs; i++)
		free_def(o->defs[i]);
	free(o->defs);
	for (int list = 0; list < OVAL_LISTS; list++) {
		for (size_t i = 0; i < o->n_items[list]; i++) {
			free(o->items[list][i]->id);
			free(o->items[list][i]->ref);
			strv_free(o->items[list][i]->values);
			free(o->items[list][i]);
		}
		free(o->items[list]);
	}
	free(o->published);
}
