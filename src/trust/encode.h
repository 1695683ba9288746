/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648 sections 4 and 5) and PEM (RFC 7468, strict form), one spelling for one value: no blanks inside, no missing or
 * superfluous padding, no bits set that do not count. What could be written in two ways could be signed in one and read in another.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

/* Appends the decoded bytes to `out`; -EBADMSG. Standard alphabet with padding. */
int base64_decode(const char *text, size_t n, struct buf *out);
/* URL alphabet without padding, as JOSE writes it (RFC 7515 section 2). */
int base64url_decode(const char *text, size_t n, struct buf *out);
/* Both give a string that the caller frees. */
char *base64_encode(const void *data, size_t n);
char *base64url_encode(const void *data, size_t n);

/*
 * The next block of PEM text. *text moves behind it. `label` gets "PUBLIC KEY" and the like, `der` the bytes (emptied before).
 * 1: there was one; 0: only blanks were left; -EBADMSG: anything else, comments and headers too.
 */
enum { PEM_LABEL_MAX = 64 };
int pem_next(const char **text, const char *end, char label[static PEM_LABEL_MAX], struct buf *der, struct error *e);

/* Writes a block. */
void pem_write(struct buf *out, const char *label, const void *der, size_t n);
