/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sigstore bundles v0.1, v0.2 and v0.3 (protobuf-specs sigstore_bundle.proto, in protobuf's JSON), as referrers bring them: a DSSE
 * envelope with a statement about the image, or a signature of the image's manifest itself.
 */
#include "trust/sigstore.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <string.h>

/* What a bundle of a version must bring of each log entry. */
enum bundle_version { BUNDLE_0_1 = 1 /* a promise */, BUNDLE_0_2 /* a proof */, BUNDLE_0_3 };

static int version_of(const json_t *j, struct error *e)
{
	static const struct {
		const char *type;
		enum bundle_version version;
	} types[] = {
		{ "application/vnd.dev.sigstore.bundle+json;version=0.1", BUNDLE_0_1 },
		{ "application/vnd.dev.sigstore.bundle+json;version=0.2", BUNDLE_0_2 },
		{ "application/vnd.dev.sigstore.bundle+json;version=0.3", BUNDLE_0_3 },
		{ SIGSTORE_BUNDLE, BUNDLE_0_3 },
	};
	const char *type = json_string_value(json_object_get(j, "mediaType"));

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (streq(types[i].type, type))
			return (int)types[i].version;
	return error_set(e, EBADMSG, "not a sigstore bundle of the versions 0.1 to 0.3");
}

/* Members beyond these would be read by somebody else, or by nobody. */
static int only(const json_t *j, const char *where, const char *const *names, struct error *e)
{
	size_t known = 0;

	if (!json_is_object(j))
		return error_set(e, EBADMSG, "%s: missing, or no object", where);
	for (size_t i = 0; names[i]; i++)
		known += json_object_get(j, names[i]) != NULL;
	return known == json_object_size(j) ? 0 : error_set(e, EBADMSG, "%s: a member that nobody knows", where);
}
#define ONLY(j, where, e, ...) only(j, where, (const char *const[]){ __VA_ARGS__, NULL }, e)

static int bytes_of(const json_t *j, const char *where, const char *key, struct buf *out, struct error *e)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (!s || base64_decode(s, strlen(s), out) < 0 || out->len == 0)
		return error_set(e, EBADMSG, "%s.%s: missing, empty, or not base64", where, key);
	return 0;
}

static int read_cert(const json_t *j, X509 **out, struct error *e)
{
	_cleanup_buf_ struct buf der = { 0 };
	int r = bytes_of(j, "certificate", "rawBytes", &der, e);

	return r < 0 ? r : cert_parse_der(der.data, der.len, out, e);
}

static int read_chain(const json_t *list, struct sigstore_proof *p, struct error *e)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > CERT_CHAIN_MAX)
		return error_set(e, EBADMSG, "x509CertificateChain: empty, or too long");
	json_array_foreach(list, i, item) {
		_cleanup_x509_ X509 *c = NULL;
		int r = read_cert(item, &c, e);

		if (r < 0)
			return r;
		if (i == 0) {
			p->leaf = steal_ptr(&c);
			continue;
		}
		if (X509_self_signed(c, 0) == 1)
			return error_set(e, EBADMSG, "x509CertificateChain: brings a root, which only a policy can");
		certs_add(&p->between, c);
	}
	return 0;
}

static int read_signer(const json_t *m, struct sigstore_proof *p, struct error *e)
{
	const json_t *one = json_object_get(m, "certificate"), *chain = json_object_get(m, "x509CertificateChain"),
		     *key = json_object_get(m, "publicKey");

	if ((one != NULL) + (chain != NULL) + (key != NULL) != 1)
		return error_set(e, EBADMSG, "verificationMaterial: not exactly one of certificate, x509CertificateChain and publicKey");
	if (one)
		return read_cert(one, &p->leaf, e);
	return chain ? read_chain(json_object_get(chain, "certificates"), p, e) : 0;
}

static int read_entries(const json_t *list, enum bundle_version v, struct sigstore_proof *p, struct error *e)
{
	json_t *item;
	size_t i;

	if (list && (!json_is_array(list) || json_array_size(list) > SIGSTORE_ENTRIES_MAX))
		return error_set(e, EBADMSG, "tlogEntries: not a list, or too long");
	json_array_foreach(list, i, item) {
		struct log_entry *l = &p->entries[i];
		int r = log_entry_read(item, l, e);

		if (r < 0)
			return r;
		p->n_entries++;
		if (v == BUNDLE_0_1 ? l->promise.len == 0 : !l->has_proof || !l->checkpoint)
			return error_set(e, EBADMSG, "tlogEntries[%zu]: brings no %s, which a bundle of its version must", i,
					 v == BUNDLE_0_1 ? "promise" : "proof with a checkpoint");
	}
	return 0;
}

