/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making signatures as cosign and skopeo store them: a payload, signed by a key pair, as a layer of the manifest that the tag
 * sha256-HEX.sig names (cosign specs/SIGNATURE_SPEC.md). What others signed stays in that manifest. Attestations are envelopes with an
 * in-toto statement, layers of sha256-HEX.att (cosign specs/ATTESTATION_SPEC.md); they are made without a registry, kept here as pulled
 * ones are (image/signatures.h), and pushed later.
 *
 * Or as cosign 3 does: a sigstore bundle v0.3 around a statement about the digest, which signs no name, in a manifest of its own that
 * refers to the image (distribution-spec 1.1, referrers; sign_bundle.c).
 */
#pragma once

#include "base/conf.h"
#include "image/registry.h"
#include "trust/privkey.h"

#define COSIGN_LAYER "application/vnd.dev.cosign.simplesigning.v1+json"
#define DSSE_LAYER "application/vnd.dsse.envelope.v1+json"

enum { SIGNATURES_IN_ONE = 100 };

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

/* The statement (in-toto, JSON) in a signed envelope (DSSE), for the caller to free. */
int sign_envelope(const struct privkey *k, const char *statement, struct buf *out, struct error *e);

/*
 * As sign_manifest(), of attestations: those of `old`, then `envelope` (NULL: none), which states a `predicate_type`. Where there would be
 * more than 100, the oldest that say they are of the type VET_PREDICATE go first; -E2BIG when there are none. -ENODATA: none at all.
 */
int attest_manifest(const struct sign_document *old, size_t n_old, const struct buf *envelope, const char *predicate_type,
		    struct buf *config, struct buf *manifest, struct error *e);

/* Keeps an envelope about the manifest `hex`, as if it had been pulled. */
int attest_keep(const char *hex, const struct buf *envelope, const char *predicate_type, struct error *e);

/* The empty JSON object that manifests without a configuration have for one (image-spec manifest.md). */
#define SIGN_EMPTY "{}"

/* What is signed: a manifest or an index. */
struct sign_subject {
	char hex[DIGEST_SIZE], media_type[FETCH_MEDIA_TYPE];
	uint64_t size;
};

/* The statement that the manifest is signed. The caller frees. */
char *sign_statement(const char *hex);
/* A bundle around a statement. The caller frees. */
int sign_bundle(const struct privkey *k, const char *statement, char **bundle, struct error *e);
/* The manifest that refers to the subject. The caller frees. */
void sign_referrer(const char *bundle, const char *predicate_type, const struct sign_subject *subject, int64_t now, char **manifest);

/* Of an image that came by an index of platforms: the manifest that is here, the index, or the index and every image in it. */
enum sign_what { SIGN_MANIFEST, SIGN_INDEX, SIGN_ALL };

enum { SIGN_SUBJECTS_MAX = 256, SIGN_PLATFORM_MAX = 100 };
struct sign_subjects {
	char platform[SIGN_PLATFORM_MAX]; /* of the image that is here; empty: not said */
	size_t n;
	struct sign_subject list[SIGN_SUBJECTS_MAX];
};
/*
 * The index `top` in the folder `blobs`, and with `all` the images in it, read in a room (sign_index.c). -EBADMSG: it is not what its name
 * says, or has not the manifest.
 */
int sign_index(int blobs, const char *top, const char *manifest, bool all, bool accept_no_landlock, struct sign_subjects *out,
	       struct error *e);

struct sign_request {
	const char *image;	     /* local */
	const struct reference *to;  /* where it was pushed to */
	const struct privkey *key;   /* of image_sign() */
	const struct conf *conf;
	struct registry_report report;
	int64_t now;		     /* seconds since the epoch */
	enum sign_what what;
	bool bundle;		     /* a bundle that refers to it, not the tag */
};

/*
 * Signs what the local image is, sends the signatures beside it and keeps those of the image that is here. `digests` grows by what was
 * signed, in hex, also when a later one fails. -ENOENT with SIGN_INDEX, SIGN_ALL: the image came by no index.
 */
int image_sign(const struct sign_request *q, char ***digests, struct error *e);

/*
 * Sends what is kept here of attestations about the local image to the registry, behind those that it has. `n`: how many there are now.
 * -ENODATA: none is kept here.
 */
int image_push_attestations(const struct sign_request *q, size_t *n, struct error *e);
