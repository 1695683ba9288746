/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/monitor_bare.h"

#include <string.h>
#include <unistd.h>

size_t bare_decimal(uint64_t v, unsigned width, char out[static 24])
{
	char tmp[24];
	size_t n = 0;

	do {
		tmp[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v || n < width);
	for (size_t i = 0; i < n; i++)
		out[i] = tmp[n - 1 - i];
	out[n] = 0;
	return n;
}

/* Day number since 1970-01-01 to a date of the proleptic Gregorian calendar, counted from 0000-03-01 in eras of 400 years. */
static void civil(uint64_t day, unsigned *year, unsigned *month, unsigned *mday)
{
	uint64_t z = day + 719468, era = z / 146097;
	unsigned doe = (unsigned)(z % 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*mday = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (unsigned)(yoe + era * 400) + (*month <= 2);
}

size_t bare_time(uint64_t ns, char out[static 40])
{
	uint64_t s = ns / NS_PER_S;
	unsigned year, month, mday, rest = (unsigned)(s % 86400);
	const struct {
		unsigned v, width;
		char after;
	} part[] = {
		{ 0, 4, '-' }, { 0, 2, '-' }, { 0, 2, 'T' },
		{ rest / 3600, 2, ':' }, { rest / 60 % 60, 2, ':' }, { rest % 60, 2, '.' },
		{ (unsigned)(ns % NS_PER_S), 9, 'Z' },
	};
	size_t n = 0;

	civil(s / 86400, &year, &month, &mday);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		char digits[24];
		unsigned v = i == 0 ? year : i == 1 ? month : i == 2 ? mday : part[i].v;
		size_t len = bare_decimal(v, part[i].width, digits);

		memcpy(out + n, digits, len);
		n += len;
		out[n++] = part[i].after;
	}
	out[n] = 0;
	return n;
}

int bare_utf8(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	int len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	for (int i = 1; i < len; i++) {
		if ((size_t)i >= n)
			return -1;
		if (p[i] < lo || p[i] > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return len;
}

/* True when each of 8 bytes stands for itself in a JSON string: 0x20 to 0x7f but '"' and '\\'. */
static bool plain8(const unsigned char *p)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t v, q, b;

	memcpy(&v, p, 8);
	q = v ^ (ones * '"');
	b = v ^ (ones * '\\');
	return !((v | (v - ones * 0x20) | (q - ones) | (b - ones)) & tops);
}

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Escapes one byte that is not plain ASCII and no part of a character. The length, at most 6. */
static size_t escape_byte(unsigned char c, char out[static 6])
{
	static const char hex[] = "0123456789abcdef";
	char letter = c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c == '"' || c == '\\' ? (char)c : 0;

	out[0] = '\\';
	if (letter) {
		out[1] = letter;
		return 2;
	}
	out[1] = 'u';
	out[2] = c < 0x20 ? '0' : 'f';
	out[3] = c < 0x20 ? '0' : 'f';
	out[4] = c < 0x20 ? hex[c >> 4] : 'f';
	out[5] = c < 0x20 ? hex[c & 15] : 'd';
	return 6;
}

size_t bare_escape(const void *text, size_t n, char *out, size_t room, size_t *used, bool *bad)
{
	const unsigned char *p = text;
	size_t i = 0, len = 0;

	while (i < n) {
		char esc[6];
		size_t k;
		int u;

		while (n - i >= 8 && room - len >= 8 && plain8(p + i)) {
			memcpy(out + len, p + i, 8);
			i += 8;
			len += 8;
		}
		if (i == n || len == room)
			break;
		if (plain(p[i])) {
			out[len++] = (char)p[i++];
			continue;
		}
		u = p[i] < 0x80 ? 0 : bare_utf8(p + i, n - i);
		if (u > 1) {
			if (room - len < (size_t)u)
				break;
			memcpy(out + len, p + i, (size_t)u);
			len += (size_t)u;
			i += (size_t)u;
			continue;
		}
		k = escape_byte(p[i], esc);
		if (room - len < k)
			break;
		*bad |= p[i] >= 0x80;
		memcpy(out + len, esc, k);
		len += k;
		i++;
	}
	*used = i;
	return len;
}

uint64_t bare_field(int fd, const char *key)
{
	char text[1024];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	size_t k = strlen(key);

	if (n <= 0)
		return 0;
	text[n] = 0;
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		uint64_t v = 0;

		if (strncmp(p, key, k) || p[k] != ' ')
			continue;
		for (p += k + 1; *p >= '0' && *p <= '9'; p++)
			v = v * 10 + (uint64_t)(*p - '0');
		return v;
	}
	return 0;
}
