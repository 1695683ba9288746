/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys that sign images: PEM with one block, of PKCS#8 ("PRIVATE KEY"), of PKCS#8 with a passphrase ("ENCRYPTED PRIVATE KEY",
 * RFC 5958), or as cosign and skopeo write them ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY": JSON with scrypt and
 * NaCl's secretbox, sigstore/sigstore pkg/cryptoutils and theupdateframework/go-tuf encrypted). Only the person's side has them.
 */
#pragma once

#include "trust/pubkey.h"

enum { PRIVKEY_FILE_MAX = 64 * 1024 };

struct privkey {
	EVP_PKEY *evp;
	struct pubkey *pub;
};
void privkey_free(struct privkey *k);
#define _cleanup_privkey_ __attribute__((cleanup(privkey_free)))

/* Gives the passphrase; a string that is wiped and freed. Called only when one is needed. */
typedef int (*privkey_ask)(void *arg, char **passphrase, struct error *e);

/* -EKEYREJECTED: a wrong passphrase, or a kind of key that brig does not sign with. */
int privkey_parse(const void *pem, size_t n, privkey_ask ask, void *arg, struct privkey *out, struct error *e);

/* As pubkey_verify_kind() reads it: ECDSA with SHA-256, Ed25519, RSA with SHA-256 and PKCS#1 v1.5 (an RSA-PSS key: PSS). */
int privkey_sign(const struct privkey *k, const void *data, size_t n, struct buf *sig, struct error *e);

/*
 * A new ECDSA P-256 key. `sealed` gets the private key in PEM as cosign and skopeo write it, encrypted with the passphrase (which may be
 * empty, as with them), `pub` the public one.
 */
int privkey_make(const char *passphrase, struct buf *sealed, struct buf *pub, struct error *e);
