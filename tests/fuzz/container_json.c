/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json, state.json and volume.json: what is accepted is written and accepted again with the same meaning. The first
 * byte says which of them follows.
 */
#include "base/json.h"
#include "engine/container.h"
#include "engine/volume.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int container_repair(struct container *c, struct error *e)
{
	(void)c;
	(void)e;
	return 0;
}

static void same(json_t *one, json_t *two)
{
	if (!one || !two || !json_equal(one, two))
		abort();
	json_decref(one);
	json_decref(two);
}

static void config(const json_t *j, struct error *e)
{
	struct container_config a, b;

	if (container_config_parse(j, &a, e) < 0)
		return;
	json_t *written = container_config_json(&a);

	if (container_config_parse(written, &b, e) < 0)
		abort();
	same(written, container_config_json(&b));
	container_config_free(&a);
	container_config_free(&b);
}

static void state(const json_t *j, struct error *e)
{
	struct container_state a, b;

	if (container_state_parse(j, &a, e) < 0)
		return;
	json_t *written = container_state_json(&a);

	if (container_state_parse(written, &b, e) < 0)
		abort();
	same(written, container_state_json(&b));
	container_state_free(&a);
	container_state_free(&b);
}

static void volume(const json_t *j, struct error *e)
{
	struct volume a, b;

	if (volume_parse(j, &a, e) < 0)
		return;
	json_t *written = volume_json(&a);

	if (volume_parse(written, &b, e) < 0)
		abort();
	same(written, volume_json(&b));
	volume_free(&a);
	volume_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	json_t *j = size > 1 ? json_parse((const char *)data + 1, size - 1, "fuzz", &e) : NULL;

	if (!j)
		return 0;
	if (data[0] == 's')
		state(j, &e);
	else if (data[0] == 'v')
		volume(j, &e);
	else
		config(j, &e);
	json_decref(j);
	return 0;
}
