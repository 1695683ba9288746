/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/ask.h"

#include "base/cleanup.h"
#include "image/store.h"

#include <string.h>

void asking_free(struct asking *q)
{
	free(q->image);
	free(q->minimum_version);
	strv_free(q->files);
	require_free(&q->require);
	*q = (struct asking){ .manifest = "" };
}

json_t *asking_json(const struct asking *q)
{
	json_t *j = json_pack("{s:i,s:s,s:s,s:s,s:b,s:I,s:I}", "version", 1, "manifest", q->manifest, "top", q->top, "image", q->image,
			      "accept_no_landlock", q->accept_no_landlock, "expiry",
			      (json_int_t)q->expiry_s, "not_before", (json_int_t)q->not_before);

	if (q->minimum_version)
		json_object_set_new(j, "minimum_version", json_string(q->minimum_version));
	json_object_set_new(j, "require", require_json(&q->require));
	json_object_set_new(j, "files", json_from_strv(q->files));
	return j;
}

static int read_hex(const json_t *j, const char *key, char out[static SIG_DIGEST_SIZE], struct error *e)
{
	const char *s = NULL;
	int r = json_get_str(j, "question", key, &s, e);

	if (r < 0 || !s || !hex_valid(s, DIGEST_HEX))
		return r < 0 ? r : error_set(e, EINVAL, "question: %s", key);
	memcpy(out, s, DIGEST_SIZE);
	return 0;
}

int asking_read(const json_t *j, struct asking *out, struct error *e)
{
	const char *image = NULL, *version = NULL;
	int r = json_is_object(j) ? read_hex(j, "manifest", out->manifest, e) : error_set(e, EINVAL, "question: no object");

	if (r == 0)
		r = read_hex(j, "top", out->top, e);
	if (r == 0)
		r = json_get_str(j, "question", "image", &image, e);
	if (r == 0)
		r = json_get_str(j, "question", "minimum_version", &version, e);
	if (r == 0)
		r = json_get_bool(j, "question", "accept_no_landlock", &out->accept_no_landlock, e);
	if (r == 0)
		r = json_get_int(j, "question", "expiry", 0, INT64_MAX, &out->expiry_s, e);
	if (r == 0)
		r = json_get_int(j, "question", "not_before", 0, INT64_MAX, &out->not_before, e);
	if (r == 0)
		r = json_get_strv(j, "question", "files", &out->files, e);
	if (r == 0 && !image)
		r = error_set(e, EINVAL, "question: no image");
	out->image = xstrdup(image);
	out->minimum_version = xstrdup(version);
	return r == 0 ? require_from_json(json_object_get(j, "require"), &out->require, e) : r;
}
