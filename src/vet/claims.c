/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/claims.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <string.h>

static const char blanks[] = " \t\n;|&()<>'\"`$={}";

const char *claims_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_words(char ***out, const char *text, const char *between)
{
	while (*text) {
		size_t n = strcspn(text, between);

		if (n)
			strv_add(out, xstrndup(text, n));
		text += n + (text[n] != 0);
	}
}

char **claims_started(const struct vet *v)
{
	static const char *const members[] = { "Entrypoint", "Cmd" };
	char **out = NULL;
	const json_t *item;
	size_t i;

	for (size_t m = 0; m < ARRAY_SIZE(members); m++)
		json_array_foreach(json_object_get(json_object_get(v->config, "config"), members[m]), i, item)
			if (json_is_string(item))
				add_words(&out, json_string_value(item), blanks);
	return out;
}

static void add_claim(struct claims *c, const struct claim *what)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i] == what)
			return;
	c->list = xrealloc(c->list, c->n + 1, sizeof(*c->list));
	c->list[c->n++] = what;
}

/* A word as it is, and without the version behind it ("python3", "php8"). */
static void claim_word(struct claims *c, const struct rules *r, const char *word)
{
	_cleanup_free_ char *lower = xstrdup(word), *plain;
	size_t n;

	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	plain = xstrdup(lower);
	for (n = strlen(plain); n && isdigit((unsigned char)plain[n - 1]); n--)
		plain[n - 1] = 0;
	for (size_t i = 0; i < r->n_claims; i++)
		if (rules_word(r->claims[i].words, lower) || (*plain && rules_word(r->claims[i].words, plain)))
			add_claim(c, &r->claims[i]);
}

static void claim_words(struct claims *c, const struct rules *r, const char *text)
{
	_cleanup_strv_ char **words = NULL;

	add_words(&words, text, "-_./:+ ,@");
	strv_foreach(w, words)
		claim_word(c, r, *w);
}

/* HOST/PATH/NAME:TAG@DIGEST: the name says what it is; if it does not, the path may ("percona/server"). A tag says nothing. */
static void from_name(struct claims *c, const struct vet *v, const struct rules *r)
{
	_cleanup_free_ char *name = xstrdup(v->image ? v->image : claims_base(v->name));
	char *at = strchr(name, '@'), *last, *colon, *first;

	if (at)
		*at = 0;
	last = (char *)claims_base(name);
	colon = strchr(last, ':');
	if (colon)
		*colon = 0;
	claim_words(c, r, last);
	if (c->n || last == name)
		return;
	last[-1] = 0;
	first = strchr(name, '/');
	/* A registry's host is not a word. */
	if (strpbrk(name, ".:") && first)
		claim_words(c, r, first);
	else if (!strpbrk(name, ".:"))
		claim_words(c, r, name);
}

static void from_title(struct claims *c, const struct vet *v, const struct rules *r)
{
	static const char *const labels[] = { "org.opencontainers.image.title", "org.label-schema.name", "name" };
	const json_t *all = json_object_get(json_object_get(v->config, "config"), "Labels");

	for (size_t i = 0; c->n == 0 && i < ARRAY_SIZE(labels); i++) {
		const char *text = json_string_value(json_object_get(all, labels[i]));

		if (text)
			claim_words(c, r, text);
	}
}

static void from_program(struct claims *c, const struct vet *v, const struct rules *r)
{
	_cleanup_strv_ char **words = claims_started(v);

	strv_foreach(w, words)
		for (size_t i = 0; i < r->n_claims; i++)
			if (rules_word(r->claims[i].programs, claims_base(*w)))
				add_claim(c, &r->claims[i]);
}

static void from_packages(struct claims *c, const struct vet *v, const struct rules *r)
{
	const json_t *package;
	size_t k;

	json_array_foreach(v->packages, k, package) {
		const char *name = json_string_value(json_object_get(package, "name"));

		for (size_t i = 0; name && i < r->n_claims; i++)
			if (rules_word(r->claims[i].packages, name))
				add_claim(c, &r->claims[i]);
	}
}

/* Exposed ports and volumes: an object each, "3306/tcp" and "/var/lib/mysql". */
static void from_places(struct claims *c, const struct vet *v, const struct rules *r)
{
	const json_t *config = json_object_get(v->config, "config"), *value;
	const char *key;

	json_object_foreach((json_t *)json_object_get(config, "ExposedPorts"), key, value) {
		_cleanup_free_ char *port = xstrndup(key, strcspn(key, "/"));

		for (size_t i = 0; i < r->n_claims; i++)
			if (strv_has(r->claims[i].ports, port))
				add_claim(c, &r->claims[i]);
	}
	json_object_foreach((json_t *)json_object_get(config, "Volumes"), key, value)
		for (size_t i = 0; i < r->n_claims; i++)
			if (strv_has(r->claims[i].volumes, key))
				add_claim(c, &r->claims[i]);
}

void claims_derive(const struct vet *v, const struct rules *r, struct claims *out)
{
	static void (*const sources[])(struct claims *c, const struct vet *v, const struct rules *r) = {
		[CLAIM_NAME] = from_name, [CLAIM_TITLE] = from_title, [CLAIM_PROGRAM] = from_program, [CLAIM_PACKAGE] = from_packages,
		[CLAIM_PLACES] = from_places,
	};
	struct buf is = { 0 };

	*out = (struct claims){ 0 };
	for (size_t i = CLAIM_NAME; out->n == 0 && i < ARRAY_SIZE(sources); i++) {
		sources[i](out, v, r);
		if (out->n)
			out->basis = (enum claim_basis)i;
	}
	for (size_t i = 0; i < out->n; i++)
		buf_printf(&is, "%s%s", i == 0 ? "" : i + 1 == out->n ? " and " : ", ", out->list[i]->is);
	out->is = is.len ? buf_steal(&is) : NULL;
}

void claims_free(struct claims *c)
{
	free(c->list);
	free(c->is);
	*c = (struct claims){ 0 };
}

const char *claims_basis_name(enum claim_basis basis)
{
	static const char *const names[] = { "nothing", "its name", "its title", "what it starts", "its packages", "its ports and volumes" };

	return names[basis];
}

bool claims_cover(const struct claims *c, const struct capability *what)
{
	if (what->entry && !(c->basis == CLAIM_NAME || (c->basis == CLAIM_PROGRAM && c->n == 1)))
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (strv_has(c->list[i]->covers, what->name))
			return true;
	return false;
}
