/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is it what it looks like? Sources: RFC 7468 (PEM), RFC 1421 section 4.6 (Proc-Type), OpenSSH PROTOCOL.key, RFC 4880 section 4.2 (OpenPGP
 * packet headers), RFC 7519 (JWT), PuTTY's documentation appendix C.3, and GitHub's "Behind GitHub's new authentication token formats"
 * (2021-04-05) for the checksum.
 */
#include "vet/secret.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

enum { KEY_TEXT_MAX = 65536, JSON_OBJECT_MAX = 8192 };

static int digit64(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Both alphabets, padding may be missing. `out` holds 3 bytes for each 4. -1: not base64. */
static ssize_t decode64(const unsigned char *s, size_t n, unsigned char *out)
{
	size_t len = 0, digits = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = digit64(s[i]);

		if (s[i] == '=') {
			for (; i < n; i++)
				if (s[i] != '=')
					return -1;
			break;
		}
		if (d < 0)
			return -1;
		v = v << 6 | (uint32_t)d;
		if (++digits % 4 && digits % 4 != 1)
			out[len++] = (unsigned char)(v >> (digits % 4 == 2 ? 4 : 2));
		else if (digits % 4 == 0)
			out[len++] = (unsigned char)v;
	}
	return digits % 4 == 1 ? -1 : (ssize_t)len;
}

/* PREFIX_ + 30 characters + their CRC-32 in six digits of base 62. */
static bool github(const unsigned char *s, size_t n)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const unsigned char *body = memchr(s, '_', n);
	char sum[6];
	unsigned long crc;

	if (!body || (size_t)(s + n - ++body) != 36)
		return false;
	crc = crc32(0, body, 30);
	for (int i = 5; i >= 0; i--, crc /= 62)
		sum[i] = digits[crc % 62];
	return memcmp(body + 30, sum, 6) == 0;
}

static json_t *json_of(const unsigned char *s, size_t n)
{
	_cleanup_free_ unsigned char *text = xmalloc(n + 4);
	ssize_t len = decode64(s, n, text);
	json_t *j;

	if (len <= 0)
		return NULL;
	j = json_parse((const char *)text, (size_t)len, "token", NULL);
	if (j && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static bool jwt(struct secret *s)
{
	const unsigned char *end = s->text + s->len, *first = memchr(s->text, '.', s->len), *second;
	_cleanup_json_ json_t *header = NULL, *claims = NULL;
	const json_t *exp;

	second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
	if (!second || end - second < 9)
		return false;
	header = json_of(s->text, (size_t)(first - s->text));
	claims = json_of(first + 1, (size_t)(second - first - 1));
	if (!header || !claims || !json_is_string(json_object_get(header, "alg")))
		return false;
	exp = json_object_get(claims, "exp");
	if (json_is_number(exp) && json_number_value(exp) < (double)time(NULL)) {
		s->level = s->level > VET_LOW ? s->level : VET_LOW;
		s->note = "it has expired";
	}
	return true;
}

static void passphrase(struct secret *s)
{
	s->level = s->level > VET_LOW ? s->level : VET_LOW;
	s->note = "it has a passphrase";
}

static bool starts(const unsigned char *p, const unsigned char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - p) >= n && memcmp(p, word, n) == 0;
}

/* Past what separates lines: also as JSON and shells write it, and quotes and joins between pieces of source text. */
static const unsigned char *skip_breaks(const unsigned char *p, const unsigned char *end)
{
	while (p < end) {
		if (*p == '\n' || *p == '\r' || *p == ' ' || *p == '\t')
			p++;
		else if (end - p >= 2 && *p == '\\' && (p[1] == 'n' || p[1] == 'r' || p[1] == '\n'))
			p += 2;
		else
			break;
	}
	return p;
}

static bool openssh(struct secret *s, const unsigned char *key, size_t n)
{
	static const char magic[] = "openssh-key-v1";
	size_t len;

	if (n < sizeof(magic) + 4 || memcmp(key, magic, sizeof(magic)) != 0)
		return false;
	len = (size_t)key[15] << 24 | (size_t)key[16] << 16 | (size_t)key[17] << 8 | key[18];
	if (len > n - 19)
		return false;
	if (len != 4 || memcmp(key + 19, "none", 4) != 0)
		passphrase(s);
	return true;
}

/* `at` is where "-----BEGIN " stands. What follows the line has to be a key, which then is the secret. */
static bool pem(struct secret *s, const unsigned char *data, size_t n, size_t at)
{
	size_t most = n - at < KEY_TEXT_MAX ? n - at : KEY_TEXT_MAX;
	const unsigned char *begin = data + at, *end = begin + most, *p;
	_cleanup_free_ unsigned char *text = NULL, *key = NULL;
	bool pgp = memmem(begin, most < 60 ? most : 60, "PGP", 3), locked = memmem(begin, most < 60 ? most : 60, "ENCRYPTED", 9);
	size_t len = 0;
	ssize_t got;

	p = memmem(begin + 10, most > 10 ? most - 10 : 0, "-----", 5);
	if (!p || p - begin > 60)
		return false;
	p = skip_breaks(p + 5, end);
	/* Headers: "Proc-Type: 4,ENCRYPTED", "Version: ..."; after the last one comes an empty line. */
	for (const unsigned char *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))) && memchr(p, ':', (size_t)(nl - p));) {
		if (starts(p, end, "Proc-Type:") && memmem(p, (size_t)(nl - p), "ENCRYPTED", 9))
			locked = true;
		p = skip_breaks(nl, end);
	}
	text = xmalloc((size_t)(end - p) + 1);
	s->text = p;
	s->offset = (size_t)(p - data);
	while (p < end && digit64(*p) >= 0 && *p != '-' && *p != '_') {
		text[len++] = *p++;
		p = skip_breaks(p, end);
	}
	if (len < 64)
		return false;
	key = xmalloc(len + 4);
	got = decode64(text, len, key);
	if (got < 40)
		return false;
	s->len = len;
	if (memcmp(key, "openssh-key", 11) == 0)
		return openssh(s, key, (size_t)got);
	if (pgp ? (key[0] & 0xfc) != 0x94 && key[0] != 0xc5 : key[0] != 0x30)
		return false;
	if (locked)
		passphrase(s);
	return true;
}

