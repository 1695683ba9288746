/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no digest of the image names: that a table is what its layer, or the layers of its image, were unpacked to. brig says so
 * itself, when it has done that from verified bytes, in a file beside the table:
 *
 *	layers/HEX/proof, trees/HEX/proof	brig-proof 1 KIND HEX table SHA256 ids SHA256 code HMAC-SHA256
 *
 * The key is CONFIG/store.key, 32 random bytes with mode 0600: whoever can change only the store cannot say it. When it is lost,
 * brig image repair unpacks the blobs anew.
 */
#pragma once

#include "base/error.h"
#include "image/hash.h"

enum { STORE_KEY_SIZE = 32 };

struct store_key {
	unsigned char bytes[STORE_KEY_SIZE];
};

/* Reads it; makes it where there is none. */
int store_key_read(struct store_key *k, struct error *e);

/* HMAC-SHA256 (RFC 2104), in hex. */
void store_key_code(const struct store_key *k, const void *data, size_t n, char out[static DIGEST_SIZE]);
bool store_key_fits(const struct store_key *k, const void *data, size_t n, const char *code); /* in constant time */

/* SHA-256 of a file below `dir`, in hex. A negative errno when it cannot be read or is no regular file. */
int file_digest(int dir, const char *name, char out[static DIGEST_SIZE]);

enum proof_kind { PROOF_LAYER, PROOF_TREE };

/* Writes `proof` into the folder `dir` of the layer or tree `hex`, about what lies there. */
int proof_write(int dir, enum proof_kind kind, const char *hex, const struct store_key *k, struct error *e);

/*
 * 0; -EUCLEAN: the table, or the list of ids, is not what the proof says; -ENOKEY: there is no proof under this key. `what` names the
 * file that is wrong. No story is told.
 */
int proof_check(int dir, enum proof_kind kind, const char *hex, const struct store_key *k, const char **what);
