/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check "impostor" (catalogue V1): is it what it says it is? What the image claims to be (claims.h) against what its contents can do, both by
 * rules (rules.h). Programs are known by name, by package, by unit, and by what is written inside of them, whatever they are called.
 *
 * Facts: "claims" {"is", "basis", "names"}, "capabilities" [{"name", "title", "covered", "started", "ports", "evidence": [{"path", "how"}]}].
 */
#include "vet/claims.h"
#include "vet/inventory.h"
#include "vet/seek.h"
#include "vet/share.h"
#include "vet/rules_load.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

enum { EVIDENCE_MAX = 20, SCRIPT_MAX = 1024 * 1024, LISTEN_MAX = 256 * 1024, BUSYBOX_MAX = 16 * 1024 * 1024, PORTS_MAX = 16 };
#define PROGRAM_MAX ((size_t)1 << 30)

static struct rules rules;

struct evidence {
	const struct vet_file *file; /* NULL: the configuration, a package */
	char *how;
	bool disguised, weak;
};

struct found {
	struct evidence evidence[EVIDENCE_MAX];
	size_t n, more;
	char **ports;
	bool started;
};

struct look {
	struct vet *v;
	struct claims claims;
	struct seek *seek;
	struct found *found; /* one for each capability */
	char **started;
	const struct inode *asked; /* the last one that is_busybox() was asked about */
	bool busybox;
};

static int prepare(struct vet *v, struct error *e)
{
	rules_free(&rules);
	return rules_load(&rules, v->options->rules, e);
}

__attribute__((format(printf, 5, 6))) static void add(struct look *l, size_t capability, const struct vet_file *file, bool disguised,
						      const char *fmt, ...)
{
	struct found *f = &l->found[capability];
	va_list ap;
	char *how;

	/* What is worst stays when there is too much. */
	if (f->n == EVIDENCE_MAX) {
		f->more++;
		if (!disguised || f->evidence[EVIDENCE_MAX - 1].disguised)
			return;
		free(f->evidence[--f->n].how);
	}
	va_start(ap, fmt);
	if (vasprintf(&how, fmt, ap) < 0)
		how = xstrdup(fmt);
	va_end(ap);
	f->evidence[f->n++] = (struct evidence){ .file = file, .how = how, .disguised = disguised };
}

/* ------------------------------------------------------------------------------------------------------ programs by name */

/* The program that a name leads to; NULL: none that could be started. */
static const struct vet_file *program_of(const struct look *l, const struct vet_file *f)
{
	if (f->inode->type == 'l')
		f = vet_find(l->v, f->path);
	return f && f->inode->type == 'f' && (f->inode->mode & 0111) && f->inode->size ? f : NULL;
}

/* One program that has all names: which of them stand there says little of what it is for. */
static bool is_busybox(struct look *l, const struct vet_file *f)
{
	static const char text[] = "BusyBox v";
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };

	if (f->inode == l->asked)
		return l->busybox;
	l->asked = f->inode;
	l->busybox = vet_read(l->v, f, BUSYBOX_MAX, &b) == 0 && memmem(b.data, b.size, text, sizeof(text) - 1);
	return l->busybox;
}

static void look_name(struct look *l, const struct vet_file *f)
{
	const char *base = claims_base(f->path);

	if (f->inode->type != 'f' && f->inode->type != 'l')
		return;
	for (size_t i = 0; i < rules.n_capabilities; i++) {
		const struct vet_file *program = rules_word(rules.capabilities[i].names, base) ? program_of(l, f) : NULL;
		struct found *found = &l->found[i];

		if (!program)
			continue;
		if (!is_busybox(l, program)) {
			add(l, i, f, false, "a program named %s", base);
		} else if (found->n < EVIDENCE_MAX) {
			add(l, i, f, false, "busybox under the name %s", base);
			found->evidence[found->n - 1].weak = true;
		}
	}
}

/* -------------------------------------------------------------------------------------------------- programs by content */

/* What the content of a file shows, gathered by threads and judged afterwards in the order of files. */
struct shown {
	size_t capability;
	bool disguised;
	char *how;
	struct shown *next;
};

/* One thread's. */
struct reader {
	const struct look *l;
	bool *seen;
	struct shown **end;
};

