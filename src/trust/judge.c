/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/judge.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "trust/identity.h"
#include "trust/policy.h"

#include <stdio.h>
#include <string.h>

/* cosign's own mark for "this is a signature and no attestation of something else". */
static const char plain_predicate[] = "https://sigstore.dev/cosign/sign/v1";

typedef int (*verifier)(const struct sig_blob *b, const struct sig_keys *keys, struct sig_claim *out, struct error *e);

static const struct {
	enum sig_kind kind;
	enum require_type type;
	verifier verify;
} verifiers[] = {
	{ SIG_COSIGN_SIMPLE, REQUIRE_SIGSTORE, cosign_simple_verify },
	{ SIG_COSIGN_ATTESTATION, REQUIRE_SIGSTORE, cosign_attestation_verify },
	{ SIG_SIGSTORE_BUNDLE, REQUIRE_SIGSTORE, sigstore_bundle_verify },
	{ SIG_NOTATION_JWS, REQUIRE_NOTATION, notation_jws_verify },
	{ SIG_NOTATION_COSE, REQUIRE_NOTATION, notation_cose_verify },
};

/* Key material of one requirement, as the verifiers take it. */
struct material {
	struct sig_keys keys;
	struct sig_bytes *lists[6];
};

static const struct sig_bytes *list_of(const struct key_parts *p, struct sig_bytes **keep)
{
	*keep = xcalloc(p->n + 1, sizeof(**keep));
	for (size_t i = 0; i < p->n; i++)
		(*keep)[i] = (struct sig_bytes){ p->list[i].data, p->list[i].size, p->list[i].path };
	return *keep;
}

static void material_init(const struct requirement *r, int64_t now, struct material *m)
{
	m->keys = (struct sig_keys){
		.keys = list_of(&r->keys, &m->lists[0]), .n_keys = r->keys.n,
		.roots = list_of(&r->roots, &m->lists[1]), .n_roots = r->roots.n,
		.intermediates = list_of(&r->intermediates, &m->lists[2]), .n_intermediates = r->intermediates.n,
		.rekor = list_of(&r->rekor, &m->lists[3]), .n_rekor = r->rekor.n,
		.timestamp_roots = list_of(&r->timestamps, &m->lists[4]), .n_timestamp_roots = r->timestamps.n,
		.ctlogs = list_of(&r->ctlogs, &m->lists[5]), .n_ctlogs = r->ctlogs.n,
		.signing_authority = r->signing_authority,
		.fulcio = r->fulcio, .oidc_issuer = r->oidc_issuer, .email = r->email, .hostname = r->hostname, .uri = r->uri,
		.subjects = r->subjects, .now = now,
	};
}

static void material_free(struct material *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->lists); i++)
		free(m->lists[i]);
}

/* 1: of a kind that this requirement is about, with the claim; 0: of another. */
static int verify(const struct judged *j, size_t i, size_t k, const struct sig_keys *keys, struct sig_claim *c, struct error *e)
{
	const struct requirement *r = &j->q->require.list[k];
	const struct sig_blob *b = &j->blobs[i];

	if (b->kind == SIG_GPG_SIMPLE && r->type == REQUIRE_GPG) {
		const struct gpg_said *said = j->said ? j->said(j->arg, i, k) : NULL;
		int err = said ? gpg_judge(said, c, e) : error_set(e, EIO, "gpgv was not asked");

		return err < 0 ? err : 1;
	}
	for (size_t v = 0; v < ARRAY_SIZE(verifiers); v++) {
		if (verifiers[v].kind != b->kind || verifiers[v].type != r->type)
			continue;
		int err = verifiers[v].verify(b, keys, c, e);

		return err < 0 ? err : 1;
	}
	return 0;
}

/* A verdict of brig vet: it passed there, and had nothing worse than is let pass here. A count that is not there is no zero. */
static int check_vetted(const struct requirement *r, const json_t *predicate, struct error *e)
{
	const json_t *counts = json_object_get(predicate, "counts");

	if (!streq(json_string_value(json_object_get(predicate, "verdict")), "passed"))
		return error_set(e, EKEYREJECTED, "it does not say that the image passed brig vet");
	for (size_t i = 0; r->at_most && require_vet_levels[i] && !streq(require_vet_levels[i], r->at_most); i++) {
		const json_t *n = json_object_get(counts, require_vet_levels[i]);

		if (!json_is_integer(n))
			return error_set(e, EKEYREJECTED, "it does not say how many findings of level %s there are", require_vet_levels[i]);
		if (json_integer_value(n) != 0)
			return error_set(e, EKEYREJECTED, "it tells of findings of level %s, and trust.json lets pass at most %s",
					 require_vet_levels[i], r->at_most);
	}
	return 0;
}

