/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/version.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

/* ctype.h without the locale: what counts is ASCII. */
static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

int version_compare_numbers(struct vpart a, struct vpart b)
{
	while (a.n > 0 && *a.s == '0')
		a.s++, a.n--;
	while (b.n > 0 && *b.s == '0')
		b.s++, b.n--;
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return a.n ? sign(memcmp(a.s, b.s, a.n)) : 0;
}

int version_compare_bytes(struct vpart a, struct vpart b)
{
	unsigned n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.s, b.s, n) : 0;

	return r ? sign(r) : (a.n > b.n) - (a.n < b.n);
}

static struct vpart whole(const char *s)
{
	size_t n = strlen(s);

	return (struct vpart){ s, n < INT_MAX ? (unsigned)n : INT_MAX };
}

/* The digits at the front, taken off. */
static struct vpart take_digits(struct vpart *from)
{
	struct vpart out = { from->s, 0 };

	while (out.n < from->n && digit(out.s[out.n]))
		out.n++;
	from->s += out.n;
	from->n -= out.n;
	return out;
}

/* ---- dpkg ---- */

struct evr {
	struct vpart epoch, version, release;
	bool has_release;
};

/* In a part without digits: the tilde before the end, the end before letters, letters before the rest. */
static int dpkg_weight(const struct vpart *p)
{
	if (p->n == 0 || digit(*p->s))
		return 0;
	if (*p->s == '~')
		return -1;
	return letter(*p->s) ? *p->s : 256 + (unsigned char)*p->s;
}

static int dpkg_part(struct vpart a, struct vpart b)
{
	while (a.n > 0 || b.n > 0) {
		int r;

		while ((a.n > 0 && !digit(*a.s)) || (b.n > 0 && !digit(*b.s))) {
			int wa = dpkg_weight(&a), wb = dpkg_weight(&b);

			if (wa != wb)
				return wa < wb ? -1 : 1;
			if (a.n > 0)
				a.s++, a.n--;
			if (b.n > 0)
				b.s++, b.n--;
		}
		r = version_compare_numbers(take_digits(&a), take_digits(&b));
		if (r)
			return r;
	}
	return 0;
}

/* Blanks around it do not count. */
static struct evr dpkg_split(const char *s)
{
	struct vpart v = whole(s + strspn(s, " \t\n"));
	struct evr out = { .epoch = { "", 0 }, .version = { "", 0 }, .release = { "", 0 } };
	const char *colon;

	while (v.n > 0 && strchr(" \t\n", v.s[v.n - 1]))
		v.n--;
	colon = memchr(v.s, ':', v.n);
	if (colon) {
		out.epoch = (struct vpart){ v.s, (unsigned)(colon - v.s) };
		v.n -= out.epoch.n + 1;
		v.s = colon + 1;
	}
	out.version = v;
	for (unsigned i = v.n; i-- > 0;)
		if (v.s[i] == '-') {
			out.version.n = i;
			out.release = (struct vpart){ v.s + i + 1, v.n - i - 1 };
			break;
		}
	return out;
}

static int compare_dpkg(const char *a_, const char *b_)
{
	struct evr a = dpkg_split(a_), b = dpkg_split(b_);
	/* What is no number is no epoch that dpkg takes; as a part it still has an order. */
	int r = dpkg_part(a.epoch, b.epoch);

	if (r == 0)
		r = dpkg_part(a.version, b.version);
	return r ? r : dpkg_part(a.release, b.release);
}

/* ---- rpm ---- */

static void rpm_skip(struct vpart *p)
{
	while (p->n > 0 && !digit(*p->s) && !letter(*p->s) && *p->s != '~' && *p->s != '^')
		p->s++, p->n--;
}

static struct vpart rpm_take_letters(struct vpart *from)
{
	struct vpart out = { from->s, 0 };

	while (out.n < from->n && letter(out.s[out.n]))
		out.n++;
	from->s += out.n;
	from->n -= out.n;
	return out;
}

