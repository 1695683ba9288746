/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registries.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024, VALUES_MAX = 10000, MIRRORS_MAX = 100 };

/* Where the reader of TOML stands. */
struct reading {
	const char *p, *what;
	unsigned line;
	struct error *e;
};

enum section { TOP, REGISTRY, MIRROR, ALIASES, OTHER };

void registries_free(struct registries *r)
{
	for (size_t i = 0; i < r->n_rules; i++) {
		free(r->rules[i].prefix);
		free(r->rules[i].location);
		for (size_t k = 0; k < r->rules[i].n_mirrors; k++)
			free(r->rules[i].mirrors[k].location);
		free(r->rules[i].mirrors);
	}
	free(r->rules);
	strv_free(r->search);
	strv_free(r->alias_from);
	strv_free(r->alias_to);
	*r = (struct registries){ 0 };
}

static int wrong(struct reading *t, const char *why)
{
	return error_set(t->e, EINVAL, "%s:%u: %s", t->what, t->line, why);
}

/* Blanks and comments; with `lines` also what separates lines. */
static void skip(struct reading *t, bool lines)
{
	for (;; t->p++) {
		if (*t->p == '#')
			t->p += strcspn(t->p, "\n");
		if (*t->p == '\n' && lines)
			t->line++;
		else if (*t->p != ' ' && *t->p != '\t' && *t->p != '\r')
			return;
	}
}

static bool bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* "basic" or 'literal' strings of one line; no escapes, which no name of a registry needs. */
static int read_string(struct reading *t, char **out)
{
	char quote = *t->p, stop[] = { quote, '\n', 0 };
	size_t n = strcspn(t->p + 1, stop);

	if (t->p[n + 1] != quote)
		return wrong(t, "a string that does not end");
	if (quote == '"' && memchr(t->p + 1, '\\', n))
		return wrong(t, "escapes in strings are not read here");
	*out = xstrndup(t->p + 1, n);
	t->p += n + 2;
	return 0;
}

static int read_key(struct reading *t, char **out)
{
	size_t n = 0;

	if (*t->p == '"' || *t->p == '\'')
		return read_string(t, out);
	while (bare(t->p[n]) || t->p[n] == '.')
		n++;
	if (n == 0)
		return wrong(t, "no key where one should be");
	*out = xstrndup(t->p, n);
	t->p += n;
	return 0;
}

struct value {
	char *text; /* a string, or a bare word */
	char **list;
};

static void value_free(struct value *v)
{
	free(v->text);
	strv_free(v->list);
	*v = (struct value){ 0 };
}

static int read_list(struct reading *t, char ***out)
{
	for (t->p++;;) {
		char *item = NULL;
		int r;

		skip(t, true);
		if (*t->p == ']') {
			t->p++;
			return 0;
		}
		if (*t->p != '"' && *t->p != '\'')
			return wrong(t, "a list of something else than strings");
		if (strv_len(*out) >= VALUES_MAX)
			return wrong(t, "a list that is too long");
		r = read_string(t, &item);
		if (r < 0)
			return r;
		strv_add(out, item);
		skip(t, true);
		if (*t->p == ',')
			t->p++;
		else if (*t->p != ']')
			return wrong(t, "neither , nor ] behind a part of a list");
	}
}

static int read_value(struct reading *t, struct value *v)
{
	size_t n = 0;

	if (*t->p == '"' || *t->p == '\'')
		return read_string(t, &v->text);
	if (*t->p == '[')
		return read_list(t, &v->list);
	while (bare(t->p[n]) || t->p[n] == '.' || t->p[n] == '+')
		n++;
	if (n == 0)
		return wrong(t, "a value that is no string, list, number or word");
	v->text = xstrndup(t->p, n);
	t->p += n;
	return 0;
}

