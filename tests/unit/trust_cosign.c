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

static int verify(const char *payload, json_t *annotations, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	struct sig_blob b = { .kind = SIG_COSIGN_SIMPLE, .data = payload, .size = strlen(payload), .annotations = annotations };
	struct sig_claim none = { .digest = "" }, unused = { .digest = "" };
	struct sig_claim *c = out ? out : &unused;
	int r;

	sig_claim_free(c);
	r = cosign_simple_verify(&b, keys, c, e);
	if (r < 0)
		assert_memory_equal(c, &none, sizeof(none)); /* a failure leaves nothing */
	if (!out)
		sig_claim_free(c);
	return r;
}

static void key_pair(void **state)
{
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	_cleanup_free_ char *payload = sigstore_payload(IMAGE_HEX, "q.io/a/b"), *other = sigstore_payload(OTHER_HEX, "q.io/a/b"),
			    *name = sigstore_payload(IMAGE_HEX, "q.io/a/c");
	_cleanup_pubkey_ struct pubkey *k = NULL;

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *a = sigstore_annotations(&s, payload, false);
	struct sig_keys keys = sigstore_pair(&s), logged = keys, wrong = keys, two = keys, none = { .now = SIGNED_AT };
	struct sig_bytes both[] = { s.logs, s.pairs };

	EXPECT(0, NULL, verify(payload, a, &keys, &c, &e));
	assert_string_equal(c.digest, IMAGE_HEX);
	assert_string_equal(c.identity, "q.io/a/b");
	assert_int_equal(c.time, 0); /* no log was asked: nobody proves a time */
	EXPECT(0, NULL, pubkey_parse(s.pair_pem, strlen(s.pair_pem), &k, &e));
	assert_string_equal(str_after(c.signer, "sha256:"), k->hex);
	/* The payload of another image, or of another name, with this signature. */
	EXPECT(-EKEYREJECTED, "policy's key", verify(other, a, &keys, NULL, &e));
	EXPECT(-EKEYREJECTED, "policy's key", verify(name, a, &keys, NULL, &e));
	wrong.keys = &s.logs;
	EXPECT(-EKEYREJECTED, "policy's key", verify(payload, a, &wrong, NULL, &e));
	two.keys = both;
	two.n_keys = 2;
	EXPECT(0, NULL, verify(payload, a, &two, NULL, &e));
	EXPECT(-EKEYREJECTED, "no key", verify(payload, a, &none, NULL, &e));
	/* A log that the policy names must have it. */
	logged.rekor = &s.logs;
	logged.n_rekor = 1;
	EXPECT(0, NULL, verify(payload, a, &logged, &c, &e));
	assert_int_equal(c.time, SIGNED_AT);
	logged.rekor = &s.cts;
	EXPECT(-EKEYREJECTED, "another log", verify(payload, a, &logged, NULL, &e));
	logged.rekor = &s.logs;
	json_object_del(a, "dev.sigstore.cosign/bundle");
	EXPECT(-EKEYREJECTED, "no entry", verify(payload, a, &logged, NULL, &e));
	EXPECT(0, NULL, verify(payload, a, &keys, NULL, &e));
	/* Stripped, truncated, not base64, not there. */
	const char *sig = json_string_value(json_object_get(a, "dev.cosignproject.cosign/signature"));
	_cleanup_free_ char *cut = xstrndup(sig, strlen(sig) / 8 * 4), *lines = xasprintf("%.20s\n%s\r\n", sig, sig + 20), *blank = xasprintf("%.20s %s", sig, sig + 20);
	json_object_set_new(a, "dev.cosignproject.cosign/signature", json_string(cut));
	EXPECT(-EKEYREJECTED, NULL, verify(payload, a, &keys, NULL, &e));
	json_object_set_new(a, "dev.cosignproject.cosign/signature", json_string(lines));
	EXPECT(0, NULL, verify(payload, a, &keys, NULL, &e));
	json_object_set_new(a, "dev.cosignproject.cosign/signature", json_string(blank));
	EXPECT(-EBADMSG, "base64", verify(payload, a, &keys, NULL, &e));
	json_object_set_new(a, "dev.cosignproject.cosign/signature", json_string(""));
	EXPECT(-EBADMSG, "base64", verify(payload, a, &keys, NULL, &e));
	json_object_set_new(a, "dev.cosignproject.cosign/signature", json_integer(1));
	EXPECT(-EBADMSG, "not a string", verify(payload, a, &keys, NULL, &e));
	json_object_clear(a);
	EXPECT(-EBADMSG, "missing", verify(payload, a, &keys, NULL, &e));
	EXPECT(-EBADMSG, "missing", verify(payload, NULL, &keys, NULL, &e));
}

