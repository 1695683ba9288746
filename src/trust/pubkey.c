/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/pubkey.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

enum { RSA_MIN = 2048, RSA_MAX = 8192, KEY_MAX = 4096 /* bytes of DER */ };

void sha256(const void *data, size_t n, unsigned char out[static 32])
{
	if (EVP_Digest(data, n, out, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* no memory, or a libcrypto without SHA-256 */
}

void sha256_hex(const void *data, size_t n, char out[static 65])
{
	unsigned char sum[32];

	sha256(data, n, sum);
	hex_encode(sum, sizeof(sum), out);
}

void pubkey_free(struct pubkey **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->evp);
	free(*k);
	*k = NULL;
}

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->fingerprint, b->fingerprint, sizeof(a->fingerprint)) == 0;
}

const char *pubkey_kind_name(const struct pubkey *k, char out[static 32])
{
	switch (k->kind) {
	case PUBKEY_P256:
		return "ECDSA P-256";
	case PUBKEY_P384:
		return "ECDSA P-384";
	case PUBKEY_ED25519:
		return "Ed25519";
	case PUBKEY_RSA:
		break;
	}
	snprintf(out, 32, "RSA%s %d", k->pss_only ? "-PSS" : "", k->bits);
	return out;
}

static int look_ec(struct pubkey *k, struct error *e)
{
	char group[32] = "", form[32] = "";

	EVP_PKEY_get_utf8_string_param(k->evp, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL);
	EVP_PKEY_get_utf8_string_param(k->evp, OSSL_PKEY_PARAM_EC_ENCODING, form, sizeof(form), NULL);
	if (streq(group, "prime256v1") && streq(form, "named_curve"))
		k->kind = PUBKEY_P256;
	else if (streq(group, "secp384r1") && streq(form, "named_curve"))
		k->kind = PUBKEY_P384;
	else
		return error_set(e, EKEYREJECTED, "an ECDSA key on the curve \"%s\"; P-256 and P-384 are taken", group);
	return 0;
}

static int look_rsa(struct pubkey *k, struct error *e)
{
	BIGNUM *exponent = NULL;
	bool good;

	k->kind = PUBKEY_RSA;
	k->pss_only = EVP_PKEY_get_base_id(k->evp) == EVP_PKEY_RSA_PSS;
	if (k->bits < RSA_MIN || k->bits > RSA_MAX)
		return error_set(e, EKEYREJECTED, "an RSA key of %d bits; %d to %d are taken", k->bits, RSA_MIN, RSA_MAX);
	EVP_PKEY_get_bn_param(k->evp, OSSL_PKEY_PARAM_RSA_E, &exponent);
	good = exponent && BN_is_odd(exponent) && BN_num_bits(exponent) >= 17 && BN_num_bits(exponent) <= 64;
	BN_free(exponent);
	return good ? 0 : error_set(e, EKEYREJECTED, "an RSA key whose exponent is not odd, below 65537 or beyond 64 bits");
}

int pubkey_from_evp(EVP_PKEY *evp, struct pubkey **out, struct error *e)
{
	_cleanup_pubkey_ struct pubkey *k = xcalloc(1, sizeof(*k));
	unsigned char *der = NULL;
	EVP_PKEY_CTX *ctx;
	int r, n, sound;

	EVP_PKEY_up_ref(evp);
	k->evp = evp;
	k->bits = EVP_PKEY_get_bits(evp);
	switch (EVP_PKEY_get_base_id(evp)) {
	case EVP_PKEY_EC:
		r = look_ec(k, e);
		break;
	case EVP_PKEY_ED25519:
		k->kind = PUBKEY_ED25519;
		r = 0;
		break;
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		r = look_rsa(k, e);
		break;
	default:
		r = error_set(e, EKEYREJECTED, "a kind of key that is not taken; ECDSA P-256 and P-384, Ed25519 and RSA are");
	}
	if (r < 0)
		return r;
	ctx = EVP_PKEY_CTX_new(evp, NULL);
	sound = ctx ? EVP_PKEY_public_check_quick(ctx) : 0;
	EVP_PKEY_CTX_free(ctx);
	if (sound != 1)
		return error_set(e, EKEYREJECTED, "the key's numbers are no key of its kind");
	n = i2d_PUBKEY(evp, &der);
	if (n <= 0)
		return error_set(e, EBADMSG, "the key cannot be written");
	sha256(der, (size_t)n, k->fingerprint);
	hex_encode(k->fingerprint, sizeof(k->fingerprint), k->hex);
	OPENSSL_free(der);
	*out = steal_ptr(&k);
	return 0;
}

