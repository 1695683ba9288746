/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every format against every confusion, judged as brig-trust judges them: from blobs and a requirement to yes or no with its reason. Each
 * wrong signature is the right one with one change.
 *
 *			cosign key  keyless	bundle	 bundle keyless	notation JWS, COSE   GPG
 *	good		runs	    runs	runs	 runs		runs		     runs
 *	other image	no	    no		no	 no		no		     no
 *	other name	no	    no		no (1)	 no (1)		no (1)		     no
 *	stripped	no	    no		no	 no		no		     no
 *	truncated	no	    no		no	 no		no		     no
 *	wrong key	no	    no		no	 no		no		     no
 *	expired		no	    no		no	 no		no		     no
 *	revoked		(2)	    (2)		(2)	 (2)		(2)		     no
 *	weak digest	no	    no		no	 no		no		     no
 *	key's type	no	    no		no	 no		no		     no
 *	two, one bad	runs	    runs	runs	 runs		runs		     runs
 *	duplicate keys	no	    no		no	 no		no		     no
 *	swapped cert	runs (3)    no		runs (3) no		no		     (4)
 *
 * (1) it signs no name: its keys must stand for this repository alone, and where they do not it vouches for none. (2) the format has no
 * revocation that could be verified offline: who takes the key out of the policy has "wrong key". (3) the policy names a key, so what the
 * signature brings of certificates is not looked at. (4) it brings none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "signer_notation.h"
#include "signer_sigstore.h"
#include "trust/encode.h"
#include "trust/judge.h"

#include <string.h>

#define NAME "q.io/a/b:1"
enum { DAY = 86400 };

enum format { COSIGN_KEY, COSIGN_KEYLESS, BUNDLE_KEY, BUNDLE_KEYLESS, JWS, COSE, GPG, FORMATS };
static const char *const formats[] = { "cosign key", "keyless", "bundle", "bundle keyless", "JWS", "COSE", "GPG" };

enum confusion { GOOD, OTHER_IMAGE, OTHER_NAME, STRIPPED, TRUNCATED, WRONG_KEY, EXPIRED, REVOKED, WEAK_DIGEST, KEY_TYPE, TWO, DUPLICATE, SWAPPED,
		 CONFUSIONS };
static const char *const confusions[] = { "good", "other image", "other name", "stripped", "truncated", "wrong key", "expired", "revoked",
					  "weak digest", "key's type", "two, one bad", "duplicate keys", "swapped certificate" };

