/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes of notation, right or as a test wants them. */
#pragma once

#include "signer.h"

#include <jansson.h>

struct signer_envelope {
	EVP_PKEY *key;
	X509 *chain[4];	      /* as they shall stand there; NULL ends */
	const char *alg;      /* "ES256"..; COSE: the same names */
	const char *payload;
	json_t *headers;      /* protected ones beside alg; "crit" is a list; times are text for JWS, numbers for COSE. Taken */
	const struct buf *stamp; /* NULL: none */
	bool unprotected_alg; /* COSE: the algorithm stands where nothing protects it */
};
/* {"targetArtifact":...} of this digest. */
char *signer_artifact(const char *hex);
/* crit, cty, signingScheme notary.x509, signingTime; `cose`: the time as a number. */
json_t *signer_headers(bool cose, int64_t when);
void signer_jws(const struct signer_envelope *v, struct buf *out);
void signer_cose(const struct signer_envelope *v, struct buf *out);
