/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains that are given in their order. libcrypto builds chains by names, and takes a certificate whose issuer has the same name as itself
 * for its own issuer when no key identifiers say otherwise: notation's own test authorities make such ones. Here nothing is looked for:
 * each certificate is vouched for by the next, up to one that is pinned, byte for byte.
 */
#include "trust/cert.h"

#include <openssl/x509v3.h>

enum { SECURITY_BITS = 112 };

/* Names alone say that it issued itself, its signature does not. */
static bool misleads(X509 *c)
{
	return X509_NAME_cmp(X509_get_subject_name(c), X509_get_issuer_name(c)) == 0 && X509_verify(c, X509_get0_pubkey(c)) != 1;
}

bool certs_mislead(const struct certs *chain)
{
	for (int i = 0; i < certs_len(chain); i++)
		if (misleads(certs_at(chain, i)))
			return true;
	return false;
}

static bool is_strong(X509 *c, bool pinned)
{
	EVP_PKEY *k = X509_get0_pubkey(c);
	int bits = 0;

	if (!k || EVP_PKEY_get_security_bits(k) < SECURITY_BITS)
		return false;
	/* What signed a pinned one is of no interest. */
	return pinned || (X509_get_signature_info(c, NULL, NULL, &bits, NULL) == 1 && bits >= SECURITY_BITS);
}

/* `below`: how many authorities stand between it and the leaf. */
static bool may_issue(X509 *c, long below)
{
	long most = X509_get_pathlen(c);

	return X509_check_ca(c) == 1 && (X509_get_key_usage(c) & KU_KEY_CERT_SIGN) && (most < 0 || below <= most) &&
	       X509_get_ext_by_NID(c, NID_name_constraints, -1) < 0;
}

/* Extensions that are critical and not understood, or cannot be read. */
static bool is_readable(X509 *c)
{
	return !(X509_get_extension_flags(c) & (EXFLAG_CRITICAL | EXFLAG_INVALID));
}

int cert_verify_given(const struct certs *chain, const struct certs *roots, int64_t when, enum cert_use use, struct error *e)
{
	int n = certs_len(chain), top = 1;
	struct certs used = { 0 };
	int r = n > 0 ? cert_check_leaf(certs_at(chain, 0), use, e) : error_set(e, EBADMSG, "no certificate");

	if (r < 0)
		return r;
	while (top < n && !certs_have(roots, certs_at(chain, top)))
		top++;
	if (top >= n || n > CERT_CHAIN_MAX)
		return error_set(e, EKEYREJECTED, "the certificate: none of its chain is a root that is pinned");
	for (int i = 0; r == 0 && i <= top; i++) {
		X509 *c = certs_at(chain, i), *by = i < top ? certs_at(chain, i + 1) : NULL;

		certs_add(&used, c);
		if (!is_readable(c))
			r = error_set(e, EKEYREJECTED, "the certificate: one of its chain has an extension that is not understood");
		else if (!is_strong(c, i == top))
			r = error_set(e, EKEYREJECTED, "the certificate: one of its chain has a key or a digest that is too weak");
		else if (!cert_valid_at(c, when))
			r = error_set(e, EKEYEXPIRED, "the certificate: one of its chain is not valid at the signature's time");
		else if (i > 0 && !may_issue(c, i - 1))
			r = error_set(e, EKEYREJECTED, "the certificate: one of its chain may not vouch for another");
		else if (by && (X509_check_issued(by, c) != X509_V_OK || X509_verify(c, X509_get0_pubkey(by)) != 1))
			r = error_set(e, EKEYREJECTED, "the certificate: one of its chain was not issued by the next");
	}
	if (r == 0)
		r = cert_check_authorities(&used, use, e);
	certs_free(&used);
	return r;
}
