/* SPDX-License-Identifier: Apache-2.0 */
/* distribution-spec 1.1 "Pull": the manifest by its name, of an index the manifest that fits, then every blob that is missing. */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/oci.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char accepted[] = OCI_MANIFEST ", " OCI_INDEX ", " DOCKER_MANIFEST ", " DOCKER_LIST;

void document_free(struct document *d)
{
	free(d->text);
	json_decref(d->json);
	*d = (struct document){ 0 };
}

/* Every document is kept as it came: the process that unpacks reads it again. */
static int keep_document(const struct document *d, struct error *e)
{
	_cleanup_close_ int fd = openat(FETCH_FOLDER, d->hex, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, d->text, d->n);

	return r < 0 ? error_errno(e, r, "cannot keep a manifest") : 0;
}

/* The media type without parameters. What registries send must be what the document says, or two readers see two things. */
static int read_type(const struct http_request *q, char out[static FETCH_MEDIA_TYPE], struct error *e)
{
	size_t n = q->type ? strcspn(q->type, "; \t") : 0;
	_cleanup_free_ char *type = n ? xstrndup(q->type, n) : NULL;

	if (!streq(type, OCI_MANIFEST) && !streq(type, OCI_INDEX) && !streq(type, DOCKER_MANIFEST) &&
	    !streq(type, DOCKER_LIST))
		return error_set(e, EBADMSG, "it is sent as %.100s, which is no manifest of an image", type ? type : "nothing");
	snprintf(out, FETCH_MEDIA_TYPE, "%s", type);
	return 0;
}

int fetch_document(struct fetching *f, const char *reference, const struct oci_descriptor *d, struct document *out, struct error *e)
{
	const char *promised = str_after(reference, "sha256:");
	_cleanup_http_request_ struct http_request q;
	int r;

	http_request_init(&q, "GET", http_url(f->http, "/v2/%s/manifests/%s", f->req.repository, reference));
	q.accept = accepted;
	q.max = d && d->size < OCI_DOCUMENT_MAX ? d->size : OCI_DOCUMENT_MAX;
	r = http_do_one(f->http, &q, e);
	if (r == 0 && q.status != 200)
		r = http_status_error(&q, "manifest", e);
	if (r == 0)
		r = read_type(&q, out->type, e);
	if (r < 0)
		return r;
	out->n = q.body.len;
	out->text = buf_steal(&q.body);
	hash_hex(out->text, out->n, out->hex);
	if (promised && !streq(promised, out->hex))
		return error_set(e, EBADMSG, "asked for %s, the registry sends sha256:%s", reference, out->hex);
	if (q.digest && str_after(q.digest, "sha256:") && !streq(str_after(q.digest, "sha256:"), out->hex))
		return error_set(e, EBADMSG, "it is announced as %.80s and is sha256:%s", q.digest, out->hex);
	if (d && d->size != out->n)
		return error_set(e, EBADMSG, "its descriptor says %llu bytes, it has %zu", (unsigned long long)d->size, out->n);
	out->json = json_parse(out->text, out->n, "manifest", e);
	if (!out->json)
		return e->code;
	r = oci_kind(out->json, d ? d->media_type : out->type, "manifest", e);
	if (r >= 0 && d && !streq(d->media_type, out->type))
		return error_set(e, EBADMSG, "its descriptor says %.100s, it is sent as %.100s", d->media_type, out->type);
	if (r < 0)
		return r;
	int kept = keep_document(out, e);
	return kept < 0 ? kept : r;
}

/* Of an index, the manifest that fits; the same choice as the unpacker's (first one). */
int fetch_of_index(struct fetching *f, json_t *json, const struct oci_platform *p, struct document *out, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	int r = oci_index_read(json_incref(json), &x, e);

	for (size_t i = 0; r == 0 && i < x.n; i++) {
		const struct oci_descriptor *d = &x.manifests[i];
		char reference[DIGEST_SIZE + 8];

		if (d->attestation || !oci_platform_fits(p, d->os, d->architecture, d->variant))
			continue;
		snprintf(reference, sizeof(reference), "sha256:%s", d->hex);
		r = fetch_document(f, reference, d, out, e);
		return r < 0 ? error_wrap(e, "manifest for %s/%s", p->os, p->architecture) : r;
	}
	if (r < 0)
		return r;
	error_set(e, EBADMSG, "the index has no image for %s/%s", p->os, p->architecture);
	for (size_t i = 0; i < x.n && i < 20; i++)
		if (x.manifests[i].os && !x.manifests[i].attestation)
			error_hint(e, "--platform %.30s/%.30s", x.manifests[i].os,
				   x.manifests[i].architecture ? x.manifests[i].architecture : "?");
	return -EBADMSG;
}

