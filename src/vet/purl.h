/* SPDX-License-Identifier: Apache-2.0 */
/* Package URLs taken apart, as advisories and excuses compare them. What an inventory makes of them: packages.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct purl {
	char *name;    /* "deb/debian/openssl" */
	char *version; /* NULL: none */
	char *qualifiers; /* as they are; NULL: none */
};
void purl_free(struct purl *p);
#define _cleanup_purl_ __attribute__((cleanup(purl_free)))

/* False: not one, with nothing in it. */
bool purl_read(const char *s, struct purl *out);
/* The value of a qualifier of `n` letters, decoded; the caller frees; NULL: absent. */
char *purl_qualifier(const struct purl *p, const char *key, size_t n);
/* %XX decoded, what is none kept; the caller frees. */
char *purl_decode(const char *s, size_t n);