/* What an attestation is of must be what is asked for; a signature must not be an attestation: an SBOM is no approval. */
static int check_predicate(const struct requirement *r, const struct sig_claim *c, struct error *e)
{
	const char *type = json_string_value(json_object_get(c->more, "predicateType"));
	const json_t *predicate = json_object_get(c->more, "predicate");
	const char *builder;

	if (!r->predicate_type)
		return !type || streq(type, plain_predicate) ? 0 :
			       error_set(e, EKEYREJECTED, "it is an attestation (%.100s), not a signature", type);
	if (!streq(type, r->predicate_type))
		return error_set(e, EKEYREJECTED, "it is no attestation of %.150s", r->predicate_type);
	if (streq(type, VET_PREDICATE))
		return check_vetted(r, predicate, e);
	if (!r->builder)
		return 0;
	/* SLSA provenance v1, and v0.2 */
	builder = json_string_value(json_object_get(json_object_get(json_object_get(predicate, "runDetails"), "builder"), "id"));
	if (!builder)
		builder = json_string_value(json_object_get(json_object_get(predicate, "builder"), "id"));
	return streq(builder, r->builder) ? 0 : error_set(e, EKEYREJECTED, "it was not built by %.150s", r->builder);
}

static int check_digest(const struct judged *j, const struct sig_claim *c, struct error *e)
{
	if (streq(c->digest, j->q->manifest))
		return 0;
	if (!streq(c->digest, j->q->top))
		return error_set(e, EKEYREJECTED, "it was made for another image, sha256:%.12s", c->digest);
	return j->index_fits ? 0 : error_set(e, EKEYREJECTED, "it was made for an index that is not here or has not this image; pull it again");
}

/* How long a signature counts: the scope's expiry, the requirement's maxAge, whichever is less; 0: for ever. */
static int64_t age_of(const struct asking *q, const struct requirement *r)
{
	return q->expiry_s && (!r->max_age_s || q->expiry_s < r->max_age_s) ? q->expiry_s : r->max_age_s;
}

/* A verdict of brig vet says itself when it was made; its signer is believed that as a GPG signature's maker is. */
static void take_time(struct sig_claim *c)
{
	const char *when = json_string_value(json_object_get(json_object_get(c->more, "predicate"), "timeVerified"));
	uint64_t ns;

	if (c->time || !streq(json_string_value(json_object_get(c->more, "predicateType")), VET_PREDICATE))
		return;
	if (when && strchr(when, 'T') && clock_parse(when, &ns) == 0)
		c->time = (int64_t)(ns / 1000000000);
}

static int check_time(const struct asking *q, const struct requirement *r, const struct sig_claim *c, struct error *e)
{
	int64_t age = age_of(q, r);

	if (!age && !q->not_before)
		return 0;
	if (!c->time)
		return error_set(e, EKEYREJECTED, "it does not say when it was made, which trust.json wants to know");
	if (c->time > q->now + 300)
		return error_set(e, EKEYREJECTED, "it was made in the future");
	if (q->not_before && c->time < q->not_before)
		return error_set(e, EKEYREJECTED, "it is older than notBefore of trust.json allows");
	if (age && q->now - c->time >= age)
		return error_set(e, EKEYEXPIRED, "it has expired by trust.json");
	return 0;
}

/*
 * The tag that was signed when it is a whole version (1.4 up: "1" moves), else what the image says of itself, which the signature
 * covers as well.
 */
