/* SPDX-License-Identifier: Apache-2.0 */
#include "image/lookaside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/str.h"
#include "image/scope.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

enum { FILE_BYTES_MAX = 1024 * 1024, SCOPES_MAX = 10000, NESTING_MAX = 50, EVENTS_MAX = 200000 };

void lookasides_free(struct lookasides *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->list[i].scope);
		free(l->list[i].read);
		free(l->list[i].write);
		free(l->list[i].file);
	}
	free(l->list);
	*l = (struct lookasides){ 0 };
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reading {
	yaml_parser_t parser;
	yaml_event_t event;
	bool held; /* event is to be freed */
	unsigned events;
	const char *what;
	struct error *e;
};

static int wrong(struct reading *t, const char *why)
{
	return error_set(t->e, EBADMSG, "%s:%zu: %s", t->what, (size_t)t->event.start_mark.line + 1, why);
}

static int next(struct reading *t)
{
	if (t->held)
		yaml_event_delete(&t->event);
	t->held = false;
	if (!yaml_parser_parse(&t->parser, &t->event))
		return error_set(t->e, EBADMSG, "%s:%zu: %s", t->what, t->parser.problem_mark.line + 1,
				 t->parser.problem ? t->parser.problem : "no YAML");
	t->held = true;
	if (++t->events > EVENTS_MAX)
		return wrong(t, "too long");
	/* Aliases make another document of it than a person sees. */
	if (t->event.type == YAML_ALIAS_EVENT)
		return wrong(t, "aliases are not read here");
	return 0;
}

/* A string of its own; NULL when the event is no scalar or has a NUL in it. */
static char *text_of(const struct reading *t)
{
	const char *s = (const char *)t->event.data.scalar.value;

	if (t->event.type != YAML_SCALAR_EVENT || strlen(s) != t->event.data.scalar.length)
		return NULL;
	return xstrdup(s);
}

/* Goes over the value that begins with the present event. */
static int skip(struct reading *t)
{
	unsigned depth = 0;

	for (;;) {
		if (t->event.type == YAML_MAPPING_START_EVENT || t->event.type == YAML_SEQUENCE_START_EVENT)
			depth++;
		else if (t->event.type == YAML_MAPPING_END_EVENT || t->event.type == YAML_SEQUENCE_END_EVENT)
			depth--;
		if (depth == 0)
			return 0;
		if (depth > NESTING_MAX)
			return wrong(t, "nested too deep");
		int r = next(t);
		if (r < 0)
			return r;
	}
}

