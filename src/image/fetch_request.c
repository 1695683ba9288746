/* SPDX-License-Identifier: Apache-2.0 */
#include "image/fetch.h"

#include "base/cleanup.h"

#include <string.h>

static const struct {
	const char *name;
	size_t at;
} texts[] = {
	{ "server", offsetof(struct fetch_request, server) },
	{ "repository", offsetof(struct fetch_request, repository) },
	{ "reference", offsetof(struct fetch_request, reference) },
	{ "user", offsetof(struct fetch_request, user) },
	{ "password", offsetof(struct fetch_request, password) },
	{ "authorities", offsetof(struct fetch_request, authorities) },
	{ "certificate", offsetof(struct fetch_request, certificate) },
	{ "key", offsetof(struct fetch_request, key) },
	{ "platform", offsetof(struct fetch_request, platform) },
	{ "lookaside", offsetof(struct fetch_request, lookaside) },
	{ "from", offsetof(struct fetch_request, from) },
	{ "last", offsetof(struct fetch_request, last) },
	{ "unless", offsetof(struct fetch_request, unless) },
};

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	{ "timeout", offsetof(struct fetch_request, timeout_s) },
	{ "tags_max", offsetof(struct fetch_request, tags_max) },
	{ "size_max", offsetof(struct fetch_request, size_max) },
	{ "layers_max", offsetof(struct fetch_request, layers_max) },
};

static char **text_at(const struct fetch_request *r, size_t i)
{
	return (char **)((char *)r + texts[i].at);
}

void fetch_request_free(struct fetch_request *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*text_at(r, i));
	strv_free(r->token_servers);
	for (size_t i = 0; i < r->n_blobs; i++) {
		free(r->blobs[i].media_type);
		free(r->blobs[i].tag);
	}
	free(r->blobs);
	*r = (struct fetch_request){ 0 };
}

json_t *fetch_request_json(const struct fetch_request *r)
{
	json_t *j = json_object(), *blobs = json_array();

	json_object_set_new(j, "operation", json_integer(r->operation));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (*text_at(r, i))
			json_object_set_new(j, texts[i].name, json_string(*text_at(r, i)));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t v = *(uint64_t *)((char *)r + numbers[i].at);

		json_object_set_new(j, numbers[i].name, json_integer((json_int_t)v));
	}
	json_object_set_new(j, "config", json_boolean(r->config));
	json_object_set_new(j, "all", json_boolean(r->all));
	json_object_set_new(j, "referrers", json_boolean(r->referrers));
	json_object_set_new(j, "insecure", json_boolean(r->insecure));
	json_object_set_new(j, "accept_no_landlock", json_boolean(r->accept_no_landlock));
	json_object_set_new(j, "token_servers", json_from_strv(r->token_servers));
	for (size_t i = 0; i < r->n_blobs; i++)
		json_array_append_new(blobs, json_pack("{s:s,s:I,s:s*,s:s*}", "hex", r->blobs[i].hex, "size", (json_int_t)r->blobs[i].size,
						       "media_type", r->blobs[i].media_type, "tag", r->blobs[i].tag));
	json_object_set_new(j, "blobs", blobs);
	return j;
}

static int read_blobs(const json_t *j, struct fetch_request *out, struct error *e)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_arr(j, "request", "blobs", &list, e);

	if (r < 0 || !list)
		return r;
	out->blobs = xcalloc(json_array_size(list) + 1, sizeof(*out->blobs));
	json_array_foreach(list, i, item) {
		const char *hex = NULL, *media_type = NULL, *tag = NULL;
		int64_t size = 0;

		r = json_is_object(item) ? json_get_str(item, "blob", "hex", &hex, e) : -EINVAL;
		if (r == 0)
			r = json_get_int(item, "blob", "size", 0, INT64_MAX, &size, e);
		if (r == 0)
			r = json_get_str(item, "blob", "media_type", &media_type, e);
		if (r == 0)
			r = json_get_str(item, "blob", "tag", &tag, e);
		if (r < 0 || !hex || !hex_valid(hex, DIGEST_HEX))
			return error_set(e, EINVAL, "request: blobs[%zu]", i);
		memcpy(out->blobs[i].hex, hex, DIGEST_SIZE);
		out->blobs[i].size = (uint64_t)size;
		out->blobs[i].media_type = xstrdup(media_type);
		out->blobs[i].tag = xstrdup(tag);
		out->n_blobs++;
	}
	return 0;
}

int fetch_request_read(const json_t *j, struct fetch_request *out, struct error *e)
{
	int64_t operation = -1;
	int r;

	*out = (struct fetch_request){ 0 };
	if (!json_is_object(j))
		return error_set(e, EINVAL, "the request is no object");
	r = json_get_int(j, "request", "operation", FETCH_CHECK, FETCH_LAST, &operation, e);
	out->operation = (enum fetch_operation)operation;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++) {
		const char *s = NULL;

		r = json_get_str(j, "request", texts[i].name, &s, e);
		*text_at(out, i) = xstrdup(s);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++) {
		int64_t v = 0;

		r = json_get_int(j, "request", numbers[i].name, 0, INT64_MAX, &v, e);
		*(uint64_t *)((char *)out + numbers[i].at) = (uint64_t)v;
	}
	if (r == 0)
		r = json_get_bool(j, "request", "config", &out->config, e);
	if (r == 0)
		r = json_get_bool(j, "request", "all", &out->all, e);
	if (r == 0)
		r = json_get_bool(j, "request", "referrers", &out->referrers, e);
	if (r == 0)
		r = json_get_bool(j, "request", "insecure", &out->insecure, e);
	if (r == 0)
		r = json_get_bool(j, "request", "accept_no_landlock", &out->accept_no_landlock, e);
	if (r == 0)
		r = json_get_strv(j, "request", "token_servers", &out->token_servers, e);
	if (r == 0)
		r = read_blobs(j, out, e);
	if (r == 0 && (!out->server || operation < 0 || (operation != FETCH_CHECK && (!out->reference || (operation != FETCH_FILE && !out->repository)))))
		r = error_set(e, EINVAL, "the request is not complete");
	if (r < 0)
		fetch_request_free(out);
	return r;
}
