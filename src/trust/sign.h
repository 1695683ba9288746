/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making signatures as cosign and skopeo store them: a payload, signed by a key pair, as a layer of the manifest that the tag
 * sha256-HEX.sig names (cosign specs/SIGNATURE_SPEC.md). What others signed stays in that manifest.
 */
#pragma once

#include "base/conf.h"
#include "image/registry.h"
#include "trust/privkey.h"

#define COSIGN_LAYER "application/vnd.dev.cosign.simplesigning.v1+json"

/* The payload about the manifest `hex` under `reference` (HOST/PATH:TAG, or HOST/PATH) at `now`. The caller frees. */
char *sign_payload(const char *reference, const char *hex, int64_t now);

/* A document of the registry's, by its text. */
struct sign_document {
	char *text;
	size_t n;
};

/*
 * The configuration and the manifest with the new signature as the last layer behind those of `old`, of which each that is not such a
 * manifest is passed over. -E2BIG: more than 100 signatures.
 */
int sign_manifest(const struct sign_document *old, size_t n_old, const char *payload, const struct buf *sig, struct buf *config,
		  struct buf *manifest, struct error *e);

struct sign_request {
	const char *image;	     /* local */
	const struct reference *to;  /* where it was pushed to */
	const struct privkey *key;
	const struct conf *conf;
	struct registry_report report;
	int64_t now;		     /* seconds since the epoch */
};

/* Signs what the local image is, sends the signature beside it and keeps it here. The manifest's digest into `digest`. */
int image_sign(const struct sign_request *q, char digest[static DIGEST_SIZE], struct error *e);
