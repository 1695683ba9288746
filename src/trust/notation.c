/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/notation.h"

#include "base/cleanup.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum { SKEW_S = 300 };

void notation_envelope_free(struct notation_envelope *v)
{
	buf_free(&v->input);
	buf_free(&v->payload);
	buf_free(&v->sig);
	buf_free(&v->stamp);
	certs_free(&v->chain);
	free(v->signing_scheme);
	free(v->content_type);
	strv_free(v->critical);
	*v = (struct notation_envelope){ 0 };
}

int notation_time(const char *text, int64_t *out)
{
	int y, mo, d, h, mi, s, oh = 0, om = 0, n = 0, m = 0;
	struct tm tm = { 0 };
	char sign = 'Z';
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";

	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == 'd' ? !(text[i] >= '0' && text[i] <= '9') : text[i] != shape[i])
			return -EBADMSG;
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &n) != 6 || n != (int)sizeof(shape) - 1)
		return -EBADMSG;
	sign = text[n];
	if (sign == 'Z') {
		if (text[n + 1])
			return -EBADMSG;
	} else if ((sign != '+' && sign != '-') || strlen(text + n) != 6 || text[n + 3] != ':' || strspn(text + n + 1, "0123456789") != 2 ||
		   strspn(text + n + 4, "0123456789") != 2 || sscanf(text + n + 1, "%2d:%2d%n", &oh, &om, &m) != 2 || oh > 23 || om > 59) {
		return -EBADMSG;
	}
	if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || s > 60)
		return -EBADMSG;
	tm = (struct tm){ .tm_year = y - 1900, .tm_mon = mo - 1, .tm_mday = d, .tm_hour = h, .tm_min = mi, .tm_sec = s };
	*out = (int64_t)timegm(&tm);
	if (tm.tm_mon != mo - 1) /* a 31st of a shorter month */
		return -EBADMSG;
	*out -= (sign == '-' ? -1 : 1) * (int64_t)(oh * 3600 + om * 60);
	return *out > 0 ? 0 : -EBADMSG;
}

/* One way for each kind and size of key (signature-specification.md, "Signature Algorithm Requirements"). */
static int check_algorithm(const struct notation_envelope *v, const struct pubkey *k, struct error *e)
{
	int hash = k->kind == PUBKEY_P256 || (k->kind == PUBKEY_RSA && k->bits == 2048) ? 256 :
		   k->kind == PUBKEY_P384 || (k->kind == PUBKEY_RSA && k->bits == 3072) ? 384 :
		   k->kind == PUBKEY_RSA && k->bits == 4096				? 512 :
											  0;
	enum pubkey_scheme scheme = k->kind == PUBKEY_RSA ? SCHEME_PSS : SCHEME_ECDSA;

	if (hash == 0)
		return error_set(e, EKEYREJECTED, "a kind or size of key that notation does not know");
	if (v->scheme != scheme || v->hash != hash)
		return error_set(e, EKEYREJECTED, "the signature's algorithm is not the one of its certificate's key");
	return 0;
}

static int check_signature(const struct notation_envelope *v, struct error *e)
{
	_cleanup_pubkey_ struct pubkey *k = NULL;
	int r = cert_pubkey(certs_at(&v->chain, 0), &k, e);

	if (r == 0)
		r = check_algorithm(v, k, e);
	if (r < 0)
		return r;
	if (v->scheme == SCHEME_ECDSA)
		return pubkey_verify_raw_ecdsa(k, v->hash, v->input.data, v->input.len, v->sig.data, v->sig.len, e);
	return pubkey_verify(k, v->scheme, v->hash, v->input.data, v->input.len, v->sig.data, v->sig.len, e);
}

/* Leaf to root in this order, each signed by the next, and the last one by itself. */
static int check_order(const struct certs *chain, struct error *e)
{
	int n = certs_len(chain);

	if (n == 0)
		return error_set(e, EBADMSG, "the signature brings no certificate");
	for (int i = 0; i < n; i++) {
		X509 *c = certs_at(chain, i), *by = certs_at(chain, i + 1 < n ? i + 1 : i);

		/* Whether those that sign may do so is asked later, of the chain to the policy's root. */
		if (X509_NAME_cmp(X509_get_issuer_name(c), X509_get_subject_name(by)) != 0 ||
		    X509_verify(c, X509_get0_pubkey(by)) != 1)
			return error_set(e, EKEYREJECTED, "the certificates are not a chain from the signer to a root, in this order");
	}
	return 0;
}

