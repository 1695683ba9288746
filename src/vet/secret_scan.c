/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in bytes: what the one pass finds, matched and verified; names in front of values; files that are secrets by their name. */
#include "vet/secret.h"

#include "base/cleanup.h"
#include "vet/elf.h"

#include <fnmatch.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 }; /* larger files are no lists of assignments */

struct run {
	const struct secret_rules *r;
	const char *path;
	const unsigned char *data;
	size_t n;
	secret_found *found;
	void *arg;
	char *applies; /* by rule: 0 not asked yet, 1 yes, 2 no */
};

/* A name without "/" is held against the last part of the path, one with it against all of it. */
static bool path_in(char *const *globs, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	strv_foreach(g, globs)
		if (fnmatch(*g, strchr(*g, '/') ? path : base, 0) == 0)
			return true;
	return false;
}

static bool applies(struct run *run, size_t rule)
{
	const struct secret_rule *r = &run->r->list[rule];

	if (!run->applies[rule])
		run->applies[rule] = (!r->in || path_in(r->in, run->path)) && !path_in(r->not_in, run->path) ? 1 : 2;
	return run->applies[rule] == 1;
}

static bool word_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static bool excepted(const struct secret_rule *rule, const struct secret *s)
{
	strv_foreach(x, rule->except)
		if (memmem(s->text, s->len, *x, strlen(*x)))
			return true;
	return false;
}

static void word_found(void *arg, size_t offset, unsigned word)
{
	struct run *run = arg;
	const struct secret_find *f = &run->r->finds[word];
	const struct secret_rule *rule = &run->r->list[f->rule];
	struct secret s = { .rule = rule, .level = rule->level };
	size_t end;

	if (!applies(run, f->rule) || !pattern_match(&f->pattern, run->data, run->n, offset, &end, &s.offset, &s.len) || s.len == 0)
		return;
	if (rule->word && ((offset && word_byte(run->data[offset - 1])) || (end < run->n && word_byte(run->data[end]))))
		return;
	s.text = run->data + s.offset;
	if (excepted(rule, &s) || (rule->entropy > 0 && elf_entropy(s.text, s.len) < rule->entropy))
		return;
	if (secret_verify(rule, run->data, run->n, offset, &s))
		run->found(run->arg, &s);
}

/* Does the last part, or the last two, of an upper-case name with underscores say that its value is secret? */
static bool secret_name(const char *name, size_t n)
{
	static const char *const ends[] = {
		"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "API_KEY", "ACCESS_KEY", "SECRET_KEY", "PRIVATE_KEY",
		"ENCRYPTION_KEY", "CREDENTIALS", "_PASS", "_PWD", "SECRET_ACCESS_KEY", "PASSWORD_HASH",
	};
	char upper[80];

	if (n == 0 || n >= sizeof(upper))
		return false;
	for (size_t i = 0; i < n; i++)
		upper[i] = name[i] == '-' || name[i] == '.' ? '_' : name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] & 0xdf) : name[i];
	upper[n] = 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (str_ends(upper, ends[i]))
			return true;
	return false;
}

static bool name_byte(unsigned char c)
{
	return word_byte(c) || c == '-' || c == '.';
}

/* NAME=VALUE anywhere in a text; VALUE ends at a blank, or at its quote. */
static void find_assignments(struct run *run, const struct secret_rule *rule)
{
	const unsigned char *p = run->data, *end = p + run->n, *eq;

	while (p < end && (eq = memchr(p, '=', (size_t)(end - p)))) {
		const unsigned char *name = eq, *value = eq + 1, *stop;
		struct secret s = { .rule = rule, .level = rule->level };

		p = eq + 1;
		while (name > run->data && name_byte(name[-1]))
			name--;
		if (!secret_name((const char *)name, (size_t)(eq - name)))
			continue;
		if (value < end && (*value == '"' || *value == '\'')) {
			stop = memchr(value + 1, *value, (size_t)(end - value - 1));
			value++;
			if (!stop)
				stop = end;
		} else {
			for (stop = value; stop < end && *stop > ' ' && *stop != ';' && *stop != '&' && *stop != '"'; stop++)
				;
		}
		s.text = value;
		s.offset = (size_t)(value - run->data);
		s.len = (size_t)(stop - value);
		if (!secret_placeholder((const char *)value, s.len) && !excepted(rule, &s) &&
		    (rule->entropy <= 0 || elf_entropy(s.text, s.len) >= rule->entropy))
			run->found(run->arg, &s);
	}
}

void secret_scan(const struct secret_rules *r, const char *path, const void *data, size_t n, secret_found *found, void *arg)
{
	_cleanup_free_ char *asked = xcalloc(r->n + 1, 1);
	struct run run = { r, path, data, n, found, arg, asked };

	if (n == 0)
		return;
	if (r->scan)
		scan_run(r->scan, data, n, word_found, &run);
	for (size_t i = 0; i < r->n; i++) {
		const struct secret_rule *rule = &r->list[i];
		struct secret s = { .rule = rule, .level = rule->level, .text = data, .len = n };

		if (rule->n_finds || !applies(&run, i))
			continue;
		if (!(rule->checks & SECRET_ASSIGNMENTS))
			found(arg, &s);
		else if (n <= TEXT_MAX && !memchr(data, 0, n < 4096 ? n : 4096))
			find_assignments(&run, rule);
	}
}

char *secret_preview(const struct secret *s)
{
	size_t shown = s->len >= 12 ? 4 : s->len >= 8 ? 2 : 0;
	char text[5] = "";

	for (size_t i = 0; i < shown; i++)
		text[i] = s->text[i] > 0x20 && s->text[i] < 0x7f ? (char)s->text[i] : '?';
	return xasprintf("%s... (%zu bytes)", text, s->len);
}
