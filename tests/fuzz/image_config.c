/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of an image: what is taken from it is clean, whatever it says. */
#include "base/json.h"
#include "base/signal.h"
#include "engine/config.h"
#include "engine/envfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int container_repair(struct container *c, struct error *e)
{
	(void)c;
	(void)e;
	return 0;
}

static void check_path(const char *p)
{
	if (p[0] != '/' || strstr(p, "//") || strstr(p, "/../") || str_ends(p, "/..") || str_ends(p, "/.") ||
	    (p[1] && str_ends(p, "/")))
		abort();
}

static void check_pairs(char *const *list)
{
	strv_foreach(v, list)
		if (!strchr(*v, '=') || **v == '=' || !env_text_ok(*v))
			abort();
}

static void check(const struct image_defaults *d)
{
	check_pairs(d->env);
	check_pairs(d->labels);
	strv_foreach(v, d->volumes) {
		check_path(*v);
		if (!(*v)[1] || str_after(*v, "/proc/") || streq(*v, "/proc") || str_after(*v, "/sys/"))
			abort();
	}
	if (d->cwd)
		check_path(d->cwd);
	if (d->stop_signal && (signal_number(d->stop_signal) < 1 || signal_number(d->stop_signal) > 64))
		abort();
	if (d->n_ports > CONFIG_IMAGE_PORTS_MAX)
		abort();
	for (size_t i = 0; i < d->n_ports; i++)
		if (d->ports[i].port == 0)
			abort();
	if (d->health.interval_ns > 0 && d->health.interval_ns < 1000000000u)
		abort();
	strv_foreach(n, d->notes)
		for (const char *p = *n; *p; p++)
			if ((unsigned char)*p < 0x20)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	struct image_defaults d;
	json_t *j = json_parse((const char *)data, size, "fuzz", &e);

	if (j && image_defaults_read(j, &d, &e) == 0) {
		check(&d);
		image_defaults_free(&d);
	}
	json_decref(j);
	return 0;
}