/* '~' is older than the end, '^' is newer than the end and older than anything else. 2: neither stands here. */
static int rpm_mark(struct vpart *a, struct vpart *b)
{
	bool at = a->n && *a->s == '~', bt = b->n && *b->s == '~', ac = a->n && *a->s == '^', bc = b->n && *b->s == '^';

	if (at != bt)
		return at ? -1 : 1;
	if (!at && ac != bc) {
		if (ac)
			return b->n ? -1 : 1;
		return a->n ? 1 : -1;
	}
	if (!at && !ac)
		return 2;
	a->s++, a->n--;
	b->s++, b->n--;
	return 0;
}

static int rpm_part(struct vpart a, struct vpart b)
{
	while (a.n > 0 || b.n > 0) {
		int r;

		rpm_skip(&a);
		rpm_skip(&b);
		r = rpm_mark(&a, &b);
		if (r == 0)
			continue;
		if (r != 2)
			return r;
		if (a.n == 0 || b.n == 0)
			break;
		/* A run of digits is newer than a run of letters. */
		if (digit(*a.s) != digit(*b.s))
			return digit(*a.s) ? 1 : -1;
		r = digit(*a.s) ? version_compare_numbers(take_digits(&a), take_digits(&b)) :
				  version_compare_bytes(rpm_take_letters(&a), rpm_take_letters(&b));
		if (r)
			return r;
	}
	return (a.n > 0) - (b.n > 0);
}

static struct evr rpm_split(const char *s)
{
	struct vpart v = whole(s), epoch = take_digits(&v);
	struct evr out = { .epoch = { "", 0 }, .version = { "", 0 }, .release = { "", 0 } };

	if (v.n > 0 && *v.s == ':') {
		out.epoch = epoch;
		v.s++, v.n--;
	} else {
		v = whole(s);
	}
	out.version = v;
	for (unsigned i = v.n; i-- > 0;)
		if (v.s[i] == '-') {
			out.version.n = i;
			out.release = (struct vpart){ v.s + i + 1, v.n - i - 1 };
			out.has_release = true;
			break;
		}
	return out;
}

static int compare_rpm(const char *a_, const char *b_)
{
	struct evr a = rpm_split(a_), b = rpm_split(b_);
	int r = version_compare_numbers(a.epoch, b.epoch);

	if (r == 0)
		r = rpm_part(a.version, b.version);
	if (r == 0 && a.has_release != b.has_release)
		return a.has_release ? 1 : -1;
	return r ? r : rpm_part(a.release, b.release);
}

/* ---- apk ---- */

/* In the order in which they may follow each other, which is also the order of versions that differ in kind. */
enum apk_kind { APK_FIRST, APK_NUMBER, APK_LETTER, APK_SUFFIX, APK_SUFFIX_NUMBER, APK_HASH, APK_REVISION, APK_END, APK_WRONG };

struct apk_token {
	enum apk_kind kind;
	struct vpart value;
	int suffix; /* below 0: before the version without one */
};

static enum apk_kind apk_digits(struct apk_token *t, struct vpart *rest, enum apk_kind kind)
{
	t->value = take_digits(rest);
	return t->value.n ? kind : APK_WRONG;
}

static enum apk_kind apk_suffix(struct apk_token *t, struct vpart *rest)
{
	static const char *const names[] = { "alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p" };
	struct vpart v = { rest->s, 0 };

	while (v.n < rest->n && v.s[v.n] >= 'a' && v.s[v.n] <= 'z')
		v.n++;
	rest->s += v.n;
	rest->n -= v.n;
	for (int i = 0; v.n && i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strlen(names[i]) == v.n && memcmp(names[i], v.s, v.n) == 0) {
			t->suffix = i - 4;
			t->value = v;
			return APK_SUFFIX;
		}
	return APK_WRONG;
}

