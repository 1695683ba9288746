/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/require.h"

#include "base/cleanup.h"
#include "trust/encode.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	enum require_type type;
	bool more;
} types[] = {
	{ "insecureAcceptAnything", REQUIRE_ACCEPT, false }, { "reject", REQUIRE_REJECT, false },
	{ "signedBy", REQUIRE_GPG, false },		     { "sigstoreSigned", REQUIRE_SIGSTORE, false },
	{ "notationSigned", REQUIRE_NOTATION, true },
};

static const struct {
	const char *name;
	enum identity_type type;
	const char *a, *b; /* its members */
	bool more;
} identities[] = {
	{ "matchExact", IDENTITY_EXACT, NULL, NULL, false },
	{ "matchRepoDigestOrExact", IDENTITY_REPO_DIGEST_OR_EXACT, NULL, NULL, false },
	{ "matchRepository", IDENTITY_REPOSITORY, NULL, NULL, false },
	{ "exactReference", IDENTITY_EXACT_REFERENCE, "dockerReference", NULL, false },
	{ "exactRepository", IDENTITY_EXACT_REPOSITORY, "dockerRepository", NULL, false },
	{ "remapIdentity", IDENTITY_REMAP, "prefix", "signedPrefix", false },
	{ "anyIdentity", IDENTITY_ANY, NULL, NULL, true },
};

static void free_parts(struct key_parts *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->list[i].path);
		free(p->list[i].data);
	}
	free(p->list);
	*p = (struct key_parts){ 0 };
}

static void free_one(struct requirement *r)
{
	free_parts(&r->keys);
	free_parts(&r->roots);
	free_parts(&r->intermediates);
	free_parts(&r->rekor);
	free_parts(&r->timestamps);
	free_parts(&r->ctlogs);
	free(r->identity.a);
	free(r->identity.b);
	free(r->oidc_issuer);
	free(r->email);
	free(r->hostname);
	free(r->uri);
	strv_free(r->subjects);
	free(r->role);
	free(r->predicate_type);
	free(r->builder);
	free(r->at_most);
}

void require_free(struct requirements *r)
{
	for (size_t i = 0; i < r->n; i++)
		free_one(&r->list[i]);
	free(r->list);
	*r = (struct requirements){ 0 };
}

/* --- members ------------------------------------------------------------------------------------------------------ */

struct reading {
	const char *where;
	bool more;
	struct error *e;
};

static int unknown(const struct reading *t, const char *key)
{
	_cleanup_free_ char *safe = str_escape_n(key, strnlen(key, 100));

	return error_set(t->e, EBADMSG, "%s: no member \"%s\" is known here", t->where, safe);
}

/* A string that is there: empty ones are as wrong as other types. */
static int take_text(const struct reading *t, const char *key, const json_t *v, char **to)
{
	const char *s = json_string_value(v);

	if (!s || !*s)
		return error_set(t->e, EBADMSG, "%s.%s: not a string with something in it", t->where, key);
	*to = xstrdup(s);
	return 0;
}

static int decode_part(struct key_part *part, const char *s)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (base64_decode(s, strlen(s), &b) < 0 || b.len == 0 || b.len > KEY_FILE_MAX)
		return -EBADMSG;
	part->size = b.len;
	part->data = buf_steal(&b);
	return 0;
}

static int add_part(const struct reading *t, struct key_parts *p, const char *field, const json_t *v, bool data)
{
	const char *s = json_string_value(v);
	struct key_part *part;

	if (!s || !*s)
		return error_set(t->e, EBADMSG, "%s.%s: not a string with something in it", t->where, field);
	if (p->n >= KEYS_MAX)
		return error_set(t->e, EBADMSG, "%s.%s: more than %d keys", t->where, field, KEYS_MAX);
	p->list = xrealloc(p->list, p->n + 1, sizeof(*p->list));
	part = &p->list[p->n++];
	*part = (struct key_part){ .field = field };
	if (!data) {
		part->path = xstrdup(s);
		return *s == '/' ? 0 : error_set(t->e, EBADMSG, "%s.%s: not an absolute path", t->where, field);
	}
	return decode_part(part, s) < 0 ? error_set(t->e, EBADMSG, "%s.%s: not base64", t->where, field) : 0;
}

