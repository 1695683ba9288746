/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 through OpenSSL (EVP_DigestInit(3)). Only the programs that load and save images link it. */
#pragma once

#include "base/str.h"
#include "image/store.h"

enum { SHA256_LEN = 32 };

struct hash; /* one running digest */
struct hash *hash_new(void);
void hash_free(struct hash **h);
#define _cleanup_hash_ __attribute__((cleanup(hash_free)))
void hash_start(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t n);
void hash_end(struct hash *h, unsigned char out[static SHA256_LEN]);

/* All at once, in hex. */
void hash_hex(const void *data, size_t n, char out[static DIGEST_SIZE]);

/* The name of an object: the first 22 characters of base64url. */
void object_name(const unsigned char sha[static SHA256_LEN], char out[static 23]);

/* Copies `size` bytes from one descriptor to another one, and says which digest they have. 0 or a negative errno; -EIO: there are less. */
int hash_copy(int from, int to, uint64_t size, char hex[static DIGEST_SIZE]);
