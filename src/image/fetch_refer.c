/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distribution-spec 1.1 "Pushing Manifests with Subject": a registry that does not list referrers itself has the list under the tag
 * sha256-HEX, an index that who pushes brings up to date. What others entered stays in it.
 */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
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

int fetch_refer(struct fetching *f, struct error *e)
{
	_cleanup_free_ char *tag = xasprintf("sha256-%s", f->req.subject), *text = NULL;
	_cleanup_json_ json_t *own = json_parse(f->req.referrer ? f->req.referrer : "", f->req.referrer ? strlen(f->req.referrer) : 0,
						"referrer", e), *list = NULL;
	_cleanup_http_request_ struct http_request q;
	int r = own ? get_list(f, tag, &list, e) : e->code;

	http_request_init(&q, "PUT", http_url(f->http, "/v2/%s/manifests/%s", f->req.repository, tag));
	if (r < 0)
		return error_wrap(e, "cannot say that this is about sha256:%s", f->req.subject);
	if (listed(json_object_get(list, "manifests"), own))
		return 0;
	json_array_append(json_object_get(list, "manifests"), own);
	text = json_text(list);
	q.content_type = OCI_INDEX;
	q.in = text;
	q.upload = strlen(text);
	r = http_do_one(f->http, &q, e);
	if (r == 0 && q.status != 201)
		r = http_status_error(&q, "list of referrers", e);
	return r;
}
