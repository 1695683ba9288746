/* SPDX-License-Identifier: Apache-2.0 */
/* application/cose: COSE_Sign1 (RFC 9052 section 4.2; Notary Project signature-envelope-cose.md). */
#include "trust/notation.h"

#include "base/cleanup.h"
#include "trust/cbor.h"

#include <string.h>

enum { HEADER_ALG = 1, HEADER_CRIT = 2, HEADER_CTY = 3, HEADER_X5CHAIN = 33, TAG_SIGN1 = 18, TAG_EPOCH = 1 };

static int bad(struct error *e, const char *what)
{
	return error_set(e, EBADMSG, "the envelope: %s", what);
}

/* Of each pair the label, and the value's bytes. */
struct pair {
	struct cbor_item label;
	const unsigned char *label_at;
	size_t label_n;
	struct cbor value;
};

struct headers {
	struct pair list[CBOR_PAIRS_MAX];
	size_t n;
};

static int read_pair(struct cbor *c, struct headers *h, struct error *e)
{
	struct pair *p = &h->list[h->n];
	const unsigned char *from;
	struct cbor label;
	size_t n;

	if (cbor_skip(c, &p->label_at, &p->label_n) < 0 || cbor_skip(c, &from, &n) < 0)
		return bad(e, "a header is not CBOR in its one form");
	label = (struct cbor){ p->label_at, p->label_at + p->label_n };
	if (cbor_next(&label, &p->label) < 0 || (p->label.type != CBOR_UINT && p->label.type != CBOR_NINT && p->label.type != CBOR_TEXT))
		return bad(e, "a header's name is neither number nor text");
	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].label_n == p->label_n && memcmp(h->list[i].label_at, p->label_at, p->label_n) == 0)
			return bad(e, "a header twice");
	p->value = (struct cbor){ from, from + n };
	h->n++;
	return 0;
}

static int read_headers(struct cbor *c, struct headers *h, struct error *e)
{
	struct cbor_item map;
	int r = 0;

	if (cbor_next(c, &map) < 0 || map.type != CBOR_MAP || map.value > CBOR_PAIRS_MAX)
		return bad(e, "headers that are no map, or too many");
	for (uint64_t i = 0; r == 0 && i < map.value; i++)
		r = read_pair(c, h, e);
	return r;
}

static const struct pair *find_number(const struct headers *h, int64_t label)
{
	int64_t n;

	for (size_t i = 0; i < h->n; i++)
		if (cbor_int(&h->list[i].label, &n) && n == label)
			return &h->list[i];
	return NULL;
}

static const struct pair *find_text(const struct headers *h, const char *label)
{
	for (size_t i = 0; i < h->n; i++)
		if (cbor_is_text(&h->list[i].label, label))
			return &h->list[i];
	return NULL;
}

static int read_algorithm(const struct headers *h, struct notation_envelope *v, struct error *e)
{
	static const struct {
		int64_t number; /* IANA "COSE Algorithms" */
		enum pubkey_scheme scheme;
		int hash;
	} known[] = { { -37, SCHEME_PSS, 256 },	 { -38, SCHEME_PSS, 384 },   { -39, SCHEME_PSS, 512 },
		      { -7, SCHEME_ECDSA, 256 }, { -35, SCHEME_ECDSA, 384 }, { -36, SCHEME_ECDSA, 512 } };
	const struct pair *p = find_number(h, HEADER_ALG);
	struct cbor c = p ? p->value : (struct cbor){ 0 };
	struct cbor_item i;
	int64_t number = 0;

	if (!p || cbor_next(&c, &i) < 0 || !cbor_int(&i, &number))
		return bad(e, "no algorithm is protected by the signature");
	for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
		if (known[k].number != number)
			continue;
		v->scheme = known[k].scheme;
		v->hash = known[k].hash;
		return 0;
	}
	return error_set(e, EOPNOTSUPP, "the signature's algorithm is none of PS256 to PS512, ES256 to ES512: %lld", (long long)number);
}

