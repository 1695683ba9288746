/* SPDX-License-Identifier: Apache-2.0 */
/* An image's documents without its layers: to look at it where it is, and to know what a copy of it takes. */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "image/name.h"
#include "image/oci.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { DOCUMENTS_BYTES = 64 * 1024 * 1024 /* of all manifests of an index */, REFERRERS_MAX = 256 };

static int get_config(struct fetching *f, const struct oci_descriptor *d, struct error *e)
{
	_cleanup_close_ int fd = openat(FETCH_FOLDER, d->hex, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	_cleanup_http_request_ struct http_request q;
	int r;

	if (fd < 0)
		return error_errno(e, errno, "cannot make a file for the configuration");
	if (d->size > OCI_DOCUMENT_MAX)
		return error_set(e, EFBIG, "a configuration of more than %d bytes", OCI_DOCUMENT_MAX);
	http_request_init(&q, "GET", http_url(f->http, "/v2/%s/blobs/sha256:%s", f->req.repository, d->hex));
	q.file = fd;
	q.max = d->size;
	r = http_do_one(f->http, &q, e);
	return r == 0 && q.status != 200 ? http_status_error(&q, "configuration", e) : r;
}

/* --- what refers to them ------------------------------------------------------------------------------------------ */

static void tell_extra(const struct document *d, const char *tag)
{
	struct fetch_message m = { .word = FETCH_EXTRA };

	memcpy(m.extra.hex, d->hex, DIGEST_SIZE);
	snprintf(m.extra.tag, sizeof(m.extra.tag), "%s", tag);
	fetch_tell(&m);
}

static int get_tagged(struct fetching *f, const char *subject, const char *ending, struct error *e)
{
	_cleanup_free_ char *tag = xasprintf("sha256-%s%s", subject, ending);
	_cleanup_(document_free) struct document d = { 0 };
	struct error own = { 0 };
	int r = fetch_document(f, tag, NULL, &d, &own);

	if (r >= 0)
		tell_extra(&d, tag);
	else if (r != -ENOENT)
		*e = own;
	return r >= 0 || r == -ENOENT ? 0 : r;
}

static int get_referrers(struct fetching *f, const json_t *index, struct error *e)
{
	const json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(index, "manifests"), i, item) {
		_cleanup_(document_free) struct document d = { 0 };
		const char *digest = json_string_value(json_object_get(item, "digest"));

		if (i >= REFERRERS_MAX)
			return error_set(e, EFBIG, "more than %d referrers", REFERRERS_MAX);
		if (!digest || !digest_hex(digest))
			return error_set(e, EBADMSG, "a referrer without a digest");
		r = fetch_document(f, digest, NULL, &d, e);
		if (r < 0)
			return r;
		tell_extra(&d, "");
	}
	return 0;
}

/* By the API, or by the tag that stands for it where there is none (distribution-spec 1.1 "Listing Referrers"). */
static int get_referring(struct fetching *f, const char *subject, struct error *e)
{
	char *urls[] = { http_url(f->http, "/v2/%s/referrers/sha256:%s", f->req.repository, subject),
			 http_url(f->http, "/v2/%s/manifests/sha256-%s", f->req.repository, subject) };
	bool there = false;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		_cleanup_http_request_ struct http_request q;
		_cleanup_json_ json_t *j = NULL;

		http_request_init(&q, "GET", urls[i]);
		q.accept = OCI_INDEX;
		if (r < 0 || there)
			continue;
		r = http_do_one(f->http, &q, e);
		if (r == 0 && q.status >= 500 && q.status != 501)
			r = http_status_error(&q, "referrers", e);
		there = r == 0 && q.status == 200;
		j = there ? json_parse(q.body.data ? q.body.data : "", q.body.len, "referrers", e) : NULL;
		if (there)
			r = j ? get_referrers(f, j, e) : e->code;
	}
	return r;
}

static int get_extras(struct fetching *f, const char *subject, struct error *e)
{
	static const char *const endings[] = { ".sig", ".att", ".sbom" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(endings); i++)
		r = get_tagged(f, subject, endings[i], e);
	return r == 0 ? get_referring(f, subject, e) : r;
}

/* --- the image ---------------------------------------------------------------------------------------------------- */

static int get_all(struct fetching *f, json_t *json, struct error *e)
{
	_cleanup_(oci_index_free) struct oci_index x = { 0 };
	uint64_t bytes = 0;
	int r = oci_index_read(json_incref(json), &x, e);

	for (size_t i = 0; r >= 0 && i < x.n; i++) {
		_cleanup_(document_free) struct document one = { 0 };
		_cleanup_free_ char *reference = xasprintf("sha256:%s", x.manifests[i].hex);

		bytes += x.manifests[i].size;
		if (x.manifests[i].size > OCI_DOCUMENT_MAX || bytes > DOCUMENTS_BYTES)
			return error_set(e, EFBIG, "manifests of more than %d bytes", DOCUMENTS_BYTES);
		r = fetch_document(f, reference, &x.manifests[i], &one, e);
		if (r == KIND_INDEX)
			r = error_set(e, EBADMSG, "an index in an index");
		if (r >= 0 && f->req.referrers)
			r = get_extras(f, one.hex, e);
		if (r < 0)
			error_wrap(e, "manifest %zu of %zu", i + 1, x.n);
	}
	return r < 0 ? r : 0;
}

int fetch_documents(struct fetching *f, struct error *e)
{
	struct image_limits limits = { .layers = f->req.layers_max, .bytes = f->req.size_max };
	_cleanup_(document_free) struct document top = { 0 }, chosen = { 0 };
	_cleanup_(oci_manifest_free) struct oci_manifest m = { 0 };
	struct document *manifest = &top;
	struct oci_platform platform;
	int r = oci_platform_parse(f->req.platform, &platform, e), more;

	if (r == 0)
		r = fetch_document(f, f->req.reference, NULL, &top, e);
	if (r < 0)
		return r;
	more = fetch_tell_top(&top, e);
	if (more <= 0)
		return more;
	if (f->req.referrers) {
		more = get_extras(f, top.hex, e);
		if (more < 0)
			return more;
	}
	if (f->req.all)
		return r == KIND_INDEX ? get_all(f, top.json, e) : 0;
	if (r == KIND_INDEX) {
		r = fetch_of_index(f, top.json, &platform, &chosen, e);
		if (r == KIND_INDEX)
			return error_set(e, EBADMSG, "an index in an index");
		manifest = &chosen;
		if (r >= 0 && f->req.referrers && (more = get_extras(f, chosen.hex, e)) < 0)
			return more;
	}
	if (r < 0 || !f->req.config)
		return r < 0 ? r : 0;
	r = oci_manifest_read(json_incref(manifest->json), &limits, &m, e);
	return r < 0 ? r : get_config(f, &m.config, e);
}