__attribute__((format(printf, 4, 5))) static void show(struct reader *r, size_t capability, bool disguised, const char *fmt, ...)
{
	struct shown *s = xcalloc(1, sizeof(*s));
	va_list ap;

	s->capability = capability;
	s->disguised = disguised;
	va_start(ap, fmt);
	if (vasprintf(&s->how, fmt, ap) < 0)
		s->how = xstrdup(fmt);
	va_end(ap);
	*r->end = s;
	r->end = &s->next;
}

static void look_program(struct reader *r, const struct vet_file *f)
{
	const char *base = claims_base(f->path);

	for (size_t i = 0; i < rules.n_capabilities; i++) {
		const struct capability *c = &rules.capabilities[i];

		for (size_t k = 0; k < c->n_elf; k++) {
			size_t have = 0;

			while (have < c->elf[k].n && r->seen[c->elf[k].texts[have].id])
				have++;
			if (have < c->elf[k].n)
				continue;
			show(r, i, !c->anyname && !rules_word(c->names, base), "a program that says \"%.80s\" inside", c->elf[k].texts[0].data);
			break;
		}
	}
}

/* All texts in this order; comments are not done. */
static bool line_has(const struct rule_line *rule, const char *line, size_t n)
{
	const char *end = line + n;

	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	if (line < end && *line == '#' && !(end - line > 1 && line[1] == '!'))
		return false;
	for (size_t i = 0; i < rule->n; i++) {
		size_t len = strlen(rule->texts[i].data);
		const char *at = memmem(line, (size_t)(end - line), rule->texts[i].data, len);

		if (!at)
			return false;
		line = at + len;
	}
	return true;
}

static const char *find_line(const struct rule_line *rule, const char *text, size_t n, size_t *len)
{
	const char *end = text + n;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		/* A line goes on behind a backslash. */
		while (stop && stop > text && stop[-1] == '\\' && stop + 1 < end)
			stop = memchr(stop + 1, '\n', (size_t)(end - stop - 1));
		*len = (size_t)((stop ? stop : end) - text);
		if (line_has(rule, text, *len))
			return text;
		if (!stop)
			break;
		text = stop + 1;
	}
	return NULL;
}

static void look_script(struct reader *r, const struct vet_file *f, const char *text, size_t n)
{
	for (size_t i = 0; i < rules.n_capabilities; i++) {
		const struct capability *c = &rules.capabilities[i];

		for (size_t k = 0; k < c->n_script; k++) {
			const struct rule_line *rule = &c->script[k];
			const char *line;
			size_t have = 0, len;

			while (have < rule->n && r->seen[rule->texts[have].id])
				have++;
			line = have < rule->n ? NULL : find_line(rule, text, n, &len);
			if (!line)
				continue;
			while (len && (*line == ' ' || *line == '\t'))
				line++, len--;
			show(r, i, false, "%s: %.*s", f ? "a line of a script" : "what the image starts", (int)(len < 120 ? len : 120), line);
			break;
		}
	}
}

