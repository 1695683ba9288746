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