/* PREFIXPath, PREFIXPaths, PREFIXData, PREFIXDatas: one of them. 1: it was one. */
static int take_parts(const struct reading *t, const char *const names[4], const char *key, const json_t *v, struct key_parts *p)
{
	for (size_t i = 0; i < 4; i++) {
		const json_t *item;
		size_t k;
		int r = 0;

		if (!names[i] || !streq(names[i], key))
			continue;
		if (p->n > 0)
			return error_set(t->e, EBADMSG, "%s: %s and %s: one source of keys is allowed", t->where, p->list[0].field, key);
		if (i % 2 == 0)
			r = add_part(t, p, names[i], v, i >= 2);
		else if (!json_is_array(v) || json_array_size(v) == 0)
			r = error_set(t->e, EBADMSG, "%s.%s: not a list with something in it", t->where, key);
		else
			json_array_foreach(v, k, item) {
				if (r == 0)
					r = add_part(t, p, names[i], item, i >= 2);
			}
		return r < 0 ? r : 1;
	}
	return 0;
}

static int take_fulcio(const struct reading *outer, const json_t *v, struct requirement *q)
{
	static const char *const ca[] = { "caPath", NULL, "caData", NULL };
	struct reading t = *outer;
	const char *key;
	json_t *item;

	t.where = "fulcio";
	if (!json_is_object(v))
		return error_set(t.e, EBADMSG, "%s.fulcio: not an object", outer->where);
	json_object_foreach((json_t *)v, key, item) {
		int r = take_parts(&t, ca, key, item, &q->roots);

		if (r == 0 && streq(key, "oidcIssuer"))
			r = take_text(&t, key, item, &q->oidc_issuer);
		else if (r == 0 && streq(key, "subjectEmail"))
			r = take_text(&t, key, item, &q->email);
		else if (r == 0 && t.more && streq(key, "subjectURI"))
			r = take_text(&t, key, item, &q->uri);
		else if (r == 0)
			r = unknown(&t, key);
		if (r < 0)
			return r;
	}
	q->fulcio = true;
	if (q->roots.n == 0 || !q->oidc_issuer || !!q->email == !!q->uri)
		return error_set(t.e, EBADMSG, "%s.fulcio: needs caPath or caData, oidcIssuer, and subjectEmail", outer->where);
	return 0;
}

static int take_pki(const struct reading *outer, const json_t *v, struct requirement *q)
{
	static const char *const roots[] = { "caRootsPath", NULL, "caRootsData", NULL };
	static const char *const intermediates[] = { "caIntermediatesPath", NULL, "caIntermediatesData", NULL };
	struct reading t = *outer;
	const char *key;
	json_t *item;

	t.where = "pki";
	if (!json_is_object(v))
		return error_set(t.e, EBADMSG, "%s.pki: not an object", outer->where);
	json_object_foreach((json_t *)v, key, item) {
		int r = take_parts(&t, roots, key, item, &q->roots);

		if (r == 0)
			r = take_parts(&t, intermediates, key, item, &q->intermediates);
		if (r == 0 && streq(key, "subjectHostname"))
			r = take_text(&t, key, item, &q->hostname);
		else if (r == 0 && streq(key, "subjectEmail"))
			r = take_text(&t, key, item, &q->email);
		else if (r == 0)
			r = unknown(&t, key);
		if (r < 0)
			return r;
	}
	if (q->roots.n == 0 || (!q->email && !q->hostname))
		return error_set(t.e, EBADMSG, "%s.pki: needs caRootsPath or caRootsData, and subjectEmail or subjectHostname",
				 outer->where);
	return 0;
}

static int take_identity(const struct reading *outer, const json_t *v, struct identity_rule *to)
{
	struct reading t = *outer;
	const char *type = json_string_value(json_object_get(v, "type")), *key;
	json_t *item;
	size_t i = 0;

	t.where = "signedIdentity";
	while (i < ARRAY_SIZE(identities) && (!streq(identities[i].name, type) || (identities[i].more && !t.more)))
		i++;
	if (i == ARRAY_SIZE(identities))
		return error_set(t.e, EBADMSG, "%s.signedIdentity: no type that is known", outer->where);
	to->type = identities[i].type;
	json_object_foreach((json_t *)v, key, item) {
		int r = 0;

		if (streq(key, "type"))
			continue;
		if (identities[i].a && streq(key, identities[i].a))
			r = take_text(&t, key, item, &to->a);
		else if (identities[i].b && streq(key, identities[i].b))
			r = take_text(&t, key, item, &to->b);
		else
			r = unknown(&t, key);
		if (r < 0)
			return r;
	}
	if ((identities[i].a && !to->a) || (identities[i].b && !to->b))
		return error_set(t.e, EBADMSG, "%s.signedIdentity: %s is missing", outer->where,
				 to->a ? identities[i].b : identities[i].a);
	return 0;
}

