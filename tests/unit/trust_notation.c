/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "signer_notation.h"
#include "trust/cbor.h"
#include "trust/encode.h"
#include "trust/notation.h"

#include <string.h>

enum { NOW = 1700000000, DAY = 86400 };
#define IMAGE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void expect(int r, int want, const char *text, const struct error *e, int line)
{
	if (r != want || (text && !strstr(e->text, text)))
		fail_msg("line %d: %d, not %d: %s (wanted: %s)", line, r, want, e->text, text ? text : "");
}
#define EXPECT(want, text, call)                          \
	do {                                              \
		struct error e = { 0 };                   \
		expect(call, want, text, &e, __LINE__);   \
	} while (0)

struct world {
	EVP_PKEY *root_key, *key, *tsa_key;
	X509 *root, *leaf, *tsa;
	char *root_pem, *payload;
	struct sig_bytes roots;
	struct sig_keys keys;
};

static X509 *leaf_of(struct world *w, EVP_PKEY *key, int64_t to)
{
	return signer_cert(&(struct signer_cert){ .name = "signer", .key = key, .issuer = w->root, .issuer_key = w->root_key,
						  .from = NOW - DAY, .to = to, .purpose = "codeSigning" });
}

static void world_open(struct world *w)
{
	*w = (struct world){ .root_key = signer_key("P-384"), .key = signer_key("P-256"), .tsa_key = signer_key("P-256") };
	w->root = signer_cert(&(struct signer_cert){ .name = "root", .key = w->root_key, .ca = true });
	w->leaf = leaf_of(w, w->key, NOW + DAY);
	w->tsa = signer_cert(&(struct signer_cert){ .name = "tsa", .key = w->tsa_key, .issuer = w->root, .issuer_key = w->root_key,
						   .purpose = "critical,timeStamping" });
	w->root_pem = signer_cert_pem(w->root);
	w->payload = signer_artifact(IMAGE);
	w->roots = (struct sig_bytes){ w->root_pem, strlen(w->root_pem), "store" };
	w->keys = (struct sig_keys){ .roots = &w->roots, .n_roots = 1, .now = NOW };
}

static void world_close(struct world *w)
{
	EVP_PKEY_free(w->root_key);
	EVP_PKEY_free(w->key);
	EVP_PKEY_free(w->tsa_key);
	X509_free(w->root);
	X509_free(w->leaf);
	X509_free(w->tsa);
	free(w->root_pem);
	free(w->payload);
}
#define _cleanup_world_ __attribute__((cleanup(world_close)))

static int verify_bytes(bool cose, const void *data, size_t n, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	struct sig_blob b = { .kind = cose ? SIG_NOTATION_COSE : SIG_NOTATION_JWS, .data = data, .size = n };
	struct sig_claim none = { .digest = "" }, unused = { .digest = "" };
	struct sig_claim *c = out ? out : &unused;
	int r;

	sig_claim_free(c);
	r = cose ? notation_cose_verify(&b, keys, c, e) : notation_jws_verify(&b, keys, c, e);
	if (r < 0)
		assert_memory_equal(c, &none, sizeof(none));
	if (!out)
		sig_claim_free(c);
	return r;
}

static struct signer_envelope plain(struct world *w, bool cose)
{
	return (struct signer_envelope){ .key = w->key, .chain = { w->leaf, w->root }, .alg = "ES256", .payload = w->payload,
					 .headers = signer_headers(cose, NOW - 60) };
}

static int verify(struct world *w, bool cose, const struct signer_envelope *v, struct sig_claim *out, struct error *e)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (cose)
		signer_cose(v, &b);
	else
		signer_jws(v, &b);
	return verify_bytes(cose, b.data, b.len, &w->keys, out, e);
}

