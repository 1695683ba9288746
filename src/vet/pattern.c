/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/pattern.h"

#include "base/str.h"
#include "vet/scan.h"

#include <string.h>

static void set_add(uint8_t set[static 32], unsigned c)
{
	set[c / 8] |= (uint8_t)(1 << c % 8);
}

static bool set_has(const uint8_t set[static 32], unsigned c)
{
	return set[c / 8] >> c % 8 & 1;
}

static void set_range(uint8_t set[static 32], unsigned a, unsigned b)
{
	for (; a <= b; a++)
		set_add(set, a);
}

static void not_line_end(uint8_t set[static 32])
{
	set['\n' / 8] &= (uint8_t)~(1 << '\n' % 8);
	set['\r' / 8] &= (uint8_t)~(1 << '\r' % 8);
	set[0] &= (uint8_t)~1;
}

static bool alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The class behind a backslash; false: no such class. */
static bool named(unsigned char c, uint8_t set[static 32])
{
	switch (c) {
	case 'h':
		set_range(set, 'a', 'f'), set_range(set, 'A', 'F');
		/* fallthrough */
	case 'd':
		set_range(set, '0', '9');
		return true;
	case 'w':
		set_range(set, '0', '9'), set_range(set, 'a', 'z'), set_range(set, 'A', 'Z'), set_add(set, '_');
		return true;
	case 's':
		set_add(set, ' '), set_add(set, '\t');
		return true;
	case 'S':
		set_range(set, 0x21, 0x7e);
		return true;
	default:
		return false;
	}
}

/* One character of a class or outside of one: plain, or escaped. *single: it is one byte, which is returned. */
static int one(const char **p, uint8_t set[static 32], bool *single, struct error *e)
{
	unsigned char c = (unsigned char)*(*p)++;

	*single = true;
	if (c != '\\') {
		set_add(set, c);
		return c;
	}
	c = (unsigned char)*(*p)++;
	if (!c) {
		(*p)--;
		return error_set(e, -EINVAL, "ends with \"\\\"");
	}
	if (!alnum(c)) {
		set_add(set, c);
		return c;
	}
	*single = false;
	return named(c, set) ? 0 : error_set(e, -EINVAL, "\"\\%c\" means nothing", c);
}

static int parse_class(const char **p, uint8_t set[static 32], struct error *e)
{
	bool not = **p == '^', single;

	if (not)
		(*p)++;
	if (**p == ']')
		return error_set(e, -EINVAL, "an empty class");
	while (**p != ']') {
		int first, last;

		if (!**p)
			return error_set(e, -EINVAL, "a class without \"]\"");
		first = one(p, set, &single, e);
		if (first < 0)
			return first;
		if (!single || **p != '-' || (*p)[1] == ']' || !(*p)[1])
			continue;
		(*p)++;
		last = one(p, set, &single, e);
		if (last < 0)
			return last;
		if (!single || last < first)
			return error_set(e, -EINVAL, "a range in a class that goes backwards");
		set_range(set, (unsigned)first, (unsigned)last);
	}
	(*p)++;
	if (not) {
		for (size_t i = 0; i < 32; i++)
			set[i] = (uint8_t)~set[i];
		not_line_end(set);
	}
	return 0;
}

static int number(const char **p, uint32_t *out, struct error *e)
{
	uint32_t v = 0;

	if (**p < '0' || **p > '9')
		return error_set(e, -EINVAL, "a count that is no number");
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		v = v * 10 + (uint32_t)(**p - '0');
		if (v > PATTERN_REPEAT_MAX)
			return error_set(e, -EINVAL, "a count of more than %d", PATTERN_REPEAT_MAX);
	}
	*out = v;
	return 0;
}

