/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "signer_sigstore.h"
#include "trust/encode.h"
#include "trust/sigstore.h"

#include <string.h>

static void expect(int r, int want, const char *text, const struct error *e, int line)
{
	if (r != want || (text && !strstr(e->text, text)))
		fail_msg("line %d: %d, not %d: %s (wanted: %s)", line, r, want, e->text, text ? text : "");
}
#define EXPECT(want, text, call)                          \
	do {                                              \
		struct error e = { 0 };                   \
		expect(call, want, text, &e, __LINE__);   \
	} while (0)

static int verify_text(const char *text, size_t n, const char *subject, const struct sig_keys *keys, struct sig_claim *out,
		       struct error *e)
{
	struct sig_blob b = { .kind = SIG_SIGSTORE_BUNDLE, .data = text, .size = n, .subject = subject };
	struct sig_claim none = { .digest = "" }, unused = { .digest = "" };
	struct sig_claim *c = out ? out : &unused;
	int r;

	sig_claim_free(c);
	r = sigstore_bundle_verify(&b, keys, c, e);
	if (r < 0)
		assert_memory_equal(c, &none, sizeof(none));
	if (!out)
		sig_claim_free(c);
	return r;
}

static int verify(const json_t *bundle, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_free_ char *text = json_text(bundle);

	return verify_text(text, strlen(text), NULL, keys, out, e);
}

static void with_key_pair(void **state)
{
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	_cleanup_free_ char *statement = sigstore_statement(COSIGN_SIGN_PREDICATE);

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *b = sigstore_bundle(&s, statement, false), *bare = NULL;
	struct sig_keys keys = sigstore_pair(&s), k;

	EXPECT(0, NULL, verify(b, &keys, &c, &e));
	assert_string_equal(c.digest, IMAGE_HEX);
	assert_null(c.identity);
	assert_string_equal(json_string_value(json_object_get(c.more, "predicateType")), COSIGN_SIGN_PREDICATE);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(c.more, "predicate"), "n")), 1);
	k = keys;
	k.keys = &s.logs;
	EXPECT(-EKEYREJECTED, "policy's key", verify(b, &k, NULL, &e));
	k = keys;
	k.rekor = &s.logs;
	k.n_rekor = 1;
	k.timestamp_roots = &s.tsas;
	k.n_timestamp_roots = 1;
	EXPECT(0, NULL, verify(b, &k, &c, &e));
	assert_int_equal(c.time, SIGNED_AT);
	k.n_rekor = 0;
	EXPECT(0, NULL, verify(b, &k, &c, &e));
	assert_int_equal(c.time, SIGNED_AT + 5);
	/* A stamp of somebody unknown proves no time, and harms nothing. */
	struct sig_bytes mid = { s.mid_pem, strlen(s.mid_pem), "mid" };
	k.timestamp_roots = &mid;
	EXPECT(0, NULL, verify(b, &k, &c, &e));
	assert_int_equal(c.time, 0);
	/* Neither log nor stamps, as cosign makes them with --tlog-upload=false. */
	bare = json_deep_copy(b);
	json_object_del(json_object_get(bare, "verificationMaterial"), "tlogEntries");
	json_object_del(json_object_get(bare, "verificationMaterial"), "timestampVerificationData");
	EXPECT(0, NULL, verify(bare, &keys, NULL, &e));
	k = keys;
	k.rekor = &s.logs;
	k.n_rekor = 1;
	EXPECT(-EKEYREJECTED, "no entry", verify(bare, &k, NULL, &e));
	struct sig_keys person = sigstore_keyless(&s);
	EXPECT(-EKEYREJECTED, "no certificate", verify(b, &person, NULL, &e));
}