static int take_subjects(const struct reading *t, const char *key, const json_t *v, char ***to)
{
	const json_t *item;
	size_t i;

	json_array_foreach(v, i, item) {
		const char *s = json_string_value(item);

		if (!s || !*s)
			return error_set(t->e, EBADMSG, "%s.%s[%zu]: not a string with something in it", t->where, key, i);
		strv_add_copy(to, s);
	}
	return *to ? 0 : error_set(t->e, EBADMSG, "%s.%s: not a list with something in it", t->where, key);
}

/* The levels of brig vet, worst first; NULL ends them. */
const char *const require_vet_levels[] = { "critical", "high", "medium", "low", "info", NULL };

static int take_level(const struct reading *t, const json_t *v, char **to)
{
	const char *s = json_string_value(v);
	size_t i = 0;

	while (require_vet_levels[i] && !streq(require_vet_levels[i], s))
		i++;
	if (!s || (!require_vet_levels[i] && !streq(s, "none")))
		return error_set(t->e, EBADMSG, "%s.atMost: not critical, high, medium, low, info or none", t->where);
	*to = xstrdup(s);
	return 0;
}

int require_parse_age(const char *s, int64_t *seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 'd', 86400 }, { 'w', 604800 } };
	size_t n = strlen(s);
	uint64_t ns, v;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		_cleanup_free_ char *number = n > 1 && s[n - 1] == units[i].unit ? xstrndup(s, n - 1) : NULL;

		if (number && parse_u64(number, 1, 100000, &v) == 0) {
			*seconds = (int64_t)v * units[i].seconds;
			return 0;
		}
	}
	if (parse_duration(s, &ns) < 0 || ns < 1000000000)
		return -EINVAL;
	*seconds = (int64_t)(ns / 1000000000);
	return 0;
}

/* What trust.json may say beside. 1: it was that. */
static int take_more(const struct reading *t, const char *key, const json_t *v, struct requirement *q)
{
	static const char *const timestamps[] = { "timestampRootsPath", "timestampRootsPaths", "timestampRootsData",
						  "timestampRootsDatas" };
	static const char *const ctlogs[] = { "ctlogPublicKeyPath", "ctlogPublicKeyPaths", "ctlogPublicKeyData",
					      "ctlogPublicKeyDatas" };

	if (!t->more)
		return 0;
	if (q->type == REQUIRE_SIGSTORE || q->type == REQUIRE_NOTATION) {
		int r = take_parts(t, timestamps, key, v, &q->timestamps);

		if (r == 0 && q->type == REQUIRE_SIGSTORE)
			r = take_parts(t, ctlogs, key, v, &q->ctlogs);
		if (r != 0)
			return r;
	}
	if (streq(key, "signingAuthority") && q->type == REQUIRE_NOTATION && json_is_boolean(v)) {
		q->signing_authority = json_is_true(v);
		return 1;
	}
	if (streq(key, "role"))
		return take_text(t, key, v, &q->role) < 0 ? t->e->code : 1;
	if (streq(key, "predicateType") && q->type == REQUIRE_SIGSTORE)
		return take_text(t, key, v, &q->predicate_type) < 0 ? t->e->code : 1;
	if (streq(key, "builder") && q->type == REQUIRE_SIGSTORE)
		return take_text(t, key, v, &q->builder) < 0 ? t->e->code : 1;
	if (streq(key, "atMost") && q->type == REQUIRE_SIGSTORE)
		return take_level(t, v, &q->at_most) < 0 ? t->e->code : 1;
	if (streq(key, "maxAge")) {
		const char *s = json_string_value(v);

		return s && require_parse_age(s, &q->max_age_s) == 0 ? 1 : error_set(t->e, EBADMSG, "%s.maxAge: give an age like \"90d\"", t->where);
	}
	if (!streq(key, "threshold"))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > KEYS_MAX)
		return error_set(t->e, EBADMSG, "%s.threshold: not a number from 1 to %d", t->where, KEYS_MAX);
	q->threshold = (uint64_t)json_integer_value(v);
	return 1;
}

