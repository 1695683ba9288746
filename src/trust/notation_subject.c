/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a trust policy (Notary Project trust-store-trust-policy.md, "Trusted identities"), in the text form of RFC 4514. */
#include "trust/notation.h"

#include "base/cleanup.h"

#include <openssl/objects.h>
#include <string.h>

/* A value up to an unescaped comma; blanks around it do not count. Returns what follows, NULL: it cannot be read. */
static const char *read_value(const char *s, struct buf *out)
{
	size_t solid = 0;

	for (s += strspn(s, " "); *s && *s != ','; s++) {
		bool escaped = *s == '\\';

		if (*s == '+' || *s == ';' || *s == '"' || *s == '<' || *s == '>') /* several values, quotes: not in a policy */
			return NULL;
		if (escaped && !strchr(",+;\"<>\\=# ", *++s))
			return NULL;
		if (!*s)
			return NULL;
		buf_add(out, s, 1);
		if (*s != ' ' || escaped)
			solid = out->len;
	}
	out->len = solid;
	if (solid == 0)
		return NULL;
	out->data[solid] = 0;
	return s;
}

static int attribute_nid(const char *s, size_t n)
{
	_cleanup_free_ char *name = xstrndup(s, n);

	return streq(name, "S") ? NID_stateOrProvinceName : OBJ_txt2nid(name);
}

/* Exactly one attribute of that kind, with this value. */
static bool has_value(X509_NAME *name, int nid, const struct buf *want)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *text = NULL;
	bool same;
	int n;

	if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return false;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	same = n >= 0 && (size_t)n == want->len && memcmp(text, want->data, want->len) == 0;
	OPENSSL_free(text);
	return same;
}

int notation_subject_is(X509 *cert, const char *want, struct error *e)
{
	const char *s = str_after(want, "x509.subject:");
	_cleanup_free_ char *shown = str_escape(want);
	bool all = true;

	if (!s)
		return error_set(e, EINVAL, "not an identity of the form x509.subject:C=...,O=...: %s", shown);
	for (;;) {
		_cleanup_buf_ struct buf value = { 0 };
		const char *eq;
		int nid;

		s += strspn(s, " ");
		eq = strchr(s, '=');
		nid = eq ? attribute_nid(s, (size_t)(eq - s)) : NID_undef;
		s = nid != NID_undef ? read_value(eq + 1, &value) : NULL;
		if (!s)
			return error_set(e, EINVAL, "an identity that cannot be read: %s", shown);
		all = has_value(X509_get_subject_name(cert), nid, &value) && all;
		if (!*s)
			return all;
		s++;
	}
}
