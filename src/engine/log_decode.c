/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a log read back. The bytes may be anybody's: a container's folder is the person's own. */
#include "engine/log.h"

#include "base/clock.h"

#include <string.h>

struct cursor {
	const char *p, *end;
};

static bool eat(struct cursor *c, char ch)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static int hex4(struct cursor *c)
{
	int v = 0;

	if (c->end - c->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char ch = *c->p++;
		int d = ch >= '0' && ch <= '9' ? ch - '0' :
			ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 :
			ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* After "\u": one UTF-16 unit or a pair of them. A lone surrogate is an error. */
static long code_point(struct cursor *c)
{
	int hi = hex4(c), lo;

	if (hi < 0 || (hi >= 0xdc00 && hi <= 0xdfff))
		return -1;
	if (hi < 0xd800 || hi > 0xdbff)
		return hi;
	if (c->end - c->p < 2 || c->p[0] != '\\' || c->p[1] != 'u')
		return -1;
	c->p += 2;
	lo = hex4(c);
	return lo < 0xdc00 || lo > 0xdfff ? -1 : 0x10000 + ((hi - 0xd800L) << 10) + (lo - 0xdc00);
}

static size_t utf8(long v, char out[static 4])
{
	if (v < 0x80) {
		out[0] = (char)v;
		return 1;
	}
	if (v < 0x800) {
		out[0] = (char)(0xc0 | v >> 6);
		out[1] = (char)(0x80 | (v & 0x3f));
		return 2;
	}
	if (v < 0x10000) {
		out[0] = (char)(0xe0 | v >> 12);
		out[1] = (char)(0x80 | (v >> 6 & 0x3f));
		out[2] = (char)(0x80 | (v & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | v >> 18);
	out[1] = (char)(0x80 | (v >> 12 & 0x3f));
	out[2] = (char)(0x80 | (v >> 6 & 0x3f));
	out[3] = (char)(0x80 | (v & 0x3f));
	return 4;
}

/* What follows a backslash. The length, or -1. */
static int unescape(struct cursor *c, char out[static 4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	long v;

	if (c->p == c->end)
		return -1;
	if (*c->p == 'u') {
		c->p++;
		v = code_point(c);
		return v < 0 ? -1 : (int)utf8(v, out);
	}
	at = *c->p ? strchr(from, *c->p) : NULL;
	if (!at)
		return -1;
	c->p++;
	out[0] = to[at - from];
	return 1;
}

/* A JSON string into `out`. The length, or -1 when it is none or does not fit. */
static ssize_t string(struct cursor *c, char *out, size_t room)
{
	size_t len = 0;

	if (!eat(c, '"'))
		return -1;
	while (c->p < c->end) {
		const char *start = c->p;
		char esc[4];
		size_t run;
		int k;

		while (c->p < c->end && *c->p != '"' && *c->p != '\\' && (unsigned char)*c->p >= 0x20)
			c->p++;
		run = (size_t)(c->p - start);
		if (run > room - len || c->p == c->end)
			return -1;
		memcpy(out + len, start, run);
		len += run;
		if (*c->p == '"') {
			c->p++;
			return (ssize_t)len;
		}
		if (*c->p++ != '\\')
			return -1;
		k = unescape(c, esc);
		if (k < 0 || (size_t)k > room - len)
			return -1;
		memcpy(out + len, esc, (size_t)k);
		len += (size_t)k;
	}
	return -1;
}

static int base64_digit(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	       c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	       c >= '0' && c <= '9' ? c - '0' + 52 :
	       c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place. The length, or -1. */
static ssize_t unbase64(char *data, size_t n)
{
	size_t len = 0;

	if (n % 4)
		return -1;
	for (size_t i = 0; i < n; i += 4) {
		int pad = i + 4 == n ? (data[i + 3] == '=') + (data[i + 2] == '=' && data[i + 3] == '=') : 0;
		uint32_t v = 0;

		for (int k = 0; k < 4; k++) {
			int d = k >= 4 - pad ? 0 : base64_digit(data[i + (size_t)k]);

			if (d < 0)
				return -1;
			v = v << 6 | (uint32_t)d;
		}
		data[len++] = (char)(v >> 16);
		if (pad < 2)
			data[len++] = (char)(v >> 8);
		if (pad < 1)
			data[len++] = (char)v;
	}
	return (ssize_t)len;
}

enum { SEEN_LOG = 1, SEEN_B64 = 2 };

/* "log" or "b64". The exact bytes count, in whichever order the two stand. */
static int text(struct cursor *c, bool exact, struct log_entry *out, unsigned *seen)
{
	char other[LOG_ENTRY_MAX];
	ssize_t n;

	if (!exact && !(*seen & SEEN_B64)) {
		n = string(c, out->data, sizeof(out->data));
	} else {
		n = string(c, other, sizeof(other));
		if (n >= 0 && exact)
			n = unbase64(other, (size_t)n);
		if (n > (ssize_t)sizeof(out->data))
			n = -1;
		if (n > 0 && exact)
			memcpy(out->data, other, (size_t)n);
	}
	if (n < 0)
		return -EINVAL;
	if (exact || !(*seen & SEEN_B64))
		out->len = (size_t)n;
	*seen |= exact ? SEEN_B64 : SEEN_LOG;
	return 0;
}

/* One member. Members that are not ours must be strings, too. */
static int member(struct cursor *c, struct log_entry *out, unsigned *seen)
{
	char key[64], value[256];
	ssize_t n = string(c, key, sizeof(key) - 1);

	if (n < 0 || !eat(c, ':'))
		return -EINVAL;
	key[n] = 0;
	if (!strcmp(key, "log") || !strcmp(key, "b64"))
		return text(c, key[0] == 'b', out, seen);
	n = string(c, value, sizeof(value) - 1);
	if (n < 0)
		return -EINVAL;
	value[n] = 0;
	if (!strcmp(key, "stream")) {
		if (strcmp(value, "stdout") && strcmp(value, "stderr"))
			return -EINVAL;
		out->stream = strcmp(value, "stdout") ? LOG_STDERR : LOG_STDOUT;
	} else if (!strcmp(key, "time")) {
		if (!strchr(value, 'T') || clock_parse(value, &out->time_ns) < 0)
			return -EINVAL;
	}
	return 0;
}

int log_decode(const char *line, size_t n, struct log_entry *out)
{
	struct cursor c = { line, line + n };
	unsigned seen = 0;

	out->len = 0;
	out->time_ns = 0;
	out->stream = LOG_STDOUT;
	if (!eat(&c, '{'))
		return -EINVAL;
	do {
		if (member(&c, out, &seen) < 0)
			return -EINVAL;
	} while (eat(&c, ','));
	if (!eat(&c, '}') || !seen)
		return -EINVAL;
	eat(&c, '\n');
	return c.p == c.end ? 0 : -EINVAL;
}