static void keyless(void **state)
{
	_cleanup_sigstore_ struct sigstore s, other;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	_cleanup_free_ char *statement = sigstore_statement("https://slsa.dev/provenance/v1"), *foreign = NULL;

	(void)state;
	sigstore_open(&s);
	sigstore_open(&other);
	_cleanup_json_ json_t *b = sigstore_bundle(&s, statement, true), *o = sigstore_bundle(&other, statement, true),
			      *chain = json_deep_copy(b), *swap = json_deep_copy(b), *stripped = json_deep_copy(b);
	struct sig_bytes mid = { s.mid_pem, strlen(s.mid_pem), "mid" };
	struct sig_keys keys = sigstore_keyless(&s), k;

	keys.intermediates = &mid;
	keys.n_intermediates = 1;
	EXPECT(0, NULL, verify(b, &keys, &c, &e));
	assert_string_equal(c.signer, PERSON " (" ISSUER ")");
	assert_int_equal(c.time, SIGNED_AT);
	EXPECT(-EKEYREJECTED, "another log", verify(o, &keys, NULL, &e));
	k = keys;
	k.n_intermediates = 0;
	EXPECT(-EKEYREJECTED, "certificate", verify(b, &k, NULL, &e));
	/* v0.2: a chain; the root in it is the policy's matter. */
	_cleanup_free_ char *leaf64 = signer_cert_b64(s.leaf), *mid64 = signer_cert_b64(s.mid), *root64 = signer_cert_b64(s.root);
	json_t *m = json_object_get(chain, "verificationMaterial");
	json_object_set_new(chain, "mediaType", json_string("application/vnd.dev.sigstore.bundle+json;version=0.2"));
	json_object_del(m, "certificate");
	json_object_set_new(m, "x509CertificateChain",
			    json_pack("{s:[{s:s},{s:s}]}", "certificates", "rawBytes", leaf64, "rawBytes", mid64));
	EXPECT(0, NULL, verify(chain, &k, NULL, &e));
	json_array_append_new(json_object_get(json_object_get(m, "x509CertificateChain"), "certificates"),
			      json_pack("{s:s}", "rawBytes", root64));
	EXPECT(-EBADMSG, "root", verify(chain, &k, NULL, &e));
	json_object_set_new(m, "x509CertificateChain",
			    json_pack("{s:[{s:s},{s:s}]}", "certificates", "rawBytes", mid64, "rawBytes", leaf64));
	EXPECT(-EKEYREJECTED, NULL, verify(chain, &k, NULL, &e)); /* reversed */
	json_object_set_new(m, "x509CertificateChain", json_pack("{s:[]}", "certificates"));
	EXPECT(-EBADMSG, "empty", verify(chain, &k, NULL, &e));
	/* A swapped certificate, and one of the same key that the log does not know. */
	foreign = signer_cert_b64(other.leaf);
	json_object_set_new(json_object_get(swap, "verificationMaterial"), "certificate", json_pack("{s:s}", "rawBytes", foreign));
	EXPECT(-EKEYREJECTED, "not made by this key", verify(swap, &keys, NULL, &e));
	_cleanup_x509_ X509 *again = signer_cert(&(struct signer_cert){ .name = "leaf", .key = s.leaf_key, .issuer = s.mid,
		.issuer_key = s.mid_key, .purpose = "codeSigning", .san = "email:" PERSON, .fulcio_issuer = ISSUER });
	_cleanup_free_ char *again64 = signer_cert_b64(again);
	json_object_set_new(json_object_get(swap, "verificationMaterial"), "certificate", json_pack("{s:s}", "rawBytes", again64));
	EXPECT(-EKEYREJECTED, "another signer", verify(swap, &keys, NULL, &e));
	/* The proof of another entry of the same log. */
	_cleanup_free_ char *other_statement = sigstore_statement("https://spdx.dev/Document");
	_cleanup_json_ json_t *p = sigstore_bundle(&s, other_statement, true);
	json_object_set(json_object_get(stripped, "verificationMaterial"), "tlogEntries",
			json_object_get(json_object_get(p, "verificationMaterial"), "tlogEntries"));
	EXPECT(-EKEYREJECTED, "another content", verify(stripped, &keys, NULL, &e));
	/* A log without promises: the stamp proves the time. */
	_cleanup_json_ json_t *v2 = json_deep_copy(b);
	json_object_del(json_array_get(json_object_get(json_object_get(v2, "verificationMaterial"), "tlogEntries"), 0), "inclusionPromise");
	EXPECT(-EKEYREJECTED, "nothing proves", verify(v2, &keys, NULL, &e));
	k = keys;
	k.timestamp_roots = &s.tsas;
	k.n_timestamp_roots = 1;
	EXPECT(0, NULL, verify(v2, &k, &c, &e));
	assert_int_equal(c.time, SIGNED_AT + 5);
}