static bool putty(struct secret *s, const unsigned char *data, size_t n, size_t at)
{
	size_t most = n - at < KEY_TEXT_MAX ? n - at : KEY_TEXT_MAX;
	const unsigned char *enc = memmem(data + at, most, "\nEncryption: ", 13);

	if (!enc || !memmem(data + at, most, "\nPrivate-Lines: ", 16))
		return false;
	if (!starts(enc + 13, data + at + most, "none"))
		passphrase(s);
	return true;
}

static bool userpass(const unsigned char *s, size_t n)
{
	_cleanup_free_ unsigned char *text = xmalloc(n + 4);
	ssize_t len = decode64(s, n, text);
	const unsigned char *colon = len > 2 ? memchr(text, ':', (size_t)len) : NULL;

	if (!colon || colon == text)
		return false;
	for (ssize_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return !secret_placeholder((const char *)colon + 1, (size_t)(text + len - colon - 1));
}

static bool base64(const unsigned char *s, size_t n)
{
	_cleanup_free_ unsigned char *text = xmalloc(n + 4);

	return decode64(s, n, text) > 0;
}

static bool mixed(const unsigned char *s, size_t n)
{
	bool upper = false, lower = false, digit = false;

	for (size_t i = 0; i < n; i++) {
		upper |= s[i] >= 'A' && s[i] <= 'Z';
		lower |= s[i] >= 'a' && s[i] <= 'z';
		digit |= s[i] >= '0' && s[i] <= '9';
	}
	return upper && lower && digit;
}

bool secret_placeholder(const char *s, size_t n)
{
	static const char *const words[] = { "true", "false", "yes", "no", "none", "null", "nil", "random", "undefined", "required",
					     "optional", "0", "1", "on", "off", "password", "passwd", "secret", "token" };
	static const char *const parts[] = { "example", "placeholder", "your", "xxxx", "****", "....", "redacted", "dummy", "insert" };
	char text[64] = "";

	if (n == 0 || strchr("$<{%/@([*`\\", s[0]))
		return true;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strcasestr(text, parts[i]))
			return true;
	return false;
}

bool secret_verify(const struct secret_rule *rule, const unsigned char *data, size_t n, size_t at, struct secret *s)
{
	if (rule->checks & SECRET_GITHUB && !github(s->text, s->len))
		return false;
	if (rule->checks & SECRET_JWT && !jwt(s))
		return false;
	if (rule->checks & SECRET_BASE64 && !base64(s->text, s->len))
		return false;
	if (rule->checks & SECRET_USERPASS && !userpass(s->text, s->len))
		return false;
	if (rule->checks & SECRET_MIXED && !mixed(s->text, s->len))
		return false;
	if (rule->checks & SECRET_PASSWORD && secret_placeholder((const char *)s->text, s->len))
		return false;
	if (rule->checks & SECRET_GCP) {
		size_t from = at > JSON_OBJECT_MAX ? at - JSON_OBJECT_MAX : 0;
		size_t to = n - at > JSON_OBJECT_MAX ? at + JSON_OBJECT_MAX : n;

		if (!memmem(data + from, to - from, "\"private_key\"", 13))
			return false;
	}
	if (rule->checks & SECRET_PEM && !pem(s, data, n, at))
		return false;
	return !(rule->checks & SECRET_PUTTY) || putty(s, data, n, at);
}
