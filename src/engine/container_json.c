/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files config.json and state.json. One table a structure says what its members are called and of which kind they
 * are; writing, reading and freeing walk the same tables, so that no member can be forgotten in one of them.
 */
#include "engine/container.h"

#include "base/cleanup.h"
#include "confine/rlimits.h"

#include <stddef.h>
#include <string.h>

enum kind {
	K_STR,	     /* char *; NULL is left out */
	K_STRV,	     /* char ** */
	K_BOOL,
	K_U64,	     /* up to INT64_MAX */
	K_U64_MAX,   /* the same, and UINT64_MAX ("no limit") written as -1 */
	K_U32,
	K_U16,
	K_I32,	     /* pid_t, int */
	K_ID,	     /* char[65] */
	K_ENUM,	     /* enum; `names` */
	K_RLIMIT,    /* int, RLIMIT_* by name */
	K_U32_LIST,  /* uint32_t *, count at `count` */
	K_U16_LIST,  /* uint16_t *, count at `count` */
	K_NS,	     /* uint64_t[8] */
	K_OBJECT,    /* embedded structure; `fields` */
	K_LIST,	     /* structure *, count at `count`, `fields`, `size` of each */
};

enum { LIST_MAX = 65536 };

struct field {
	const char *key;
	enum kind kind;
	size_t at, count, size;
	const struct field *fields;
	const char *const *names;
	size_t n_names;
};