/* Rightly signed, and yet not one meaning. */
static void payloads(void **state)
{
#define D "\"image\":{\"docker-manifest-digest\":\"sha256:" IMAGE_HEX "\"}"
#define N "\"identity\":{\"docker-reference\":\"q.io/a\"}"
#define T "\"type\":\"cosign container image signature\""
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "{\"critical\":{" N "," D "," T "},\"optional\":{\"creator\":\"x\"}}", NULL },
		{ "{\"critical\":{" N "," D "," T "}}", NULL },
		{ "{\"critical\":{" N "," D "," D "," T "},\"optional\":null}", "duplicate" },
		{ "{\"critical\":{" N "," D "," T "},\"critical\":{" N "," D "," T "},\"optional\":null}", "duplicate" },
		{ "{\"critical\":{" N "," D "," T "},\"optional\":{\"a\":1,\"a\":2}}", "duplicate" },
		{ "{\"critical\":{" N ",\"image\":{\"docker-manifest-digest\":\"sha256:" IMAGE_HEX
		  "\",\"docker-manifest-digest\":\"sha256:" OTHER_HEX "\"}," T "}}", "duplicate" },
		{ "{\"critical\":{" N "," D "," T "},\"optional\":null,\"more\":1}", "nobody knows" },
		{ "{\"critical\":{" N "," D "," T ",\"more\":1}}", "nobody knows" },
		{ "{\"critical\":{\"identity\":{\"docker-reference\":\"q.io/a\",\"x\":1}," D "," T "}}", "nobody knows" },
		{ "{\"critical\":{" D "," T "}}", "identity" },
		{ "{\"critical\":{" N "," T "}}", "image" },
		{ "{\"critical\":{" N "," D "}}", "type" },
		{ "{\"critical\":{" N "," D ",\"type\":\"atomic container signature\"}}", "not one of cosign's" },
		{ "{\"critical\":{" N "," D ",\"type\":[]}}", "type" },
		{ "{\"critical\":{" N ",\"image\":{\"docker-manifest-digest\":\"sha512:" IMAGE_HEX "\"}," T "}}", "digest" },
		{ "{\"critical\":{" N ",\"image\":{\"docker-manifest-digest\":\"sha1:aaaa\"}," T "}}", "digest" },
		{ "{\"critical\":{" N ",\"image\":{\"docker-manifest-digest\":\"sha256:AA\"}," T "}}", "digest" },
		{ "{\"critical\":{" N "," D "," T "}}x", "end of file" },
		{ "[]", "object" },
		{ "{}", "critical" },
		{ "{\"critical\":{" N "," D "," T "},\"optional\":[]}", "optional" },
	};
	_cleanup_sigstore_ struct sigstore s;

	(void)state;
	sigstore_open(&s);
	struct sig_keys keys = sigstore_pair(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *a = sigstore_annotations(&s, cases[i].text, false);

		EXPECT(cases[i].want ? -EBADMSG : 0, cases[i].want, verify(cases[i].text, a, &keys, NULL, &e));
	}
}

