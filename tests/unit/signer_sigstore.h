/* SPDX-License-Identifier: Apache-2.0 */
/* A small sigstore: an authority, a certificate of a person, a log, a maker of timestamps; and what it makes. */
#pragma once

#include "signer.h"
#include "trust/signature.h"

enum { SIGNED_AT = 1700000000 };
#define IMAGE_HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER_HEX "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PERSON "dev@team.test"
#define ISSUER "https://login.test"

struct sigstore {
	EVP_PKEY *root_key, *mid_key, *leaf_key, *log, *tsa_key, *pair, *ct;
	X509 *root, *mid, *leaf, *tsa;
	char *root_pem, *mid_pem, *leaf_pem, *log_pem, *tsa_pem, *pair_pem, *ct_pem;
	struct sig_bytes roots, logs, tsas, pairs, cts;
};
void sigstore_open(struct sigstore *s);
void sigstore_close(struct sigstore *s);
#define _cleanup_sigstore_ __attribute__((cleanup(sigstore_close)))
/* The policies: a key pair; a person of the authority whose signature a log recorded. */
struct sig_keys sigstore_pair(struct sigstore *s);
struct sig_keys sigstore_keyless(struct sigstore *s);

char *sigstore_payload(const char *hex, const char *name);
/* Annotations of the payload's signature: by the key pair, or keyless with certificate, chain and log entry. */
json_t *sigstore_annotations(struct sigstore *s, const char *payload, bool keyless);
/* A statement about IMAGE_HEX in an envelope, as a bundle v0.3. */
char *sigstore_statement(const char *predicate_type);
json_t *sigstore_bundle(struct sigstore *s, const char *statement, bool keyless);
/* A signature of a manifest whose digest is that of the text, as a bundle. */
json_t *sigstore_message_bundle(struct sigstore *s, const char *manifest, bool keyless);
