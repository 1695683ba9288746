/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over the members of a large JSON document; each value is then parsed by jansson by itself. */
#include "vet/advisory.h"

#include "base/cleanup.h"

#include <string.h>

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'))
		s++;
	return s;
}

/* Behind the closing quote of the string that begins at `s`; NULL: it does not end. */
static const char *string_end(const char *s, const char *end)
{
	for (s++; s < end; s++) {
		if (*s == '"')
			return s + 1;
		if (*s == '\\')
			s++;
	}
	return NULL;
}

/* Brackets are counted without regard to their kind: jansson looks at those. */
static const char *container_end(const char *s, const char *end)
{
	size_t depth = 0;

	while (s < end) {
		if (*s == '"') {
			s = string_end(s, end);
			if (!s)
				return NULL;
			continue;
		}
		if (*s == '{' || *s == '[')
			depth++;
		if ((*s == '}' || *s == ']') && --depth == 0)
			return s + 1;
		s++;
	}
	return NULL;
}

size_t json_value_size(const char *data, size_t n)
{
	const char *end = data + n, *s = data;

	if (n == 0)
		return 0;
	if (*s == '{' || *s == '[')
		s = container_end(s, end);
	else if (*s == '"')
		s = string_end(s, end);
	else
		while (s < end && !strchr(",]} \t\r\n", *s))
			s++;
	return s ? (size_t)(s - data) : 0;
}

int json_cursor_open(struct json_cursor *c, const char *data, size_t n, const char *what, struct error *e)
{
	const char *end = data + n, *s = skip_blanks(data, end);

	if (s == end || *s != '{')
		return error_set(e, EBADMSG, "%s: not a JSON object", what);
	*c = (struct json_cursor){ s + 1, end, true };
	return 0;
}

static int read_key(struct json_cursor *c, char **key, const char *what, struct error *e)
{
	const char *s = c->at, *stop = s < c->end && *s == '"' ? string_end(s, c->end) : NULL;
	_cleanup_json_ json_t *text = NULL;

	if (!stop)
		return error_set(e, EBADMSG, "%s: a member without a name", what);
	text = json_loadb(s, (size_t)(stop - s), JSON_DECODE_ANY, NULL);
	if (!json_is_string(text))
		return error_set(e, EBADMSG, "%s: the name of a member is damaged", what);
	*key = xstrdup(json_string_value(text));
	c->at = skip_blanks(stop, c->end);
	return 0;
}

int json_cursor_next(struct json_cursor *c, struct json_piece *out, const char *what, struct error *e)
{
	_cleanup_free_ char *key = NULL;
	int r;

	c->at = skip_blanks(c->at, c->end);
	if (c->at < c->end && *c->at == '}') {
		if (skip_blanks(c->at + 1, c->end) != c->end)
			return error_set(e, EBADMSG, "%s: bytes after the end of the document", what);
		return 0;
	}
	if (!c->first) {
		if (c->at == c->end || *c->at != ',')
			return error_set(e, EBADMSG, "%s: cut, or damaged", what);
		c->at = skip_blanks(c->at + 1, c->end);
	}
	c->first = false;
	r = read_key(c, &key, what, e);
	if (r < 0)
		return r;
	if (c->at == c->end || *c->at != ':')
		return error_set(e, EBADMSG, "%s: member %s has no value", what, key);
	c->at = skip_blanks(c->at + 1, c->end);
	out->n = json_value_size(c->at, (size_t)(c->end - c->at));
	if (out->n == 0)
		return error_set(e, EBADMSG, "%s: the value of %s does not end", what, key);
	out->value = c->at;
	out->key = steal_ptr(&key);
	c->at += out->n;
	return 1;
}
