/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures that other tools made (tests/data/README.md): notation's JWS and COSE with timestamps, one chain in which signer and root have
 * one name and no key identifiers, and cosign's bundles. Whatever brig's own tests sign might share brig's errors; these cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "trust/sigstore.h"

#include <fcntl.h>
#include <string.h>

/* 2026-11-26T22:13:28Z is the leaf's beginning; it ends two days later. */
enum { MADE = 1795731208, DAY = 86400, FILE_MAX = 65536 };

struct file {
	char *data;
	size_t n;
};

static void file_free(struct file *f)
{
	free(f->data);
}
#define _cleanup_file_ __attribute__((cleanup(file_free)))

static struct file load(const char *name)
{
	const char *source = getenv("BRIG_SOURCE");
	_cleanup_free_ char *path = xasprintf("%s/tests/data/signatures/%s", source ? source : ".", name);
	struct file f = { 0 };

	if (file_read(AT_FDCWD, path, FILE_MAX, &f.data, &f.n) < 0)
		fail_msg("%s", path);
	return f;
}

static int verify(const char *name, const struct file *f, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	struct sig_blob b = { .data = f->data, .size = f->n };

	if (str_after(name, "cosign"))
		return sigstore_bundle_verify(&b, keys, out, e);
	return strstr(name, ".jws") ? notation_jws_verify(&b, keys, out, e) : notation_cose_verify(&b, keys, out, e);
}

/* Each byte in turn (some of them), each cut: never good, never a crash. */
static void damage(const char *name, struct file *f, const struct sig_keys *keys)
{
	struct file cut = *f;

	for (size_t i = 0; i < f->n; i += 7) {
		_cleanup_claim_ struct sig_claim c = { .digest = "" }, d = { .digest = "" };
		struct error e = { 0 };
		bool good;

		f->data[i] ^= 4;
		good = verify(name, f, keys, &c, &e) == 0;
		f->data[i] ^= 4;
		/* Where it was neither signed nor read (a hint, a tool's name, a stamp that nobody asks for) it changes nothing. */
		if (good)
			assert_true(verify(name, f, keys, &d, &e) == 0 && streq(c.digest, d.digest) && streq(c.signer, d.signer) &&
				    c.time == d.time && json_equal(c.more, d.more));
		sig_claim_free(&c);
		cut.n = i;
		assert_true(verify(name, &cut, keys, &c, &e) < 0);
	}
}

static void notation(void **state)
{
	static const char *const names[] = { "notation-diff.jws", "notation-diff.cose", "notation-same.jws", "notation-same.cose" };
	_cleanup_file_ struct file digest = load("digest"), diff = load("diff-root.pem"), same = load("same-root.pem"),
				   stamps = load("tsa-root.pem");
	struct sig_bytes tsa = { stamps.data, stamps.n, "tsa" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_file_ struct file f = load(names[i]);
		const struct file *root = strstr(names[i], "same") ? &same : &diff, *other = strstr(names[i], "same") ? &diff : &same;
		struct sig_bytes roots = { root->data, root->n, "root" }, others = { other->data, other->n, "other" };
		struct sig_keys keys = { .roots = &roots, .n_roots = 1, .now = MADE + 60 };
		_cleanup_claim_ struct sig_claim c = { .digest = "" };
		struct error e = { 0 };

		if (verify(names[i], &f, &keys, &c, &e) < 0)
			fail_msg("%s: %s", names[i], e.text);
		assert_memory_equal(c.digest, digest.data, 64);
		damage(names[i], &f, &keys);
		sig_claim_free(&c);
		/* Later its certificate is over, and only the stamp tells that it was not when it signed. */
		keys.now = MADE + 10 * DAY;
		assert_int_equal(verify(names[i], &f, &keys, &c, &e), -EKEYEXPIRED);
		keys.timestamp_roots = &tsa;
		keys.n_timestamp_roots = 1;
		if (verify(names[i], &f, &keys, &c, &e) < 0)
			fail_msg("%s, stamped: %s", names[i], e.text);
		assert_true(c.time >= MADE && c.time < MADE + 60);
		sig_claim_free(&c);
		keys.timestamp_roots = &roots;
		assert_true(verify(names[i], &f, &keys, &c, &e) < 0);
		keys.timestamp_roots = &tsa;
		keys.roots = &others;
		assert_int_equal(verify(names[i], &f, &keys, &c, &e), -EKEYREJECTED);
	}
}

static void cosign(void **state)
{
	static const struct {
		const char *name, *predicate;
	} cases[] = { { "cosign-c.json", COSIGN_SIGN_PREDICATE }, { "cosign-a.json", "https://slsa.dev/provenance/v1" } };
	_cleanup_file_ struct file digest = load("digest"), key = load("cosign.pub");
	struct sig_bytes k = { key.data, key.n, "key" };
	struct sig_keys keys = { .keys = &k, .n_keys = 1, .now = MADE + 60 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_file_ struct file f = load(cases[i].name);
		_cleanup_claim_ struct sig_claim c = { .digest = "" };
		struct error e = { 0 };

		if (verify(cases[i].name, &f, &keys, &c, &e) < 0)
			fail_msg("%s: %s", cases[i].name, e.text);
		assert_memory_equal(c.digest, digest.data, 64);
		assert_string_equal(json_string_value(json_object_get(c.more, "predicateType")), cases[i].predicate);
		damage(cases[i].name, &f, &keys);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(notation), cmocka_unit_test(cosign) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
