/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/policy.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/home.h"
#include "image/scope.h"
#include "trust/readfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { POLICY_MAX = 4 * 1024 * 1024, SCOPES_MAX = 20000 };

void policy_free(struct policy *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->entries[i].scope);
		require_free(&p->entries[i].require);
	}
	for (size_t i = 0; i < p->n_extras; i++) {
		free(p->extras[i].scope);
		free(p->extras[i].minimum_version);
		require_free(&p->extras[i].require);
	}
	free(p->entries);
	free(p->extras);
	free(p->path);
	*p = (struct policy){ 0 };
}

/* --- policy.json -------------------------------------------------------------------------------------------------- */

static int add_entry(struct policy *p, const char *scope, const json_t *list, const char *where, struct error *e)
{
	struct requirements r;
	int err = require_read(list, where, false, &r, e);

	if (err < 0)
		return err;
	p->entries = xrealloc(p->entries, p->n + 1, sizeof(*p->entries));
	p->entries[p->n++] = (struct policy_entry){ .scope = xstrdup(scope), .require = r };
	return 0;
}

static int read_transport(struct policy *p, const char *transport, const json_t *scopes, struct error *e)
{
	_cleanup_free_ char *shown = str_escape_n(transport, strnlen(transport, 60));
	const char *scope;
	json_t *list;

	if (!json_is_object(scopes) || json_object_size(scopes) > SCOPES_MAX)
		return error_set(e, EBADMSG, "transports.%s: not an object of at most %d scopes", shown, SCOPES_MAX);
	json_object_foreach((json_t *)scopes, scope, list) {
		_cleanup_free_ char *safe = str_escape_n(scope, strnlen(scope, 200));
		_cleanup_free_ char *where = xasprintf("transports.%s.%s", shown, safe);
		int r;

		if (streq(transport, "docker")) {
			r = add_entry(p, scope, list, where, e);
		} else {
			struct requirements other;

			r = require_read(list, where, false, &other, e);
			if (r == 0)
				require_free(&other);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_policy(struct policy *p, const json_t *j, struct error *e)
{
	const char *key, *transport;
	json_t *v, *scopes;
	int r;

	if (!json_is_object(j))
		return error_set(e, EBADMSG, "not an object");
	json_object_foreach((json_t *)j, key, v)
		if (!streq(key, "default") && !streq(key, "transports"))
			return error_set(e, EBADMSG, "no member \"%.60s\" is known here", key);
	if (!json_object_get(j, "default"))
		return error_set(e, EBADMSG, "default is missing");
	r = add_entry(p, NULL, json_object_get(j, "default"), "default", e);
	v = json_object_get(j, "transports");
	if (r == 0 && v && !json_is_object(v))
		r = error_set(e, EBADMSG, "transports: not an object");
	json_object_foreach(v, transport, scopes) {
		if (r == 0)
			r = read_transport(p, transport, scopes, e);
	}
	return r;
}

int policy_parse(struct policy *p, const char *text, size_t n, const char *what, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text, n, what, e);

	if (!j)
		return e ? e->code : -EBADMSG;
	return read_policy(p, j, e) < 0 ? error_wrap(e, "%s", what) : 0;
}

/* --- trust.json --------------------------------------------------------------------------------------------------- */

bool policy_version_valid(const char *s)
{
	size_t parts = 0;

	s += *s == 'v';
	for (;; s++) {
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 15 || ++parts > 20)
			return false;
		s += n;
		if (*s != '.')
			return *s == 0;
	}
}

int policy_version_compare(const char *a, const char *b)
{
	a += *a == 'v';
	b += *b == 'v';
	for (;;) {
		long long x = strtoll(a, (char **)&a, 10), y = strtoll(b, (char **)&b, 10);

		if (x != y)
			return x < y ? -1 : 1;
		if (!*a && !*b)
			return 0;
		/* 1.4 is 1.4.0 */
		a += *a == '.';
		b += *b == '.';
	}
}

static int take_extra(struct extra_entry *x, const char *key, const json_t *v, const char *where, struct error *e)
{
	const char *s = json_string_value(v);
	uint64_t ns;

	if (streq(key, "require")) {
		_cleanup_free_ char *place = xasprintf("%s.require", where);

		return require_read(v, place, true, &x->require, e);
	}
	if (streq(key, "threshold")) {
		if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > KEYS_MAX)
			return error_set(e, EBADMSG, "%s.threshold: not a number from 1 to %d", where, KEYS_MAX);
		x->threshold = (uint64_t)json_integer_value(v);
		return 0;
	}
	if (streq(key, "expiry"))
		return s && require_parse_age(s, &x->expiry_s) == 0 ? 0 : error_set(e, EBADMSG, "%s.expiry: give an age like \"90d\"", where);
	if (streq(key, "notBefore")) {
		if (!s || !strchr(s, 'T') || clock_parse(s, &ns) < 0 || ns < 1000000000)
			return error_set(e, EBADMSG, "%s.notBefore: give a time like \"2026-01-01T00:00:00Z\"", where);
		x->not_before = (int64_t)(ns / 1000000000);
		return 0;
	}
	if (streq(key, "minimumVersion")) {
		if (!s || !policy_version_valid(s))
			return error_set(e, EBADMSG, "%s.minimumVersion: give numbers with dots like \"1.4\"", where);
		x->minimum_version = xstrdup(s);
		return 0;
	}
	if (streq(key, "pins") && json_is_boolean(v)) {
		x->no_pins = !json_is_true(v);
		return 0;
	}
	_cleanup_free_ char *safe = str_escape_n(key, strnlen(key, 60));
	return error_set(e, EBADMSG, "%s: no member \"%s\" of that kind is known here", where, safe);
}