static int parse_count(const char **p, struct pattern_part *part, struct error *e)
{
	int r;

	part->min = part->max = 1;
	switch (**p) {
	case '?':
		part->min = 0;
		(*p)++;
		return 0;
	case '*':
	case '+':
		part->min = **p == '+';
		part->max = PATTERN_REPEAT_MAX;
		(*p)++;
		return 0;
	case '{':
		(*p)++;
		r = number(p, &part->min, e);
		if (r < 0)
			return r;
		part->max = part->min;
		if (**p == ',') {
			(*p)++;
			part->max = PATTERN_REPEAT_MAX;
			if (**p != '}' && (r = number(p, &part->max, e)) < 0)
				return r;
		}
		if (**p != '}')
			return error_set(e, -EINVAL, "a count without \"}\"");
		(*p)++;
		return part->max && part->min <= part->max ? 0 : error_set(e, -EINVAL, "a count from %u to %u", part->min, part->max);
	}
	return 0;
}

static int parse_part(const char **p, struct pattern_part *part, int *plain, struct error *e)
{
	bool single = false;
	int r = 0;

	*plain = -1;
	if (**p == '[') {
		(*p)++;
		r = parse_class(p, part->set, e);
	} else if (**p == '.') {
		(*p)++;
		memset(part->set, 0xff, sizeof(part->set));
		not_line_end(part->set);
	} else if (strchr("?*+{}]", **p)) {
		r = error_set(e, -EINVAL, "\"%c\" with nothing before it", **p);
	} else {
		r = one(p, part->set, &single, e);
		if (r >= 0 && single)
			*plain = r;
	}
	return r < 0 ? r : parse_count(p, part, e);
}

static void both_cases(struct pattern_part *part)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		if (set_has(part->set, c) || set_has(part->set, c & 0xdf)) {
			set_add(part->set, c);
			set_add(part->set, c & 0xdf);
		}
	}
}

int pattern_parse(const char *text, bool nocase, struct pattern *out, struct error *e)
{
	bool word = true, open = false, closed = false;
	const char *p = text;

	*out = (struct pattern){ .nocase = nocase, .from = SIZE_MAX };
	while (*p) {
		struct pattern_part part = { 0 };
		int plain, r;

		if (*p == '(' || *p == ')') {
			if (*p == '(' ? open : !open || closed)
				return error_set(e, -EINVAL, "\"%c\" in the wrong place", *p);
			if (*p == '(')
				open = true, out->from = out->n_parts;
			else
				closed = true, out->to = out->n_parts;
			word = false;
			p++;
			continue;
		}
		r = parse_part(&p, &part, &plain, e);
		if (r < 0)
			return r;
		if (word && plain >= 0 && part.min == 1 && part.max == 1 && out->word_len < SCAN_WORD_MAX) {
			out->word[out->word_len++] = (char)plain;
			continue;
		}
		word = false;
		if (out->n_parts == PATTERN_PARTS_MAX)
			return error_set(e, -EINVAL, "more than %d parts", PATTERN_PARTS_MAX);
		if (nocase)
			both_cases(&part);
		out->parts[out->n_parts++] = part;
	}
	if (open != closed)
		return error_set(e, -EINVAL, "\"(\" without \")\"");
	if (!open)
		out->to = out->n_parts;
	if (out->word_len < SCAN_WORD_MIN)
		return error_set(e, -EINVAL, "begins with less than %d characters of plain text", SCAN_WORD_MIN);
	return 0;
}

bool pattern_match(const struct pattern *p, const unsigned char *data, size_t n, size_t offset, size_t *end, size_t *secret,
		   size_t *secret_len)
{
	size_t at = offset + p->word_len, from = offset, to = SIZE_MAX;

	for (size_t i = 0; i <= p->n_parts; i++) {
		const struct pattern_part *part = &p->parts[i];
		size_t stop;

		if (i == p->from)
			from = at;
		if (i == p->to)
			to = at;
		if (i == p->n_parts)
			break;
		stop = n - at > part->max ? at + part->max : n;
		size_t first = at;
		while (at < stop && set_has(part->set, data[at]))
			at++;
		if (at - first < part->min)
			return false;
	}
	*end = at;
	*secret = from;
	*secret_len = (to == SIZE_MAX ? at : to) - from;
	return true;
}
