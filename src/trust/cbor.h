/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR (RFC 8949) as COSE of notation uses it, strictly: definite lengths, numbers in their shortest form (section 4.2.1), text in
 * UTF-8, no floating point, nothing left over. A cursor over the caller's bytes; what is read points into them.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct cbor {
	const unsigned char *at, *end;
};

enum cbor_type { CBOR_UINT, CBOR_NINT /* -1 - value */, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG, CBOR_SIMPLE };

struct cbor_item {
	enum cbor_type type;
	uint64_t value;		   /* the number; length of bytes, text, array (items) and map (pairs); number of the tag */
	const unsigned char *data; /* bytes and text */
};

enum { CBOR_DEPTH_MAX = 8, CBOR_PAIRS_MAX = 64 };

/* The next head, and with it the bytes of a string. -EBADMSG: the end, or not in its one form. */
int cbor_next(struct cbor *c, struct cbor_item *out);
/* The next item as a whole; its bytes from *from. */
int cbor_skip(struct cbor *c, const unsigned char **from, size_t *n);
bool cbor_end(const struct cbor *c);
/* Is it this text? */
bool cbor_is_text(const struct cbor_item *i, const char *text);
/* A whole number within int64_t. */
bool cbor_int(const struct cbor_item *i, int64_t *out);

/* Writing: a head. */
void cbor_put(struct buf *b, enum cbor_type type, uint64_t value);
void cbor_put_bytes(struct buf *b, const void *data, size_t n);
void cbor_put_text(struct buf *b, const char *s);
