/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of secrets, from text; data/vet-secrets.rules tells the format. */
#include "vet/secret.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 1000, LINE_MAX_BYTES = 1000 };
#define NEW 0x80000000U /* in secret_rule.line: a rule of the file that is being read */

struct reader {
	struct secret_rules *r;
	struct secret_rule *rule; /* the one that is being read; NULL before the first */
	const char *what;
	unsigned line;
	char **patterns; /* of the rule: parsed when it ends, since "nocase" may come later */
	struct error *e;
};

static const struct {
	const char *word;
	unsigned bit;
} checks[] = {
	{ "github", SECRET_GITHUB }, { "jwt", SECRET_JWT },	      { "pem", SECRET_PEM },
	{ "putty", SECRET_PUTTY },   { "base64", SECRET_BASE64 },     { "userpass", SECRET_USERPASS },
	{ "mixed", SECRET_MIXED },   { "password", SECRET_PASSWORD }, { "gcp", SECRET_GCP },
	{ "assignments", SECRET_ASSIGNMENTS },
};

static void rule_clear(struct secret_rule *rule)
{
	free(rule->name);
	free(rule->title);
	free(rule->why);
	strv_free(rule->in);
	strv_free(rule->not_in);
	strv_free(rule->except);
	*rule = (struct secret_rule){ 0 };
}

void secret_rules_free(struct secret_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		rule_clear(&r->list[i]);
	free(r->list);
	free(r->finds);
	scan_free(r->scan);
	*r = (struct secret_rules){ 0 };
}

#define bad(rd, ...) bad_at(rd, (rd)->line, __VA_ARGS__)
__attribute__((format(printf, 3, 4))) static int bad_at(struct reader *rd, unsigned line, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	return error_set(rd->e, -EINVAL, "%s:%u: %s", rd->what, line & ~NEW, text);
}

static int add_patterns(struct reader *rd)
{
	size_t index = (size_t)(rd->rule - rd->r->list);

	strv_foreach(text, rd->patterns) {
		struct secret_find *f;
		struct error e = { 0 };

		rd->r->finds = xrealloc(rd->r->finds, rd->r->n_finds + 1, sizeof(*rd->r->finds));
		f = &rd->r->finds[rd->r->n_finds];
		f->rule = index;
		if (pattern_parse(*text, rd->rule->nocase, &f->pattern, &e) < 0)
			return bad_at(rd, rd->rule->line, "rule %s: find %s: %s", rd->rule->name, *text, e.text);
		rd->r->n_finds++;
		rd->rule->n_finds++;
	}
	strv_free(rd->patterns);
	rd->patterns = NULL;
	return 0;
}

static int end_rule(struct reader *rd)
{
	struct secret_rule *rule = rd->rule;
	bool lines;

	if (!rule)
		return 0;
	lines = rule->checks & SECRET_ASSIGNMENTS;
	if (!rd->patterns && !rule->in)
		return bad_at(rd, rule->line, "rule %s: needs \"find\" or \"in\"", rule->name);
	if (lines && rd->patterns)
		return bad_at(rd, rule->line, "rule %s: \"check assignments\" goes without \"find\"", rule->name);
	if (!lines && !rd->patterns && (rule->checks || rule->entropy > 0 || rule->except))
		return bad_at(rd, rule->line, "rule %s: has nothing to check without \"find\"", rule->name);
	if (!rule->why)
		return bad_at(rd, rule->line, "rule %s: needs \"why\"", rule->name);
	return add_patterns(rd);
}

/* A rule that another one replaces stays in its place, so that findings keep their order. */
static struct secret_rule *place(struct secret_rules *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++) {
		size_t kept = 0;

		if (!streq(r->list[i].name, name))
			continue;
		for (size_t k = 0; k < r->n_finds; k++)
			if (r->finds[k].rule != i)
				r->finds[kept++] = r->finds[k];
		r->n_finds = kept;
		rule_clear(&r->list[i]);
		return &r->list[i];
	}
	r->list = xrealloc(r->list, r->n + 1, sizeof(*r->list));
	r->list[r->n] = (struct secret_rule){ 0 };
	return &r->list[r->n++];
}

/* The next word of *p, which moves behind it and the blanks that follow. NULL: none is left. In place. */
static char *next(char **p)
{
	char *word = *p + strspn(*p, " \t");

	if (!*word) {
		*p = word;
		return NULL;
	}
	*p = word + strcspn(word, " \t");
	if (**p)
		*(*p)++ = 0;
	*p += strspn(*p, " \t");
	return word;
}

static bool name_ok(const char *s)
{
	return *s && strlen(s) <= 60 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s);
}

