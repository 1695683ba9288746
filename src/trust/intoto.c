/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes (DSSE) and statements (in-toto attestation framework, spec/v1/statement.md). */
#include "trust/sigstore.h"

#include "base/cleanup.h"

#include <string.h>

enum { SUBJECTS_MAX = 1024 };

void dsse_pae(const char *type, const void *payload, size_t n, struct buf *out)
{
	buf_printf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, n);
	buf_add(out, payload, n);
}

const char *intoto_kind(const char *predicate_type)
{
	static const struct {
		const char *type, *kind;
	} kinds[] = {
		{ COSIGN_SIGN_PREDICATE, "signature" },
		{ "https://slsa.dev/provenance/v0.2", "provenance" },
		{ "https://slsa.dev/provenance/v1", "provenance" },
		{ "https://spdx.dev/Document", "spdx" },
		{ "https://spdx.dev/Document/v2.3", "spdx" },
		{ "https://cyclonedx.org/bom", "cyclonedx" },
		{ "https://cosign.sigstore.dev/attestation/vuln/v1", "vuln" },
		{ "https://openvex.dev/ns", "openvex" },
		{ "https://openvex.dev/ns/v0.2.0", "openvex" },
		{ VET_PREDICATE, "vet" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].type, predicate_type))
			return kinds[i].kind;
	return NULL;
}

/* The subject that is asked for, or the first; every subject must have a proper SHA-256. */
static int read_subjects(const json_t *list, const char *want, struct sig_claim *out, struct error *e)
{
	const char *found = NULL, *first = NULL;
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > SUBJECTS_MAX)
		return error_set(e, EBADMSG, "the statement is about nothing, or about too much");
	json_array_foreach(list, i, item) {
		const json_t *digest = json_object_get(item, "digest");
		const char *hex = json_string_value(json_object_get(digest, "sha256"));

		if (!hex || !hex_valid(hex, 64))
			return error_set(e, EBADMSG, "the statement's subject %zu has no SHA-256", i);
		if (!first)
			first = hex;
		if (want && streq(hex, want))
			found = hex;
	}
	memcpy(out->digest, found ? found : first, SIG_DIGEST_SIZE);
	return 0;
}

int intoto_claim(const void *payload, size_t n, const char *want, struct sig_claim *out, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(payload, n, "the statement", e);
	const char *type = NULL, *predicate_type = NULL;
	json_t *predicate;
	int r = j ? 0 : e->code;

	if (r == 0 && !json_is_object(j))
		r = error_set(e, EBADMSG, "the statement is no object");
	if (r == 0)
		r = json_get_str(j, "statement", "_type", &type, e);
	if (r == 0)
		r = json_get_str(j, "statement", "predicateType", &predicate_type, e);
	if (r < 0)
		return r;
	if (!streq(type, "https://in-toto.io/Statement/v1") && !streq(type, "https://in-toto.io/Statement/v0.1"))
		return error_set(e, EBADMSG, "the payload is not an in-toto statement");
	if (!predicate_type || !*predicate_type)
		return error_set(e, EBADMSG, "the statement does not say what it states (predicateType)");
	r = read_subjects(json_object_get(j, "subject"), want, out, e);
	if (r < 0)
		return r;
	predicate = json_object_get(j, "predicate");
	if (!out->more)
		out->more = json_object();
	json_object_set_new(out->more, "predicateType", json_string(predicate_type));
	if (predicate)
		json_object_set(out->more, "predicate", predicate);
	return 0;
}
