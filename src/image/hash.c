/* SPDX-License-Identifier: Apache-2.0 */
#include "image/hash.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COPY_CHUNK = 256 * 1024 };

struct hash {
	EVP_MD_CTX *ctx;
};

/* A digest that cannot be computed must never look like one that was: there is nothing to go on with. */
static void need(int ok)
{
	if (ok)
		return;
	fputs("brig: OpenSSL cannot compute SHA-256\n", stderr);
	abort();
}

struct hash *hash_new(void)
{
	struct hash *h = xmalloc(sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	need(h->ctx != NULL);
	hash_start(h);
	return h;
}

void hash_free(struct hash **h)
{
	if (!*h)
		return;
	EVP_MD_CTX_free((*h)->ctx);
	free(*h);
	*h = NULL;
}

void hash_start(struct hash *h)
{
	/* With the type once only: fetching it costs more than hashing a small file. */
	need(EVP_DigestInit_ex(h->ctx, EVP_MD_CTX_get0_md(h->ctx) ? NULL : EVP_sha256(), NULL));
}

void hash_add(struct hash *h, const void *data, size_t n)
{
	need(EVP_DigestUpdate(h->ctx, data, n));
}

void hash_end(struct hash *h, unsigned char out[static SHA256_LEN])
{
	unsigned len = 0;

	need(EVP_DigestFinal_ex(h->ctx, out, &len) && len == SHA256_LEN);
}

void hash_hex(const void *data, size_t n, char out[static DIGEST_SIZE])
{
	unsigned char sha[SHA256_LEN];
	struct hash *h = hash_new();

	hash_add(h, data, n);
	hash_end(h, sha);
	hash_free(&h);
	hex_encode(sha, sizeof(sha), out);
}

void object_name(const unsigned char sha[static SHA256_LEN], char out[static 23])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	int have = 0, at = 0;

	for (int i = 0; at < 22; i++) {
		bits = bits << 8 | sha[i];
		have += 8;
		while (have >= 6 && at < 22) {
			have -= 6;
			out[at++] = digits[bits >> have & 63];
		}
	}
	out[22] = 0;
}

int hash_copy(int from, int to, uint64_t size, char hex[static DIGEST_SIZE])
{
	_cleanup_hash_ struct hash *h = hash_new();
	_cleanup_free_ char *chunk = xmalloc(COPY_CHUNK);
	unsigned char sha[SHA256_LEN];

	while (size > 0) {
		ssize_t n = read(from, chunk, size < COPY_CHUNK ? (size_t)size : COPY_CHUNK);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		hash_add(h, chunk, (size_t)n);
		r = fd_write_all(to, chunk, (size_t)n);
		if (r < 0)
			return r;
		size -= (uint64_t)n;
	}
	hash_end(h, sha);
	hex_encode(sha, sizeof(sha), hex);
	return 0;
}
