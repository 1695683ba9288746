/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/rules.h"

#include "base/cleanup.h"

#include <string.h>

enum { WORDS_MAX = 256, WORD_MAX = 512 };

void rules_free(struct rules *r)
{
	for (size_t i = 0; i < r->n_capabilities; i++) {
		struct capability *c = &r->capabilities[i];

		free(c->name), free(c->title), free(c->why);
		strv_free(c->ports), strv_free(c->names), strv_free(c->packages), strv_free(c->units);
		for (size_t k = 0; k < c->n_elf + c->n_script; k++) {
			struct rule_line *l = k < c->n_elf ? &c->elf[k] : &c->script[k - c->n_elf];

			for (size_t j = 0; j < l->n; j++)
				free(l->texts[j].data);
			free(l->texts);
		}
		free(c->elf), free(c->script);
		for (size_t k = 0; k < c->n_listen; k++)
			free(c->listen[k].path), free(c->listen[k].keyword);
		free(c->listen);
	}
	for (size_t i = 0; i < r->n_claims; i++) {
		struct claim *c = &r->claims[i];

		free(c->name), free(c->is);
		strv_free(c->words), strv_free(c->programs), strv_free(c->packages), strv_free(c->ports), strv_free(c->volumes);
		strv_free(c->covers);
	}
	free(r->capabilities);
	free(r->claims);
	*r = (struct rules){ 0 };
}

const struct capability *rules_capability(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->n_capabilities; i++)
		if (streq(r->capabilities[i].name, name))
			return &r->capabilities[i];
	return NULL;
}

bool rules_word(char *const *words, const char *word)
{
	strv_foreach(w, words) {
		size_t n = strlen(*w);

		if (streq(*w, word) || (n && (*w)[n - 1] == '*' && strncmp(*w, word, n - 1) == 0))
			return true;
	}
	return false;
}

/* What a line means where it stands. */
struct parser {
	struct rules *r;
	struct capability *capability;
	struct claim *claim;
	struct error *e;
};

/* One word of a line, quoted or plain. 0: no more; 1; or negative. */
static int next_word(struct parser *p, const char **at, const char *end, char **out)
{
	_cleanup_buf_ struct buf word = { 0 };
	const char *s = *at;
	bool quoted;

	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	*at = s;
	if (s == end || *s == '#')
		return 0;
	buf_puts(&word, "");
	quoted = *s == '"';
	for (s += quoted; s < end && (quoted ? *s != '"' : *s != ' ' && *s != '\t'); s++) {
		char c = *s;

		if (c == 0)
			return error_set(p->e, EBADMSG, "a NUL byte");
		if (quoted && c == '\\') {
			if (++s == end)
				return error_set(p->e, EBADMSG, "a backslash at the end");
			c = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == '\\' || *s == '"' ? *s : 0;
			if (!c)
				return error_set(p->e, EBADMSG, "behind a backslash stands n, t, \\ or \"");
		} else if (!quoted && c == '"') {
			return error_set(p->e, EBADMSG, "a quote inside a word");
		}
		buf_add(&word, &c, 1);
	}
	if (quoted && s++ == end)
		return error_set(p->e, EBADMSG, "a quote that is not closed");
	if (quoted && s < end && *s != ' ' && *s != '\t')
		return error_set(p->e, EBADMSG, "something right behind a quote");
	if (word.len == 0)
		return error_set(p->e, EBADMSG, "an empty text");
	if (word.len > WORD_MAX)
		return error_set(p->e, E2BIG, "a word of more than %d bytes", WORD_MAX);
	*at = s;
	*out = buf_steal(&word);
	return 1;
}

static int words_of(struct parser *p, const char *at, const char *end, char ***out)
{
	size_t n = 0;
	char *word;
	int r;

	while ((r = next_word(p, &at, end, &word)) > 0) {
		strv_add(out, word);
		if (++n > WORDS_MAX)
			return error_set(p->e, E2BIG, "more than %d words", WORDS_MAX);
	}
	return r;
}

