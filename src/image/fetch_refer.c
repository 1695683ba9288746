/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distribution-spec 1.1 "Pushing Manifests with Subject": a registry that does not list referrers itself has the list under the tag
 * sha256-HEX, an index that who pushes brings up to date. What others entered stays in it.
 */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "image/name.h"
#include "image/oci.h"

#include <string.h>

enum { REFERRERS_MAX = 1000 };

static json_t *new_list(void)
{
	return json_pack("{s:i,s:s,s:[]}", "schemaVersion", 2, "mediaType", OCI_INDEX, "manifests");
}

/* The list that is there, or an empty one. What stands under the tag and is no index may not be written over. */
static int get_list(struct fetching *f, const char *tag, json_t **out, struct error *e)
{
	_cleanup_http_request_ struct http_request q;
	_cleanup_json_ json_t *j = NULL;
	int r;

	http_request_init(&q, "GET", http_url(f->http, "/v2/%s/manifests/%s", f->req.repository, tag));
	q.accept = OCI_INDEX ", " OCI_MANIFEST; /* a manifest there must be seen, or it were written over */
	r = http_do_one(f->http, &q, e);
	if (r < 0)
		return r;
	if (q.status == 404) {
		*out = new_list();
		return 0;
	}
	if (q.status != 200)
		return http_status_error(&q, "list of referrers", e);
	j = json_parse(q.body.data ? q.body.data : "", q.body.len, "list of referrers", e);
	if (!j)
		return e->code;
	r = oci_kind(j, NULL, "list of referrers", e);
	if (r < 0)
		return r;
	if (r != KIND_INDEX || !json_is_array(json_object_get(j, "manifests")))
		return error_set(e, EBADMSG, "the tag %s of the registry is no list of referrers", tag);
	if (json_array_size(json_object_get(j, "manifests")) >= REFERRERS_MAX)
		return error_set(e, E2BIG, "the registry has %d referrers of it already", REFERRERS_MAX);
	*out = steal_ptr(&j);
	return 0;
}

static bool listed(const json_t *list, const json_t *one)
{
	const char *digest = json_string_value(json_object_get(one, "digest"));
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (streq(json_string_value(json_object_get(item, "digest")), digest))
			return true;
	return false;
}

static json_t *describe(const struct fetch_blob *b, const json_t *manifest)
{
	json_t *type = json_object_get(manifest, "artifactType"), *config = json_object_get(json_object_get(manifest, "config"), "mediaType");
	json_t *notes = json_object_get(manifest, "annotations");
	json_t *d = json_pack("{s:s,s:o,s:I}", "mediaType", b->media_type, "digest", json_sprintf("sha256:%s", b->hex), "size",
			      (json_int_t)b->size);

	if (json_is_string(type ? type : config))
		json_object_set(d, "artifactType", type ? type : config);
	if (json_is_object(notes))
		json_object_set(d, "annotations", notes);
	return d;
}

int fetch_refer(struct fetching *f, const struct fetch_blob *b, const char *text, size_t n, struct error *e)
{
	_cleanup_json_ json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL), *own = NULL, *list = NULL;
	const char *digest = json_string_value(json_object_get(json_object_get(j, "subject"), "digest"));
	const char *subject = digest ? digest_hex(digest) : NULL;
	_cleanup_free_ char *tag = subject ? xasprintf("sha256-%s", subject) : NULL, *out = NULL;
	_cleanup_http_request_ struct http_request q;
	int r = subject ? get_list(f, tag, &list, e) : 0;

	http_request_init(&q, "PUT", http_url(f->http, "/v2/%s/manifests/%s", f->req.repository, tag ? tag : ""));
	if (r < 0)
		return error_wrap(e, "cannot say that this is about sha256:%s", subject);
	own = subject ? describe(b, j) : NULL;
	if (!own || listed(json_object_get(list, "manifests"), own))
		return 0;
	json_array_append(json_object_get(list, "manifests"), own);
	out = json_text(list);
	q.content_type = OCI_INDEX;
	q.in = out;
	q.upload = strlen(out);
	r = http_do_one(f->http, &q, e);
	if (r == 0 && q.status != 201)
		r = http_status_error(&q, "list of referrers", e);
	return r;
}
