/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/cert.h"

#include "base/cleanup.h"

#include <openssl/x509v3.h>
#include <string.h>

#define FULCIO_ISSUER_RAW "1.3.6.1.4.1.57264.1.1"
#define FULCIO_USER_NAME "1.3.6.1.4.1.57264.1.7"
#define FULCIO_ISSUER "1.3.6.1.4.1.57264.1.8"

void cert_names_free(struct cert_names *n)
{
	strv_free(n->email);
	strv_free(n->uri);
	strv_free(n->dns);
	strv_free(n->other);
	*n = (struct cert_names){ 0 };
}

/* Text that cannot hide anything: valid UTF-8 without NUL and what str_escape() would replace. */
static char *plain_text(const void *data, int n)
{
	const char *s = data;
	uint32_t c;
	size_t step;

	if (n <= 0)
		return NULL;
	for (size_t i = 0; i < (size_t)n; i += step) {
		step = utf8_decode(s + i, (size_t)n - i, &c);
		if (step == 0 || c == 0 || str_hostile_char(c))
			return NULL;
	}
	return xstrndup(s, (size_t)n);
}

static bool is_oid(const ASN1_OBJECT *o, const char *dotted)
{
	char text[64];

	return OBJ_obj2txt(text, sizeof(text), o, 1) > 0 && streq(text, dotted);
}

static int keep_name(const GENERAL_NAME *g, struct cert_names *out, struct error *e)
{
	char ***to = g->type == GEN_EMAIL ? &out->email : g->type == GEN_URI ? &out->uri : g->type == GEN_DNS ? &out->dns : NULL;
	const ASN1_STRING *s = to ? g->d.ia5 : NULL;
	char *text;

	if (g->type == GEN_OTHERNAME && is_oid(g->d.otherName->type_id, FULCIO_USER_NAME) &&
	    g->d.otherName->value->type == V_ASN1_UTF8STRING) {
		to = &out->other;
		s = g->d.otherName->value->value.utf8string;
	}
	if (!to)
		return 0; /* a directory name or address: nobody asks for those */
	text = plain_text(ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
	if (!text)
		return error_set(e, EBADMSG, "the certificate names its holder with characters that are no text");
	strv_add(to, text);
	return 0;
}

int cert_names(X509 *c, struct cert_names *out, struct error *e)
{
	int critical = 0, r = 0;
	GENERAL_NAMES *names = X509_get_ext_d2i(c, NID_subject_alt_name, &critical, NULL);

	if (!names)
		return critical == -1 ? 0 : error_set(e, EBADMSG, "the certificate's names (subjectAltName) cannot be read");
	for (int i = 0; r == 0 && i < sk_GENERAL_NAME_num(names); i++)
		r = keep_name(sk_GENERAL_NAME_value(names, i), out, e);
	GENERAL_NAMES_free(names);
	if (r < 0)
		cert_names_free(out);
	return r;
}

/* The one extension of that kind; *n 0 when there is none. */
static int the_extension(X509 *c, const char *dotted, const unsigned char **data, int *n, struct error *e)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(dotted, 1);
	int at = oid ? X509_get_ext_by_OBJ(c, oid, -1) : -1, again = at >= 0 ? X509_get_ext_by_OBJ(c, oid, at) : -1;
	const ASN1_OCTET_STRING *s = at >= 0 ? X509_EXTENSION_get_data(X509_get_ext(c, at)) : NULL;

	ASN1_OBJECT_free(oid);
	*n = s ? ASN1_STRING_length(s) : 0;
	*data = s ? ASN1_STRING_get0_data(s) : NULL;
	return again >= 0 ? error_set(e, EBADMSG, "the certificate has the extension %s twice", dotted) : 0;
}

int cert_fulcio_issuer(X509 *c, char **out, struct error *e)
{
	_cleanup_free_ char *old = NULL, *now = NULL;
	const unsigned char *data, *end;
	ASN1_UTF8STRING *s;
	int n, r;

	r = the_extension(c, FULCIO_ISSUER_RAW, &data, &n, e);
	if (r < 0)
		return r;
	if (n > 0 && !(old = plain_text(data, n)))
		return error_set(e, EBADMSG, "the certificate's issuer of the identity (%s) is no text", FULCIO_ISSUER_RAW);
	r = the_extension(c, FULCIO_ISSUER, &data, &n, e);
	if (r < 0)
		return r;
	if (n > 0) {
		end = data + n;
		s = d2i_ASN1_UTF8STRING(NULL, &data, n);
		now = s && data == end ? plain_text(ASN1_STRING_get0_data(s), ASN1_STRING_length(s)) : NULL;
		ASN1_UTF8STRING_free(s);
		if (!now)
			return error_set(e, EBADMSG, "the certificate's issuer of the identity (%s) is no text", FULCIO_ISSUER);
	}
	if (old && now && !streq(old, now))
		return error_set(e, EBADMSG, "the certificate names two issuers of the identity");
	if (!old && !now)
		return error_set(e, EBADMSG, "the certificate does not say who authenticated its holder");
	*out = now ? steal_ptr(&now) : steal_ptr(&old);
	return 0;
}
