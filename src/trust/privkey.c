/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/privkey.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "trust/encode.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <string.h>

/* What scrypt may cost: cosign takes 32 MiB (N 65536, r 8 are 64 MiB). A file must not name a gigabyte. */
enum { SCRYPT_MEMORY = 512 * 1024 * 1024, SCRYPT_N_MAX = 1 << 20, SCRYPT_R_MAX = 32, SCRYPT_P_MAX = 16 };

void privkey_free(struct privkey *k)
{
	EVP_PKEY_free(k->evp);
	pubkey_free(&k->pub);
	*k = (struct privkey){ 0 };
}

static void wipe(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->len);
	buf_free(b);
}
#define _cleanup_wiped_ __attribute__((cleanup(wipe)))

static void wipe_text(char **s)
{
	if (*s)
		OPENSSL_cleanse(*s, strlen(*s));
	free(*s);
}

static int read_pkcs8(const struct buf *der, struct privkey *out, struct error *e)
{
	const unsigned char *p = (const unsigned char *)der->data;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der->len);

	out->evp = info && p == (const unsigned char *)der->data + der->len ? EVP_PKCS82PKEY(info) : NULL;
	PKCS8_PRIV_KEY_INFO_free(info);
	ERR_clear_error();
	if (!out->evp)
		return error_set(e, EBADMSG, "not a private key (PKCS#8)");
	return pubkey_from_evp(out->evp, &out->pub, e);
}

static int read_encrypted(const struct buf *der, const char *passphrase, struct privkey *out, struct error *e)
{
	const unsigned char *p = (const unsigned char *)der->data;
	X509_SIG *box = d2i_X509_SIG(NULL, &p, (long)der->len);
	PKCS8_PRIV_KEY_INFO *info = box ? PKCS8_decrypt(box, passphrase, (int)strlen(passphrase)) : NULL;
	bool is_box = box != NULL;

	out->evp = info ? EVP_PKCS82PKEY(info) : NULL;
	PKCS8_PRIV_KEY_INFO_free(info);
	X509_SIG_free(box);
	ERR_clear_error();
	if (!out->evp)
		return is_box ? error_set(e, EKEYREJECTED, "the passphrase does not open the private key") :
				error_set(e, EBADMSG, "not an encrypted private key (PKCS#8)");
	return pubkey_from_evp(out->evp, &out->pub, e);
}

struct sealed {
	struct buf salt, nonce, text;
	int64_t n, r, p;
};

static void sealed_free(struct sealed *s)
{
	buf_free(&s->salt);
	buf_free(&s->nonce);
	buf_free(&s->text);
}

static int get_bytes(const json_t *j, const char *key, struct buf *out, struct error *e)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (!s || base64_decode(s, strlen(s), out) < 0 || out->len == 0)
		return error_set(e, EBADMSG, "the encrypted key's %s is missing or not base64", key);
	return 0;
}

static int read_sealed(const struct buf *text, struct sealed *s, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text->data, text->len, "the encrypted key", e);
	const json_t *kdf = json_object_get(j, "kdf"), *cipher = json_object_get(j, "cipher"), *params = json_object_get(kdf, "params");
	int r = j ? 0 : e->code;

	if (r == 0 && (!streq(json_string_value(json_object_get(kdf, "name")), "scrypt") ||
		       !streq(json_string_value(json_object_get(cipher, "name")), "nacl/secretbox")))
		r = error_set(e, EOPNOTSUPP, "the key is encrypted in another way than with scrypt and nacl/secretbox");
	if (r == 0)
		r = json_get_int(params, "kdf.params", "N", 2, SCRYPT_N_MAX, &s->n, e);
	if (r == 0)
		r = json_get_int(params, "kdf.params", "r", 1, SCRYPT_R_MAX, &s->r, e);
	if (r == 0)
		r = json_get_int(params, "kdf.params", "p", 1, SCRYPT_P_MAX, &s->p, e);
	if (r == 0)
		r = get_bytes(kdf, "salt", &s->salt, e);
	if (r == 0)
		r = get_bytes(cipher, "nonce", &s->nonce, e);
	if (r == 0)
		r = get_bytes(j, "ciphertext", &s->text, e);
	if (r == 0 && (s->nonce.len != crypto_secretbox_NONCEBYTES || s->text.len <= crypto_secretbox_MACBYTES))
		r = error_set(e, EBADMSG, "the encrypted key is cut off");
	return r;
}

static int open_sealed(const struct sealed *s, const char *passphrase, struct buf *der, struct error *e)
{
	unsigned char key[crypto_secretbox_KEYBYTES];
	size_t n = s->text.len - crypto_secretbox_MACBYTES;
	_cleanup_free_ unsigned char *plain = xmalloc(n);
	int r = 0;

	if (EVP_PBE_scrypt(passphrase, strlen(passphrase), (const unsigned char *)s->salt.data, s->salt.len, (uint64_t)s->n,
			   (uint64_t)s->r, (uint64_t)s->p, SCRYPT_MEMORY, key, sizeof(key)) != 1)
		r = error_set(e, EBADMSG, "the encrypted key asks for more of scrypt than brig gives");
	else if (crypto_secretbox_open_easy(plain, (const unsigned char *)s->text.data, s->text.len,
					    (const unsigned char *)s->nonce.data, key) != 0)
		r = error_set(e, EKEYREJECTED, "the passphrase does not open the private key");
	else
		buf_add(der, plain, n);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(plain, n);
	return r;
}

static int read_sigstore(const struct buf *text, const char *passphrase, struct privkey *out, struct error *e)
{
	__attribute__((cleanup(sealed_free))) struct sealed s = { .n = 0 };
	_cleanup_wiped_ struct buf der = { 0 };
	int r = read_sealed(text, &s, e);

	if (r == 0)
		r = open_sealed(&s, passphrase, &der, e);
	return r < 0 ? r : read_pkcs8(&der, out, e);
}

