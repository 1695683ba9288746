/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAD_MAX = 1000, DEPTH_MAX = 100 };

bool tpl_true(const json_t *j)
{
	switch (j ? json_typeof(j) : JSON_NULL) {
	case JSON_OBJECT:
		return json_object_size(j) > 0;
	case JSON_ARRAY:
		return json_array_size(j) > 0;
	case JSON_STRING:
		return json_string_length(j) > 0;
	case JSON_INTEGER:
		return json_integer_value(j) != 0;
	case JSON_REAL:
		return json_real_value(j) != 0;
	case JSON_TRUE:
		return true;
	default:
		return false;
	}
}

const char *tpl_type_name(const json_t *j)
{
	static const char *const names[] = { "an object", "a list", "a string", "a number",
					     "a number",  "true",   "false",	"null" };

	return j ? names[json_typeof(j)] : "no value";
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **tpl_sorted_keys(const json_t *j)
{
	char **keys = xcalloc(json_object_size(j) + 1, sizeof(char *));
	const char *key;
	json_t *item;
	size_t n = 0;

	json_object_foreach((json_t *)j, key, item)
		keys[n++] = xstrdup(key);
	qsort(keys, n, sizeof(char *), by_name);
	return keys;
}

static void put_string(struct tpl_run *run, const char *s, size_t n, bool safe, struct buf *out)
{
	_cleanup_free_ char *escaped = run->escape && !safe ? str_escape_n(s, n) : NULL;

	if (escaped)
		buf_puts(out, escaped);
	else
		buf_add(out, s, n);
}

static void put_real(double v, struct buf *out)
{
	char text[40];

	/* The shortest form that reads back as the same number. */
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(out, text);
}

static void put_value(struct tpl_run *run, const json_t *j, bool safe, unsigned depth, struct buf *out)
{
	if (depth > DEPTH_MAX) {
		buf_puts(out, "...");
		return;
	}
	switch (j ? json_typeof(j) : JSON_NULL) {
	case JSON_STRING:
		put_string(run, json_string_value(j), json_string_length(j), safe, out);
		break;
	case JSON_INTEGER:
		buf_printf(out, "%lld", (long long)json_integer_value(j));
		break;
	case JSON_REAL:
		put_real(json_real_value(j), out);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_puts(out, json_is_true(j) ? "true" : "false");
		break;
	case JSON_NULL:
		buf_puts(out, depth ? "<nil>" : "<no value>");
		break;
	case JSON_ARRAY:
		buf_puts(out, "[");
		for (size_t i = 0; i < json_array_size(j); i++) {
			if (i)
				buf_puts(out, " ");
			put_value(run, json_array_get(j, i), false, depth + 1, out);
		}
		buf_puts(out, "]");
		break;
	case JSON_OBJECT: {
		_cleanup_strv_ char **keys = tpl_sorted_keys(j);

		buf_puts(out, "map[");
		strv_foreach(k, keys) {
			if (k != keys)
				buf_puts(out, " ");
			put_string(run, *k, strlen(*k), false, out);
			buf_puts(out, ":");
			put_value(run, json_object_get(j, *k), false, depth + 1, out);
		}
		buf_puts(out, "]");
		break;
	}
	}
}

void tpl_print(struct tpl_run *run, const struct tpl_val *v, struct buf *out)
{
	put_value(run, v->j, v->safe, 0, out);
}

/* A string value out of a buffer, which is freed. */
static struct tpl_val text_value(struct buf *b, bool safe)
{
	struct tpl_val v = { .j = json_stringn(b->data ? b->data : "", b->len), .safe = safe };

	/* Cut inside a character: what is left is shown byte by byte. */
	if (!v.j) {
		_cleanup_free_ char *escaped = str_escape_n(b->data, b->len);

		v.j = json_string(escaped);
	}
	buf_free(b);
	return v;
}

struct call {
	struct tpl_run *run;
	const char *name;
	size_t at;
	struct tpl_val *args;
	size_t n;
	struct tpl_val *out;
};

static int bad_argument(struct call *c, size_t i, const char *want)
{
	return tpl_fail(c->run, c->at, "%s: argument %zu is %s, not %s", c->name, i + 1, tpl_type_name(c->args[i].j),
			want);
}

static int want_string(struct call *c, size_t i, const char **out)
{
	if (!json_is_string(c->args[i].j))
		return bad_argument(c, i, "a string");
	*out = json_string_value(c->args[i].j);
	return 0;
}

static int want_count(struct call *c, size_t i, size_t *out)
{
	const json_t *j = c->args[i].j;

	if (!json_is_integer(j) || json_integer_value(j) < 0 || json_integer_value(j) > PAD_MAX)
		return bad_argument(c, i, "a whole number from 0 to 1000");
	*out = (size_t)json_integer_value(j);
	return 0;
}

static int f_json(struct call *c)
{
	_cleanup_json_ json_t *copy = NULL;
	struct buf b = { 0 };
	json_t *j = c->args[0].j;
	const char *key;
	json_t *item;
	void *tmp;

	if (json_is_object(j)) {
		/* Keys that begin with a dot are answers for calls, see call_field(). */
		copy = json_copy(j);
		json_object_foreach_safe(copy, tmp, key, item)
			if (*key == '.')
				json_object_del(copy, key);
		j = copy;
	}
	cli_json_text(j, 0, c->run->escape, &b);
	*c->out = text_value(&b, true);
	return 0;
}

static int f_index(struct call *c)
{
	json_t *j = c->args[0].j;

	for (size_t i = 1; i < c->n; i++) {
		const json_t *k = c->args[i].j;

		if (json_is_object(j) && json_is_string(k)) {
			j = json_object_get(j, json_string_value(k));
		} else if (json_is_array(j) && json_is_integer(k)) {
			if (json_integer_value(k) < 0 || (size_t)json_integer_value(k) >= json_array_size(j))
				return tpl_fail(c->run, c->at, "index: %lld is outside a list of %zu",
						(long long)json_integer_value(k), json_array_size(j));
			j = json_array_get(j, (size_t)json_integer_value(k));
		} else if (!j || json_is_null(j)) {
			if (c->run->lenient)
				break;
			return tpl_fail(c->run, c->at, "index: argument %zu goes into no value", i + 1);
		} else {
			return tpl_fail(c->run, c->at, "index: %s cannot be indexed by %s", tpl_type_name(j),
					tpl_type_name(k));
		}
	}
	/* A key that a map of strings does not have is an empty string in Go. */
	c->out->j = j ? json_incref(j) : json_string("");
	return 0;
}

static int f_len(struct call *c)
{
	const json_t *j = c->args[0].j;
	size_t n;

	if (json_is_array(j))
		n = json_array_size(j);
	else if (json_is_object(j))
		n = json_object_size(j);
	else if (json_is_string(j))
		n = json_string_length(j);
	else
		return bad_argument(c, 0, "a list, an object or a string");
	c->out->j = json_integer((json_int_t)n);
	return 0;
}

static int f_join(struct call *c)
{
	bool safe = c->run->escape;
	struct buf b = { 0 };
	const char *sep = NULL;
	int r = want_string(c, 1, &sep);

	if (r < 0)
		return r;
	if (c->args[0].j && !json_is_array(c->args[0].j) && !json_is_null(c->args[0].j))
		return bad_argument(c, 0, "a list");
	/* Parts are escaped here, where it is known which ones the template itself wrote. */
	for (size_t i = 0; i < json_array_size(c->args[0].j); i++) {
		if (i)
			put_string(c->run, sep, strlen(sep), c->args[1].safe, &b);
		put_value(c->run, json_array_get(c->args[0].j, i), false, 1, &b);
	}
	*c->out = text_value(&b, safe);
	return 0;
}

static int f_split(struct call *c)
{
	_cleanup_strv_ char **parts = NULL;
	const char *s = NULL, *sep = NULL;
	int r = want_string(c, 0, &s);

	if (r == 0)
		r = want_string(c, 1, &sep);
	if (r < 0)
		return r;
	if (!*sep)
		return bad_argument(c, 1, "a separator");
	for (const char *end; (end = strstr(s, sep)); s = end + strlen(sep))
		strv_add(&parts, xstrndup(s, (size_t)(end - s)));
	strv_add_copy(&parts, s);
	c->out->j = json_from_strv(parts);
	return 0;
}

/* upper, lower, title: ASCII letters only, brig has no locale. */
static int f_case(struct call *c)
{
	struct buf b = { 0 };
	const char *s = NULL;
	int r = want_string(c, 0, &s);

	if (r < 0)
		return r;
	buf_puts(&b, s);
	for (size_t i = 0; i < b.len; i++) {
		char *p = &b.data[i];
		bool letter = (*p | 0x20) >= 'a' && (*p | 0x20) <= 'z', first = i == 0 || p[-1] == ' ';

		if (letter && *c->name != 't')
			*p = (char)(*c->name == 'u' ? *p & ~0x20 : *p | 0x20);
		else if (letter && first)
			*p = (char)(*p & ~0x20);
	}
	*c->out = text_value(&b, c->args[0].safe);
	return 0;
}

static int f_truncate(struct call *c)
{
	struct buf b = { 0 };
	size_t max = 0, i = 0;
	const char *s = NULL;
	int r = want_string(c, 0, &s);

	if (r == 0)
		r = want_count(c, 1, &max);
	if (r < 0)
		return r;
	for (; s[i] && max > 0; max--) {
		uint32_t cp;
		size_t n = utf8_decode(s + i, strlen(s + i), &cp);

		i += n ? n : 1;
	}
	buf_add(&b, s, i);
	*c->out = text_value(&b, c->args[0].safe);
	return 0;
}

static int f_pad(struct call *c)
{
	struct buf b = { 0 };
	size_t before = 0, after = 0;
	const char *s = NULL;
	int r = want_string(c, 0, &s);

	if (r == 0)
		r = want_count(c, 1, &before);
	if (r == 0)
		r = want_count(c, 2, &after);
	if (r < 0)
		return r;
	/* Go pads no empty string. */
	if (*s)
		buf_printf(&b, "%*s%s%*s", (int)before, "", s, (int)after, "");
	*c->out = text_value(&b, c->args[0].safe);
	return 0;
}

/* print and println. print puts a blank between two neighbours that are no strings, println between all. */
static int f_print(struct call *c)
{
	bool line = streq(c->name, "println");
	struct buf b = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		if (i && (line || (!json_is_string(c->args[i].j) && !json_is_string(c->args[i - 1].j))))
			buf_puts(&b, " ");
		put_value(c->run, c->args[i].j, c->args[i].safe, 0, &b);
	}
	if (line)
		buf_puts(&b, "\n");
	*c->out = text_value(&b, c->run->escape);
	return 0;
}

