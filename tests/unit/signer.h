/* SPDX-License-Identifier: Apache-2.0 */
/* What tests sign with: keys made on the spot, and whatever a signature's maker may do, rightly or wrongly. All of it asserts. */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

static inline void cleanup_evp(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
#define _cleanup_evp_ __attribute__((cleanup(cleanup_evp)))

/* "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "RSA" (2048 bits; the same key within a program), "RSA1024". */
EVP_PKEY *signer_key(const char *kind);
/* SubjectPublicKeyInfo. */
void signer_public_der(EVP_PKEY *k, struct buf *out);
char *signer_public_pem(EVP_PKEY *k);
/* `hash` 1 (SHA-1), 256, 384, 512; 0 for Ed25519. RSA: PKCS#1 v1.5, or PSS with `salt` >= 0 bytes, -1 none. ECDSA in DER. */
enum { SIGNER_PKCS1 = -1 };
void signer_sign(EVP_PKEY *k, int hash, int salt, const void *data, size_t n, struct buf *sig);
/* The same for ECDSA as r and s side by side. */
void signer_sign_raw(EVP_PKEY *k, int hash, const void *data, size_t n, struct buf *sig);

/* ---- certificates (signer_world.c) ---- */
struct signer_cert {
	const char *name;	      /* CN */
	EVP_PKEY *key;
	X509 *issuer;		      /* NULL: signs itself */
	EVP_PKEY *issuer_key;
	int64_t from, to;	      /* seconds since the epoch; both 0: 2020 to 2040 */
	bool ca, sha1;
	const char *usage;	      /* as in x509v3_config(5); NULL: what fits */
	const char *purpose;	      /* extended key usage; NULL: none */
	const char *san;
	const char *fulcio_issuer, *fulcio_issuer_old;
};
X509 *signer_cert(const struct signer_cert *c);
char *signer_cert_pem(X509 *c);
char *signer_cert_b64(X509 *c);
/* Puts the promise of a certificate log into a certificate, which is signed anew. */
void signer_add_sct(X509 *c, EVP_PKEY *issuer_key, X509 *issuer, EVP_PKEY *log);
/* An RFC 3161 response, or its token alone. `with`: carry the maker's certificate. */
void signer_stamp(EVP_PKEY *k, X509 *cert, bool with, bool token, int64_t when, int hash, const void *data, size_t n, struct buf *out);

/* ---- transparency logs ---- */
/* The root of `size` leaves, of which number `at` is `body`, and the path to it (up to 64 hashes). */
size_t signer_tree(const char *body, uint64_t at, uint64_t size, unsigned char root[32], unsigned char path[64][32]);
char *signer_checkpoint(EVP_PKEY *log, uint64_t size, const unsigned char root[32]);
/* Base64 of the promise. */
char *signer_promise(EVP_PKEY *log, const char *body, int64_t when, int64_t index);
/* hashedrekord 0.0.1, and dsse 0.0.1 (`envelope`), of a signer in PEM. */
char *signer_log_body(bool envelope, const char *sum, const struct buf *sig, const char *pem);
/* An entry of a bundle. */
#include <jansson.h>
json_t *signer_log_entry(EVP_PKEY *log, const char *body, int64_t when);
