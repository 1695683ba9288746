/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

struct parser {
	struct tpl *t;
	const char *start, *p;
	unsigned depth;
	bool trim_next; /* the last action ended in " -}}" */
	struct error *e;
	bool failed;
};

static void own(struct tpl *t, void *ptr)
{
	if (t->n_owned == t->cap_owned) {
		t->cap_owned = t->cap_owned ? t->cap_owned * 2 : 32;
		t->owned = xrealloc(t->owned, t->cap_owned, sizeof(void *));
	}
	t->owned[t->n_owned++] = ptr;
}

static void *make(struct parser *ps, size_t size)
{
	void *ptr = xcalloc(1, size);

	own(ps->t, ptr);
	return ptr;
}

static char *keep(struct parser *ps, char *s)
{
	own(ps->t, s);
	return s;
}

void tpl_free(struct tpl *t)
{
	for (size_t i = 0; i < t->n_owned; i++)
		free(t->owned[i]);
	free(t->owned);
	json_decref(t->literals);
	*t = (struct tpl){ 0 };
}

static __attribute__((format(printf, 3, 4))) void fail(struct parser *ps, const char *at, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (ps->failed)
		return;
	ps->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_set(ps->e, EINVAL, "format, column %zu: %s", (size_t)(at - ps->start) + 1, text);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

static void skip_space(struct parser *ps)
{
	while (is_space(*ps->p))
		ps->p++;
}

static char *take_word(struct parser *ps)
{
	const char *from = ps->p;

	while (is_word(*ps->p))
		ps->p++;
	return keep(ps, xstrndup(from, (size_t)(ps->p - from)));
}

/* True at "}}" and at " -}}". */
static bool at_end(struct parser *ps)
{
	return str_after(ps->p, "}}") || str_after(ps->p, "-}}");
}

static void end_action(struct parser *ps)
{
	skip_space(ps);
	if (ps->failed)
		return;
	ps->trim_next = *ps->p == '-';
	if (!at_end(ps))
		fail(ps, ps->p, *ps->p ? "\"}}\" is missing before \"%.20s\"" : "\"}}\" is missing%s", ps->p);
	else
		ps->p += ps->trim_next ? 3 : 2;
}

static json_t *literal(struct parser *ps, json_t *j)
{
	if (!ps->t->literals)
		ps->t->literals = json_array();
	if (j)
		json_array_append_new(ps->t->literals, j);
	return j;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* The character after a backslash in a double-quoted string. */
static bool string_escape(struct parser *ps, struct buf *b)
{
	static const char from[] = "ntr\\\"'abfv", to[] = "\n\t\r\\\"'\a\b\f\v";
	const char *known = *ps->p ? strchr(from, *ps->p) : NULL;

	if (known) {
		buf_add(b, &to[known - from], 1);
		ps->p++;
		return true;
	}
	if (*ps->p == 'x' && hex_digit(ps->p[1]) >= 0 && hex_digit(ps->p[2]) >= 0) {
		char c = (char)(hex_digit(ps->p[1]) << 4 | hex_digit(ps->p[2]));

		if (c == 0 || (c & 0x80))
			return false;
		buf_add(b, &c, 1);
		ps->p += 3;
		return true;
	}
	return false;
}

static json_t *parse_string(struct parser *ps)
{
	_cleanup_buf_ struct buf b = { 0 };
	const char *open = ps->p;
	char quote = *ps->p++;

	buf_puts(&b, "");
	while (*ps->p != quote) {
		if (!*ps->p || (quote == '"' && *ps->p == '\n')) {
			fail(ps, open, "string without its closing %c", quote);
			return NULL;
		}
		if (quote == '"' && *ps->p == '\\') {
			ps->p++;
			if (!string_escape(ps, &b)) {
				fail(ps, ps->p - 1, "unknown escape in string");
				return NULL;
			}
			continue;
		}
		buf_add(&b, ps->p++, 1);
	}
	ps->p++;
	json_t *j = json_stringn(b.data, b.len);
	if (!j)
		fail(ps, open, "string is not valid UTF-8");
	return literal(ps, j);
}

static json_t *parse_number(struct parser *ps)
{
	const char *from = ps->p;
	bool real = false;
	int64_t whole;

	if (*ps->p == '-' || *ps->p == '+')
		ps->p++;
	for (; (*ps->p >= '0' && *ps->p <= '9') || (*ps->p == '.' && !real); ps->p++)
		real = real || *ps->p == '.';
	_cleanup_free_ char *text = xstrndup(*from == '+' ? from + 1 : from, (size_t)(ps->p - from) - (*from == '+'));
	if (is_word(*ps->p) || (!real && parse_i64(text, INT64_MIN, INT64_MAX, &whole) < 0) || strlen(text) > 30) {
		fail(ps, from, "bad number");
		return NULL;
	}
	return literal(ps, real ? json_real(strtod(text, NULL)) : json_integer(whole));
}

/* ".A.B" behind an operand; a lone "." has no fields. */
static void parse_fields(struct parser *ps, struct tpl_operand *o)
{
	while (*ps->p == '.' && !ps->failed) {
		const char *dot = ps->p++;

		if (!is_word(*ps->p)) {
			if (o->kind != TPL_DOT || o->n_fields)
				fail(ps, dot, "a name is missing after \".\"");
			return;
		}
		/* The list is one allocation that moves: owned by the slot it was given at first. */
		char **grown = make(ps, (o->n_fields + 1) * sizeof(char *));
		if (o->n_fields)
			memcpy(grown, o->fields, o->n_fields * sizeof(char *));
		o->fields = grown;
		o->fields[o->n_fields++] = take_word(ps);
		if (o->n_fields > TPL_DEPTH_MAX)
			fail(ps, dot, "too many fields");
	}
}

static struct tpl_pipe *parse_pipe(struct parser *ps);

static void parse_parens(struct parser *ps, struct tpl_operand *o)
{
	const char *open = ps->p++;

	o->kind = TPL_PARENS;
	if (++ps->depth > TPL_DEPTH_MAX) {
		fail(ps, open, "nested too deeply");
		return;
	}
	o->pipe = parse_pipe(ps);
	ps->depth--;
	skip_space(ps);
	if (*ps->p != ')')
		fail(ps, open, "\"(\" without \")\"");
	else
		ps->p++;
}

static void parse_name(struct parser *ps, struct tpl_operand *o)
{
	const char *from = ps->p;
	char *word = take_word(ps);

	if (streq(word, "true") || streq(word, "false")) {
		o->kind = TPL_VALUE;
		o->value = literal(ps, json_boolean(streq(word, "true")));
	} else if (streq(word, "nil")) {
		o->kind = TPL_VALUE;
	} else if (tpl_has_function(word)) {
		o->kind = TPL_FUNC;
		o->name = word;
	} else {
		const char *near = tpl_near_function(word);

		fail(ps, from, "there is no function \"%.40s\"%s%s%s", word, near ? "; did you mean \"" : "",
		     near ? near : "", near ? "\"?" : "");
	}
}

static void parse_operand(struct parser *ps, struct tpl_operand *o)
{
	char c = *ps->p;

	o->at = (size_t)(ps->p - ps->start);
	if (c == '.' && !(ps->p[1] >= '0' && ps->p[1] <= '9')) {
		o->kind = TPL_DOT;
	} else if (c == '$') {
		ps->p++;
		o->kind = TPL_VAR;
		o->name = take_word(ps);
	} else if (c == '(') {
		parse_parens(ps, o);
	} else if (c == '"' || c == '`') {
		o->kind = TPL_VALUE;
		o->value = parse_string(ps);
	} else if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.') {
		o->kind = TPL_VALUE;
		o->value = parse_number(ps);
	} else if (is_word(c)) {
		parse_name(ps, o);
	} else if (c) {
		fail(ps, ps->p, "unexpected \"%.*s\"", 1, ps->p);
	} else {
		fail(ps, ps->p, "\"}}\" is missing");
	}
	if (o->kind == TPL_DOT || o->kind == TPL_VAR || o->kind == TPL_PARENS)
		parse_fields(ps, o);
}

static bool command_ends(struct parser *ps)
{
	return at_end(ps) || *ps->p == '|' || *ps->p == ')' || !*ps->p || ps->failed;
}

static struct tpl_command *parse_command(struct parser *ps)
{
	struct tpl_command *c = make(ps, sizeof(*c));
	struct tpl_operand args[16] = { 0 };

	skip_space(ps);
	while (!command_ends(ps)) {
		const char *from = ps->p;

		if (c->n == ARRAY_SIZE(args)) {
			fail(ps, from, "too many arguments");
			break;
		}
		parse_operand(ps, &args[c->n++]);
		if (!ps->failed && !is_space(*ps->p) && !command_ends(ps))
			fail(ps, ps->p, "a blank is missing");
		skip_space(ps);
	}
	if (c->n == 0)
		fail(ps, ps->p, "a value is missing");
	c->args = make(ps, (c->n ? c->n : 1) * sizeof(*c->args));
	memcpy(c->args, args, c->n * sizeof(*c->args));
	return c;
}

/* "$x := ", "$k, $v := ", "$x = "; leaves the position alone when there is none of them. */
static void parse_declaration(struct parser *ps, struct tpl_pipe *pipe)
{
	const char *from = ps->p;
	char *names[2] = { 0 };
	unsigned n = 0;

	while (*ps->p == '$' && n < 2) {
		ps->p++;
		names[n++] = take_word(ps);
		skip_space(ps);
		if (n == 2 || *ps->p != ',')
			break;
		ps->p++;
		skip_space(ps);
	}
	if (n && (str_after(ps->p, ":=") || (*ps->p == '=' && n == 1))) {
		pipe->assign = *ps->p == '=';
		pipe->n_vars = n;
		memcpy(pipe->vars, names, sizeof(names));
		ps->p += pipe->assign ? 1 : 2;
		for (unsigned i = 0; i < n; i++)
			if (!*names[i])
				fail(ps, from, "\"$\" cannot be set");
	} else {
		ps->p = from;
	}
}

static struct tpl_pipe *parse_pipe(struct parser *ps)
{
	struct tpl_pipe *pipe = make(ps, sizeof(*pipe));
	struct tpl_command **last = &pipe->first;

	skip_space(ps);
	pipe->at = (size_t)(ps->p - ps->start);
	parse_declaration(ps, pipe);
	do {
		*last = parse_command(ps);
		last = &(*last)->next;
	} while (!ps->failed && *ps->p == '|' && ps->p++);
	return pipe;
}

/* Text up to "{{" with "\t" and "\n" spelled out, as docker does; trimmed where the actions around it say so. */
static struct tpl_node *parse_text(struct parser *ps)
{
	const char *end = strstr(ps->p, "{{");
	struct tpl_node *node = make(ps, sizeof(*node));
	_cleanup_buf_ struct buf b = { 0 };
	size_t skip = 0;

	if (!end)
		end = ps->p + strlen(ps->p);
	node->at = (size_t)(ps->p - ps->start);
	buf_puts(&b, "");
	for (; ps->p < end; ps->p++) {
		bool escape = *ps->p == '\\' && (ps->p[1] == 't' || ps->p[1] == 'n');

		if (escape)
			ps->p++;
		buf_add(&b, escape ? (*ps->p == 't' ? "\t" : "\n") : ps->p, 1);
	}
	while (ps->trim_next && is_space(b.data[skip]))
		skip++;
	if (str_after(end, "{{-") && is_space(end[3]))
		while (b.len > skip && is_space(b.data[b.len - 1]))
			b.data[--b.len] = 0;
	ps->trim_next = false;
	node->text = keep(ps, xstrdup(b.data + skip));
	return node;
}

static struct tpl_node *parse_list(struct parser *ps, const char **stop);

static const char *take_keyword(struct parser *ps)
{
	static const char *const words[] = { "if", "else", "end", "range", "with" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (str_after(ps->p, words[i]) && !is_word(ps->p[n]) && ps->p[n] != '.') {
			ps->p += n;
			return words[i];
		}
	}
	return NULL;
}

/* Behind "if", "range" or "with": condition, body, "else" (also "else if"), "end". */
static struct tpl_node *parse_block(struct parser *ps, const char *word, const char *open)
{
	struct tpl_node *node = make(ps, sizeof(*node));
	const char *stop = NULL;

	node->kind = streq(word, "if") ? TPL_IF : streq(word, "range") ? TPL_RANGE : TPL_WITH;
	node->at = (size_t)(open - ps->start);
	if (++ps->depth > TPL_DEPTH_MAX) {
		fail(ps, open, "nested too deeply");
		return node;
	}
	node->pipe = parse_pipe(ps);
	end_action(ps);
	node->body = parse_list(ps, &stop);
	if (streq(stop, "else")) {
		skip_space(ps);
		const char *again = take_keyword(ps);

		if (again && (streq(again, "if") || streq(again, "with"))) {
			/* "else if" shares the end of the outer one. */
			node->otherwise = parse_block(ps, again, open);
			ps->depth--;
			return node;
		}
		if (again)
			fail(ps, ps->p, "\"%s\" cannot follow \"else\"", again);
		end_action(ps);
		node->otherwise = parse_list(ps, &stop);
		if (streq(stop, "else"))
			fail(ps, ps->p, "a second \"else\"");
	}
	if (!stop)
		fail(ps, open, "\"%s\" without \"end\"", word);
	else
		end_action(ps);
	ps->depth--;
	return node;
}

static void skip_comment(struct parser *ps, const char *open)
{
	const char *end = strstr(ps->p, "*/");

	if (!end)
		fail(ps, open, "comment without \"*/\"");
	else
		ps->p = end + 2;
	end_action(ps);
}

/* Nodes until "else" or "end", which *stop names and whose "}}" is still to be read, or until the end: *stop NULL. */
static struct tpl_node *parse_list(struct parser *ps, const char **stop)
{
	struct tpl_node *first = NULL, **last = &first;

	*stop = NULL;
	while (!ps->failed) {
		const char *open = ps->p, *word;

		*last = parse_text(ps);
		last = &(*last)->next;
		open = ps->p;
		if (!*ps->p)
			return first;
		ps->p += 2;
		if (*ps->p == '-' && is_space(ps->p[1]))
			ps->p++;
		skip_space(ps);
		if (str_after(ps->p, "/*")) {
			skip_comment(ps, open);
			continue;
		}
		word = take_keyword(ps);
		if (word && (streq(word, "else") || streq(word, "end"))) {
			*stop = word;
			return first;
		}
		if (word) {
			*last = parse_block(ps, word, open);
		} else {
			*last = make(ps, sizeof(**last));
			(*last)->kind = TPL_PRINT;
			(*last)->at = (size_t)(open - ps->start);
			(*last)->pipe = parse_pipe(ps);
			end_action(ps);
		}
		last = &(*last)->next;
	}
	return first;
}

int tpl_parse(struct tpl *t, const char *text, struct error *e)
{
	struct parser ps = { .t = t, .start = text, .p = text, .e = e };
	const char *stop;

	if (strlen(text) > TPL_SIZE_MAX)
		return error_set(e, EINVAL, "format: longer than %d bytes", TPL_SIZE_MAX);
	t->first = parse_list(&ps, &stop);
	if (!ps.failed && stop)
		fail(&ps, ps.p, "\"%s\" without a block that it ends", stop);
	return ps.failed ? -EINVAL : 0;
}
