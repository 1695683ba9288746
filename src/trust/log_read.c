/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/log.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <string.h>

enum { BODY_MAX = 1024 * 1024 };

/* Base64 of the member `key`; absent leaves `out` empty. */
static int get_bytes(const json_t *j, const char *where, const char *key, struct buf *out, struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(j, where, key, &s, e);

	if (r == 0 && s && base64_decode(s, strlen(s), out) < 0)
		r = error_set(e, EBADMSG, "%s.%s: not base64", where, key);
	return r;
}

/* protobuf's JSON writes 64 bits as a string and reads numbers too. Absent is 0. */
static int get_int64(const json_t *j, const char *where, const char *key, int64_t *out, struct error *e)
{
	const json_t *v = json_object_get(j, key);

	*out = 0;
	if (!json_is_string(v))
		return json_get_int(j, where, key, 0, INT64_MAX, out, e);
	if (parse_i64(json_string_value(v), 0, INT64_MAX, out) < 0)
		return error_set(e, EBADMSG, "%s.%s: not a whole number from 0", where, key);
	return 0;
}

static int read_path(const json_t *hashes, struct log_entry *out, struct error *e)
{
	json_t *item;
	size_t i;

	json_array_foreach(hashes, i, item) {
		_cleanup_buf_ struct buf b = { 0 };
		const char *s = json_string_value(item);

		if (i >= LOG_PROOF_MAX || !s || base64_decode(s, strlen(s), &b) < 0 || b.len != 32)
			return error_set(e, EBADMSG, "inclusionProof.hashes[%zu]: not a SHA-256 in base64, or too many", i);
		memcpy(out->path[out->n_path++], b.data, 32);
	}
	return 0;
}

static int read_proof(const json_t *p, struct log_entry *out, struct error *e)
{
	_cleanup_buf_ struct buf root = { 0 };
	json_t *hashes = NULL, *checkpoint = NULL;
	const char *envelope = NULL;
	int64_t leaf = 0, size = 0;
	int r = get_int64(p, "inclusionProof", "logIndex", &leaf, e);

	if (r == 0)
		r = get_int64(p, "inclusionProof", "treeSize", &size, e);
	if (r == 0)
		r = get_bytes(p, "inclusionProof", "rootHash", &root, e);
	if (r == 0)
		r = json_get_arr(p, "inclusionProof", "hashes", &hashes, e);
	if (r == 0)
		r = json_get_obj(p, "inclusionProof", "checkpoint", &checkpoint, e);
	if (r == 0 && checkpoint)
		r = json_get_str(checkpoint, "inclusionProof.checkpoint", "envelope", &envelope, e);
	if (r == 0 && root.len != 32)
		r = error_set(e, EBADMSG, "inclusionProof.rootHash: not a SHA-256");
	if (r == 0 && hashes)
		r = read_path(hashes, out, e);
	if (r < 0)
		return r;
	memcpy(out->root, root.data, 32);
	out->leaf = (uint64_t)leaf;
	out->size = (uint64_t)size;
	out->checkpoint = xstrdup(envelope);
	out->has_proof = true;
	return 0;
}

static int read_parts(const json_t *j, struct log_entry *out, struct error *e)
{
	static const char where[] = "tlogEntries";
	_cleanup_buf_ struct buf id = { 0 };
	json_t *log_id = NULL, *promise = NULL, *proof = NULL;
	int r = get_bytes(j, where, "canonicalizedBody", &out->body, e);

	if (r == 0)
		r = get_int64(j, where, "integratedTime", &out->time, e);
	if (r == 0)
		r = get_int64(j, where, "logIndex", &out->index, e);
	if (r == 0)
		r = json_get_obj(j, where, "logId", &log_id, e);
	if (r == 0 && log_id)
		r = get_bytes(log_id, "tlogEntries.logId", "keyId", &id, e);
	if (r == 0)
		r = json_get_obj(j, where, "inclusionPromise", &promise, e);
	if (r == 0 && promise)
		r = get_bytes(promise, "tlogEntries.inclusionPromise", "signedEntryTimestamp", &out->promise, e);
	if (r == 0)
		r = json_get_obj(j, where, "inclusionProof", &proof, e);
	if (r == 0 && proof)
		r = read_proof(proof, out, e);
	if (r == 0 && (out->body.len == 0 || out->body.len > BODY_MAX))
		r = error_set(e, EBADMSG, "tlogEntries.canonicalizedBody: missing or too long");
	if (r == 0 && id.len == 32) {
		memcpy(out->id, id.data, 32);
		out->has_id = true;
	}
	return r;
}

int log_entry_read(const json_t *j, struct log_entry *out, struct error *e)
{
	int r = json_is_object(j) ? read_parts(j, out, e) : error_set(e, EBADMSG, "tlogEntries: not objects");

	if (r < 0)
		log_entry_free(out);
	return r;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10;
}

static int read_bundle(const json_t *j, struct log_entry *out, struct error *e)
{
	static const char where[] = "Payload";
	json_t *payload = NULL;
	const char *id = "";
	int r = get_bytes(j, "bundle", "SignedEntryTimestamp", &out->promise, e);

	if (r == 0)
		r = json_get_obj(j, "bundle", where, &payload, e);
	if (r == 0 && (!payload || json_object_size(j) != 2 || json_object_size(payload) != 4))
		r = error_set(e, EBADMSG, "the log's bundle is not SignedEntryTimestamp and Payload with its four members");
	if (r == 0)
		r = get_bytes(payload, where, "body", &out->body, e);
	if (r == 0)
		r = json_get_int(payload, where, "integratedTime", 1, INT64_MAX, &out->time, e);
	if (r == 0)
		r = json_get_int(payload, where, "logIndex", 0, INT64_MAX, &out->index, e);
	if (r == 0)
		r = json_get_str(payload, where, "logID", &id, e);
	if (r < 0)
		return r;
	if (!hex_valid(id, 64) || out->promise.len == 0 || out->body.len == 0 || out->time == 0)
		return error_set(e, EBADMSG, "the log's bundle lacks something, or its logID is no SHA-256 in hex");
	for (int i = 0; i < 32; i++)
		out->id[i] = (unsigned char)(hex_digit(id[2 * i]) << 4 | hex_digit(id[2 * i + 1]));
	out->has_id = true;
	return 0;
}

int log_bundle_read(const char *text, size_t n, struct log_entry *out, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text, n, "the log's bundle", e);
	int r = j ? json_is_object(j) ? read_bundle(j, out, e) : error_set(e, EBADMSG, "the log's bundle is no object") : e->code;

	if (r < 0)
		log_entry_free(out);
	return r;
}