static void good_ones(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_evp_ EVP_PKEY *rsa = signer_key("RSA"), *p384 = signer_key("P-384");

	(void)state;
	world_open(&w);
	_cleanup_x509_ X509 *rsa_leaf = leaf_of(&w, rsa, NOW + DAY), *p384_leaf = leaf_of(&w, p384, NOW + DAY);
	const struct {
		EVP_PKEY *key;
		X509 *leaf;
		const char *alg, *wrong;
	} cases[] = { { w.key, w.leaf, "ES256", "ES384" }, { p384, p384_leaf, "ES384", "ES256" }, { rsa, rsa_leaf, "PS256", "PS384" } };
	for (int cose = 0; cose < 2; cose++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			_cleanup_claim_ struct sig_claim c = { .digest = "" };
			struct signer_envelope v = plain(&w, cose);

			v.key = cases[i].key;
			v.chain[0] = cases[i].leaf;
			v.alg = cases[i].alg;
			EXPECT(0, NULL, verify(&w, cose, &v, &c, &e));
			assert_string_equal(c.digest, IMAGE);
			assert_int_equal(c.time, NOW - 60);
			assert_int_equal(json_integer_value(json_object_get(c.more, "expires")), NOW + DAY); /* the certificate's end */
			assert_string_equal(c.signer, "CN=signer,O=Brig,C=DE (CN=root,O=Brig,C=DE)");
			/* The algorithm is the key's, never the envelope's choice. */
			v.headers = signer_headers(cose, NOW - 60);
			v.alg = cases[i].wrong;
			EXPECT(-EKEYREJECTED, "algorithm", verify(&w, cose, &v, NULL, &e));
			v.headers = signer_headers(cose, NOW - 60);
			v.alg = "RS256";
			EXPECT(-EOPNOTSUPP, "algorithm", verify(&w, cose, &v, NULL, &e));
		}
	}
}

static void algorithms(void **state)
{
	static const char *bad[] = { "none", "None", "", "HS256", "EdDSA", "es256" };
	_cleanup_world_ struct world w;
	struct signer_envelope v;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		v = plain(&w, false);
		v.alg = bad[i];
		EXPECT(-EOPNOTSUPP, "algorithm", verify(&w, false, &v, NULL, &e));
	}
	v = plain(&w, false);
	v.alg = NULL;
	EXPECT(-EOPNOTSUPP, "algorithm", verify(&w, false, &v, NULL, &e));
	/* "none" as it is used: no signature at all. */
	_cleanup_buf_ struct buf b = { 0 };
	v = plain(&w, false);
	v.alg = "none";
	signer_jws(&v, &b);
	_cleanup_json_ json_t *j = json_loadb(b.data, b.len, 0, NULL);
	json_object_set_new(j, "signature", json_string(""));
	_cleanup_free_ char *text = json_text(j);
	EXPECT(-EBADMSG, "signature", verify_bytes(false, text, strlen(text), &w.keys, NULL, &e));
	v = plain(&w, true);
	v.alg = NULL;
	EXPECT(-EBADMSG, "algorithm", verify(&w, true, &v, NULL, &e));
	v = plain(&w, true);
	v.unprotected_alg = true;
	EXPECT(-EBADMSG, "no algorithm is protected", verify(&w, true, &v, NULL, &e));
}

static void chains(void **state)
{
	_cleanup_world_ struct world w, other;
	struct signer_envelope v;

	(void)state;
	world_open(&w);
	world_open(&other);
	for (int cose = 0; cose < 2; cose++) {
		v = plain(&w, cose);
		v.chain[0] = w.root;
		v.chain[1] = w.leaf;
		EXPECT(-EKEYREJECTED, "in this order", verify(&w, cose, &v, NULL, &e));
		v = plain(&w, cose);
		v.chain[1] = NULL;
		EXPECT(-EKEYREJECTED, "in this order", verify(&w, cose, &v, NULL, &e)); /* does not reach a root */
		v = plain(&w, cose);
		v.chain[0] = other.leaf;
		v.chain[1] = other.root;
		EXPECT(-EKEYREJECTED, "not made by this key", verify(&w, cose, &v, NULL, &e)); /* swapped */
		v = plain(&w, cose);
		v.chain[1] = other.root;
		EXPECT(-EKEYREJECTED, "in this order", verify(&w, cose, &v, NULL, &e));
		v = plain(&other, cose);
		EXPECT(-EKEYREJECTED, "certificate", verify(&w, cose, &v, NULL, &e)); /* not a pinned root */
		v = plain(&w, cose);
		v.chain[0] = NULL;
		EXPECT(-EBADMSG, NULL, verify(&w, cose, &v, NULL, &e));
	}
}

