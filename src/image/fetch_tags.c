/* SPDX-License-Identifier: Apache-2.0 */
/* distribution-spec 1.1 "Listing Tags": page by page, by the link that a page has to the next one. */
#include "image/fetch_internal.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "image/name.h"

#include <string.h>

enum { PAGE = 1000, PAGES_MAX = 1000, TAG_MAX = 128 };

struct listing {
	char last[TAG_MAX + 1];
	const char *behind; /* what is not, although the registry tells it, does not count */
	uint64_t told, most; /* most 0: all; else no page is asked for behind them, but one with more of them is told as a whole */
};

/* How many there are on it. A registry that knows no pages sends all of them again; who hears them takes each once. */
static int tell_page(const struct http_request *q, struct listing *l, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(q->body.data ? q->body.data : "", q->body.len, "list of tags", e);
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
		snprintf(l->last, sizeof(l->last), "%s", tag);
		snprintf(m.note, sizeof(m.note), "%s", tag);
		fetch_tell(&m);
		l->told += strcmp(tag, l->behind) > 0;
	}
	return (int)json_array_size(tags);
}

/* By its own link when there is one (which may carry more than the last tag), else behind the last tag of a page that was full. */
static int next_page(struct fetching *f, const struct http_request *q, const struct listing *l, int had, const char *before, char **url,
		     struct error *e)
{
	struct error own = { 0 };

	*url = NULL;
	if (l->most && l->told >= l->most)
		return 0;
	*url = http_next_page(f->http, q, &own);
	if (own.code) {
		*e = own;
		return own.code;
	}
	if (!*url && had >= PAGE && !streq(l->last, before))
		*url = http_url(f->http, "/v2/%s/tags/list?n=%d&last=%s", f->req.repository, PAGE, l->last);
	return 0;
}

int fetch_tags(struct fetching *f, struct error *e)
{
	const char *last = f->req.last && tag_valid(f->req.last) ? f->req.last : "";
	struct listing l = { .behind = last, .most = f->req.tags_max };
	char *url = http_url(f->http, "/v2/%s/tags/list?n=%llu%s%s", f->req.repository,
			     (unsigned long long)(l.most && l.most < PAGE ? l.most : PAGE), *last ? "&last=" : "", last);

	for (int page = 0; url; page++) {
		_cleanup_free_ char *before = xstrdup(l.last);
		_cleanup_http_request_ struct http_request q;
		int r;

		http_request_init(&q, "GET", url);
		q.accept = "application/json";
		q.max = HTTP_DOCUMENT_MAX;
		url = NULL;
		if (page >= PAGES_MAX)
			return error_set(e, EFBIG, "the registry's list of tags does not end");
		r = http_do_one(f->http, &q, e);
		if (r == 0 && q.status != 200)
			r = http_status_error(&q, "list of tags", e);
		if (r == 0)
			r = tell_page(&q, &l, e);
		if (r >= 0)
			r = next_page(f, &q, &l, r, before, &url, e);
		if (r < 0)
			return error_wrap(e, "list of tags");
	}
	return 0;
}
