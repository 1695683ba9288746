/* SPDX-License-Identifier: Apache-2.0 */
/* The image's part of a configuration. All of it is hostile input (CASES A34, B21). */
#include "engine/config.h"

#include "base/cleanup.h"
#include "base/signal.h"
#include "engine/envfile.h"

#include <string.h>
#include <sys/utsname.h>

enum { ARGS_MAX = 4096, IMAGE_VOLUMES_MAX = 64 };

#define SECOND_NS 1000000000ull
#define YEAR_NS (365ull * 24 * 3600 * SECOND_NS)

static void note(char ***notes, char *text)
{
	strv_add(notes, str_escape(text));
	free(text);
}

/* A list of arguments: bounded, each of them one that execve takes. */
static int read_args(const json_t *config, const char *key, char ***out, struct error *e)
{
	int r = json_get_strv(config, "config", key, out, e);

	if (r < 0)
		return r;
	if (strv_len(*out) > ARGS_MAX)
		return error_set(e, E2BIG, "config.%s: more than %d arguments", key, ARGS_MAX);
	strv_foreach(a, *out)
		if (!env_text_ok(*a))
			return error_set(e, EINVAL, "config.%s: an argument is longer than %d bytes", key, ENV_ENTRY_MAX);
	return 0;
}

static int read_env(const json_t *config, struct image_defaults *d, struct error *e)
{
	_cleanup_strv_ char **given = NULL;
	int r = json_get_strv(config, "config", "Env", &given, e);

	if (r < 0)
		return r;
	strv_foreach(v, given) {
		struct error why = { 0 };

		r = env_set(&d->env, *v, &why);
		if (r == -E2BIG)
			return error_set(e, E2BIG, "config.Env: %s", why.text);
		if (r < 0)
			note(&d->notes, xasprintf("environment of the image: %s: left out", why.text));
	}
	return 0;
}

static int read_labels(const json_t *config, struct image_defaults *d, struct error *e)
{
	json_t *labels = NULL, *value;
	const char *key;
	int r = json_get_obj(config, "config", "Labels", &labels, e);

	if (r < 0 || !labels)
		return r;
	json_object_foreach(labels, key, value) {
		_cleanup_free_ char *entry = NULL;
		struct error why = { 0 };

		if (!json_is_string(value) || strchr(key, '=')) {
			note(&d->notes, xasprintf("label \"%.80s\" of the image: left out", key));
			continue;
		}
		entry = xasprintf("%s=%s", key, json_string_value(value));
		if (env_set(&d->labels, entry, &why) < 0)
			note(&d->notes, xasprintf("label of the image: %s: left out", why.text));
	}
	return 0;
}

/* An image that declares a great many ports would take the wall down with which it is kept to a few. */
static int read_ports(const json_t *config, struct image_defaults *d, struct error *e)
{
	json_t *ports = NULL, *value;
	const char *key;
	int r = json_get_obj(config, "config", "ExposedPorts", &ports, e);

	if (r < 0 || !ports)
		return r;
	json_object_foreach(ports, key, value) {
		struct error why = { 0 };

		r = config_expose_parse(key, &d->ports, &d->n_ports, &why);
		if (r < 0)
			note(&d->notes, xasprintf("port of the image: %s: left out", why.text));
		if (d->n_ports > CONFIG_IMAGE_PORTS_MAX) {
			d->n_ports = 0;
			note(&d->notes, xasprintf("the image declares more than %d ports: none of them is opened; name those "
						  "that are needed with --expose", CONFIG_IMAGE_PORTS_MAX));
			return 0;
		}
	}
	return 0;
}

static int read_volumes(const json_t *config, struct image_defaults *d, struct error *e)
{
	json_t *volumes = NULL, *value;
	const char *key;
	int r = json_get_obj(config, "config", "Volumes", &volumes, e);

	if (r < 0 || !volumes)
		return r;
	if (json_object_size(volumes) > IMAGE_VOLUMES_MAX)
		return error_set(e, E2BIG, "config.Volumes: more than %d", IMAGE_VOLUMES_MAX);
	json_object_foreach(volumes, key, value) {
		char *target;

		r = config_target(key, true, &target, e);
		if (r < 0)
			return error_wrap(e, "config.Volumes");
		if (strv_has(d->volumes, target))
			free(target);
		else
			strv_add(&d->volumes, target);
	}
	return 0;
}

static int read_health(const json_t *config, struct health_config *h, struct error *e)
{
	static const char where[] = "config.Healthcheck";
	int64_t interval = 0, timeout = 0, start = 0, retries = 0;
	json_t *obj = NULL;
	int r = json_get_obj(config, "config", "Healthcheck", &obj, e);

	if (r < 0 || !obj)
		return r;
	r = json_get_strv(obj, where, "Test", &h->test, e);
	if (r == 0)
		r = json_get_int(obj, where, "Interval", 0, YEAR_NS, &interval, e);
	if (r == 0)
		r = json_get_int(obj, where, "Timeout", 0, YEAR_NS, &timeout, e);
	if (r == 0)
		r = json_get_int(obj, where, "StartPeriod", 0, YEAR_NS, &start, e);
	if (r == 0)
		r = json_get_int(obj, where, "Retries", 0, 1000000, &retries, e);
	if (r < 0)
		return r;
	if (h->test && !h->test[0]) { /* "as the base image", which has none */
		strv_free(h->test);
		h->test = NULL;
	}
	if (h->test && !streq(h->test[0], "NONE") && !streq(h->test[0], "CMD") && !streq(h->test[0], "CMD-SHELL"))
		return error_set(e, EINVAL, "%s.Test[0]: not NONE, CMD or CMD-SHELL", where);
	if (h->test && !streq(h->test[0], "NONE") && !h->test[1])
		return error_set(e, EINVAL, "%s.Test: no command", where);
	strv_foreach(a, h->test)
		if (!env_text_ok(*a))
			return error_set(e, EINVAL, "%s.Test: longer than %d bytes", where, ENV_ENTRY_MAX);
	/* An image may not keep the host busy with checks. */
	h->interval_ns = interval > 0 && (uint64_t)interval < SECOND_NS ? SECOND_NS : (uint64_t)interval;
	h->timeout_ns = (uint64_t)timeout;
	h->start_period_ns = (uint64_t)start;
	h->retries = (uint64_t)retries;
	return 0;
}