int pubkey_parse_der(const void *data, size_t n, struct pubkey **out, struct error *e)
{
	const unsigned char *p = data;
	unsigned char *again = NULL;
	EVP_PKEY *evp;
	bool same;
	int len, r;

	if (n == 0 || n > KEY_MAX)
		return error_set(e, EBADMSG, "not a public key");
	evp = d2i_PUBKEY(NULL, &p, (long)n);
	if (!evp)
		return error_set(e, EBADMSG, "not a public key (SubjectPublicKeyInfo)");
	len = i2d_PUBKEY(evp, &again);
	same = len > 0 && (size_t)len == n && memcmp(again, data, n) == 0;
	OPENSSL_free(again);
	r = same ? pubkey_from_evp(evp, out, e) : error_set(e, EBADMSG, "the public key is not in DER's one form");
	EVP_PKEY_free(evp);
	return r;
}

int pubkey_parse(const void *data, size_t n, struct pubkey **out, struct error *e)
{
	_cleanup_buf_ struct buf der = { 0 }, more = { 0 };
	const char *text = data, *end = text + n;
	char label[PEM_LABEL_MAX];
	int r;

	if (n > 0 && text[0] == 0x30) /* a DER SEQUENCE; PEM begins with a dash or blanks */
		return pubkey_parse_der(data, n, out, e);
	r = pem_next(&text, end, label, &der, e);
	if (r == 0)
		return error_set(e, EBADMSG, "not a public key: nothing there");
	if (r < 0)
		return r;
	if (strstr(label, "PRIVATE KEY")) {
		error_set(e, EBADMSG, "a private key where a public one is wanted");
		error_hint(e, "openssl pkey -in KEY -pubout writes the public key");
		return -EBADMSG;
	}
	if (!streq(label, "PUBLIC KEY"))
		return error_set(e, EBADMSG, "PEM of a \"%s\" where a \"PUBLIC KEY\" is wanted", label);
	r = pem_next(&text, end, label, &more, e);
	if (r != 0)
		return r < 0 ? r : error_set(e, EBADMSG, "more than one key in a file for one");
	return pubkey_parse_der(der.data, der.len, out, e);
}

static const EVP_MD *digest_of(int hash)
{
	return hash == 256 ? EVP_sha256() : hash == 384 ? EVP_sha384() : hash == 512 ? EVP_sha512() : NULL;
}

static bool scheme_fits(const struct pubkey *k, enum pubkey_scheme scheme, int hash)
{
	switch (k->kind) {
	case PUBKEY_P256:
	case PUBKEY_P384:
		return scheme == SCHEME_ECDSA && digest_of(hash);
	case PUBKEY_ED25519:
		return scheme == SCHEME_ED25519 && hash == 0;
	case PUBKEY_RSA:
		return (scheme == SCHEME_PSS || (scheme == SCHEME_PKCS1 && !k->pss_only)) && digest_of(hash);
	}
	return false;
}

/* DER has one form for a pair of numbers; libcrypto refuses the others when it verifies, here it is not left to it. */
static bool strict_ecdsa(const void *sig, size_t n)
{
	const unsigned char *p = sig;
	unsigned char *again = NULL;
	ECDSA_SIG *s = n <= 256 ? d2i_ECDSA_SIG(NULL, &p, (long)n) : NULL;
	int len = s ? i2d_ECDSA_SIG(s, &again) : 0;
	bool same = len > 0 && (size_t)len == n && memcmp(again, sig, n) == 0;

	OPENSSL_free(again);
	ECDSA_SIG_free(s);
	return same;
}

int pubkey_verify(const struct pubkey *k, enum pubkey_scheme scheme, int hash, const void *data, size_t n, const void *sig,
		  size_t sig_len, struct error *e)
{
	EVP_PKEY_CTX *p = NULL;
	EVP_MD_CTX *c;
	char name[32];
	bool good;

	if (!scheme_fits(k, scheme, hash))
		return error_set(e, EKEYREJECTED, "the signature is of another kind than the key (%s)", pubkey_kind_name(k, name));
	if (scheme == SCHEME_ECDSA && !strict_ecdsa(sig, sig_len))
		return error_set(e, EKEYREJECTED, "the signature is no ECDSA signature in DER");
	c = EVP_MD_CTX_new();
	good = c && EVP_DigestVerifyInit(c, &p, digest_of(hash), NULL, k->evp) == 1;
	if (good && scheme == SCHEME_PKCS1)
		good = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PADDING) == 1;
	if (good && scheme == SCHEME_PSS)
		good = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(p, digest_of(hash)) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(c, sig, sig_len, data, n) == 1;
	EVP_MD_CTX_free(c);
	return good ? 0 : error_set(e, EKEYREJECTED, "the signature was not made by this key over these bytes");
}