static void keyless(void **state)
{
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	_cleanup_free_ char *payload = sigstore_payload(IMAGE_HEX, "q.io/a/b");

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *a = sigstore_annotations(&s, payload, true);
	struct sig_keys keys = sigstore_keyless(&s), k;

	EXPECT(0, NULL, verify(payload, a, &keys, &c, &e));
	assert_int_equal(c.time, SIGNED_AT);
	assert_string_equal(c.signer, PERSON " (" ISSUER ")");
	/* Who */
	k = keys;
	k.email = "else@team.test";
	EXPECT(-EKEYREJECTED, PERSON, verify(payload, a, &k, NULL, &e));
	k.email = NULL;
	EXPECT(-EINVAL, "whose", verify(payload, a, &k, NULL, &e));
	k.uri = PERSON; /* an address is no URI */
	EXPECT(-EKEYREJECTED, PERSON, verify(payload, a, &k, NULL, &e));
	k = keys;
	k.oidc_issuer = "https://login.tes";
	EXPECT(-EKEYREJECTED, "authenticated by", verify(payload, a, &k, NULL, &e));
	k.oidc_issuer = NULL;
	EXPECT(-EINVAL, "whose", verify(payload, a, &k, NULL, &e));
	/* Roots, logs, promises of certificates */
	struct sig_bytes tsa_root = { s.tsa_pem, strlen(s.tsa_pem), "tsa" };
	k = keys;
	k.roots = &tsa_root;
	EXPECT(-EKEYREJECTED, "certificate", verify(payload, a, &k, NULL, &e));
	k = keys;
	k.ctlogs = &s.cts;
	k.n_ctlogs = 1;
	EXPECT(0, NULL, verify(payload, a, &k, NULL, &e));
	k.ctlogs = &s.logs;
	EXPECT(-EKEYREJECTED, "certificate logs", verify(payload, a, &k, NULL, &e));
	/* When: without a log and a stamp nothing proves it; a stamp will do. */
	k = keys;
	k.n_rekor = 0;
	EXPECT(-EKEYREJECTED, "nothing proves", verify(payload, a, &k, NULL, &e));
	k.timestamp_roots = &s.tsas;
	k.n_timestamp_roots = 1;
	EXPECT(0, NULL, verify(payload, a, &k, &c, &e));
	assert_int_equal(c.time, SIGNED_AT + 5);
	k.timestamp_roots = &tsa_root; /* the maker itself is pinned */
	EXPECT(0, NULL, verify(payload, a, &k, NULL, &e));
	struct sig_bytes mid = { s.mid_pem, strlen(s.mid_pem), "mid" };
	k.timestamp_roots = &mid;
	EXPECT(-EKEYREJECTED, "nothing proves", verify(payload, a, &k, NULL, &e));
	k = keys;
	k.now = SIGNED_AT - 3600;
	EXPECT(-EKEYREJECTED, "future", verify(payload, a, &k, NULL, &e));
	/* A key in the policy: certificates count for nothing. */
	k = keys;
	k.keys = &s.pairs;
	k.n_keys = 1;
	EXPECT(-EKEYREJECTED, "policy's key", verify(payload, a, &k, NULL, &e));
	json_object_del(a, "dev.sigstore.cosign/certificate");
	EXPECT(-EKEYREJECTED, "no certificate", verify(payload, a, &keys, NULL, &e));
}

static void swapped(void **state)
{
	_cleanup_sigstore_ struct sigstore s, other;
	_cleanup_free_ char *payload = sigstore_payload(IMAGE_HEX, "q.io/a/b"), *other_payload = sigstore_payload(OTHER_HEX, "q.io/a/b");

	(void)state;
	sigstore_open(&s);
	sigstore_open(&other);
	_cleanup_json_ json_t *a = sigstore_annotations(&s, payload, true), *b = sigstore_annotations(&other, payload, true),
			      *c = sigstore_annotations(&s, other_payload, true), *mix = NULL;
	struct sig_keys keys = sigstore_keyless(&s);
	static const struct {
		const char *key;
		bool from_other_image;
		const char *want;
	} cases[] = {
		{ "dev.sigstore.cosign/certificate", false, "not made by this key" },
		{ "dev.sigstore.cosign/bundle", false, "another log" },
		{ "dev.sigstore.cosign/bundle", true, "another content" },
		{ "dev.cosignproject.cosign/signature", true, "not made by this key" },
	};

	EXPECT(-EKEYREJECTED, NULL, verify(payload, b, &keys, NULL, &e));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_decref(mix);
		mix = json_deep_copy(a);
		json_object_set(mix, cases[i].key, json_object_get(cases[i].from_other_image ? c : b, cases[i].key));
		EXPECT(-EKEYREJECTED, cases[i].want, verify(payload, mix, &keys, NULL, &e));
	}
	/* The same key in another certificate, which is not the one that the log recorded. */
	_cleanup_x509_ X509 *again = signer_cert(&(struct signer_cert){ .name = "leaf", .key = s.leaf_key, .issuer = s.mid,
		.issuer_key = s.mid_key, .purpose = "codeSigning", .san = "email:" PERSON, .fulcio_issuer = ISSUER });
	_cleanup_free_ char *again_pem = signer_cert_pem(again);
	json_decref(mix);
	mix = json_deep_copy(a);
	json_object_set_new(mix, "dev.sigstore.cosign/certificate", json_string(again_pem));
	EXPECT(-EKEYREJECTED, "another signer", verify(payload, mix, &keys, NULL, &e));
	/* A bundle that was changed, or says more. */
	static const char *bad[] = { "{}", "{\"SignedEntryTimestamp\":\"AAAA\",\"Payload\":{}}", "[]", "x", "" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_object_set_new(mix, "dev.sigstore.cosign/bundle", json_string(bad[i]));
		EXPECT(-EBADMSG, NULL, verify(payload, mix, &keys, NULL, &e));
	}
}