/* --- the types ---------------------------------------------------------------------------------------------------- */

static int take_gpg(const struct reading *t, const char *key, const json_t *v, struct requirement *q)
{
	static const char *const keys[] = { "keyPath", "keyPaths", "keyData", NULL };

	if (!streq(key, "keyType"))
		return take_parts(t, keys, key, v, &q->keys);
	/* containers-policy.json(5) names others, which nobody verifies. */
	if (!streq(json_string_value(v), "GPGKeys"))
		return error_set(t->e, EBADMSG, "%s.keyType: only GPGKeys is known", t->where);
	return 1;
}

static int take_sigstore(const struct reading *t, const char *key, const json_t *v, struct requirement *q)
{
	static const char *const keys[] = { "keyPath", "keyPaths", "keyData", "keyDatas" };
	static const char *const rekor[] = { "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas" };
	int r = take_parts(t, keys, key, v, &q->keys);

	if (r == 0)
		r = take_parts(t, rekor, key, v, &q->rekor);
	if (r != 0)
		return r;
	if ((streq(key, "fulcio") || streq(key, "pki")) && q->roots.n > 0)
		return error_set(t->e, EBADMSG, "%s: fulcio and pki: one source of keys is allowed", t->where);
	if (streq(key, "fulcio"))
		return take_fulcio(t, v, q) < 0 ? t->e->code : 1;
	if (streq(key, "pki"))
		return take_pki(t, v, q) < 0 ? t->e->code : 1;
	return 0;
}

static int take_notation(const struct reading *t, const char *key, const json_t *v, struct requirement *q)
{
	static const char *const roots[] = { "caPath", "caPaths", "caData", "caDatas" };

	if (streq(key, "trustedIdentities"))
		return take_subjects(t, key, v, &q->subjects) < 0 ? t->e->code : 1;
	return take_parts(t, roots, key, v, &q->roots);
}

static int check_whole(const struct reading *t, const struct requirement *q, bool key_type)
{
	size_t sources = (q->keys.n > 0) + (q->roots.n > 0);

	if (q->type == REQUIRE_ACCEPT || q->type == REQUIRE_REJECT)
		return 0;
	if (q->type == REQUIRE_GPG && !key_type)
		return error_set(t->e, EBADMSG, "%s: keyType is missing", t->where);
	if (sources != 1)
		return error_set(t->e, EBADMSG, "%s: exactly one source of keys is needed", t->where);
	if (q->fulcio && q->rekor.n == 0)
		return error_set(t->e, EBADMSG, "%s: fulcio needs a rekorPublicKeyPath or rekorPublicKeyData", t->where);
	if (q->at_most && !streq(q->predicate_type, VET_PREDICATE))
		return error_set(t->e, EBADMSG, "%s: atMost is of a verdict of brig vet: predicateType must be " VET_PREDICATE, t->where);
	if (q->builder && !q->predicate_type)
		return error_set(t->e, EBADMSG, "%s: builder is of an attestation: predicateType is missing", t->where);
	return 0;
}

static int read_one(const json_t *j, const struct reading *t, struct requirement *q)
{
	const char *type = json_string_value(json_object_get(j, "type")), *key;
	bool key_type = json_object_get(j, "keyType");
	json_t *item;
	size_t i = 0;
	int r = 0;

	while (i < ARRAY_SIZE(types) && (!streq(types[i].name, type) || (types[i].more && !t->more)))
		i++;
	if (!json_is_object(j) || i == ARRAY_SIZE(types))
		return error_set(t->e, EBADMSG, "%s: no type that is known", t->where);
	*q = (struct requirement){ .type = types[i].type, .threshold = 1 };
	/* Formats that sign no name have their keys for it; see trust/identity.h. */
	q->identity.type = q->type == REQUIRE_NOTATION ? IDENTITY_REPOSITORY : IDENTITY_REPO_DIGEST_OR_EXACT;
	json_object_foreach((json_t *)j, key, item) {
		if (streq(key, "type"))
			continue;
		if (q->type != REQUIRE_ACCEPT && q->type != REQUIRE_REJECT) {
			r = take_more(t, key, item, q);
			if (r == 0 && streq(key, "signedIdentity"))
				r = take_identity(t, item, &q->identity) < 0 ? t->e->code : 1;
		}
		if (r == 0 && q->type == REQUIRE_GPG)
			r = take_gpg(t, key, item, q);
		else if (r == 0 && q->type == REQUIRE_SIGSTORE)
			r = take_sigstore(t, key, item, q);
		else if (r == 0 && q->type == REQUIRE_NOTATION)
			r = take_notation(t, key, item, q);
		if (r <= 0)
			return r < 0 ? r : unknown(t, key);
		r = 0;
	}
	/* An attestation is of a digest and names no image. */
	if (q->predicate_type && !json_object_get(j, "signedIdentity"))
		q->identity.type = IDENTITY_REPOSITORY;
	return check_whole(t, q, key_type);
}

