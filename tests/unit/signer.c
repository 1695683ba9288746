/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer.h"
#include "trust/encode.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

EVP_PKEY *signer_key(const char *kind)
{
	static EVP_PKEY *rsa;
	EVP_PKEY *k;

	if (streq(kind, "RSA")) { /* seconds on a slow machine */
		if (!rsa)
			rsa = EVP_RSA_gen(2048);
		k = rsa;
		EVP_PKEY_up_ref(k);
	} else if (streq(kind, "RSA1024")) {
		k = EVP_RSA_gen(1024);
	} else if (streq(kind, "Ed25519")) {
		k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else {
		k = EVP_EC_gen(kind);
	}
	assert_non_null(k);
	return k;
}

void signer_public_der(EVP_PKEY *k, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(k, &der);

	assert_true(n > 0);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
}

char *signer_public_pem(EVP_PKEY *k)
{
	_cleanup_buf_ struct buf der = { 0 };
	struct buf pem = { 0 };

	signer_public_der(k, &der);
	pem_write(&pem, "PUBLIC KEY", der.data, der.len);
	return buf_steal(&pem);
}

void signer_sign(EVP_PKEY *k, int hash, int salt, const void *data, size_t n, struct buf *sig)
{
	const EVP_MD *md = hash == 1 ? EVP_sha1() : hash == 256 ? EVP_sha256() : hash == 384 ? EVP_sha384() : hash == 512 ? EVP_sha512() : NULL;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char out[1024];
	size_t len = sizeof(out);
	EVP_PKEY_CTX *p;

	assert_int_equal(EVP_DigestSignInit(c, &p, md, NULL, k), 1);
	if (salt >= 0) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(p, salt), 1);
	}
	assert_int_equal(EVP_DigestSign(c, out, &len, data, n), 1);
	EVP_MD_CTX_free(c);
	buf_free(sig);
	buf_add(sig, out, len);
}

void signer_sign_raw(EVP_PKEY *k, int hash, const void *data, size_t n, struct buf *sig)
{
	int half = EVP_PKEY_get_bits(k) == 256 ? 32 : 48;
	_cleanup_buf_ struct buf der = { 0 };
	unsigned char out[96];
	const unsigned char *p;
	ECDSA_SIG *s;

	signer_sign(k, hash, SIGNER_PKCS1, data, n, &der);
	p = (const unsigned char *)der.data;
	s = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
	assert_non_null(s);
	assert_true(BN_bn2binpad(ECDSA_SIG_get0_r(s), out, half) == half);
	assert_true(BN_bn2binpad(ECDSA_SIG_get0_s(s), out + half, half) == half);
	ECDSA_SIG_free(s);
	buf_free(sig);
	buf_add(sig, out, (size_t)half * 2);
}
