/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/cert.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum { CERT_MAX = 64 * 1024, SECURITY_LEVEL = 2 /* 112 bits; SSL_CTX_set_security_level(3) */ };

void certs_free(struct certs *c)
{
	sk_X509_pop_free(c->list, X509_free);
	c->list = NULL;
}

int certs_len(const struct certs *c)
{
	return c->list ? sk_X509_num(c->list) : 0;
}

X509 *certs_at(const struct certs *c, int i)
{
	return sk_X509_value(c->list, i);
}

void certs_add(struct certs *c, X509 *cert)
{
	if (!c->list)
		c->list = sk_X509_new_null();
	X509_up_ref(cert);
	if (!c->list || sk_X509_push(c->list, cert) <= 0)
		abort();
}

bool certs_have(const struct certs *c, X509 *cert)
{
	for (int i = 0; i < certs_len(c); i++)
		if (X509_cmp(certs_at(c, i), cert) == 0)
			return true;
	return false;
}

int cert_parse_der(const void *der, size_t n, X509 **out, struct error *e)
{
	const unsigned char *p = der;
	unsigned char *again = NULL;
	X509 *c = n > 0 && n <= CERT_MAX ? d2i_X509(NULL, &p, (long)n) : NULL;
	int len = c ? i2d_X509(c, &again) : 0;
	bool same = len > 0 && (size_t)len == n && memcmp(again, der, n) == 0;

	OPENSSL_free(again);
	if (!same) {
		X509_free(c);
		return error_set(e, EBADMSG, "not a certificate in DER's one form");
	}
	*out = c;
	return 0;
}

int certs_parse_pem(struct certs *c, const void *text, size_t n, const char *what, struct error *e)
{
	_cleanup_buf_ struct buf der = { 0 };
	const char *s = text, *end = s + n;
	char label[PEM_LABEL_MAX];
	int r, found = 0;

	while ((r = pem_next(&s, end, label, &der, e)) > 0) {
		_cleanup_x509_ X509 *cert = NULL;

		if (!streq(label, "CERTIFICATE"))
			r = error_set(e, EBADMSG, "a \"%s\" where a CERTIFICATE is wanted", label);
		else if (++found > CERT_CHAIN_MAX)
			r = error_set(e, EBADMSG, "more than %d certificates", CERT_CHAIN_MAX);
		else
			r = cert_parse_der(der.data, der.len, &cert, e);
		if (r < 0)
			break;
		certs_add(c, cert);
	}
	if (r == 0 && found == 0)
		r = error_set(e, EBADMSG, "no certificate");
	return r < 0 ? error_wrap(e, "%s", what) : 0;
}

int cert_pubkey(X509 *c, struct pubkey **out, struct error *e)
{
	EVP_PKEY *k = X509_get0_pubkey(c);

	if (!k)
		return error_set(e, EKEYREJECTED, "the certificate's key cannot be read");
	return pubkey_from_evp(k, out, e) < 0 ? error_wrap(e, "the certificate's key") : 0;
}

bool cert_valid_at(X509 *c, int64_t when)
{
	time_t t = (time_t)when;
	int begin = X509_cmp_time(X509_get0_notBefore(c), &t), end = X509_cmp_time(X509_get0_notAfter(c), &t);

	return begin == -1 && end == 1; /* X509_cmp_time: -1 is "before or at" */
}

int64_t certs_end(const struct certs *c)
{
	int64_t first = INT64_MAX;

	for (int i = 0; i < certs_len(c); i++) {
		struct tm tm = { 0 };
		int64_t end = ASN1_TIME_to_tm(X509_get0_notAfter(certs_at(c, i)), &tm) == 1 ? (int64_t)timegm(&tm) : 1;

		first = end < first ? end : first;
	}
	return first;
}

static int count_extension(X509 *c, int nid, bool *critical)
{
	int n = 0;

	for (int at = -1; (at = X509_get_ext_by_NID(c, nid, at)) >= 0; n++)
		*critical = X509_EXTENSION_get_critical(X509_get_ext(c, at)) != 0;
	return n;
}