static int read_text(const json_t *obj, const char *where, const char *key, char **out, struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(obj, where, key, &s, e);

	if (r == 0 && s && strlen(s) > CONFIG_PATH_MAX)
		return error_set(e, EINVAL, "%s%s%s: longer than %d bytes", where, *where ? "." : "", key,
				 CONFIG_PATH_MAX);
	if (r == 0 && s && *s)
		*out = xstrdup(s);
	return r;
}

static int read_config(const json_t *config, struct image_defaults *d, struct error *e)
{
	_cleanup_free_ char *cwd = NULL;
	int r = read_args(config, "Entrypoint", &d->entrypoint, e);

	if (r == 0)
		r = read_args(config, "Cmd", &d->command, e);
	if (r == 0)
		r = read_env(config, d, e);
	if (r == 0)
		r = read_labels(config, d, e);
	if (r == 0)
		r = read_ports(config, d, e);
	if (r == 0)
		r = read_volumes(config, d, e);
	if (r == 0)
		r = read_health(config, &d->health, e);
	if (r == 0)
		r = read_text(config, "config", "User", &d->user, e);
	if (r == 0)
		r = read_text(config, "config", "WorkingDir", &cwd, e);
	if (r == 0 && cwd && !streq(cwd, "/") && config_target(cwd, false, &d->cwd, e) < 0)
		r = error_wrap(e, "config.WorkingDir");
	if (r == 0)
		r = read_text(config, "config", "StopSignal", &d->stop_signal, e);
	if (r == 0 && d->stop_signal && signal_number(d->stop_signal) < 0) {
		_cleanup_free_ char *safe = str_escape(d->stop_signal);

		r = error_set(e, EINVAL, "config.StopSignal: \"%s\" is no signal", safe);
	}
	return r;
}

int image_defaults_read(const json_t *image, struct image_defaults *out, struct error *e)
{
	json_t *config = NULL;
	int r;

	memset(out, 0, sizeof(*out));
	r = json_get_obj(image, "", "config", &config, e);
	if (r == 0)
		r = read_text(image, "", "os", &out->os, e);
	if (r == 0)
		r = read_text(image, "", "architecture", &out->architecture, e);
	if (r == 0 && config)
		r = read_config(config, out, e);
	if (r < 0) {
		error_wrap(e, "configuration of the image");
		image_defaults_free(out);
	}
	return r;
}

void image_defaults_free(struct image_defaults *d)
{
	strv_free(d->entrypoint);
	strv_free(d->command);
	strv_free(d->env);
	strv_free(d->labels);
	free(d->user);
	free(d->cwd);
	free(d->ports);
	strv_free(d->volumes);
	free(d->stop_signal);
	strv_free(d->health.test);
	free(d->os);
	free(d->architecture);
	strv_free(d->notes);
	memset(d, 0, sizeof(*d));
}

const char *config_architecture(void)
{
	/* uname(2)'s machine and Go's GOARCH, which image-spec uses. */
	static const char *const names[][2] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" },	{ "armv7l", "arm" },
		{ "riscv64", "riscv64" }, { "ppc64le", "ppc64le" }, { "s390x", "s390x" }, { "loongarch64", "loong64" },
	};
	static struct utsname u;

	if (!u.machine[0] && uname(&u) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(u.machine, names[i][0]))
			return names[i][1];
	return u.machine;
}

int config_set_platform(struct container_config *c, const char *arg, const struct image_defaults *d, char ***notes,
			struct error *e)
{
	const char *os = d->os ? d->os : "linux", *arch = d->architecture ? d->architecture : config_architecture();
	_cleanup_free_ char *has = xasprintf("%s/%s", os, arch), *safe = str_escape(has);
	_cleanup_strv_ char **want = NULL;

	if (!streq(os, "linux"))
		return error_set(e, EINVAL, "the image is for %s: brig runs linux images", safe);
	if (arg) {
		_cleanup_free_ char *asked = str_escape(arg);

		want = strv_split(arg, '/');
		if (!streq(want[0], os) || (want[1] && !streq(want[1], arch)))
			return error_set(e, EINVAL, "--platform %s: the image is for %s", asked, safe);
	} else if (!streq(arch, config_architecture())) {
		note(notes, xasprintf("the image is for %s, this machine is linux/%s; without an emulator its programs "
				      "do not start (--platform %s says that this is meant)", has,
				      config_architecture(), has));
	}
	free(c->platform);
	c->platform = steal_ptr(&has);
	return 0;
}