#define F(type, member, kind_) { .key = #member, .kind = kind_, .at = offsetof(type, member) }
#define F_ENUM(type, member, names_) \
	{ .key = #member, .kind = K_ENUM, .at = offsetof(type, member), .names = names_, .n_names = ARRAY_SIZE(names_) }
#define F_NUMBERS(type, member, kind_) \
	{ .key = #member, .kind = kind_, .at = offsetof(type, member), .count = offsetof(type, n_##member) }
#define F_OBJECT(type, member, fields_) \
	{ .key = #member, .kind = K_OBJECT, .at = offsetof(type, member), .fields = fields_ }
#define F_LIST(type, member, fields_)                                                                      \
	{                                                                                                  \
		.key = #member, .kind = K_LIST, .at = offsetof(type, member), .count = offsetof(type, n_##member), \
		.size = sizeof(*((type *)NULL)->member), .fields = fields_                                 \
	}
#define F_END { .key = NULL }

static const char *const status_names[] = {
	[ST_CREATED] = "created",   [ST_RUNNING] = "running", [ST_PAUSED] = "paused", [ST_RESTARTING] = "restarting",
	[ST_REMOVING] = "removing", [ST_EXITED] = "exited",   [ST_DEAD] = "dead",
};

static const char *const restart_names[] = {
	[RESTART_NO] = "no",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ALWAYS] = "always",
	[RESTART_UNLESS_STOPPED] = "unless-stopped",
};

static const struct field health_fields[] = {
	F(struct health_config, test, K_STRV),
	F(struct health_config, interval_ns, K_U64),
	F(struct health_config, timeout_ns, K_U64),
	F(struct health_config, start_period_ns, K_U64),
	F(struct health_config, retries, K_U64),
	F_END,
};

static const struct field health_result_fields[] = {
	F(struct health_result, start_ns, K_U64),
	F(struct health_result, end_ns, K_U64),
	F(struct health_result, exit_code, K_I32),
	F(struct health_result, output, K_STR),
	F_END,
};

static const struct field mount_fields[] = {
	F(struct volume_mount, type, K_STR),
	F(struct volume_mount, source, K_STR),
	F(struct volume_mount, target, K_STR),
	F(struct volume_mount, options, K_STR),
	F(struct volume_mount, read_only, K_BOOL),
	F(struct volume_mount, recursive, K_BOOL),
	F(struct volume_mount, anonymous, K_BOOL),
	F(struct volume_mount, no_copy, K_BOOL),
	F(struct volume_mount, no_exec, K_BOOL),
	F_END,
};

static const struct field secret_fields[] = {
	F(struct secret_mount, name, K_STR),
	F(struct secret_mount, path, K_STR),
	F(struct secret_mount, mode, K_U32),
	F_END,
};

static const struct field port_fields[] = {
	F(struct spec_port, host_addr, K_STR),
	F(struct spec_port, host_port, K_U16),
	F(struct spec_port, port, K_U16),
	F(struct spec_port, udp, K_BOOL),
	F_END,
};

static const struct field limit_fields[] = {
	F(struct spec_limits, memory, K_U64),
	F(struct spec_limits, memory_swap, K_U64_MAX),
	F(struct spec_limits, memory_low, K_U64),
	F(struct spec_limits, pids, K_U64),
	F(struct spec_limits, cpu_weight, K_U64),
	F(struct spec_limits, cpu_quota_us, K_U64),
	F(struct spec_limits, cpu_period_us, K_U64),
	F(struct spec_limits, io_weight, K_U64),
	F(struct spec_limits, cpuset_cpus, K_STR),
	F(struct spec_limits, cpuset_mems, K_STR),
	F_END,
};

static const struct field rlimit_fields[] = {
	F(struct spec_rlimit, resource, K_RLIMIT),
	F(struct spec_rlimit, soft, K_U64_MAX),
	F(struct spec_rlimit, hard, K_U64_MAX),
	F_END,
};

static const struct field lower_fields[] = {
	F(struct spec_lower, wall, K_STR),
	F(struct spec_lower, detail, K_STR),
	F(struct spec_lower, accept, K_BOOL),
	F_END,
};

static const struct field config_fields[] = {
	F(struct container_config, id, K_ID),
	F(struct container_config, name, K_STR),
	F(struct container_config, created_ns, K_U64),
	F(struct container_config, image_name, K_STR),
	F(struct container_config, image_id, K_STR),
	F(struct container_config, image_known, K_STR),
	F(struct container_config, image_manifest, K_STR),
	F(struct container_config, image_pulled, K_STR),
	F(struct container_config, image_local, K_BOOL),
	F(struct container_config, tree, K_STR),
	F(struct container_config, rootfs, K_STR),
	F(struct container_config, entrypoint, K_STRV),
	F(struct container_config, command, K_STRV),
	F(struct container_config, env, K_STRV),
	F(struct container_config, cwd, K_STR),
	F(struct container_config, user, K_STR),
	F(struct container_config, uid, K_U32),
	F(struct container_config, gid, K_U32),
	F_NUMBERS(struct container_config, groups, K_U32_LIST),
	F_NUMBERS(struct container_config, more_uids, K_U32_LIST),
	F_NUMBERS(struct container_config, more_gids, K_U32_LIST),
	F(struct container_config, hostname, K_STR),
	F(struct container_config, apparmor, K_STR),
	F(struct container_config, domainname, K_STR),
	F(struct container_config, tty, K_BOOL),
	F(struct container_config, interactive, K_BOOL),
	F(struct container_config, init, K_BOOL),
	F(struct container_config, read_only, K_BOOL),
	F(struct container_config, auto_remove, K_BOOL),
	F(struct container_config, detached, K_BOOL),
	F(struct container_config, stop_signal, K_STR),
	F(struct container_config, stop_timeout_s, K_U64),
	F_ENUM(struct container_config, restart, restart_names),
	F(struct container_config, restart_max, K_U64),
	F_OBJECT(struct container_config, health, health_fields),
	F(struct container_config, labels, K_STRV),
	F(struct container_config, annotations, K_STRV),
	F(struct container_config, cidfile, K_STR),
	F_LIST(struct container_config, mounts, mount_fields),
	F_LIST(struct container_config, secrets, secret_fields),
	F(struct container_config, shm_size, K_U64),
	F(struct container_config, tmp_size, K_U64),
	F(struct container_config, disk, K_U64),
	F(struct container_config, disk_inodes, K_U64),
	F(struct container_config, root_tmpfs, K_U64),
	F(struct container_config, network, K_STR),
	F_LIST(struct container_config, ports, port_fields),
	F_NUMBERS(struct container_config, expose_tcp, K_U16_LIST),
	F(struct container_config, dns, K_STRV),
	F(struct container_config, dns_search, K_STRV),
	F(struct container_config, dns_options, K_STRV),
	F(struct container_config, add_host, K_STRV),
	F_OBJECT(struct container_config, limits, limit_fields),
	F_LIST(struct container_config, rlimits, rlimit_fields),
	F(struct container_config, log_size, K_U64),
	F(struct container_config, log_files, K_U64),
	F(struct container_config, cap_add, K_STRV),
	F(struct container_config, cap_drop, K_STRV),
	F(struct container_config, sysctl, K_STRV),
	F_LIST(struct container_config, lower, lower_fields),
	F(struct container_config, platform, K_STR),
	F(struct container_config, id_first_uid, K_U32),
	F(struct container_config, id_first_gid, K_U32),
	F(struct container_config, id_count, K_U32),
	F(struct container_config, slot, K_STR),
	F_END,
};

static const struct field state_fields[] = {
	F_ENUM(struct container_state, status, status_names),
	F(struct container_state, pid, K_I32),
	F(struct container_state, pid_start, K_U64),
	F(struct container_state, monitor, K_I32),
	F(struct container_state, monitor_start, K_U64),
	F(struct container_state, started_ns, K_U64),
	F(struct container_state, finished_ns, K_U64),
	F(struct container_state, exit_code, K_I32),
	F(struct container_state, oom_killed, K_BOOL),
	F(struct container_state, error, K_STR),
	F(struct container_state, restarts, K_U64),
	F(struct container_state, stopped_by_person, K_BOOL),
	F(struct container_state, cgroup, K_STR),
	F(struct container_state, net_pid, K_I32),
	F(struct container_state, net_start, K_U64),
	F(struct container_state, ns, K_NS),
	F(struct container_state, health, K_STR),
	F(struct container_state, health_failing, K_U64),
	F(struct container_state, accepted, K_STRV),
	F_LIST(struct container_state, health_log, health_result_fields),
	F_LIST(struct container_state, ports, port_fields),
	F_END,
};

#define MEMBER(type, base, offset) (*(type *)((char *)(base) + (offset)))
#define CONST_MEMBER(type, base, offset) (*(const type *)((const char *)(base) + (offset)))

/* JSON numbers end at INT64_MAX (jansson); whatever is above stands for "no limit". */
static json_t *number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? -1 : (json_int_t)v);
}