/* What the reason says; NULL: it is met; "-": there is no such thing. */
static const char *const wanted[CONFUSIONS][FORMATS] = {
	[GOOD] = { NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	[OTHER_IMAGE] = { "another image", "another image", "another image", "another image", "another image", "another image", "another image" },
	[OTHER_NAME] = { "made for q.io/a/c", "made for q.io/a/c", "signs no name", "signs no name", "signs no name", "signs no name",
			 "made for q.io/a/c" },
	[STRIPPED] = { "signature", "signature", "signature", "signature", "signature", "signature", "no signed message" },
	[TRUNCATED] = { "not made by", "not made by", "bundle", "bundle", "", "", "changed after" },
	[WRONG_KEY] = { "not made by", "certificate", "not made by", "certificate", "certificate", "certificate", "none of those" },
	[EXPIRED] = { "does not say when", "expired", "does not say when", "expired", "expired", "expired", "expired" },
	[REVOKED] = { "-", "-", "-", "-", "-", "-", "revoked" },
	[WEAK_DIGEST] = { "not made by", "not made by", "not made by", "not made by", "", "", "too weak" },
	[KEY_TYPE] = { "not made by", "", "not made by", "", "algorithm", "algorithm", "of a kind" },
	[TWO] = { NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	[DUPLICATE] = { "duplicate", "duplicate", "duplicate", "duplicate", "duplicate", "duplicate", "duplicate" },
	[SWAPPED] = { NULL, "not made by this key", NULL, "not made by this key", "not made by this key", "not made by this key", "-" },
};

struct world {
	struct sigstore s, other;
	EVP_PKEY *rsa;
	X509 *weak, *rsa_leaf;
	char *rsa_pem;
};

static void world_open(struct world *w)
{
	*w = (struct world){ .rsa = signer_key("RSA") };
	sigstore_open(&w->s);
	sigstore_open(&w->other);
	w->rsa_pem = signer_public_pem(w->rsa);
	struct signer_cert c = { .name = "leaf", .key = w->s.leaf_key, .issuer = w->s.mid, .issuer_key = w->s.mid_key, .purpose = "codeSigning",
				 .san = "email:" PERSON, .fulcio_issuer = ISSUER, .sha1 = true };
	w->weak = signer_cert(&c);
	c.sha1 = false;
	c.key = w->rsa;
	w->rsa_leaf = signer_cert(&c);
}

static void world_close(struct world *w)
{
	sigstore_close(&w->s);
	sigstore_close(&w->other);
	EVP_PKEY_free(w->rsa);
	X509_free(w->weak);
	X509_free(w->rsa_leaf);
	free(w->rsa_pem);
}
#define _cleanup_world_ __attribute__((cleanup(world_close)))

/* One signature: what a registry or a lookaside sent. */
struct made {
	enum sig_kind kind;
	struct buf data;
	json_t *notes;
	struct gpg_said said;
};

static void made_free(struct made *m)
{
	buf_free(&m->data);
	json_decref(m->notes);
	free(m->said.status);
	free(m->said.payload);
}

static bool is_keyless(enum format f)
{
	return f == COSIGN_KEYLESS || f == BUNDLE_KEYLESS;
}

static const char *hex_of(enum confusion c)
{
	return c == OTHER_IMAGE ? OTHER_HEX : IMAGE_HEX;
}

static void weak_signature(EVP_PKEY *k, const void *data, size_t n, char **b64)
{
	_cleanup_buf_ struct buf sig = { 0 };

	signer_sign(k, 1, SIGNER_PKCS1, data, n, &sig);
	*b64 = base64_encode(sig.data, sig.len);
}

static void make_simple(struct world *w, enum format f, enum confusion c, struct made *m)
{
	static const char *const sig = "dev.cosignproject.cosign/signature", *const cert = "dev.sigstore.cosign/certificate";
	_cleanup_free_ char *payload = sigstore_payload(hex_of(c), c == OTHER_NAME ? "q.io/a/c:1" : NAME), *weak = NULL;

	if (c == DUPLICATE) {
		char *two = xasprintf("{\"critical\":{},%s", payload + 1);

		free(payload);
		payload = two;
	}
	m->kind = SIG_COSIGN_SIMPLE;
	m->notes = sigstore_annotations(&w->s, payload, is_keyless(f));
	if (c == STRIPPED)
		json_object_del(m->notes, sig);
	if (c == WEAK_DIGEST) {
		weak_signature(is_keyless(f) ? w->s.leaf_key : w->s.pair, payload, strlen(payload), &weak);
		json_object_set_new(m->notes, sig, json_string(weak));
	}
	if (c == SWAPPED)
		json_object_set_new(m->notes, cert, json_string(w->other.leaf_pem));
	if (c == KEY_TYPE && is_keyless(f)) {
		_cleanup_free_ char *pem = signer_cert_pem(w->rsa_leaf);

		json_object_set_new(m->notes, cert, json_string(pem));
	}
	buf_add(&m->data, payload, c == TRUNCATED ? strlen(payload) / 2 : strlen(payload));
}

static void make_bundle(struct world *w, enum format f, enum confusion c, struct made *m)
{
	_cleanup_free_ char *statement = sigstore_statement("https://sigstore.dev/cosign/sign/v1"), *text = NULL, *weak = NULL;
	_cleanup_json_ json_t *j = NULL;
	json_t *envelope, *material;

	if (c == OTHER_IMAGE)
		memcpy(strstr(statement, IMAGE_HEX), OTHER_HEX, 64);
	if (c == DUPLICATE) {
		char *two = xasprintf("{\"predicateType\":\"x\",%s", statement + 1);

		free(statement);
		statement = two;
	}
	j = sigstore_bundle(&w->s, statement, is_keyless(f));
	envelope = json_object_get(j, "dsseEnvelope");
	material = json_object_get(j, "verificationMaterial");
	if (c == STRIPPED)
		json_object_set_new(envelope, "signatures", json_array());
	if (c == WEAK_DIGEST) {
		_cleanup_free_ char *pae = xasprintf("DSSEv1 28 application/vnd.in-toto+json %zu %s", strlen(statement), statement);

		weak_signature(is_keyless(f) ? w->s.leaf_key : w->s.pair, pae, strlen(pae), &weak);
		json_object_set_new(json_array_get(json_object_get(envelope, "signatures"), 0), "sig", json_string(weak));
	}
	if (c == SWAPPED || (c == KEY_TYPE && is_keyless(f))) {
		_cleanup_free_ char *cert = signer_cert_b64(c == SWAPPED ? w->other.leaf : w->rsa_leaf);

		json_object_del(material, "publicKey");
		json_object_set_new(material, "certificate", json_pack("{s:s}", "rawBytes", cert));
	}
	text = json_text(j);
	m->kind = SIG_SIGSTORE_BUNDLE;
	buf_add(&m->data, text, c == TRUNCATED ? strlen(text) / 2 : strlen(text));
}

static void make_notation(struct world *w, enum format f, enum confusion c, struct made *m)
{
	bool cose = f == COSE;
	_cleanup_free_ char *payload = signer_artifact(hex_of(c));
	struct signer_envelope v = { .key = w->s.leaf_key, .chain = { w->s.leaf, w->s.mid, w->s.root }, .alg = "ES256",
				     .headers = signer_headers(cose, SIGNED_AT) };

	if (c == DUPLICATE) {
		char *two = xasprintf("{\"targetArtifact\":{},%s", payload + 1);

		free(payload);
		payload = two;
	}
	v.payload = payload;
	if (c == EXPIRED) {
		json_object_set_new(v.headers, "io.cncf.notary.expiry", cose ? json_integer(SIGNED_AT + 5) : json_string("2023-11-14T22:13:25Z"));
		json_array_append_new(json_object_get(v.headers, "crit"), json_string("io.cncf.notary.expiry"));
	}
	if (c == WEAK_DIGEST)
		v.chain[0] = w->weak;
	if (c == SWAPPED) {
		v.chain[0] = w->other.leaf;
		v.chain[1] = w->other.mid;
		v.chain[2] = w->other.root;
	}
	if (c == KEY_TYPE)
		v.alg = "ES384";
	m->kind = cose ? SIG_NOTATION_COSE : SIG_NOTATION_JWS;
	if (cose)
		signer_cose(&v, &m->data);
	else
		signer_jws(&v, &m->data);
	if (c == TRUNCATED)
		m->data.len /= 2;
	if (c == STRIPPED && !cose) {
		_cleanup_json_ json_t *j = json_loadb(m->data.data, m->data.len, 0, NULL);
		_cleanup_free_ char *text = NULL;

		json_object_del(j, "signature");
		text = json_text(j);
		buf_free(&m->data);
		buf_puts(&m->data, text);
	}
	if (c == STRIPPED && cose) { /* the last 66 bytes are the signature and its head, 0x58 0x40 */
		m->data.len -= 66;
		buf_add(&m->data, "\x40", 1);
	}
}

/* gpgv's words, as it says them (tests/integration/trust_policy.bats has gpgv itself). */
static void make_gpg(struct world *w, enum confusion c, struct made *m)
{
	const char *hex = hex_of(c), *name = c == OTHER_NAME ? "q.io/a/c:1" : NAME, *word = "GOODSIG";
	struct buf status = { 0 };

	(void)w;
	m->kind = SIG_GPG_SIMPLE;
	buf_puts(&m->data, "message");
	m->said.payload = xasprintf("{%s\"critical\":{\"identity\":{\"docker-reference\":\"%s\"},\"image\":{\"docker-manifest-digest\":\"sha256:%s\"},"
				    "\"type\":\"atomic container signature\"},\"optional\":{}}", c == DUPLICATE ? "\"critical\":{}," : "", name, hex);
	m->said.n_payload = strlen(m->said.payload);
	if (c == STRIPPED) {
		buf_puts(&status, "[GNUPG:] NODATA 1\n");
	} else if (c == WRONG_KEY) {
		buf_puts(&status, "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG 1122334455667788 1 8 00 1700000000 9 -\n[GNUPG:] NO_PUBKEY 1122334455667788\n");
	} else {
		word = c == TRUNCATED ? "BADSIG" : c == EXPIRED ? "EXPKEYSIG" : c == REVOKED ? "REVKEYSIG" : word;
		buf_printf(&status, "[GNUPG:] PLAINTEXT 62 1700000000 \n[GNUPG:] NEWSIG\n[GNUPG:] %s 1122334455667788 a <a@b>\n", word);
		if (c != TRUNCATED)
			buf_printf(&status, "[GNUPG:] VALIDSIG AA 2023-11-14 1700000000 0 4 0 %d %d 00 AA\n", c == KEY_TYPE ? 17 : 22,
				   c == WEAK_DIGEST ? 2 : 10);
	}
	m->said.exit = c == STRIPPED || c == WRONG_KEY || c == TRUNCATED;
	m->said.n_status = status.len;
	m->said.status = buf_steal(&status);
}

static void make(struct world *w, enum format f, enum confusion c, struct made *m)
{
	*m = (struct made){ 0 };
	if (f == GPG)
		make_gpg(w, c, m);
	else if (f == JWS || f == COSE)
		make_notation(w, f, c, m);
	else if (f == BUNDLE_KEY || f == BUNDLE_KEYLESS)
		make_bundle(w, f, c, m);
	else
		make_simple(w, f, c, m);
}

/* A piece of the policy. */
static void give(struct key_parts *to, const char *text)
{
	to->list = xcalloc(1, sizeof(*to->list));
	to->list[0] = (struct key_part){ .path = xstrdup("the policy"), .data = xstrdup(text), .size = strlen(text) };
	to->n = 1;
}

static void require(struct world *w, enum format f, enum confusion c, struct asking *q)
{
	const struct sigstore *s = c == WRONG_KEY ? &w->other : &w->s;
	struct requirement *r;

	*q = (struct asking){ .image = xstrdup(NAME), .now = SIGNED_AT + 60, .expiry_s = c == EXPIRED && f < JWS ? 30 : 0 };
	memcpy(q->manifest, IMAGE_HEX, sizeof(q->manifest));
	memcpy(q->top, IMAGE_HEX, sizeof(q->top));
	q->require.list = r = xcalloc(1, sizeof(*r));
	q->require.n = 1;
	r->threshold = 1;
	r->type = f == GPG ? REQUIRE_GPG : f == JWS || f == COSE ? REQUIRE_NOTATION : REQUIRE_SIGSTORE;
	r->identity.type = f == GPG || f == COSIGN_KEY || f == COSIGN_KEYLESS ? IDENTITY_REPO_DIGEST_OR_EXACT : IDENTITY_REPOSITORY;
	r->own_scope = c != OTHER_NAME;
	if (f == GPG) {
		give(&r->keys, "ring");
	} else if (f == COSIGN_KEY || f == BUNDLE_KEY) {
		give(&r->keys, c == KEY_TYPE ? w->rsa_pem : s->pair_pem);
	} else {
		give(&r->roots, s->root_pem);
	}
	if (is_keyless(f)) {
		give(&r->intermediates, s->mid_pem);
		give(&r->rekor, w->s.log_pem);
		r->fulcio = true;
		r->oidc_issuer = xstrdup(ISSUER);
		r->email = xstrdup(PERSON);
	}
}

static const struct gpg_said *said_of(void *arg, size_t i, size_t k)
{
	struct made *all = arg;

	(void)k;
	return &all[i].said;
}

static void ask(struct world *w, enum format f, enum confusion c, const enum confusion *which, size_t n, struct answered *out)
{
	struct made all[2];
	struct sig_blob blobs[2];
	struct asking q;

	for (size_t i = 0; i < n; i++) {
		make(w, f, which[i], &all[i]);
		blobs[i] = (struct sig_blob){ .kind = all[i].kind, .data = all[i].data.data, .size = all[i].data.len, .annotations = all[i].notes,
					      .subject = IMAGE_HEX };
	}
	require(w, f, c, &q);
	judge(&(struct judged){ .q = &q, .blobs = blobs, .n = n, .said = said_of, .arg = all }, out);
	asking_free(&q);
	for (size_t i = 0; i < n; i++)
		made_free(&all[i]);
}

static void check(enum format f, enum confusion c, const struct answered *a)
{
	const char *want = wanted[c][f];

	if (a->met != !want || (want && !strstr(a->reason, want)))
		fail_msg("%s, %s: %s: %s", formats[f], confusions[c], a->met ? "met" : "not met", a->reason);
	if (!a->met && !strstr(a->reason, "no good signature"))
		fail_msg("%s, %s: %s", formats[f], confusions[c], a->reason);
}

static void matrix(void **state)
{
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (int f = 0; f < FORMATS; f++) {
		for (int c = 0; c < CONFUSIONS; c++) {
			static const enum confusion two[2][2] = { { OTHER_IMAGE, GOOD }, { GOOD, WEAK_DIGEST } };
			const enum confusion one = (enum confusion)c;
			struct answered a;

			if (streq(wanted[c][f], "-"))
				continue;
			for (int i = 0; i < (c == TWO ? 2 : 1); i++) {
				ask(&w, (enum format)f, (enum confusion)c, c == TWO ? two[i] : &one, c == TWO ? 2 : 1, &a);
				check((enum format)f, (enum confusion)c, &a);
			}
		}
	}
}

/* A signature of one format counts for the requirements of no other, and none at all is none. */
static void formats_apart(void **state)
{
	_cleanup_world_ struct world w;

	(void)state;
	world_open(&w);
	for (int f = 0; f < FORMATS; f++) {
		for (int g = 0; g < FORMATS; g++) {
			bool same_type = (f < JWS && g < JWS) || ((f == JWS || f == COSE) && (g == JWS || g == COSE)) || f == g;
			struct made m;
			struct asking q;
			struct answered a;

			if (same_type)
				continue;
			make(&w, (enum format)f, GOOD, &m);
			require(&w, (enum format)g, GOOD, &q);
			struct sig_blob b = { .kind = m.kind, .data = m.data.data, .size = m.data.len, .annotations = m.notes, .subject = IMAGE_HEX };
			judge(&(struct judged){ .q = &q, .blobs = &b, .n = 1, .said = said_of, .arg = &m }, &a);
			if (a.met || !strstr(a.reason, "it has no signature by"))
				fail_msg("%s for %s: %s", formats[f], formats[g], a.reason);
			judge(&(struct judged){ .q = &q, .n = 0 }, &a);
			assert_false(a.met);
			asking_free(&q);
			made_free(&m);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(matrix), cmocka_unit_test(formats_apart) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
