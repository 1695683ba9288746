/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "signer.h"
#include "trust/encode.h"
#include "trust/sign.h"
#include "trust/signature.h"
#include "trust/sigstore.h"

#include <openssl/pkcs12.h>
#include <string.h>

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

static int asked;

static int give(void *arg, char **passphrase, struct error *e)
{
	(void)e;
	asked++;
	*passphrase = xstrdup(arg);
	return 0;
}

static int parse(const char *pem, const char *passphrase, struct privkey *out, struct error *e)
{
	privkey_free(out);
	asked = 0;
	return privkey_parse(pem, strlen(pem), give, (void *)(uintptr_t)passphrase, out, e);
}

/* PKCS#8 of a key, with a passphrase or none. */
static char *private_pem(EVP_PKEY *k, const char *passphrase)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k);
	struct buf pem = { 0 };
	unsigned char *der = NULL;
	int n;

	if (passphrase) {
		X509_SIG *box = PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase, -1, NULL, 0, 2048, info);

		n = i2d_X509_SIG(box, &der);
		X509_SIG_free(box);
	} else {
		n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	}
	assert_true(n > 0);
	pem_write(&pem, passphrase ? "ENCRYPTED PRIVATE KEY" : "PRIVATE KEY", der, (size_t)n);
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	return buf_steal(&pem);
}

static void private_keys(void **state)
{
	static const char *kinds[] = { "P-256", "P-384", "Ed25519", "RSA" };
	_cleanup_privkey_ struct privkey k = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_evp_ EVP_PKEY *evp = signer_key(kinds[i]);
		_cleanup_free_ char *pem = private_pem(evp, NULL), *sealed = private_pem(evp, "open"), *cut = xstrndup(pem, strlen(pem) / 2),
				    *two = xasprintf("%s%s", pem, pem);
		_cleanup_buf_ struct buf sig = { 0 };

		EXPECT(0, NULL, parse(pem, NULL, &k, &e));
		assert_int_equal(asked, 0);
		EXPECT(0, NULL, privkey_sign(&k, "x", 1, &sig, &e));
		EXPECT(0, NULL, pubkey_verify_kind(k.pub, "x", 1, sig.data, sig.len, &e));
		EXPECT(0, NULL, parse(sealed, "open", &k, &e));
		assert_int_equal(asked, 1);
		EXPECT(-EKEYREJECTED, "passphrase", parse(sealed, "closed", &k, &e));
		assert_null(k.evp);
		EXPECT(-EBADMSG, "does not end", parse(cut, NULL, &k, &e));
		EXPECT(-EBADMSG, "more than one", parse(two, NULL, &k, &e));
	}
	_cleanup_evp_ EVP_PKEY *weak = signer_key("RSA1024");
	_cleanup_free_ char *weak_pem = private_pem(weak, NULL), *public = signer_public_pem(weak);
	EXPECT(-EKEYREJECTED, "1024", parse(weak_pem, NULL, &k, &e));
	EXPECT(-EBADMSG, "PUBLIC KEY", parse(public, NULL, &k, &e));
	EXPECT(-EBADMSG, "nothing", parse("", NULL, &k, &e));
}

