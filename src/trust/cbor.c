/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/cbor.h"

#include <string.h>

/* The number behind the first byte (RFC 8949 section 3). */
static int read_value(struct cbor *c, unsigned info, uint64_t *out)
{
	static const uint64_t least[] = { 24, 0x100, 0x10000, 0x100000000 };
	size_t n;

	if (info < 24) {
		*out = info;
		return 0;
	}
	if (info > 27) /* reserved, or of no definite length */
		return -EBADMSG;
	n = (size_t)1 << (info - 24);
	if ((size_t)(c->end - c->at) < n)
		return -EBADMSG;
	*out = 0;
	for (; n > 0; n--)
		*out = *out << 8 | *c->at++;
	return *out < least[info - 24] ? -EBADMSG : 0;
}

static bool is_utf8(const unsigned char *s, size_t n)
{
	uint32_t c;

	for (size_t i = 0, step; i < n; i += step) {
		step = utf8_decode((const char *)s + i, n - i, &c);
		if (step == 0)
			return false;
	}
	return true;
}

int cbor_next(struct cbor *c, struct cbor_item *out)
{
	unsigned first;

	if (c->at >= c->end)
		return -EBADMSG;
	first = *c->at++;
	*out = (struct cbor_item){ .type = (enum cbor_type)(first >> 5) };
	if (out->type == CBOR_SIMPLE && ((first & 31) < 20 || (first & 31) > 22)) /* false, true, null and no others */
		return -EBADMSG;
	if (read_value(c, first & 31, &out->value) < 0)
		return -EBADMSG;
	if (out->type != CBOR_BYTES && out->type != CBOR_TEXT)
		return 0;
	if (out->value > (uint64_t)(c->end - c->at))
		return -EBADMSG;
	out->data = c->at;
	c->at += out->value;
	return out->type == CBOR_TEXT && !is_utf8(out->data, out->value) ? -EBADMSG : 0;
}

static int skip(struct cbor *c, int depth)
{
	struct cbor_item i;
	uint64_t n;
	int r = depth > CBOR_DEPTH_MAX ? -EBADMSG : cbor_next(c, &i);

	if (r < 0)
		return r;
	n = i.type == CBOR_ARRAY ? i.value : i.type == CBOR_MAP ? i.value : i.type == CBOR_TAG ? 1 : 0;
	if (n > (uint64_t)(c->end - c->at)) /* each takes a byte at least */
		return -EBADMSG;
	n *= i.type == CBOR_MAP ? 2 : 1;
	for (; r == 0 && n > 0; n--)
		r = skip(c, depth + 1);
	return r;
}

int cbor_skip(struct cbor *c, const unsigned char **from, size_t *n)
{
	*from = c->at;
	if (skip(c, 0) < 0)
		return -EBADMSG;
	*n = (size_t)(c->at - *from);
	return 0;
}

bool cbor_end(const struct cbor *c)
{
	return c->at == c->end;
}

bool cbor_is_text(const struct cbor_item *i, const char *text)
{
	return i->type == CBOR_TEXT && i->value == strlen(text) && memcmp(i->data, text, i->value) == 0;
}

bool cbor_int(const struct cbor_item *i, int64_t *out)
{
	if ((i->type != CBOR_UINT && i->type != CBOR_NINT) || i->value > INT64_MAX)
		return false;
	*out = i->type == CBOR_UINT ? (int64_t)i->value : -1 - (int64_t)i->value;
	return true;
}

void cbor_put(struct buf *b, enum cbor_type type, uint64_t value)
{
	unsigned char head[9] = { (unsigned char)(type << 5) };
	int n = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;

	head[0] |= (unsigned char)(n == 0 ? value : n == 1 ? 24 : n == 2 ? 25 : n == 4 ? 26 : 27);
	for (int i = 0; i < n; i++)
		head[1 + i] = (unsigned char)(value >> (8 * (n - 1 - i)));
	buf_add(b, head, (size_t)n + 1);
}

void cbor_put_bytes(struct buf *b, const void *data, size_t n)
{
	cbor_put(b, CBOR_BYTES, n);
	buf_add(b, data, n);
}

void cbor_put_text(struct buf *b, const char *s)
{
	cbor_put(b, CBOR_TEXT, strlen(s));
	buf_puts(b, s);
}