static int read_extra(struct policy *p, const char *scope, const json_t *j, struct error *e)
{
	_cleanup_free_ char *safe = str_escape_n(scope, strnlen(scope, 200)), *where = xasprintf("scopes.%s", safe);
	struct extra_entry *x;
	const char *key;
	json_t *v;
	int r = 0;

	if (!*scope || !json_is_object(j))
		return error_set(e, EBADMSG, "%s: not a scope with an object", where);
	p->extras = xrealloc(p->extras, p->n_extras + 1, sizeof(*p->extras));
	x = &p->extras[p->n_extras++];
	*x = (struct extra_entry){ .scope = xstrdup(scope) };
	json_object_foreach((json_t *)j, key, v) {
		if (r == 0)
			r = take_extra(x, key, v, where, e);
	}
	for (size_t i = 0; r == 0 && i < x->require.n; i++)
		if (x->require.list[i].type == REQUIRE_ACCEPT || x->require.list[i].type == REQUIRE_REJECT)
			r = error_set(e, EBADMSG, "%s.require[%zu]: that belongs into policy.json", where, i);
	return r;
}

int policy_parse_extra(struct policy *p, const char *text, size_t n, const char *what, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text, n, what, e);
	json_t *scopes = NULL, *v;
	const char *scope;
	int r;

	if (!j)
		return e ? e->code : -EBADMSG;
	r = json_is_object(j) ? json_get_obj(j, "", "scopes", &scopes, e) : error_set(e, EBADMSG, "not an object");
	if (r == 0 && (json_object_size(j) != 1 || !scopes || json_object_size(scopes) > SCOPES_MAX))
		r = error_set(e, EBADMSG, "not an object with \"scopes\" alone, of which there are at most %d", SCOPES_MAX);
	json_object_foreach(scopes, scope, v) {
		if (r == 0)
			r = read_extra(p, scope, v, e);
	}
	return r < 0 ? error_wrap(e, "%s", what) : 0;
}

/* --- files and scopes --------------------------------------------------------------------------------------------- */

static int load_file(struct policy *p, char *path, int (*parse)(struct policy *p, const char *text, size_t n, const char *what,
								 struct error *e), struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = trust_read_file(AT_FDCWD, path, path, POLICY_MAX, &text, &n, e);

	return r < 0 ? r : parse(p, text, n, path, e);
}

int policy_load(struct policy *p, struct error *e)
{
	const char *own = home_config_path(e), *home = getenv("HOME");
	_cleanup_free_ char *extra = NULL;
	char *paths[3] = { NULL };
	int r = -ENOENT;

	*p = (struct policy){ 0 };
	if (!own)
		return e ? e->code : -ENOENT;
	paths[0] = xasprintf("%s/policy.json", own);
	paths[1] = home && *home == '/' ? xasprintf("%s/.config/containers/policy.json", home) : NULL;
	paths[2] = xstrdup("/etc/containers/policy.json");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (r == -ENOENT && paths[i]) {
			r = load_file(p, paths[i], policy_parse, e);
			if (r != -ENOENT)
				p->path = steal_ptr(&paths[i]);
		}
		free(paths[i]);
	}
	extra = xasprintf("%s/trust.json", own);
	if (r == 0 || r == -ENOENT)
		r = load_file(p, extra, policy_parse_extra, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		policy_free(p);
	return r;
}

struct search {
	const struct policy *p;
	const void *found;
};

static bool find_entry(void *arg, const char *scope)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->p->n; i++)
		if (streq(s->p->entries[i].scope, scope))
			s->found = &s->p->entries[i];
	return s->found;
}

static bool find_extra(void *arg, const char *scope)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->p->n_extras; i++)
		if (streq(s->p->extras[i].scope, scope))
			s->found = &s->p->extras[i];
	return s->found;
}

const struct policy_entry *policy_find(const struct policy *p, const char *image)
{
	struct search s = { .p = p };

	if (!scope_walk(image, find_entry, &s) && !find_entry(&s, ""))
		find_entry(&s, NULL);
	return s.found;
}

const struct extra_entry *policy_find_extra(const struct policy *p, const char *image)
{
	struct search s = { .p = p };

	scope_walk(image, find_extra, &s);
	return s.found;
}