struct verb {
	bool left, zero;
	int width, precision; /* precision -1: none */
	char letter;
};

static int number(const char **p, int *out)
{
	for (*out = 0; **p >= '0' && **p <= '9'; (*p)++) {
		*out = *out * 10 + (**p - '0');
		if (*out > PAD_MAX)
			return -ERANGE;
	}
	return 0;
}

static const char *parse_verb(const char *p, struct verb *v)
{
	*v = (struct verb){ .precision = -1 };
	for (; *p == '-' || *p == '0'; p++)
		*(*p == '-' ? &v->left : &v->zero) = true;
	if (number(&p, &v->width) < 0)
		return NULL;
	if (*p == '.' && (p++, number(&p, &v->precision) < 0))
		return NULL;
	v->letter = *p;
	return *p && strchr("svdqxft", *p) ? p + 1 : NULL;
}

static int put_verb(struct call *c, const struct verb *v, size_t i, struct buf *out)
{
	_cleanup_buf_ struct buf b = { 0 };
	const json_t *j = c->args[i].j;

	buf_puts(&b, "");
	if (v->letter == 'd' || (v->letter == 'x' && json_is_integer(j))) {
		if (!json_is_integer(j))
			return bad_argument(c, i, "a whole number");
		buf_printf(&b, v->letter == 'd' ? "%lld" : "%llx", (long long)json_integer_value(j));
	} else if (v->letter == 'f') {
		if (!json_is_number(j) || fabs(json_number_value(j)) > 1e18)
			return bad_argument(c, i, "a number below 1e18");
		buf_printf(&b, "%.*f", v->precision < 0 ? 6 : v->precision, json_number_value(j));
	} else if (v->letter == 'q' && json_is_string(j)) {
		cli_json_text(j, 0, c->run->escape, &b);
	} else if (v->letter == 'x') {
		if (!json_is_string(j))
			return bad_argument(c, i, "a string or a whole number");
		for (const char *s = json_string_value(j); *s; s++)
			buf_printf(&b, "%02x", (unsigned char)*s);
	} else {
		put_value(c->run, j, c->args[i].safe, 0, &b);
		if (v->precision >= 0 && (size_t)v->precision < b.len)
			b.data[b.len = (size_t)v->precision] = 0;
	}
	int pad = v->width - (int)cli_text_width(b.data);
	const char *fill = v->zero && !v->left ? "0" : " ";
	for (int k = 0; !v->left && k < pad; k++)
		buf_puts(out, fill);
	buf_add(out, b.data, b.len);
	for (int k = 0; v->left && k < pad; k++)
		buf_puts(out, " ");
	return 0;
}