/* Names of notation are text; the numbers of COSE's own headers are always understood, and need not be named. */
static int read_critical(const struct headers *h, struct notation_envelope *v, struct error *e)
{
	const struct pair *p = find_number(h, HEADER_CRIT);
	struct cbor c = p ? p->value : (struct cbor){ 0 };
	struct cbor_item list, i;

	if (!p)
		return 0;
	if (cbor_next(&c, &list) < 0 || list.type != CBOR_ARRAY || list.value == 0 || list.value > NOTATION_CRITICAL_MAX)
		return bad(e, "crit is no list");
	for (uint64_t k = 0; k < list.value; k++) {
		if (cbor_next(&c, &i) < 0 || (i.type != CBOR_TEXT && i.type != CBOR_UINT))
			return bad(e, "crit has something else than names");
		if (i.type == CBOR_TEXT && memchr(i.data, 0, i.value))
			return bad(e, "crit has a name with NUL");
		if (i.type == CBOR_TEXT)
			strv_add(&v->critical, xstrndup((const char *)i.data, i.value));
		else if (i.value != HEADER_ALG && i.value != HEADER_CTY)
			return error_set(e, EOPNOTSUPP, "the signature has a critical part that is not understood: %llu",
					 (unsigned long long)i.value);
	}
	return 0;
}

static int read_text(const struct pair *p, char **out, struct error *e)
{
	struct cbor c = p ? p->value : (struct cbor){ 0 };
	struct cbor_item i;

	if (!p)
		return 0;
	if (cbor_next(&c, &i) < 0 || i.type != CBOR_TEXT || memchr(i.data, 0, i.value))
		return bad(e, "a header is no text");
	*out = xstrndup((const char *)i.data, i.value);
	return 0;
}

/* RFC 8949 section 3.4.2: tag 1, whole seconds. */
static int read_time(const struct pair *p, int64_t *out, struct error *e)
{
	struct cbor c = p ? p->value : (struct cbor){ 0 };
	struct cbor_item tag, i;

	if (!p)
		return 0;
	if (cbor_next(&c, &tag) < 0 || tag.type != CBOR_TAG || tag.value != TAG_EPOCH || cbor_next(&c, &i) < 0 || !cbor_int(&i, out) ||
	    *out <= 0)
		return bad(e, "a time is not in seconds since the epoch");
	return 0;
}

static int read_protected(const struct cbor_item *bytes, struct notation_envelope *v, struct error *e)
{
	struct cbor c = { bytes->data, bytes->data + bytes->value };
	struct headers h = { .n = 0 };
	int r = read_headers(&c, &h, e);

	if (r == 0 && !cbor_end(&c))
		r = bad(e, "something behind the protected headers");
	if (r == 0)
		r = read_algorithm(&h, v, e);
	if (r == 0)
		r = read_critical(&h, v, e);
	if (r == 0)
		r = read_text(find_number(&h, HEADER_CTY), &v->content_type, e);
	if (r == 0)
		r = read_text(find_text(&h, NOTARY "signingScheme"), &v->signing_scheme, e);
	if (r == 0)
		r = read_time(find_text(&h, NOTARY "signingTime"), &v->signing_time, e);
	if (r == 0)
		r = read_time(find_text(&h, NOTARY "authenticSigningTime"), &v->authentic_time, e);
	if (r == 0)
		r = read_time(find_text(&h, NOTARY "expiry"), &v->expiry, e);
	v->plugin = find_text(&h, NOTARY "verificationPlugin") != NULL;
	return r;
}

static int add_cert(const struct cbor_item *i, struct notation_envelope *v, struct error *e)
{
	_cleanup_x509_ X509 *cert = NULL;

	if (i->type != CBOR_BYTES || certs_len(&v->chain) >= CERT_CHAIN_MAX || cert_parse_der(i->data, i->value, &cert, e) < 0)
		return bad(e, "x5chain has something that is no certificate, or too many");
	certs_add(&v->chain, cert);
	return 0;
}