static void messages(void **state)
{
	static const char manifest[] = "{\"schemaVersion\":2}";
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	char sum[65];

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *b = sigstore_message_bundle(&s, manifest, false), *p = sigstore_message_bundle(&s, manifest, true);
	struct sig_keys keys = sigstore_pair(&s), person = sigstore_keyless(&s);
	struct sig_bytes mid = { s.mid_pem, strlen(s.mid_pem), "mid" };

	person.intermediates = &mid;
	person.n_intermediates = 1;
	sha256_hex(manifest, strlen(manifest), sum);
	EXPECT(0, NULL, verify(b, &keys, &c, &e));
	assert_string_equal(c.digest, sum);
	EXPECT(0, NULL, verify(p, &person, NULL, &e));
	json_t *d = json_object_get(json_object_get(b, "messageSignature"), "messageDigest");
	json_object_set_new(d, "algorithm", json_string("SHA1"));
	EXPECT(-EBADMSG, "SHA2_256", verify(b, &keys, NULL, &e));
	json_object_set_new(d, "algorithm", json_string("SHA2_256"));
	_cleanup_free_ char *zeros = base64_encode("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
	json_object_set_new(d, "digest", json_string(zeros));
	EXPECT(-EKEYREJECTED, "policy's key", verify(b, &keys, NULL, &e));
	json_object_set_new(d, "digest", json_string("AAAA"));
	EXPECT(-EBADMSG, "SHA2_256", verify(b, &keys, NULL, &e));
}

/* Signed with the right key, of another form than what is read. */
static void statements(void **state)
{
#define SUBJECT "\"subject\":[{\"name\":\"x\",\"digest\":{\"sha256\":\"" IMAGE_HEX "\"}}]"
#define TYPE "\"_type\":\"https://in-toto.io/Statement/v1\""
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "{" TYPE "," SUBJECT ",\"predicateType\":\"t\"}", NULL },
		{ "{\"_type\":\"https://in-toto.io/Statement/v0.1\"," SUBJECT ",\"predicateType\":\"t\"}", NULL },
		{ "{\"_type\":\"https://in-toto.io/Statement/v9\"," SUBJECT ",\"predicateType\":\"t\"}", "not an in-toto" },
		{ "{" SUBJECT ",\"predicateType\":\"t\"}", "not an in-toto" },
		{ "{" TYPE "," SUBJECT "," SUBJECT ",\"predicateType\":\"t\"}", "duplicate" },
		{ "{" TYPE "," SUBJECT ",\"predicateType\":\"t\",\"predicateType\":\"u\"}", "duplicate" },
		{ "{" TYPE ",\"subject\":[],\"predicateType\":\"t\"}", "about nothing" },
		{ "{" TYPE ",\"predicateType\":\"t\"}", "about nothing" },
		{ "{" TYPE ",\"subject\":[{\"digest\":{\"sha1\":\"aa\"}}],\"predicateType\":\"t\"}", "no SHA-256" },
		{ "{" TYPE ",\"subject\":[{\"digest\":{\"sha256\":\"AA\"}}],\"predicateType\":\"t\"}", "no SHA-256" },
		{ "{" TYPE "," SUBJECT "}", "predicateType" },
		{ "{" TYPE "," SUBJECT ",\"predicateType\":7}", "predicateType" },
		{ "[]", "no object" },
		{ "not json", "statement" },
	};
	_cleanup_sigstore_ struct sigstore s;

	(void)state;
	sigstore_open(&s);
	struct sig_keys keys = sigstore_pair(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *b = sigstore_bundle(&s, cases[i].text, false);

		EXPECT(cases[i].want ? -EBADMSG : 0, cases[i].want, verify(b, &keys, NULL, &e));
	}
}

static void several_subjects(void **state)
{
	static const char text[] = "{" TYPE ",\"subject\":[{\"digest\":{\"sha256\":\"" IMAGE_HEX "\"}},{\"digest\":{\"sha256\":\"" OTHER_HEX
				   "\"}}],\"predicateType\":\"t\"}";
	static const char *asks[][2] = { { NULL, IMAGE_HEX }, { OTHER_HEX, OTHER_HEX }, { IMAGE_HEX, IMAGE_HEX },
		{ "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", IMAGE_HEX } };
	_cleanup_sigstore_ struct sigstore s;

	(void)state;
	sigstore_open(&s);
	struct sig_keys keys = sigstore_pair(&s);
	_cleanup_json_ json_t *b = sigstore_bundle(&s, text, false);
	_cleanup_free_ char *bundle = json_text(b);
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		_cleanup_claim_ struct sig_claim c = { .digest = "" };

		EXPECT(0, NULL, verify_text(bundle, strlen(bundle), asks[i][0], &keys, &c, &e));
		assert_string_equal(c.digest, asks[i][1]);
	}
}

