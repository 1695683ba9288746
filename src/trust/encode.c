/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/encode.h"

#include "base/cleanup.h"

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value_of(char c, bool is_url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (is_url ? '-' : '+'))
		return 62;
	return c == (is_url ? '_' : '/') ? 63 : -1;
}

static int decode(const char *text, size_t n, bool is_url, struct buf *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	if (n % 4 == 1)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		int v = value_of(text[i], is_url);

		if (v < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			unsigned char c = (unsigned char)(bits >> (have - 8));

			have -= 8;
			buf_add(out, &c, 1);
		}
	}
	return bits & ((1u << have) - 1) ? -EBADMSG : 0;
}

int base64_decode(const char *text, size_t n, struct buf *out)
{
	if (n % 4 != 0)
		return -EBADMSG;
	for (int pad = 0; pad < 2 && n > 0 && text[n - 1] == '='; pad++)
		n--;
	return decode(text, n, false, out);
}

int base64url_decode(const char *text, size_t n, struct buf *out)
{
	return decode(text, n, true, out);
}

static char *encode(const void *data, size_t n, const char *alphabet, bool pad)
{
	const unsigned char *in = data;
	char *out = xmalloc((n + 2) / 3 * 4 + 1);
	size_t o = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);

		for (size_t k = 0; k < 4; k++) {
			if (k <= left)
				out[o++] = alphabet[bits >> (18 - 6 * k) & 63];
			else if (pad)
				out[o++] = '=';
		}
	}
	out[o] = 0;
	return out;
}

char *base64_encode(const void *data, size_t n)
{
	return encode(data, n, standard, true);
}

char *base64url_encode(const void *data, size_t n)
{
	return encode(data, n, url, false);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "-----WORD label-----" at the beginning of a line; the rest of the line must be empty. */
static const char *armour(const char *s, const char *end, const char *word, char label[static PEM_LABEL_MAX])
{
	size_t w = strlen(word), n = 0;

	if ((size_t)(end - s) < w || memcmp(s, word, w) != 0)
		return NULL;
	for (s += w; s < end && *s != '-' && n + 1 < PEM_LABEL_MAX; s++) {
		if (!(*s >= 'A' && *s <= 'Z') && !(*s >= '0' && *s <= '9') && *s != ' ')
			return NULL;
		label[n++] = *s;
	}
	label[n] = 0;
	if (n == 0 || end - s < 5 || memcmp(s, "-----", 5) != 0)
		return NULL;
	s += 5;
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r'))
		s++;
	return s == end ? s : *s == '\n' ? s + 1 : NULL;
}

int pem_next(const char **text, const char *end, char label[static PEM_LABEL_MAX], struct buf *der, struct error *e)
{
	_cleanup_buf_ struct buf body = { 0 };
	char last[PEM_LABEL_MAX];
	const char *s = *text;

	while (s < end && blank(*s))
		s++;
	*text = s;
	if (s == end)
		return 0;
	s = armour(s, end, "-----BEGIN ", label);
	if (!s)
		return error_set(e, EBADMSG, "not PEM: something else than a block that begins with -----BEGIN");
	for (; s < end && *s != '-'; s++)
		if (!blank(*s))
			buf_add(&body, s, 1);
	s = armour(s, end, "-----END ", last);
	if (!s || !streq(label, last))
		return error_set(e, EBADMSG, "PEM: the block \"%s\" does not end", label);
	buf_free(der);
	if (body.len == 0 || base64_decode(body.data, body.len, der) < 0)
		return error_set(e, EBADMSG, "PEM: the block \"%s\" is not base64", label);
	*text = s;
	return 1;
}

void pem_write(struct buf *out, const char *label, const void *der, size_t n)
{
	_cleanup_free_ char *text = base64_encode(der, n);

	buf_printf(out, "-----BEGIN %s-----\n", label);
	for (size_t i = 0, len = strlen(text); i < len; i += 64)
		buf_printf(out, "%.64s\n", text + i);
	buf_printf(out, "-----END %s-----\n", label);
}
