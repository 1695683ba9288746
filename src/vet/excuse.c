/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/excuse.h"

#include "base/cleanup.h"
#include "vet/purl.h"

#include <string.h>

struct excuse *excuse_add(struct excuses *x, enum excuse_kind kind, const char *source)
{
	if (x->n == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 16;
		x->list = xrealloc(x->list, x->cap, sizeof(*x->list));
	}
	x->list[x->n] = (struct excuse){ .kind = kind, .source = source };
	return &x->list[x->n++];
}

void excuses_free(struct excuses *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct excuse *one = &x->list[i];

		for (size_t k = 0; k < one->n_products; k++) {
			free(one->products[k].purl);
			strv_free(one->products[k].parts);
		}
		free(one->products);
		strv_free(one->ids);
		free(one->package);
		free(one->until);
		free(one->reason);
	}
	free(x->list);
	*x = (struct excuses){ 0 };
}

/* A day of the calendar, "2026-12-31". */
static bool is_day(const char *s)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int month, day;

	if (strlen(s) != 10 || s[4] != '-' || s[7] != '-')
		return false;
	for (int i = 0; i < 10; i++)
		if (i != 4 && i != 7 && (s[i] < '0' || s[i] > '9'))
			return false;
	month = (s[5] - '0') * 10 + s[6] - '0';
	day = (s[8] - '0') * 10 + s[9] - '0';
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

static int read_ignore(const char *what, size_t number, char *line, struct excuses *out, struct error *e)
{
	char *at = NULL, *id = strtok_r(line, " \t\r", &at), *package = id ? strtok_r(NULL, " \t\r", &at) : NULL,
	     *until = package ? strtok_r(NULL, " \t\r", &at) : NULL, *reason = until ? at + strspn(at, " \t") : NULL;
	struct excuse *x;
	size_t n;

	if (!id || *id == '#')
		return 0;
	if (!until)
		return error_set(e, EBADMSG, "%s line %zu: expected ID PACKAGE UNTIL REASON", what, number);
	if (!is_day(until))
		return error_set(e, EBADMSG, "%s line %zu: %s is no day like 2026-12-31", what, number, until);
	n = strlen(reason);
	while (n > 0 && strchr(" \t\r", reason[n - 1]))
		reason[--n] = 0;
	if (n == 0)
		return error_set(e, EBADMSG, "%s line %zu: %s is ignored without a reason", what, number, id);
	x = excuse_add(out, EXCUSE_IGNORED, what);
	strv_add_copy(&x->ids, id);
	x->package = streq(package, "*") ? NULL : xstrdup(package);
	x->until = xstrdup(until);
	x->reason = xstrdup(reason);
	x->line = number;
	return 0;
}

int excuse_parse_ignore(const char *what, const char *data, size_t n, struct excuses *out, struct error *e)
{
	const char *end = data + n;
	size_t number = 0;
	int r = 0;

	for (const char *s = data; r == 0 && s < end;) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t len = nl ? (size_t)(nl - s) : (size_t)(end - s);
		_cleanup_free_ char *line = NULL;

		number++;
		if (memchr(s, 0, len))
			return error_set(e, EBADMSG, "%s line %zu: no text", what, number);
		line = xstrndup(s, len);
		r = read_ignore(what, number, line, out, e);
		s = nl ? nl + 1 : end;
	}
	return r;
}

static bool about(const struct excuse *x, const struct excuse_subject *s);

const struct excuse *excuse_find(const struct excuses *x, const struct excuse_subject *s)
{
	const struct excuse *ignored = NULL, *vex = NULL;

	for (size_t i = 0; i < x->n; i++) {
		const struct excuse *one = &x->list[i];

		if (!strv_has(one->ids, s->id) || excuse_expired(one, s->today) || !about(one, s))
			continue;
		if (one->kind == EXCUSE_IGNORED)
			ignored = ignored ? ignored : one;
		else if (!vex || one->time >= vex->time)
			vex = one;
	}
	if (vex && vex->kind != EXCUSE_NOT_AFFECTED && vex->kind != EXCUSE_FIXED)
		vex = NULL;
	return ignored ? ignored : vex;
}