/* What must be understood is named, and nothing else is (RFC 7515 section 4.1.11; signature-envelope-jws.md). */
static int check_critical(const struct notation_envelope *v, bool authority, struct error *e)
{
	static const char *const known[] = { NOTARY "signingScheme", NOTARY "authenticSigningTime", NOTARY "expiry" };
	const bool there[] = { v->signing_scheme != NULL, v->authentic_time != 0, v->expiry != 0 };

	strv_foreach(it, v->critical) {
		_cleanup_free_ char *name = str_escape(*it);
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && !streq(known[i], *it))
			i++;
		if (i == ARRAY_SIZE(known))
			return error_set(e, EOPNOTSUPP, "the signature has a critical part that is not understood: %s", name);
		if (!there[i])
			return error_set(e, EBADMSG, "the signature calls a part critical that is not there: %s", name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (there[i] && !strv_has(v->critical, known[i]))
			return error_set(e, EBADMSG, "the signature does not call %s critical", known[i]);
	if (!there[0])
		return error_set(e, EBADMSG, "the signature has no " NOTARY "signingScheme");
	return there[1] == authority ? 0 : error_set(e, EBADMSG, "the signature's time is not that of its scheme");
}

static int check_headers(const struct notation_envelope *v, const struct sig_keys *keys, struct error *e)
{
	bool authority = streq(v->signing_scheme, "notary.x509.signingAuthority");
	int r = check_critical(v, authority, e);

	if (r < 0)
		return r;
	if (!authority && !streq(v->signing_scheme, "notary.x509"))
		return error_set(e, EOPNOTSUPP, "the signature's scheme is not notary.x509 or notary.x509.signingAuthority");
	if (authority != keys->signing_authority)
		return error_set(e, EKEYREJECTED, "the signature is %sof a signing authority, the policy's roots are %s",
				 authority ? "" : "not ", authority ? "not" : "such");
	if (v->plugin)
		return error_set(e, EOPNOTSUPP, "the signature wants a plugin of notation to verify it");
	if (!streq(v->content_type, NOTATION_PAYLOAD_TYPE))
		return error_set(e, EBADMSG, "the signature's content type is not " NOTATION_PAYLOAD_TYPE);
	if (!authority && v->signing_time == 0)
		return error_set(e, EBADMSG, "the signature has no " NOTARY "signingTime");
	if (v->expiry && keys->now >= v->expiry)
		return error_set(e, EKEYEXPIRED, "the signature has expired");
	return 0;
}

/* The time at which the certificates must be good: proven by a stamp, told by an authority, or now. */
static int find_time(const struct notation_envelope *v, const struct sig_keys *keys, int64_t *when, struct error *e)
{
	_cleanup_certs_ struct certs roots = { 0 };
	struct certs none = { 0 };
	int r = 0;

	*when = keys->now;
	if (keys->signing_authority) {
		*when = v->authentic_time;
	} else if (v->stamp.len > 0 && keys->n_timestamp_roots > 0) {
		for (size_t i = 0; r == 0 && i < keys->n_timestamp_roots; i++)
			r = certs_parse_pem(&roots, keys->timestamp_roots[i].data, keys->timestamp_roots[i].size,
					    keys->timestamp_roots[i].what, e);
		if (r == 0)
			r = timestamp_verify(v->stamp.data, v->stamp.len, true, v->sig.data, v->sig.len, &none, &roots, when, e);
	}
	if (r == 0 && *when > keys->now + SKEW_S)
		r = error_set(e, EKEYREJECTED, "the signature's time is in the future");
	return r;
}

static int check_chain(const struct notation_envelope *v, const struct sig_keys *keys, int64_t when, struct error *e)
{
	_cleanup_certs_ struct certs roots = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < keys->n_roots; i++)
		r = certs_parse_pem(&roots, keys->roots[i].data, keys->roots[i].size, keys->roots[i].what, e);
	if (r == 0 && certs_mislead(&v->chain))
		r = cert_verify_given(&v->chain, &roots, when, CERT_CODE_SIGNING, e);
	else if (r == 0)
		r = cert_verify(certs_at(&v->chain, 0), &v->chain, &roots, when, CERT_CODE_SIGNING, e);
	/* A root that vouches is pinned; those above it must be good at that time as well. */
	for (int i = 0; r == 0 && i < certs_len(&v->chain); i++)
		if (!cert_valid_at(certs_at(&v->chain, i), when))
			r = error_set(e, EKEYEXPIRED, "a certificate of the chain is not valid at the signature's time");
	return r;
}

