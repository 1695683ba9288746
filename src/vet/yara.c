/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/yara.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "vet/elf.h"
#include "vet/scan.h"
#include "vet/window.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <yara.h>

enum { SECONDS_MAX = 10, SLOW_MAX = 3 };

/* The rules of one file. */
struct set {
	char *what;
	YR_RULES *rules;
	YR_SCANNER **scanners; /* one for each worker */
	atomic_uint slow; /* files for which there was not enough time */
	bool words; /* each rule names some */
};

/* Which files a rule can be true for, beside that they have a word of it. */
struct word {
	uint32_t set;
	size_t largest;
	enum { ANYTHING, PROGRAM, TEXT } kind;
};

struct yara {
	struct set *sets;
	size_t n_sets;
	struct scan *scan; /* of all words; NULL: none */
	struct word *word_of; /* by word: whose it is */
	struct scan_word *words;
	size_t n_words;
	unsigned n_workers;
	int seconds;
	bool no_words;
};

struct complaint {
	const char *what;
	struct error *e;
	bool told;
};

static void complain(int level, const char *file, int line, const YR_RULE *rule, const char *message, void *arg)
{
	struct complaint *c = arg;

	(void)file;
	(void)rule;
	if (level != YARA_ERROR_LEVEL_ERROR || c->told)
		return; /* warnings are about speed */
	error_set(c->e, -EINVAL, "%s:%d: %s", c->what, line, message);
	c->told = true;
}

int yara_new(struct yara **out, struct error *e)
{
	if (yr_initialize() != ERROR_SUCCESS)
		return error_set(e, -ENOMEM, "libyara cannot start");
	*out = xcalloc(1, sizeof(**out));
	(*out)->seconds = SECONDS_MAX;
	return 0;
}

void yara_free(struct yara *y)
{
	if (!y)
		return;
	for (size_t i = 0; i < y->n_sets; i++) {
		for (unsigned k = 0; y->sets[i].scanners && k < y->n_workers; k++)
			if (y->sets[i].scanners[k])
				yr_scanner_destroy(y->sets[i].scanners[k]);
		free(y->sets[i].scanners);
		if (y->sets[i].rules)
			yr_rules_destroy(y->sets[i].rules);
		free(y->sets[i].what);
	}
	for (size_t i = 0; i < y->n_words; i++)
		free((char *)y->words[i].text);
	free(y->sets);
	free(y->words);
	free(y->word_of);
	scan_free(y->scan);
	free(y);
	yr_finalize();
}

void yara_no_words(struct yara *y)
{
	y->no_words = true;
}

void yara_limit(struct yara *y, int seconds)
{
	y->seconds = seconds;
}

static const char *meta_of(const YR_RULE *rule, const char *name)
{
	const YR_META *m = NULL;

	yr_rule_metas_foreach(rule, m)
		if (m->type == META_TYPE_STRING && streq(m->identifier, name))
			return m->string;
	return NULL;
}

static int read_limits(const YR_RULE *rule, struct word *out, struct error *e)
{
	const char *kind = meta_of(rule, "kind");
	const YR_META *m = NULL;

	out->largest = SIZE_MAX;
	yr_rule_metas_foreach(rule, m)
		if (m->type == META_TYPE_INTEGER && streq(m->identifier, "largest"))
			out->largest = m->integer > 0 ? (size_t)m->integer : 0;
	out->kind = streq(kind, "program") ? PROGRAM : streq(kind, "text") ? TEXT : ANYTHING;
	if (kind && out->kind == ANYTHING)
		return error_set(e, -EINVAL, "kind \"%s\" is neither program nor text", kind);
	return 0;
}

static int add_words(struct yara *y, const char *list, const YR_RULE *rule, struct error *e)
{
	_cleanup_strv_ char **words = strv_split(list, '|');
	struct word word = { .set = (uint32_t)(y->n_sets - 1) };
	int r = read_limits(rule, &word, e);

	if (r < 0)
		return r;
	strv_foreach(w, words) {
		size_t n = strlen(*w);

		if (n < SCAN_WORD_MIN || n > SCAN_WORD_MAX)
			return error_set(e, -EINVAL, "words: \"%s\" has not from %d to %d characters", *w, SCAN_WORD_MIN, SCAN_WORD_MAX);
		y->words = xrealloc(y->words, y->n_words + 1, sizeof(*y->words));
		y->word_of = xrealloc(y->word_of, y->n_words + 1, sizeof(*y->word_of));
		y->word_of[y->n_words] = word;
		y->words[y->n_words++] = (struct scan_word){ xstrdup(*w), n, true };
	}
	return 0;
}

static int read_meta(struct yara *y, struct set *s, struct error *e)
{
	YR_RULE *rule = NULL;
	size_t rules = 0, with = 0;

	yr_rules_foreach(s->rules, rule) {
		const char *words = meta_of(rule, "words"), *level = meta_of(rule, "level");
		enum vet_level l;

		if (level && vet_level_parse(level, &l) < 0)
			return error_set(e, -EINVAL, "%s: rule %s: level \"%s\" is none of critical, high, medium, low, info", s->what,
					 rule->identifier, level);
		if (words && add_words(y, words, rule, e) < 0)
			return error_wrap(e, "%s: rule %s", s->what, rule->identifier);
		/* Others refer to them, and they are never told by themselves. */
		rules += !RULE_IS_PRIVATE(rule);
		with += words && !RULE_IS_PRIVATE(rule);
	}
	s->words = rules && rules == with;
	return 0;
}