/* A signer and its authority with one name, as notation's own tests make them: only the bytes of the root count. */
static void same_names(void **state)
{
	static const struct {
		const char *purpose, *usage;
		bool sha1, ca;
		int64_t to;
		int want;
		const char *text;
	} cases[] = {
		{ "codeSigning", "critical,keyCertSign", false, true, NOW + DAY, 0, NULL },
		{ "clientAuth", "critical,keyCertSign", false, true, NOW + DAY, -EKEYREJECTED, "not for signing code" },
		{ "codeSigning", "critical,keyCertSign", true, true, NOW + DAY, -EKEYREJECTED, "too weak" },
		{ "codeSigning", "critical,keyCertSign", false, true, NOW - 1, -EKEYEXPIRED, "not valid" },
		{ "codeSigning", "critical,digitalSignature", false, true, NOW + DAY, -EKEYREJECTED, "one of its chain" },
		{ "codeSigning", "critical,digitalSignature", false, false, NOW + DAY, -EKEYREJECTED, "one of its chain" },
	};
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_x509_ X509 *root = signer_cert(&(struct signer_cert){ .name = "one", .key = w.root_key, .ca = cases[i].ca,
									       .usage = cases[i].usage }),
				     *twin = signer_cert(&(struct signer_cert){ .name = "one", .key = w.tsa_key, .ca = true }),
				     *leaf = signer_cert(&(struct signer_cert){ .name = "one", .key = w.key, .issuer = root,
					.issuer_key = w.root_key, .from = NOW - DAY, .to = cases[i].to, .purpose = cases[i].purpose,
					.sha1 = cases[i].sha1 });
		_cleanup_free_ char *pem = signer_cert_pem(root), *twin_pem = signer_cert_pem(twin);
		struct sig_bytes roots = { pem, strlen(pem), "root" }, others = { twin_pem, strlen(twin_pem), "twin" };

		for (int cose = 0; cose < 2; cose++) {
			struct signer_envelope v = plain(&w, cose);

			v.chain[0] = leaf;
			v.chain[1] = root;
			json_incref(v.headers);
			w.keys.roots = &roots;
			EXPECT(cases[i].want, cases[i].text, verify(&w, cose, &v, NULL, &e));
			/* Another root of the same name is another root. */
			w.keys.roots = &others;
			EXPECT(-EKEYREJECTED, NULL, verify(&w, cose, &v, NULL, &e));
		}
	}
	/* Swapped, or without its root: no chain. */
	_cleanup_x509_ X509 *root = signer_cert(&(struct signer_cert){ .name = "one", .key = w.root_key, .ca = true }),
			     *leaf = signer_cert(&(struct signer_cert){ .name = "one", .key = w.key, .issuer = root, .issuer_key = w.root_key,
									.from = NOW - DAY, .to = NOW + DAY, .purpose = "codeSigning" });
	_cleanup_free_ char *pem = signer_cert_pem(root);
	struct sig_bytes roots = { pem, strlen(pem), "root" };
	w.keys.roots = &roots;
	for (int cose = 0; cose < 2; cose++) {
		struct signer_envelope v = plain(&w, cose);

		v.chain[0] = leaf;
		v.chain[1] = NULL;
		EXPECT(-EKEYREJECTED, "in this order", verify(&w, cose, &v, NULL, &e));
		v = plain(&w, cose);
		v.chain[0] = root;
		v.chain[1] = leaf;
		EXPECT(-EKEYREJECTED, "in this order", verify(&w, cose, &v, NULL, &e));
	}
}