static int check_version(const struct judged *j, const struct sig_claim *c, struct error *e)
{
	const char *want = j->q->minimum_version, *colon = c->identity ? strrchr(c->identity, ':') : NULL;
	const char *have = colon && !strchr(colon, '/') && strchr(colon, '.') && policy_version_valid(colon + 1) ? colon + 1 : j->version;

	if (!want)
		return 0;
	if (!have || !policy_version_valid(have))
		return error_set(e, EKEYREJECTED, "it does not say which version this is; minimumVersion of trust.json is %.60s", want);
	return policy_version_compare(have, want) >= 0 ? 0 :
		       error_set(e, EKEYREJECTED, "version %.60s is older than minimumVersion of trust.json, %.60s", have, want);
}

static void limit_until(struct answered *out, int64_t until)
{
	if (until > 0 && (out->until == 0 || until < out->until))
		out->until = until;
}

static int check_claim(const struct judged *j, const struct requirement *r, struct sig_claim *c, struct error *e)
{
	int err = check_digest(j, c, e);

	take_time(c);
	if (err == 0)
		err = check_predicate(r, c, e);
	if (err == 0 && !identity_fits(&r->identity, j->q->image, c->identity, r->own_scope || r->predicate_type, e))
		err = -EKEYREJECTED;
	if (err == 0)
		err = check_time(j->q, r, c, e);
	return err == 0 ? check_version(j, c, e) : err;
}

struct tally {
	char **signers;
	struct buf refused; /* reasons, a few, each once */
	char **reasons;
	size_t n_refused;
};

static void note_refused(struct tally *t, const struct error *e)
{
	size_t n = e->hint ? e->hint : strlen(e->text);

	while (n > 0 && (e->text[n - 1] == '\n' || e->text[n - 1] == ' '))
		n--;
	_cleanup_free_ char *reason = xstrndup(e->text, n < 140 ? n : 140);

	if (strv_has(t->reasons, reason) || t->n_refused++ >= 3)
		return;
	buf_printf(&t->refused, "%s%s", t->n_refused > 1 ? "; " : "", reason);
	strv_add_copy(&t->reasons, reason);
}

static void weigh(const struct judged *j, size_t k, struct tally *t, struct answered *out)
{
	const struct requirement *r = &j->q->require.list[k];
	struct material m;

	material_init(r, j->q->now, &m);
	for (size_t i = 0; i < j->n; i++) {
		_cleanup_claim_ struct sig_claim c = { .digest = "" };
		struct error e = { 0 };
		int err = verify(j, i, k, &m.keys, &c, &e);

		if (err == 0)
			continue;
		if (err > 0)
			err = check_claim(j, r, &c, &e);
		if (err < 0) {
			note_refused(t, &e);
			continue;
		}
		if (!strv_has(t->signers, c.signer ? c.signer : "?"))
			strv_add_copy(&t->signers, c.signer ? c.signer : "?");
		if (age_of(j->q, r))
			limit_until(out, c.time + age_of(j->q, r));
		limit_until(out, json_integer_value(json_object_get(c.more, "expires")));
	}
	material_free(&m);
}

void judge(const struct judged *j, struct answered *out)
{
	_cleanup_buf_ struct buf by = { 0 };

	*out = (struct answered){ 0 };
	for (size_t k = 0; k < j->q->require.n; k++) {
		const struct requirement *r = &j->q->require.list[k];
		_cleanup_free_ char *words = require_words(r);
		_cleanup_strv_ char **signers = NULL, **reasons = NULL;
		_cleanup_buf_ struct buf refused = { 0 };
		struct tally t = { 0 };
		size_t have;

		weigh(j, k, &t, out);
		signers = t.signers;
		reasons = t.reasons;
		refused = t.refused;
		have = strv_len(signers);
		if (have >= r->threshold) {
			strv_foreach(s, signers)
				buf_printf(&by, "%s%.100s", by.len ? ", " : "", *s);
			continue;
		}
		if (r->threshold > 1)
			snprintf(out->reason, sizeof(out->reason), "%zu of %llu different signers by %s%s%s", have,
				 (unsigned long long)r->threshold, words, refused.len ? ": " : "", refused.len ? refused.data : "");
		else if (refused.len)
			snprintf(out->reason, sizeof(out->reason), "no good signature by %s: %s%s", words, refused.data,
				 t.n_refused > 3 ? "; ..." : "");
		else
			snprintf(out->reason, sizeof(out->reason), "it has no signature by %s", words);
		return;
	}
	out->met = true;
	snprintf(out->reason, sizeof(out->reason), "%s", by.len ? by.data : "");
}
