/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/cert.h"

#include "base/cleanup.h"

#include <openssl/err.h>
#include <openssl/ts.h>
#include <string.h>
#include <time.h>

enum { TIMESTAMP_MAX = 128 * 1024 };

/* The token of a response that was granted, or the token itself; NULL: neither. */
static PKCS7 *read_token(const void *der, size_t n, bool token)
{
	const unsigned char *p = der, *end = p + n;
	PKCS7 *out = NULL;
	TS_RESP *r;

	if (n == 0 || n > TIMESTAMP_MAX)
		return NULL;
	if (token) {
		out = d2i_PKCS7(NULL, &p, (long)n);
	} else if ((r = d2i_TS_RESP(NULL, &p, (long)n))) {
		long status = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(r)));

		if ((status == TS_STATUS_GRANTED || status == TS_STATUS_GRANTED_WITH_MODS) && TS_RESP_get_token(r))
			out = PKCS7_dup(TS_RESP_get_token(r));
		TS_RESP_free(r);
	}
	if (out && (p != end || !PKCS7_type_is_signed(out))) {
		PKCS7_free(out);
		out = NULL;
	}
	return out;
}

static int time_of(const TS_TST_INFO *info, int64_t *when, struct error *e)
{
	struct tm tm = { 0 };

	if (ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &tm) != 1)
		return error_set(e, EBADMSG, "the timestamp has no time");
	*when = (int64_t)timegm(&tm);
	return 0;
}

/* Imprints shorter than SHA-256's prove nothing. */
static int check_imprint(TS_TST_INFO *info, struct error *e)
{
	const ASN1_OBJECT *algorithm;
	int nid;

	X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(TS_TST_INFO_get_msg_imprint(info)));
	nid = OBJ_obj2nid(algorithm);
	if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512)
		return error_set(e, EBADMSG, "the timestamp is over a weak digest");
	return 0;
}

/* Whoever signed the token, among its own certificates and `between`. */
static int check_signer(PKCS7 *token, const struct certs *between, const struct certs *roots, int64_t when, struct error *e)
{
	STACK_OF(X509) *signers = PKCS7_get0_signers(token, between->list, 0);
	_cleanup_certs_ struct certs all = { 0 };
	int r;

	if (!signers || sk_X509_num(signers) != 1) {
		sk_X509_free(signers);
		return error_set(e, EKEYREJECTED, "the timestamp does not show who made it");
	}
	for (int i = 0; i < certs_len(between); i++)
		certs_add(&all, certs_at(between, i));
	for (int i = 0; token->d.sign->cert && i < sk_X509_num(token->d.sign->cert); i++)
		certs_add(&all, sk_X509_value(token->d.sign->cert, i));
	r = cert_verify(sk_X509_value(signers, 0), &all, roots, when, CERT_TIMESTAMPING, e);
	sk_X509_free(signers);
	return r < 0 ? error_wrap(e, "the timestamp's maker") : 0;
}

/* libcrypto's own check of the signature, its attributes (RFC 5816) and the imprint, at the time that the stamp says. */
static int check_token(PKCS7 *token, const void *data, size_t n, const struct certs *between, const struct certs *roots,
		       int64_t when, struct error *e)
{
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *extra = between->list ? X509_chain_up_ref(between->list) : NULL;
	bool good;

	if (!ctx || !store)
		abort();
	for (int i = 0; i < certs_len(roots); i++)
		X509_STORE_add_cert(store, certs_at(roots, i));
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)when);
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	TS_VERIFY_CTX_set_store(ctx, store); /* the context owns store, certificates and data from here */
	TS_VERIFY_CTX_set_certs(ctx, extra);
	TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_DATA | TS_VFY_SIGNATURE);
	TS_VERIFY_CTX_set_data(ctx, BIO_new_mem_buf(data, (int)n));
	good = TS_RESP_verify_token(ctx, token) == 1;
	TS_VERIFY_CTX_free(ctx);
	ERR_clear_error();
	return good ? 0 : error_set(e, EKEYREJECTED, "the timestamp is not over this signature, or not by who it says");
}

int timestamp_verify(const void *der, size_t n, bool token, const void *data, size_t data_len, const struct certs *between,
		     const struct certs *roots, int64_t *when, struct error *e)
{
	PKCS7 *t = read_token(der, n, token);
	TS_TST_INFO *info = t ? PKCS7_to_TS_TST_INFO(t) : NULL;
	int r;

	if (!info)
		r = error_set(e, EBADMSG, "not a timestamp (RFC 3161)");
	else
		r = check_imprint(info, e);
	if (r == 0)
		r = time_of(info, when, e);
	if (r == 0)
		r = check_signer(t, between, roots, *when, e);
	if (r == 0)
		r = check_token(t, data, data_len, between, roots, *when, e);
	TS_TST_INFO_free(info);
	PKCS7_free(t);
	ERR_clear_error();
	return r;
}