/* Where text is run though it does not say so, and endings of what interpreters read. */
static bool is_script(const struct vet_file *f, const struct vet_bytes *b)
{
	static const char *const places[] = { "etc/init.d/", "etc/profile", "etc/bash.bashrc", "etc/cron", "var/spool/cron/", "etc/rc", "etc/inittab",
					      "etc/systemd/system/", "usr/lib/systemd/system/", "lib/systemd/system/", "etc/supervisor", "etc/service/",
					      "etc/s6", "docker-entrypoint", "entrypoint", "etc/crontabs/", "etc/periodic/" };
	static const char *const endings[] = { ".sh", ".bash", ".py", ".pl", ".php", ".rb", "/.bashrc", "/.profile", "/.bash_profile", "/.zshrc" };

	/* Documentation shows what can be done; nothing runs it. */
	if (str_after(f->path, "usr/share/doc/") || str_after(f->path, "usr/share/man/"))
		return false;
	if (b->size > 2 && b->data[0] == '#' && b->data[1] == '!')
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (str_after(f->path, places[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (str_ends(f->path, endings[i]))
			return true;
	return false;
}

static void look_content(struct vet *v, struct reader *reader, const struct vet_file *f)
{
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	bool elf;
	int r;

	if (f->inode->type != 'f' || f->inode->size < 8)
		return;
	r = vet_read(v, f, PROGRAM_MAX, &b);
	if (r < 0) {
		vet_unreadable(v, f, r);
		return;
	}
	elf = b.size > 4 && memcmp(b.data, "\177ELF", 4) == 0;
	if (!elf && (b.size > SCRIPT_MAX || !is_script(f, &b)))
		return;
	memset(reader->seen, 0, seek_count(reader->l->seek) * sizeof(*reader->seen));
	if (seek_scan(reader->l->seek, b.data, b.size, reader->seen) == 0)
		return;
	if (elf)
		look_program(reader, f);
	else
		look_script(reader, f, (const char *)b.data, b.size);
}

struct contents {
	struct reader *readers;
	struct shown **shown; /* by file */
};

static void read_one(struct vet *mine, size_t i, unsigned worker, void *arg)
{
	struct contents *c = arg;

	c->readers[worker].end = &c->shown[i];
	look_content(mine, &c->readers[worker], mine->merged[i]);
}

/* The list for each file, to be taken by take_shown(). */
static struct shown **read_all(struct look *l)
{
	unsigned n = vet_workers(l->v);
	_cleanup_free_ struct reader *readers = xcalloc(n, sizeof(*readers));
	struct contents c = { readers, xcalloc(l->v->n_merged + 1, sizeof(struct shown *)) };

	for (unsigned k = 0; k < n; k++)
		readers[k] = (struct reader){ .l = l, .seen = xcalloc(seek_count(l->seek) + 1, sizeof(bool)) };
	vet_share(l->v, l->v->n_merged, read_one, &c);
	for (unsigned k = 0; k < n; k++)
		free(readers[k].seen);
	return c.shown;
}

static void take_shown(struct look *l, const struct vet_file *f, struct shown *s)
{
	while (s) {
		struct found *found = &l->found[s->capability];
		struct shown *next = s->next;

		add(l, s->capability, f, s->disguised, "%s", s->how);
		/* A library as its distribution brings it does nothing by itself, and others need it for its other half. */
		if (f && found->n && found->evidence[found->n - 1].file == f && rules.capabilities[s->capability].anyname &&
		    strstr(f->path, ".so") && vet_owner(l->v, f->path))
			found->evidence[found->n - 1].weak = true;
		free(s->how);
		free(s);
		s = next;
	}
}

/* --------------------------------------------------------------------------------------- packages, units, configuration */

static void look_packages(struct look *l)
{
	const json_t *package;
	size_t k;

	json_array_foreach(l->v->packages, k, package) {
		const char *name = json_string_value(json_object_get(package, "name"));

		for (size_t i = 0; name && i < rules.n_capabilities; i++)
			if (rules_word(rules.capabilities[i].packages, name))
				add(l, i, NULL, false, "the package %s", name);
	}
}

static void look_unit(struct look *l, const struct vet_file *f)
{
	const char *base = claims_base(f->path);

	if (!strstr(f->path, "systemd/system/"))
		return;
	for (size_t i = 0; i < rules.n_capabilities; i++) {
		if (!rules_word(rules.capabilities[i].units, base))
			continue;
		if (strstr(f->path, ".wants/") || strstr(f->path, ".requires/"))
			l->found[i].started = true;
		else
			add(l, i, f, false, "the unit %s", base);
	}
}

static void add_port(struct found *f, const char *port)
{
	if (!strv_has(f->ports, port) && strv_len(f->ports) < PORTS_MAX)
		strv_add_copy(&f->ports, port);
}

/* Lines "KEYWORD NUMBER". */
static void look_listen(struct look *l, size_t capability, const struct rule_listen *rule)
{
	const struct vet_file *f = vet_find(l->v, rule->path);
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };
	size_t len = strlen(rule->keyword);
	const char *p, *end;

	if (!f || f->inode->type != 'f' || vet_read(l->v, f, LISTEN_MAX, &b) < 0)
		return;
	for (p = (const char *)b.data, end = p + b.size; p && p < end; p = memchr(p, '\n', (size_t)(end - p)), p = p ? p + 1 : NULL) {
		size_t n;

		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if ((size_t)(end - p) <= len || memcmp(p, rule->keyword, len) != 0 || (p[len] != ' ' && p[len] != '\t' && p[len] != '='))
			continue;
		for (p += len; p < end && (*p == ' ' || *p == '\t' || *p == '='); p++)
			;
		for (n = 0; n < 5 && p + n < end && p[n] >= '0' && p[n] <= '9'; n++)
			;
		if (n) {
			_cleanup_free_ char *port = xstrndup(p, n);

			add_port(&l->found[capability], port);
		}
	}
}

/* What runs at start, from the configuration: one line of a script for each. */
static void look_config(struct look *l)
{
	static const char *const members[] = { "Entrypoint", "Cmd", "Shell", "OnBuild" };
	const json_t *config = json_object_get(l->v->config, "config"), *item;
	_cleanup_buf_ struct buf text = { 0 };
	struct shown *shown = NULL;
	struct reader reader = { .l = l, .end = &shown };
	size_t i;

	for (size_t m = 0; m < ARRAY_SIZE(members); m++) {
		json_array_foreach(json_object_get(config, members[m]), i, item)
			buf_printf(&text, "%s ", json_is_string(item) ? json_string_value(item) : "");
		if (m > 0)
			buf_puts(&text, "\n");
	}
	json_array_foreach(json_object_get(json_object_get(config, "Healthcheck"), "Test"), i, item)
		buf_printf(&text, "%s ", json_is_string(item) ? json_string_value(item) : "");
	if (!text.len)
		return;
	reader.seen = xcalloc(seek_count(l->seek) + 1, sizeof(bool));
	seek_scan(l->seek, text.data, text.len, reader.seen);
	look_script(&reader, NULL, text.data, text.len);
	take_shown(l, NULL, shown);
	free(reader.seen);
	for (i = 0; i < rules.n_capabilities; i++)
		strv_foreach(w, l->started)
			if (rules_word(rules.capabilities[i].names, claims_base(*w)))
				l->found[i].started = true;
}

/* ------------------------------------------------------------------------------------------------------------- verdict */

static json_t *evidence_json(const struct found *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++) {
		json_t *j = json_pack("{s:o}", "how", vet_json(f->evidence[i].how));

		if (f->evidence[i].file)
			json_object_set_new(j, "path", vet_json(f->evidence[i].file->path));
		if (f->evidence[i].disguised)
			json_object_set_new(j, "disguised", json_true());
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *more_of(const struct look *l, const struct capability *c, const struct found *f)
{
	json_t *j = json_pack("{s:s, s:o, s:o, s:b}", "capability", c->name, "evidence", evidence_json(f), "ports", json_from_strv(f->ports),
			      "started", f->started);

	if (l->claims.is)
		json_object_set_new(j, "claims", vet_json(l->claims.is));
	return j;
}

static void report(struct look *l, const struct capability *c, const struct found *f, const struct evidence *ev)
{
	_cleanup_free_ char *rule = xasprintf("V1-%s", c->name), *why = NULL;
	_cleanup_buf_ struct buf ports = { 0 }, text = { 0 };
	enum vet_level level = ev->disguised ? VET_CRITICAL : c->level;

	strv_foreach(p, f->ports)
		buf_printf(&ports, "%s%s", ports.len ? ", " : "", *p);
	why = ports.len ? xasprintf("%s; it would open port %s", c->why, ports.data) : xstrdup(c->why);
	buf_puts(&text, c->title);
	if (ev->disguised)
		buf_puts(&text, " under another name");
	if (l->claims.is)
		buf_printf(&text, " in what claims to be %s (by %s)", l->claims.is, claims_basis_name(l->claims.basis));
	else
		buf_puts(&text, ", and nothing says what the image is for");
	if (f->started)
		buf_puts(&text, "; the image starts it");
	buf_printf(&text, ": %s", ev->how);
	if (ev->weak && level < VET_LOW)
		level = VET_LOW;
	vet_add(l->v, "impostor", rule, level, ev->file, more_of(l, c, f), why, "%s", text.data);
}

/* A package or unit alone, without its program, is a trace. */
static bool only_traces(const struct found *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!str_after(f->evidence[i].how, "the package ") && !str_after(f->evidence[i].how, "the unit "))
			return false;
	return true;
}

/* What convinces a person most. */
static int weight(const struct evidence *ev)
{
	if (!ev->file)
		return str_after(ev->how, "what the image starts") ? 4 : 0;
	if (ev->weak)
		return 0;
	return str_after(ev->how, "a program that says") ? 3 : strstr(ev->file->path, "bin/") ? 2 : 1;
}

static void judge(struct look *l, size_t i)
{
	const struct capability *c = &rules.capabilities[i];
	const struct found *f = &l->found[i];
	bool covered = claims_cover(&l->claims, c), told = false;
	size_t best = 0;

	for (size_t k = 0; k < f->n; k++) {
		if (f->evidence[k].disguised) {
			report(l, c, f, &f->evidence[k]);
			told = true;
		}
		if (weight(&f->evidence[k]) > weight(&f->evidence[best]))
			best = k;
	}
	if (!told && !covered && !only_traces(f))
		report(l, c, f, &f->evidence[best]);
}

static void note_facts(struct look *l)
{
	json_t *claims = json_pack("{s:s, s:o, s:[]}", "basis", claims_basis_name(l->claims.basis), "is", vet_json(l->claims.is), "names");
	json_t *list = json_array();

	for (size_t i = 0; i < l->claims.n; i++)
		json_array_append_new(json_object_get(claims, "names"), json_string(l->claims.list[i]->name));
	for (size_t i = 0; i < rules.n_capabilities; i++) {
		const struct capability *c = &rules.capabilities[i];
		const struct found *f = &l->found[i];

		if (f->n)
			json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:o, s:o}", "name", c->name, "title", c->title, "covered",
							      claims_cover(&l->claims, c), "started", f->started, "ports",
							      json_from_strv(f->ports), "evidence", evidence_json(f)));
	}
	json_object_set_new(l->v->facts, "claims", claims);
	json_object_set_new(l->v->facts, "capabilities", list);
}

