/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <string.h>
#include <sys/random.h>

enum { DEPTH_MAX = 100 };

/* jansson allows 2048 levels; brig's documents need a dozen, and a shallow bound keeps every walk's stack small. */
static int check_depth(const char *data, size_t n)
{
	int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < n; i++) {
		char c = data[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return -E2BIG;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return 0;
}

/* By itself jansson reads /dev/urandom (json_object_seed(), "Hash seed"). */
static void seed_hashes(void)
{
	static bool done;
	size_t seed;

	if (!done && getrandom(&seed, sizeof(seed), 0) == sizeof(seed))
		json_object_seed(seed ? seed : 1);
	done = true;
}

json_t *json_parse(const char *data, size_t n, const char *what, struct error *e)
{
	json_error_t je;
	json_t *j;

	seed_hashes();
	if (check_depth(data, n) < 0) {
		error_set(e, EBADMSG, "%s: nested deeper than %d levels", what, DEPTH_MAX);
		return NULL;
	}
	j = json_loadb(data, n, JSON_REJECT_DUPLICATES, &je);
	if (!j) {
		_cleanup_free_ char *text = str_escape(je.text);

		error_set(e, EBADMSG, "%s:%d:%d: %s", what, je.line, je.column, text);
	}
	return j;
}

json_t *json_read(int dirfd, const char *path, size_t max, struct error *e)
{
	_cleanup_free_ char *data = NULL;
	size_t n;
	int r = file_read(dirfd, path, max, &data, &n);

	if (r < 0) {
		error_errno(e, r, "%s", path);
		return NULL;
	}
	return json_parse(data, n, path, e);
}

int json_write(int dirfd, const char *path, const json_t *j, mode_t mode, bool sync, struct error *e)
{
	_cleanup_free_ char *text = json_dumps(j, JSON_INDENT(2));
	size_t n;
	int r;

	if (!text)
		return error_set(e, EINVAL, "%s: cannot be written as JSON", path);
	n = strlen(text);
	text[n] = '\n'; /* json_dumps ends with NUL; that byte becomes the newline, and n+1 bytes are written */
	r = file_replace(dirfd, path, text, n + 1, mode, sync);
	return r < 0 ? error_errno(e, r, "cannot write %s", path) : 0;
}

char *json_text(const json_t *j)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	return s ? s : xstrdup("null");
}

static int wrong(struct error *e, const char *where, const char *key, const char *want)
{
	_cleanup_free_ char *k = str_escape(key);

	return error_set(e, EBADMSG, "%s%s%s: not %s", where, *where ? "." : "", k, want);
}

static const json_t *member(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	return v && !json_is_null(v) ? v : NULL;
}

int json_get_str(const json_t *obj, const char *where, const char *key, const char **out, struct error *e)
{
	const json_t *v = member(obj, key);

	if (!v)
		return 0;
	if (!json_is_string(v))
		return wrong(e, where, key, "a string");
	*out = json_string_value(v);
	return 0;
}

int json_get_bool(const json_t *obj, const char *where, const char *key, bool *out, struct error *e)
{
	const json_t *v = member(obj, key);

	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return wrong(e, where, key, "true or false");
	*out = json_is_true(v);
	return 0;
}

int json_get_int(const json_t *obj, const char *where, const char *key, int64_t min, int64_t max, int64_t *out,
		 struct error *e)
{
	const json_t *v = member(obj, key);

	if (!v)
		return 0;
	if (!json_is_integer(v))
		return wrong(e, where, key, "a whole number");
	int64_t x = json_integer_value(v);
	if (x < min || x > max)
		return error_set(e, ERANGE, "%s%s%s: %lld is outside %lld to %lld", where, *where ? "." : "", key,
				 (long long)x, (long long)min, (long long)max);
	*out = x;
	return 0;
}

int json_get_obj(const json_t *obj, const char *where, const char *key, json_t **out, struct error *e)
{
	const json_t *v = member(obj, key);

	if (!v)
		return 0;
	if (!json_is_object(v))
		return wrong(e, where, key, "an object");
	*out = (json_t *)v;
	return 0;
}

int json_get_arr(const json_t *obj, const char *where, const char *key, json_t **out, struct error *e)
{
	const json_t *v = member(obj, key);

	if (!v)
		return 0;
	if (!json_is_array(v))
		return wrong(e, where, key, "an array");
	*out = (json_t *)v;
	return 0;
}

int json_get_strv(const json_t *obj, const char *where, const char *key, char ***out, struct error *e)
{
	_cleanup_strv_ char **v = NULL;
	json_t *arr = NULL, *item;
	size_t i;
	int r = json_get_arr(obj, where, key, &arr, e);

	if (r < 0 || !arr)
		return r;
	json_array_foreach(arr, i, item) {
		if (!json_is_string(item))
			return error_set(e, EBADMSG, "%s%s%s[%zu]: not a string", where, *where ? "." : "", key, i);
	}
	v = xcalloc(json_array_size(arr) + 1, sizeof(char *));
	json_array_foreach(arr, i, item)
		v[i] = xstrdup(json_string_value(item));
	strv_free(*out);
	*out = steal_ptr(&v);
	return 0;
}

json_t *json_from_strv(char *const *v)
{
	json_t *arr = json_array();

	strv_foreach(it, v)
		json_array_append_new(arr, json_string(*it));
	return arr;
}
