/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises of certificate transparency logs inside a certificate (RFC 6962 section 3.3). libcrypto reads them, but takes the keys of
 * logs from a file only; what a log signed is written here.
 */
#include "trust/cert.h"

#include "base/cleanup.h"

#include <openssl/ct.h>
#include <openssl/x509v3.h>
#include <string.h>

static void put(struct buf *b, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		unsigned char c = (unsigned char)(value >> (8 * i));

		buf_add(b, &c, 1);
	}
}

/* The part that is signed of a certificate without the promises: what the log saw. */
static int without_promises(X509 *c, struct buf *out, struct error *e)
{
	X509 *copy = X509_dup(c);
	unsigned char *der = NULL;
	X509_EXTENSION *gone;
	int at, n;

	if (!copy)
		abort();
	at = X509_get_ext_by_NID(copy, NID_ct_precert_scts, -1);
	gone = at >= 0 ? X509_delete_ext(copy, at) : NULL;
	X509_EXTENSION_free(gone);
	n = gone ? i2d_re_X509_tbs(copy, &der) : -1;
	X509_free(copy);
	if (n <= 0 || n >= 1 << 24) {
		OPENSSL_free(der);
		return error_set(e, EBADMSG, "the certificate cannot be written without its promises");
	}
	put(out, (uint64_t)n, 3);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return 0;
}

static int check(SCT *s, const struct pubkey *key, const unsigned char issuer[static 32], const struct buf *tbs)
{
	_cleanup_buf_ struct buf m = { 0 };
	unsigned char *extensions, *sig;
	size_t n, n_sig;

	put(&m, 0, 1); /* version 1 */
	put(&m, 0, 1); /* certificate_timestamp */
	put(&m, SCT_get_timestamp(s), 8);
	put(&m, 1, 2); /* precert_entry */
	buf_add(&m, issuer, 32);
	buf_add(&m, tbs->data, tbs->len);
	n = SCT_get0_extensions(s, &extensions);
	put(&m, n, 2);
	buf_add(&m, extensions, n);
	n_sig = SCT_get0_signature(s, &sig);
	if (key->kind == PUBKEY_RSA)
		return pubkey_verify(key, SCHEME_PKCS1, 256, m.data, m.len, sig, n_sig, NULL);
	if (key->kind == PUBKEY_P256 || key->kind == PUBKEY_P384)
		return pubkey_verify(key, SCHEME_ECDSA, 256, m.data, m.len, sig, n_sig, NULL);
	return -EKEYREJECTED;
}

static int any_promise(STACK_OF(SCT) *list, struct pubkey *const *keys, size_t n_keys, const unsigned char issuer[static 32],
		       const struct buf *tbs, struct error *e)
{
	for (int i = 0; i < sk_SCT_num(list); i++) {
		SCT *s = sk_SCT_value(list, i);
		unsigned char *id;
		size_t n = SCT_get0_log_id(s, &id);

		if (SCT_get_version(s) != SCT_VERSION_V1 || n != 32)
			continue;
		for (size_t k = 0; k < n_keys; k++)
			if (memcmp(keys[k]->fingerprint, id, 32) == 0 && check(s, keys[k], issuer, tbs) == 0)
				return 0;
	}
	return error_set(e, EKEYREJECTED, "none of the given certificate logs has promised to record the certificate");
}

int cert_sct_verify(X509 *c, X509 *issuer, struct pubkey *const *keys, size_t n_keys, struct error *e)
{
	STACK_OF(SCT) *list = X509_get_ext_d2i(c, NID_ct_precert_scts, NULL, NULL);
	_cleanup_buf_ struct buf tbs = { 0 };
	unsigned char of_issuer[32];
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &der), r;

	if (n <= 0)
		abort();
	sha256(der, (size_t)n, of_issuer);
	OPENSSL_free(der);
	if (!list)
		return error_set(e, EKEYREJECTED, "the certificate has no promise of a certificate log");
	r = without_promises(c, &tbs, e);
	if (r == 0)
		r = any_promise(list, keys, n_keys, of_issuer, &tbs, e);
	SCT_LIST_free(list);
	return r;
}