enum { RESUME_CHUNK = 256 * 1024 };

struct wanted {
	struct http_request q; /* first: see complete() */
	const struct oci_descriptor *d;
	bool config;
	bool resumed; /* an earlier pull brought its first bytes */
};

static int ask_wanted(const struct oci_descriptor *d, struct error *e)
{
	struct fetch_message m = { .word = FETCH_WANT };
	char answer = 0;
	ssize_t n;

	memcpy(m.top.hex, d->hex, DIGEST_SIZE);
	m.top.size = d->size;
	fetch_tell(&m);
	n = socket_recv(FETCH_SOCKET, &answer, 1, NULL, NULL);
	if (n != 1)
		return error_set(e, EPIPE, "nobody wants it any more");
	return answer == 'y';
}

/* Only who pulls unpacks meanwhile. */
static void tell_ready(const struct fetching *f)
{
	if (f->req.operation != FETCH_PULL)
		return;
	fetch_tell(&(struct fetch_message){ .word = FETCH_READY });
}

static int check_blob(struct wanted *w, struct error *e)
{
	unsigned char sha[SHA256_LEN];
	char got[DIGEST_SIZE];

	if (w->q.status != 200 && w->q.status != 206)
		return http_status_error(&w->q, "blob", e);
	hash_end(w->q.hash, sha);
	hex_encode(sha, sizeof(sha), got);
	if (w->q.got != w->d->size)
		return error_set(e, EBADMSG, "blob sha256:%s: its descriptor says %llu bytes, the registry sends %llu", w->d->hex,
				 (unsigned long long)w->d->size, (unsigned long long)w->q.got);
	if (!streq(got, w->d->hex))
		return error_set(e, EBADMSG, "blob sha256:%s: the registry sends bytes with the digest sha256:%s", w->d->hex, got);
	return 0;
}

/* The first bytes were not those of this blob, or the disk has changed them. */
static int begin_anew(struct http_request *q, struct error *e)
{
	if (ftruncate(q->file, 0) < 0 || lseek(q->file, 0, SEEK_SET) < 0)
		return error_errno(e, errno, "cannot write");
	fetch_progress(q->arg, -(int64_t)q->got);
	q->got = 0;
	hash_start(q->hash);
	return HTTP_AGAIN;
}

/* Goes on from what is in the file. */
static int resume(struct wanted *w, struct error *e)
{
	_cleanup_free_ char *chunk = xmalloc(RESUME_CHUNK);
	ssize_t n;

	while ((n = read(w->q.file, chunk, RESUME_CHUNK)) > 0 && w->q.got <= w->d->size) {
		hash_add(w->q.hash, chunk, (size_t)n);
		w->q.got += (uint64_t)n;
	}
	if (n < 0)
		return error_errno(e, errno, "cannot read the beginning of a blob");
	w->resumed = w->q.got > 0;
	fetch_progress(w->q.arg, (int64_t)w->q.got);
	return w->q.got > w->d->size ? begin_anew(&w->q, e) : 0;
}

/* It is unpacked while the others are on their way. */
static int complete(struct http_request *q, struct error *e)
{
	struct wanted *w = (struct wanted *)q;
	const struct fetching *f = q->arg;
	struct fetch_message m = { .word = FETCH_GOT };
	int r = check_blob(w, w->resumed ? NULL : e);

	if (r < 0 && w->resumed) {
		w->resumed = false;
		return begin_anew(q, e);
	}
	if (r < 0)
		return r;
	cleanup_close(&q->file);
	q->file = -1;
	if (f->req.operation != FETCH_PULL)
		return 0;
	memcpy(m.top.hex, w->d->hex, DIGEST_SIZE);
	m.top.size = w->d->size;
	fetch_tell(&m);
	if (w->config)
		tell_ready(f);
	return 0;
}

