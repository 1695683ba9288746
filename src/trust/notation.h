/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of the Notary Project (signature-specification.md 1.1): one content, two envelopes. The readers of JWS and COSE fill a
 * struct notation_envelope; what it means is judged in one place. There are no levels: whatever the trust policy of notation calls
 * "strict" is what happens, but for revocation, which would need the network.
 */
#pragma once

#include "trust/cert.h"
#include "trust/signature.h"

#define NOTARY "io.cncf.notary."
#define NOTATION_PAYLOAD_TYPE "application/vnd.cncf.notary.payload.v1+json"

enum { NOTATION_CRITICAL_MAX = 16 };

struct notation_envelope {
	enum pubkey_scheme scheme; /* of the signature; with ECDSA r and s side by side */
	int hash;
	struct buf input;	 /* what the signature is over */
	struct buf payload, sig; /* decoded */
	struct buf stamp;	 /* RFC 3161 token over the signature; empty: none */
	struct certs chain;	 /* leaf first, root last */
	char *signing_scheme, *content_type;
	int64_t signing_time, authentic_time, expiry; /* seconds since the epoch; 0: not there */
	char **critical;	 /* names, as they stand there */
	bool plugin;		 /* asks for a plugin to verify it */
};
void notation_envelope_free(struct notation_envelope *v);
#define _cleanup_envelope_ __attribute__((cleanup(notation_envelope_free)))

int notation_judge(const struct notation_envelope *v, const struct sig_keys *keys, struct sig_claim *out, struct error *e);

/* "x509.subject:C=US, O=Brig": has the subject these values, each exactly once? -EINVAL: it cannot be read. 1, 0. */
int notation_subject_is(X509 *cert, const char *want, struct error *e);
/* RFC 3339 as JSON has it, without fractions of a second. */
int notation_time(const char *text, int64_t *out);