/* Bytes that are not UTF-8 cannot stand in JSON; they are kept as the escapes that brig shows a person. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);

	if (!j) {
		_cleanup_free_ char *safe = str_escape(s);

		j = json_string(safe);
	}
	return j;
}

static json_t *write_struct(const void *base, const struct field *fields);

static json_t *write_numbers(const void *base, const struct field *f)
{
	size_t n = CONST_MEMBER(size_t, base, f->count);
	json_t *arr = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(arr, json_integer(f->kind == K_U32_LIST ?
								CONST_MEMBER(uint32_t *, base, f->at)[i] :
								CONST_MEMBER(uint16_t *, base, f->at)[i]));
	return arr;
}

static json_t *write_list(const void *base, const struct field *f)
{
	size_t n = CONST_MEMBER(size_t, base, f->count);
	const char *items = CONST_MEMBER(char *, base, f->at);
	json_t *arr = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(arr, write_struct(items + i * f->size, f->fields));
	return arr;
}

/* NULL: the member is left out. */
static json_t *write_field(const void *base, const struct field *f)
{
	const void *p = (const char *)base + f->at;
	json_t *arr;

	switch (f->kind) {
	case K_STR:
		return *(char *const *)p ? text(*(char *const *)p) : NULL;
	case K_STRV:
		if (!*(char **const *)p)
			return NULL;
		arr = json_array();
		strv_foreach(it, *(char **const *)p)
			json_array_append_new(arr, text(*it));
		return arr;
	case K_BOOL:
		return json_boolean(*(const bool *)p);
	case K_U64:
	case K_U64_MAX:
		return number(*(const uint64_t *)p);
	case K_U32:
		return json_integer(*(const uint32_t *)p);
	case K_U16:
		return json_integer(*(const uint16_t *)p);
	case K_I32:
		return json_integer(*(const int *)p);
	case K_ID:
		return text(p);
	case K_ENUM:
		return json_string(f->names[*(const unsigned *)p]);
	case K_RLIMIT:
		return json_string(rlimit_name(*(const int *)p));
	case K_U32_LIST:
	case K_U16_LIST:
		return write_numbers(base, f);
	case K_NS:
		arr = json_array();
		for (size_t i = 0; i < 8; i++)
			json_array_append_new(arr, number(((const uint64_t *)p)[i]));
		return arr;
	case K_OBJECT:
		return write_struct(p, f->fields);
	case K_LIST:
		return write_list(base, f);
	}
	return NULL;
}

