/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signature is to brig, whatever its format: bytes and keys go in, a claim comes out. A verifier is a pure function over
 * bytes: no file, no network, no clock, no environment. It runs in a confined process (trust/ask.h) and reads untrusted input: the
 * blob and its annotations come from a registry; the keys come from a policy file that a person wrote.
 *
 *	int X_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);
 *
 * 0: one of the keys made this signature, and `out` says over what. It does NOT say that the image is the right one: trust/decide.c
 * compares digest and identity. Errors: -EBADMSG the bytes are not what the format says (truncated, duplicate keys, unknown
 * members, a digest that is too weak); -EKEYREJECTED they are, but none of the keys made them; -EKEYEXPIRED, -EKEYREVOKED one did,
 * and is not good any more; -EOPNOTSUPP a kind or algorithm that brig does not verify. On failure `out` is left empty.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>

/* What `brig vet --attest` states; its predicate is described in vet/attest.h. */
#define VET_PREDICATE "https://brig.dev/attestation/vet/v1"

enum { SIG_BLOB_MAX = 4 * 1024 * 1024, SIG_DIGEST_SIZE = 65 };

struct sig_blob {
	enum sig_kind {
		SIG_GPG_SIMPLE,	     /* one OpenPGP signed message; containers-signature(5) */
		SIG_COSIGN_SIMPLE,   /* payload of a layer of sha256-HEX.sig; the signature stands in `annotations` */
		SIG_COSIGN_ATTESTATION, /* DSSE envelope, layer of sha256-HEX.att; certificate and log entry stand in `annotations` */
		SIG_SIGSTORE_BUNDLE, /* sigstore bundle v0.1 to v0.3, signature or attestation */
		SIG_NOTATION_JWS,
		SIG_NOTATION_COSE,
	} kind;
	const void *data;
	size_t size;	     /* bytes; at most SIG_BLOB_MAX */
	json_t *annotations; /* of its layer's descriptor, over those of its manifest; an object or NULL. Borrowed */
	const char *subject; /* hex: of an attestation of several things the claim names this one if it is among them; NULL: the first */
};

/* A piece of a policy. `what` names where it stands ("/etc/keys/a.pub", "keyData") in messages. */
struct sig_bytes {
	const void *data;
	size_t size;
	const char *what;
};

/*
 * What may vouch. Which kind of proof is wanted is chosen here, by the person, never by the signature: with `keys`, certificates in
 * the signature count for nothing; with `roots`, a bare key counts for nothing.
 */
struct sig_keys {
	/* Public keys: PEM (SPKI) for cosign, notation has none; for GPG a keyring (binary or armored). Any one of them will do. */
	const struct sig_bytes *keys;
	size_t n_keys;

	/* Certificates, PEM, one or more in each: fulcio.caData, pki.caRoots*, the trust store of notation. */
	const struct sig_bytes *roots, *intermediates, *timestamp_roots;
	size_t n_roots, n_intermediates, n_timestamp_roots;
	bool fulcio;		  /* the roots are Fulcio's: the time is that of the log entry, issuer and email are required */
	const char *oidc_issuer;  /* fulcio; exact */
	const char *email;	  /* fulcio.subjectEmail, pki.subjectEmail; exact. NULL: not asked for */
	const char *hostname;	  /* pki.subjectHostname: dNSName; NULL: not asked for */
	const char *uri;	  /* SAN URI, exact (brig's trust.json); NULL: not asked for */
	char *const *subjects;	  /* notation: "x509.subject:C=US,..." one must fit; NULL: any of the roots' */

	/* Public keys of transparency logs, PEM. With them an entry is required; without them one is not looked at. */
	const struct sig_bytes *rekor;
	size_t n_rekor;

	/* Public keys of certificate transparency logs, PEM. With them (and `fulcio`) a promise of one is required (RFC 6962). */
	const struct sig_bytes *ctlogs;
	size_t n_ctlogs;

	bool signing_authority; /* notation: the roots are of signing authorities, whose word on the time counts */

	int64_t now; /* seconds since the epoch: expiry is judged at this time */
};

struct sig_claim {
	char digest[SIG_DIGEST_SIZE]; /* hex SHA-256 of the manifest or index that was signed */
	char *identity;		      /* the docker-reference that was signed; NULL: the format has none */
	int64_t time;		      /* seconds since the epoch when it was made, as far as proven or signed; 0: unknown */
	char *signer;		      /* fingerprint of the key ("sha256:HEX" of the SPKI; of GPG the primary key's, upper-case hex), or
					       * "IDENTITY (ISSUER)" of a certificate: what counts as one signer for a threshold */
	json_t *more;		      /* NULL or an object: "predicateType", "predicate" of an attestation; "optional" of a simple signing
					       * payload; whatever else was signed and may be shown. "expires": seconds since the epoch at which the
					       * signature stops counting, because it says so or because its certificate ends; absent: never */
};

static inline void sig_claim_free(struct sig_claim *c)
{
	free(c->identity);
	free(c->signer);
	json_decref(c->more);
	*c = (struct sig_claim){ .digest = "" };
}
#define _cleanup_claim_ __attribute__((cleanup(sig_claim_free)))

/* SIG_GPG_SIMPLE is no pure function: trust/gpg.h. */
/* trust/cosign*.c */
int cosign_simple_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);
int cosign_attestation_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);
int sigstore_bundle_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);
/* trust/notation*.c */
int notation_jws_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);
int notation_cose_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);