static void set_at(json_t *j, const char *path, const char *value)
{
	_cleanup_strv_ char **parts = strv_split(path, '/');
	size_t n = strv_len(parts);
	json_t *v = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;

	for (size_t i = 0; i + 1 < n; i++)
		j = json_is_array(j) ? json_array_get(j, (size_t)atoi(parts[i])) : json_object_get(j, parts[i]);
	if (!v)
		assert_int_equal(json_object_del(j, parts[n - 1]), 0);
	else
		assert_int_equal(json_object_set_new(j, parts[n - 1], v), 0);
}

static void malformed(void **state)
{
	static const struct {
		const char *path, *value, *want;
	} cases[] = {
		{ "mediaType", "\"application/vnd.dev.sigstore.bundle+json;version=0.9\"", "0.1 to 0.3" },
		{ "mediaType", NULL, "0.1 to 0.3" },
		{ "more", "1", "nobody knows" },
		{ "verificationMaterial", NULL, "missing" },
		{ "verificationMaterial/more", "1", "nobody knows" },
		{ "verificationMaterial/publicKey", NULL, "exactly one" },
		{ "verificationMaterial/certificate", "{}", "exactly one" },
		{ "verificationMaterial/tlogEntries", "{}", "not a list" },
		{ "verificationMaterial/tlogEntries", "[{}]", "canonicalizedBody" },
		{ "verificationMaterial/tlogEntries/0/inclusionProof", NULL, "no proof" },
		{ "verificationMaterial/tlogEntries/0/inclusionProof/checkpoint", NULL, "no proof" },
		{ "verificationMaterial/tlogEntries/0/inclusionProof/hashes", "[\"AAAA\"]", "hashes[0]" },
		{ "verificationMaterial/timestampVerificationData/rfc3161Timestamps", "[{}]", "signedTimestamp" },
		{ "messageSignature", "{}", "exactly one" },
		{ "dsseEnvelope", NULL, "exactly one" },
		{ "dsseEnvelope/payloadType", "\"text/plain\"", "payloadType" },
		{ "dsseEnvelope/payload", "\"!\"", "base64" },
		{ "dsseEnvelope/payload", "\"\"", "base64" },
		{ "dsseEnvelope/signatures", "[]", "exactly one" },
		{ "dsseEnvelope/signatures", "[{\"sig\":\"AAAA\"},{\"sig\":\"AAAA\"}]", "exactly one" },
		{ "dsseEnvelope/signatures/0/sig", "\"\"", "base64" },
		{ "dsseEnvelope/more", "1", "nobody knows" },
	};
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_free_ char *statement = sigstore_statement("t"), *text = NULL;

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *b = sigstore_bundle(&s, statement, false);
	struct sig_keys keys = sigstore_pair(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *bad = json_deep_copy(b);

		set_at(bad, cases[i].path, cases[i].value);
		EXPECT(-EBADMSG, cases[i].want, verify(bad, &keys, NULL, &e));
	}
	/* v0.1 lives by promises. */
	set_at(b, "mediaType", "\"application/vnd.dev.sigstore.bundle+json;version=0.1\"");
	EXPECT(0, NULL, verify(b, &keys, NULL, &e));
	set_at(b, "verificationMaterial/tlogEntries/0/inclusionPromise", NULL);
	EXPECT(-EBADMSG, "no promise", verify(b, &keys, NULL, &e));
	/* Cut anywhere. */
	text = json_text(b);
	for (size_t n = 0; n < strlen(text); n += 97)
		EXPECT(-EBADMSG, NULL, verify_text(text, n, NULL, &keys, NULL, &e));
	EXPECT(-EBADMSG, "too long", verify_text(text, SIG_BLOB_MAX + 1, NULL, &keys, NULL, &e));
	/* A signature of the payload itself, not of its encoding. */
	_cleanup_json_ json_t *raw = sigstore_bundle(&s, statement, false);
	_cleanup_buf_ struct buf sig = { 0 };
	signer_sign(s.pair, 256, SIGNER_PKCS1, statement, strlen(statement), &sig);
	_cleanup_free_ char *b64 = base64_encode(sig.data, sig.len), *value = xasprintf("\"%s\"", b64);
	set_at(raw, "dsseEnvelope/signatures/0/sig", value);
	EXPECT(-EKEYREJECTED, "policy's key", verify(raw, &keys, NULL, &e));
}