static char *name_text(X509_NAME *n)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *out;
	long len;

	X509_NAME_print_ex(bio, n, 0, XN_FLAG_RFC2253);
	len = BIO_get_mem_data(bio, &data);
	out = xstrndup(len > 0 ? data : "", len > 0 ? (size_t)len : 0);
	BIO_free(bio);
	return out;
}

static int check_subject(const struct notation_envelope *v, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	X509 *leaf = certs_at(&v->chain, 0);
	_cleanup_free_ char *subject = name_text(X509_get_subject_name(leaf)), *issuer = name_text(X509_get_issuer_name(leaf)),
			    *shown = str_escape(subject);
	bool found = keys->subjects == NULL;

	strv_foreach(it, keys->subjects) {
		int r = notation_subject_is(leaf, *it, e);

		if (r < 0)
			return r;
		found = found || r == 1;
	}
	if (!found)
		return error_set(e, EKEYREJECTED, "the certificate is of \"%s\", which is none of the policy's identities", shown);
	out->signer = xasprintf("%s (%s)", subject, issuer);
	return 0;
}

/* {"targetArtifact":{"mediaType","digest","size","annotations"?}} and nothing beside it. */
static int read_payload(const struct buf *payload, struct sig_claim *out, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(payload->data, payload->len, "the payload", e);
	const json_t *t = json_object_get(j, "targetArtifact");
	json_t *notes = json_object_get(t, "annotations");
	const char *digest = str_after(json_string_value(json_object_get(t, "digest")) ?: "", "sha256:");
	size_t known = 3 + (notes != NULL) + (json_object_get(t, "artifactType") != NULL);

	if (!j)
		return e->code;
	if (!json_is_object(t) || json_object_size(j) != 1 || json_object_size(t) != known ||
	    !json_is_string(json_object_get(t, "mediaType")) || !json_is_integer(json_object_get(t, "size")) ||
	    (notes && !json_is_object(notes)))
		return error_set(e, EBADMSG, "the payload is not one targetArtifact with mediaType, digest and size");
	if (!digest || !hex_valid(digest, 64))
		return error_set(e, EBADMSG, "the payload's digest is not sha256: and 64 hex digits");
	memcpy(out->digest, digest, SIG_DIGEST_SIZE);
	out->more = json_pack("{s:O,s:O}", "mediaType", json_object_get(t, "mediaType"), "size", json_object_get(t, "size"));
	if (notes)
		json_object_set(out->more, "annotations", notes);
	return 0;
}

/* A certificate that nothing proves to have been good when it signed takes the signature with it when it ends. */
static void note_end(const struct notation_envelope *v, bool proven, struct sig_claim *out)
{
	int64_t end = proven ? INT64_MAX : certs_end(&v->chain);

	if (v->expiry && v->expiry < end)
		end = v->expiry;
	if (end != INT64_MAX)
		json_object_set_new(out->more, "expires", json_integer(end));
}

int notation_judge(const struct notation_envelope *v, const struct sig_keys *keys, struct sig_claim *out, struct error *e)
{
	_cleanup_claim_ struct sig_claim claim = { .digest = "" };
	int64_t when = 0;
	int r;

	if (keys->n_roots == 0)
		return error_set(e, EKEYREJECTED, "the policy has no root that could vouch for the signature");
	r = check_order(&v->chain, e);
	if (r == 0)
		r = check_signature(v, e);
	if (r == 0)
		r = check_headers(v, keys, e);
	if (r == 0)
		r = find_time(v, keys, &when, e);
	if (r == 0)
		r = check_chain(v, keys, when, e);
	if (r == 0)
		r = check_subject(v, keys, &claim, e);
	if (r == 0)
		r = read_payload(&v->payload, &claim, e);
	if (r < 0)
		return r;
	note_end(v, when != keys->now, &claim);
	claim.time = when != keys->now ? when : v->signing_time;
	*out = claim;
	claim = (struct sig_claim){ .digest = "" };
	return 0;
}
