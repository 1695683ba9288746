/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer.h"
#include "trust/encode.h"
#include "trust/pubkey.h"

#include <openssl/ct.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { YEAR_2020 = 1577836800, YEAR_2040 = 2208988800 };

static void extend(X509 *c, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *x = value ? X509V3_EXT_nconf_nid(NULL, ctx, nid, value) : NULL;

	if (!value)
		return;
	assert_non_null(x);
	assert_int_equal(X509_add_ext(c, x, -1), 1);
	X509_EXTENSION_free(x);
}

static void extend_raw(X509 *c, const char *oid, const void *data, size_t n)
{
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	X509_EXTENSION *x;

	assert_int_equal(ASN1_OCTET_STRING_set(s, data, (int)n), 1);
	x = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
	assert_int_equal(X509_add_ext(c, x, -1), 1);
	X509_EXTENSION_free(x);
	ASN1_OBJECT_free(o);
	ASN1_OCTET_STRING_free(s);
}

static void add_fulcio(X509 *out, const struct signer_cert *c)
{
	if (c->fulcio_issuer_old)
		extend_raw(out, "1.3.6.1.4.1.57264.1.1", c->fulcio_issuer_old, strlen(c->fulcio_issuer_old));
	if (c->fulcio_issuer) {
		unsigned char der[128] = { 0x0c, (unsigned char)strlen(c->fulcio_issuer) };

		assert_true(strlen(c->fulcio_issuer) < 120);
		memcpy(der + 2, c->fulcio_issuer, der[1]);
		extend_raw(out, "1.3.6.1.4.1.57264.1.8", der, (size_t)der[1] + 2);
	}
}

X509 *signer_cert(const struct signer_cert *c)
{
	static int serial = 1;
	EVP_PKEY *by = c->issuer_key ? c->issuer_key : c->key;
	X509 *out = X509_new();
	X509V3_CTX ctx;

	X509_set_version(out, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out), serial++);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "C", MBSTRING_ASC, (const unsigned char *)"DE", -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "O", MBSTRING_ASC, (const unsigned char *)"Brig", -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "CN", MBSTRING_UTF8, (const unsigned char *)c->name, -1, -1, 0);
	X509_set_issuer_name(out, X509_get_subject_name(c->issuer ? c->issuer : out));
	ASN1_TIME_set(X509_getm_notBefore(out), (time_t)(c->from ? c->from : YEAR_2020));
	ASN1_TIME_set(X509_getm_notAfter(out), (time_t)(c->to ? c->to : YEAR_2040));
	X509_set_pubkey(out, c->key);
	X509V3_set_ctx(&ctx, c->issuer ? c->issuer : out, out, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	extend(out, &ctx, NID_basic_constraints, c->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	extend(out, &ctx, NID_key_usage, c->usage ? c->usage : c->ca ? "critical,keyCertSign" : "critical,digitalSignature");
	extend(out, &ctx, NID_subject_key_identifier, "hash");
	extend(out, &ctx, NID_ext_key_usage, c->purpose);
	extend(out, &ctx, NID_subject_alt_name, c->san);
	add_fulcio(out, c);
	assert_true(X509_sign(out, by, EVP_PKEY_get_base_id(by) == EVP_PKEY_ED25519 ? NULL : c->sha1 ? EVP_sha1() : EVP_sha256()) > 0);
	return out;
}

static void cert_der(X509 *c, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_X509(c, &der);

	assert_true(n > 0);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
}

char *signer_cert_pem(X509 *c)
{
	_cleanup_buf_ struct buf der = { 0 };
	struct buf pem = { 0 };

	cert_der(c, &der);
	pem_write(&pem, "CERTIFICATE", der.data, der.len);
	return buf_steal(&pem);
}

char *signer_cert_b64(X509 *c)
{
	_cleanup_buf_ struct buf der = { 0 };

	cert_der(c, &der);
	return base64_encode(der.data, der.len);
}

static void put(struct buf *b, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		unsigned char c = (unsigned char)(value >> (8 * i));

		buf_add(b, &c, 1);
	}
}