/* What brig makes it opens; a changed, cut or greedy one it does not. */
static void keys_of_cosign(void **state)
{
	static const struct {
		const char *key, *value;
		int want;
	} cases[] = {
		{ "kdf", "{\"name\":\"pbkdf2\"}", -EOPNOTSUPP },
		{ "kdf", "{\"name\":\"scrypt\",\"params\":{\"N\":2000000000,\"r\":8,\"p\":1},\"salt\":\"AAAA\"}", -ERANGE },
		{ "kdf", "{\"name\":\"scrypt\",\"params\":{\"N\":1048576,\"r\":32,\"p\":1},\"salt\":\"AAAA\"}", -EBADMSG },
		{ "kdf", "{\"name\":\"scrypt\",\"params\":{\"N\":1000,\"r\":8,\"p\":1},\"salt\":\"AAAA\"}", -EBADMSG },
		{ "cipher", "{\"name\":\"nacl/secretbox\",\"nonce\":\"AAAA\"}", -EBADMSG },
		{ "cipher", "{\"name\":\"none\"}", -EOPNOTSUPP },
		{ "ciphertext", "\"AAAA\"", -EBADMSG },
		{ "ciphertext", "7", -EBADMSG },
	};
	_cleanup_buf_ struct buf sealed = { 0 }, pub = { 0 }, der = { 0 };
	_cleanup_privkey_ struct privkey k = { 0 };
	_cleanup_pubkey_ struct pubkey *p = NULL;
	char label[PEM_LABEL_MAX];
	const char *at;

	(void)state;
	EXPECT(0, NULL, privkey_make("open", &sealed, &pub, &e));
	EXPECT(0, NULL, pubkey_parse(pub.data, pub.len, &p, &e));
	EXPECT(0, NULL, parse(sealed.data, "open", &k, &e));
	assert_true(pubkey_equal(k.pub, p));
	assert_int_equal(k.pub->kind, PUBKEY_P256);
	EXPECT(-EKEYREJECTED, "passphrase", parse(sealed.data, "", &k, &e));
	at = sealed.data;
	EXPECT(1, NULL, pem_next(&at, sealed.data + sealed.len, label, &der, &e));
	assert_string_equal(label, "ENCRYPTED COSIGN PRIVATE KEY");
	_cleanup_json_ json_t *good = json_loadb(der.data, der.len, 0, NULL);
	assert_non_null(good);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *bad = json_deep_copy(good);
		_cleanup_buf_ struct buf pem = { 0 };
		_cleanup_free_ char *text = NULL;

		json_object_set_new(bad, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		text = json_text(bad);
		pem_write(&pem, "ENCRYPTED SIGSTORE PRIVATE KEY", text, strlen(text));
		EXPECT(cases[i].want, NULL, parse(pem.data, "open", &k, &e));
		assert_null(k.evp);
	}
}

static int verify_layer(const json_t *layer, const char *payload, EVP_PKEY *key, struct sig_claim *c, struct error *e)
{
	_cleanup_free_ char *pem = signer_public_pem(key);
	struct sig_bytes k = { pem, strlen(pem), "key" };
	struct sig_keys keys = { .keys = &k, .n_keys = 1, .now = 1700000000 };
	struct sig_blob b = { .kind = SIG_COSIGN_SIMPLE, .data = payload, .size = strlen(payload),
			      .annotations = json_object_get(layer, "annotations") };

	return cosign_simple_verify(&b, &keys, c, e);
}

/* Two people sign one after the other: both signatures stand in the manifest, and verify. */
static void manifests(void **state)
{
	_cleanup_evp_ EVP_PKEY *first = signer_key("P-256"), *second = signer_key("Ed25519");
	_cleanup_free_ char *payload = sign_payload("q.io/a/b:1", IMAGE, 1700000000);
	_cleanup_buf_ struct buf sig = { 0 }, config = { 0 }, one = { 0 }, config2 = { 0 }, both = { 0 };
	struct sign_document old[] = {
		{ (char *)(uintptr_t)"not json", 8 },
		{ (char *)(uintptr_t)"{\"layers\":[{\"mediaType\":\"application/vnd.dsse.envelope.v1+json\"}]}", 66 },
		{ (char *)(uintptr_t)"{}", 2 },
		{ NULL, 0 },
	};

	(void)state;
	signer_sign(first, 256, SIGNER_PKCS1, payload, strlen(payload), &sig);
	EXPECT(0, NULL, sign_manifest(old, 3, payload, &sig, &config, &one, &e));
	old[3] = (struct sign_document){ one.data, one.len };
	signer_sign(second, 0, SIGNER_PKCS1, payload, strlen(payload), &sig);
	EXPECT(0, NULL, sign_manifest(old, 4, payload, &sig, &config2, &both, &e));
	_cleanup_json_ json_t *m = json_loadb(both.data, both.len, JSON_REJECT_DUPLICATES, NULL), *c = json_loadb(config2.data, config2.len, 0, NULL);
	const json_t *layers = json_object_get(m, "layers");
	char hex[65];

	assert_int_equal(json_array_size(layers), 2);
	assert_int_equal(json_array_size(json_object_get(json_object_get(c, "rootfs"), "diff_ids")), 2);
	sha256_hex(payload, strlen(payload), hex);
	for (size_t i = 0; i < 2; i++) {
		const json_t *l = json_array_get(layers, i);
		_cleanup_claim_ struct sig_claim claim = { .digest = "" }, wrong = { .digest = "" };

		assert_string_equal(json_string_value(json_object_get(l, "digest")) + 7, hex);
		EXPECT(0, NULL, verify_layer(l, payload, i == 0 ? first : second, &claim, &e));
		assert_string_equal(claim.digest, IMAGE);
		assert_string_equal(claim.identity, "q.io/a/b:1");
		EXPECT(-EKEYREJECTED, NULL, verify_layer(l, payload, i == 0 ? second : first, &wrong, &e));
	}
	sha256_hex(config2.data, config2.len, hex);
	assert_string_equal(json_string_value(json_object_get(json_object_get(m, "config"), "digest")) + 7, hex);
	/* The same manifest twice adds nothing. */
	_cleanup_buf_ struct buf config3 = { 0 }, again = { 0 };
	struct sign_document twice[] = { { both.data, both.len }, { one.data, one.len } };
	EXPECT(0, NULL, sign_manifest(twice, 2, payload, &sig, &config3, &again, &e));
	_cleanup_json_ json_t *m3 = json_loadb(again.data, again.len, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(m3, "layers")), 3);
}