static int read_stamps(const json_t *data, struct sigstore_proof *p, struct error *e)
{
	const json_t *list = json_object_get(data, "rfc3161Timestamps");
	json_t *item;
	size_t i;

	if (list && (!json_is_array(list) || json_array_size(list) > SIGSTORE_STAMPS_MAX))
		return error_set(e, EBADMSG, "rfc3161Timestamps: not a list, or too long");
	json_array_foreach(list, i, item) {
		int r = bytes_of(item, "rfc3161Timestamps", "signedTimestamp", &p->stamps[i], e);

		p->n_stamps++;
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_material(const json_t *m, enum bundle_version v, struct sigstore_proof *p, struct error *e)
{
	int r = ONLY(m, "verificationMaterial", e, "certificate", "x509CertificateChain", "publicKey", "tlogEntries",
		     "timestampVerificationData");

	if (r == 0)
		r = read_signer(m, p, e);
	if (r == 0)
		r = read_entries(json_object_get(m, "tlogEntries"), v, p, e);
	return r < 0 ? r : read_stamps(json_object_get(m, "timestampVerificationData"), p, e);
}

int dsse_verify(const json_t *d, const struct sig_blob *b, const struct sig_keys *keys, struct sigstore_proof *p,
		struct sig_claim *out, struct error *e)
{
	_cleanup_buf_ struct buf payload = { 0 }, pae = { 0 };
	const json_t *sigs = json_object_get(d, "signatures");
	const char *type = json_string_value(json_object_get(d, "payloadType"));
	struct sigstore_content c = { .payload_type = type };
	int r = ONLY(d, "dsseEnvelope", e, "payload", "payloadType", "signatures");

	if (r == 0 && !streq(type, INTOTO_PAYLOAD_TYPE))
		r = error_set(e, EBADMSG, "dsseEnvelope.payloadType: not " INTOTO_PAYLOAD_TYPE);
	if (r == 0 && (!json_is_array(sigs) || json_array_size(sigs) != 1))
		r = error_set(e, EBADMSG, "dsseEnvelope.signatures: not exactly one");
	if (r == 0)
		r = bytes_of(d, "dsseEnvelope", "payload", &payload, e);
	if (r == 0)
		r = bytes_of(json_array_get(sigs, 0), "dsseEnvelope.signatures[0]", "sig", &p->sig, e);
	if (r < 0)
		return r;
	dsse_pae(type, payload.data, payload.len, &pae);
	c.bytes = pae.data;
	c.n = pae.len;
	sha256(pae.data, pae.len, c.digest);
	sha256(payload.data, payload.len, c.payload);
	r = sigstore_prove(keys, p, &c, out, e);
	return r < 0 ? r : intoto_claim(payload.data, payload.len, b->subject, out, e);
}

/* The image's manifest is not here; its digest is what the signature is over, and what is claimed. */
static int verify_message(const json_t *m, const struct sig_keys *keys, struct sigstore_proof *p, struct sig_claim *out,
			  struct error *e)
{
	const json_t *d = json_object_get(m, "messageDigest");
	_cleanup_buf_ struct buf digest = { 0 };
	struct sigstore_content c = { 0 };
	int r = ONLY(m, "messageSignature", e, "messageDigest", "signature");

	if (r == 0)
		r = bytes_of(m, "messageSignature", "signature", &p->sig, e);
	if (r == 0)
		r = bytes_of(d, "messageSignature.messageDigest", "digest", &digest, e);
	if (r == 0 && (!streq(json_string_value(json_object_get(d, "algorithm")), "SHA2_256") || digest.len != 32))
		r = error_set(e, EBADMSG, "messageSignature.messageDigest: not a SHA2_256");
	if (r < 0)
		return r;
	memcpy(c.digest, digest.data, 32);
	r = sigstore_prove(keys, p, &c, out, e);
	if (r == 0)
		hex_encode(c.digest, 32, out->digest);
	return r;
}

int sigstore_bundle_verify(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_json_ json_t *j = b->size <= SIG_BLOB_MAX ? json_parse(b->data, b->size, "bundle", e) : NULL;
	const json_t *envelope = json_object_get(j, "dsseEnvelope"), *message = json_object_get(j, "messageSignature");
	_cleanup_proof_ struct sigstore_proof p = { 0 };
	_cleanup_claim_ struct sig_claim claim = { 0 };
	int r = j ? ONLY(j, "bundle", e, "mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature") :
		    b->size > SIG_BLOB_MAX ? error_set(e, EBADMSG, "bundle: too long") : e->code;

	if (r == 0)
		r = version_of(j, e);
	if (r > 0)
		r = read_material(json_object_get(j, "verificationMaterial"), (enum bundle_version)r, &p, e);
	if (r == 0 && (envelope != NULL) + (message != NULL) != 1)
		r = error_set(e, EBADMSG, "bundle: not exactly one of dsseEnvelope and messageSignature");
	if (r == 0)
		r = envelope ? dsse_verify(envelope, b, keys, &p, &claim, e) : verify_message(message, keys, &p, &claim, e);
	if (r < 0)
		return r;
	*out = claim;
	claim = (struct sig_claim){ 0 };
	return 0;
}