static void headers(void **state)
{
	static const struct {
		const char *key, *value; /* JSON; NULL: gone */
		int want;
		const char *text;
	} cases[] = {
		{ "crit", "[\"io.cncf.notary.signingScheme\",\"x\"]", -EOPNOTSUPP, "not understood: x" },
		{ "crit", "[]", -EBADMSG, NULL },
		{ "crit", NULL, -EBADMSG, "not call" },
		{ "crit", "[\"io.cncf.notary.signingScheme\",\"io.cncf.notary.expiry\"]", -EBADMSG, "not there" },
		{ "cty", "\"text/plain\"", -EBADMSG, "content type" },
		{ "cty", NULL, -EBADMSG, "content type" },
		{ NOTARY "signingScheme", "\"notary.x509.signingAuthority\"", -EBADMSG, "time is not that" },
		{ NOTARY "signingScheme", "\"other\"", -EOPNOTSUPP, "scheme" },
		{ NOTARY "signingScheme", NULL, -EBADMSG, NULL },
		{ NOTARY "signingTime", NULL, -EBADMSG, "signingTime" },
		{ NOTARY "verificationPlugin", "\"p\"", -EOPNOTSUPP, "plugin" },
		{ "more", "\"harmless\"", 0, NULL },
	};
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (int cose = 0; cose < 2; cose++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct signer_envelope v = plain(&w, cose);

			if (cases[i].value)
				json_object_set_new(v.headers, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
			else
				json_object_del(v.headers, cases[i].key);
			EXPECT(cases[i].want, cases[i].text, verify(&w, cose, &v, NULL, &e));
		}
	}
}

static json_t *with_expiry(bool cose, int64_t when, const char *text, bool critical)
{
	json_t *h = signer_headers(cose, NOW - 60);

	json_object_set_new(h, NOTARY "expiry", cose ? json_integer(when) : json_string(text));
	if (critical)
		json_array_append_new(json_object_get(h, "crit"), json_string(NOTARY "expiry"));
	return h;
}

static void expiry(void **state)
{
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (int cose = 0; cose < 2; cose++) {
		struct signer_envelope v = plain(&w, cose);

		json_decref(v.headers);
		_cleanup_claim_ struct sig_claim c = { .digest = "" };
		v.headers = with_expiry(cose, NOW + 1, "2023-11-14T22:13:21Z", true);
		EXPECT(0, NULL, verify(&w, cose, &v, &c, &e));
		assert_int_equal(json_integer_value(json_object_get(c.more, "expires")), NOW + 1);
		v.headers = with_expiry(cose, NOW, "2023-11-14T22:13:20Z", true);
		EXPECT(-EKEYEXPIRED, "signature has expired", verify(&w, cose, &v, NULL, &e));
		v.headers = with_expiry(cose, NOW + 1, "2023-11-14T22:13:21Z", false);
		EXPECT(-EBADMSG, "not call", verify(&w, cose, &v, NULL, &e));
	}
}