static int verify_attestation(const json_t *envelope, json_t *annotations, const struct sig_keys *keys, struct sig_claim *out,
			      struct error *e)
{
	_cleanup_free_ char *text = json_text(envelope);
	struct sig_blob b = { .kind = SIG_COSIGN_ATTESTATION, .data = text, .size = strlen(text), .annotations = annotations };

	sig_claim_free(out);
	return cosign_attestation_verify(&b, keys, out, e);
}

/* The older habit: the envelope alone is the layer, everything else stands in its annotations. */
static void attestations(void **state)
{
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	_cleanup_free_ char *statement = sigstore_statement("https://cyclonedx.org/bom"), *promise = NULL, *log = NULL,
			    *chain = NULL;

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *pair = sigstore_bundle(&s, statement, false), *person = sigstore_bundle(&s, statement, true), *a = NULL;
	const json_t *mine = json_object_get(pair, "dsseEnvelope"), *theirs = json_object_get(person, "dsseEnvelope");
	const json_t *entry = json_array_get(json_object_get(json_object_get(person, "verificationMaterial"), "tlogEntries"), 0);
	struct sig_keys keys = sigstore_pair(&s), keyless_keys = sigstore_keyless(&s);
	_cleanup_buf_ struct buf spki = { 0 };
	char id[65];

	EXPECT(0, NULL, verify_attestation(mine, NULL, &keys, &c, &e));
	assert_string_equal(c.digest, IMAGE_HEX);
	assert_string_equal(json_string_value(json_object_get(c.more, "predicateType")), "https://cyclonedx.org/bom");
	EXPECT(-EKEYREJECTED, "policy's key", verify_attestation(theirs, NULL, &keys, &c, &e));
	EXPECT(-EKEYREJECTED, "no certificate", verify_attestation(theirs, NULL, &keyless_keys, &c, &e));
	EXPECT(-EBADMSG, "nobody knows", verify_attestation(pair, NULL, &keys, &c, &e)); /* a bundle is no envelope */
	/* Keyless, with the log's entry as an annotation. */
	const char *b64 = json_string_value(json_object_get(entry, "canonicalizedBody"));
	_cleanup_buf_ struct buf decoded = { 0 };
	assert_int_equal(base64_decode(b64, strlen(b64), &decoded), 0);
	promise = signer_promise(s.log, decoded.data, SIGNED_AT, 42);
	signer_public_der(s.log, &spki);
	sha256_hex(spki.data, spki.len, id);
	log = xasprintf("{\"SignedEntryTimestamp\":\"%s\",\"Payload\":{\"body\":\"%s\",\"integratedTime\":%d,\"logIndex\":42,"
			"\"logID\":\"%s\"}}", promise, b64, SIGNED_AT, id);
	chain = xasprintf("%s%s", s.mid_pem, s.root_pem);
	a = json_pack("{s:s,s:s,s:s,s:s}", "dev.cosignproject.cosign/signature", "", "dev.sigstore.cosign/bundle", log,
		      "dev.sigstore.cosign/certificate", s.leaf_pem, "dev.sigstore.cosign/chain", chain);
	EXPECT(0, NULL, verify_attestation(theirs, a, &keyless_keys, &c, &e));
	assert_int_equal(c.time, SIGNED_AT);
	json_object_set_new(a, "dev.sigstore.cosign/certificate", json_string(s.tsa_pem));
	EXPECT(-EKEYREJECTED, "not made by this key", verify_attestation(theirs, a, &keyless_keys, &c, &e));
}

static void kinds(void **state)
{
	(void)state;
	assert_string_equal(intoto_kind("https://slsa.dev/provenance/v1"), "provenance");
	assert_string_equal(intoto_kind("https://spdx.dev/Document"), "spdx");
	assert_string_equal(intoto_kind("https://cyclonedx.org/bom"), "cyclonedx");
	assert_string_equal(intoto_kind(VET_PREDICATE), "vet");
	assert_string_equal(intoto_kind(COSIGN_SIGN_PREDICATE), "signature");
	assert_null(intoto_kind("https://spdx.dev/Document2"));
	assert_null(intoto_kind(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_key_pair),    cmocka_unit_test(keyless),	 cmocka_unit_test(messages), cmocka_unit_test(statements),
		cmocka_unit_test(several_subjects), cmocka_unit_test(malformed), cmocka_unit_test(kinds), cmocka_unit_test(attestations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
