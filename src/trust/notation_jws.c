/* SPDX-License-Identifier: Apache-2.0 */
/* application/jose+json: a JWS in flattened JSON (RFC 7515 section 7.2.2; Notary Project signature-envelope-jws.md). */
#include "trust/notation.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <string.h>

static int get(const json_t *j, const char *key, const char **out, struct error *e)
{
	*out = json_string_value(json_object_get(j, key));
	return *out ? 0 : error_set(e, EBADMSG, "the envelope's %s is no string", key);
}

static int get_url(const json_t *j, const char *key, struct buf *out, struct error *e)
{
	const char *s;
	int r = get(j, key, &s, e);

	if (r == 0 && (base64url_decode(s, strlen(s), out) < 0 || out->len == 0))
		r = error_set(e, EBADMSG, "the envelope's %s is empty or not base64url", key);
	return r;
}

static int read_algorithm(const json_t *p, struct notation_envelope *v, struct error *e)
{
	static const struct {
		const char *name;
		enum pubkey_scheme scheme;
		int hash;
	} known[] = { { "PS256", SCHEME_PSS, 256 },	{ "PS384", SCHEME_PSS, 384 },	{ "PS512", SCHEME_PSS, 512 },
		      { "ES256", SCHEME_ECDSA, 256 },	{ "ES384", SCHEME_ECDSA, 384 }, { "ES512", SCHEME_ECDSA, 512 } };
	const char *name = json_string_value(json_object_get(p, "alg"));

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!streq(known[i].name, name))
			continue;
		v->scheme = known[i].scheme;
		v->hash = known[i].hash;
		return 0;
	}
	_cleanup_free_ char *shown = str_escape(name ? name : "");
	return error_set(e, EOPNOTSUPP, "the signature's algorithm is none of PS256 to PS512, ES256 to ES512: \"%s\"", shown);
}

static int read_time(const json_t *p, const char *key, int64_t *out, struct error *e)
{
	const json_t *t = json_object_get(p, key);

	if (t && (!json_is_string(t) || notation_time(json_string_value(t), out) < 0))
		return error_set(e, EBADMSG, "the signature's %s is no time", key);
	return 0;
}

static int read_protected(const struct buf *text, struct notation_envelope *v, struct error *e)
{
	_cleanup_json_ json_t *p = json_parse(text->data, text->len, "the protected headers", e);
	const char *scheme = NULL, *type = NULL;
	int r = p ? 0 : e->code;

	if (r == 0 && !json_is_object(p))
		r = error_set(e, EBADMSG, "the protected headers are no object");
	if (r == 0)
		r = read_algorithm(p, v, e);
	if (r == 0)
		r = json_get_strv(p, "protected", "crit", &v->critical, e);
	if (r == 0 && strv_len(v->critical) > NOTATION_CRITICAL_MAX)
		r = error_set(e, EBADMSG, "protected.crit: too many");
	if (r == 0)
		r = json_get_str(p, "protected", "cty", &type, e);
	if (r == 0)
		r = json_get_str(p, "protected", NOTARY "signingScheme", &scheme, e);
	if (r == 0)
		r = read_time(p, NOTARY "signingTime", &v->signing_time, e);
	if (r == 0)
		r = read_time(p, NOTARY "authenticSigningTime", &v->authentic_time, e);
	if (r == 0)
		r = read_time(p, NOTARY "expiry", &v->expiry, e);
	if (r < 0)
		return r;
	v->signing_scheme = xstrdup(scheme);
	v->content_type = xstrdup(type);
	v->plugin = json_object_get(p, NOTARY "verificationPlugin") != NULL;
	return 0;
}

/* What is not signed may say what it likes, but not what only the signed headers may (RFC 7515 section 4). */
static int read_header(const json_t *h, struct notation_envelope *v, struct error *e)
{
	static const char *const reserved[] = { "alg", "crit", "cty", "typ", "b64", NOTARY "signingScheme", NOTARY "signingTime",
		NOTARY "authenticSigningTime", NOTARY "expiry", NOTARY "verificationPlugin" };
	const json_t *x5c = json_object_get(h, "x5c"), *stamp = json_object_get(h, NOTARY "timestampSignature");
	json_t *item;
	size_t i;

	if (!json_is_object(h))
		return error_set(e, EBADMSG, "the envelope's header is no object");
	for (i = 0; i < ARRAY_SIZE(reserved); i++)
		if (json_object_get(h, reserved[i]))
			return error_set(e, EBADMSG, "the envelope's header says unsigned what must be signed: %s", reserved[i]);
	if (!json_is_array(x5c) || json_array_size(x5c) == 0 || json_array_size(x5c) > CERT_CHAIN_MAX)
		return error_set(e, EBADMSG, "the envelope's x5c is no list of certificates");
	json_array_foreach(x5c, i, item) {
		_cleanup_buf_ struct buf der = { 0 };
		_cleanup_x509_ X509 *c = NULL;
		const char *s = json_string_value(item);

		if (!s || base64_decode(s, strlen(s), &der) < 0 || cert_parse_der(der.data, der.len, &c, e) < 0)
			return error_set(e, EBADMSG, "the envelope's x5c[%zu] is no certificate", i);
		certs_add(&v->chain, c);
	}
	if (stamp && (!json_is_string(stamp) || base64_decode(json_string_value(stamp), json_string_length(stamp), &v->stamp) < 0))
		return error_set(e, EBADMSG, "the envelope's timestamp is not base64");
	return 0;
}

static int read_envelope(const json_t *j, struct notation_envelope *v, struct error *e)
{
	_cleanup_buf_ struct buf headers = { 0 };
	const char *p, *payload;
	int r;

	if (!json_is_object(j) || json_object_size(j) != 4)
		return error_set(e, EBADMSG, "the envelope is not payload, protected, header and signature");
	r = get(j, "protected", &p, e);
	if (r == 0)
		r = get(j, "payload", &payload, e);
	if (r == 0)
		r = get_url(j, "protected", &headers, e);
	if (r == 0)
		r = get_url(j, "payload", &v->payload, e);
	if (r == 0)
		r = get_url(j, "signature", &v->sig, e);
	if (r == 0)
		r = read_protected(&headers, v, e);
	if (r == 0)
		r = read_header(json_object_get(j, "header"), v, e);
	if (r == 0)
		buf_printf(&v->input, "%s.%s", p, payload);
	return r;
}

int notation_jws_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_envelope_ struct notation_envelope v = { 0 };
	_cleanup_json_ json_t *j = NULL;
	int r;

	if (b->size > SIG_BLOB_MAX)
		return error_set(e, EBADMSG, "the envelope is too long");
	j = json_parse(b->data, b->size, "the envelope", e);
	r = j ? read_envelope(j, &v, e) : e->code;
	return r < 0 ? r : notation_judge(&v, keys, out, e);
}
