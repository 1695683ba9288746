/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys and what is signed with them, through libcrypto. A key is read once and strictly, knows what it is, and can verify in
 * no other way than keys of its kind do: what a signature says of its algorithm is compared with the key, it never chooses.
 *
 * Kinds: ECDSA on P-256 and P-384 (FIPS 186-5), Ed25519 (RFC 8032), RSA of 2048 to 8192 bits with an exponent of 65537 up
 * (RFC 8017), with PKCS#1 v1.5 or PSS (salt as long as the digest). Digests: SHA-256, SHA-384, SHA-512.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <openssl/evp.h>

enum pubkey_kind { PUBKEY_P256, PUBKEY_P384, PUBKEY_ED25519, PUBKEY_RSA };

enum pubkey_scheme {
	SCHEME_ECDSA,	/* DER */
	SCHEME_ED25519, /* over the message itself; the digest is 0 */
	SCHEME_PKCS1,
	SCHEME_PSS,
};

struct pubkey {
	EVP_PKEY *evp;
	enum pubkey_kind kind;
	int bits;
	bool pss_only;		     /* its algorithm is id-RSASSA-PSS (RFC 8017 appendix A.2.3) */
	unsigned char fingerprint[32]; /* SHA-256 of the SubjectPublicKeyInfo's DER, which is a log's id too */
	char hex[65];		     /* the same to show */
};

/*
 * Reads a SubjectPublicKeyInfo (RFC 5280): PEM with one block "PUBLIC KEY", or DER. -EBADMSG: it is none, or not in its one DER
 * form; -EKEYREJECTED: a kind or size of key that brig does not take. The caller frees with pubkey_free().
 */
int pubkey_parse(const void *data, size_t n, struct pubkey **out, struct error *e);
int pubkey_parse_der(const void *der, size_t n, struct pubkey **out, struct error *e);
/* The same checks for a key that libcrypto read (of a certificate); takes its own reference. */
int pubkey_from_evp(EVP_PKEY *evp, struct pubkey **out, struct error *e);
void pubkey_free(struct pubkey **k);
#define _cleanup_pubkey_ __attribute__((cleanup(pubkey_free)))

/* For people: "ECDSA P-256", "RSA 3072". Static storage or `out`. */
const char *pubkey_kind_name(const struct pubkey *k, char out[static 32]);

/* `hash`: 256, 384, 512; 0 with Ed25519. -EKEYREJECTED: another key's kind, or the signature is not by this key over these bytes. */
int pubkey_verify(const struct pubkey *k, enum pubkey_scheme scheme, int hash, const void *data, size_t n, const void *sig,
		  size_t sig_len, struct error *e);
/*
 * As sigstore's tools do by the kind of key alone: ECDSA with SHA-256 (cosign's key pairs) or the curve's own digest (bundles), Ed25519,
 * RSA with SHA-256 and PKCS#1 v1.5 or PSS.
 */
int pubkey_verify_kind(const struct pubkey *k, const void *data, size_t n, const void *sig, size_t sig_len, struct error *e);
/* The same when only the SHA-256 is known. -EOPNOTSUPP: an Ed25519 key wants the message itself. */
int pubkey_verify_digest(const struct pubkey *k, const unsigned char digest[static 32], const void *sig, size_t sig_len,
			 struct error *e);
/* ECDSA with r and s side by side, each as long as the curve's field (RFC 7518 section 3.4, RFC 9053 section 2.1). */
int pubkey_verify_raw_ecdsa(const struct pubkey *k, int hash, const void *data, size_t n, const void *sig, size_t sig_len,
			    struct error *e);

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b);
void sha256(const void *data, size_t n, unsigned char out[static 32]);
void sha256_hex(const void *data, size_t n, char out[static 65]);
