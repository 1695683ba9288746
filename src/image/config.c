/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's configuration is hostile input that becomes a program's environment, user, ports and volumes. Every member
 * that brig will read later has its shape checked here, once; labels and annotations are text and do nothing (CASES B21).
 */
#include "image/oci.h"

#include "base/cleanup.h"
#include "image/name.h"

#include <string.h>

/* No string of a configuration is longer than what a program could be given. */
static int check_strings(const json_t *j, struct error *e)
{
	const char *key;
	json_t *v;
	size_t i;
	int r = 0;

	if (json_is_string(j) && json_string_length(j) > OCI_STRING_MAX)
		return error_set(e, EFBIG, "config: a string of %zu bytes, more than %d", json_string_length(j),
				 OCI_STRING_MAX);
	if (json_is_array(j)) {
		json_array_foreach(j, i, v) {
			if ((r = check_strings(v, e)) < 0)
				return r;
		}
	} else if (json_is_object(j)) {
		json_object_foreach((json_t *)j, key, v) {
			if (strlen(key) > OCI_STRING_MAX)
				return error_set(e, EFBIG, "config: a name of more than %d bytes", OCI_STRING_MAX);
			if ((r = check_strings(v, e)) < 0)
				return r;
		}
	}
	return r;
}

static int check_env(char *const *env, struct error *e)
{
	size_t i = 0;

	strv_foreach(it, env) {
		/* Without "=" some engines look the name up in the host's environment. */
		if (!strchr(*it, '=') || (*it)[0] == '=')
			return error_set(e, EBADMSG, "config.Env[%zu]: \"%.60s\" is not NAME=VALUE", i, *it);
		i++;
	}
	return 0;
}

/* "80", "80/tcp", "53/udp", "8000-8010/tcp", "9/sctp" */
static int check_port(const char *s, struct error *e)
{
	const char *slash = strchr(s, '/'), *end = slash ? slash : s + strlen(s);
	_cleanup_free_ char *range = xstrndup(s, (size_t)(end - s));
	char *dash = strchr(range, '-');
	uint64_t first, last;

	if (dash)
		*dash = 0;
	if (parse_u64(range, 1, 65535, &first) < 0 ||
	    (dash && (parse_u64(dash + 1, first, 65535, &last) < 0)) ||
	    (slash && !streq(slash, "/tcp") && !streq(slash, "/udp") && !streq(slash, "/sctp")))
		return error_set(e, EBADMSG, "config.ExposedPorts: \"%.60s\" is not PORT[-PORT][/tcp|/udp|/sctp]", s);
	return 0;
}

static int check_sets(const json_t *c, struct error *e)
{
	json_t *ports = NULL, *volumes = NULL, *labels = NULL, *v;
	const char *key;
	int r;

	if ((r = json_get_obj(c, "config", "ExposedPorts", &ports, e)) < 0 ||
	    (r = json_get_obj(c, "config", "Volumes", &volumes, e)) < 0 ||
	    (r = json_get_obj(c, "config", "Labels", &labels, e)) < 0)
		return r;
	json_object_foreach(ports, key, v) {
		if ((r = check_port(key, e)) < 0)
			return r;
	}
	json_object_foreach(volumes, key, v) {
		if (key[0] != '/')
			return error_set(e, EBADMSG, "config.Volumes: \"%.60s\" is not an absolute path", key);
	}
	json_object_foreach(labels, key, v) {
		if (!json_is_string(v))
			return error_set(e, EBADMSG, "config.Labels: \"%.60s\" is not a string", key);
	}
	return 0;
}

static int check_health(const json_t *c, struct error *e)
{
	static const char *const times[] = { "Interval", "Timeout", "StartPeriod", "StartInterval" };
	static const char where[] = "config.Healthcheck";
	_cleanup_strv_ char **test = NULL;
	json_t *h = NULL;
	int64_t v;
	int r = json_get_obj(c, "config", "Healthcheck", &h, e);

	if (r < 0 || !h)
		return r;
	r = json_get_strv(h, where, "Test", &test, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(times); i++)
		r = json_get_int(h, where, times[i], 0, INT64_MAX, &v, e);
	if (r == 0)
		r = json_get_int(h, where, "Retries", 0, INT32_MAX, &v, e);
	if (r == 0 && test && !streq(test[0], "CMD") && !streq(test[0], "CMD-SHELL") && !streq(test[0], "NONE") &&
	    test[0])
		r = error_set(e, EBADMSG, "%s.Test[0]: \"%.60s\" is none of CMD, CMD-SHELL, NONE", where, test[0]);
	return r;
}

