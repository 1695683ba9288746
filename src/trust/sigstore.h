/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all of sigstore's formats share: a signature, who made it, and what proves when. Whether a bare key or a certificate is wanted,
 * and whether a log or a timestamp must vouch, is chosen by the policy (struct sig_keys), never by what the signature brings.
 */
#pragma once

#include "trust/cert.h"
#include "trust/log.h"
#include "trust/signature.h"

enum { SIGSTORE_ENTRIES_MAX = 8, SIGSTORE_STAMPS_MAX = 8, SIGSTORE_SKEW_S = 300 /* how far ahead a clock may be */ };

struct sigstore_proof {
	struct buf sig;
	X509 *leaf; /* NULL: it brings no certificate */
	struct certs between;
	struct log_entry entries[SIGSTORE_ENTRIES_MAX];
	size_t n_entries;
	struct buf stamps[SIGSTORE_STAMPS_MAX]; /* RFC 3161 responses over the signature's bytes */
	size_t n_stamps;
};
void sigstore_proof_free(struct sigstore_proof *p);
#define _cleanup_proof_ __attribute__((cleanup(sigstore_proof_free)))

struct sigstore_content {
	const void *bytes; /* what was signed; NULL: its digest alone is known */
	size_t n;
	unsigned char digest[32];  /* SHA-256 of what was signed */
	unsigned char payload[32]; /* of DSSE: SHA-256 of the payload */
	const char *payload_type;  /* of DSSE; NULL: a plain signature */
};

/* Fills signer and time of the claim. As X_verify of signature.h. */
int sigstore_prove(const struct sig_keys *keys, const struct sigstore_proof *p, const struct sigstore_content *c,
		   struct sig_claim *out, struct error *e);

/* Pre-authentication encoding (DSSE protocol.md): what the signature of an envelope is over. */
void dsse_pae(const char *type, const void *payload, size_t n, struct buf *out);

/* An envelope with exactly one signature and a statement; the signature goes into the proof. As X_verify of signature.h. */
int dsse_verify(const json_t *d, const struct sig_blob *b, const struct sig_keys *keys, struct sigstore_proof *p,
		struct sig_claim *out, struct error *e);

/*
 * An in-toto statement (v0.1, v1) in `payload`: its subject into the claim's digest, "predicateType" and "predicate" into `more`.
 * `want`: as sig_blob.subject.
 */
#define INTOTO_PAYLOAD_TYPE "application/vnd.in-toto+json"
int intoto_claim(const void *payload, size_t n, const char *want, struct sig_claim *out, struct error *e);

/* "signature" (cosign sign), "provenance", "spdx", "cyclonedx", "vuln", "vet", "openvex"; NULL: another type. Static. */
const char *intoto_kind(const char *predicate_type);
#define SIGSTORE_BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define COSIGN_SIGN_PREDICATE "https://sigstore.dev/cosign/sign/v1"

/* The payload of a simple signing signature ("cosign container image signature"), already verified. */
int cosign_payload_claim(const void *payload, size_t n, struct sig_claim *out, struct error *e);
