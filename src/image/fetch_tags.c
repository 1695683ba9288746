/* SPDX-License-Identifier: Apache-2.0 */
/* distribution-spec 1.1 "Listing Tags": page by page, each after the last tag of the one before. */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "image/name.h"

#include <string.h>

enum { PAGE = 1000, PAGES_MAX = 1000, TAG_MAX = 128 };

/* 1: there may be more. A registry that knows no pages sends all of them again; who hears them takes each once. */
static int tell_page(const struct http_request *q, char last[static TAG_MAX + 1], struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(q->body.data ? q->body.data : "", q->body.len, "list of tags", e);
	_cleanup_free_ char *before = xstrdup(last);
	json_t *tags = NULL, *item;
	size_t i;

	if (!j)
		return e->code;
	tags = json_object_get(j, "tags");
	if (!json_is_object(j) || (tags && !json_is_array(tags) && !json_is_null(tags)))
		return error_set(e, EBADMSG, "the registry sends no list of tags");
	json_array_foreach(tags, i, item) {
		struct fetch_message m = { .word = FETCH_TAG };
		const char *tag = json_string_value(item);

		if (!tag || !tag_valid(tag))
			return error_set(e, EBADMSG, "the registry lists a tag that is none");
		snprintf(last, TAG_MAX + 1, "%s", tag);
		snprintf(m.note, sizeof(m.note), "%s", tag);
		fetch_tell(&m);
	}
	return json_array_size(tags) > 0 && !streq(last, before);
}

int fetch_tags(struct fetching *f, struct error *e)
{
	char last[TAG_MAX + 1] = "";

	for (int page = 0; page < PAGES_MAX; page++) {
		_cleanup_http_request_ struct http_request q;
		int r;

		http_request_init(&q, "GET", http_url(f->http, "/v2/%s/tags/list?n=%d%s%s", f->req.repository, PAGE,
						      *last ? "&last=" : "", last));
		q.accept = "application/json";
		q.max = HTTP_DOCUMENT_MAX;
		r = http_do_one(f->http, &q, e);
		if (r == 0 && q.status != 200)
			r = http_status_error(&q, "list of tags", e);
		if (r == 0)
			r = tell_page(&q, last, e);
		if (r <= 0)
			return r;
	}
	return error_set(e, EFBIG, "the registry's list of tags does not end");
}
