/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simple signing as cosign stores it under the tag sha256-HEX.sig (cosign specs/SIGNATURE_SPEC.md; containers-signature(5) for the
 * payload): the payload is a layer, the rest stands in its annotations.
 */
#include "trust/sigstore.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <string.h>

#define PREFIX_COSIGN "dev.cosignproject.cosign/"
#define PREFIX_SIGSTORE "dev.sigstore.cosign/"

enum { ANNOTATION_MAX = 1024 * 1024 };

static int annotation(const struct sig_blob *b, const char *name, const char **out, struct error *e)
{
	int r = json_get_str(b->annotations, "annotations", name, out, e);

	if (r == 0 && *out && strlen(*out) > ANNOTATION_MAX)
		r = error_set(e, EBADMSG, "annotations.%s: too long", name);
	return r;
}

static int read_certificate(const struct sig_blob *b, struct sigstore_proof *p, struct error *e)
{
	_cleanup_certs_ struct certs one = { 0 };
	const char *cert = NULL, *chain = NULL;
	int r = annotation(b, PREFIX_SIGSTORE "certificate", &cert, e);

	if (r == 0)
		r = annotation(b, PREFIX_SIGSTORE "chain", &chain, e);
	if (r < 0 || !cert)
		return r;
	r = certs_parse_pem(&one, cert, strlen(cert), PREFIX_SIGSTORE "certificate", e);
	if (r == 0 && certs_len(&one) != 1)
		r = error_set(e, EBADMSG, PREFIX_SIGSTORE "certificate: more than one");
	if (r == 0 && chain && *chain)
		r = certs_parse_pem(&p->between, chain, strlen(chain), PREFIX_SIGSTORE "chain", e);
	if (r == 0) {
		p->leaf = certs_at(&one, 0);
		X509_up_ref(p->leaf);
	}
	return r;
}

/* {"SignedRFC3161Timestamp":"BASE64"} */
static int read_stamp(const char *text, struct buf *out, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text, strlen(text), PREFIX_SIGSTORE "rfc3161timestamp", e);
	const char *s = j ? json_string_value(json_object_get(j, "SignedRFC3161Timestamp")) : NULL;

	if (!j)
		return e->code;
	if (!s || json_object_size(j) != 1 || base64_decode(s, strlen(s), out) < 0 || out->len == 0)
		return error_set(e, EBADMSG, PREFIX_SIGSTORE "rfc3161timestamp: not one timestamp in base64");
	return 0;
}

static int read_times(const struct sig_blob *b, const struct sig_keys *keys, struct sigstore_proof *p, struct error *e)
{
	const char *bundle = NULL, *stamp = NULL;
	int r = annotation(b, PREFIX_SIGSTORE "bundle", &bundle, e);

	if (r == 0)
		r = annotation(b, PREFIX_SIGSTORE "rfc3161timestamp", &stamp, e);
	if (r == 0 && bundle && keys->n_rekor > 0) {
		r = log_bundle_read(bundle, strlen(bundle), &p->entries[0], e);
		p->n_entries = r == 0 ? 1 : 0;
	}
	if (r == 0 && stamp && keys->n_timestamp_roots > 0) {
		p->n_stamps = 1; /* what was read of it is freed with the rest */
		r = read_stamp(stamp, &p->stamps[0], e);
	}
	return r;
}

/* What an attestation has in annotations; its signature stands in the envelope. */
static int read_surroundings(const struct sig_blob *b, const struct sig_keys *keys, struct sigstore_proof *p, struct error *e)
{
	int r = keys->n_keys > 0 ? 0 : read_certificate(b, p, e);

	return r < 0 ? r : read_times(b, keys, p, e);
}

/* As base64(1) and `openssl base64` write it, in lines, since people attach signatures by hand; nothing covers this spelling. */
static int read_signature(const char *text, struct buf *out)
{
	_cleanup_buf_ struct buf plain = { 0 };

	for (; *text; text++)
		if (*text != '\n' && *text != '\r')
			buf_add(&plain, text, 1);
	return plain.len > 0 && base64_decode(plain.data, plain.len, out) == 0 ? 0 : -EBADMSG;
}