/* ---- package URLs ---- */

/* Everything that `wanted` says holds for `have`. */
static bool purl_covers(const struct purl *wanted, const struct purl *have)
{
	const char *s = wanted->qualifiers;

	if (strcasecmp(wanted->name, have->name) != 0 || (wanted->version && !streq(wanted->version, have->version)))
		return false;
	for (; s && *s; s += strcspn(s, "&"), s += *s == '&') {
		size_t n = strcspn(s, "=&");
		_cleanup_free_ char *a = purl_qualifier(wanted, s, n), *b = purl_qualifier(have, s, n);

		if (a && !streq(a, b))
			return false;
	}
	return true;
}

static bool covers_text(const char *wanted, const char *have)
{
	struct purl a, b;
	bool yes = purl_read(wanted, &a);

	yes = purl_read(have, &b) && yes && purl_covers(&a, &b);
	purl_free(&a);
	purl_free(&b);
	return yes;
}

/* The package itself, or the source package that it was made of (arch=source). */
static bool covers_entry(const char *wanted, const json_t *entry)
{
	const char *purl = json_string_value(json_object_get(entry, "purl")),
		   *type = json_string_value(json_object_get(entry, "type")),
		   *distro = json_string_value(json_object_get(json_object_get(entry, "distro"), "id")),
		   *source = json_string_value(json_object_get(json_object_get(entry, "source"), "name")),
		   *version = json_string_value(json_object_get(json_object_get(entry, "source"), "version"));
	_cleanup_free_ char *of_source = NULL;

	if (purl && covers_text(wanted, purl))
		return true;
	if (!type || !source)
		return false;
	if (!version)
		version = json_string_value(json_object_get(entry, "version"));
	of_source = xasprintf("pkg:%s%s%s/%s@%s?arch=source", type, distro ? "/" : "", distro ? distro : "",
		source, version ? version : "");
	return covers_text(wanted, of_source);
}

static bool covers_any(const char *wanted, const json_t *packages)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((json_t *)packages, i, entry)
		if (covers_entry(wanted, entry))
			return true;
	return false;
}

/* Is it this image? By digest where one is named, else by the last part of its name. */
static bool is_image(const char *wanted, const struct excuse_subject *s)
{
	struct purl p;
	bool yes = purl_read(wanted, &p) && (str_after(p.name, "oci/") || str_after(p.name, "docker/"));
	const char *hash = yes && p.version ? str_after(p.version, "sha256:") : NULL;

	if (yes && hash) {
		yes = streq(hash, s->digest);
	} else if (yes) {
		const char *name = strrchr(p.name, '/') + 1,
			   *slash = s->image ? strrchr(s->image, '/') : NULL,
			   *have = slash ? slash + 1 : s->image;
		size_t n = have ? strcspn(have, ":@") : 0;

		yes = have && strlen(name) == n && strncmp(name, have, n) == 0 &&
		      (!p.version || (have[n] == ':' && streq(have + n + 1, p.version)));
	}
	purl_free(&p);
	return yes;
}

static bool about_product(const struct excuse_product *p, const struct excuse_subject *s)
{
	if (covers_any(p->purl, s->packages))
		return true;
	if (!is_image(p->purl, s))
		return false;
	strv_foreach(part, p->parts)
		if (covers_any(*part, s->packages))
			return true;
	return !p->parts;
}

static bool about(const struct excuse *x, const struct excuse_subject *s)
{
	const json_t *entry;
	size_t i;

	if (x->kind != EXCUSE_IGNORED) {
		for (i = 0; i < x->n_products; i++)
			if (about_product(&x->products[i], s))
				return true;
		return false;
	}
	if (!x->package || streq(x->package, s->package))
		return true;
	json_array_foreach((json_t *)s->packages, i, entry)
		if (streq(x->package, json_string_value(json_object_get(entry, "name"))))
			return true;
	return false;
}