static json_t *write_struct(const void *base, const struct field *fields)
{
	json_t *obj = json_object();

	for (const struct field *f = fields; f->key; f++) {
		json_t *v = write_field(base, f);

		if (v)
			json_object_set_new(obj, f->key, v);
	}
	return obj;
}

static void free_struct(void *base, const struct field *fields);

static void free_field(void *base, const struct field *f)
{
	void *p = (char *)base + f->at;

	switch (f->kind) {
	case K_STR:
	case K_U32_LIST:
	case K_U16_LIST:
		free(*(void **)p);
		break;
	case K_STRV:
		strv_free(*(char ***)p);
		break;
	case K_OBJECT:
		free_struct(p, f->fields);
		break;
	case K_LIST:
		for (size_t i = 0; i < MEMBER(size_t, base, f->count); i++)
			free_struct(*(char **)p + i * f->size, f->fields);
		free(*(void **)p);
		break;
	default:
		break;
	}
}

static void free_struct(void *base, const struct field *fields)
{
	for (const struct field *f = fields; f->key; f++)
		free_field(base, f);
}

static int read_struct(const json_t *j, const char *where, void *base, const struct field *fields, struct error *e);

static int read_enum(const json_t *j, const char *where, const struct field *f, unsigned *out, struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(j, where, f->key, &s, e);

	if (r < 0 || !s)
		return r;
	for (size_t i = 0; i < f->n_names; i++) {
		if (streq(f->names[i], s)) {
			*out = (unsigned)i;
			return 0;
		}
	}
	_cleanup_free_ char *safe = str_escape(s);
	return error_set(e, EBADMSG, "%s.%s: unknown word \"%s\"", where, f->key, safe);
}

static int read_rlimit(const json_t *j, const char *where, const struct field *f, int *out, struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(j, where, f->key, &s, e);

	if (r < 0)
		return r;
	*out = s ? rlimit_by_name(s) : -1;
	return *out < 0 ? error_set(e, EBADMSG, "%s.%s: unknown word", where, f->key) : 0;
}

/* An array of whole numbers from 0 to `max`; `store` puts the i-th away. */
static int read_numbers(const json_t *arr, const char *where, const struct field *f, int64_t max, int64_t *out,
			struct error *e)
{
	const json_t *item;
	size_t i;

	json_array_foreach(arr, i, item) {
		if (!json_is_integer(item))
			return error_set(e, EBADMSG, "%s.%s[%zu]: not a whole number", where, f->key, i);
		out[i] = json_integer_value(item);
		if (out[i] < 0 || out[i] > max)
			return error_set(e, ERANGE, "%s.%s[%zu]: %lld is outside 0 to %lld", where, f->key, i,
					 (long long)out[i], (long long)max);
	}
	return 0;
}