static int read_header(struct reading *t, struct registries *r, size_t first, enum section *section)
{
	bool twice = t->p[1] == '[';
	_cleanup_free_ char *name = NULL;
	int err;

	t->p += twice ? 2 : 1;
	skip(t, false);
	err = read_key(t, &name);
	if (err < 0)
		return err;
	skip(t, false);
	if (*t->p != ']' || (twice && t->p[1] != ']'))
		return wrong(t, "a table's name does not end with ]");
	t->p += twice ? 2 : 1;
	*section = OTHER;
	if (twice && streq(name, "registry")) {
		if (r->n_rules >= VALUES_MAX)
			return wrong(t, "too many registries");
		*section = REGISTRY;
		r->rules = xrealloc(r->rules, r->n_rules + 1, sizeof(*r->rules));
		r->rules[r->n_rules++] = (struct registry_rule){ 0 };
	} else if (twice && streq(name, "registry.mirror")) {
		struct registry_rule *rule = r->n_rules > first ? &r->rules[r->n_rules - 1] : NULL;

		if (!rule)
			return wrong(t, "a mirror without a [[registry]] before it");
		if (rule->n_mirrors >= MIRRORS_MAX)
			return wrong(t, "too many mirrors");
		*section = MIRROR;
		rule->mirrors = xrealloc(rule->mirrors, rule->n_mirrors + 1, sizeof(*rule->mirrors));
		rule->mirrors[rule->n_mirrors++] = (struct registry_mirror){ 0 };
	} else if (!twice && streq(name, "aliases")) {
		*section = ALIASES;
	}
	return 0;
}

static int take_bool(struct reading *t, const struct value *v, bool *out)
{
	*out = streq(v->text, "true");
	return *out || streq(v->text, "false") ? 0 : wrong(t, "blocked, insecure and mirror-by-digest-only are true or false");
}

static int take_mirror(struct reading *t, struct registry_mirror *m, const char *key, struct value *v)
{
	static const char *const words[] = { "all", "digest-only", "tag-only" };

	if (streq(key, "insecure"))
		return take_bool(t, v, &m->insecure);
	if (streq(key, "location")) {
		if (!v->text)
			return wrong(t, "location is a string");
		free(m->location);
		m->location = steal_ptr(&v->text);
	} else if (streq(key, "pull-from-mirror")) {
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			if (!streq(v->text, words[i]))
				continue;
			m->pulls = (enum mirror_for)i;
			return 0;
		}
		return wrong(t, "pull-from-mirror is all, digest-only or tag-only");
	}
	return 0;
}

static int take(struct reading *t, struct registries *r, enum section section, const char *key, struct value *v)
{
	struct registry_rule *rule = r->n_rules ? &r->rules[r->n_rules - 1] : NULL;

	if (section == TOP && streq(key, "unqualified-search-registries")) {
		if (v->text)
			return wrong(t, "unqualified-search-registries is a list");
		strv_free(r->search);
		r->search = steal_ptr(&v->list);
	} else if (section == ALIASES) {
		if (!v->text)
			return wrong(t, "an alias is a string");
		/* The later one counts: it is found first. */
		strv_add_copy(&r->alias_from, key);
		strv_add(&r->alias_to, steal_ptr(&v->text));
	} else if (section == MIRROR) {
		return take_mirror(t, &rule->mirrors[rule->n_mirrors - 1], key, v);
	} else if (section == REGISTRY && streq(key, "blocked")) {
		return take_bool(t, v, &rule->blocked);
	} else if (section == REGISTRY && streq(key, "insecure")) {
		return take_bool(t, v, &rule->insecure);
	} else if (section == REGISTRY && streq(key, "mirror-by-digest-only")) {
		return take_bool(t, v, &rule->by_digest_only);
	} else if (section == REGISTRY && (streq(key, "prefix") || streq(key, "location"))) {
		char **to = key[0] == 'p' ? &rule->prefix : &rule->location;

		if (!v->text)
			return wrong(t, "prefix and location are strings");
		free(*to);
		*to = steal_ptr(&v->text);
	}
	return 0;
}

int registries_parse(struct registries *r, const char *text, const char *what, struct error *e)
{
	struct reading t = { .p = text, .what = what, .line = 1, .e = e };
	enum section section = TOP;
	size_t first = r->n_rules;
	int err = 0;

	for (skip(&t, true); *t.p && err == 0; skip(&t, true)) {
		_cleanup_free_ char *key = NULL;
		_cleanup_(value_free) struct value v = { 0 };

		if (*t.p == '[') {
			err = read_header(&t, r, first, &section);
		} else {
			err = read_key(&t, &key);
			skip(&t, false);
			if (err == 0 && *t.p != '=')
				err = wrong(&t, "not a line \"key = value\"");
			if (err == 0) {
				t.p++;
				skip(&t, false);
				err = read_value(&t, &v);
			}
			if (err == 0)
				err = take(&t, r, section, key, &v);
		}
		skip(&t, false);
		if (err == 0 && *t.p && *t.p != '\n')
			err = wrong(&t, "something behind the value");
	}
	/* containers-registries.conf(5): prefix and location stand for each other. */
	for (size_t i = first; err == 0 && i < r->n_rules; i++)
		if (!r->rules[i].prefix)
			r->rules[i].prefix = steal_ptr(&r->rules[i].location);
	return err;
}