/* Calls `fn` with each key of the mapping that begins with the present event; the event is then the value's first. */
static int each_key(struct reading *t, int (*fn)(struct reading *t, const char *key, void *arg), void *arg)
{
	_cleanup_strv_ char **seen = NULL;

	if (t->event.type == YAML_SCALAR_EVENT && t->event.data.scalar.length == 0)
		return 0; /* "docker:" and nothing in it */
	if (t->event.type != YAML_MAPPING_START_EVENT)
		return wrong(t, "not a mapping");
	for (;;) {
		_cleanup_free_ char *key = NULL;
		int r = next(t);

		if (r < 0)
			return r;
		if (t->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		key = text_of(t);
		if (!key)
			return wrong(t, "a key that is no string");
		if (strv_has(seen, key))
			return wrong(t, "a key for the second time");
		if (strv_len(seen) > SCOPES_MAX)
			return wrong(t, "too many keys");
		strv_add_copy(&seen, key);
		r = next(t);
		if (r == 0)
			r = fn(t, key, arg);
		if (r < 0)
			return r;
	}
}

struct place {
	struct lookaside at;
	char *old_read, *old_write;
};

static int take_url(struct reading *t, const char *key, void *arg)
{
	struct place *p = arg;
	char **to = streq(key, "lookaside") ? &p->at.read : streq(key, "lookaside-staging") ? &p->at.write :
		    streq(key, "sigstore") ? &p->old_read : streq(key, "sigstore-staging") ? &p->old_write : NULL;

	if (!to)
		return skip(t);
	*to = text_of(t);
	if (!*to)
		return wrong(t, "not a string");
	if (!str_after(*to, "https://") && !str_after(*to, "http://") && !str_after(*to, "file:///"))
		return wrong(t, "give a URL that begins with https://, http:// or file:///");
	return 0;
}

static int read_place(struct reading *t, const char *scope, struct lookasides *l)
{
	struct place p = { 0 };
	int r = 0;

	for (size_t i = 0; i < l->n; i++)
		if (streq(l->list[i].scope, scope))
			r = error_set(t->e, EEXIST, "%s: \"%.200s\" stands in %s already", t->what, scope ? scope : "default-docker",
				      l->list[i].file);
	if (r == 0)
		r = each_key(t, take_url, &p);
	if (!p.at.read)
		p.at.read = steal_ptr(&p.old_read);
	if (!p.at.write)
		p.at.write = steal_ptr(&p.old_write);
	free(p.old_read);
	free(p.old_write);
	if (r < 0) {
		free(p.at.read);
		free(p.at.write);
		return r;
	}
	p.at.scope = xstrdup(scope);
	p.at.file = xstrdup(t->what);
	l->list = xrealloc(l->list, l->n + 1, sizeof(*l->list));
	l->list[l->n++] = p.at;
	return 0;
}

static int take_scope(struct reading *t, const char *key, void *arg)
{
	return read_place(t, key, arg);
}

static int take_top(struct reading *t, const char *key, void *arg)
{
	if (streq(key, "default-docker"))
		return read_place(t, NULL, arg);
	return streq(key, "docker") ? each_key(t, take_scope, arg) : skip(t);
}

static int read_document(struct reading *t, struct lookasides *l)
{
	int r = next(t);

	while (r == 0 && (t->event.type == YAML_STREAM_START_EVENT || t->event.type == YAML_DOCUMENT_START_EVENT))
		r = next(t);
	if (r < 0 || t->event.type == YAML_STREAM_END_EVENT)
		return r;
	r = each_key(t, take_top, l);
	if (r == 0)
		r = next(t);
	if (r == 0 && t->event.type == YAML_DOCUMENT_END_EVENT)
		r = next(t);
	return r == 0 && t->event.type != YAML_STREAM_END_EVENT ? wrong(t, "a second document") : r;
}

int lookasides_parse(struct lookasides *l, const char *text, size_t n, const char *what, struct error *e)
{
	struct error own = { 0 };
	struct reading t = { .what = what, .e = e ? e : &own };
	int r;

	if (!yaml_parser_initialize(&t.parser))
		return error_set(e, ENOMEM, "yaml_parser_initialize");
	yaml_parser_set_input_string(&t.parser, (const unsigned char *)text, n);
	r = read_document(&t, l);
	if (t.held)
		yaml_event_delete(&t.event);
	yaml_parser_delete(&t.parser);
	return r;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static DIR *open_folder(char **path)
{
	const char *own = home_config_path(NULL), *home = getenv("HOME");
	char *paths[] = { own ? xasprintf("%s/registries.d", own) : NULL,
			  home && *home == '/' ? xasprintf("%s/.config/containers/registries.d", home) : NULL,
			  xstrdup("/etc/containers/registries.d") };
	DIR *d = NULL;

	*path = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (paths[i] && !d && (d = opendir(paths[i])))
			*path = steal_ptr(&paths[i]);
		free(paths[i]);
	}
	return d;
}

int lookasides_load(struct lookasides *l, struct error *e)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_closedir_ DIR *d = open_folder(&path);
	struct dirent *de;
	int r = 0;

	*l = (struct lookasides){ 0 };
	while (d && r == 0 && (de = readdir(d))) {
		_cleanup_close_ int fd = -1;
		_cleanup_free_ char *text = NULL, *file = NULL;
		size_t n;

		if (!str_ends(de->d_name, ".yaml"))
			continue;
		file = xasprintf("%s/%s", path, de->d_name);
		fd = openat(dirfd(d), de->d_name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		r = fd < 0 ? -errno : fd_read_all(fd, FILE_BYTES_MAX, &text, &n);
		r = r < 0 ? error_errno(e, r, "cannot read %s", file) : lookasides_parse(l, text, n, file, e);
	}
	if (r < 0)
		lookasides_free(l);
	return r;
}

struct search {
	const struct lookasides *l;
	bool write;
	const char *found;
};

static bool has_url(void *arg, const char *scope)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->l->n; i++) {
		const struct lookaside *at = &s->l->list[i];

		if (streq(at->scope, scope))
			s->found = s->write && at->write ? at->write : at->read;
	}
	return s->found;
}

char *lookaside_url(const struct lookasides *l, const char *image, bool write)
{
	struct search s = { .l = l, .write = write };
	const char *home = getenv("HOME");

	if (!scope_walk(image, has_url, &s))
		has_url(&s, NULL);
	if (s.found)
		return xstrdup(s.found);
	if (home_is_root())
		return xstrdup("file:///var/lib/containers/sigstore");
	return home && *home == '/' ? xasprintf("file://%s/.local/share/containers/sigstore", home) : NULL;
}

const char *lookaside_folder(const char *url)
{
	return str_after(url, "file://");
}