static int read_list(const json_t *j, const char *where, void *base, const struct field *f, struct error *e)
{
	_cleanup_free_ int64_t *numbers = NULL;
	char *items;
	json_t *arr = NULL, *item;
	size_t i, n;
	int r = json_get_arr(j, where, f->key, &arr, e);

	if (r < 0 || !arr)
		return r;
	n = json_array_size(arr);
	if (n > LIST_MAX)
		return error_set(e, ERANGE, "%s.%s: more than %d entries", where, f->key, LIST_MAX);
	if (f->kind == K_NS && n != 8)
		return error_set(e, EBADMSG, "%s.%s: not 8 numbers", where, f->key);
	if (f->kind == K_LIST) {
		items = xcalloc(n, f->size);
		MEMBER(char *, base, f->at) = items;
		MEMBER(size_t, base, f->count) = n;
		json_array_foreach(arr, i, item) {
			_cleanup_free_ char *place = xasprintf("%s.%s[%zu]", where, f->key, i);

			r = read_struct(item, place, items + i * f->size, f->fields, e);
			if (r < 0)
				return r;
		}
		return 0;
	}
	numbers = xcalloc(n, sizeof(*numbers));
	r = read_numbers(arr, where, f, f->kind == K_NS ? INT64_MAX : f->kind == K_U32_LIST ? UINT32_MAX : UINT16_MAX,
			 numbers, e);
	if (r < 0)
		return r;
	if (f->kind == K_NS) {
		for (i = 0; i < n; i++)
			(&MEMBER(uint64_t, base, f->at))[i] = (uint64_t)numbers[i];
		return 0;
	}
	MEMBER(size_t, base, f->count) = n;
	if (f->kind == K_U32_LIST) {
		uint32_t *list = MEMBER(uint32_t *, base, f->at) = xcalloc(n, sizeof(*list));

		for (i = 0; i < n; i++)
			list[i] = (uint32_t)numbers[i];
	} else {
		uint16_t *list = MEMBER(uint16_t *, base, f->at) = xcalloc(n, sizeof(*list));

		for (i = 0; i < n; i++)
			list[i] = (uint16_t)numbers[i];
	}
	return 0;
}

static int read_object(const json_t *j, const char *where, void *p, const struct field *f, struct error *e)
{
	_cleanup_free_ char *place = xasprintf("%s.%s", where, f->key);
	json_t *obj = NULL;
	int r = json_get_obj(j, where, f->key, &obj, e);

	return r < 0 || !obj ? r : read_struct(obj, place, p, f->fields, e);
}

static int read_field(const json_t *j, const char *where, void *base, const struct field *f, struct error *e)
{
	void *p = (char *)base + f->at;
	const char *s = NULL;
	int64_t v;
	int r;

	switch (f->kind) {
	case K_STR:
		r = json_get_str(j, where, f->key, &s, e);
		*(char **)p = xstrdup(s);
		return r;
	case K_ID:
		r = json_get_str(j, where, f->key, &s, e);
		if (r < 0)
			return r;
		if (!s || !hex_valid(s, CONTAINER_ID_LEN))
			return error_set(e, EBADMSG, "%s.%s: not %d hexadecimal digits", where, f->key,
					 CONTAINER_ID_LEN);
		memcpy(p, s, CONTAINER_ID_LEN + 1);
		return 0;
	case K_STRV:
		return json_get_strv(j, where, f->key, p, e);
	case K_BOOL:
		return json_get_bool(j, where, f->key, p, e);
	case K_U64:
	case K_U64_MAX:
		v = (int64_t)*(uint64_t *)p;
		r = json_get_int(j, where, f->key, f->kind == K_U64_MAX ? -1 : 0, INT64_MAX, &v, e);
		*(uint64_t *)p = (uint64_t)v;
		return r;
	case K_U32:
		v = *(uint32_t *)p;
		r = json_get_int(j, where, f->key, 0, UINT32_MAX, &v, e);
		*(uint32_t *)p = (uint32_t)v;
		return r;
	case K_U16:
		v = *(uint16_t *)p;
		r = json_get_int(j, where, f->key, 0, UINT16_MAX, &v, e);
		*(uint16_t *)p = (uint16_t)v;
		return r;
	case K_I32:
		v = *(int *)p;
		r = json_get_int(j, where, f->key, 0, INT32_MAX, &v, e);
		*(int *)p = (int)v;
		return r;
	case K_ENUM:
		return read_enum(j, where, f, p, e);
	case K_RLIMIT:
		return read_rlimit(j, where, f, p, e);
	case K_OBJECT:
		return read_object(j, where, p, f, e);
	case K_U32_LIST:
	case K_U16_LIST:
	case K_NS:
	case K_LIST:
		return read_list(j, where, base, f, e);
	}
	return -EINVAL;
}

