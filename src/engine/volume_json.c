/* SPDX-License-Identifier: Apache-2.0 */
/* What a volume is called, and its file. */
#include "engine/volume_internal.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/random.h>

enum { MAP_MAX = 4096 };

static const char *const fill_names[] = {
	[VOLUME_NEW] = "new",
	[VOLUME_FILLING] = "filling",
	[VOLUME_FILLED] = "filled",
};

int volume_name_check(const char *name, struct error *e)
{
	size_t n = strlen(name);
	bool good = n > 0 && n <= 128;

	for (size_t i = 0; i < n && good; i++) {
		char c = name[i];

		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		       (i > 0 && (c == '_' || c == '.' || c == '-'));
	}
	if (!good) {
		_cleanup_free_ char *safe = str_escape(name);

		return error_set(e, EINVAL, "%s is not a volume's name: letters, digits, '_', '.' and '-', the first one a "
				 "letter or digit, at most 128", safe);
	}
	return 0;
}

char *volume_random_name(void)
{
	unsigned char bytes[32];
	char *name = xmalloc(2 * sizeof(bytes) + 1);

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		free(name);
		return NULL;
	}
	hex_encode(bytes, sizeof(bytes), name);
	return name;
}

/* An id map as in the kernel's files: [inside, host, count]. */
static json_t *map_json(const struct spec_idmap *map, size_t n)
{
	json_t *arr = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(arr, json_pack("[I,I,I]", (json_int_t)map[i].inside, (json_int_t)map[i].host,
						     (json_int_t)map[i].count));
	return arr;
}

json_t *volume_json(const struct volume *v)
{
	json_t *j = json_object();

	json_object_set_new(j, "name", json_string(v->name));
	json_object_set_new(j, "created_ns", json_integer((json_int_t)v->created_ns));
	json_object_set_new(j, "anonymous", json_boolean(v->anonymous));
	json_object_set_new(j, "auto_remove", json_boolean(v->auto_remove));
	json_object_set_new(j, "labels", json_from_strv(v->labels));
	json_object_set_new(j, "fill", json_string(fill_names[v->fill]));
	if (v->used_by[0])
		json_object_set_new(j, "used_by", json_string(v->used_by));
	json_object_set_new(j, "uidmap", map_json(v->uidmap, v->n_uidmap));
	json_object_set_new(j, "gidmap", map_json(v->gidmap, v->n_gidmap));
	return j;
}

static int read_line(const json_t *item, struct spec_idmap *m)
{
	uint32_t *const to[] = { &m->inside, &m->host, &m->count };

	if (!json_is_array(item) || json_array_size(item) != 3)
		return -EBADMSG;
	for (size_t i = 0; i < 3; i++) {
		const json_t *v = json_array_get(item, i);

		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX)
			return -EBADMSG;
		*to[i] = (uint32_t)json_integer_value(v);
	}
	return m->count == 0 || m->inside + m->count < m->inside || m->host + m->count < m->host ? -EBADMSG : 0;
}

static int read_map(const json_t *j, const char *key, struct spec_idmap **map, size_t *n, struct error *e)
{
	json_t *arr = NULL, *item;
	size_t i;
	int r = json_get_arr(j, "", key, &arr, e);

	if (r < 0 || !arr)
		return r;
	if (json_array_size(arr) > MAP_MAX)
		return error_set(e, EBADMSG, "%s: more than %d lines", key, MAP_MAX);
	*map = xcalloc(json_array_size(arr), sizeof(**map));
	json_array_foreach(arr, i, item) {
		if (read_line(item, &(*map)[i]) < 0)
			return error_set(e, EBADMSG, "%s[%zu]: not [inside, host, count]", key, i);
		(*n)++;
	}
	return 0;
}

static int parse(const json_t *j, struct volume *v, struct error *e)
{
	static const char *const keys[] = { "name", "created_ns", "anonymous", "auto_remove", "labels",
					    "fill", "used_by",	  "uidmap",    "gidmap" };
	const char *name = NULL, *fill = "new", *used_by = "", *key;
	int64_t created = 0;
	json_t *value;
	size_t i = 0;
	int r;

	if (!json_is_object(j))
		return error_set(e, EBADMSG, "volume.json: not an object");
	json_object_foreach((json_t *)j, key, value) {
		for (i = 0; i < ARRAY_SIZE(keys) && !streq(keys[i], key); i++)
			;
		if (i == ARRAY_SIZE(keys)) {
			_cleanup_free_ char *safe = str_escape(key);

			return error_set(e, EBADMSG, "volume.json: %s: unknown key", safe);
		}
	}
	r = json_get_str(j, "", "name", &name, e);
	if (r == 0)
		r = json_get_int(j, "", "created_ns", 0, INT64_MAX, &created, e);
	if (r == 0)
		r = json_get_bool(j, "", "anonymous", &v->anonymous, e);
	if (r == 0)
		r = json_get_bool(j, "", "auto_remove", &v->auto_remove, e);
	if (r == 0)
		r = json_get_strv(j, "", "labels", &v->labels, e);
	if (r == 0)
		r = json_get_str(j, "", "fill", &fill, e);
	if (r == 0)
		r = json_get_str(j, "", "used_by", &used_by, e);
	if (r == 0)
		r = read_map(j, "uidmap", &v->uidmap, &v->n_uidmap, e);
	if (r == 0)
		r = read_map(j, "gidmap", &v->gidmap, &v->n_gidmap, e);
	if (r < 0)
		return error_wrap(e, "volume.json");
	if (!name || volume_name_check(name, NULL) < 0)
		return error_set(e, EBADMSG, "volume.json: name: missing or not a volume's name");
	if (*used_by && !hex_valid(used_by, CONTAINER_ID_LEN))
		return error_set(e, EBADMSG, "volume.json: used_by: not an id");
	for (i = 0; i < ARRAY_SIZE(fill_names) && !streq(fill_names[i], fill); i++)
		;
	if (i == ARRAY_SIZE(fill_names))
		return error_set(e, EBADMSG, "volume.json: fill: unknown word");
	v->name = xstrdup(name);
	v->created_ns = (uint64_t)created;
	v->fill = (enum volume_fill)i;
	memcpy(v->used_by, used_by, strlen(used_by) + 1);
	return 0;
}

int volume_parse(const json_t *j, struct volume *v, struct error *e)
{
	int r;

	memset(v, 0, sizeof(*v));
	r = parse(j, v, e);
	if (r < 0)
		volume_free(v);
	return r;
}

void volume_free(struct volume *v)
{
	free(v->name);
	strv_free(v->labels);
	free(v->uidmap);
	free(v->gidmap);
	memset(v, 0, sizeof(*v));
}