static enum apk_kind apk_hash(struct apk_token *t, struct vpart *rest)
{
	t->value = (struct vpart){ rest->s, 0 };
	while (rest->n && (digit(*rest->s) || (*rest->s >= 'a' && *rest->s <= 'f')))
		rest->s++, rest->n--, t->value.n++;
	return t->value.n ? APK_HASH : APK_WRONG;
}

static void apk_next(struct apk_token *t, struct vpart *rest)
{
	enum apk_kind before = t->kind;
	char c = rest->n ? *rest->s : 0;

	t->kind = APK_WRONG;
	if (rest->n == 0) {
		t->kind = APK_END;
	} else if (c >= 'a' && c <= 'z' && before <= APK_NUMBER) {
		t->value = (struct vpart){ rest->s, 1 };
		t->kind = APK_LETTER;
		rest->s++, rest->n--;
	} else if (c == '.' && before <= APK_NUMBER) {
		rest->s++, rest->n--;
		t->kind = apk_digits(t, rest, APK_NUMBER);
	} else if (digit(c) && before == APK_SUFFIX) {
		t->kind = apk_digits(t, rest, APK_SUFFIX_NUMBER);
	} else if (c == '_' && before <= APK_SUFFIX_NUMBER) {
		rest->s++, rest->n--;
		t->kind = apk_suffix(t, rest);
	} else if (c == '~' && before < APK_HASH) {
		rest->s++, rest->n--;
		t->kind = apk_hash(t, rest);
	} else if (c == '-' && before < APK_REVISION && rest->n > 1 && rest->s[1] == 'r') {
		rest->s += 2, rest->n -= 2;
		t->kind = apk_digits(t, rest, APK_REVISION);
	}
}

static int apk_compare_token(const struct apk_token *a, const struct apk_token *b)
{
	switch (a->kind) {
	case APK_NUMBER:
		/* Beyond the first number a leading zero makes both fractions. */
		if (*a->value.s != '0' && *b->value.s != '0')
			return version_compare_numbers(a->value, b->value);
		return version_compare_bytes(a->value, b->value);
	case APK_FIRST:
	case APK_SUFFIX_NUMBER:
	case APK_REVISION:
		return version_compare_numbers(a->value, b->value);
	case APK_SUFFIX:
		return (a->suffix > b->suffix) - (a->suffix < b->suffix);
	default:
		return version_compare_bytes(a->value, b->value);
	}
}

static int compare_apk(const char *a_, const char *b_)
{
	struct vpart ar = whole(a_), br = whole(b_);
	struct apk_token a = { .kind = APK_FIRST }, b = { .kind = APK_FIRST };

	a.kind = apk_digits(&a, &ar, APK_FIRST);
	b.kind = apk_digits(&b, &br, APK_FIRST);
	while (a.kind == b.kind && a.kind < APK_END) {
		int r = apk_compare_token(&a, &b);

		if (r)
			return r;
		apk_next(&a, &ar);
		apk_next(&b, &br);
	}
	if (a.kind == b.kind)
		return 0;
	/* What has more is newer, but for alpha, beta, pre and rc. */
	if (a.kind == APK_SUFFIX && a.suffix < 0)
		return -1;
	if (b.kind == APK_SUFFIX && b.suffix < 0)
		return 1;
	return a.kind > b.kind ? -1 : 1;
}

int version_compare(enum version_scheme s, const char *a, const char *b)
{
	switch (s) {
	case VERSION_DPKG:
		return compare_dpkg(a, b);
	case VERSION_RPM:
		return compare_rpm(a, b);
	case VERSION_APK:
		return compare_apk(a, b);
	case VERSION_SEMVER:
		return version_compare_semver(a, b);
	case VERSION_PEP440:
		return version_compare_pep440(a, b);
	case VERSION_MAVEN:
		return version_compare_maven(a, b);
	case VERSION_GEM:
		return version_compare_gem(a, b);
	case VERSION_SCHEMES:
		break;
	}
	return sign(strcmp(a, b));
}