/* The certificate is over; a stamp from its time saves the signature. */
static void expired_certificate(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_buf_ struct buf first = { 0 }, stamp = { 0 }, sig = { 0 };

	(void)state;
	world_open(&w);
	struct sig_bytes tsa = { w.root_pem, strlen(w.root_pem), "tsa" };
	struct signer_envelope v = plain(&w, false);
	signer_jws(&v, &first);
	w.keys.now = NOW + 10 * DAY;
	EXPECT(-EKEYEXPIRED, "expired", verify_bytes(false, first.data, first.len, &w.keys, NULL, &e));
	_cleanup_json_ json_t *j = json_loadb(first.data, first.len, 0, NULL);
	const char *s = json_string_value(json_object_get(j, "signature"));
	assert_int_equal(base64url_decode(s, strlen(s), &sig), 0);
	for (int late = 0; late < 2; late++) {
		_cleanup_claim_ struct sig_claim c = { .digest = "" };

		signer_stamp(w.tsa_key, w.tsa, true, true, NOW + (late ? 2 * DAY : 7), 256, sig.data, sig.len, &stamp);
		_cleanup_free_ char *b64 = base64_encode(stamp.data, stamp.len), *text = NULL;
		json_object_set_new(json_object_get(j, "header"), NOTARY "timestampSignature", json_string(b64));
		text = json_text(j);
		w.keys.n_timestamp_roots = 0;
		EXPECT(-EKEYEXPIRED, "expired", verify_bytes(false, text, strlen(text), &w.keys, NULL, &e));
		w.keys.timestamp_roots = &tsa;
		w.keys.n_timestamp_roots = 1;
		EXPECT(late ? -EKEYEXPIRED : 0, NULL, verify_bytes(false, text, strlen(text), &w.keys, &c, &e));
		assert_int_equal(c.time, late ? 0 : NOW + 7);
		assert_null(json_object_get(c.more, "expires")); /* the stamp outlives the certificate */
	}
	/* Over another signature. */
	signer_stamp(w.tsa_key, w.tsa, true, true, NOW, 256, "x", 1, &stamp);
	_cleanup_free_ char *b64 = base64_encode(stamp.data, stamp.len);
	json_object_set_new(json_object_get(j, "header"), NOTARY "timestampSignature", json_string(b64));
	_cleanup_free_ char *text = json_text(j);
	EXPECT(-EKEYREJECTED, "timestamp", verify_bytes(false, text, strlen(text), &w.keys, NULL, &e));
}

static void signing_authority(void **state)
{
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	w.keys.now = NOW + 10 * DAY;
	for (int cose = 0; cose < 2; cose++) {
		struct signer_envelope v = plain(&w, cose);
		_cleanup_claim_ struct sig_claim c = { .digest = "" };

		json_object_set_new(v.headers, NOTARY "signingScheme", json_string("notary.x509.signingAuthority"));
		json_object_set_new(v.headers, NOTARY "authenticSigningTime", cose ? json_integer(NOW) : json_string("2023-11-14T22:13:20Z"));
		json_object_del(v.headers, NOTARY "signingTime");
		json_array_append_new(json_object_get(v.headers, "crit"), json_string(NOTARY "authenticSigningTime"));
		json_t *again = json_incref(v.headers);
		w.keys.signing_authority = true;
		EXPECT(0, NULL, verify(&w, cose, &v, &c, &e));
		assert_int_equal(c.time, NOW);
		/* Roots that are not such cannot tell the time. */
		w.keys.signing_authority = false;
		v.headers = again;
		EXPECT(-EKEYREJECTED, "signing authority", verify(&w, cose, &v, NULL, &e));
		v = plain(&w, cose);
		w.keys.signing_authority = true;
		EXPECT(-EKEYREJECTED, "signing authority", verify(&w, cose, &v, NULL, &e));
	}
}

static void identities(void **state)
{
	static const struct {
		const char *want;
		int r;
	} cases[] = {
		{ "x509.subject:C=DE,O=Brig,CN=signer", 0 },
		{ "x509.subject: O= Brig , C=DE ", 0 },
		{ "x509.subject:C=DE, O=Bri", -EKEYREJECTED },
		{ "x509.subject:C=DE,O=Brig,CN=signer,L=x", -EKEYREJECTED },
		{ "x509.subject:C=DE,O=brig", -EKEYREJECTED },
		{ "x509.subject:O=Bri\\g", -EINVAL },
		{ "x509.subject:O=Brig\\, Inc", -EKEYREJECTED },
		{ "x509.subject:O=Brig+C=DE", -EINVAL },
		{ "x509.subject:", -EINVAL },
		{ "x509.subject:O=", -EINVAL },
		{ "x509.subject:nothing=1", -EINVAL },
		{ "x509.subject:O=Brig,", -EINVAL },
		{ "subject:O=Brig", -EINVAL },
		{ "*", -EINVAL },
	};
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *list[] = { xstrdup(cases[i].want), NULL };
		struct signer_envelope v = plain(&w, false);

		w.keys.subjects = list;
		EXPECT(cases[i].r, NULL, verify(&w, false, &v, NULL, &e));
		free(list[0]);
	}
}