/* What libcrypto 3.0 has no purpose for, or is lenient about. */
int cert_check_leaf(X509 *leaf, enum cert_use use, struct error *e)
{
	uint32_t extended, usage = X509_get_key_usage(leaf); /* all bits when there is none */
	bool critical = false;
	int n = count_extension(leaf, NID_ext_key_usage, &critical);

	extended = X509_get_extended_key_usage(leaf);
	if (n == 0 && use == CERT_CODE_OR_UNSAID)
		extended = XKU_CODE_SIGN;
	else if (n != 1 || extended == UINT32_MAX)
		return error_set(e, EKEYREJECTED, "the certificate does not say what it is for (extended key usage)");
	if (use != CERT_TIMESTAMPING && !(extended & XKU_CODE_SIGN))
		return error_set(e, EKEYREJECTED, "the certificate is not for signing code");
	if (use == CERT_TIMESTAMPING && (extended != XKU_TIMESTAMP || !critical))
		return error_set(e, EKEYREJECTED, "the certificate is not for timestamps alone");
	if (!(usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return error_set(e, EKEYREJECTED, "the certificate's key is not for signatures (key usage)");
	return 0;
}

/* An authority that says what it is for may vouch for nothing else; libcrypto asks that of leaves only. */
int cert_check_authorities(const struct certs *chain, enum cert_use use, struct error *e)
{
	uint32_t want = (use == CERT_TIMESTAMPING ? XKU_TIMESTAMP : XKU_CODE_SIGN) | XKU_ANYEKU;

	for (int i = 1; i < certs_len(chain); i++)
		if (!(X509_get_extended_key_usage(certs_at(chain, i)) & want))
			return error_set(e, EKEYREJECTED, "an authority in the chain is for something else (extended key usage)");
	return 0;
}

static int chain_error(int why, struct error *e)
{
	bool expired = why == X509_V_ERR_CERT_HAS_EXPIRED || why == X509_V_ERR_CERT_NOT_YET_VALID;

	return error_set(e, expired ? EKEYEXPIRED : EKEYREJECTED, "the certificate: %s", X509_verify_cert_error_string(why));
}

int cert_verify_chain(X509 *leaf, const struct certs *between, const struct certs *roots, int64_t when, enum cert_use use,
		      struct certs *chain, struct error *e)
{
	X509_STORE *store;
	X509_STORE_CTX *ctx;
	X509_VERIFY_PARAM *p;
	int r = cert_check_leaf(leaf, use, e), why = X509_V_ERR_UNSPECIFIED;

	if (r < 0)
		return r;
	if (certs_len(roots) == 0)
		return error_set(e, EKEYREJECTED, "no root was given that could vouch for the certificate");
	store = X509_STORE_new();
	ctx = X509_STORE_CTX_new();
	if (!store || !ctx)
		abort();
	for (int i = 0; i < certs_len(roots); i++)
		X509_STORE_add_cert(store, certs_at(roots, i));
	if (X509_STORE_CTX_init(ctx, store, leaf, between->list) != 1)
		abort();
	p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(p, (time_t)when);
	X509_VERIFY_PARAM_set_depth(p, CERT_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(p, SECURITY_LEVEL);
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
	if (X509_verify_cert(ctx) == 1) {
		STACK_OF(X509) *found = X509_STORE_CTX_get0_chain(ctx);

		for (int i = 0; i < sk_X509_num(found); i++)
			certs_add(chain, sk_X509_value(found, i));
		r = cert_check_authorities(chain, use, e);
	} else {
		why = X509_STORE_CTX_get_error(ctx);
		r = chain_error(why, e);
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

int cert_verify(X509 *leaf, const struct certs *between, const struct certs *roots, int64_t when, enum cert_use use,
		struct error *e)
{
	_cleanup_certs_ struct certs chain = { 0 };

	return cert_verify_chain(leaf, between, roots, when, use, &chain, e);
}
