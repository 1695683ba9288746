/* SPDX-License-Identifier: Apache-2.0 */
/* make_signatures DIR: writes the seeds of tests/fuzz/trust_signature.c anew, one signature of each kind, by keys nobody keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "signer_notation.h"
#include "signer_sigstore.h"
#include "trust/cert.h"
#include "trust/encode.h"

#include <stdio.h>
#include <string.h>

static const char *dir;

static void seed(const char *name, char kind, const void *data, size_t n)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(&kind, 1, 1, f), 1);
	assert_int_equal(fwrite(data, 1, n, f), n);
}

static void seed_json(const char *name, char kind, const json_t *j)
{
	_cleanup_free_ char *text = json_text(j);

	seed(name, kind, text, strlen(text));
}

static void of_sigstore(void **state)
{
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_free_ char *statement = sigstore_statement("https://slsa.dev/provenance/v1"),
			    *payload = sigstore_payload(IMAGE_HEX, "q.io/a"), *notes = NULL, *body = NULL, *checkpoint = NULL;
	_cleanup_buf_ struct buf simple = { 0 }, stamp = { 0 }, sig = { 0 };
	unsigned char root[32], path[64][32];

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *envelope = sigstore_bundle(&s, statement, true), *message = sigstore_message_bundle(&s, "{}", false),
			      *a = sigstore_annotations(&s, payload, true), *entry = NULL;
	seed_json("bundle-envelope", 'b', envelope);
	seed_json("attestation", 'a', json_object_get(envelope, "dsseEnvelope"));
	seed_json("bundle-message", 'b', message);
	notes = json_text(a);
	buf_add(&simple, payload, strlen(payload) + 1);
	buf_puts(&simple, notes);
	seed("simple", 'c', simple.data, simple.len);
	seed("statement", 'd', statement, strlen(statement));
	signer_sign(s.pair, 256, SIGNER_PKCS1, "x", 1, &sig);
	body = signer_log_body(false, IMAGE_HEX, &sig, s.pair_pem);
	entry = signer_log_entry(s.log, body, SIGNED_AT);
	seed_json("entry", 'e', entry);
	seed("entry-body", 'e', body, strlen(body));
	signer_tree(body, 3, 7, root, path);
	checkpoint = signer_checkpoint(s.log, 7, root);
	seed("checkpoint", 'n', checkpoint, strlen(checkpoint));
	seed("key", 'k', s.pair_pem, strlen(s.pair_pem));
	seed("certificate", 'x', s.leaf_pem, strlen(s.leaf_pem));
	signer_stamp(s.tsa_key, s.tsa, true, false, SIGNED_AT, 256, "x", 1, &stamp);
	seed("stamp", 't', stamp.data, stamp.len);
}

/* A private key, and a manifest of one signature that gets another. */
static void of_signing(void **state)
{
	_cleanup_evp_ EVP_PKEY *k = signer_key("P-256");
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k);
	_cleanup_buf_ struct buf pem = { 0 };
	_cleanup_json_ json_t *m = json_pack("{s:i,s:[{s:s,s:s,s:i,s:{s:s}}]}", "schemaVersion", 2, "layers", "mediaType",
					     "application/vnd.dev.cosign.simplesigning.v1+json", "digest", "sha256:" IMAGE_HEX, "size", 280,
					     "annotations", "dev.cosignproject.cosign/signature", "AAAA");
	unsigned char *der = NULL;
	int n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

	(void)state;
	assert_true(n > 0);
	pem_write(&pem, "PRIVATE KEY", der, (size_t)n);
	seed("private", 'p', pem.data, pem.len);
	seed_json("manifest", 's', m);
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void of_notation(void **state)
{
	_cleanup_evp_ EVP_PKEY *k = signer_key("P-256");
	_cleanup_x509_ X509 *c = signer_cert(&(struct signer_cert){ .name = "x", .key = k, .purpose = "codeSigning" });
	_cleanup_free_ char *payload = signer_artifact(IMAGE_HEX);
	_cleanup_buf_ struct buf b = { 0 };

	(void)state;
	struct signer_envelope v = { .key = k, .chain = { c }, .alg = "ES256", .payload = payload,
				     .headers = signer_headers(false, SIGNED_AT) };
	signer_jws(&v, &b);
	seed("jws", 'j', b.data, b.len);
	v.headers = signer_headers(true, SIGNED_AT);
	signer_cose(&v, &b);
	seed("cose", 'o', b.data, b.len);
	seed("cbor", 'i', b.data, 200);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest all[] = { cmocka_unit_test(of_sigstore), cmocka_unit_test(of_signing), cmocka_unit_test(of_notation) };

	if (argc != 2)
		return 2;
	dir = argv[1];
	return cmocka_run_group_tests(all, NULL, NULL);
}
