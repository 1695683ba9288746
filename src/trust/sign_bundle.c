/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as cosign makes them since its version 3: a statement in a DSSE envelope in a sigstore bundle, which refers to the image. */
#include "trust/sign.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "image/oci.h"
#include "trust/encode.h"
#include "trust/sigstore.h"

#include <string.h>

#define STATEMENT_V1 "https://in-toto.io/Statement/v1"
#define OCI_EMPTY "application/vnd.oci.empty.v1+json"

static json_t *descriptor(const char *type, const char *hex, uint64_t size)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);

	return json_pack("{s:s,s:s,s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)size);
}

static json_t *descriptor_of(const char *type, const char *text)
{
	char hex[65];

	sha256_hex(text, strlen(text), hex);
	return descriptor(type, hex, strlen(text));
}

char *sign_statement(const char *hex)
{
	_cleanup_json_ json_t *j = json_pack("{s:s,s:[{s:{s:s}}],s:s,s:{}}", "_type", STATEMENT_V1, "subject", "digest", "sha256", hex,
					     "predicateType", COSIGN_SIGN_PREDICATE, "predicate");

	return json_text(j);
}

int sign_bundle(const struct privkey *k, const char *statement, char **bundle, struct error *e)
{
	_cleanup_buf_ struct buf envelope = { 0 };
	_cleanup_free_ char *hint = base64_encode(k->pub->fingerprint, sizeof(k->pub->fingerprint));
	_cleanup_json_ json_t *j = NULL;
	int r = sign_envelope(k, statement, &envelope, e);

	if (r < 0)
		return r;
	j = json_pack("{s:s,s:{s:{s:s}},s:o}", "mediaType", SIGSTORE_BUNDLE, "verificationMaterial", "publicKey", "hint", hint, "dsseEnvelope",
		      json_parse(envelope.data, envelope.len, "envelope", NULL));
	*bundle = json_text(j);
	return 0;
}

void sign_referrer(const char *bundle, const char *predicate_type, const struct sign_subject *subject, int64_t now, char **manifest)
{
	char when[40];
	_cleanup_json_ json_t *j = NULL;
	json_t *notes;

	clock_format((uint64_t)now * 1000000000, when);
	notes = json_pack("{s:s,s:s,s:s}", "dev.sigstore.bundle.content", "dsse-envelope", "dev.sigstore.bundle.predicateType",
			  predicate_type, "org.opencontainers.image.created", when);
	j = json_pack("{s:i,s:s,s:s,s:o,s:[o],s:o,s:o}", "schemaVersion", 2, "mediaType", OCI_MANIFEST, "artifactType", SIGSTORE_BUNDLE,
		      "config", descriptor_of(OCI_EMPTY, SIGN_EMPTY), "layers", descriptor_of(SIGSTORE_BUNDLE, bundle), "subject",
		      descriptor(subject->media_type, subject->hex, subject->size), "annotations", notes);
	*manifest = json_text(j);
}
