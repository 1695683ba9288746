/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes, manifests, configurations and docker's manifest.json: what is accepted has the shape that its readers rely on. */
#include "base/cleanup.h"
#include "image/name.h"
#include "image/oci.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct image_limits limits = { .layers = 128, .bytes = 1 << 30, .file = 1 << 30, .entries = 1000 };

static void need(int ok)
{
	if (!ok)
		abort();
}

static void check_descriptor(const struct oci_descriptor *d)
{
	need(d->media_type != NULL && hex_valid(d->hex, DIGEST_HEX) && d->size <= INT64_MAX);
	if (d->name) {
		_cleanup_free_ char *name = NULL;

		if (name_from_claim(d->name, false, &name, NULL) == 0)
			need(name_valid(name) && str_after(name, "localhost/"));
	}
}

static void check_config(const struct oci_config *c)
{
	json_t *config = json_object_get(c->json, "config"), *item;
	const char *key;
	size_t i;

	need(c->os && c->architecture && c->n <= limits.layers);
	for (i = 0; i < c->n; i++)
		need(hex_valid(c->diff_ids[i], DIGEST_HEX));
	json_array_foreach(json_object_get(config, "Env"), i, item)
		need(json_is_string(item) && strchr(json_string_value(item), '='));
	json_object_foreach(json_object_get(config, "Volumes"), key, item)
		need(key[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *j = json_parse((const char *)data, size, "input", NULL);
	struct docker_manifest d = { 0 };
	struct oci_manifest m = { 0 };
	struct oci_index x = { 0 };
	struct oci_config c = { 0 };
	struct error e = { 0 };
	int kind;

	if (!j)
		return 0;
	kind = oci_kind(j, NULL, "input", &e);
	if (kind == KIND_MANIFEST && oci_manifest_read(json_incref(j), &limits, &m, &e) == 0) {
		need(m.n > 0 && m.n <= limits.layers);
		check_descriptor(&m.config);
		for (size_t i = 0; i < m.n; i++)
			check_descriptor(&m.layers[i]);
	}
	if (kind == KIND_INDEX && oci_index_read(json_incref(j), &x, &e) == 0)
		for (size_t i = 0; i < x.n; i++)
			check_descriptor(&x.manifests[i]);
	if (oci_config_read(json_incref(j), &limits, &c, &e) == 0)
		check_config(&c);
	if (docker_manifest_read(json_incref(j), &limits, &d, &e) == 0)
		for (size_t i = 0; i < d.n; i++)
			need(d.images[i].config && d.images[i].n_layers > 0);
	oci_manifest_free(&m);
	oci_index_free(&x);
	oci_config_free(&c);
	docker_manifest_free(&d);
	return 0;
}
