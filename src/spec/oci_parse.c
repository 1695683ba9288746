/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/oci_parse.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

int oci_missing(struct error *e, const char *where, const char *key)
{
	return error_set(e, EINVAL, "%s%s%s: is missing", where, *where ? "." : "", key);
}

int oci_get_text(const json_t *obj, const char *where, const char *key, bool full, char **out, struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(obj, where, key, &s, e);

	if (r < 0)
		return r;
	if (s && full && !*s)
		return error_set(e, EINVAL, "%s: is empty", oci_at(where, key).text);
	if (s) {
		free(*out);
		*out = xstrdup(s);
	}
	return 0;
}

int oci_get_num(const json_t *obj, const char *where, const char *key, int64_t min, int64_t max, struct oci_num *out,
		struct error *e)
{
	const json_t *v = json_object_get(obj, key);

	if (!v || json_is_null(v))
		return 0;
	int r = json_get_int(obj, where, key, min, max, &out->v, e);

	out->set = r == 0;
	return r;
}

int oci_get_u32(const json_t *obj, const char *where, const char *key, bool need, uint32_t *out, struct error *e)
{
	struct oci_num n = { 0 };
	int r = oci_get_num(obj, where, key, 0, UINT32_MAX, &n, e);

	if (r == 0 && n.set)
		*out = (uint32_t)n.v;
	return r == 0 && need && !n.set ? oci_missing(e, where, key) : r;
}

/*
 * jansson's integers end at 2^63 - 1; callers write 2^64 - 1 for "no limit". Numbers between the two are put into strings of
 * a shape of our own before parsing. NULL: there is none.
 */
char *oci_long_numbers(const char *data, size_t n)
{
	_cleanup_buf_ struct buf b = { 0 };
	bool in_string = false, any = false;
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		size_t end = i;

		if (in_string) {
			i += data[i] == '\\';
			in_string = i >= n || data[i] != '"' || data[i - 1] == '\\';
			continue;
		}
		if (data[i] == '"')
			in_string = true;
		while (end < n && data[end] >= '0' && data[end] <= '9')
			end++;
		if (end == i)
			continue;
		if (end - i >= 19 && end - i <= 20 && (i == 0 || !strchr("-+.eE", data[i - 1])) &&
		    (end == n || !strchr(".eE", data[end])) &&
		    (end - i == 20 || strncmp(data + i, "9223372036854775807", 19) > 0)) {
			buf_add(&b, data + done, i - done);
			buf_printf(&b, "\"#%.*s\"", (int)(end - i), data + i);
			done = end;
			any = true;
		}
		i = end - 1;
	}
	if (!any)
		return NULL;
	buf_add(&b, data + done, n - done);
	return buf_steal(&b);
}

int oci_get_u64(const json_t *obj, const char *where, const char *key, bool need, uint64_t *out, struct error *e)
{
	const json_t *v = json_object_get(obj, key);
	struct oci_num n = { 0 };
	int r;

	if (v && json_is_string(v) && json_string_value(v)[0] == '#') {
		if (parse_u64(json_string_value(v) + 1, 0, UINT64_MAX, out) < 0)
			return error_set(e, ERANGE, "%s: is not a number of 64 bits", oci_at(where, key).text);
		return 0;
	}
	r = oci_get_num(obj, where, key, 0, INT64_MAX, &n, e);
	if (r == 0 && n.set)
		*out = (uint64_t)n.v;
	return r == 0 && need && !n.set ? oci_missing(e, where, key) : r;
}

int oci_each(const json_t *obj, const char *where, const char *key, size_t size, void **out, size_t *n,
	     int (*one)(const json_t *j, const char *where, void *element, struct error *e), struct error *e)
{
	json_t *arr = NULL, *item;
	size_t i;
	int r = json_get_arr(obj, where, key, &arr, e);

	if (r < 0 || !arr)
		return r;
	*out = xcalloc(json_array_size(arr) + 1, size);
	json_array_foreach(arr, i, item) {
		struct oci_path at = oci_at_index(where, key, i);

		if (!json_is_object(item))
			return error_set(e, EBADMSG, "%s: not an object", at.text);
		*n = i + 1; /* what is half read is freed as well */
		r = one(item, at.text, (char *)*out + i * size, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int oci_get_pairs(const json_t *obj, const char *where, const char *key, struct oci_pair **out, size_t *n, struct error *e)
{
	json_t *o = NULL, *v;
	const char *name;
	int r = json_get_obj(obj, where, key, &o, e);

	if (r < 0 || !o)
		return r;
	*out = xcalloc(json_object_size(o) + 1, sizeof(**out));
	json_object_foreach(o, name, v) {
		if (!json_is_string(v)) {
			_cleanup_free_ char *safe = str_escape(name);

			return error_set(e, EBADMSG, "%s[\"%s\"]: not a string", oci_at(where, key).text, safe);
		}
		(*out)[(*n)++] = (struct oci_pair){ xstrdup(name), xstrdup(json_string_value(v)) };
	}
	return 0;
}

void oci_pairs_free(struct oci_pair *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		free(v[i].value);
	}
	free(v);
}

static int idmap_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct spec_idmap *m = element;
	int r = oci_get_u32(j, where, "containerID", true, &m->inside, e);

	if (r == 0)
		r = oci_get_u32(j, where, "hostID", true, &m->host, e);
	if (r == 0)
		r = oci_get_u32(j, where, "size", true, &m->count, e);
	if (r < 0)
		return r;
	if (m->count == 0)
		return error_set(e, EINVAL, "%s.size: is 0", where);
	if ((uint64_t)m->inside + m->count > UINT32_MAX || (uint64_t)m->host + m->count > UINT32_MAX)
		return error_set(e, ERANGE, "%s: goes beyond the last id", where);
	return 0;
}

int oci_idmap_parse(const json_t *obj, const char *where, const char *key, struct spec_idmap **out, size_t *n,
		    struct error *e)
{
	void *v = NULL;
	int r = oci_each(obj, where, key, sizeof(struct spec_idmap), &v, n, idmap_one, e);

	*out = v;
	return r;
}
