/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates (RFC 5280) through libcrypto: chains to pinned roots at a given time, and who a certificate says that its holder is.
 * Nothing here asks the machine's own roots, its clock or the network.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "trust/pubkey.h"

#include <openssl/x509.h>

static inline void cleanup_x509(X509 **c)
{
	X509_free(*c);
}
#define _cleanup_x509_ __attribute__((cleanup(cleanup_x509)))

/* A list of certificates. Zero-initialise; free with certs_free(). */
struct certs {
	STACK_OF(X509) *list; /* NULL: none */
};
void certs_free(struct certs *c);
#define _cleanup_certs_ __attribute__((cleanup(certs_free)))
int certs_len(const struct certs *c);
X509 *certs_at(const struct certs *c, int i); /* borrowed */
void certs_add(struct certs *c, X509 *cert);  /* takes its own reference */
bool certs_have(const struct certs *c, X509 *cert);

enum { CERT_CHAIN_MAX = 16 };

/* One certificate of DER, all of it. */
int cert_parse_der(const void *der, size_t n, X509 **out, struct error *e);
/* Adds each block of PEM text, of which none is anything else and one at least is there. */
int certs_parse_pem(struct certs *c, const void *text, size_t n, const char *what, struct error *e);

enum cert_use {
	CERT_CODE_SIGNING, /* extended key usage code signing must be there; key usage, if there is one, allows signatures */
	CERT_CODE_OR_UNSAID, /* the same, but a certificate that does not say what it is for is for everything (RFC 5280 section 4.2.1.12) */
	CERT_TIMESTAMPING, /* nothing but timestamping, critical (RFC 3161 section 2.3) */
};

/*
 * Is `leaf` vouched for by one of `roots`, of which each is an end of trust, at `when` (seconds since the epoch)? Keys and digests
 * below 112 bits (SHA-1, RSA 1024) are refused. -EKEYEXPIRED: at that time one was not valid; -EKEYREJECTED: anything else.
 */
int cert_verify(X509 *leaf, const struct certs *between, const struct certs *roots, int64_t when, enum cert_use use,
		struct error *e);
/* The chain that cert_verify() found, leaf first. */
int cert_verify_chain(X509 *leaf, const struct certs *between, const struct certs *roots, int64_t when, enum cert_use use,
		      struct certs *chain, struct error *e);

/* Parts of it: what a leaf and the authorities above it (`chain` from the leaf up) must say that they are for. */
int cert_check_leaf(X509 *leaf, enum cert_use use, struct error *e);
int cert_check_authorities(const struct certs *chain, enum cert_use use, struct error *e);

/*
 * The same of a chain in its order, leaf first, for those where names mislead (cert_given.c): one above the leaf must be among the roots,
 * byte for byte. Authorities with name constraints are refused.
 */
bool certs_mislead(const struct certs *chain);
int cert_verify_given(const struct certs *chain, const struct certs *roots, int64_t when, enum cert_use use, struct error *e);

int cert_pubkey(X509 *c, struct pubkey **out, struct error *e);
/* Is it valid at this time, its own dates alone? */
bool cert_valid_at(X509 *c, int64_t when);

/* When the first of them ends; INT64_MAX: there is none. */
int64_t certs_end(const struct certs *c);

/* The names of subjectAltName, each owned. A name with a NUL or control characters is -EBADMSG. */
struct cert_names {
	char **email, **uri, **dns, **other; /* `other`: Fulcio's user names, 1.3.6.1.4.1.57264.1.7 */
};
int cert_names(X509 *c, struct cert_names *out, struct error *e);
void cert_names_free(struct cert_names *n);
#define _cleanup_names_ __attribute__((cleanup(cert_names_free)))

/*
 * Who authenticated the holder, as Fulcio writes it (fulcio docs/oid-info.md): 1.3.6.1.4.1.57264.1.8, a DER UTF8String, or .1.1, the
 * bytes themselves; if both are there, they must say the same. The caller frees. -EBADMSG: neither, twice, or not text.
 */
int cert_fulcio_issuer(X509 *c, char **out, struct error *e);

/*
 * Has one of the logs (RFC 6962) given a promise for this certificate of `issuer`, in its extension? `keys`: of the logs.
 */
int cert_sct_verify(X509 *c, X509 *issuer, struct pubkey *const *keys, size_t n_keys, struct error *e);

/*
 * An RFC 3161 timestamp over `data`: a whole response, or with `token` its token alone. `roots` must vouch, at the stamp's own time, for
 * whoever made it; certificates that it does not carry may stand in `between`. The time in seconds since the epoch into *when.
 */
int timestamp_verify(const void *der, size_t n, bool token, const void *data, size_t data_len, const struct certs *between,
		     const struct certs *roots, int64_t *when, struct error *e);
