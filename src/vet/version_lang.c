/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of language packages. Letters compare without case where the tools do so. */
#include "vet/version.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { PARTS_MAX = 64 }; /* of a version; what is behind them does not count */

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool letter(char c)
{
	c = lower(c);
	return c >= 'a' && c <= 'z';
}

static bool all_digits(struct vpart p)
{
	for (unsigned i = 0; i < p.n; i++)
		if (!digit(p.s[i]))
			return false;
	return p.n > 0;
}

static struct vpart run(const char **s, bool (*of)(char))
{
	struct vpart out = { *s, 0 };

	while (**s && of(**s)) {
		(*s)++;
		out.n++;
	}
	return out;
}

static int compare_nocase(struct vpart a, struct vpart b)
{
	for (unsigned i = 0; i < a.n && i < b.n; i++) {
		unsigned char ca = (unsigned char)lower(a.s[i]), cb = (unsigned char)lower(b.s[i]);

		if (ca != cb)
			return ca < cb ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* ---- semver ---- */

static bool in_identifier(char c)
{
	return c != '.' && c != '+';
}

static struct vpart semver_number(const char **s)
{
	struct vpart out = run(s, digit);

	if (**s == '.')
		(*s)++;
	return out;
}

static int semver_identifiers(const char *a, const char *b)
{
	for (;;) {
		struct vpart pa = run(&a, in_identifier), pb = run(&b, in_identifier);
		bool na = all_digits(pa), nb = all_digits(pb);
		int r;

		if (na != nb)
			return na ? -1 : 1;
		r = na ? version_compare_numbers(pa, pb) : version_compare_bytes(pa, pb);
		if (r)
			return r;
		if (*a != '.' || *b != '.')
			return (*a == '.') - (*b == '.');
		a++;
		b++;
	}
}

int version_compare_semver(const char *a, const char *b)
{
	int r;

	a += *a == 'v' || *a == 'V';
	b += *b == 'v' || *b == 'V';
	while (digit(*a) || digit(*b)) {
		r = version_compare_numbers(semver_number(&a), semver_number(&b));
		if (r)
			return r;
	}
	/* A pre-release is older than the release; build metadata ("+") does not count. */
	if (*a == '+')
		a = "";
	if (*b == '+')
		b = "";
	if (!*a || !*b)
		return (*a == 0) - (*b == 0);
	return semver_identifiers(a + (*a == '-'), b + (*b == '-'));
}

/* ---- PEP 440 ---- */

struct pep440 {
	struct vpart epoch, release[PARTS_MAX], pre_number, post, dev;
	unsigned n;
	char pre; /* 'a', 'b', 'c'; 0: none */
	bool has_post, has_dev;
	const char *local;
};

static bool separator(char c)
{
	return c == '.' || c == '-' || c == '_';
}

/* "alpha", "-rc", ".post": the word after an optional separator, when it is one of the list; its first letter's stand-in. */
static char pep440_word(const char **s)
{
	static const struct {
		const char *word;
		char means;
	} words[] = { { "alpha", 'a' }, { "a", 'a' }, { "beta", 'b' }, { "b", 'b' }, { "preview", 'c' }, { "pre", 'c' }, { "rc", 'c' },
		      { "c", 'c' }, { "post", 'p' }, { "rev", 'p' }, { "r", 'p' }, { "dev", 'd' } };
	const char *at = *s + (separator(**s) ? 1 : 0);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);

		if (strncasecmp(at, words[i].word, n) != 0)
			continue;
		*s = at + n;
		if (separator(**s) && digit((*s)[1]))
			(*s)++;
		return words[i].means;
	}
	return 0;
}

static void pep440_suffixes(struct pep440 *v, const char **s)
{
	for (;;) {
		bool post = (*s)[0] == '-' && digit((*s)[1]); /* "1.0-1" is a post release */
		char word = post ? 'p' : pep440_word(s);
		struct vpart number;

		if (!word)
			return;
		*s += post;
		number = run(s, digit);
		if (word == 'p') {
			v->has_post = true;
			v->post = number;
		} else if (word == 'd') {
			v->has_dev = true;
			v->dev = number;
		} else {
			v->pre = word;
			v->pre_number = number;
		}
	}
}

