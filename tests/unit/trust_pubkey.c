/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer.h"
#include "trust/encode.h"
#include "trust/pubkey.h"

#include <string.h>

#define CHECK(got, want)                                                                          \
	do {                                                                                      \
		int r_ = (got);                                                                   \
		if (r_ != (want))                                                                 \
			fail_msg("%s: %d, not %d: %s", #got, r_, want, e.text);                   \
	} while (0)

static int decode(const char *text, bool url, struct buf *b)
{
	buf_free(b);
	return url ? base64url_decode(text, strlen(text), b) : base64_decode(text, strlen(text), b);
}

static void base64_is_one_spelling(void **state)
{
	static const struct {
		const char *text, *bytes;
		size_t n;
	} good[] = { { "", "", 0 },		  { "Zg==", "f", 1 },	    { "Zm8=", "fo", 2 },
		     { "Zm9v", "foo", 3 },	  { "Zm9vYg==", "foob", 4 }, { "+/+/", "\xfb\xff\xbf", 3 },
		     { "AAAA", "\0\0\0", 3 } };
	static const char *bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm 9v", "====", "=", "Zg==Zg==",
				     "-_-_", "Zm9vZ", "Zm9v====", "Zm\xc3\xa9" };
	_cleanup_buf_ struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_free_ char *again = base64_encode(good[i].bytes, good[i].n), *url = base64url_encode(good[i].bytes, good[i].n);

		assert_int_equal(decode(good[i].text, false, &b), 0);
		assert_int_equal(b.len, good[i].n);
		assert_true(b.len == 0 || memcmp(b.data, good[i].bytes, b.len) == 0);
		assert_string_equal(again, good[i].text);
		assert_int_equal(decode(url, true, &b), 0);
		assert_int_equal(b.len, good[i].n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (decode(bad[i], false, &b) == 0)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(decode("-_-_", true, &b), 0);
	assert_int_equal(decode("+/+/", true, &b), -EBADMSG);
	assert_int_equal(decode("Zg==", true, &b), -EBADMSG);
	assert_int_equal(decode("Zh", true, &b), -EBADMSG);
}

static int parse(const char *text, struct pubkey **k, struct error *e)
{
	pubkey_free(k);
	*e = (struct error){ 0 };
	return pubkey_parse(text, strlen(text), k, e);
}

static void kinds(void **state)
{
	static const struct {
		const char *kind, *name;
		int want;
	} cases[] = { { "P-256", "ECDSA P-256", 0 },	{ "P-384", "ECDSA P-384", 0 },	   { "Ed25519", "Ed25519", 0 },
		      { "RSA", "RSA 2048", 0 },		{ "P-521", NULL, -EKEYREJECTED },  { "secp256k1", NULL, -EKEYREJECTED },
		      { "RSA1024", NULL, -EKEYREJECTED } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_evp_ EVP_PKEY *evp = signer_key(cases[i].kind);
		_cleanup_free_ char *pem = signer_public_pem(evp);
		_cleanup_pubkey_ struct pubkey *k = NULL, *again = NULL;
		_cleanup_buf_ struct buf der = { 0 };
		char name[32], sum[65];
		struct error e = { 0 };

		CHECK(parse(pem, &k, &e), cases[i].want);
		if (cases[i].want < 0)
			continue;
		assert_string_equal(pubkey_kind_name(k, name), cases[i].name);
		signer_public_der(evp, &der);
		sha256_hex(der.data, der.len, sum);
		assert_string_equal(k->hex, sum);
		CHECK(pubkey_parse(der.data, der.len, &again, &e), 0);
		assert_true(pubkey_equal(k, again));
	}
}

static void shapes(void **state)
{
	_cleanup_evp_ EVP_PKEY *evp = signer_key("P-256"), *other = signer_key("P-256");
	_cleanup_free_ char *pem = signer_public_pem(evp), *second = signer_public_pem(other);
	_cleanup_free_ char *two = xasprintf("%s%s", pem, second), *blanks = xasprintf("\n \r\n%s\n\n", pem),
			    *words = xasprintf("my key:\n%s", pem), *after = xasprintf("%snotes\n", pem),
			    *wrong_end = xasprintf("%.*s-----END PRIVATE KEY-----\n", (int)(strstr(pem, "-----END") - pem), pem);
	_cleanup_pubkey_ struct pubkey *k = NULL, *o = NULL;
	_cleanup_buf_ struct buf der = { 0 }, block = { 0 };
	struct error e;

	(void)state;
	CHECK(parse(pem, &k, &e), 0);
	CHECK(parse(second, &o, &e), 0);
	assert_false(pubkey_equal(k, o));
	CHECK(parse(blanks, &k, &e), 0);
	CHECK(parse(two, &k, &e), -EBADMSG);
	CHECK(parse(words, &k, &e), -EBADMSG);
	CHECK(parse(after, &k, &e), -EBADMSG);
	CHECK(parse(wrong_end, &k, &e), -EBADMSG);
	CHECK(parse("", &k, &e), -EBADMSG);
	CHECK(parse("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", &k, &e), -EBADMSG);
	/* Cut at every byte, and with a byte more. */
	signer_public_der(evp, &der);
	for (size_t n = 0; n < der.len; n++)
		CHECK(pubkey_parse_der(der.data, n, &k, &e), -EBADMSG);
	buf_add(&der, "", 1);
	CHECK(pubkey_parse_der(der.data, der.len, &k, &e), -EBADMSG);
	/* BER: the outer length in the long form where the short one does. */
	{
		unsigned char ber[256] = { 0x30, 0x81, (unsigned char)der.data[1] };

		memcpy(ber + 3, der.data + 2, der.len - 3);
		CHECK(pubkey_parse(ber, der.len, &k, &e), -EBADMSG);
	}
	/* A point that is not on the curve. */
	der.data[der.len - 2] ^= 1;
	assert_true(pubkey_parse_der(der.data, der.len - 1, &k, &e) < 0);
	pem_write(&block, "PRIVATE KEY", der.data, der.len);
	CHECK(parse(block.data, &k, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "private key"));
}

static struct pubkey *public_of(EVP_PKEY *evp)
{
	_cleanup_free_ char *pem = signer_public_pem(evp);
	struct pubkey *k = NULL;
	struct error e = { 0 };

	CHECK(pubkey_parse(pem, strlen(pem), &k, &e), 0);
	return k;
}

/* Every kind of signature against every kind of key: what is not exactly the key's own is refused. */
static void confusion(void **state)
{
	static const char *kinds_[] = { "P-256", "P-384", "Ed25519", "RSA" };
	static const struct {
		enum pubkey_scheme scheme;
		int hash;
	} asks[] = { { SCHEME_ECDSA, 256 }, { SCHEME_ECDSA, 384 }, { SCHEME_ED25519, 0 }, { SCHEME_PKCS1, 256 },
		     { SCHEME_PSS, 256 },   { SCHEME_PSS, 384 },   { SCHEME_PKCS1, 1 },	  { SCHEME_ED25519, 256 },
		     { SCHEME_ECDSA, 0 } };
	static const struct {
		int hash, salt;
	} makes[] = { { 256, SIGNER_PKCS1 }, { 384, SIGNER_PKCS1 }, { 0, SIGNER_PKCS1 }, { 1, SIGNER_PKCS1 }, { 256, 32 },
		      { 256, 20 },	     { 384, 48 } };
	static const char text[] = "these bytes";
	unsigned good = 0;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds_); k++) {
		_cleanup_evp_ EVP_PKEY *evp = signer_key(kinds_[k]), *wrong = signer_key(k == 3 ? "P-256" : kinds_[k]);
		_cleanup_pubkey_ struct pubkey *key = public_of(evp), *other = public_of(wrong);

		for (size_t m = 0; m < ARRAY_SIZE(makes); m++) {
			_cleanup_buf_ struct buf sig = { 0 };

			if ((makes[m].hash == 0) != (k == 2) || (makes[m].salt >= 0 && k != 3))
				continue;
			signer_sign(evp, makes[m].hash, makes[m].salt, text, sizeof(text), &sig);
			for (size_t a = 0; a < ARRAY_SIZE(asks); a++) {
				bool pss = asks[a].scheme == SCHEME_PSS;
				bool want = asks[a].hash == makes[m].hash && asks[a].hash != 1 &&
					    (asks[a].scheme == SCHEME_ECDSA   ? k < 2 :
					     asks[a].scheme == SCHEME_ED25519 ? k == 2 :
										k == 3 && pss == (makes[m].salt >= 0)) &&
					    (!pss || makes[m].salt == makes[m].hash / 8);
				struct error e = { 0 };

				CHECK(pubkey_verify(key, asks[a].scheme, asks[a].hash, text, sizeof(text), sig.data, sig.len, &e),
				      want ? 0 : -EKEYREJECTED);
				if (!want)
					continue;
				good++;
				CHECK(pubkey_verify(other, asks[a].scheme, asks[a].hash, text, sizeof(text), sig.data, sig.len, &e),
				      -EKEYREJECTED);
				CHECK(pubkey_verify(key, asks[a].scheme, asks[a].hash, text, sizeof(text) - 1, sig.data, sig.len, &e),
				      -EKEYREJECTED);
				for (size_t n = 0; n < sig.len; n += 7)
					CHECK(pubkey_verify(key, asks[a].scheme, asks[a].hash, text, sizeof(text), sig.data, n, &e),
					      -EKEYREJECTED);
				sig.data[sig.len / 2] ^= 4;
				CHECK(pubkey_verify(key, asks[a].scheme, asks[a].hash, text, sizeof(text), sig.data, sig.len, &e),
				      -EKEYREJECTED);
				sig.data[sig.len / 2] ^= 4;
			}
		}
	}
	assert_int_equal(good, 2 + 2 + 1 + 1 + 2);
}

