/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an entry of Rekor says that it is about: the kinds hashedrekord, dsse and intoto of rekor v1 (their openapi schemas), and
 * hashedrekord and dsse 0.0.2 of rekor v2 (its protobuf messages). Digest, signature and signer must all be those that are being verified:
 * a proof of somebody else's entry proves nothing.
 */
#include "trust/log.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <openssl/x509.h>
#include <string.h>

static int other(struct error *e, const char *what)
{
	return error_set(e, EKEYREJECTED, "the log's entry is about another %s", what);
}

/* Follows members by their names; NULL when one is missing. */
static const json_t *at(const json_t *j, const char *const *path)
{
	for (; *path && j; path++)
		j = json_object_get(j, *path);
	return j;
}
#define AT(j, ...) at(j, (const char *const[]){ __VA_ARGS__, NULL })

static bool is_base64_of(const json_t *v, const void *data, size_t n)
{
	_cleanup_buf_ struct buf b = { 0 };
	const char *s = json_string_value(v);

	return s && base64_decode(s, strlen(s), &b) == 0 && b.len == n && memcmp(b.data, data, n) == 0;
}

static bool is_hex_of(const json_t *algorithm, const json_t *v, const unsigned char sum[static 32])
{
	char hex[65];

	hex_encode(sum, 32, hex);
	return streq(json_string_value(algorithm), "sha256") && streq(json_string_value(v), hex);
}

static bool same_der(const void *der, size_t n, X509 *cert, const struct pubkey *key)
{
	_cleanup_x509_ X509 *c = NULL;
	_cleanup_pubkey_ struct pubkey *k = NULL;

	if (cert)
		return cert_parse_der(der, n, &c, NULL) == 0 && X509_cmp(c, cert) == 0;
	return pubkey_parse_der(der, n, &k, NULL) == 0 && pubkey_equal(k, key);
}

/* Base64 of PEM. */
static bool is_signer(const json_t *v, const struct log_subject *s)
{
	_cleanup_buf_ struct buf pem = { 0 }, der = { 0 };
	const char *b64 = json_string_value(v), *text;
	char label[PEM_LABEL_MAX];

	if (!b64 || base64_decode(b64, strlen(b64), &pem) < 0 || pem.len == 0)
		return false;
	text = pem.data;
	if (pem_next(&text, pem.data + pem.len, label, &der, NULL) != 1)
		return false;
	return streq(label, s->cert ? "CERTIFICATE" : "PUBLIC KEY") && same_der(der.data, der.len, s->cert, s->key);
}

/* rekor v2: {"publicKey":{"rawBytes":..}} or {"x509Certificate":{"rawBytes":..}}. */
static bool is_verifier(const json_t *v, const struct log_subject *s)
{
	_cleanup_buf_ struct buf der = { 0 };
	const char *b64 = json_string_value(AT(v, s->cert ? "x509Certificate" : "publicKey", "rawBytes"));

	return b64 && base64_decode(b64, strlen(b64), &der) == 0 && same_der(der.data, der.len, s->cert, s->key);
}

static int hashedrekord_1(const json_t *spec, const struct log_subject *s, struct error *e)
{
	if (!is_hex_of(AT(spec, "data", "hash", "algorithm"), AT(spec, "data", "hash", "value"), s->digest))
		return other(e, "content");
	if (!is_base64_of(AT(spec, "signature", "content"), s->sig, s->sig_len))
		return other(e, "signature");
	return is_signer(AT(spec, "signature", "publicKey", "content"), s) ? 0 : other(e, "signer");
}

static int hashedrekord_2(const json_t *spec, const struct log_subject *s, struct error *e)
{
	const json_t *v = json_object_get(spec, "hashedRekordV002");

	if (!streq(json_string_value(AT(v, "data", "algorithm")), "SHA2_256") ||
	    !is_base64_of(AT(v, "data", "digest"), s->digest, 32))
		return other(e, "content");
	if (!is_base64_of(AT(v, "signature", "content"), s->sig, s->sig_len))
		return other(e, "signature");
	return is_verifier(AT(v, "signature", "verifier"), s) ? 0 : other(e, "signer");
}

/* The entry's only signature. */
static const json_t *the_one(const json_t *list)
{
	return json_array_size(list) == 1 ? json_array_get(list, 0) : NULL;
}

static int dsse_1(const json_t *spec, const struct log_subject *s, struct error *e)
{
	const json_t *sig = the_one(json_object_get(spec, "signatures"));

	if (!is_hex_of(AT(spec, "payloadHash", "algorithm"), AT(spec, "payloadHash", "value"), s->payload))
		return other(e, "content");
	if (!is_base64_of(AT(sig, "signature"), s->sig, s->sig_len))
		return other(e, "signature");
	return is_signer(AT(sig, "verifier"), s) ? 0 : other(e, "signer");
}

static int dsse_2(const json_t *spec, const struct log_subject *s, struct error *e)
{
	const json_t *v = json_object_get(spec, "dsseV002"), *sig = the_one(AT(v, "signatures"));

	if (!streq(json_string_value(AT(v, "payloadHash", "algorithm")), "SHA2_256") ||
	    !is_base64_of(AT(v, "payloadHash", "digest"), s->payload, 32))
		return other(e, "content");
	if (!is_base64_of(AT(sig, "content"), s->sig, s->sig_len))
		return other(e, "signature");
	return is_verifier(AT(sig, "verifier"), s) ? 0 : other(e, "signer");
}

/* Its signature is base64 of base64. */
static int intoto_2(const json_t *spec, const struct log_subject *s, struct error *e)
{
	const json_t *content = json_object_get(spec, "content"), *sig = the_one(AT(content, "envelope", "signatures"));
	_cleanup_free_ char *once = base64_encode(s->sig, s->sig_len);

	if (!is_hex_of(AT(content, "payloadHash", "algorithm"), AT(content, "payloadHash", "value"), s->payload))
		return other(e, "content");
	if (!streq(json_string_value(AT(content, "envelope", "payloadType")), s->payload_type))
		return other(e, "type of content");
	if (!is_base64_of(AT(sig, "sig"), once, strlen(once)))
		return other(e, "signature");
	return is_signer(AT(sig, "publicKey"), s) ? 0 : other(e, "signer");
}

int log_body_is(const struct buf *body, const struct log_subject *s, struct error *e)
{
	static const struct {
		const char *kind, *version;
		bool dsse; /* only of an envelope */
		int (*check)(const json_t *spec, const struct log_subject *s, struct error *e);
	} kinds[] = {
		/* A log that knows no envelopes records one as what was signed. */
		{ "hashedrekord", "0.0.1", false, hashedrekord_1 }, { "hashedrekord", "0.0.2", false, hashedrekord_2 },
		{ "dsse", "0.0.1", true, dsse_1 },		    { "dsse", "0.0.2", true, dsse_2 },
		{ "intoto", "0.0.2", true, intoto_2 },
	};
	_cleanup_json_ json_t *j = json_parse(body->data, body->len, "the log's entry", e);
	const char *kind, *version;

	if (!j)
		return e ? e->code : -EBADMSG;
	kind = json_string_value(json_object_get(j, "kind"));
	version = json_string_value(json_object_get(j, "apiVersion"));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].kind, kind) && streq(kinds[i].version, version) && (s->payload || !kinds[i].dsse))
			return kinds[i].check(json_object_get(j, "spec"), s, e);
	return error_set(e, EKEYREJECTED, "the log's entry is of a kind that does not prove this signature");
}