static int add_blob(struct fetching *f, struct wanted *all, size_t *n, const struct oci_descriptor *d, struct error *e)
{
	struct wanted *w = &all[*n];
	int r;

	for (size_t i = 0; i < *n; i++) {
		if (!streq(all[i].d->hex, d->hex))
			continue;
		return all[i].d->size == d->size ? 0 : error_set(e, EBADMSG, "two descriptors of sha256:%.12s differ", d->hex);
	}
	r = ask_wanted(d, e);
	if (r <= 0)
		return r;
	if (d->size > f->req.size_max - f->total)
		return error_set(e, EFBIG, "its layers have more than %llu bytes (brig.conf image_size)",
				 (unsigned long long)f->req.size_max);
	f->total += d->size;
	http_request_init(&w->q, "GET", http_url(f->http, "/v2/%s/blobs/sha256:%s", f->req.repository, d->hex));
	w->d = d;
	w->q.complete = complete;
	w->q.max = d->size;
	w->q.progress = fetch_progress;
	w->q.arg = f;
	w->q.hash = hash_new();
	hash_start(w->q.hash);
	w->q.file = openat(FETCH_FOLDER, d->hex, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	++*n;
	if (w->q.file < 0)
		return error_errno(e, errno, "cannot make a file for a blob");
	r = resume(w, e);
	return r < 0 ? r : 0;
}

static int get_blobs(struct fetching *f, const struct oci_manifest *m, struct error *e)
{
	struct wanted *all = xcalloc(m->n + 1, sizeof(*all));
	_cleanup_free_ struct http_request **list = xcalloc(m->n + 1, sizeof(*list));
	size_t n = 0;
	int r = add_blob(f, all, &n, &m->config, e);

	if (n > 0)
		all[0].config = true;
	for (size_t i = 0; r == 0 && i < m->n; i++)
		r = add_blob(f, all, &n, &m->layers[i], e);
	if (r == 0 && !all[0].config)
		tell_ready(f);
	for (size_t i = 0; i < n; i++)
		list[i] = &all[i].q;
	if (r == 0)
		r = http_do(f->http, list, n, e);
	for (size_t i = 0; i < n; i++) {
		cleanup_close(&all[i].q.file);
		hash_free(&all[i].q.hash);
		http_request_free(&all[i].q);
	}
	free(all);
	return r;
}

/* May all of it be fetched (1), or is it here already (0)? */
int fetch_tell_top(const struct document *top, struct error *e)
{
	struct fetch_message m = { .word = FETCH_TOP };
	char answer = 0;

	memcpy(m.top.hex, top->hex, DIGEST_SIZE);
	memcpy(m.top.media_type, top->type, sizeof(top->type));
	m.top.size = top->n;
	fetch_tell(&m);
	if (socket_recv(FETCH_SOCKET, &answer, 1, NULL, NULL) != 1)
		return error_set(e, EPIPE, "nobody wants it any more");
	return answer == 'y';
}

int fetch_pull(struct fetching *f, struct error *e)
{
	struct image_limits limits = { .layers = f->req.layers_max, .bytes = f->req.size_max };
	_cleanup_(document_free) struct document top = { 0 }, chosen = { 0 };
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	struct oci_platform platform;
	struct document *manifest = &top;
	int r = oci_platform_parse(f->req.platform, &platform, e), all;

	if (r == 0)
		r = fetch_document(f, f->req.reference, NULL, &top, e);
	if (r < 0)
		return r;
	all = fetch_tell_top(&top, e);
	if (all < 0)
		return all;
	/* An index in an index is nobody's: the unpacker would take it, a registry has no reason to send it. */
	if (r == KIND_INDEX) {
		r = fetch_of_index(f, top.json, &platform, &chosen, e);
		if (r == KIND_INDEX)
			return error_set(e, EBADMSG, "an index in an index");
		if (r < 0)
			return r;
		manifest = &chosen;
	}
	r = oci_manifest_read(json_incref(manifest->json), &limits, &m, e);
	if (r == 0 && all)
		r = get_blobs(f, &m, e);
	if (r == 0)
		fetch_signatures(f, top.hex, manifest->hex);
	return r;
}

int fetch_some(struct fetching *f, struct error *e)
{
	_cleanup_free_ struct oci_descriptor *all = xcalloc(f->req.n_blobs + 1, sizeof(*all));
	struct oci_manifest m = { .layers = all + 1 };

	for (size_t i = 0; i < f->req.n_blobs; i++) {
		memcpy(all[i].hex, f->req.blobs[i].hex, DIGEST_SIZE);
		all[i].size = f->req.blobs[i].size;
	}
	if (f->req.n_blobs == 0)
		return 0;
	m.config = all[0];
	m.n = f->req.n_blobs - 1;
	return get_blobs(f, &m, e);
}
