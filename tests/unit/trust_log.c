/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer.h"
#include "trust/encode.h"
#include "trust/log.h"

#include <string.h>

#define CHECK(got, want)                                                          \
	do {                                                                      \
		int r_ = (got);                                                   \
		if (r_ != (want))                                                 \
			fail_msg("%s: %d, not %d: %s", #got, r_, want, e.text);   \
	} while (0)

enum { NOW = 1700000000 };

static const unsigned char (*paths(unsigned char p[64][32]))[32]
{
	return (const unsigned char (*)[32])p;
}

/* Every place of every tree up to 20 leaves; no other place, size, body or length of the path will do. */
static void inclusion(void **state)
{
	struct error e = { 0 };

	(void)state;
	for (uint64_t size = 1; size <= 20; size++) {
		for (uint64_t at = 0; at < size; at++) {
			unsigned char root[32], path[64][32];
			size_t n = signer_tree("body", at, size, root, path);

			CHECK(log_inclusion("body", 4, at, size, paths(path), n, root, &e), 0);
			assert_true(log_inclusion("bodi", 4, at, size, paths(path), n, root, &e) < 0);
			assert_true(log_inclusion("body", 4, size, size, paths(path), n, root, &e) < 0);
			if (size > 1)
				assert_true(log_inclusion("body", 4, (at + 1) % size, size, paths(path), n, root, &e) < 0);
			if (n > 0) {
				assert_true(log_inclusion("body", 4, at, size, paths(path), n - 1, root, &e) < 0);
				path[n - 1][7] ^= 1;
				assert_true(log_inclusion("body", 4, at, size, paths(path), n, root, &e) < 0);
				path[n - 1][7] ^= 1;
			}
			memset(path[n], 0, 32);
			assert_true(log_inclusion("body", 4, at, size, paths(path), n + 1, root, &e) < 0);
		}
	}
	unsigned char root[32] = { 0 }, path[64][32] = { { 0 } };
	CHECK(log_inclusion("body", 4, 0, 0, paths(path), 0, root, &e), -EBADMSG);
}

/* An inner node offered as a leaf: the prefixes part them. */
static void inner_node_is_no_leaf(void **state)
{
	unsigned char root[32], path[64][32], both[64], sum[32];
	char leaf[] = "\0leaf 1";
	struct error e = { 0 };

	(void)state;
	signer_tree("body", 0, 2, root, path);
	sha256("\0body", 5, both);
	sha256(leaf, 7, sum);
	memcpy(both + 32, sum, 32);
	CHECK(log_inclusion(both, 64, 0, 1, paths(path), 0, root, &e), -EKEYREJECTED);
}

static void checkpoints(void **state)
{
	static const char *kinds[] = { "P-256", "Ed25519", "RSA" };
	unsigned char root[32] = { 7 };
	struct error e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_evp_ EVP_PKEY *key = signer_key(kinds[i]), *wrong = signer_key("P-256");
		_cleanup_free_ char *text = signer_checkpoint(key, 99, root), *more = xasprintf("%s\xe2\x80\x94 witness AAAAAAAA\n", text),
				    *grown = xstrdup(text);
		_cleanup_pubkey_ struct pubkey *k = NULL, *w = NULL;
		struct log_checkpoint c = { 0 };

		CHECK(pubkey_from_evp(key, &k, &e), 0);
		CHECK(pubkey_from_evp(wrong, &w, &e), 0);
		CHECK(log_checkpoint(text, k, &c, &e), 0);
		assert_string_equal(c.origin, "log.test");
		assert_int_equal(c.size, 99);
		assert_memory_equal(c.root, root, 32);
		free(c.origin);
		CHECK(log_checkpoint(more, k, &c, &e), 0); /* somebody else signed it too */
		free(c.origin);
		c.origin = NULL;
		CHECK(log_checkpoint(text, w, &c, &e), -EKEYREJECTED);
		*strstr(grown, "99") = '8';
		CHECK(log_checkpoint(grown, k, &c, &e), -EKEYREJECTED);
		for (size_t n = 0; n < strlen(text); n++) {
			_cleanup_free_ char *cut = xstrndup(text, n);

			assert_true(log_checkpoint(cut, k, &c, &e) < 0);
			assert_null(c.origin);
		}
	}
}

struct world {
	EVP_PKEY *log, *key;
	struct pubkey *log_key, *by;
	struct buf sig;
	unsigned char digest[32];
	char *pem, *body;
	struct log_subject s;
};

static void world_open(struct world *w)
{
	struct error e = { 0 };
	char hex[65];

	*w = (struct world){ .log = signer_key("P-256"), .key = signer_key("P-256") };
	CHECK(pubkey_from_evp(w->log, &w->log_key, &e), 0);
	CHECK(pubkey_from_evp(w->key, &w->by, &e), 0);
	signer_sign(w->key, 256, SIGNER_PKCS1, "x", 1, &w->sig);
	sha256("x", 1, w->digest);
	sha256_hex("x", 1, hex);
	w->pem = signer_public_pem(w->key);
	w->body = signer_log_body(false, hex, &w->sig, w->pem);
	w->s = (struct log_subject){ .digest = w->digest, .sig = w->sig.data, .sig_len = w->sig.len, .key = w->by };
}

static void world_close(struct world *w)
{
	EVP_PKEY_free(w->log);
	EVP_PKEY_free(w->key);
	pubkey_free(&w->log_key);
	pubkey_free(&w->by);
	buf_free(&w->sig);
	free(w->pem);
	free(w->body);
}
#define _cleanup_world_ __attribute__((cleanup(world_close)))