static int compile(struct set *s, const char *text, struct error *e)
{
	static const char *const variables[] = { "filename", "filepath", "extension" };
	struct complaint c = { s->what, e, false };
	YR_COMPILER *compiler = NULL;
	int errors = 1;

	if (yr_compiler_create(&compiler) != ERROR_SUCCESS)
		return error_set(e, -ENOMEM, "libyara has no memory");
	yr_compiler_set_callback(compiler, complain, &c);
	yr_compiler_set_include_callback(compiler, NULL, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		yr_compiler_define_string_variable(compiler, variables[i], "");
	errors = yr_compiler_add_string(compiler, text, NULL);
	if (errors == 0 && yr_compiler_get_rules(compiler, &s->rules) != ERROR_SUCCESS)
		errors = 1;
	yr_compiler_destroy(compiler);
	if (errors && !c.told)
		error_set(e, -EINVAL, "%s: libyara cannot compile it", s->what);
	return errors ? -EINVAL : 0;
}

int yara_add(struct yara *y, const char *text, size_t n, const char *what, struct error *e)
{
	struct set *s;
	int r;

	if (memchr(text, 0, n))
		return error_set(e, -EINVAL, "%s: no file of text", what);
	_cleanup_free_ char *copy = xstrndup(text, n);
	y->sets = xrealloc(y->sets, y->n_sets + 1, sizeof(*y->sets));
	s = &y->sets[y->n_sets++];
	*s = (struct set){ .what = xstrdup(what) };
	r = compile(s, copy, e);
	return r < 0 ? r : read_meta(y, s, e);
}

static int make_scanner(const struct yara *y, const struct set *s, YR_SCANNER **out, struct error *e)
{
	if (yr_scanner_create(s->rules, out) != ERROR_SUCCESS)
		return error_set(e, -ENOMEM, "libyara has no memory");
	yr_scanner_set_timeout(*out, y->seconds);
	/* Without its own handlers of SIGSEGV and SIGBUS: the room's are window_guard()'s. */
	yr_scanner_set_flags(*out, SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING);
	return 0;
}

int yara_ready(struct yara *y, unsigned workers, struct error *e)
{
	y->n_workers = workers;
	for (size_t i = 0; i < y->n_sets; i++) {
		struct set *s = &y->sets[i];
		int r = 0;

		s->scanners = xcalloc(workers, sizeof(YR_SCANNER *));
		for (unsigned k = 0; r == 0 && k < workers; k++)
			r = make_scanner(y, s, &s->scanners[k], e);
		if (r < 0)
			return r;
	}
	if (y->n_words) {
		y->scan = scan_new(y->words, y->n_words);
		if (!y->scan)
			return error_set(e, -EINVAL, "the rules have more than %d words", SCAN_WORDS_MAX);
	}
	return 0;
}

struct run {
	const struct yara *y;
	const struct set *set;
	bool *wanted;
	size_t n; /* of the file */
	bool elf;
	yara_found *found;
	void *arg;
};

static void word_found(void *arg, size_t offset, unsigned word)
{
	struct run *run = arg;
	const struct word *w = &run->y->word_of[word];

	(void)offset;
	if (run->n <= w->largest && (w->kind == ANYTHING || run->elf == (w->kind == PROGRAM)))
		run->wanted[w->set] = true;
}

static int matched(YR_SCAN_CONTEXT *ctx, int message, void *data, void *arg)
{
	struct run *run = arg;
	const YR_RULE *rule = data;
	struct yara_hit hit = { .level = VET_HIGH };
	const char *level;

	(void)ctx;
	if (message != CALLBACK_MSG_RULE_MATCHING)
		return CALLBACK_CONTINUE;
	hit.rule = rule->identifier;
	hit.from = run->set->what;
	hit.title = meta_of(rule, "title");
	if (!hit.title)
		hit.title = meta_of(rule, "description");
	hit.why = meta_of(rule, "why");
	level = meta_of(rule, "level");
	if (level)
		vet_level_parse(level, &hit.level);
	run->found(run->arg, &hit);
	return CALLBACK_CONTINUE;
}

static int scan_set(struct run *run, struct set *s, unsigned worker, const char *path, const void *data, size_t n)
{
	YR_SCANNER *scanner = s->scanners[worker];
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	int r;

	run->set = s;
	yr_scanner_define_string_variable(scanner, "filename", name);
	yr_scanner_define_string_variable(scanner, "filepath", path);
	yr_scanner_define_string_variable(scanner, "extension", dot ? dot : "");
	yr_scanner_set_callback(scanner, matched, run);
	r = yr_scanner_scan_mem(scanner, data, n);
	window_passed(data, n);
	if (r == ERROR_SCAN_TIMEOUT)
		atomic_fetch_add(&s->slow, 1);
	return r == ERROR_SUCCESS ? 0 : r == ERROR_SCAN_TIMEOUT ? -ETIMEDOUT : -EIO;
}

const char *yara_given_up(const struct yara *y, size_t *i)
{
	while (*i < y->n_sets)
		if (atomic_load(&y->sets[(*i)++].slow) >= SLOW_MAX)
			return y->sets[*i - 1].what;
	return NULL;
}

int yara_scan(struct yara *y, unsigned worker, const char *path, const void *data, size_t n, yara_found *found, void *arg)
{
	_cleanup_free_ bool *wanted = xcalloc(y->n_sets + 1, sizeof(*wanted));
	struct run run = { .y = y, .wanted = wanted, .n = n, .elf = elf_is(data, n), .found = found, .arg = arg };
	int r = 0;

	if (y->scan && !y->no_words)
		scan_run(y->scan, data, n, word_found, &run);
	for (size_t i = 0; i < y->n_sets; i++) {
		struct set *s = &y->sets[i];
		int one = 0;

		if ((!s->words || y->no_words || wanted[i]) && atomic_load(&s->slow) < SLOW_MAX)
			one = scan_set(&run, s, worker, path, data, n);
		r = one < 0 ? one : r;
	}
	return r;
}
