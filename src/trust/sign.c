/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/sign.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "image/oci.h"
#include "image/signatures.h"
#include "trust/encode.h"
#include "trust/sigstore.h"

#include <string.h>

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

static bool is_layer(const json_t *l, const char *type)
{
	const char *digest = json_string_value(json_object_get(l, "digest"));
	const char *hex = digest ? str_after(digest, "sha256:") : NULL;

	return streq(json_string_value(json_object_get(l, "mediaType")), type) && hex && hex_valid(hex, 64) &&
	       json_is_integer(json_object_get(l, "size")) && json_is_object(json_object_get(l, "annotations"));
}

/* Every layer must be of this type; a referrer's manifest, or one of the other kind, is another thing. */
static bool is_signatures(const json_t *m, const char *type)
{
	const json_t *layers = json_object_get(m, "layers");
	json_t *l;
	size_t i;

	if (!json_is_array(layers) || json_array_size(layers) == 0 || json_object_get(m, "subject"))
		return false;
	json_array_foreach(layers, i, l)
		if (!is_layer(l, type))
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

static void add_old(json_t *layers, const struct sign_document *d, const char *type)
{
	_cleanup_json_ json_t *m = json_parse(d->text, d->n, "manifest", NULL);
	json_t *l;
	size_t i;

	if (!m || !is_signatures(m, type))
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

static void write_manifest(json_t *layers, struct buf *config, struct buf *manifest)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *m = NULL;

	write_config(layers, config);
	m = json_pack("{s:i,s:s,s:o,s:O}", "schemaVersion", 2, "mediaType", OCI_MANIFEST, "config",
		      descriptor(OCI_CONFIG, config->data, config->len), "layers", layers);
	text = json_text(m);
	buf_puts(manifest, text);
}

int sign_manifest(const struct sign_document *old, size_t n_old, const char *payload, const struct buf *sig, struct buf *config,
		  struct buf *manifest, struct error *e)
{
	_cleanup_free_ char *b64 = base64_encode(sig->data, sig->len);
	_cleanup_json_ json_t *layers = json_array();
	json_t *own = descriptor(COSIGN_LAYER, payload, strlen(payload));

	for (size_t i = 0; i < n_old; i++)
		add_old(layers, &old[i], COSIGN_LAYER);
	json_object_set_new(own, "annotations", json_pack("{s:s}", "dev.cosignproject.cosign/signature", b64));
	json_array_append_new(layers, own);
	if (json_array_size(layers) > SIGNATURES_IN_ONE)
		return error_set(e, E2BIG, "the image has more than %d signatures already", SIGNATURES_IN_ONE - 1);
	write_manifest(layers, config, manifest);
	return 0;
}

/* --- attestations ------------------------------------------------------------------------------------------------- */

int sign_envelope(const struct privkey *k, const char *statement, struct buf *out, struct error *e)
{
	_cleanup_buf_ struct buf pae = { 0 }, sig = { 0 };
	_cleanup_free_ char *payload = base64_encode(statement, strlen(statement)), *b64 = NULL, *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	int r;

	dsse_pae(INTOTO_PAYLOAD_TYPE, statement, strlen(statement), &pae);
	r = privkey_sign(k, pae.data, pae.len, &sig, e);
	if (r < 0)
		return r;
	b64 = base64_encode(sig.data, sig.len);
	j = json_pack("{s:s,s:s,s:[{s:s,s:s}]}", "payloadType", INTOTO_PAYLOAD_TYPE, "payload", payload, "signatures", "keyid", "", "sig", b64);
	text = json_text(j);
	buf_puts(out, text);
	return 0;
}

/* An image that is looked at every day keeps the verdicts of the last hundred days. What it says of its type is enough: who can write the
 * manifest can leave out anything. */
static bool drop_oldest(json_t *layers)
{
	json_t *l;
	size_t i;

	json_array_foreach(layers, i, l)
		if (streq(json_string_value(json_object_get(json_object_get(l, "annotations"), "predicateType")), VET_PREDICATE))
			return json_array_remove(layers, i) == 0;
	return false;
}

int attest_manifest(const struct sign_document *old, size_t n_old, const struct buf *envelope, const char *predicate_type,
		    struct buf *config, struct buf *manifest, struct error *e)
{
	_cleanup_json_ json_t *layers = json_array();

	for (size_t i = 0; i < n_old; i++)
		add_old(layers, &old[i], DSSE_LAYER);
	if (envelope) {
		json_t *own = descriptor(DSSE_LAYER, envelope->data, envelope->len);

		json_object_set_new(own, "annotations", json_pack("{s:s,s:s}", "dev.cosignproject.cosign/signature", "", "predicateType",
								  predicate_type));
		json_array_append_new(layers, own);
	}
	if (json_array_size(layers) == 0)
		return error_set(e, ENODATA, "nothing was attested about it");
	while (json_array_size(layers) > SIGNATURES_IN_ONE)
		if (!drop_oldest(layers))
			return error_set(e, E2BIG, "the image has more than %d attestations", SIGNATURES_IN_ONE);
	write_manifest(layers, config, manifest);
	return 0;
}

int attest_keep(const char *hex, const struct buf *envelope, const char *predicate_type, struct error *e)
{
	_cleanup_buf_ struct buf config = { 0 }, manifest = { 0 };
	int r = attest_manifest(NULL, 0, envelope, predicate_type, &config, &manifest, e);

	if (r == 0)
		r = signatures_add(hex, SIGNATURE_PART, envelope->data, envelope->len, e);
	return r < 0 ? r : signatures_add(hex, SIGNATURE_MANIFEST, manifest.data, manifest.len, e);
}
