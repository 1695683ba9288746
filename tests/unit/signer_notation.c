/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer_notation.h"
#include "trust/cbor.h"
#include "trust/encode.h"

#include <string.h>
#include <time.h>

#define NOTARY "io.cncf.notary."

char *signer_artifact(const char *hex)
{
	return xasprintf("{\"targetArtifact\":{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\","
			 "\"size\":528}}",
			 hex);
}

json_t *signer_headers(bool cose, int64_t when)
{
	json_t *h = json_pack("{s:[s],s:s,s:s}", "crit", NOTARY "signingScheme", "cty", "application/vnd.cncf.notary.payload.v1+json",
			      NOTARY "signingScheme", "notary.x509");
	time_t t = (time_t)when;
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	json_object_set_new(h, NOTARY "signingTime", cose ? json_integer(when) : json_string(text));
	return h;
}

static void sign(const struct signer_envelope *v, const struct buf *input, struct buf *sig)
{
	int hash = v->alg && strlen(v->alg) == 5 ? atoi(v->alg + 2) : 256;

	if (EVP_PKEY_get_base_id(v->key) == EVP_PKEY_EC)
		signer_sign_raw(v->key, hash, input->data, input->len, sig);
	else
		signer_sign(v->key, hash, v->alg && v->alg[0] == 'R' ? SIGNER_PKCS1 : hash / 8, input->data, input->len, sig);
}

void signer_jws(const struct signer_envelope *v, struct buf *out)
{
	_cleanup_free_ char *text = NULL, *p = NULL, *payload = base64url_encode(v->payload, strlen(v->payload)), *s = NULL, *stamp = NULL;
	_cleanup_buf_ struct buf input = { 0 }, sig = { 0 };
	json_t *header = json_object(), *x5c = json_array(), *all;

	if (v->alg)
		json_object_set_new(v->headers, "alg", json_string(v->alg));
	text = json_dumps(v->headers, JSON_COMPACT);
	p = base64url_encode(text, strlen(text));
	buf_printf(&input, "%s.%s", p, payload);
	sign(v, &input, &sig);
	s = base64url_encode(sig.data, sig.len);
	for (int i = 0; i < 4 && v->chain[i]; i++) {
		_cleanup_free_ char *c = signer_cert_b64(v->chain[i]);

		json_array_append_new(x5c, json_string(c));
	}
	json_object_set_new(header, "x5c", x5c);
	if (v->stamp) {
		stamp = base64_encode(v->stamp->data, v->stamp->len);
		json_object_set_new(header, NOTARY "timestampSignature", json_string(stamp));
	}
	all = json_pack("{s:s,s:s,s:o,s:s}", "payload", payload, "protected", p, "header", header, "signature", s);
	free(text);
	text = json_dumps(all, JSON_COMPACT);
	buf_free(out);
	buf_puts(out, text);
	json_decref(all);
	json_decref(v->headers);
}

static void put_int(struct buf *b, int64_t n)
{
	cbor_put(b, n < 0 ? CBOR_NINT : CBOR_UINT, n < 0 ? (uint64_t)(-1 - n) : (uint64_t)n);
}

static int64_t number_of(const char *alg)
{
	static const struct {
		const char *name;
		int64_t number;
	} all[] = { { "PS256", -37 }, { "PS384", -38 }, { "ES256", -7 }, { "ES384", -35 }, { "RS256", -257 } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (streq(all[i].name, alg))
			return all[i].number;
	return 0;
}

static void put_header(struct buf *b, const char *key, const json_t *value)
{
	json_t *item;
	size_t i;

	if (streq(key, "crit"))
		put_int(b, 2);
	else if (streq(key, "cty"))
		put_int(b, 3);
	else
		cbor_put_text(b, key);
	if (json_is_integer(value)) {
		cbor_put(b, CBOR_TAG, 1);
		put_int(b, json_integer_value(value));
	} else if (json_is_string(value)) {
		cbor_put_text(b, json_string_value(value));
	} else {
		cbor_put(b, CBOR_ARRAY, json_array_size(value));
		json_array_foreach(value, i, item)
			cbor_put_text(b, json_string_value(item));
	}
}

static void put_cert(struct buf *b, X509 *c)
{
	unsigned char *der = NULL;
	int n = i2d_X509(c, &der);

	assert_true(n > 0);
	cbor_put_bytes(b, der, (size_t)n);
	OPENSSL_free(der);
}

void signer_cose(const struct signer_envelope *v, struct buf *out)
{
	_cleanup_buf_ struct buf p = { 0 }, input = { 0 }, sig = { 0 };
	bool alg = v->alg && !v->unprotected_alg;
	uint64_t n = 0;
	const char *key;
	json_t *value;

	cbor_put(&p, CBOR_MAP, json_object_size(v->headers) + alg);
	if (alg) {
		put_int(&p, 1);
		put_int(&p, number_of(v->alg));
	}
	json_object_foreach(v->headers, key, value)
		put_header(&p, key, value);
	cbor_put(&input, CBOR_ARRAY, 4);
	cbor_put_text(&input, "Signature1");
	cbor_put_bytes(&input, p.data, p.len);
	cbor_put_bytes(&input, "", 0);
	cbor_put_bytes(&input, v->payload, strlen(v->payload));
	sign(v, &input, &sig);
	while (n < 4 && v->chain[n])
		n++;
	buf_free(out);
	cbor_put(out, CBOR_TAG, 18);
	cbor_put(out, CBOR_ARRAY, 4);
	cbor_put_bytes(out, p.data, p.len);
	cbor_put(out, CBOR_MAP, 1 + (uint64_t)v->unprotected_alg + (v->stamp != NULL));
	if (v->unprotected_alg) {
		put_int(out, 1);
		put_int(out, number_of(v->alg));
	}
	put_int(out, 33);
	if (n != 1)
		cbor_put(out, CBOR_ARRAY, n);
	for (uint64_t i = 0; i < n; i++)
		put_cert(out, v->chain[i]);
	if (v->stamp) {
		cbor_put_text(out, NOTARY "timestampSignature");
		cbor_put_bytes(out, v->stamp->data, v->stamp->len);
	}
	cbor_put_bytes(out, v->payload, strlen(v->payload));
	cbor_put_bytes(out, sig.data, sig.len);
	json_decref(v->headers);
}