static void pep440_read(struct pep440 *v, const char *s)
{
	const char *bang = strchr(s, '!');

	*v = (struct pep440){ 0 };
	s += strspn(s, " \t");
	s += *s == 'v' || *s == 'V';
	if (bang && bang >= s) {
		v->epoch = (struct vpart){ s, (unsigned)(bang - s) };
		s = bang + 1;
	}
	while (digit(*s)) {
		struct vpart part = run(&s, digit);

		if (v->n < PARTS_MAX)
			v->release[v->n++] = part;
		if (s[0] == '.' && digit(s[1]))
			s++;
		else
			break;
	}
	pep440_suffixes(v, &s);
	v->local = *s == '+' ? s + 1 : "";
}

/* 1.0.dev1 < 1.0a1.dev1 < 1.0a1 < 1.0b1 < 1.0rc1 < 1.0 < 1.0.post1 */
static int pep440_phase(const struct pep440 *v)
{
	if (v->pre)
		return v->pre;
	return v->has_dev && !v->has_post ? 'A' : 'z';
}

static bool in_local(char c)
{
	return digit(c) || letter(c);
}

static int pep440_local(const char *a, const char *b)
{
	while (*a && *b) {
		struct vpart pa = run(&a, in_local), pb = run(&b, in_local);
		bool na = all_digits(pa), nb = all_digits(pb);
		int r = na != nb ? (na ? 1 : -1) : na ? version_compare_numbers(pa, pb) : compare_nocase(pa, pb);

		if (r)
			return r;
		/* Any byte that is no part of one separates, so that this ends. */
		a += *a != 0;
		b += *b != 0;
	}
	return (*a != 0) - (*b != 0);
}

int version_compare_pep440(const char *a_, const char *b_)
{
	struct pep440 a, b;
	int r;

	pep440_read(&a, a_);
	pep440_read(&b, b_);
	r = version_compare_numbers(a.epoch, b.epoch);
	for (unsigned i = 0; r == 0 && (i < a.n || i < b.n); i++)
		r = version_compare_numbers(i < a.n ? a.release[i] : (struct vpart){"", 0},
			i < b.n ? b.release[i] : (struct vpart){"", 0});
	if (r == 0)
		r = pep440_phase(&a) - pep440_phase(&b);
	if (r == 0)
		r = version_compare_numbers(a.pre_number, b.pre_number);
	if (r == 0)
		r = a.has_post - b.has_post;
	if (r == 0)
		r = version_compare_numbers(a.post, b.post);
	if (r == 0)
		r = b.has_dev - a.has_dev;
	if (r == 0)
		r = version_compare_numbers(a.dev, b.dev);
	if (r == 0)
		r = pep440_local(a.local, b.local);
	return (r > 0) - (r < 0);
}

/* ---- Maven and gems: a list of numbers and words ---- */

struct mixed {
	struct vpart part[PARTS_MAX];
	bool hyphen[PARTS_MAX]; /* stands before it, written or implied by a change between digits and letters */
	unsigned n;
};

static void mixed_read(struct mixed *m, const char *s)
{
	bool hyphen = false;

	m->n = 0;
	while (*s && m->n < PARTS_MAX) {
		struct vpart p = digit(*s) ? run(&s, digit) : run(&s, letter);

		if (p.n) {
			m->hyphen[m->n] = hyphen;
			m->part[m->n++] = p;
			hyphen = true;
		}
		if (*s && !digit(*s) && !letter(*s)) {
			hyphen = *s == '-';
			s++;
		}
	}
}

