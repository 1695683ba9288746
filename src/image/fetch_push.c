/* SPDX-License-Identifier: Apache-2.0 */
/* distribution-spec 1.1 "Push": each blob unless it is there, or is in a neighbouring repository; then the manifest. */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/oci.h"

#include <string.h>
#include <unistd.h>

static int is_there(struct fetching *f, const struct fetch_blob *b, struct error *e)
{
	_cleanup_http_request_ struct http_request q;
	int r;

	http_request_init(&q, "HEAD", http_url(f->http, "/v2/%s/blobs/sha256:%s", f->req.repository, b->hex));
	r = http_do_one(f->http, &q, e);
	if (r < 0)
		return r;
	if (q.status != 200 && q.status != 404)
		return http_status_error(&q, "blob", e);
	return q.status == 200;
}

/* Begins an upload; with `from`, 1 when the blob could be taken from there instead. */
static int begin(struct fetching *f, const struct fetch_blob *b, char **where, struct error *e)
{
	_cleanup_free_ char *mount = f->req.from ? xasprintf("?mount=sha256:%s&from=%s", b->hex, f->req.from) : NULL;
	_cleanup_http_request_ struct http_request q;
	int r;

	http_request_init(&q, "POST", http_url(f->http, "/v2/%s/blobs/uploads/%s", f->req.repository, mount ? mount : ""));
	r = http_do_one(f->http, &q, e);
	if (r < 0)
		return r;
	if (q.status == 201 && mount)
		return 1;
	if (q.status != 202)
		return http_status_error(&q, "upload", e);
	*where = http_own_location(f->http, &q, e);
	return *where ? 0 : e->code;
}

/* The bytes are hashed while they leave (law 6): what is not the blob any more is not sent under its name. */
static int send_blob(struct fetching *f, const struct fetch_blob *b, int fd, const char *where, struct error *e)
{
	_cleanup_hash_ struct hash *hash = hash_new();
	_cleanup_http_request_ struct http_request q;
	unsigned char sha[SHA256_LEN];
	char got[DIGEST_SIZE];
	int r;

	http_request_init(&q, "PUT", xasprintf("%s%cdigest=sha256%%3A%s", where, strchr(where, '?') ? '&' : '?', b->hex));
	q.content_type = "application/octet-stream";
	q.in_file = fd;
	q.upload = b->size;
	q.hash = hash;
	q.progress = fetch_progress;
	q.arg = f;
	r = http_do_one(f->http, &q, e);
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), got);
	if (q.sent == b->size && !streq(got, b->hex))
		return error_set(e, EBADMSG, "the store is damaged: blob sha256:%s has the digest sha256:%s", b->hex, got);
	if (r == 0 && q.status != 201)
		r = http_status_error(&q, "upload", e);
	return r;
}

static int push_blob(struct fetching *f, size_t i, struct error *e)
{
	const struct fetch_blob *b = &f->req.blobs[i];
	_cleanup_free_ char *where = NULL;
	int r = is_there(f, b, e);

	if (r == 0)
		r = begin(f, b, &where, e);
	if (r > 0) {
		fetch_progress(f, (int64_t)b->size);
		return 0;
	}
	return r < 0 ? r : send_blob(f, b, FETCH_BLOBS + (int)i, where, e);
}

static int push_manifest(struct fetching *f, size_t i, struct error *e)
{
	const struct fetch_blob *b = &f->req.blobs[i];
	_cleanup_http_request_ struct http_request q;
	_cleanup_free_ char *text = NULL;
	char hex[DIGEST_SIZE];
	size_t n;
	int r = fd_read_all(FETCH_BLOBS + (int)i, OCI_DOCUMENT_MAX, &text, &n);

	http_request_init(&q, "PUT", http_url(f->http, "/v2/%s/manifests/%s%s", f->req.repository, b->tag ? "" : "sha256:",
					      b->tag ? b->tag : b->hex));
	if (r < 0)
		return error_errno(e, r, "manifest");
	hash_hex(text, n, hex);
	if (!streq(hex, b->hex))
		return error_set(e, EBADMSG, "the store is damaged: blob sha256:%s has the digest sha256:%s", b->hex, hex);
	q.content_type = b->media_type;
	q.in = text;
	q.upload = n;
	r = http_do_one(f->http, &q, e);
	if (r == 0 && q.status != 201)
		r = http_status_error(&q, "manifest", e);
	if (r == 0)
		fetch_progress(f, (int64_t)b->size);
	/* "OCI-Subject": the registry keeps the list itself. */
	if (r == 0 && !q.subject)
		r = fetch_refer(f, b, text, n, e);
	if (r == 0 && q.digest && str_after(q.digest, "sha256:") && !streq(str_after(q.digest, "sha256:"), hex))
		r = error_set(e, EBADMSG, "the registry has made another manifest of it, %.80s", q.digest);
	return r;
}

int fetch_push(struct fetching *f, struct error *e)
{
	size_t n = f->req.n_blobs;
	int r = n > 0 ? 0 : error_set(e, EINVAL, "nothing to push");

	for (size_t i = 0; i < n; i++)
		f->total += f->req.blobs[i].size;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = f->req.blobs[i].media_type ? push_manifest(f, i, e) : push_blob(f, i, e);
	return r;
}

/* An upload that is not wanted after all; whatever the registry says to it. */
static void give_up(struct fetching *f, const char *where)
{
	_cleanup_http_request_ struct http_request q;

	http_request_init(&q, "DELETE", xstrdup(where));
	http_do_one(f->http, &q, NULL);
}

static int tell_missing(const struct fetch_blob *b, struct error *e)
{
	struct fetch_message m = { .word = FETCH_WANT };
	char answer;

	memcpy(m.top.hex, b->hex, DIGEST_SIZE);
	m.top.size = b->size;
	fetch_tell(&m);
	return socket_recv(FETCH_SOCKET, &answer, 1, NULL, NULL) == 1 ? 0 : error_set(e, EPIPE, "nobody wants to know any more");
}

int fetch_missing(struct fetching *f, struct error *e)
{
	for (size_t i = 0; i < f->req.n_blobs; i++) {
		const struct fetch_blob *b = &f->req.blobs[i];
		_cleanup_free_ char *where = NULL;
		int r = is_there(f, b, e);

		if (r == 0 && f->req.from)
			r = begin(f, b, &where, e);
		if (where)
			give_up(f, where);
		if (r == 0)
			r = tell_missing(b, e);
		if (r < 0)
			return r;
	}
	return 0;
}
