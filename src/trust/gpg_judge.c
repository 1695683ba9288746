/* SPDX-License-Identifier: Apache-2.0 */
/* What gpgv said, by its status lines (GnuPG doc/DETAILS, "Format of the --status-fd output"). */
#include "trust/gpg.h"

#include "base/cleanup.h"

#include <string.h>

struct verdict {
	unsigned sigs, good, valid, plain;
	const char *bad; /* the first that speaks against it */
	int err;
	char fingerprint[65];
	int64_t made, expires;
};

static const struct {
	const char *word, *what;
	int err;
} against[] = {
	{ "BADSIG", "it was changed after it was signed", EKEYREJECTED },
	{ "EXPSIG", "the signature has expired", EKEYEXPIRED },
	{ "EXPKEYSIG", "the key that made it has expired", EKEYEXPIRED },
	{ "REVKEYSIG", "the key that made it was revoked", EKEYREVOKED },
	{ "NODATA", "it is no signed message", EBADMSG },
	{ "UNEXPECTED", "it is no signed message", EBADMSG },
	{ "FAILURE", "gpgv could not verify it", EKEYREJECTED },
	{ "DECRYPTION_FAILED", "it is encrypted", EBADMSG },
	{ "BEGIN_DECRYPTION", "it is encrypted", EBADMSG },
};

/* "KEYID PUBKEY-ALGO HASH-ALGO CLASS TIME RC ..." */
static void take_errsig(struct verdict *v, char *const *w)
{
	uint64_t rc = 0;

	v->err = EKEYREJECTED;
	if (strv_len(w) > 7)
		parse_u64(w[7], 0, 1000, &rc);
	if (rc == 9)
		v->bad = "the key that made it is none of those";
	else if (strv_len(w) > 4 && (streq(w[4], "1") || streq(w[4], "2") || streq(w[4], "3")))
		v->bad = "its digest is too weak (MD5, SHA-1 or RIPEMD-160)";
	else
		v->bad = "it is of a kind that gpgv does not verify";
}

/* "FINGERPRINT DATE TIME EXPIRES VERSION RESERVED PUBKEY-ALGO HASH-ALGO CLASS PRIMARY" behind "[GNUPG:] VALIDSIG" */
static int take_valid(struct verdict *v, char *const *w, struct error *e)
{
	uint64_t made, expires, pubkey, hash;

	if (strv_len(w) < 12 || parse_u64(w[4], 0, INT64_MAX, &made) < 0 || parse_u64(w[5], 0, INT64_MAX, &expires) < 0 ||
	    parse_u64(w[8], 0, 255, &pubkey) < 0 || parse_u64(w[9], 0, 255, &hash) < 0)
		return error_set(e, EBADMSG, "gpgv says VALIDSIG in words that are not known");
	/* RFC 4880 section 9.4: 8 SHA-256, 9 SHA-384, 10 SHA-512 */
	if (hash < 8 || hash > 10)
		return error_set(e, EKEYREJECTED, "its digest is too weak (algorithm %u of OpenPGP)", (unsigned)hash);
	/* 1 RSA, 19 ECDSA, 22 EdDSA (RFC 4880bis) */
	if (pubkey != 1 && pubkey != 19 && pubkey != 22)
		return error_set(e, EKEYREJECTED, "its key is of a kind that does not count (algorithm %u of OpenPGP)",
				 (unsigned)pubkey);
	if (!streq(w[10], "00"))
		return error_set(e, EBADMSG, "it is no signature of a binary document");
	v->made = (int64_t)made;
	v->expires = (int64_t)expires;
	snprintf(v->fingerprint, sizeof(v->fingerprint), "%s", w[11]);
	return 0;
}

static int take_line(struct verdict *v, const char *line, struct error *e)
{
	_cleanup_strv_ char **w = strv_split(line, ' ');

	if (strv_len(w) < 2 || !streq(w[0], "[GNUPG:]"))
		return error_set(e, EBADMSG, "gpgv says something that is not known");
	if (streq(w[1], "NEWSIG"))
		v->sigs++;
	else if (streq(w[1], "GOODSIG"))
		v->good++;
	else if (streq(w[1], "PLAINTEXT"))
		v->plain++;
	else if (streq(w[1], "ERRSIG") && !v->bad)
		take_errsig(v, w);
	else if (streq(w[1], "VALIDSIG") && v->valid++ == 0)
		return take_valid(v, w, e);
	for (size_t i = 0; i < ARRAY_SIZE(against); i++) {
		if (v->bad || !streq(w[1], against[i].word))
			continue;
		v->bad = against[i].what;
		v->err = against[i].err;
	}
	return 0;
}

int gpg_judge(const struct gpg_said *s, struct sig_claim *out, struct error *e)
{
	_cleanup_strv_ char **lines = NULL;
	struct verdict v = { 0 };
	int r = 0;

	*out = (struct sig_claim){ .digest = "" };
	if (s->n_status == 0 || memchr(s->status, 0, s->n_status))
		return error_set(e, EBADMSG, "it is no signed message");
	lines = strv_split(s->status, '\n');
	strv_foreach(line, lines) {
		if (r == 0 && **line)
			r = take_line(&v, *line, e);
	}
	if (r < 0)
		return r;
	if (v.bad)
		return error_set(e, v.err, "%s", v.bad);
	/* Several signatures, or several documents, could be read as saying two things. */
	if (v.sigs != 1 || v.good != 1 || v.valid != 1 || v.plain != 1)
		return error_set(e, EBADMSG, "it is not one document with one signature");
	if (s->exit != 0)
		return error_set(e, EKEYREJECTED, "gpgv does not say that it is good");
	r = simple_payload_read(s->payload ? s->payload : "", s->n_payload, "atomic container signature", out, e);
	if (r < 0)
		return r;
	out->time = v.made;
	out->signer = xstrdup(v.fingerprint);
	if (v.expires)
		json_object_set_new(out->more, "expires", json_integer(v.expires));
	return 0;
}
