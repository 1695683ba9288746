/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/purl.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *purl_decode(const char *s, size_t n)
{
	char *out = xmalloc(n + 1);
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		int high = i + 2 < n && s[i] == '%' ? hex(s[i + 1]) : -1, low = high >= 0 ? hex(s[i + 2]) : -1;

		out[o++] = low >= 0 ? (char)(high * 16 + low) : s[i];
		i += low >= 0 ? 2 : 0;
	}
	out[o] = 0;
	return out;
}

void purl_free(struct purl *p)
{
	free(p->name);
	free(p->version);
	free(p->qualifiers);
}

bool purl_read(const char *s, struct purl *out)
{
	const char *rest = s ? str_after(s, "pkg:") : NULL, *hash, *mark, *at = NULL;
	size_t n;

	*out = (struct purl){ 0 };
	if (!rest)
		return false;
	rest += strspn(rest, "/");
	hash = strchr(rest, '#');
	n = hash ? (size_t)(hash - rest) : strlen(rest);
	mark = memchr(rest, '?', n);
	if (mark) {
		out->qualifiers = xstrndup(mark + 1, n - (size_t)(mark + 1 - rest));
		n = (size_t)(mark - rest);
	}
	/* The last "@": npm's scopes have it encoded, but not everybody does so. */
	for (size_t i = n; i-- > 1 && !at;)
		if (rest[i] == '@' && rest[i - 1] != '/')
			at = rest + i;
	if (at) {
		out->version = purl_decode(at + 1, n - (size_t)(at + 1 - rest));
		n = (size_t)(at - rest);
	}
	out->name = purl_decode(rest, n);
	return true;
}

char *purl_qualifier(const struct purl *p, const char *key, size_t n)
{
	const char *s = p->qualifiers;

	for (; s && *s; s += strcspn(s, "&"), s += *s == '&')
		if (strncmp(s, key, n) == 0 && s[n] == '=')
			return purl_decode(s + n + 1, strcspn(s + n + 1, "&"));
	return NULL;
}