/* An envelope verifies as what was stated; a hundred stay, and of more the oldest verdict goes, nobody else's. */
static void attestations(void **state)
{
	static const char statement[] = "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"sha256\":\"" IMAGE "\"}}],"
					"\"predicateType\":\"" VET_PREDICATE "\",\"predicate\":{\"verdict\":\"passed\"}}";
	_cleanup_evp_ EVP_PKEY *evp = signer_key("P-256");
	_cleanup_free_ char *pem = private_pem(evp, NULL), *public = signer_public_pem(evp), *first = NULL;
	_cleanup_privkey_ struct privkey k = { 0 };
	_cleanup_buf_ struct buf envelope = { 0 }, config = { 0 }, manifest = { 0 };
	_cleanup_claim_ struct sig_claim claim = { .digest = "" };
	struct sig_bytes key = { public, strlen(public), "key" };
	struct sig_keys keys = { .keys = &key, .n_keys = 1, .now = 1700000000 };
	struct sig_blob blob = { .kind = SIG_COSIGN_ATTESTATION };
	const char *first_digest = NULL;

	(void)state;
	EXPECT(0, NULL, parse(pem, NULL, &k, &e));
	EXPECT(0, NULL, sign_envelope(&k, statement, &envelope, &e));
	blob.data = envelope.data;
	blob.size = envelope.len;
	EXPECT(0, NULL, cosign_attestation_verify(&blob, &keys, &claim, &e));
	assert_string_equal(claim.digest, IMAGE);
	assert_string_equal(json_string_value(json_object_get(claim.more, "predicateType")), VET_PREDICATE);
	EXPECT(-ENODATA, NULL, attest_manifest(NULL, 0, NULL, NULL, &config, &manifest, &e));
	for (int i = 0; i < SIGNATURES_IN_ONE + 2; i++) {
		struct sign_document old = { manifest.data, manifest.len };
		_cleanup_buf_ struct buf other = { 0 }, next = { 0 }, unused = { 0 };
		_cleanup_json_ json_t *m = NULL;

		buf_printf(&other, "envelope %d", i);
		EXPECT(0, NULL, attest_manifest(&old, manifest.len ? 1 : 0, &other, i == 0 ? "https://other.test" : VET_PREDICATE, &unused, &next, &e));
		buf_free(&manifest);
		buf_puts(&manifest, next.data);
		m = json_loadb(manifest.data, manifest.len, 0, NULL);
		assert_int_equal(json_array_size(json_object_get(m, "layers")), i < SIGNATURES_IN_ONE ? i + 1 : SIGNATURES_IN_ONE);
		first_digest = json_string_value(json_object_get(json_array_get(json_object_get(m, "layers"), 0), "digest"));
		if (i == 0)
			first = xstrdup(first_digest);
		assert_string_equal(first_digest, first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(private_keys), cmocka_unit_test(keys_of_cosign), cmocka_unit_test(manifests),
					    cmocka_unit_test(attestations) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