static void what_cosign_does_by_kind(void **state)
{
	static const struct {
		const char *kind;
		int hash, salt, want;
	} cases[] = { { "P-256", 256, -1, 0 },		   { "P-256", 384, -1, -EKEYREJECTED }, { "P-384", 256, -1, 0 },
		      { "P-384", 384, -1, 0 },		   { "P-384", 512, -1, -EKEYREJECTED }, { "Ed25519", 0, -1, 0 },
		      { "RSA", 256, -1, 0 },		   { "RSA", 256, 32, 0 },		{ "RSA", 1, -1, -EKEYREJECTED },
		      { "RSA", 256, 222, -EKEYREJECTED } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_evp_ EVP_PKEY *evp = signer_key(cases[i].kind);
		_cleanup_pubkey_ struct pubkey *k = public_of(evp);
		_cleanup_buf_ struct buf sig = { 0 };
		struct error e = { 0 };

		signer_sign(evp, cases[i].hash, cases[i].salt, "x", 1, &sig);
		CHECK(pubkey_verify_kind(k, "x", 1, sig.data, sig.len, &e), cases[i].want);
	}
}

/* Zeros for r and s, DER with a leading zero too many, raw where DER is wanted and the reverse. */
static void ecdsa_forms(void **state)
{
	static const unsigned char zeros[] = { 0x30, 6, 2, 1, 0, 2, 1, 0 };
	_cleanup_evp_ EVP_PKEY *evp = signer_key("P-384"), *rsa = signer_key("RSA");
	_cleanup_pubkey_ struct pubkey *k = public_of(evp), *r = public_of(rsa);
	_cleanup_buf_ struct buf sig = { 0 }, der = { 0 };
	unsigned char none[96] = { 0 };
	struct error e = { 0 };

	(void)state;
	signer_sign_raw(evp, 384, "x", 1, &sig);
	signer_sign(evp, 384, SIGNER_PKCS1, "x", 1, &der);
	CHECK(pubkey_verify_raw_ecdsa(k, 384, "x", 1, sig.data, sig.len, &e), 0);
	CHECK(pubkey_verify_raw_ecdsa(k, 256, "x", 1, sig.data, sig.len, &e), -EKEYREJECTED);
	CHECK(pubkey_verify_raw_ecdsa(k, 384, "x", 1, sig.data, sig.len - 1, &e), -EKEYREJECTED);
	CHECK(pubkey_verify_raw_ecdsa(k, 384, "x", 1, der.data, der.len, &e), -EKEYREJECTED);
	CHECK(pubkey_verify_raw_ecdsa(k, 384, "x", 1, none, sizeof(none), &e), -EKEYREJECTED);
	CHECK(pubkey_verify_raw_ecdsa(r, 384, "x", 1, sig.data, sig.len, &e), -EKEYREJECTED);
	CHECK(pubkey_verify(k, SCHEME_ECDSA, 384, "x", 1, sig.data, sig.len, &e), -EKEYREJECTED);
	CHECK(pubkey_verify(k, SCHEME_ECDSA, 384, "x", 1, zeros, sizeof(zeros), &e), -EKEYREJECTED);
	buf_add(&der, "", 1);
	CHECK(pubkey_verify(k, SCHEME_ECDSA, 384, "x", 1, der.data, der.len, &e), -EKEYREJECTED);
	CHECK(pubkey_verify(k, SCHEME_ECDSA, 384, "x", 1, der.data, der.len - 1, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_one_spelling), cmocka_unit_test(kinds),
		cmocka_unit_test(shapes),		  cmocka_unit_test(confusion),
		cmocka_unit_test(what_cosign_does_by_kind), cmocka_unit_test(ecdsa_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