int require_read(const json_t *list, const char *where, bool more, struct requirements *out, struct error *e)
{
	struct error own = { 0 };
	const json_t *item;
	size_t i;
	int r = 0;

	*out = (struct requirements){ 0 };
	if (!json_is_array(list) || json_array_size(list) == 0)
		r = error_set(&own, EBADMSG, "%s: not a list with something in it", where);
	else if (json_array_size(list) > REQUIREMENTS_MAX)
		r = error_set(&own, EBADMSG, "%s: more than %d requirements", where, REQUIREMENTS_MAX);
	else
		out->list = xcalloc(json_array_size(list), sizeof(*out->list));
	json_array_foreach(list, i, item) {
		_cleanup_free_ char *place = xasprintf("%s[%zu]", where, i);
		struct reading t = { .where = place, .more = more, .e = &own };

		if (r < 0)
			break;
		out->n++;
		r = read_one(item, &t, &out->list[i]);
	}
	if (r == 0)
		return 0;
	require_free(out);
	if (e)
		*e = own;
	return r;
}

/* --- for the process that verifies -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t at;
} part_lists[] = {
	{ "keys", offsetof(struct requirement, keys) },
	{ "roots", offsetof(struct requirement, roots) },
	{ "intermediates", offsetof(struct requirement, intermediates) },
	{ "rekor", offsetof(struct requirement, rekor) },
	{ "timestamps", offsetof(struct requirement, timestamps) },
	{ "ctlogs", offsetof(struct requirement, ctlogs) },
};

static const struct {
	const char *name;
	size_t at;
} texts[] = {
	{ "identity_a", offsetof(struct requirement, identity.a) },
	{ "identity_b", offsetof(struct requirement, identity.b) },
	{ "oidc_issuer", offsetof(struct requirement, oidc_issuer) },
	{ "email", offsetof(struct requirement, email) },
	{ "hostname", offsetof(struct requirement, hostname) },
	{ "uri", offsetof(struct requirement, uri) },
	{ "role", offsetof(struct requirement, role) },
	{ "predicate_type", offsetof(struct requirement, predicate_type) },
	{ "builder", offsetof(struct requirement, builder) },
	{ "at_most", offsetof(struct requirement, at_most) },
};

#define MEMBER(r, table, i, type) ((type *)((char *)(r) + (table)[i].at))

static json_t *parts_json(const struct key_parts *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n; i++) {
		_cleanup_free_ char *data = base64_encode(p->list[i].data, p->list[i].size);

		json_array_append_new(list, json_pack("{s:s,s:s}", "what", p->list[i].path ? p->list[i].path : p->list[i].field,
						      "data", data));
	}
	return list;
}

json_t *require_json(const struct requirements *r)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct requirement *q = &r->list[i];
		json_t *j = json_pack("{s:i,s:i,s:I,s:I,s:b,s:b,s:b}", "type", q->type, "identity", q->identity.type, "threshold",
				      (json_int_t)q->threshold, "max_age", (json_int_t)q->max_age_s, "fulcio", q->fulcio, "own_scope", q->own_scope, "signing_authority",
				      q->signing_authority);

		for (size_t k = 0; k < ARRAY_SIZE(part_lists); k++)
			json_object_set_new(j, part_lists[k].name, parts_json(MEMBER(q, part_lists, k, struct key_parts)));
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			if (*MEMBER(q, texts, k, char *))
				json_object_set_new(j, texts[k].name, json_string(*MEMBER(q, texts, k, char *)));
		json_object_set_new(j, "subjects", json_from_strv(q->subjects));
		json_array_append_new(all, j);
	}
	return all;
}

static int parts_from_json(const json_t *j, const char *name, struct key_parts *p, struct error *e)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_arr(j, "question", name, &list, e);

	if (r < 0 || json_array_size(list) > KEYS_MAX)
		return r < 0 ? r : error_set(e, EINVAL, "question: too many keys");
	p->list = xcalloc(json_array_size(list) + 1, sizeof(*p->list));
	json_array_foreach(list, i, item) {
		const char *what = NULL, *data = NULL;

		r = json_is_object(item) ? json_get_str(item, "key", "what", &what, e) : -EINVAL;
		if (r == 0)
			r = json_get_str(item, "key", "data", &data, e);
		if (r < 0 || !what || !data)
			return error_set(e, EINVAL, "question: a key that is none");
		p->n++;
		p->list[i].path = xstrdup(what);
		if (decode_part(&p->list[i], data) < 0)
			return error_set(e, EINVAL, "question: a key that is none");
	}
	return 0;
}

static int one_from_json(const json_t *j, struct requirement *q, struct error *e)
{
	int64_t type = -1, identity = -1, threshold = 0;
	int r = json_get_int(j, "question", "type", REQUIRE_ACCEPT, REQUIRE_NOTATION, &type, e);

	if (r == 0)
		r = json_get_int(j, "question", "identity", IDENTITY_EXACT, IDENTITY_ANY, &identity, e);
	if (r == 0)
		r = json_get_int(j, "question", "threshold", 1, KEYS_MAX, &threshold, e);
	if (r == 0)
		r = json_get_int(j, "question", "max_age", 0, INT64_MAX, &q->max_age_s, e);
	if (r == 0)
		r = json_get_bool(j, "question", "fulcio", &q->fulcio, e);
	if (r == 0)
		r = json_get_bool(j, "question", "signing_authority", &q->signing_authority, e);
	if (r == 0)
		r = json_get_bool(j, "question", "own_scope", &q->own_scope, e);
	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(part_lists); k++)
		r = parts_from_json(j, part_lists[k].name, MEMBER(q, part_lists, k, struct key_parts), e);
	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(texts); k++) {
		const char *s = NULL;

		r = json_get_str(j, "question", texts[k].name, &s, e);
		*MEMBER(q, texts, k, char *) = xstrdup(s);
	}
	if (r == 0)
		r = json_get_strv(j, "question", "subjects", &q->subjects, e);
	if (q->subjects && !q->subjects[0]) {
		strv_free(q->subjects);
		q->subjects = NULL;
	}
	if (r == 0 && (type < 0 || identity < 0 || threshold < 1))
		r = error_set(e, EINVAL, "question: not complete");
	q->type = (enum require_type)type;
	q->identity.type = (enum identity_type)identity;
	q->threshold = (uint64_t)threshold;
	return r;
}

int require_from_json(const json_t *j, struct requirements *out, struct error *e)
{
	const json_t *item;
	int r = 0;
	size_t i;

	*out = (struct requirements){ 0 };
	if (!json_is_array(j) || json_array_size(j) > REQUIREMENTS_MAX)
		return error_set(e, EINVAL, "question: no requirements");
	out->list = xcalloc(json_array_size(j) + 1, sizeof(*out->list));
	json_array_foreach(j, i, item) {
		out->n++;
		if (r == 0)
			r = json_is_object(item) ? one_from_json(item, &out->list[i], e) : error_set(e, EINVAL, "question: no object");
	}
	if (r < 0)
		require_free(out);
	return r;
}

char *require_words(const struct requirement *r)
{
	const struct key_parts *p = r->keys.n ? &r->keys : &r->roots;
	static const char *const how[] = { "", "", "a GPG key", "a sigstore key", "a notation certificate" };
	const char *kind = r->type == REQUIRE_SIGSTORE && r->roots.n ? "a sigstore certificate" : how[r->type];
	const char *at = p->n ? p->list[0].path ? p->list[0].path : p->list[0].field : "";

	return xasprintf("%s%s%s of %.120s%s%s%.100s%s%s", r->role ? r->role : "", r->role ? ": " : "", kind, at, p->n > 1 ? ", ..." : "",
			 r->predicate_type ? " on an attestation " : "", r->predicate_type ? r->predicate_type : "",
			 r->at_most ? ", at most " : "", r->at_most ? r->at_most : "");
}
