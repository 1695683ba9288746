/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/gpg.h"

#include "base/cleanup.h"
#include "image/name.h"

#include <string.h>

enum { PAYLOAD_MAX = 64 * 1024, REFERENCE_MAX = 4096 };

/* Exactly these members, no more and no fewer. */
static int exactly(const json_t *obj, const char *where, const char *const *names, size_t n, struct error *e)
{
	if (!json_is_object(obj))
		return error_set(e, EBADMSG, "%s: not an object", where);
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(obj, names[i]))
			return error_set(e, EBADMSG, "%s.%s is missing", where, names[i]);
	if (json_object_size(obj) != n)
		return error_set(e, EBADMSG, "%s: has members that nobody knows", where);
	return 0;
}

static int read_critical(const json_t *critical, const char *type, struct sig_claim *out, struct error *e)
{
	static const char *const parts[] = { "type", "image", "identity" };
	static const char *const image_parts[] = { "docker-manifest-digest" }, *const identity_parts[] = { "docker-reference" };
	const json_t *image, *identity;
	const char *s, *hex;
	int r = exactly(critical, "critical", parts, ARRAY_SIZE(parts), e);

	if (r < 0)
		return r;
	image = json_object_get(critical, "image");
	identity = json_object_get(critical, "identity");
	r = exactly(image, "critical.image", image_parts, 1, e);
	if (r == 0)
		r = exactly(identity, "critical.identity", identity_parts, 1, e);
	if (r < 0)
		return r;
	if (!streq(json_string_value(json_object_get(critical, "type")), type))
		return error_set(e, EBADMSG, "critical.type is not \"%s\"", type);
	s = json_string_value(json_object_get(image, "docker-manifest-digest"));
	hex = s ? digest_hex(s) : NULL;
	if (!hex)
		return error_set(e, EBADMSG, "critical.image.docker-manifest-digest: no sha256 digest");
	memcpy(out->digest, hex, SIG_DIGEST_SIZE);
	s = json_string_value(json_object_get(identity, "docker-reference"));
	if (!s || !*s || strlen(s) > REFERENCE_MAX)
		return error_set(e, EBADMSG, "critical.identity.docker-reference: not a name");
	out->identity = xstrdup(s);
	return 0;
}

int simple_payload_read(const char *text, size_t n, const char *type, struct sig_claim *out, struct error *e)
{
	static const char *const parts[] = { "critical", "optional" };
	_cleanup_json_ json_t *j = NULL;
	const json_t *optional, *time;
	int r;

	*out = (struct sig_claim){ .digest = "" };
	if (n > PAYLOAD_MAX)
		return error_set(e, EBADMSG, "payload: more than %d bytes", PAYLOAD_MAX);
	j = json_parse(text, n, "payload", e);
	if (!j)
		return -EBADMSG;
	r = exactly(j, "payload", parts, ARRAY_SIZE(parts), e);
	optional = json_object_get(j, "optional");
	if (r == 0 && !json_is_object(optional))
		r = error_set(e, EBADMSG, "optional: not an object");
	time = json_object_get(optional, "timestamp");
	if (r == 0 && time && !json_is_integer(time))
		r = error_set(e, EBADMSG, "optional.timestamp: not a whole number");
	if (r == 0 && json_object_get(optional, "creator") && !json_is_string(json_object_get(optional, "creator")))
		r = error_set(e, EBADMSG, "optional.creator: not a string");
	if (r == 0)
		r = read_critical(json_object_get(j, "critical"), type, out, e);
	if (r < 0) {
		sig_claim_free(out);
		return r;
	}
	if (time)
		out->time = json_integer_value(time);
	out->more = json_object();
	json_object_set(out->more, "optional", (json_t *)optional);
	return 0;
}
