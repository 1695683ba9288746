/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signer.h"
#include "trust/encode.h"
#include "trust/pubkey.h"

#include <string.h>

struct tree {
	const char *body;
	uint64_t at;
};

static void hash_leaf(const struct tree *t, uint64_t i, unsigned char out[32])
{
	_cleanup_free_ char *text = i == t->at ? xstrdup(t->body) : xasprintf("leaf %llu", (unsigned long long)i);
	_cleanup_free_ char *m = xmalloc(strlen(text) + 1);

	m[0] = 0;
	memcpy(m + 1, text, strlen(text));
	sha256(m, strlen(text) + 1, out);
}

static uint64_t split(uint64_t n)
{
	uint64_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

/* MTH of RFC 9162 section 2.1.1, from its definition. */
static void root_of(const struct tree *t, uint64_t from, uint64_t n, unsigned char out[32])
{
	unsigned char m[65] = { 1 };

	if (n == 1) {
		hash_leaf(t, from, out);
		return;
	}
	root_of(t, from, split(n), m + 1);
	root_of(t, from + split(n), n - split(n), m + 33);
	sha256(m, 65, out);
}

/* PATH of section 2.1.3.1. */
static size_t path_of(const struct tree *t, uint64_t m, uint64_t from, uint64_t n, unsigned char path[64][32])
{
	uint64_t k = split(n);
	size_t len;

	if (n == 1)
		return 0;
	len = m < k ? path_of(t, m, from, k, path) : path_of(t, m - k, from + k, n - k, path);
	if (m < k)
		root_of(t, from + k, n - k, path[len]);
	else
		root_of(t, from, k, path[len]);
	return len + 1;
}

size_t signer_tree(const char *body, uint64_t at, uint64_t size, unsigned char root[32], unsigned char path[64][32])
{
	struct tree t = { body, at };

	root_of(&t, 0, size, root);
	return path_of(&t, at, 0, size, path);
}

char *signer_checkpoint(EVP_PKEY *log, uint64_t size, const unsigned char root[32])
{
	_cleanup_free_ char *b64 = base64_encode(root, 32), *note = xasprintf("log.test\n%llu\n%s\n", (unsigned long long)size, b64),
			    *line = NULL;
	_cleanup_buf_ struct buf sig = { 0 }, spki = { 0 }, all = { 0 };
	unsigned char sum[32];

	signer_sign(log, EVP_PKEY_get_base_id(log) == EVP_PKEY_ED25519 ? 0 : 256, SIGNER_PKCS1, note, strlen(note), &sig);
	signer_public_der(log, &spki);
	sha256(spki.data, spki.len, sum);
	buf_add(&all, sum, 4);
	buf_add(&all, sig.data, sig.len);
	line = base64_encode(all.data, all.len);
	return xasprintf("%s\n\xe2\x80\x94 log.test %s\n", note, line);
}

char *signer_promise(EVP_PKEY *log, const char *body, int64_t when, int64_t index)
{
	_cleanup_free_ char *b64 = base64_encode(body, strlen(body)), *text = NULL;
	_cleanup_buf_ struct buf sig = { 0 }, spki = { 0 };
	char id[65];

	signer_public_der(log, &spki);
	sha256_hex(spki.data, spki.len, id);
	text = xasprintf("{\"body\":\"%s\",\"integratedTime\":%lld,\"logID\":\"%s\",\"logIndex\":%lld}", b64, (long long)when, id,
			 (long long)index);
	signer_sign(log, 256, SIGNER_PKCS1, text, strlen(text), &sig);
	return base64_encode(sig.data, sig.len);
}

char *signer_log_body(bool envelope, const char *sum, const struct buf *sig, const char *pem)
{
	_cleanup_free_ char *s = base64_encode(sig->data, sig->len), *k = base64_encode(pem, strlen(pem));

	if (envelope)
		return xasprintf("{\"apiVersion\":\"0.0.1\",\"kind\":\"dsse\",\"spec\":{\"payloadHash\":{\"algorithm\":\"sha256\","
				 "\"value\":\"%s\"},\"signatures\":[{\"signature\":\"%s\",\"verifier\":\"%s\"}]}}",
				 sum, s, k);
	return xasprintf("{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\",\"spec\":{\"data\":{\"hash\":{\"algorithm\":\"sha256\","
			 "\"value\":\"%s\"}},\"signature\":{\"content\":\"%s\",\"publicKey\":{\"content\":\"%s\"}}}}",
			 sum, s, k);
}

json_t *signer_log_entry(EVP_PKEY *log, const char *body, int64_t when)
{
	_cleanup_free_ char *promise = signer_promise(log, body, when, 42), *b64 = base64_encode(body, strlen(body)), *id = NULL,
			    *root64 = NULL, *checkpoint = NULL;
	unsigned char root[32], path[64][32], sum[32];
	size_t n = signer_tree(body, 5, 11, root, path);
	_cleanup_buf_ struct buf spki = { 0 };
	json_t *hashes = json_array();

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *h = base64_encode(path[i], 32);

		json_array_append_new(hashes, json_string(h));
	}
	signer_public_der(log, &spki);
	sha256(spki.data, spki.len, sum);
	id = base64_encode(sum, 32);
	root64 = base64_encode(root, 32);
	checkpoint = signer_checkpoint(log, 11, root);
	return json_pack("{s:s,s:{s:s},s:{s:s,s:s},s:s,s:{s:s},s:{s:s,s:s,s:s,s:o,s:{s:s}},s:s}", "logIndex", "42", "logId", "keyId", id,
			 "kindVersion", "kind", "hashedrekord", "version", "0.0.1", "integratedTime",
			 (const char *)({
				 static char text[24];
				 snprintf(text, sizeof(text), "%lld", (long long)when);
				 text;
			 }),
			 "inclusionPromise", "signedEntryTimestamp", promise, "inclusionProof", "logIndex", "5", "treeSize", "11",
			 "rootHash", root64, "hashes", hashes, "checkpoint", "envelope", checkpoint, "canonicalizedBody", b64);
}