static int f_printf(struct call *c)
{
	struct buf b = { 0 };
	const char *p;
	size_t used = 1;
	int r = want_string(c, 0, &p);

	while (r == 0 && *p) {
		struct verb v;
		const char *next;

		if (*p != '%' || p[1] == '%') {
			size_t n = *p == '%' ? 1 : strcspn(p, "%");

			put_string(c->run, p, n, c->args[0].safe, &b);
			p += *p == '%' ? 2 : n;
			continue;
		}
		next = parse_verb(p + 1, &v);
		if (!next)
			r = tpl_fail(c->run, c->at, "printf: bad verb \"%.10s\"", p);
		else if (used == c->n)
			r = tpl_fail(c->run, c->at, "printf: a value for %%%c is missing", v.letter);
		else
			r = put_verb(c, &v, used++, &b);
		p = next;
	}
	if (r == 0 && used < c->n)
		r = tpl_fail(c->run, c->at, "printf: %zu values too many", c->n - used);
	if (r < 0) {
		buf_free(&b);
		return r;
	}
	*c->out = text_value(&b, c->run->escape);
	return 0;
}

/* Order of two numbers or two strings; *known false when they cannot be compared. */
static int order(const json_t *a, const json_t *b, bool *known)
{
	*known = true;
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) < json_integer_value(b) ? -1 :
								       json_integer_value(a) > json_integer_value(b);
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) < json_number_value(b) ? -1 : json_number_value(a) > json_number_value(b);
	if (json_is_string(a) && json_is_string(b))
		return strcmp(json_string_value(a), json_string_value(b));
	*known = false;
	return 0;
}

