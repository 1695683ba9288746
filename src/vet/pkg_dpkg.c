/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's database. The status file is deb822(5) paragraphs with the fields of deb-status (dpkg-query(1), "Status"); list and md5sums
 * are a line for each file, the latter without leading slash and with paths relative to the root (deb-md5sums(5)).
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <ctype.h>
#include <string.h>

/* A piece of the file. */
struct span {
	const char *s;
	size_t n;
};

static struct span trim(struct span t)
{
	while (t.n > 0 && isspace((unsigned char)t.s[0])) {
		t.s++;
		t.n--;
	}
	while (t.n > 0 && isspace((unsigned char)t.s[t.n - 1]))
		t.n--;
	return t;
}

static bool is(struct span t, const char *word)
{
	return strlen(word) == t.n && strncasecmp(t.s, word, t.n) == 0;
}

/* Takes the next line off `rest`, without its newline; false at the end. */
static bool next_line(struct span *rest, struct span *line)
{
	const char *nl;

	if (rest->n == 0)
		return false;
	nl = memchr(rest->s, '\n', rest->n);
	*line = (struct span){ rest->s, nl ? (size_t)(nl - rest->s) : rest->n };
	rest->s += line->n + (nl != NULL);
	rest->n -= line->n + (nl != NULL);
	return true;
}

static struct span next_word(struct span *rest)
{
	struct span t = trim(*rest);
	size_t n = 0;

	while (n < t.n && !isspace((unsigned char)t.s[n]))
		n++;
	*rest = (struct span){ t.s + n, t.n - n };
	return (struct span){ t.s, n };
}

/* "name (version)" of the field Source. */
static void set_source(struct pkgs *p, struct pkg *pkg, struct span t)
{
	const char *open = memchr(t.s, '(', t.n);
	struct span name = trim((struct span){ t.s, open ? (size_t)(open - t.s) : t.n });

	pkg->source = pkgs_strdup(p, name.s, name.n);
	if (open) {
		struct span version = { open + 1, t.n - (size_t)(open + 1 - t.s) };
		const char *close = memchr(version.s, ')', version.n);

		if (close)
			version.n = (size_t)(close - version.s);
		version = trim(version);
		pkg->source_version = pkgs_strdup(p, version.s, version.n);
	}
}

/* "/etc/x 5f1d... obsolete"; "newconffile" stands for a digest while the package is being installed. */
static void add_conffile(struct pkgs *p, struct pkg *pkg, const char *path, struct span line)
{
	struct span words[3] = { 0 }, t = trim(line);
	struct pkg_file *f;
	size_t i;

	/* The name may hold blanks: the last words are taken off the end. */
	for (i = 0; i < 2; i++) {
		size_t n = t.n;

		while (n > 0 && !isspace((unsigned char)t.s[n - 1]))
			n--;
		if (n == 0)
			break;
		words[i] = (struct span){ t.s + n, t.n - n };
		t = trim((struct span){ t.s, n });
		if (!is(words[i], "obsolete") && !is(words[i], "remove-on-upgrade"))
			break;
	}
	if (t.n == 0 || t.s[0] != '/' || i == 2 || words[i].n == 0) {
		pkgs_fault(p, path, "package %s: damaged entry of Conffiles", pkg->name);
		return;
	}
	f = pkg_add_file(p, pkg, t.s, t.n);
	f->flags = PKG_FILE_CONF | (i == 1 ? PKG_FILE_OBSOLETE : 0);
	if (!is(words[i], "newconffile") && !pkg_file_hex(f, PKG_HASH_MD5, words[i].s, words[i].n))
		pkgs_fault(p, path, "package %s: damaged digest in Conffiles", pkg->name);
}

/* What a paragraph says beside the package itself. */
struct paragraph {
	bool removed, conffiles, bad;
};

static void set_field(struct pkgs *p, struct pkg *pkg, struct paragraph *para, struct span key, struct span value)
{
	para->conffiles = is(key, "Conffiles");
	if (is(key, "Package")) {
		pkg->name = pkgs_strdup(p, value.s, value.n);
	} else if (is(key, "Version")) {
		pkg->version = pkgs_strdup(p, value.s, value.n);
	} else if (is(key, "Architecture")) {
		pkg->arch = pkgs_strdup(p, value.s, value.n);
	} else if (is(key, "Source")) {
		set_source(p, pkg, value);
	} else if (is(key, "Maintainer")) {
		pkg->maintainer = pkgs_strdup(p, value.s, value.n);
	} else if (is(key, "Multi-Arch")) {
		pkg->foreign = is(value, "same");
	} else if (is(key, "Installed-Size")) {
		_cleanup_free_ char *text = xstrndup(value.s, value.n);

		if (parse_i64(text, 0, INT64_MAX / 1024, &pkg->installed_kib) < 0)
			pkgs_fault(p, pkg->path, "package %s: damaged Installed-Size", pkg->name);
	} else if (is(key, "Status")) {
		struct span rest = value, state;

		next_word(&rest);
		next_word(&rest);
		state = next_word(&rest);
		para->removed = is(state, "not-installed") || is(state, "config-files");
		if (state.n == 0)
			para->bad = true;
	}
}

static void end_paragraph(struct pkgs *p, struct paragraph *para)
{
	struct pkg *pkg = &p->list[p->n - 1];

	if (para->bad)
		pkgs_fault(p, pkg->path, "package %s: damaged Status", pkg->name);
	if (!pkg->name[0] && !para->removed)
		pkgs_fault(p, pkg->path, "a paragraph without package");
	else if (!pkg->version[0] && !para->removed)
		pkgs_fault(p, pkg->path, "package %s has no version", pkg->name);
	if (!pkg->name[0] || para->removed) {
		free(pkg->files);
		p->n--;
	} else if (!pkg->source) {
		pkg->source = pkg->name;
		pkg->source_version = pkg->version;
	} else if (!pkg->source_version) {
		pkg->source_version = pkg->version;
	}
}

