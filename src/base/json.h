/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON through jansson, strictly: duplicate keys, trailing bytes, NUL in strings and nesting beyond 100 levels are
 * errors. Typed readers that name the place ("config.Env[3]: not a string") in their error.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))

/* `what` names the document in errors. A new reference, or NULL with `e` filled. */
json_t *json_parse(const char *data, size_t n, const char *what, struct error *e);

/* Reads and parses a file of at most `max` bytes below `dirfd`. */
json_t *json_read(int dirfd, const char *path, size_t max, struct error *e);

/* Writes atomically with a final newline, two spaces of indent, keys in insertion order. 0 or negative errno. */
int json_write(int dirfd, const char *path, const json_t *j, mode_t mode, bool sync, struct error *e);

/* Compact text, keys in insertion order. The caller frees. */
char *json_text(const json_t *j);

/*
 * Readers of an object's member. Absent (or null) leaves *out as it is and returns 0; `where` is the JSON path of the
 * object and goes into errors. Borrowed pointers point into `obj`.
 */
int json_get_str(const json_t *obj, const char *where, const char *key, const char **out, struct error *e);
int json_get_bool(const json_t *obj, const char *where, const char *key, bool *out, struct error *e);
int json_get_int(const json_t *obj, const char *where, const char *key, int64_t min, int64_t max, int64_t *out,
		 struct error *e);
int json_get_obj(const json_t *obj, const char *where, const char *key, json_t **out, struct error *e);
int json_get_arr(const json_t *obj, const char *where, const char *key, json_t **out, struct error *e);
/* A list of strings, copied; the caller frees with strv_free. */
int json_get_strv(const json_t *obj, const char *where, const char *key, char ***out, struct error *e);

/* The list as a JSON array; NULL gives an empty one. A new reference. */
json_t *json_from_strv(char *const *v);