static bool equal(const json_t *a, const json_t *b)
{
	bool known;
	int c = order(a, b, &known);

	if (known)
		return c == 0;
	if (!a || json_is_null(a) || !b || json_is_null(b))
		return (!a || json_is_null(a)) && (!b || json_is_null(b));
	return json_equal(a, b);
}

static int f_compare(struct call *c)
{
	bool known, result = false;
	int o;

	if (streq(c->name, "eq")) {
		for (size_t i = 1; i < c->n; i++)
			result = result || equal(c->args[0].j, c->args[i].j);
	} else if (streq(c->name, "ne")) {
		result = !equal(c->args[0].j, c->args[1].j);
	} else {
		o = order(c->args[0].j, c->args[1].j, &known);
		if (!known)
			return tpl_fail(c->run, c->at, "%s: cannot compare %s with %s", c->name,
					tpl_type_name(c->args[0].j), tpl_type_name(c->args[1].j));
		result = c->name[0] == 'l' ? o < 0 : o > 0;
		if (c->name[1] == 'e')
			result = result || o == 0;
	}
	c->out->j = json_boolean(result);
	return 0;
}

/* and, or: the first argument that decides, or the last one. */
static int f_logic(struct call *c)
{
	bool stop_at = *c->name == 'o';
	size_t i = 0;

	while (i + 1 < c->n && tpl_true(c->args[i].j) != stop_at)
		i++;
	*c->out = (struct tpl_val){ .j = json_incref(c->args[i].j), .safe = c->args[i].safe };
	return 0;
}

static int f_not(struct call *c)
{
	c->out->j = json_boolean(!tpl_true(c->args[0].j));
	return 0;
}

static const struct function {
	char name[9];
	unsigned char min, max;
	int (*call)(struct call *c);
} functions[] = {
	{ "and", 1, 16, f_logic },    { "eq", 2, 16, f_compare },  { "ge", 2, 2, f_compare },
	{ "gt", 2, 2, f_compare },    { "index", 1, 16, f_index }, { "join", 2, 2, f_join },
	{ "json", 1, 1, f_json },     { "le", 2, 2, f_compare },   { "len", 1, 1, f_len },
	{ "lower", 1, 1, f_case },    { "lt", 2, 2, f_compare },   { "ne", 2, 2, f_compare },
	{ "not", 1, 1, f_not },	      { "or", 1, 16, f_logic },	   { "pad", 3, 3, f_pad },
	{ "print", 0, 16, f_print },  { "printf", 1, 16, f_printf }, { "println", 0, 16, f_print },
	{ "split", 2, 2, f_split },   { "title", 1, 1, f_case },   { "truncate", 2, 2, f_truncate },
	{ "upper", 1, 1, f_case },
};

static const struct function *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (streq(functions[i].name, name))
			return &functions[i];
	return NULL;
}

bool tpl_has_function(const char *name)
{
	return find(name) != NULL;
}

const char *tpl_near_function(const char *name)
{
	struct cli_nearest near = { .word = name };

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		cli_nearest_offer(&near, functions[i].name);
	return near.best;
}

int tpl_call(struct tpl_run *run, const char *name, size_t at, struct tpl_val *args, size_t n, struct tpl_val *out)
{
	const struct function *f = find(name);
	struct call c = { run, name, at, args, n, out };

	*out = (struct tpl_val){ 0 };
	if (n < f->min || n > f->max)
		return tpl_fail(run, at, "%s takes %s%u argument%s, not %zu", name, f->max > f->min ? "at least " : "",
				f->min, f->min == 1 ? "" : "s", n);
	return f->call(&c);
}