static int start_rule(struct reader *rd, char *rest)
{
	char *name = next(&rest), *level = next(&rest);
	enum vet_level l = VET_INFO;
	int r = end_rule(rd);

	if (r < 0)
		return r;
	rd->rule = NULL;
	if (!name || !level || !*rest)
		return bad(rd, "not \"rule NAME LEVEL TITLE\"");
	if (!name_ok(name))
		return bad(rd, "\"%s\" is no name: small letters, digits and dashes, at most 60", name);
	static const char *const words[] = { "critical", "high", "medium", "low", "info" };
	while ((size_t)l > 0 && !streq(words[l], level))
		l--;
	if (!streq(words[l], level))
		return bad(rd, "\"%s\" is none of critical, high, medium, low, info", level);
	for (size_t i = 0; i < rd->r->n; i++)
		if (streq(rd->r->list[i].name, name) && rd->r->list[i].line & NEW)
			return bad(rd, "rule %s stands here a second time", name);
	if (rd->r->n == RULES_MAX)
		return bad(rd, "more than %d rules", RULES_MAX);
	rd->rule = place(rd->r, name);
	rd->rule->name = xstrdup(name);
	rd->rule->level = l;
	rd->rule->title = xstrdup(rest);
	rd->rule->line = rd->line | NEW;
	return 0;
}

static int add_check(struct reader *rd, char *rest)
{
	char *word;

	while ((word = next(&rest))) {
		size_t i = 0;

		while (i < sizeof(checks) / sizeof(*checks) && !streq(checks[i].word, word))
			i++;
		if (i == sizeof(checks) / sizeof(*checks))
			return bad(rd, "no check is called \"%s\"", word);
		rd->rule->checks |= checks[i].bit;
	}
	return 0;
}

static int set_entropy(struct reader *rd, const char *rest)
{
	char *end;
	double v = strtod(rest, &end);

	if (end == rest || *end || !(v >= 0.1 && v <= 8))
		return bad(rd, "entropy is from 0.1 to 8 bits a byte");
	rd->rule->entropy = v;
	return 0;
}

static int read_line(struct reader *rd, char *line)
{
	char *key = next(&line), *word;
	char ***list;

	if (!key || *key == '#')
		return 0;
	if (streq(key, "rule"))
		return start_rule(rd, line);
	if (!rd->rule)
		return bad(rd, "\"%s\" before the first \"rule\"", key);
	if (streq(key, "nocase") || streq(key, "word")) {
		if (*line)
			return bad(rd, "nothing follows \"%s\"", key);
		*(*key == 'n' ? &rd->rule->nocase : &rd->rule->word) = true;
		return 0;
	}
	if (!*line)
		return bad(rd, "\"%s\" needs more", key);
	if (streq(key, "find")) {
		strv_add_copy(&rd->patterns, line);
		return 0;
	}
	if (streq(key, "why")) {
		if (rd->rule->why)
			return bad(rd, "a second \"why\"");
		rd->rule->why = xstrdup(line);
		return 0;
	}
	if (streq(key, "check"))
		return add_check(rd, line);
	if (streq(key, "entropy"))
		return set_entropy(rd, line);
	list = streq(key, "in") ? &rd->rule->in : streq(key, "not-in") ? &rd->rule->not_in :
	       streq(key, "except") ? &rd->rule->except : NULL;
	if (!list)
		return bad(rd, "\"%s\" is no word of a rule", key);
	while ((word = next(&line)))
		strv_add_copy(list, word);
	return 0;
}

int secret_rules_parse(struct secret_rules *r, const char *text, size_t n, const char *what, struct error *e)
{
	struct reader rd = { .r = r, .what = what, .e = e };
	const char *p = text, *end = text + n;
	int err = 0;

	while (p < end && err == 0) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
		_cleanup_free_ char *line = NULL;

		rd.line++;
		if (stop - p > LINE_MAX_BYTES || memchr(p, 0, (size_t)(stop - p))) {
			err = bad(&rd, "no line of text of at most %d bytes", LINE_MAX_BYTES);
			break;
		}
		line = xstrndup(p, (size_t)(stop - p));
		for (size_t k = strlen(line); k && strchr(" \t\r", line[k - 1]); k--)
			line[k - 1] = 0;
		err = read_line(&rd, line);
		p = stop + 1;
	}
	if (err == 0)
		err = end_rule(&rd);
	strv_free(rd.patterns);
	for (size_t i = 0; i < r->n; i++)
		r->list[i].line &= ~NEW;
	return err;
}

int secret_rules_ready(struct secret_rules *r, struct error *e)
{
	_cleanup_free_ struct scan_word *words = xcalloc(r->n_finds + 1, sizeof(*words));

	scan_free(r->scan);
	r->scan = NULL;
	if (r->n_finds == 0)
		return 0;
	for (size_t i = 0; i < r->n_finds; i++) {
		const struct pattern *p = &r->finds[i].pattern;

		words[i] = (struct scan_word){ p->word, p->word_len, p->nocase };
	}
	r->scan = scan_new(words, r->n_finds);
	return r->scan ? 0 : error_set(e, -EINVAL, "more than %d patterns of secrets", SCAN_WORDS_MAX);
}
