/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/sigstore.h"

#include "base/cleanup.h"

#include <string.h>
#include <strings.h>

void sigstore_proof_free(struct sigstore_proof *p)
{
	buf_free(&p->sig);
	X509_free(p->leaf);
	certs_free(&p->between);
	for (size_t i = 0; i < p->n_entries; i++)
		log_entry_free(&p->entries[i]);
	for (size_t i = 0; i < p->n_stamps; i++)
		buf_free(&p->stamps[i]);
	*p = (struct sigstore_proof){ 0 };
}

struct key_list {
	struct pubkey **list;
	size_t n;
};

static void key_list_free(struct key_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		pubkey_free(&l->list[i]);
	free(l->list);
}
#define _cleanup_keys_ __attribute__((cleanup(key_list_free)))

static int read_keys(const struct sig_bytes *from, size_t n, struct key_list *out, struct error *e)
{
	out->list = xcalloc(n + 1, sizeof(*out->list));
	for (size_t i = 0; i < n; i++) {
		if (pubkey_parse(from[i].data, from[i].size, &out->list[i], e) < 0)
			return error_wrap(e, "%s", from[i].what);
		out->n++;
	}
	return 0;
}

static int read_certs(const struct sig_bytes *from, size_t n, struct certs *out, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = certs_parse_pem(out, from[i].data, from[i].size, from[i].what, e);
	return r;
}

/* Every time that something proves. */
struct times {
	int64_t list[SIGSTORE_ENTRIES_MAX + SIGSTORE_STAMPS_MAX];
	size_t n;
};

static int add_time(struct times *t, int64_t when, int64_t now, struct error *e)
{
	if (when > now + SIGSTORE_SKEW_S)
		return error_set(e, EKEYREJECTED, "the signature's time is in the future");
	t->list[t->n++] = when;
	return 0;
}

/* Entries of logs that the policy knows; without such a log in the policy nothing is looked at. */
static int prove_log(const struct sig_keys *keys, const struct sigstore_proof *p, const struct log_subject *s, struct times *t,
		     struct error *e)
{
	_cleanup_keys_ struct key_list logs = { 0 };
	int64_t when;
	int r = read_keys(keys->rekor, keys->n_rekor, &logs, e);

