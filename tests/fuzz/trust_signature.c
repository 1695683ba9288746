/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What registries send as signatures, by the first byte: 'b' a sigstore bundle, 'c' a simple signing payload with its annotations,
 * 'a' an attestation with its annotations, 'j' JWS and 'o' COSE of notation, 'd' a statement in DSSE, 'n' a log's checkpoint, 'e' a log's entry, 'k' a public key, 'x' PEM
 * certificates, 't' a timestamp, 'i' CBOR alone, 's' a manifest of signatures that gets one more, 'p' a private key. No key of the policy can have made any of it: whatever is taken is a forgery.
 */
#include "base/cleanup.h"
#include "trust/cbor.h"
#include "trust/encode.h"
#include "trust/log.h"
#include "trust/notation.h"
#include "trust/sign.h"
#include "trust/sigstore.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sig_bytes key, root;

/* A key pair and a root of this run, which no seed knows. */
static void make_policy(void)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	unsigned char *der = NULL;
	X509 *c = X509_new();
	struct buf pem = { 0 };
	int n = i2d_PUBKEY(k, &der);

	pem_write(&pem, "PUBLIC KEY", der, (size_t)n);
	OPENSSL_free(der);
	key = (struct sig_bytes){ pem.data, pem.len, "key" };
	der = NULL;
	X509_set_version(c, X509_VERSION_3);
	ASN1_TIME_set(X509_getm_notBefore(c), 0);
	ASN1_TIME_set(X509_getm_notAfter(c), 4000000000);
	X509_set_pubkey(c, k);
	X509_sign(c, k, EVP_sha256());
	n = i2d_X509(c, &der);
	pem = (struct buf){ 0 };
	pem_write(&pem, "CERTIFICATE", der, (size_t)n);
	root = (struct sig_bytes){ pem.data, pem.len, "root" };
	OPENSSL_free(der);
	X509_free(c);
	EVP_PKEY_free(k);
}

static void signature(enum sig_kind kind, const char *text, size_t n, json_t *annotations)
{
	static int (*const verify[])(const struct sig_blob *, const struct sig_keys *, struct sig_claim *, struct error *) = {
		[SIG_COSIGN_SIMPLE] = cosign_simple_verify,
		[SIG_COSIGN_ATTESTATION] = cosign_attestation_verify,
		[SIG_SIGSTORE_BUNDLE] = sigstore_bundle_verify,
		[SIG_NOTATION_JWS] = notation_jws_verify,
		[SIG_NOTATION_COSE] = notation_cose_verify,
	};
	const struct sig_keys policies[] = {
		{ .keys = &key, .n_keys = 1, .rekor = &key, .n_rekor = 1, .now = 1700000000 },
		{ .roots = &root, .n_roots = 1, .fulcio = true, .email = "a@b", .oidc_issuer = "c", .rekor = &key, .n_rekor = 1,
		  .timestamp_roots = &root, .n_timestamp_roots = 1, .now = 1700000000 },
		{ .roots = &root, .n_roots = 1, .email = "a@b", .now = 1700000000 },
	};
	struct sig_blob b = { .kind = kind, .data = text, .size = n, .annotations = annotations };

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct sig_claim c = { .digest = "" };
		struct error e = { 0 };

		if (verify[kind](&b, &policies[i], &c, &e) == 0 || !e.code || c.signer || c.digest[0])
			abort();
	}
}

/* The payload up to a zero byte, then the annotations. */
static void simple(const char *text, size_t n)
{
	const char *zero = memchr(text, 0, n);
	size_t first = zero ? (size_t)(zero - text) : n;
	_cleanup_json_ json_t *a = zero ? json_loadb(zero + 1, n - first - 1, 0, NULL) : NULL;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	struct error e = { 0 };

	signature(SIG_COSIGN_SIMPLE, text, first, json_is_object(a) ? a : NULL);
	if (cosign_payload_claim(text, first, &c, &e) == 0 && (!hex_valid(c.digest, 64) || !c.identity))
		abort();
}

/* The same for an envelope. */
static void attestation(const char *text, size_t n)
{
	const char *zero = memchr(text, 0, n);
	size_t first = zero ? (size_t)(zero - text) : n;
	_cleanup_json_ json_t *a = zero ? json_loadb(zero + 1, n - first - 1, 0, NULL) : NULL;

	signature(SIG_COSIGN_ATTESTATION, text, first, json_is_object(a) ? a : NULL);
}

static void statement(const char *text, size_t n)
{
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	struct error e = { 0 };

	if (intoto_claim(text, n, NULL, &c, &e) == 0 && !hex_valid(c.digest, 64))
		abort();
}

static void note(const char *text)
{
	_cleanup_pubkey_ struct pubkey *k = NULL;
	struct log_checkpoint c = { 0 };
	struct error e = { 0 };

	if (pubkey_parse(key.data, key.size, &k, &e) < 0 || log_checkpoint(text, k, &c, &e) == 0)
		abort();
}