void signer_add_sct(X509 *c, EVP_PKEY *issuer_key, X509 *issuer, EVP_PKEY *log)
{
	_cleanup_buf_ struct buf m = { 0 }, sig = { 0 }, spki = { 0 }, log_spki = { 0 }, list = { 0 };
	unsigned char *tbs = NULL, sum[32];
	int n = i2d_re_X509_tbs(c, &tbs);

	assert_true(n > 0);
	signer_public_der(X509_get0_pubkey(issuer), &spki);
	signer_public_der(log, &log_spki);
	put(&m, 0, 2);
	put(&m, 1700000000000, 8);
	put(&m, 1, 2);
	sha256(spki.data, spki.len, sum);
	buf_add(&m, sum, 32);
	put(&m, (uint64_t)n, 3);
	buf_add(&m, tbs, (size_t)n);
	put(&m, 0, 2);
	OPENSSL_free(tbs);
	signer_sign(log, 256, SIGNER_PKCS1, m.data, m.len, &sig);
	/* OCTET STRING { list length, { length, version, log, time, no extensions, sha256, ecdsa, signature } } */
	size_t one = 1 + 32 + 8 + 2 + 2 + 2 + sig.len;

	assert_true(one + 4 < 128);
	put(&list, 4, 1);
	put(&list, one + 4, 1);
	put(&list, one + 2, 2);
	put(&list, one, 2);
	put(&list, 0, 1);
	sha256(log_spki.data, log_spki.len, sum);
	buf_add(&list, sum, 32);
	put(&list, 1700000000000, 8);
	put(&list, 0, 2);
	put(&list, 0x0403, 2);
	put(&list, sig.len, 2);
	buf_add(&list, sig.data, sig.len);
	extend_raw(c, "1.3.6.1.4.1.11129.2.4.2", list.data, list.len);
	assert_true(X509_sign(c, issuer_key, EVP_sha256()) > 0);
}

static int stamp_time(TS_RESP_CTX *ctx, void *when, long *sec, long *usec)
{
	(void)ctx;
	*sec = (long)*(int64_t *)when;
	*usec = 0;
	return 1;
}

static ASN1_INTEGER *stamp_serial(TS_RESP_CTX *ctx, void *data)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();

	(void)ctx;
	(void)data;
	ASN1_INTEGER_set(n, 7);
	return n;
}

static void request(int hash, bool with, const void *data, size_t n, BIO *to)
{
	const EVP_MD *md = hash == 1 ? EVP_sha1() : hash == 384 ? EVP_sha384() : EVP_sha256();
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	unsigned char sum[EVP_MAX_MD_SIZE];
	TS_REQ *q = TS_REQ_new();
	unsigned len;

	X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(md)), V_ASN1_NULL, NULL);
	assert_int_equal(EVP_Digest(data, n, sum, &len, md, NULL), 1);
	TS_MSG_IMPRINT_set_algo(imprint, algorithm);
	TS_MSG_IMPRINT_set_msg(imprint, sum, (int)len);
	TS_REQ_set_version(q, 1);
	TS_REQ_set_msg_imprint(q, imprint);
	TS_REQ_set_cert_req(q, with);
	assert_int_equal(i2d_TS_REQ_bio(to, q), 1);
	TS_REQ_free(q);
	TS_MSG_IMPRINT_free(imprint);
	X509_ALGOR_free(algorithm);
}

void signer_stamp(EVP_PKEY *k, X509 *cert, bool with, bool token, int64_t when, int hash, const void *data, size_t n, struct buf *out)
{
	ASN1_OBJECT *policy = OBJ_txt2obj("1.2.3.4.1", 1);
	TS_RESP_CTX *ctx = TS_RESP_CTX_new();
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char *der = NULL;
	TS_RESP *r;
	int len;

	assert_int_equal(TS_RESP_CTX_set_signer_cert(ctx, cert), 1);
	TS_RESP_CTX_set_signer_key(ctx, k);
	TS_RESP_CTX_set_signer_digest(ctx, EVP_sha256());
	TS_RESP_CTX_set_def_policy(ctx, policy);
	TS_RESP_CTX_add_md(ctx, EVP_sha256());
	TS_RESP_CTX_add_md(ctx, EVP_sha384());
	TS_RESP_CTX_add_md(ctx, EVP_sha1());
	TS_RESP_CTX_set_time_cb(ctx, stamp_time, &when);
	TS_RESP_CTX_set_serial_cb(ctx, stamp_serial, NULL);
	request(hash, with, data, n, bio);
	r = TS_RESP_create_response(ctx, bio);
	assert_non_null(r);
	assert_non_null(TS_RESP_get_token(r));
	len = token ? i2d_PKCS7(TS_RESP_get_token(r), &der) : i2d_TS_RESP(r, &der);
	assert_true(len > 0);
	buf_free(out);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	TS_RESP_free(r);
	BIO_free(bio);
	TS_RESP_CTX_free(ctx);
	ASN1_OBJECT_free(policy);
}
