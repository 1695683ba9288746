/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that refer to an image in a registry (distribution-spec 1.1, "Pushing Manifests with Subject"; image-spec, "Guidelines for Artifact
 * Usage"): an artifact of one layer, as oras attach and others make it. Nothing about them is signed.
 */
#pragma once

#include "image/registry.h"

struct refer_request {
	const char *image;	    /* local; it was pushed there before */
	const struct reference *to;
	const char *artifact_type;  /* of the artifact and of its layer */
	const char *title;	    /* what the file would be called; NULL */
	const void *data;
	size_t n;
	int64_t now;		    /* seconds since the epoch */
	const struct conf *conf;
	struct registry_report report;
};

/* The digest of the artifact's manifest into `digest`. */
int image_refer(const struct refer_request *q, char digest[static DIGEST_SIZE], struct error *e);

/*
 * The newest document of one of these types that refers to the image `ref` in its registry: an artifact, or a layer of cosign's tag
 * sha256-HEX.sbom. It was hashed, and is not looked at. `out`: the caller frees. -ENOENT: there is none.
 */
struct refer_wanted {
	const struct reference *ref;
	const char *platform;	  /* NULL: this machine's */
	const char *const *types; /* NULL ends them */
	const struct conf *conf;
};
int image_referring(const struct refer_wanted *w, struct buf *out, struct error *e);
