/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the config.json parser share: getters with the JSON path, and arrays of structures. */
#pragma once

#include "spec/oci.h"

#include <stdio.h>

/* The path of a member, for errors. */
struct oci_path {
	char text[256];
};
static inline struct oci_path oci_at(const char *where, const char *key)
{
	struct oci_path p;

	if (snprintf(p.text, sizeof(p.text), "%s%s%s", where, *where ? "." : "", key) >= (int)sizeof(p.text))
		p.text[sizeof(p.text) - 1] = 0; /* a name of ours is never that long; a key of the document may be */
	return p;
}
static inline struct oci_path oci_at_index(const char *where, const char *key, size_t i)
{
	struct oci_path p;

	if (snprintf(p.text, sizeof(p.text), "%s%s%s[%zu]", where, *where ? "." : "", key, i) >= (int)sizeof(p.text))
		p.text[sizeof(p.text) - 1] = 0;
	return p;
}

/* Absent: *out stays; present and empty is -EINVAL when `full`. A copy, owned by the caller. */
int oci_get_text(const json_t *obj, const char *where, const char *key, bool full, char **out, struct error *e);
int oci_get_num(const json_t *obj, const char *where, const char *key, int64_t min, int64_t max, struct oci_num *out,
		struct error *e);
int oci_get_u32(const json_t *obj, const char *where, const char *key, bool need, uint32_t *out, struct error *e);
/* The text with numbers above 2^63-1 as oci_get_u64() reads them, or NULL when there is none. The caller frees. */
char *oci_long_numbers(const char *data, size_t n);
/* A number up to 2^64-1. */
int oci_get_u64(const json_t *obj, const char *where, const char *key, bool need, uint64_t *out, struct error *e);
/* The array's elements, each an object: calls `one` with its path. */
int oci_each(const json_t *obj, const char *where, const char *key, size_t size, void **out, size_t *n,
	     int (*one)(const json_t *j, const char *where, void *element, struct error *e), struct error *e);
/* An object of strings (or numbers when `numbers`) as pairs. */
int oci_get_pairs(const json_t *obj, const char *where, const char *key, struct oci_pair **out, size_t *n, struct error *e);
void oci_pairs_free(struct oci_pair *v, size_t n);
int oci_idmap_parse(const json_t *obj, const char *where, const char *key, struct spec_idmap **out, size_t *n,
		    struct error *e);
int oci_missing(struct error *e, const char *where, const char *key);