static int read_proof(const struct sig_blob *b, const struct sig_keys *keys, struct sigstore_proof *p, struct error *e)
{
	const char *sig = NULL;
	int r = annotation(b, PREFIX_COSIGN "signature", &sig, e);

	if (r < 0)
		return r;
	if (!sig)
		return error_set(e, EBADMSG, "the signature's annotation " PREFIX_COSIGN "signature is missing");
	if (read_signature(sig, &p->sig) < 0)
		return error_set(e, EBADMSG, "the annotation " PREFIX_COSIGN "signature is not base64");
	return read_surroundings(b, keys, p, e);
}

/* An object with these members and no others; each must be an object or a string as `types` says ('o', 's', '?': optional object). */
static int exactly(const json_t *j, const char *where, const char *const *names, const char *types, struct error *e)
{
	size_t seen = 0;

	if (!json_is_object(j))
		return error_set(e, EBADMSG, "the payload's %s is no object", where);
	for (size_t i = 0; names[i]; i++) {
		const json_t *v = json_object_get(j, names[i]);

		if (v)
			seen++;
		if ((types[i] == 'o' && !json_is_object(v)) || (types[i] == 's' && !json_is_string(v)) ||
		    (types[i] == '?' && v && !json_is_object(v) && !json_is_null(v)))
			return error_set(e, EBADMSG, "the payload's %s has no proper \"%s\"", where, names[i]);
	}
	if (seen != json_object_size(j))
		return error_set(e, EBADMSG, "the payload's %s has a member that nobody knows", where);
	return 0;
}
#define EXACTLY(j, where, types, e, ...) exactly(j, where, (const char *const[]){ __VA_ARGS__, NULL }, types, e)

int cosign_payload_claim(const void *payload, size_t n, struct sig_claim *out, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(payload, n, "the payload", e);
	const json_t *critical = json_object_get(j, "critical"), *identity = json_object_get(critical, "identity"),
		     *image = json_object_get(critical, "image"), *optional = json_object_get(j, "optional");
	const char *digest;
	int r = j ? EXACTLY(j, "top", "o?", e, "critical", "optional") : e->code;

	if (r == 0)
		r = EXACTLY(critical, "critical", "soo", e, "type", "image", "identity");
	if (r == 0)
		r = EXACTLY(image, "critical.image", "s", e, "docker-manifest-digest");
	if (r == 0)
		r = EXACTLY(identity, "critical.identity", "s", e, "docker-reference");
	if (r < 0)
		return r;
	if (!streq(json_string_value(json_object_get(critical, "type")), "cosign container image signature"))
		return error_set(e, EBADMSG, "the payload is not one of cosign's signatures of images");
	digest = str_after(json_string_value(json_object_get(image, "docker-manifest-digest")), "sha256:");
	if (!digest || !hex_valid(digest, 64))
		return error_set(e, EBADMSG, "the payload's digest is not sha256: and 64 hex digits");
	memcpy(out->digest, digest, SIG_DIGEST_SIZE);
	out->identity = xstrdup(json_string_value(json_object_get(identity, "docker-reference")));
	if (json_object_size(optional) > 0) {
		if (!out->more)
			out->more = json_object();
		json_object_set(out->more, "optional", (json_t *)(uintptr_t)optional);
	}
	return 0;
}

int cosign_simple_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_proof_ struct sigstore_proof p = { 0 };
	_cleanup_claim_ struct sig_claim claim = { 0 };
	struct sigstore_content c = { .bytes = b->data, .n = b->size };
	int r;

	if (b->size == 0 || b->size > SIG_BLOB_MAX)
		return error_set(e, EBADMSG, "the payload is empty or too long");
	sha256(b->data, b->size, c.digest);
	r = read_proof(b, keys, &p, e);
	if (r == 0)
		r = sigstore_prove(keys, &p, &c, &claim, e);
	if (r == 0)
		r = cosign_payload_claim(b->data, b->size, &claim, e);
	if (r < 0)
		return r;
	*out = claim;
	claim = (struct sig_claim){ 0 };
	return 0;
}

int cosign_attestation_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_proof_ struct sigstore_proof p = { 0 };
	_cleanup_claim_ struct sig_claim claim = { .digest = "" };
	_cleanup_json_ json_t *j = NULL;
	int r;

	if (b->size > SIG_BLOB_MAX)
		return error_set(e, EBADMSG, "the attestation is too long");
	j = json_parse(b->data, b->size, "the attestation", e);
	r = j ? read_surroundings(b, keys, &p, e) : e->code;
	if (r == 0)
		r = dsse_verify(j, b, keys, &p, &claim, e);
	if (r < 0)
		return r;
	*out = claim;
	claim = (struct sig_claim){ .digest = "" };
	return 0;
}