static int add_words(struct parser *p, const char *key, char **words, char ***to)
{
	if (!words)
		return error_set(p->e, EBADMSG, "%s: nothing behind it", key);
	strv_foreach(w, words)
		strv_add_copy(to, *w);
	return 0;
}

static int add_ports(struct parser *p, char **words, char ***to)
{
	uint64_t port;

	strv_foreach(w, words)
		if (parse_u64(*w, 1, 65535, &port) < 0)
			return error_set(p->e, EBADMSG, "port %.20s: a number from 1 to 65535", *w);
	return add_words(p, "port", words, to);
}

static void add_line(char **words, struct rule_line **lines, size_t *n)
{
	struct rule_line *l;

	*lines = xrealloc(*lines, *n + 1, sizeof(**lines));
	l = &(*lines)[(*n)++];
	*l = (struct rule_line){ .texts = xcalloc(strv_len(words) + 1, sizeof(*l->texts)) };
	strv_foreach(w, words)
		l->texts[l->n++] = (struct rule_text){ xstrdup(*w), -1 };
}

static char *joined(char **words)
{
	struct buf out = { 0 };

	strv_foreach(w, words)
		buf_printf(&out, "%s%s", out.len ? " " : "", *w);
	return buf_steal(&out);
}

static int set_text(struct parser *p, const char *key, char **words, char **to)
{
	if (!words)
		return error_set(p->e, EBADMSG, "%s: nothing behind it", key);
	free(*to);
	*to = joined(words);
	return 0;
}

static int capability_line(struct parser *p, const char *key, char **words)
{
	struct capability *c = p->capability;
	size_t n = strv_len(words);

	if (streq(key, "title"))
		return set_text(p, key, words, &c->title);
	if (streq(key, "why"))
		return set_text(p, key, words, &c->why);
	if (streq(key, "level"))
		return n == 1 && vet_level_parse(words[0], &c->level) == 0 ?
			       0 : error_set(p->e, EBADMSG, "level: critical, high, medium, low or info");
	if (streq(key, "entry") || streq(key, "anyname")) {
		*(streq(key, "entry") ? &c->entry : &c->anyname) = true;
		return n == 0 ? 0 : error_set(p->e, EBADMSG, "%s stands alone", key);
	}
	if (streq(key, "port"))
		return add_ports(p, words, &c->ports);
	if (streq(key, "name"))
		return add_words(p, key, words, &c->names);
	if (streq(key, "package"))
		return add_words(p, key, words, &c->packages);
	if (streq(key, "unit"))
		return add_words(p, key, words, &c->units);
	if (streq(key, "elf") || streq(key, "script")) {
		if (n == 0)
			return error_set(p->e, EBADMSG, "%s: nothing behind it", key);
		if (streq(key, "elf"))
			add_line(words, &c->elf, &c->n_elf);
		else
			add_line(words, &c->script, &c->n_script);
		return 0;
	}
	if (streq(key, "listen") && n == 2) {
		c->listen = xrealloc(c->listen, c->n_listen + 1, sizeof(*c->listen));
		c->listen[c->n_listen++] = (struct rule_listen){ xstrdup(words[0]), xstrdup(words[1]) };
		return 0;
	}
	return streq(key, "listen") ? error_set(p->e, EBADMSG, "listen: a path and a keyword") :
				      error_set(p->e, EBADMSG, "\"%.30s\" means nothing in a capability", key);
}

static int claim_line(struct parser *p, const char *key, char **words)
{
	struct claim *c = p->claim;

	if (streq(key, "is"))
		return set_text(p, key, words, &c->is);
	if (streq(key, "word"))
		return add_words(p, key, words, &c->words);
	if (streq(key, "program"))
		return add_words(p, key, words, &c->programs);
	if (streq(key, "package"))
		return add_words(p, key, words, &c->packages);
	if (streq(key, "port"))
		return add_ports(p, words, &c->ports);
	if (streq(key, "volume"))
		return add_words(p, key, words, &c->volumes);
	if (streq(key, "covers"))
		return add_words(p, key, words, &c->covers);
	return error_set(p->e, EBADMSG, "\"%.30s\" means nothing in a claim", key);
}