static int verify(struct world *w, const json_t *entry, int64_t *time, struct error *e)
{
	_cleanup_entry_ struct log_entry l = { 0 };
	int r;

	*e = (struct error){ 0 };
	r = log_entry_read(entry, &l, e);
	return r < 0 ? r : log_verify(&l, &w->log_key, 1, &w->s, time, e);
}

static void entries(void **state)
{
	_cleanup_world_ struct world w;
	struct error e = { 0 };
	int64_t when = 0;

	(void)state;
	world_open(&w);
	_cleanup_json_ json_t *good = signer_log_entry(w.log, w.body, NOW), *no_promise = json_deep_copy(good),
			      *no_proof = json_deep_copy(good), *neither = json_deep_copy(good), *time = json_deep_copy(good),
			      *root = json_deep_copy(good), *unsigned_root = json_deep_copy(good), *index = json_deep_copy(good);
	CHECK(verify(&w, good, &when, &e), 0);
	assert_int_equal(when, NOW);
	/* The proof alone shows the entry, and says nothing of the time. */
	json_object_del(no_promise, "inclusionPromise");
	CHECK(verify(&w, no_promise, &when, &e), 0);
	assert_int_equal(when, 0);
	json_object_del(no_proof, "inclusionProof");
	CHECK(verify(&w, no_proof, &when, &e), 0);
	assert_int_equal(when, NOW);
	json_object_del(neither, "inclusionProof");
	json_object_del(neither, "inclusionPromise");
	CHECK(verify(&w, neither, &when, &e), -EKEYREJECTED);
	json_object_set_new(time, "integratedTime", json_integer(NOW + 1));
	CHECK(verify(&w, time, &when, &e), -EKEYREJECTED);
	json_object_set_new(index, "logIndex", json_string("43"));
	CHECK(verify(&w, index, &when, &e), -EKEYREJECTED);
	json_object_set_new(json_object_get(root, "inclusionProof"), "treeSize", json_string("12"));
	CHECK(verify(&w, root, &when, &e), -EKEYREJECTED);
	json_object_del(json_object_get(unsigned_root, "inclusionProof"), "checkpoint");
	CHECK(verify(&w, unsigned_root, &when, &e), -EKEYREJECTED);
	/* Another log's. */
	_cleanup_evp_ EVP_PKEY *other = signer_key("P-256");
	_cleanup_json_ json_t *of_other = signer_log_entry(other, w.body, NOW);
	CHECK(verify(&w, of_other, &when, &e), -EKEYREJECTED);
}

/* Proofs that hold, of entries about something else. */
static void bodies(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_evp_ EVP_PKEY *other = signer_key("P-256");
	_cleanup_free_ char *other_pem = signer_public_pem(other);
	_cleanup_buf_ struct buf other_sig = { 0 };
	char x[65], y[65];
	struct error e = { 0 };
	int64_t when;

	(void)state;
	world_open(&w);
	signer_sign(w.key, 256, SIGNER_PKCS1, "x", 1, &other_sig);
	sha256_hex("x", 1, x);
	sha256_hex("y", 1, y);
	const struct {
		char *body;
		const char *want;
	} cases[] = {
		{ signer_log_body(false, y, &w.sig, w.pem), "another content" },
		{ signer_log_body(false, x, &other_sig, w.pem), "another signature" },
		{ signer_log_body(false, x, &w.sig, other_pem), "another signer" },
		{ signer_log_body(true, x, &w.sig, w.pem), "of a kind" },
		{ xstrdup("{\"apiVersion\":\"0.0.9\",\"kind\":\"hashedrekord\",\"spec\":{}}"), "of a kind" },
		{ xstrdup("{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\"}"), "another content" },
		{ xstrdup("{}"), "of a kind" },
		{ xstrdup("[]"), "of a kind" },
		{ xasprintf("%.*s,\"kind\":\"hashedrekord\"}", (int)strlen(w.body) - 1, w.body), "duplicate" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *entry = signer_log_entry(w.log, cases[i].body, NOW);

		assert_true(verify(&w, entry, &when, &e) < 0);
		if (!strstr(e.text, cases[i].want))
			fail_msg("case %zu: %s", i, e.text);
		free(cases[i].body);
	}
}

static void malformed(void **state)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "canonicalizedBody", "\"\"" }, { "canonicalizedBody", "\"e30\"" }, { "canonicalizedBody", "7" },
		{ "integratedTime", "\"-1\"" },	 { "integratedTime", "\"1e3\"" },    { "integratedTime", "-1" },
		{ "logIndex", "\"\"" },		 { "logIndex", "[]" },		     { "logId", "\"x\"" },
		{ "inclusionPromise", "[]" },	 { "inclusionProof", "{}" },	     { "inclusionProof", "{\"rootHash\":\"AAAA\"}" },
	};
	_cleanup_world_ struct world w;
	struct error e = { 0 };
	int64_t when;

	(void)state;
	world_open(&w);
	_cleanup_json_ json_t *good = signer_log_entry(w.log, w.body, NOW);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *bad = json_deep_copy(good);

		json_object_set_new(bad, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		int r = verify(&w, bad, &when, &e);
		if (r != -EBADMSG && r != -ERANGE)
			fail_msg("%s %s: %d %s", cases[i].key, cases[i].value, r, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inclusion), cmocka_unit_test(inner_node_is_no_leaf), cmocka_unit_test(checkpoints),
		cmocka_unit_test(entries),   cmocka_unit_test(bodies),		      cmocka_unit_test(malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