void dpkg_parse_status(struct pkgs *p, const char *path, const char *data, size_t n)
{
	struct span rest = { data, n }, line;
	struct paragraph para = { 0 };
	struct pkg *pkg = NULL;

	while (next_line(&rest, &line)) {
		const char *colon;

		if (trim(line).n == 0) {
			if (pkg)
				end_paragraph(p, &para);
			pkg = NULL;
			continue;
		}
		if (!pkg) {
			pkg = pkgs_add(p, PKG_DEB, path);
			if (!pkg)
				return;
			para = (struct paragraph){ 0 };
		}
		if (line.s[0] == ' ' || line.s[0] == '\t') {
			if (para.conffiles)
				add_conffile(p, pkg, path, line);
			continue;
		}
		colon = memchr(line.s, ':', line.n);
		if (!colon || colon == line.s) {
			pkgs_fault(p, path, "a line that is no field");
			continue;
		}
		set_field(p, pkg, &para, (struct span){ line.s, (size_t)(colon - line.s) },
			trim((struct span){ colon + 1, line.n - (size_t)(colon + 1 - line.s) }));
	}
	if (pkg)
		end_paragraph(p, &para);
}

void dpkg_parse_list(struct pkgs *p, struct pkg *pkg, const char *path, const char *data, size_t n)
{
	struct span rest = { data, n }, line;

	while (next_line(&rest, &line)) {
		if (line.n == 0 || line.s[0] != '/') {
			pkgs_fault(p, path, "a line that is no path");
			continue;
		}
		/* "/." is the root. */
		if (line.n > 1 && !(line.n == 2 && line.s[1] == '.'))
			pkg_add_file(p, pkg, line.s, line.n);
	}
}

void dpkg_parse_md5sums(struct pkgs *p, struct pkg *pkg, const char *path, const char *data, size_t n)
{
	struct span rest = { data, n }, line;

	while (next_line(&rest, &line)) {
		struct pkg_file digest, *f;

		/* Two blanks, or a blank and an asterisk, as md5sum(1) writes them. */
		if (line.n < 35 || line.s[32] != ' ' || !pkg_file_hex(&digest, PKG_HASH_MD5, line.s, 32)) {
			pkgs_fault(p, path, "a line that is no digest and path");
			continue;
		}
		f = pkg_add_file(p, pkg, line.s + 34, line.n - 34);
		f->hash = digest.hash;
		f->digest_len = digest.digest_len;
		memcpy(f->digest, digest.digest, sizeof(f->digest));
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct pkg_file *)a)->path, ((const struct pkg_file *)b)->path);
}

void dpkg_join_files(struct pkg *pkg)
{
	size_t n = 0;

	if (pkg->n_files == 0)
		return;
	qsort(pkg->files, pkg->n_files, sizeof(*pkg->files), by_path);
	for (size_t i = 1; i < pkg->n_files; i++) {
		struct pkg_file *to = &pkg->files[n], *from = &pkg->files[i];

		if (strcmp(to->path, from->path) != 0) {
			pkg->files[++n] = *from;
			continue;
		}
		to->flags |= from->flags;
		if (!to->digest_len && from->digest_len) {
			to->hash = from->hash;
			to->digest_len = from->digest_len;
			memcpy(to->digest, from->digest, sizeof(to->digest));
		}
	}
	pkg->n_files = n + 1;
}

struct dpkg_diversion *dpkg_parse_diversions(struct pkgs *p, const char *path, const char *data, size_t n, size_t *count)
{
	struct span rest = { data, n }, from, to, by;
	struct dpkg_diversion *list = NULL;

	*count = 0;
	while (next_line(&rest, &from)) {
		if (!next_line(&rest, &to) || !next_line(&rest, &by) || from.n < 2 || to.n < 2 || by.n == 0 ||
			from.s[0] != '/' || to.s[0] != '/') {
			pkgs_fault(p, path, "diversions are cut or damaged");
			break;
		}
		list = xrealloc(list, *count + 1, sizeof(*list));
		list[(*count)++] = (struct dpkg_diversion){ pkgs_strdup(p, from.s + 1, from.n - 1),
			pkgs_strdup(p, to.s + 1, to.n - 1), pkgs_strdup(p, by.s, by.n) };
	}
	return list;
}

struct dpkg_override *dpkg_parse_overrides(struct pkgs *p, const char *path, const char *data, size_t n, size_t *count)
{
	struct span rest = { data, n }, line;
	struct dpkg_override *list = NULL;

	*count = 0;
	while (next_line(&rest, &line)) {
		struct span user = next_word(&line), group = next_word(&line), mode = next_word(&line), name = trim(line);
		uint32_t bits = 0;
		bool good = mode.n > 0 && mode.n <= 5;

		for (size_t i = 0; good && i < mode.n; i++) {
			good = mode.s[i] >= '0' && mode.s[i] <= '7';
			bits = bits << 3 | (uint32_t)(mode.s[i] - '0');
		}
		if (!good || name.n < 2 || name.s[0] != '/') {
			pkgs_fault(p, path, "a line that is no override");
			continue;
		}
		list = xrealloc(list, *count + 1, sizeof(*list));
		list[(*count)++] = (struct dpkg_override){ pkgs_strdup(p, name.s + 1, name.n - 1),
			pkgs_strdup(p, user.s, user.n), pkgs_strdup(p, group.s, group.n), bits & 07777 };
	}
	return list;
}