static int add_texts(struct seek *m, struct rule_line *lines, size_t n, struct error *e)
{
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < lines[k].n; j++) {
			struct rule_text *t = &lines[k].texts[j];

			t->id = seek_add(m, t->data, strlen(t->data));
			if (t->id < 0)
				return error_errno(e, t->id, "the rules have too many texts");
		}
	return 0;
}

static int make_seek(struct look *l, struct error *e)
{
	int r = 0;

	l->seek = seek_new();
	for (size_t i = 0; r == 0 && i < rules.n_capabilities; i++) {
		struct capability *c = &rules.capabilities[i];

		r = add_texts(l->seek, c->elf, c->n_elf, e);
		if (r == 0)
			r = add_texts(l->seek, c->script, c->n_script, e);
	}
	if (r == 0)
		seek_compile(l->seek);
	return r;
}

static void look_all(struct look *l)
{
	const struct vet *v = l->v;
	_cleanup_free_ struct shown **shown = read_all(l);

	for (size_t i = 0; i < v->n_merged; i++) {
		look_name(l, v->merged[i]);
		look_unit(l, v->merged[i]);
		take_shown(l, v->merged[i], shown[i]);
	}
	look_packages(l);
	look_config(l);
	for (size_t i = 0; i < rules.n_capabilities; i++) {
		const struct capability *c = &rules.capabilities[i];

		if (!l->found[i].n)
			continue;
		for (size_t k = 0; k < c->n_listen; k++)
			look_listen(l, i, &c->listen[k]);
		if (!l->found[i].ports)
			strv_foreach(p, c->ports)
				add_port(&l->found[i], *p);
		judge(l, i);
	}
}

static int run(struct vet *v, struct error *e)
{
	struct look l = { .v = v, .found = xcalloc(rules.n_capabilities + 1, sizeof(struct found)), .started = claims_started(v) };
	int r = make_seek(&l, e);

	claims_derive(v, &rules, &l.claims);
	if (r == 0) {
		look_all(&l);
		note_facts(&l);
	}
	for (size_t i = 0; i < rules.n_capabilities; i++) {
		for (size_t k = 0; k < l.found[i].n; k++)
			free(l.found[i].evidence[k].how);
		strv_free(l.found[i].ports);
	}
	free(l.found);
	seek_free(&l.seek);
	strv_free(l.started);
	claims_free(&l.claims);
	return r;
}

const struct vet_check vet_check_impostor = { .name = "impostor", .prepare = prepare, .run = run };