static int read_struct(const json_t *j, const char *where, void *base, const struct field *fields, struct error *e)
{
	const char *key;
	json_t *value;
	int r;

	if (!json_is_object(j))
		return error_set(e, EBADMSG, "%s: not an object", where);
	json_object_foreach((json_t *)j, key, value) {
		const struct field *f = fields;

		while (f->key && !streq(f->key, key))
			f++;
		if (!f->key) {
			_cleanup_free_ char *safe = str_escape(key);

			return error_set(e, EBADMSG, "%s.%s: unknown key", where, safe);
		}
	}
	for (const struct field *f = fields; f->key; f++) {
		r = read_field(j, where, base, f, e);
		if (r < 0)
			return r;
	}
	return 0;
}

json_t *container_config_json(const struct container_config *c)
{
	return write_struct(c, config_fields);
}

json_t *container_state_json(const struct container_state *s)
{
	return write_struct(s, state_fields);
}

static int missing(struct error *e, const char *what)
{
	return error_set(e, EBADMSG, "config.%s: missing", what);
}

/* What every reader of a configuration relies on. */
static int check_config(const struct container_config *c, struct error *e)
{
	int r = c->name ? container_name_check(c->name, NULL) : -EINVAL;

	if (r < 0)
		return error_set(e, EBADMSG, "config.name: missing or not a container's name");
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct volume_mount *m = &c->mounts[i];

		if (!streq(m->type, "bind") && !streq(m->type, "volume") && !streq(m->type, "tmpfs"))
			return error_set(e, EBADMSG, "config.mounts[%zu].type: not bind, volume or tmpfs", i);
		if (!m->target || m->target[0] != '/')
			return error_set(e, EBADMSG, "config.mounts[%zu].target: not an absolute path", i);
		if (!streq(m->type, "tmpfs") && !m->source)
			return error_set(e, EBADMSG, "config.mounts[%zu].source: missing", i);
	}
	for (size_t i = 0; i < c->n_secrets; i++)
		if (!c->secrets[i].name || !c->secrets[i].path || c->secrets[i].mode > 0777)
			return error_set(e, EBADMSG, "config.secrets[%zu]: needs name, path and mode", i);
	for (size_t i = 0; i < c->n_lower; i++)
		if (!c->lower[i].wall)
			return error_set(e, EBADMSG, "config.lower[%zu].wall: missing", i);
	if (!c->tree && !c->rootfs)
		return missing(e, "tree");
	if (!c->network)
		return missing(e, "network");
	return 0;
}

int container_config_parse(const json_t *j, struct container_config *c, struct error *e)
{
	int r;

	memset(c, 0, sizeof(*c));
	r = read_struct(j, "config", c, config_fields, e);
	if (r == 0)
		r = check_config(c, e);
	if (r < 0)
		container_config_free(c);
	return r;
}

int container_state_parse(const json_t *j, struct container_state *s, struct error *e)
{
	int r;

	memset(s, 0, sizeof(*s));
	r = read_struct(j, "state", s, state_fields, e);
	if (r < 0)
		container_state_free(s);
	return r;
}

void container_config_free(struct container_config *c)
{
	free_struct(c, config_fields);
	memset(c, 0, sizeof(*c));
}

void container_state_free(struct container_state *s)
{
	free_struct(s, state_fields);
	memset(s, 0, sizeof(*s));
}

const char *container_status_name(enum container_status s)
{
	return (unsigned)s < ARRAY_SIZE(status_names) ? status_names[s] : "unknown";
}