int pubkey_verify_kind(const struct pubkey *k, const void *data, size_t n, const void *sig, size_t sig_len, struct error *e)
{
	int r;

	switch (k->kind) {
	case PUBKEY_P256:
		return pubkey_verify(k, SCHEME_ECDSA, 256, data, n, sig, sig_len, e);
	case PUBKEY_P384:
		r = pubkey_verify(k, SCHEME_ECDSA, 256, data, n, sig, sig_len, NULL);
		return r == 0 ? 0 : pubkey_verify(k, SCHEME_ECDSA, 384, data, n, sig, sig_len, e);
	case PUBKEY_ED25519:
		return pubkey_verify(k, SCHEME_ED25519, 0, data, n, sig, sig_len, e);
	case PUBKEY_RSA:
		r = pubkey_verify(k, SCHEME_PKCS1, 256, data, n, sig, sig_len, NULL);
		return r == 0 ? 0 : pubkey_verify(k, SCHEME_PSS, 256, data, n, sig, sig_len, e);
	}
	return error_set(e, EKEYREJECTED, "a kind of key that is not taken");
}

int pubkey_verify_raw_ecdsa(const struct pubkey *k, int hash, const void *data, size_t n, const void *sig, size_t sig_len,
			    struct error *e)
{
	int half = k->kind == PUBKEY_P256 ? 32 : k->kind == PUBKEY_P384 ? 48 : 0, len, r;
	unsigned char *der = NULL;
	ECDSA_SIG *s;

	if (half == 0 || sig_len != (size_t)half * 2)
		return error_set(e, EKEYREJECTED, "the signature is not as long as the key's curve makes it");
	s = ECDSA_SIG_new();
	if (!s || ECDSA_SIG_set0(s, BN_bin2bn(sig, half, NULL), BN_bin2bn((const unsigned char *)sig + half, half, NULL)) != 1)
		abort();
	len = i2d_ECDSA_SIG(s, &der);
	ECDSA_SIG_free(s);
	r = len <= 0 ? error_set(e, EKEYREJECTED, "the signature cannot be read") :
		       pubkey_verify(k, SCHEME_ECDSA, hash, data, n, der, (size_t)len, e);
	OPENSSL_free(der);
	return r;
}

static bool digest_fits(const struct pubkey *k, bool pss, const unsigned char digest[static 32], const void *sig, size_t sig_len)
{
	EVP_PKEY_CTX *p = EVP_PKEY_CTX_new(k->evp, NULL);
	bool good = p && EVP_PKEY_verify_init(p) == 1;

	if (good && k->kind == PUBKEY_RSA)
		good = EVP_PKEY_CTX_set_rsa_padding(p, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
	good = good && EVP_PKEY_CTX_set_signature_md(p, EVP_sha256()) == 1;
	if (good && pss)
		good = EVP_PKEY_CTX_set_rsa_mgf1_md(p, EVP_sha256()) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_PKEY_verify(p, sig, sig_len, digest, 32) == 1;
	EVP_PKEY_CTX_free(p);
	return good;
}

int pubkey_verify_digest(const struct pubkey *k, const unsigned char digest[static 32], const void *sig, size_t sig_len,
			 struct error *e)
{
	bool good = false;

	switch (k->kind) {
	case PUBKEY_ED25519:
		return error_set(e, EOPNOTSUPP, "a signature of an Ed25519 key cannot be verified by the digest of its content");
	case PUBKEY_P256:
	case PUBKEY_P384:
		good = strict_ecdsa(sig, sig_len) && digest_fits(k, false, digest, sig, sig_len);
		break;
	case PUBKEY_RSA:
		good = (!k->pss_only && digest_fits(k, false, digest, sig, sig_len)) || digest_fits(k, true, digest, sig, sig_len);
		break;
	}
	return good ? 0 : error_set(e, EKEYREJECTED, "the signature was not made by this key over these bytes");
}
