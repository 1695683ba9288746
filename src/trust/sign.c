/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/sign.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "image/oci.h"
#include "trust/encode.h"

#include <string.h>

enum { SIGNATURES_IN_ONE = 100 };

char *sign_payload(const char *reference, const char *hex, int64_t now)
{
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
	_cleanup_json_ json_t *j = json_pack("{s:{s:{s:s},s:{s:s},s:s},s:{s:s,s:I}}", "critical", "identity", "docker-reference", reference,
					     "image", "docker-manifest-digest", digest, "type", "cosign container image signature",
					     "optional", "creator", "brig " BRIG_VERSION, "timestamp", (json_int_t)now);

	return json_text(j);
}

static json_t *descriptor(const char *type, const void *data, size_t n)
{
	char hex[65];

	sha256_hex(data, n, hex);
	_cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
	return json_pack("{s:s,s:s,s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)n);
}

static bool is_layer(const json_t *l)
{
	const char *digest = json_string_value(json_object_get(l, "digest"));
	const char *hex = digest ? str_after(digest, "sha256:") : NULL;

	return streq(json_string_value(json_object_get(l, "mediaType")), COSIGN_LAYER) && hex && hex_valid(hex, 64) &&
	       json_is_integer(json_object_get(l, "size")) && json_is_object(json_object_get(l, "annotations"));
}

/* Every layer must be a signature; a referrer's manifest, or one of attestations, is another thing. */
static bool is_signatures(const json_t *m)
{
	const json_t *layers = json_object_get(m, "layers");
	json_t *l;
	size_t i;

	if (!json_is_array(layers) || json_array_size(layers) == 0 || json_object_get(m, "subject"))
		return false;
	json_array_foreach(layers, i, l)
		if (!is_layer(l))
			return false;
	return true;
}

static bool listed(const json_t *layers, const json_t *one)
{
	json_t *l;
	size_t i;

	json_array_foreach(layers, i, l)
		if (json_equal(l, one))
			return true;
	return false;
}

static void add_old(json_t *layers, const struct sign_document *d)
{
	_cleanup_json_ json_t *m = json_parse(d->text, d->n, "manifest", NULL);
	json_t *l;
	size_t i;

	if (!m || !is_signatures(m))
		return;
	json_array_foreach(json_object_get(m, "layers"), i, l)
		if (!listed(layers, l))
			json_array_append(layers, l);
}

/* As a registry wants to see an image: one difference for each layer. */
static void write_config(const json_t *layers, struct buf *out)
{
	json_t *diffs = json_array(), *l;
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	size_t i;

	json_array_foreach(layers, i, l)
		json_array_append(diffs, json_object_get(l, "digest"));
	j = json_pack("{s:s,s:s,s:{s:s,s:o},s:{}}", "architecture", "", "os", "", "rootfs", "type", "layers", "diff_ids", diffs, "config");
	text = json_text(j);
	buf_puts(out, text);
}

int sign_manifest(const struct sign_document *old, size_t n_old, const char *payload, const struct buf *sig, struct buf *config,
		  struct buf *manifest, struct error *e)
{
	_cleanup_free_ char *b64 = base64_encode(sig->data, sig->len), *text = NULL;
	_cleanup_json_ json_t *layers = json_array(), *m = NULL;
	json_t *own = descriptor(COSIGN_LAYER, payload, strlen(payload));

	for (size_t i = 0; i < n_old; i++)
		add_old(layers, &old[i]);
	json_object_set_new(own, "annotations", json_pack("{s:s}", "dev.cosignproject.cosign/signature", b64));
	json_array_append_new(layers, own);
	if (json_array_size(layers) > SIGNATURES_IN_ONE)
		return error_set(e, E2BIG, "the image has more than %d signatures already", SIGNATURES_IN_ONE - 1);
	write_config(layers, config);
	m = json_pack("{s:i,s:s,s:o,s:O}", "schemaVersion", 2, "mediaType", OCI_MANIFEST, "config",
		      descriptor(OCI_CONFIG, config->data, config->len), "layers", layers);
	text = json_text(m);
	buf_puts(manifest, text);
	return 0;
}
