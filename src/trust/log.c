/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/log.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <string.h>

void log_entry_free(struct log_entry *l)
{
	buf_free(&l->body);
	buf_free(&l->promise);
	free(l->checkpoint);
	*l = (struct log_entry){ 0 };
}

/* An inner node of the tree (RFC 9162 section 2.1.1). */
static void node(const unsigned char left[32], const unsigned char right[32], unsigned char out[32])
{
	unsigned char m[65] = { 1 };

	memcpy(m + 1, left, 32);
	memcpy(m + 33, right, 32);
	sha256(m, sizeof(m), out);
}

int log_inclusion(const void *body, size_t n, uint64_t leaf, uint64_t size, const unsigned char (*path)[32], size_t n_path,
		  const unsigned char root[static 32], struct error *e)
{
	_cleanup_buf_ struct buf m = { 0 };
	unsigned char at[32];
	uint64_t fn = leaf, sn = size - 1;

	if (size == 0 || leaf >= size)
		return error_set(e, EBADMSG, "the log's proof is of a place beyond its tree");
	buf_add(&m, "\0", 1);
	buf_add(&m, body, n);
	sha256(m.data, m.len, at);
	for (size_t i = 0; i < n_path; i++) {
		if (sn == 0)
			return error_set(e, EBADMSG, "the log's proof is longer than its tree is high");
		if (fn & 1 || fn == sn) {
			node(path[i], at, at);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			node(at, path[i], at);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn != 0 || memcmp(at, root, 32) != 0)
		return error_set(e, EKEYREJECTED, "the log's proof does not lead from this entry to the root of its tree");
	return 0;
}

/* What the log signed: the keys in this order and no blanks (RFC 8785). base64 and hex need no escapes. */
int log_promise(const struct log_entry *l, const struct pubkey *log, struct error *e)
{
	_cleanup_free_ char *body = base64_encode(l->body.data, l->body.len), *text = NULL;
	char id[65];

	if (memcmp(l->id, log->fingerprint, 32) != 0)
		return error_set(e, EKEYREJECTED, "the log's entry is of another log");
	hex_encode(l->id, 32, id);
	text = xasprintf("{\"body\":\"%s\",\"integratedTime\":%lld,\"logID\":\"%s\",\"logIndex\":%lld}", body, (long long)l->time, id,
			 (long long)l->index);
	if (pubkey_verify_kind(log, text, strlen(text), l->promise.data, l->promise.len, NULL) < 0)
		return error_set(e, EKEYREJECTED, "the log did not sign its entry with time and place as they stand there");
	return 0;
}

/* "NUMBER" of a checkpoint: no sign, no leading zeros. */
static bool plain_number(const char *s, size_t n, uint64_t *out)
{
	char text[24];

	if (n == 0 || n >= sizeof(text) || (s[0] == '0' && n > 1))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	return parse_u64(text, 0, INT64_MAX, out) == 0;
}

static const char *line_end(const char *s)
{
	return strchr(s, '\n');
}

/* origin \n size \n root \n [extensions \n]... */
static int read_note(const char *note, size_t n, struct log_checkpoint *out, struct error *e)
{
	_cleanup_buf_ struct buf root = { 0 };
	_cleanup_free_ char *text = xstrndup(note, n);
	const char *a = line_end(text), *b = a ? line_end(a + 1) : NULL, *c = b ? line_end(b + 1) : NULL;

	if (!c || a == text || !plain_number(a + 1, (size_t)(b - a - 1), &out->size) ||
	    base64_decode(b + 1, (size_t)(c - b - 1), &root) < 0 || root.len != 32)
		return error_set(e, EBADMSG, "the log's checkpoint is not origin, size and root");
	memcpy(out->root, root.data, 32);
	out->origin = xstrndup(text, (size_t)(a - text));
	return 0;
}

/* How a note names the key: Rekor by the hash of its SubjectPublicKeyInfo, C2SP's signed-note by name and Ed25519 key. */
static bool names_key(const char *name, size_t n, const unsigned char hint[4], const struct pubkey *log)
{
	_cleanup_buf_ struct buf m = { 0 };
	unsigned char raw[32], sum[32];
	size_t len = sizeof(raw);

	if (memcmp(hint, log->fingerprint, 4) == 0)
		return true;
	if (log->kind != PUBKEY_ED25519 || EVP_PKEY_get_raw_public_key(log->evp, raw, &len) != 1)
		return false;
	buf_add(&m, name, n);
	buf_add(&m, "\n\1", 2);
	buf_add(&m, raw, len);
	sha256(m.data, m.len, sum);
	return memcmp(hint, sum, 4) == 0;
}

/* "— NAME BASE64": the dash is U+2014. 1: by this key; 0: by somebody else. */
static int note_line(const char *s, size_t n, const char *note, size_t note_n, const struct pubkey *log, struct error *e)
{
	static const char dash[] = "\xe2\x80\x94 ";
	_cleanup_buf_ struct buf sig = { 0 };
	const char *name = s + 4, *blank;

	if (n < 4 || memcmp(s, dash, 4) != 0 || !(blank = memchr(name, ' ', n - 4)) || blank == name)
		return error_set(e, EBADMSG, "a line of the log's checkpoint is no signature");
	if (base64_decode(blank + 1, (size_t)(s + n - blank - 1), &sig) < 0 || sig.len < 5)
		return error_set(e, EBADMSG, "a signature of the log's checkpoint is not base64");
	if (!names_key(name, (size_t)(blank - name), (unsigned char *)sig.data, log))
		return 0;
	return pubkey_verify_kind(log, note, note_n, sig.data + 4, sig.len - 4, NULL) == 0;
}

int log_checkpoint(const char *text, const struct pubkey *log, struct log_checkpoint *out, struct error *e)
{
	const char *gap = NULL, *s;
	bool signed_by_log = false;
	int lines = 0, r;

	/* The last empty line parts note and signatures. */
	for (const char *at = text; (at = strstr(at, "\n\n")); at++)
		gap = at;
	if (!gap)
		return error_set(e, EBADMSG, "the log's checkpoint is not signed");
	for (s = gap + 2; *s; s = line_end(s) + 1) {
		if (!line_end(s) || ++lines > LOG_NOTE_SIGNATURES_MAX)
			return error_set(e, EBADMSG, "the log's checkpoint does not end as a signed note does");
		r = note_line(s, (size_t)(line_end(s) - s), text, (size_t)(gap + 1 - text), log, e);
		if (r < 0)
			return r;
		signed_by_log = signed_by_log || r == 1;
	}
	if (!signed_by_log)
		return error_set(e, EKEYREJECTED, "the log's checkpoint is not signed by the given log");
	return read_note(text, (size_t)(gap + 1 - text), out, e);
}

static int check_proof(const struct log_entry *l, const struct pubkey *log, struct error *e)
{
	struct log_checkpoint c = { 0 };
	int r;

	if (!l->checkpoint)
		return error_set(e, EKEYREJECTED, "the log's proof leads to a root that the log did not sign");
	r = log_checkpoint(l->checkpoint, log, &c, e);
	if (r == 0 && (c.size != l->size || memcmp(c.root, l->root, 32) != 0))
		r = error_set(e, EKEYREJECTED, "the log's proof and its checkpoint are of different trees");
	if (r == 0)
		r = log_inclusion(l->body.data, l->body.len, l->leaf, l->size, l->path, l->n_path, l->root, e);
	free(c.origin);
	return r;
}

/* All that the entry brings must hold, and it must bring a promise or a proof. */
static int check_with(const struct log_entry *l, const struct pubkey *log, int64_t *time, struct error *e)
{
	int r = 0;

	*time = 0;
	if (l->promise.len > 0) {
		r = log_promise(l, log, e);
		if (r == 0)
			*time = l->time;
	}
	if (r == 0 && l->has_proof)
		r = check_proof(l, log, e);
	if (r == 0 && l->promise.len == 0 && !l->has_proof)
		r = error_set(e, EKEYREJECTED, "the log's entry has neither promise nor proof");
	if (r < 0)
		*time = 0;
	return r;
}

int log_verify(const struct log_entry *l, struct pubkey *const *logs, size_t n_logs, const struct log_subject *s, int64_t *time,
	       struct error *e)
{
	int r = error_set(e, EKEYREJECTED, "no log was given");

	for (size_t i = 0; i < n_logs; i++) {
		r = check_with(l, logs[i], time, e);
		if (r == 0)
			break;
	}
	return r < 0 ? r : log_body_is(&l->body, s, e);
}