static int check_program(const json_t *c, struct error *e)
{
	static const char *const lists[] = { "Entrypoint", "Cmd", "Shell", "OnBuild" };
	static const char *const texts[] = { "User", "WorkingDir", "StopSignal" };
	_cleanup_strv_ char **env = NULL;
	const char *s = NULL;
	int64_t n;
	int r = json_get_strv(c, "config", "Env", &env, e);

	if (r == 0)
		r = check_env(env, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++) {
		_cleanup_strv_ char **list = NULL;

		r = json_get_strv(c, "config", lists[i], &list, e);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = json_get_str(c, "config", texts[i], &s, e);
	s = NULL;
	if (r == 0)
		r = json_get_str(c, "config", "WorkingDir", &s, e);
	if (r == 0 && s && *s && *s != '/')
		r = error_set(e, EBADMSG, "config.WorkingDir: \"%.60s\" is not an absolute path", s);
	return r < 0 ? r : json_get_int(c, "config", "StopTimeout", 0, INT32_MAX, &n, e);
}

static int read_diff_ids(struct oci_config *out, const struct image_limits *limits, struct error *e)
{
	json_t *rootfs = NULL, *list = NULL, *item;
	const char *type = NULL;
	size_t i;
	int r = json_get_obj(out->json, "config", "rootfs", &rootfs, e);

	if (r == 0 && rootfs)
		r = json_get_str(rootfs, "config.rootfs", "type", &type, e);
	if (r == 0 && rootfs)
		r = json_get_arr(rootfs, "config.rootfs", "diff_ids", &list, e);
	if (r < 0)
		return r;
	if (!list || !streq(type, "layers"))
		return error_set(e, EBADMSG, "config.rootfs: no layers");
	if (json_array_size(list) > limits->layers)
		return error_set(e, EFBIG, "config.rootfs: %zu layers, an image may have %llu", json_array_size(list),
				 (unsigned long long)limits->layers);
	out->diff_ids = xcalloc(json_array_size(list) + 1, sizeof(*out->diff_ids));
	json_array_foreach(list, i, item) {
		const char *hex = json_is_string(item) ? digest_hex(json_string_value(item)) : NULL;

		if (!hex)
			return error_set(e, EBADMSG, "config.rootfs.diff_ids[%zu]: not sha256: and 64 lower-case hex "
						     "digits", i);
		memcpy(out->diff_ids[out->n++], hex, DIGEST_SIZE);
	}
	return 0;
}

static int check_history(const json_t *config, struct error *e)
{
	static const char *const texts[] = { "created", "created_by", "author", "comment" };
	json_t *list = NULL, *item;
	const char *s;
	bool b;
	size_t i;
	int r = json_get_arr(config, "config", "history", &list, e);

	if (r == 0 && json_array_size(list) > OCI_HISTORY_MAX)
		return error_set(e, EFBIG, "config.history: more than %d entries", OCI_HISTORY_MAX);
	json_array_foreach(list, i, item) {
		if (r == 0 && !json_is_object(item))
			r = error_set(e, EBADMSG, "config.history[%zu]: not an object", i);
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(texts); k++)
			r = json_get_str(item, "config.history[]", texts[k], &s, e);
		if (r == 0)
			r = json_get_bool(item, "config.history[]", "empty_layer", &b, e);
	}
	return r;
}

int oci_config_read(json_t *doc, const struct image_limits *limits, struct oci_config *out, struct error *e)
{
	const char *created = NULL;
	json_t *c = NULL;
	int r;

	*out = (struct oci_config){ .json = doc };
	if (!json_is_object(doc)) {
		r = error_set(e, EBADMSG, "config: not a JSON object");
		goto failed;
	}
	if ((r = check_strings(doc, e)) < 0 || (r = json_get_str(doc, "config", "os", &out->os, e)) < 0 ||
	    (r = json_get_str(doc, "config", "architecture", &out->architecture, e)) < 0 ||
	    (r = json_get_str(doc, "config", "variant", &out->variant, e)) < 0 ||
	    (r = json_get_str(doc, "config", "created", &created, e)) < 0 ||
	    (r = read_diff_ids(out, limits, e)) < 0 || (r = check_history(doc, e)) < 0 ||
	    (r = json_get_obj(doc, "", "config", &c, e)) < 0)
		goto failed;
	if (!out->os || !out->architecture) {
		r = error_set(e, EBADMSG, "config: %s is missing", out->os ? "architecture" : "os");
		goto failed;
	}
	if (c && ((r = check_program(c, e)) < 0 || (r = check_sets(c, e)) < 0 || (r = check_health(c, e)) < 0))
		goto failed;
	return 0;
failed:
	oci_config_free(out);
	return r;
}

void oci_config_free(struct oci_config *c)
{
	json_decref(c->json);
	free(c->diff_ids);
	*c = (struct oci_config){ 0 };
}