static void payloads(void **state)
{
#define M "\"mediaType\":\"m\""
#define D "\"digest\":\"sha256:" IMAGE "\""
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "{\"targetArtifact\":{" M "," D ",\"size\":1}}", 0 },
		{ "{\"targetArtifact\":{" M "," D ",\"size\":1,\"annotations\":{\"a\":\"b\"}}}", 0 },
		{ "{\"targetArtifact\":{" M "," D "," D ",\"size\":1}}", -EBADMSG },
		{ "{\"targetArtifact\":{" M "," D ",\"size\":1},\"more\":1}", -EBADMSG },
		{ "{\"targetArtifact\":{" M "," D ",\"size\":1,\"more\":1}}", -EBADMSG },
		{ "{\"targetArtifact\":{" M "," D "}}", -EBADMSG },
		{ "{\"targetArtifact\":{" M ",\"size\":1}}", -EBADMSG },
		{ "{\"targetArtifact\":{" M ",\"digest\":\"sha1:aa\",\"size\":1}}", -EBADMSG },
		{ "{\"targetArtifact\":[]}", -EBADMSG },
		{ "{}", -EBADMSG },
		{ "x", -EBADMSG },
	};
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (int cose = 0; cose < 2; cose++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct signer_envelope v = plain(&w, cose);

			v.payload = cases[i].text;
			EXPECT(cases[i].want, NULL, verify(&w, cose, &v, NULL, &e));
		}
	}
}

/* Cut at every byte, a byte more, a byte changed. */
static void damage(void **state)
{
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (int cose = 0; cose < 2; cose++) {
		_cleanup_buf_ struct buf b = { 0 };
		struct signer_envelope v = plain(&w, cose);
		struct error any;

		if (cose)
			signer_cose(&v, &b);
		else
			signer_jws(&v, &b);
		for (size_t n = 0; n < b.len; n += 3)
			EXPECT(-EBADMSG, NULL, verify_bytes(cose, b.data, n, &w.keys, NULL, &e));
		for (size_t n = 0; n < b.len; n += 11) {
			b.data[n] ^= 1;
			assert_true(verify_bytes(cose, b.data, b.len, &w.keys, NULL, &any) < 0);
			b.data[n] ^= 1;
		}
		assert_int_equal(verify_bytes(cose, b.data, b.len, &w.keys, NULL, &any), 0);
		buf_add(&b, cose ? "\0" : "x", 1);
		EXPECT(-EBADMSG, NULL, verify_bytes(cose, b.data, b.len, &w.keys, NULL, &e));
	}
	_cleanup_buf_ struct buf b = { 0 };
	struct signer_envelope v = plain(&w, false);
	signer_jws(&v, &b);
	_cleanup_json_ json_t *j = json_loadb(b.data, b.len, 0, NULL);
	json_object_set_new(json_object_get(j, "header"), "alg", json_string("ES256"));
	_cleanup_free_ char *text = json_text(j);
	EXPECT(-EBADMSG, "unsigned", verify_bytes(false, text, strlen(text), &w.keys, NULL, &e));
}

static int one_item(const char *bytes, size_t n)
{
	struct cbor c = { (const unsigned char *)bytes, (const unsigned char *)bytes + n };
	const unsigned char *from;
	size_t len;

	return cbor_skip(&c, &from, &len) == 0 && cbor_end(&c);
}

