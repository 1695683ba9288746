/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer_sigstore.h"
#include "trust/encode.h"
#include "trust/sigstore.h"

#include <string.h>

static struct sig_bytes bytes(const char *text, const char *what)
{
	return (struct sig_bytes){ text, strlen(text), what };
}

void sigstore_open(struct sigstore *s)
{
	*s = (struct sigstore){ .root_key = signer_key("P-384"), .mid_key = signer_key("P-384"), .leaf_key = signer_key("P-256"),
				.log = signer_key("P-256"), .tsa_key = signer_key("P-384"), .pair = signer_key("P-256"),
				.ct = signer_key("P-256") };
	s->root = signer_cert(&(struct signer_cert){ .name = "root", .key = s->root_key, .ca = true });
	s->mid = signer_cert(&(struct signer_cert){ .name = "mid", .key = s->mid_key, .issuer = s->root, .issuer_key = s->root_key,
						   .ca = true, .purpose = "codeSigning" });
	s->leaf = signer_cert(&(struct signer_cert){ .name = "leaf", .key = s->leaf_key, .issuer = s->mid, .issuer_key = s->mid_key,
						    .from = SIGNED_AT - 60, .to = SIGNED_AT + 540, .purpose = "codeSigning",
						    .san = "critical,email:" PERSON, .fulcio_issuer = ISSUER });
	signer_add_sct(s->leaf, s->mid_key, s->mid, s->ct);
	s->tsa = signer_cert(&(struct signer_cert){ .name = "tsa", .key = s->tsa_key, .issuer = s->root, .issuer_key = s->root_key,
						   .purpose = "critical,timeStamping" });
	s->root_pem = signer_cert_pem(s->root);
	s->mid_pem = signer_cert_pem(s->mid);
	s->leaf_pem = signer_cert_pem(s->leaf);
	s->tsa_pem = signer_cert_pem(s->tsa);
	s->log_pem = signer_public_pem(s->log);
	s->pair_pem = signer_public_pem(s->pair);
	s->ct_pem = signer_public_pem(s->ct);
	s->roots = bytes(s->root_pem, "roots");
	s->logs = bytes(s->log_pem, "rekor");
	s->tsas = bytes(s->root_pem, "tsa");
	s->pairs = bytes(s->pair_pem, "cosign.pub");
	s->cts = bytes(s->ct_pem, "ctlog");
}

void sigstore_close(struct sigstore *s)
{
	EVP_PKEY *keys[] = { s->root_key, s->mid_key, s->leaf_key, s->log, s->tsa_key, s->pair, s->ct };
	X509 *certs[] = { s->root, s->mid, s->leaf, s->tsa };
	char *texts[] = { s->root_pem, s->mid_pem, s->leaf_pem, s->log_pem, s->tsa_pem, s->pair_pem, s->ct_pem };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < ARRAY_SIZE(certs); i++)
		X509_free(certs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
}

struct sig_keys sigstore_pair(struct sigstore *s)
{
	return (struct sig_keys){ .keys = &s->pairs, .n_keys = 1, .now = SIGNED_AT + 86400 };
}

struct sig_keys sigstore_keyless(struct sigstore *s)
{
	return (struct sig_keys){ .roots = &s->roots, .n_roots = 1, .fulcio = true, .oidc_issuer = ISSUER, .email = PERSON,
				  .rekor = &s->logs, .n_rekor = 1, .now = SIGNED_AT + 86400 };
}

char *sigstore_payload(const char *hex, const char *name)
{
	return xasprintf("{\"critical\":{\"identity\":{\"docker-reference\":\"%s\"},\"image\":{\"docker-manifest-digest\":\"sha256:%s\"},"
			 "\"type\":\"cosign container image signature\"},\"optional\":null}",
			 name, hex);
}

static char *b64(const struct buf *b)
{
	return base64_encode(b->data, b->len);
}

