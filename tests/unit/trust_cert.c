/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer.h"
#include "trust/cert.h"

#include <string.h>

#define CHECK(got, want)                                                          \
	do {                                                                      \
		int r_ = (got);                                                   \
		if (r_ != (want))                                                 \
			fail_msg("%s: %d, not %d: %s", #got, r_, want, e.text);   \
	} while (0)

enum { NOW = 1700000000, DAY = 86400 };

/* A root, an intermediate, a leaf for code. */
struct world {
	EVP_PKEY *root_key, *mid_key, *key;
	X509 *root, *mid;
	struct certs roots, between;
};

static void world_open(struct world *w)
{
	*w = (struct world){ signer_key("P-384"), signer_key("P-256"), signer_key("P-256"), NULL, NULL, { 0 }, { 0 } };
	w->root = signer_cert(&(struct signer_cert){ .name = "root", .key = w->root_key, .ca = true });
	w->mid = signer_cert(&(struct signer_cert){ .name = "mid", .key = w->mid_key, .issuer = w->root, .issuer_key = w->root_key,
						   .ca = true, .purpose = "codeSigning" });
	certs_add(&w->roots, w->root);
	certs_add(&w->between, w->mid);
}

static void world_close(struct world *w)
{
	EVP_PKEY_free(w->root_key);
	EVP_PKEY_free(w->mid_key);
	EVP_PKEY_free(w->key);
	X509_free(w->root);
	X509_free(w->mid);
	certs_free(&w->roots);
	certs_free(&w->between);
}
#define _cleanup_world_ __attribute__((cleanup(world_close)))

static X509 *leaf_of(struct world *w, struct signer_cert c)
{
	c.name = c.name ? c.name : "leaf";
	c.key = c.key ? c.key : w->key;
	c.issuer = c.issuer ? c.issuer : w->mid;
	c.issuer_key = c.issuer_key ? c.issuer_key : w->mid_key;
	return signer_cert(&c);
}

static void chains(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_evp_ EVP_PKEY *weak = signer_key("RSA1024"), *other_key = signer_key("P-256");
	_cleanup_x509_ X509 *other_root = signer_cert(&(struct signer_cert){ .name = "root", .key = other_key, .ca = true });
	struct certs none = { 0 };
	_cleanup_certs_ struct certs others = { 0 };
	struct error e = { 0 };

	(void)state;
	world_open(&w);
	certs_add(&others, other_root);
	const struct {
		struct signer_cert c;
		int64_t when;
		int want;
	} cases[] = {
		{ { .purpose = "codeSigning" }, NOW, 0 },
		{ { .purpose = "codeSigning,clientAuth" }, NOW, 0 },
		{ { .purpose = "codeSigning", .from = NOW, .to = NOW + DAY }, NOW, 0 },
		{ { .purpose = "codeSigning", .from = NOW, .to = NOW + DAY }, NOW - 1, -EKEYEXPIRED },
		{ { .purpose = "codeSigning", .from = NOW, .to = NOW + DAY }, NOW + DAY + 1, -EKEYEXPIRED },
		{ { .purpose = "serverAuth" }, NOW, -EKEYREJECTED },
		{ { .purpose = "anyExtendedKeyUsage" }, NOW, -EKEYREJECTED },
		{ { .purpose = NULL }, NOW, -EKEYREJECTED },
		{ { .purpose = "codeSigning", .usage = "keyEncipherment" }, NOW, -EKEYREJECTED },
		{ { .purpose = "codeSigning", .sha1 = true }, NOW, -EKEYREJECTED },
		{ { .purpose = "codeSigning", .key = weak }, NOW, -EKEYREJECTED },
		{ { .purpose = "codeSigning", .issuer = w.root }, NOW, -EKEYREJECTED }, /* signed by another than it says */
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_x509_ X509 *leaf = leaf_of(&w, cases[i].c);

		e = (struct error){ 0 };
		int r = cert_verify(leaf, &w.between, &w.roots, cases[i].when, CERT_CODE_SIGNING, &e);
		if (r != cases[i].want)
			fail_msg("case %zu: %d: %s", i, r, e.text);
	}
	_cleanup_x509_ X509 *leaf = leaf_of(&w, (struct signer_cert){ .purpose = "codeSigning" });
	CHECK(cert_verify(leaf, &none, &w.roots, NOW, CERT_CODE_SIGNING, &e), -EKEYREJECTED);	/* stripped of what lies between */
	CHECK(cert_verify(leaf, &none, &w.between, NOW, CERT_CODE_SIGNING, &e), 0);		/* a pinned authority is an end */
	CHECK(cert_verify(leaf, &w.between, &none, NOW, CERT_CODE_SIGNING, &e), -EKEYREJECTED);
	CHECK(cert_verify(leaf, &w.between, &others, NOW, CERT_CODE_SIGNING, &e), -EKEYREJECTED); /* a root of the same name */
	CHECK(cert_verify(leaf, &w.between, &w.roots, NOW, CERT_TIMESTAMPING, &e), -EKEYREJECTED);
	_cleanup_x509_ X509 *unsaid = leaf_of(&w, (struct signer_cert){ .name = "unsaid" }),
			    *tls = leaf_of(&w, (struct signer_cert){ .purpose = "serverAuth" });
	CHECK(cert_verify(unsaid, &w.between, &w.roots, NOW, CERT_CODE_OR_UNSAID, &e), 0);
	CHECK(cert_verify(unsaid, &w.between, &w.roots, NOW, CERT_CODE_SIGNING, &e), -EKEYREJECTED);
	CHECK(cert_verify(unsaid, &w.between, &w.roots, NOW, CERT_TIMESTAMPING, &e), -EKEYREJECTED);
	CHECK(cert_verify(tls, &w.between, &w.roots, NOW, CERT_CODE_OR_UNSAID, &e), -EKEYREJECTED);
	CHECK(cert_verify(leaf, &w.between, &w.roots, NOW, CERT_CODE_OR_UNSAID, &e), 0);
	/* A leaf is no authority, whatever it signs. */
	_cleanup_x509_ X509 *below = leaf_of(&w, (struct signer_cert){ .purpose = "codeSigning", .issuer = leaf, .issuer_key = w.key,
								      .key = other_key });
	_cleanup_certs_ struct certs both = { 0 };
	certs_add(&both, leaf);
	certs_add(&both, w.mid);
	CHECK(cert_verify(below, &both, &w.roots, NOW, CERT_CODE_SIGNING, &e), -EKEYREJECTED);
}

/* An authority for something else cannot vouch for code. */
static void purpose_of_authority(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_x509_ X509 *mid = NULL, *leaf = NULL;
	_cleanup_certs_ struct certs between = { 0 };
	struct error e = { 0 };

	(void)state;
	world_open(&w);
	mid = signer_cert(&(struct signer_cert){ .name = "tls", .key = w.mid_key, .issuer = w.root, .issuer_key = w.root_key, .ca = true,
						.purpose = "serverAuth" });
	certs_add(&between, mid);
	leaf = leaf_of(&w, (struct signer_cert){ .issuer = mid, .purpose = "codeSigning" });
	CHECK(cert_verify(leaf, &between, &w.roots, NOW, CERT_CODE_SIGNING, &e), -EKEYREJECTED);
	assert_non_null(strstr(e.text, "something else"));
}

static void forms(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_certs_ struct certs c = { 0 };
	_cleanup_buf_ struct buf der = { 0 };
	_cleanup_x509_ X509 *again = NULL;
	unsigned char *raw = NULL;
	struct error e = { 0 };
	int n;

	(void)state;
	world_open(&w);
	_cleanup_free_ char *a = signer_cert_pem(w.root), *b = signer_cert_pem(w.mid), *two = xasprintf("%s%s", a, b),
			    *key = signer_public_pem(w.key), *mixed = xasprintf("%s%s", a, key);
	CHECK(certs_parse_pem(&c, two, strlen(two), "two", &e), 0);
	assert_int_equal(certs_len(&c), 2);
	assert_true(certs_have(&c, w.mid));
	CHECK(certs_parse_pem(&c, mixed, strlen(mixed), "mixed", &e), -EBADMSG);
	assert_non_null(strstr(e.text, "mixed: "));
	CHECK(certs_parse_pem(&c, "\n", 1, "blank", &e), -EBADMSG);
	n = i2d_X509(w.mid, &raw);
	buf_add(&der, raw, (size_t)n);
	OPENSSL_free(raw);
	for (size_t i = 0; i < der.len; i += 5)
		CHECK(cert_parse_der(der.data, i, &again, &e), -EBADMSG);
	CHECK(cert_parse_der(der.data, der.len, &again, &e), 0);
	buf_add(&der, "", 1);
	X509_free(again);
	again = NULL;
	CHECK(cert_parse_der(der.data, der.len, &again, &e), -EBADMSG);
}

static void names(void **state)
{
	_cleanup_world_ struct world w;
	struct error e = { 0 };

	(void)state;
	world_open(&w);
	_cleanup_x509_ X509 *good = leaf_of(&w, (struct signer_cert){ .san = "email:a@b.test,URI:https://x.test/y,DNS:h.test",
								     .fulcio_issuer = "https://login.test" }),
			    *nul = leaf_of(&w, (struct signer_cert){ .san = "email:a\x01@b.test", .fulcio_issuer_old = "https://old.test" }),
			    *twice = leaf_of(&w, (struct signer_cert){ .fulcio_issuer = "https://a", .fulcio_issuer_old = "https://b" }),
			    *same = leaf_of(&w, (struct signer_cert){ .fulcio_issuer = "https://a", .fulcio_issuer_old = "https://a" }),
			    *none = leaf_of(&w, (struct signer_cert){ .name = "x" });
	_cleanup_names_ struct cert_names n = { 0 }, m = { 0 };
	_cleanup_free_ char *issuer = NULL, *old = NULL, *both = NULL;

	CHECK(cert_names(good, &n, &e), 0);
	assert_string_equal(n.email[0], "a@b.test");
	assert_string_equal(n.uri[0], "https://x.test/y");
	assert_string_equal(n.dns[0], "h.test");
	CHECK(cert_names(nul, &m, &e), -EBADMSG);
	CHECK(cert_names(none, &m, &e), 0);
	assert_null(m.email);
	CHECK(cert_fulcio_issuer(good, &issuer, &e), 0);
	assert_string_equal(issuer, "https://login.test");
	CHECK(cert_fulcio_issuer(nul, &old, &e), 0);
	assert_string_equal(old, "https://old.test");
	CHECK(cert_fulcio_issuer(same, &both, &e), 0);
	CHECK(cert_fulcio_issuer(twice, &both, &e), -EBADMSG);
	CHECK(cert_fulcio_issuer(none, &both, &e), -EBADMSG);
}

static void promises(void **state)
{
	_cleanup_world_ struct world w;
	_cleanup_evp_ EVP_PKEY *log = signer_key("P-256"), *other = signer_key("P-256");
	_cleanup_x509_ X509 *leaf = NULL, *bare = NULL;
	_cleanup_pubkey_ struct pubkey *k = NULL, *o = NULL;
	struct error e = { 0 };

	(void)state;
	world_open(&w);
	leaf = leaf_of(&w, (struct signer_cert){ .purpose = "codeSigning", .san = "email:a@b.test" });
	bare = X509_dup(leaf);
	signer_add_sct(leaf, w.mid_key, w.mid, log);
	CHECK(pubkey_from_evp(log, &k, &e), 0);
	CHECK(pubkey_from_evp(other, &o, &e), 0);
	struct pubkey *both[] = { o, k };
	CHECK(cert_verify(leaf, &w.between, &w.roots, NOW, CERT_CODE_SIGNING, &e), 0);
	CHECK(cert_sct_verify(leaf, w.mid, both, 2, &e), 0);
	CHECK(cert_sct_verify(leaf, w.mid, &o, 1, &e), -EKEYREJECTED);
	CHECK(cert_sct_verify(leaf, w.root, both, 2, &e), -EKEYREJECTED); /* the promise names who issued */
	CHECK(cert_sct_verify(bare, w.mid, both, 2, &e), -EKEYREJECTED);
	/* The promise of another certificate. */
	_cleanup_x509_ X509 *thief = leaf_of(&w, (struct signer_cert){ .purpose = "codeSigning", .san = "email:c@d.test" });
	X509_add_ext(thief, X509_get_ext(leaf, X509_get_ext_by_NID(leaf, NID_ct_precert_scts, -1)), -1);
	X509_sign(thief, w.mid_key, EVP_sha256());
	CHECK(cert_sct_verify(thief, w.mid, both, 2, &e), -EKEYREJECTED);
}

static void stamps(void **state)
{
	static const char sig[] = "a signature";
	_cleanup_evp_ EVP_PKEY *root_key = signer_key("P-384"), *key = signer_key("P-256"), *other = signer_key("P-256");
	_cleanup_x509_ X509 *root = signer_cert(&(struct signer_cert){ .name = "tsa root", .key = root_key, .ca = true }), *cert = NULL,
			    *plain = NULL, *stranger = NULL;
	_cleanup_certs_ struct certs roots = { 0 }, with = { 0 }, strangers = { 0 };
	struct certs none = { 0 };
	_cleanup_buf_ struct buf b = { 0 };
	struct error e = { 0 };
	int64_t when = 0;

	(void)state;
	cert = signer_cert(&(struct signer_cert){ .name = "tsa", .key = key, .issuer = root, .issuer_key = root_key, .from = NOW - DAY,
						 .to = NOW + DAY, .purpose = "critical,timeStamping" });
	plain = signer_cert(&(struct signer_cert){ .name = "tsa", .key = key, .issuer = root, .issuer_key = root_key,
						  .purpose = "timeStamping" });
	stranger = signer_cert(&(struct signer_cert){ .name = "tsa root", .key = other, .ca = true });
	certs_add(&roots, root);
	certs_add(&with, cert);
	certs_add(&strangers, stranger);
	signer_stamp(key, cert, true, false, NOW, 256, sig, sizeof(sig), &b);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &none, &roots, &when, &e), 0);
	assert_int_equal(when, NOW);
	CHECK(timestamp_verify(b.data, b.len, true, sig, sizeof(sig), &none, &roots, &when, &e), -EBADMSG); /* no token */
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig) - 1, &none, &roots, &when, &e), -EKEYREJECTED);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &none, &strangers, &when, &e), -EKEYREJECTED);
	for (size_t n = 0; n < b.len; n += 41)
		CHECK(timestamp_verify(b.data, n, false, sig, sizeof(sig), &none, &roots, &when, &e), -EBADMSG);
	buf_add(&b, "", 1);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &none, &roots, &when, &e), -EBADMSG);
	signer_stamp(key, cert, true, true, NOW, 384, sig, sizeof(sig), &b);
	CHECK(timestamp_verify(b.data, b.len, true, sig, sizeof(sig), &none, &roots, &when, &e), 0);
	/* Without its certificate: known, or unknown. */
	signer_stamp(key, cert, false, false, NOW, 256, sig, sizeof(sig), &b);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &with, &roots, &when, &e), 0);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &none, &roots, &when, &e), -EKEYREJECTED);
	/* Outside the time of its maker, over a weak digest, and by one who may do more than that. */
	signer_stamp(key, cert, true, false, NOW + 2 * DAY, 256, sig, sizeof(sig), &b);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &none, &roots, &when, &e), -EKEYEXPIRED);
	signer_stamp(key, cert, true, false, NOW, 1, sig, sizeof(sig), &b);
	CHECK(timestamp_verify(b.data, b.len, false, sig, sizeof(sig), &none, &roots, &when, &e), -EBADMSG);
	CHECK(cert_verify(cert, &none, &roots, NOW, CERT_TIMESTAMPING, &e), 0);
	CHECK(cert_verify(plain, &none, &roots, NOW, CERT_TIMESTAMPING, &e), -EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains), cmocka_unit_test(purpose_of_authority), cmocka_unit_test(forms),
		cmocka_unit_test(names),  cmocka_unit_test(promises),		  cmocka_unit_test(stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