	if (r < 0 || logs.n == 0)
		return r;
	if (p->n_entries == 0)
		return error_set(e, EKEYREJECTED, "the signature has no entry of the transparency log that the policy wants");
	for (size_t i = 0; i < p->n_entries; i++) {
		r = log_verify(&p->entries[i], logs.list, logs.n, s, &when, e);
		if (r == 0 && when != 0)
			r = add_time(t, when, keys->now, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Stamps of makers that the policy knows. One of somebody else proves nothing and harms nothing; why none counted is left in `why`.
 */
static int prove_stamps(const struct sig_keys *keys, const struct sigstore_proof *p, struct times *t, struct error *why,
			struct error *e)
{
	_cleanup_certs_ struct certs roots = { 0 };
	int64_t when = 0;
	int r = read_certs(keys->timestamp_roots, keys->n_timestamp_roots, &roots, e);

	for (size_t i = 0; r == 0 && certs_len(&roots) > 0 && i < p->n_stamps; i++)
		/* Roots of stamps are given with what lies between: each of them is an end of trust, or helps to reach one. */
		if (timestamp_verify(p->stamps[i].data, p->stamps[i].len, false, p->sig.data, p->sig.len, &roots, &roots, &when,
				     why) == 0)
			r = add_time(t, when, keys->now, e);
	return r;
}

static int64_t earliest(const struct times *t)
{
	int64_t out = t->n ? t->list[0] : 0;

	for (size_t i = 1; i < t->n; i++)
		out = t->list[i] < out ? t->list[i] : out;
	return out;
}

static int check_signature(const struct pubkey *k, const struct sigstore_proof *p, const struct sigstore_content *c, struct error *e)
{
	if (!c->bytes)
		return pubkey_verify_digest(k, c->digest, p->sig.data, p->sig.len, e);
	return pubkey_verify_kind(k, c->bytes, c->n, p->sig.data, p->sig.len, e);
}

static struct log_subject subject_of(const struct sigstore_proof *p, const struct sigstore_content *c)
{
	return (struct log_subject){ .digest = c->digest, .payload = c->payload_type ? c->payload : NULL,
				     .payload_type = c->payload_type, .sig = p->sig.data, .sig_len = p->sig.len };
}

static int prove_key(const struct sig_keys *keys, const struct sigstore_proof *p, const struct sigstore_content *c,
		     struct sig_claim *out, struct error *e)
{
	_cleanup_keys_ struct key_list list = { 0 };
	const struct pubkey *by = NULL;
	struct times t = { 0 };
	int r = read_keys(keys->keys, keys->n_keys, &list, e);

	if (r < 0)
		return r;
	for (size_t i = 0; !by && i < list.n; i++) {
		r = check_signature(list.list[i], p, c, e);
		by = r == 0 ? list.list[i] : NULL;
	}
	if (!by)
		return r == -EOPNOTSUPP ? r : error_set(e, EKEYREJECTED, "the signature was not made by %s",
							list.n == 1 ? "the policy's key" : "any of the policy's keys");
	struct log_subject s = subject_of(p, c);
	s.key = by;
	r = prove_log(keys, p, &s, &t, e);
	if (r == 0)
		r = prove_stamps(keys, p, &t, NULL, e);
	if (r < 0)
		return r;
	out->time = earliest(&t);
	out->signer = xasprintf("sha256:%s", by->hex);
	return 0;
}

/* The signature's certificate is valid, and vouched for, at every proven time. *end: when the first of its chain ends. */
static int check_chain(const struct sig_keys *keys, const struct sigstore_proof *p, const struct times *t, int64_t *end,
		       struct error *e)
{
	_cleanup_certs_ struct certs roots = { 0 }, between = { 0 }, chain = { 0 };
	_cleanup_keys_ struct key_list logs = { 0 };
	enum cert_use use = keys->fulcio ? CERT_CODE_SIGNING : CERT_CODE_OR_UNSAID; /* podman's pki takes what says nothing */
	int r = read_certs(keys->roots, keys->n_roots, &roots, e);

	if (r == 0)
		r = read_certs(keys->intermediates, keys->n_intermediates, &between, e);
	for (int i = 0; i < certs_len(&p->between); i++)
		certs_add(&between, certs_at(&p->between, i));
	for (size_t i = 0; r == 0 && i < t->n; i++) {
		certs_free(&chain);
		r = cert_verify_chain(p->leaf, &between, &roots, t->list[i], use, &chain, e);
	}
	*end = certs_end(&chain);
	if (r == 0 && keys->fulcio && keys->n_ctlogs > 0) {
		r = read_keys(keys->ctlogs, keys->n_ctlogs, &logs, e);
		if (r == 0 && certs_len(&chain) < 2)
			r = error_set(e, EKEYREJECTED, "the certificate vouches for itself");
		if (r == 0)
			r = cert_sct_verify(p->leaf, certs_at(&chain, 1), logs.list, logs.n, e);
	}
	return r;
}

static int not_named(struct error *e, char *const *has, const char *want)
{
	_cleanup_free_ char *a = str_escape(has && has[0] ? has[0] : "nobody"), *b = str_escape(want);

	return error_set(e, EKEYREJECTED, "the certificate is of %s, not of %s", a, b);
}

static bool has_host(char *const *names, const char *want)
{
	strv_foreach(it, names)
		if (strcasecmp(*it, want) == 0)
			return true;
	return false;
}

static int check_identity(const struct sig_keys *keys, X509 *leaf, char **signer, struct error *e)
{
	_cleanup_names_ struct cert_names n = { 0 };
	_cleanup_free_ char *issuer = NULL;
	const char *who = keys->uri ? keys->uri : keys->email ? keys->email : keys->hostname;
	int r = cert_names(leaf, &n, e);

	if (r < 0)
		return r;
	if (!who || (keys->fulcio && (!keys->oidc_issuer || (!keys->email && !keys->uri))))
		return error_set(e, EINVAL, "the policy does not say whose certificate is wanted");
	if (keys->email && !strv_has(n.email, keys->email))
		return not_named(e, n.email ? n.email : n.uri, keys->email);
	if (keys->uri && !strv_has(n.uri, keys->uri))
		return not_named(e, n.uri ? n.uri : n.email, keys->uri);
	if (keys->hostname && !has_host(n.dns, keys->hostname))
		return not_named(e, n.dns, keys->hostname);
	if (keys->fulcio) {
		r = cert_fulcio_issuer(leaf, &issuer, e);
		if (r == 0 && !streq(issuer, keys->oidc_issuer)) {
			_cleanup_free_ char *a = str_escape(issuer), *b = str_escape(keys->oidc_issuer);

			r = error_set(e, EKEYREJECTED, "the certificate's holder was authenticated by %s, not by %s", a, b);
		}
		if (r < 0)
			return r;
	} else {
		char *text = X509_NAME_oneline(X509_get_issuer_name(leaf), NULL, 0);

		issuer = xstrdup(text ? text : "");
		OPENSSL_free(text);
	}
	*signer = xasprintf("%s (%s)", who, issuer);
	return 0;
}

static int prove_cert(const struct sig_keys *keys, const struct sigstore_proof *p, const struct sigstore_content *c,
		      struct sig_claim *out, struct error *e)
{
	_cleanup_pubkey_ struct pubkey *k = NULL;
	struct log_subject s = subject_of(p, c);
	struct times t = { 0 };
	struct error why = { 0 };
	int64_t end;
	bool proven;
	int r;

	if (!p->leaf)
		return error_set(e, EKEYREJECTED, "the signature brings no certificate, which the policy wants");
	s.cert = p->leaf;
	r = cert_pubkey(p->leaf, &k, e);
	if (r == 0)
		r = check_signature(k, p, c, e);
	if (r == 0)
		r = prove_log(keys, p, &s, &t, e);
	if (r == 0)
		r = prove_stamps(keys, p, &t, &why, e);
	if (r < 0)
		return r;
	proven = t.n > 0;
	if (!proven && keys->fulcio)
		return error_set(e, why.code ? why.code : EKEYREJECTED,
				 "nothing proves that the signature was made while its certificate was valid%s%s",
				 why.code ? ": " : "", why.text);
	if (!proven)
		t.list[t.n++] = keys->now;
	r = check_chain(keys, p, &t, &end, e);
	if (r == 0)
		r = check_identity(keys, p->leaf, &out->signer, e);
	if (r < 0)
		return r;
	if (proven)
		out->time = earliest(&t);
	else /* it was good now, and that is all that is known */
		out->more = json_pack("{s:I}", "expires", (json_int_t)end);
	return 0;
}

int sigstore_prove(const struct sig_keys *keys, const struct sigstore_proof *p, const struct sigstore_content *c,
		   struct sig_claim *out, struct error *e)
{
	if (keys->n_keys > 0)
		return prove_key(keys, p, c, out, e);
	if (keys->n_roots > 0)
		return prove_cert(keys, p, c, out, e);
	return error_set(e, EKEYREJECTED, "the policy has no key that could have made the signature");
}