/* RFC 9360 section 2: one certificate is a byte string, several are an array. */
static int read_chain(const struct pair *p, struct notation_envelope *v, struct error *e)
{
	struct cbor c = p ? p->value : (struct cbor){ 0 };
	struct cbor_item i;
	int r = 0;

	if (!p || cbor_next(&c, &i) < 0)
		return bad(e, "no certificates (x5chain)");
	if (i.type != CBOR_ARRAY)
		return add_cert(&i, v, e);
	for (uint64_t n = i.value; r == 0 && n > 0; n--)
		r = cbor_next(&c, &i) < 0 ? bad(e, "x5chain is cut off") : add_cert(&i, v, e);
	return r;
}

static int read_unprotected(struct cbor *c, struct notation_envelope *v, struct error *e)
{
	static const char *const reserved[] = { NOTARY "signingScheme", NOTARY "signingTime", NOTARY "authenticSigningTime",
		NOTARY "expiry", NOTARY "verificationPlugin" };
	struct headers h = { .n = 0 };
	const struct pair *stamp;
	struct cbor_item i;
	int r = read_headers(c, &h, e);
	bool said = false;

	if (r < 0)
		return r;
	stamp = find_text(&h, NOTARY "timestampSignature");
	for (int64_t k = HEADER_ALG; k <= HEADER_CTY; k++)
		said = said || find_number(&h, k);
	for (size_t k = 0; k < ARRAY_SIZE(reserved); k++)
		said = said || find_text(&h, reserved[k]);
	if (said)
		return bad(e, "an unprotected header says what only a protected one may");
	r = read_chain(find_number(&h, HEADER_X5CHAIN), v, e);
	if (r == 0 && stamp) {
		struct cbor s = stamp->value;

		if (cbor_next(&s, &i) < 0 || i.type != CBOR_BYTES)
			return bad(e, "the timestamp is no byte string");
		buf_add(&v->stamp, i.data, i.value);
	}
	return r;
}

/* Sig_structure (RFC 9052 section 4.4). */
static void signed_bytes(const struct cbor_item *headers, const struct cbor_item *payload, struct buf *out)
{
	cbor_put(out, CBOR_ARRAY, 4);
	cbor_put_text(out, "Signature1");
	cbor_put_bytes(out, headers->data, headers->value);
	cbor_put_bytes(out, "", 0);
	cbor_put_bytes(out, payload->data, payload->value);
}

static int read_envelope(struct cbor c, struct notation_envelope *v, struct error *e)
{
	struct cbor_item tag, array, headers, payload, sig;
	int r;

	if (cbor_next(&c, &tag) < 0 || tag.type != CBOR_TAG || tag.value != TAG_SIGN1 || cbor_next(&c, &array) < 0 ||
	    array.type != CBOR_ARRAY || array.value != 4 || cbor_next(&c, &headers) < 0 || headers.type != CBOR_BYTES)
		return bad(e, "not COSE_Sign1");
	r = read_protected(&headers, v, e);
	if (r == 0)
		r = read_unprotected(&c, v, e);
	if (r < 0)
		return r;
	if (cbor_next(&c, &payload) < 0 || payload.type != CBOR_BYTES || cbor_next(&c, &sig) < 0 || sig.type != CBOR_BYTES || !cbor_end(&c))
		return bad(e, "payload or signature are no byte strings, or something follows");
	buf_add(&v->payload, payload.data, payload.value);
	buf_add(&v->sig, sig.data, sig.value);
	signed_bytes(&headers, &payload, &v->input);
	return 0;
}

int notation_cose_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_envelope_ struct notation_envelope v = { 0 };
	struct cbor c = { b->data, (const unsigned char *)b->data + b->size };
	int r = b->size > SIG_BLOB_MAX ? bad(e, "too long") : read_envelope(c, &v, e);

	return r < 0 ? r : notation_judge(&v, keys, out, e);
}