static void entry(const char *text, size_t n)
{
	_cleanup_entry_ struct log_entry l = { 0 }, m = { 0 };
	struct log_subject s = { .digest = (const unsigned char *)"................................", .sig = "x", .sig_len = 1 };
	_cleanup_json_ json_t *j = json_loadb(text, n, 0, NULL);
	_cleanup_pubkey_ struct pubkey *k = NULL;
	struct buf body = { (char *)(uintptr_t)text, n, n };
	struct error e = { 0 };
	int64_t when;

	if (pubkey_parse(key.data, key.size, &k, &e) < 0)
		abort();
	s.key = k;
	if (j && log_entry_read(j, &l, &e) == 0) {
		if (log_verify(&l, &k, 1, &s, &when, &e) == 0)
			abort();
		if (l.has_proof)
			log_inclusion(l.body.data, l.body.len, l.leaf, l.size, (const unsigned char (*)[32])l.path, l.n_path, l.root, &e);
	}
	log_bundle_read(text, n, &m, &e);
	if (log_body_is(&body, &s, &e) == 0)
		abort();
}

/* A key that is taken is the same when it is written and read again. */
static void public_key(const char *text, size_t n)
{
	_cleanup_pubkey_ struct pubkey *k = NULL;
	struct error e = { 0 };

	if (pubkey_parse(text, n, &k, &e) == 0 && pubkey_verify_kind(k, "x", 1, text, n, &e) == 0)
		abort();
}

static void certificates(const char *text, size_t n)
{
	_cleanup_certs_ struct certs c = { 0 };
	struct error e = { 0 };

	if (certs_parse_pem(&c, text, n, "fuzz", &e) < 0)
		return;
	for (int i = 0; i < certs_len(&c); i++) {
		_cleanup_names_ struct cert_names names = { 0 };
		_cleanup_pubkey_ struct pubkey *k = NULL;
		_cleanup_free_ char *issuer = NULL;

		cert_names(certs_at(&c, i), &names, &e);
		cert_fulcio_issuer(certs_at(&c, i), &issuer, &e);
		notation_subject_is(certs_at(&c, i), "x509.subject:C=US", &e);
		if (cert_pubkey(certs_at(&c, i), &k, &e) == 0)
			cert_sct_verify(certs_at(&c, i), certs_at(&c, 0), &k, 1, &e);
	}
}

static void stamp(const char *der, size_t n)
{
	_cleanup_certs_ struct certs roots = { 0 };
	struct certs none = { 0 };
	struct error e = { 0 };
	int64_t when;

	if (certs_parse_pem(&roots, root.data, root.size, "root", &e) < 0)
		abort();
	for (int token = 0; token < 2; token++)
		if (timestamp_verify(der, n, token, "x", 1, &none, &roots, &when, &e) == 0)
			abort();
}

static void cbor(const char *data, size_t n)
{
	struct cbor c = { (const unsigned char *)data, (const unsigned char *)data + n };
	const unsigned char *from;
	size_t len;

	while (!cbor_end(&c) && cbor_skip(&c, &from, &len) == 0)
		if (len == 0 || from + len > (const unsigned char *)data + n)
			abort();
}

/* Whatever stood there, the new signature is the last layer, and each layer one. */
static void add_signature(char *text, size_t n)
{
	_cleanup_buf_ struct buf config = { 0 }, manifest = { 0 };
	struct sign_document old = { text, n };
	struct buf sig = { (char *)(uintptr_t)"x", 1, 1 };
	_cleanup_json_ json_t *m = NULL;
	struct error e = { 0 };
	const json_t *layers, *l;
	size_t i;

	if (sign_manifest(&old, 1, "payload", &sig, &config, &manifest, &e) < 0)
		return;
	m = json_loadb(manifest.data, manifest.len, JSON_REJECT_DUPLICATES, NULL);
	layers = json_object_get(m, "layers");
	if (json_array_size(layers) < 1)
		abort();
	json_array_foreach(layers, i, l)
		if (!streq(json_string_value(json_object_get(l, "mediaType")), COSIGN_LAYER))
			abort();
}

static int give(void *arg, char **passphrase, struct error *e)
{
	(void)arg;
	(void)e;
	*passphrase = xstrdup("x");
	return 0;
}

/* Costly parameters of scrypt are a person's own doing, and not what is looked for. */
static void private_key(const char *text, size_t n)
{
	_cleanup_privkey_ struct privkey k = { 0 };
	struct error e = { 0 };

	if (!strstr(text, "SIGSTORE") && !strstr(text, "COSIGN") && privkey_parse(text, n, give, NULL, &k, &e) == 0 && !k.pub)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xmalloc(size + 1);

	if (!key.data)
		make_policy();
	if (size < 1)
		return 0;
	size--;
	memcpy(text, data + 1, size);
	text[size] = 0;
	switch (data[0]) {
	case 'b':
		signature(SIG_SIGSTORE_BUNDLE, text, size, NULL);
		break;
	case 'c':
		simple(text, size);
		break;
	case 'a':
		attestation(text, size);
		break;
	case 'j':
		signature(SIG_NOTATION_JWS, text, size, NULL);
		break;
	case 'o':
		signature(SIG_NOTATION_COSE, text, size, NULL);
		break;
	case 'd':
		statement(text, size);
		break;
	case 'n':
		note(text);
		break;
	case 'e':
		entry(text, size);
		break;
	case 'k':
		public_key(text, size);
		break;
	case 'x':
		certificates(text, size);
		break;
	case 't':
		stamp(text, size);
		break;
	case 's':
		add_signature(text, size);
		break;
	case 'p':
		private_key(text, size);
		break;
	case 'i':
		cbor(text, size);
		break;
	default:
		break;
	}
	return 0;
}
