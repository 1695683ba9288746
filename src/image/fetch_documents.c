/* SPDX-License-Identifier: Apache-2.0 */
/* An image's documents without its layers: to look at it where it is, and to know what a copy of it takes. */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "image/oci.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { DOCUMENTS_BYTES = 64 * 1024 * 1024 }; /* of all manifests of an index */

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
	if (r == KIND_INDEX && f->req.all)
		return get_all(f, top.json, e);
	if (f->req.all)
		return 0;
	if (r == KIND_INDEX) {
		r = fetch_of_index(f, top.json, &platform, &chosen, e);
		if (r == KIND_INDEX)
			return error_set(e, EBADMSG, "an index in an index");
		manifest = &chosen;
	}
	if (r >= 0)
		r = oci_manifest_read(json_incref(manifest->json), &limits, &m, e);
	return r < 0 ? r : get_config(f, &m.config, e);
}