static int load_file(struct registries *r, int dir, const char *path, const char *shown, struct error *e)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t n;
	int err;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : error_errno(e, errno, "cannot open %s", shown);
	err = fd_read_all(fd, FILE_MAX, &text, &n);
	if (err < 0)
		return error_errno(e, err, "cannot read %s", shown);
	if (strlen(text) != n)
		return error_set(e, EINVAL, "%s holds a NUL byte", shown);
	return registries_parse(r, text, shown, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int load_folder(struct registries *r, const char *path, struct error *e)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	_cleanup_strv_ char **names = NULL;
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (str_ends(de->d_name, ".conf"))
			strv_add_copy(&names, de->d_name);
	if (names)
		qsort(names, strv_len(names), sizeof(*names), by_name);
	strv_foreach(it, names) {
		_cleanup_free_ char *shown = xasprintf("%s/%s", path, *it);
		int err = load_file(r, dirfd(d), *it, shown, e);

		if (err < 0 && err != -ENOENT)
			return err;
	}
	return 0;
}

int registries_load(struct registries *r, struct error *e)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *own = xdg && *xdg == '/' ? xasprintf("%s/containers", xdg) :
				   home && *home == '/' ? xasprintf("%s/.config/containers", home) : NULL;
	const char *dirs[] = { own, "/etc/containers" };
	int err = -ENOENT;

	*r = (struct registries){ 0 };
	for (size_t i = 0; err == -ENOENT && i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = dirs[i] ? xasprintf("%s/registries.conf", dirs[i]) : NULL;

		err = path ? load_file(r, AT_FDCWD, path, path, e) : -ENOENT;
	}
	if (err == -ENOENT)
		err = 0;
	for (size_t i = ARRAY_SIZE(dirs); err == 0 && i-- > 0;) {
		_cleanup_free_ char *path = dirs[i] ? xasprintf("%s/registries.conf.d", dirs[i]) : NULL;

		err = path ? load_folder(r, path, e) : 0;
	}
	if (err < 0)
		registries_free(r);
	return err;
}

/* How much of NAME a prefix stands for; 0: nothing. */
static size_t matched(const char *prefix, const char *name)
{
	const char *rest;
	size_t n = prefix ? strlen(prefix) : 0;

	if (prefix && str_after(prefix, "*.")) {
		/* *.example.com: every host below it, with its port */
		size_t host = strcspn(name, ":/"), tail = n - 1;

		return host > tail && memcmp(name + host - tail, prefix + 1, tail) == 0 ? strcspn(name, "/") : 0;
	}
	rest = n ? str_after(name, prefix) : NULL;
	return rest && (*rest == 0 || *rest == '/' || (*rest == ':' && strchr(prefix, '/')) || *rest == '@') ? n : 0;
}

const struct registry_rule *registries_rule(const struct registries *r, const char *name)
{
	const struct registry_rule *best = NULL;
	size_t length = 0;

	for (size_t i = 0; i < r->n_rules; i++) {
		size_t n = r->rules[i].prefix ? strlen(r->rules[i].prefix) : 0;

		if (n < length || matched(r->rules[i].prefix, name) == 0)
			continue;
		best = &r->rules[i];
		length = n;
	}
	return best;
}

char *registries_rewrite(const struct registry_rule *rule, const char *location, const char *name)
{
	return xasprintf("%s%s", location, name + matched(rule->prefix, name));
}

bool registries_mirror_for(const struct registry_rule *rule, const struct registry_mirror *m, bool by_digest)
{
	return m->location && (by_digest ? m->pulls != MIRROR_TAGS : m->pulls != MIRROR_DIGESTS && !rule->by_digest_only);
}

const char *registries_alias(const struct registries *r, const char *name)
{
	for (size_t i = strv_len(r->alias_from); i-- > 0;)
		if (streq(r->alias_from[i], name))
			return r->alias_to[i];
	return NULL;
}