int privkey_parse(const void *pem, size_t n, privkey_ask ask, void *arg, struct privkey *out, struct error *e)
{
	__attribute__((cleanup(wipe_text))) char *passphrase = NULL;
	_cleanup_wiped_ struct buf der = { 0 }, more = { 0 };
	const char *text = pem, *end = text + n;
	char label[PEM_LABEL_MAX], other[PEM_LABEL_MAX];
	int (*read)(const struct buf *der, const char *passphrase, struct privkey *out, struct error *e) = NULL;
	int r = pem_next(&text, end, label, &der, e);

	if (r == 0)
		return error_set(e, EBADMSG, "not a private key: nothing there");
	if (r < 0)
		return r;
	if (pem_next(&text, end, other, &more, NULL) != 0)
		return error_set(e, EBADMSG, "more than one key in a file for one");
	if (streq(label, "ENCRYPTED PRIVATE KEY"))
		read = read_encrypted;
	else if (streq(label, "ENCRYPTED SIGSTORE PRIVATE KEY") || streq(label, "ENCRYPTED COSIGN PRIVATE KEY"))
		read = read_sigstore;
	else if (!streq(label, "PRIVATE KEY")) {
		error_set(e, EBADMSG, "PEM of a \"%s\" where a \"PRIVATE KEY\" (PKCS#8) is wanted", label);
		error_hint(e, "openssl pkcs8 -topk8 -in KEY writes one");
		return -EBADMSG;
	}
	r = read ? ask(arg, &passphrase, e) : 0;
	if (r == 0)
		r = read ? read(&der, passphrase, out, e) : read_pkcs8(&der, out, e);
	if (r < 0)
		privkey_free(out);
	return r;
}

int privkey_sign(const struct privkey *k, const void *data, size_t n, struct buf *sig, struct error *e)
{
	const EVP_MD *md = k->pub->kind == PUBKEY_ED25519 ? NULL : EVP_sha256();
	unsigned char out[1024];
	size_t len = sizeof(out);
	EVP_PKEY_CTX *p = NULL;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = c && EVP_DigestSignInit(c, &p, md, NULL, k->evp) == 1;

	if (good && k->pub->pss_only)
		good = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestSign(c, out, &len, data, n) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	if (!good)
		return error_set(e, EKEYREJECTED, "the private key cannot sign");
	buf_add(sig, out, len);
	/* A signature that its own key does not verify gives the key away, or helps nobody. */
	return pubkey_verify_kind(k->pub, data, n, out, len, e);
}

static void key_to_der(EVP_PKEY *k, struct buf *private, struct buf *public)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k);
	unsigned char *a = NULL, *b = NULL;
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &a) : 0, m = i2d_PUBKEY(k, &b);

	if (n <= 0 || m <= 0)
		abort();
	buf_add(private, a, (size_t)n);
	buf_add(public, b, (size_t)m);
	OPENSSL_cleanse(a, (size_t)n);
	OPENSSL_free(a);
	OPENSSL_free(b);
	PKCS8_PRIV_KEY_INFO_free(info);
}

/* The JSON that cosign encrypts with: scrypt as it chooses it, a random salt and nonce. */
static int seal(const struct buf *der, const char *passphrase, char **out, struct error *e)
{
	enum { N = 65536, R = 8, P = 1 };
	unsigned char salt[32], nonce[crypto_secretbox_NONCEBYTES], key[crypto_secretbox_KEYBYTES];
	size_t n = der->len + crypto_secretbox_MACBYTES;
	_cleanup_free_ unsigned char *box = xmalloc(n);

	if (sodium_init() < 0)
		return error_set(e, EIO, "libsodium has no random numbers");
	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(nonce, sizeof(nonce));
	if (EVP_PBE_scrypt(passphrase, strlen(passphrase), salt, sizeof(salt), N, R, P, SCRYPT_MEMORY, key, sizeof(key)) != 1)
		return error_set(e, ENOMEM, "scrypt");
	crypto_secretbox_easy(box, (const unsigned char *)der->data, der->len, nonce, key);
	OPENSSL_cleanse(key, sizeof(key));
	_cleanup_free_ char *salt64 = base64_encode(salt, sizeof(salt)), *nonce64 = base64_encode(nonce, sizeof(nonce)),
			    *box64 = base64_encode(box, n);
	_cleanup_json_ json_t *j = json_pack("{s:{s:s,s:{s:i,s:i,s:i},s:s},s:{s:s,s:s},s:s}", "kdf", "name", "scrypt", "params", "N", N, "r",
					     R, "p", P, "salt", salt64, "cipher", "name", "nacl/secretbox", "nonce", nonce64,
					     "ciphertext", box64);
	*out = json_text(j);
	return 0;
}

int privkey_make(const char *passphrase, struct buf *sealed, struct buf *pub, struct error *e)
{
	_cleanup_wiped_ struct buf private = { 0 }, public = { 0 };
	EVP_PKEY *k = EVP_EC_gen("P-256");
	_cleanup_free_ char *text = NULL;
	int r;

	if (!k)
		return error_set(e, EIO, "libcrypto makes no key");
	key_to_der(k, &private, &public);
	EVP_PKEY_free(k);
	r = seal(&private, passphrase, &text, e);
	if (r < 0)
		return r;
	pem_write(sealed, "ENCRYPTED COSIGN PRIVATE KEY", text, strlen(text)); /* older skopeos know this name alone */
	pem_write(pub, "PUBLIC KEY", public.data, public.len);
	return 0;
}