json_t *sigstore_annotations(struct sigstore *s, const char *payload, bool keyless)
{
	_cleanup_buf_ struct buf sig = { 0 }, stamp = { 0 };
	_cleanup_free_ char *sig64 = NULL, *body = NULL, *body64 = NULL, *promise = NULL, *bundle = NULL, *stamp64 = NULL, *rfc = NULL;
	EVP_PKEY *k = keyless ? s->leaf_key : s->pair;
	_cleanup_buf_ struct buf log = { 0 };
	char sum[65], id[65];

	signer_sign(k, 256, SIGNER_PKCS1, payload, strlen(payload), &sig);
	sig64 = b64(&sig);
	sha256_hex(payload, strlen(payload), sum);
	body = signer_log_body(false, sum, &sig, keyless ? s->leaf_pem : s->pair_pem);
	body64 = base64_encode(body, strlen(body));
	promise = signer_promise(s->log, body, SIGNED_AT, 42);
	signer_public_der(s->log, &log);
	sha256_hex(log.data, log.len, id);
	bundle = xasprintf("{\"SignedEntryTimestamp\":\"%s\",\"Payload\":{\"body\":\"%s\",\"integratedTime\":%d,\"logIndex\":42,"
			   "\"logID\":\"%s\"}}",
			   promise, body64, SIGNED_AT, id);
	signer_stamp(s->tsa_key, s->tsa, true, false, SIGNED_AT + 5, 256, sig.data, sig.len, &stamp);
	stamp64 = b64(&stamp);
	rfc = xasprintf("{\"SignedRFC3161Timestamp\":\"%s\"}", stamp64);
	if (!keyless)
		return json_pack("{s:s,s:s}", "dev.cosignproject.cosign/signature", sig64, "dev.sigstore.cosign/bundle", bundle);
	_cleanup_free_ char *chain = xasprintf("%s%s", s->mid_pem, s->root_pem);
	return json_pack("{s:s,s:s,s:s,s:s,s:s}", "dev.cosignproject.cosign/signature", sig64, "dev.sigstore.cosign/bundle", bundle,
			 "dev.sigstore.cosign/certificate", s->leaf_pem, "dev.sigstore.cosign/chain", chain,
			 "dev.sigstore.cosign/rfc3161timestamp", rfc);
}

char *sigstore_statement(const char *predicate_type)
{
	return xasprintf("{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"sha256\":\"%s\"}}],"
			 "\"predicateType\":\"%s\",\"predicate\":{\"n\":1}}",
			 IMAGE_HEX, predicate_type);
}

static json_t *material(struct sigstore *s, const char *body, const struct buf *sig, bool keyless)
{
	_cleanup_free_ char *cert = signer_cert_b64(s->leaf), *stamp64 = NULL;
	_cleanup_buf_ struct buf stamp = { 0 };
	json_t *m = keyless ? json_pack("{s:{s:s}}", "certificate", "rawBytes", cert) : json_pack("{s:{s:s}}", "publicKey", "hint", "x");

	signer_stamp(s->tsa_key, s->tsa, true, false, SIGNED_AT + 5, 256, sig->data, sig->len, &stamp);
	stamp64 = b64(&stamp);
	json_object_set_new(m, "tlogEntries", json_pack("[o]", signer_log_entry(s->log, body, SIGNED_AT)));
	json_object_set_new(m, "timestampVerificationData",
			    json_pack("{s:[{s:s}]}", "rfc3161Timestamps", "signedTimestamp", stamp64));
	return m;
}

#define BUNDLE_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"

/* The intermediate comes with the policy's roots: a bundle v0.3 carries the leaf alone. */
json_t *sigstore_bundle(struct sigstore *s, const char *statement, bool keyless)
{
	_cleanup_buf_ struct buf pae = { 0 }, sig = { 0 };
	_cleanup_free_ char *sig64 = NULL, *payload64 = base64_encode(statement, strlen(statement)), *body = NULL;
	char sum[65];

	dsse_pae(INTOTO_PAYLOAD_TYPE, statement, strlen(statement), &pae);
	signer_sign(keyless ? s->leaf_key : s->pair, 256, SIGNER_PKCS1, pae.data, pae.len, &sig);
	sig64 = b64(&sig);
	sha256_hex(statement, strlen(statement), sum);
	body = signer_log_body(true, sum, &sig, keyless ? s->leaf_pem : s->pair_pem);
	return json_pack("{s:s,s:o,s:{s:s,s:s,s:[{s:s}]}}", "mediaType", BUNDLE_TYPE, "verificationMaterial",
			 material(s, body, &sig, keyless), "dsseEnvelope", "payload", payload64, "payloadType", INTOTO_PAYLOAD_TYPE,
			 "signatures", "sig", sig64);
}

json_t *sigstore_message_bundle(struct sigstore *s, const char *manifest, bool keyless)
{
	_cleanup_free_ char *sig64 = NULL, *digest64 = NULL, *body = NULL;
	_cleanup_buf_ struct buf sig = { 0 };
	unsigned char sum[32];
	char hex[65];

	signer_sign(keyless ? s->leaf_key : s->pair, 256, SIGNER_PKCS1, manifest, strlen(manifest), &sig);
	sha256(manifest, strlen(manifest), sum);
	hex_encode(sum, 32, hex);
	sig64 = b64(&sig);
	digest64 = base64_encode(sum, 32);
	body = signer_log_body(false, hex, &sig, keyless ? s->leaf_pem : s->pair_pem);
	return json_pack("{s:s,s:o,s:{s:{s:s,s:s},s:s}}", "mediaType", BUNDLE_TYPE, "verificationMaterial",
			 material(s, body, &sig, keyless), "messageSignature", "messageDigest", "algorithm", "SHA2_256", "digest",
			 digest64, "signature", sig64);
}