static bool name_valid(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s) && s[0] != '-' && strlen(s) <= 40;
}

static struct capability *find_capability(struct rules *r, const char *name)
{
	struct capability *c = (struct capability *)rules_capability(r, name);

	if (c)
		return c;
	r->capabilities = xrealloc(r->capabilities, r->n_capabilities + 1, sizeof(*r->capabilities));
	c = &r->capabilities[r->n_capabilities++];
	*c = (struct capability){ .name = xstrdup(name), .level = VET_MEDIUM };
	return c;
}

static struct claim *find_claim(struct rules *r, const char *name)
{
	struct claim *c;

	for (size_t i = 0; i < r->n_claims; i++)
		if (streq(r->claims[i].name, name))
			return &r->claims[i];
	r->claims = xrealloc(r->claims, r->n_claims + 1, sizeof(*r->claims));
	c = &r->claims[r->n_claims++];
	*c = (struct claim){ .name = xstrdup(name) };
	return c;
}

static int begin_block(struct parser *p, const char *key, char **words)
{
	p->capability = NULL;
	p->claim = NULL;
	if (!streq(key, "capability") && !streq(key, "claim"))
		return error_set(p->e, EBADMSG, "\"%.30s\": a block begins with capability or claim, its lines are indented", key);
	if (strv_len(words) != 1 || !name_valid(words[0]))
		return error_set(p->e, EBADMSG, "%s: one name of at most 40 lower-case letters, digits and dashes", key);
	if (p->r->n_capabilities + p->r->n_claims >= RULES_BLOCKS_MAX)
		return error_set(p->e, E2BIG, "more than %d blocks", RULES_BLOCKS_MAX);
	if (streq(key, "capability"))
		p->capability = find_capability(p->r, words[0]);
	else
		p->claim = find_claim(p->r, words[0]);
	return 0;
}

static int parse_line(struct parser *p, const char *line, const char *end)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_strv_ char **words = NULL;
	bool indented = line < end && (*line == ' ' || *line == '\t');
	int r = next_word(p, &line, end, &key);

	if (r > 0)
		r = words_of(p, line, end, &words);
	if (r < 0 || !key)
		return r;
	if (!indented)
		return begin_block(p, key, words);
	if (p->capability)
		return capability_line(p, key, words);
	if (p->claim)
		return claim_line(p, key, words);
	return error_set(p->e, EBADMSG, "an indented line before any block");
}

int rules_parse(struct rules *r, const char *text, size_t n, const char *what, struct error *e)
{
	struct error own = { 0 };
	struct parser p = { .r = r, .e = e ? e : &own };
	const char *end = text + n;
	int err;

	if (n > RULES_FILE_MAX)
		return error_set(e, EFBIG, "%s: more than %d bytes", what, RULES_FILE_MAX);
	for (size_t number = 1; text < end; number++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop)
			stop = end;
		err = parse_line(&p, text, stop);
		if (err < 0)
			return error_wrap(p.e, "%s: line %zu", what, number);
		text = stop + (stop < end);
	}
	return 0;
}

int rules_check(const struct rules *r, struct error *e)
{
	for (size_t i = 0; i < r->n_capabilities; i++)
		if (!r->capabilities[i].title || !r->capabilities[i].why)
			return error_set(e, EBADMSG, "capability %s: no title, or no why", r->capabilities[i].name);
	for (size_t i = 0; i < r->n_claims; i++) {
		if (!r->claims[i].is)
			return error_set(e, EBADMSG, "claim %s: it does not say what the image is", r->claims[i].name);
		strv_foreach(c, r->claims[i].covers)
			if (!rules_capability(r, *c))
				return error_set(e, EBADMSG, "claim %s covers %s: there is no such capability", r->claims[i].name, *c);
	}
	return 0;
}