static void cbor_is_strict(void **state)
{
#define ITEM(s) s, sizeof(s) - 1
	static const struct {
		const char *bytes;
		size_t n;
		int good;
	} cases[] = {
		{ ITEM("\x17"), 1 },	 { ITEM("\x18\x18"), 1 },	  { ITEM("\x18\x17"), 0 },	 /* 23 in two bytes */
		{ ITEM("\x19\x01\x00"), 1 }, { ITEM("\x19\x00\xff"), 0 }, { ITEM("\x1a\x00\x01\x00\x00"), 1 },
		{ ITEM("\x1a\x00\x00\xff\xff"), 0 }, { ITEM("\x20"), 1 }, { ITEM("\x41x"), 1 },
		{ ITEM("\x42x"), 0 },	 { ITEM("\x5f\x41x\xff"), 0 },	  { ITEM("\x61x"), 1 },		 /* indefinite */
		{ ITEM("\x61\xff"), 0 }, { ITEM("\x82\x01\x02"), 1 },	  { ITEM("\x82\x01"), 0 },
		{ ITEM("\x9f\x01\xff"), 0 }, { ITEM("\xa1\x01\x02"), 1 }, { ITEM("\xa1\x01"), 0 },
		{ ITEM("\xc1\x01"), 1 }, { ITEM("\xf4"), 1 },		  { ITEM("\xf6"), 1 },
		{ ITEM("\xf7"), 0 },	 { ITEM("\xf9\x00\x00"), 0 },	  { ITEM("\xfb\0\0\0\0\0\0\0\0"), 0 },
		{ ITEM("\x1c"), 0 },	 { ITEM("\xff"), 0 },		  { ITEM(""), 0 },
		{ ITEM("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"), 0 },	  { ITEM("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"), 0 },
		{ ITEM("\xbb\x80\x00\x00\x00\x00\x00\x00\x00"), 0 },
		{ ITEM("\x81\x81\x81\x81\x81\x81\x81\x01"), 1 },	  { ITEM("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01"), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (one_item(cases[i].bytes, cases[i].n) != cases[i].good)
			fail_msg("case %zu", i);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* 0: refused */
	} cases[] = {
		{ "2023-11-14T22:13:20Z", NOW },	{ "2023-11-14T23:13:20+01:00", NOW }, { "2023-11-14T14:13:20-08:00", NOW },
		{ "2023-11-14T22:13:20", 0 },		{ "2023-11-14 22:13:20Z", 0 },	      { "2023-11-14T22:13:20.5Z", 0 },
		{ "2023-11-14T22:13:20z", 0 },		{ "2023-11-14T22:13:20Zx", 0 },	      { "2023-02-30T00:00:00Z", 0 },
		{ "2023-13-14T22:13:20Z", 0 },		{ "2023-11-14T24:13:20Z", 0 },	      { "+023-11-14T22:13:20Z", 0 },
		{ "2023-11-14T22:13:20+1:00", 0 },	{ "2023-11-14T22:13:20+0100", 0 },    { "2023-11-14T22:13:20+25:00", 0 },
		{ "", 0 },				{ "1969-01-01T00:00:00Z", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t t = 0;
		int r = notation_time(cases[i].text, &t);

		if (r != (cases[i].want ? 0 : -EBADMSG) || (r == 0 && t != cases[i].want))
			fail_msg("%s: %d %lld", cases[i].text, r, (long long)t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones), cmocka_unit_test(algorithms),	   cmocka_unit_test(chains), cmocka_unit_test(same_names),
		cmocka_unit_test(headers),   cmocka_unit_test(expiry),		   cmocka_unit_test(expired_certificate),
		cmocka_unit_test(identities), cmocka_unit_test(signing_authority), cmocka_unit_test(payloads),
		cmocka_unit_test(damage),    cmocka_unit_test(cbor_is_strict),	   cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