static void bad_stamps(void **state)
{
	static const char *bad[] = { "x", "{}", "[]", "{\"SignedRFC3161Timestamp\":\"AAAA\",\"more\":1}", "{\"SignedRFC3161Timestamp\":7}",
		"{\"SignedRFC3161Timestamp\":\"\"}", "{\"SignedRFC3161Timestamp\":\"AAAA!AAA\"}" };
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_free_ char *payload = sigstore_payload(IMAGE_HEX, "q.io/a/b");

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *a = sigstore_annotations(&s, payload, true);
	struct sig_keys keys = sigstore_keyless(&s);

	keys.timestamp_roots = &s.tsas;
	keys.n_timestamp_roots = 1;
	EXPECT(0, NULL, verify(payload, a, &keys, NULL, &e));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_object_set_new(a, "dev.sigstore.cosign/rfc3161timestamp", json_string(bad[i]));
		EXPECT(-EBADMSG, "rfc3161timestamp", verify(payload, a, &keys, NULL, &e));
	}
	/* Base64 of something else is no proof; the log's word is one. */
	json_object_set_new(a, "dev.sigstore.cosign/rfc3161timestamp", json_string("{\"SignedRFC3161Timestamp\":\"AAAA\"}"));
	EXPECT(0, NULL, verify(payload, a, &keys, NULL, &e));
	keys.n_rekor = 0;
	EXPECT(-EBADMSG, "nothing proves", verify(payload, a, &keys, NULL, &e));
}

/* Authorities that are not Fulcio: the certificate must be good now. */
static void own_authority(void **state)
{
	_cleanup_sigstore_ struct sigstore s;
	_cleanup_free_ char *payload = sigstore_payload(IMAGE_HEX, "q.io/a/b");

	(void)state;
	sigstore_open(&s);
	_cleanup_json_ json_t *a = sigstore_annotations(&s, payload, true);
	struct sig_keys keys = { .roots = &s.roots, .n_roots = 1, .email = PERSON, .now = SIGNED_AT + 10 };

	_cleanup_claim_ struct sig_claim c = { .digest = "" };
	EXPECT(0, NULL, verify(payload, a, &keys, &c, &e));
	assert_int_equal(json_integer_value(json_object_get(c.more, "expires")), SIGNED_AT + 540);
	keys.now = SIGNED_AT + 86400;
	EXPECT(-EKEYEXPIRED, "expired", verify(payload, a, &keys, NULL, &e));
	keys.timestamp_roots = &s.tsas;
	keys.n_timestamp_roots = 1;
	EXPECT(0, NULL, verify(payload, a, &keys, NULL, &e));
	keys.hostname = "h.test";
	EXPECT(-EKEYREJECTED, "h.test", verify(payload, a, &keys, NULL, &e));
	keys.hostname = keys.email = NULL;
	EXPECT(-EINVAL, "whose", verify(payload, a, &keys, NULL, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_pair), cmocka_unit_test(payloads),	     cmocka_unit_test(keyless),
		cmocka_unit_test(swapped),  cmocka_unit_test(bad_stamps),  cmocka_unit_test(own_authority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