/* "" stands between them; what is not known comes after all that are. */
static int maven_rank(struct vpart p, bool before_number)
{
	static const char *const words[] = { "alpha", "beta", "milestone", "rc", "snapshot", "", "sp" };
	static const char *const same[][2] = { { "cr", "rc" }, { "ga", "" }, { "final", "" }, { "release", "" } };

	if (p.n == 1 && before_number) /* "a1", "b2", "m3" */
		switch (lower(*p.s)) {
		case 'a':
			return 0;
		case 'b':
			return 1;
		case 'm':
			return 2;
		}
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (compare_nocase(p, (struct vpart){ same[i][0], (unsigned)strlen(same[i][0]) }) == 0)
			p = (struct vpart){ same[i][1], (unsigned)strlen(same[i][1]) };
	for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++)
		if (compare_nocase(p, (struct vpart){ words[i], (unsigned)strlen(words[i]) }) == 0)
			return i;
	return 7;
}

struct maven_item {
	int kind; /* 0 word, 1 nothing, 2 number after a hyphen, 3 number after a dot */
	int rank;
	struct vpart p;
};

static struct maven_item maven_item(const struct mixed *m, unsigned i)
{
	static const struct vpart none = { "", 0 };
	struct maven_item out = { .kind = 1, .rank = 5, .p = none };

	if (i >= m->n)
		return out;
	out.p = m->part[i];
	if (digit(*out.p.s)) {
		if (version_compare_numbers(out.p, none) != 0)
			out.kind = m->hyphen[i] ? 2 : 3;
		return out;
	}
	out.rank = maven_rank(out.p, i + 1 < m->n && digit(*m->part[i + 1].s));
	out.kind = out.rank == 5 ? 1 : 0;
	return out;
}

/* Nulls (0, "", ga, final) at the end, and before a hyphen, do not count. */
static void maven_trim(struct mixed *m)
{
	unsigned out = 0;

	for (unsigned i = 0; i <= m->n; i++) {
		if (i == m->n || m->hyphen[i] || !digit(*m->part[i].s))
			while (out > 0 && maven_item(&(struct mixed){ .part = { m->part[out - 1] }, .n = 1 }, 0).kind == 1)
				out--;
		if (i < m->n) {
			m->part[out] = m->part[i];
			m->hyphen[out++] = m->hyphen[i];
		}
	}
	m->n = out;
}

int version_compare_maven(const char *a_, const char *b_)
{
	struct mixed a, b;

	mixed_read(&a, a_);
	mixed_read(&b, b_);
	maven_trim(&a);
	maven_trim(&b);
	for (unsigned i = 0; i < a.n || i < b.n; i++) {
		struct maven_item x = maven_item(&a, i), y = maven_item(&b, i);
		int r = 0;

		/* Words sort around nothing: alpha ... snapshot < "" < sp < others; every number is newer than every word. */
		if (x.kind <= 1 && y.kind <= 1)
			r = x.rank != y.rank ? x.rank - y.rank : x.rank == 7 ? compare_nocase(x.p, y.p) : 0;
		else if (x.kind != y.kind)
			r = x.kind - y.kind;
		else
			r = version_compare_numbers(x.p, y.p);
		if (r)
			return (r > 0) - (r < 0);
	}
	return 0;
}

static void gem_trim(struct mixed *m)
{
	while (m->n > 0 && digit(*m->part[m->n - 1].s) && version_compare_numbers(m->part[m->n - 1], (struct vpart){ "", 0 }) == 0)
		m->n--;
}

int version_compare_gem(const char *a_, const char *b_)
{
	static const struct vpart zero = { "0", 1 };
	struct mixed a, b;

	mixed_read(&a, a_);
	mixed_read(&b, b_);
	gem_trim(&a);
	gem_trim(&b);
	for (unsigned i = 0; i < a.n || i < b.n; i++) {
		struct vpart x = i < a.n ? a.part[i] : zero, y = i < b.n ? b.part[i] : zero;
		int r;

		if (digit(*x.s) != digit(*y.s))
			return digit(*x.s) ? 1 : -1;
		r = digit(*x.s) ? version_compare_numbers(x, y) : version_compare_bytes(x, y);
		if (r)
			return r;
	}
	return 0;
}
