/* SPDX-License-Identifier: Apache-2.0 */
/* What the installers of Python, Node and Ruby leave beside their packages. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <ctype.h>
#include <string.h>

/* Text up to the end of the line, without blanks around it. */
static const char *rest_of_line(const char *s, const char *end, size_t *n)
{
	const char *nl = memchr(s, '\n', (size_t)(end - s));

	if (!nl)
		nl = end;
	while (s < nl && isspace((unsigned char)*s))
		s++;
	while (nl > s && isspace((unsigned char)nl[-1]))
		nl--;
	*n = (size_t)(nl - s);
	return s;
}

/* ---- Python ---- */

/* METADATA of a dist-info or PKG-INFO of an egg-info folder (Core metadata specification): fields until the first empty line. */
void lang_parse_python(struct pkgs *p, const char *path, const char *data, size_t n)
{
	static const char *const keys[] = { "Name:", "Version:", "License:", "License-Expression:", "Author:" };
	struct pkg *pkg = pkgs_add(p, PKG_PYPI, path);
	const char *end = data + n;

	if (!pkg)
		return;
	while (data < end && *data != '\n' && *data != '\r') {
		const char *nl = memchr(data, '\n', (size_t)(end - data));
		size_t len, line = (size_t)((nl ? nl : end) - data);

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			size_t k = strlen(keys[i]);
			const char *s;

			if (line < k || strncasecmp(data, keys[i], k) != 0)
				continue;
			s = rest_of_line(data + k, data + line, &len);
			if (i == 0)
				pkg->name = pkgs_strdup(p, s, len);
			else if (i == 1)
				pkg->version = pkgs_strdup(p, s, len);
			else if (i == 4)
				pkg->maintainer = pkgs_strdup(p, s, len);
			else if (i == 3 || (len < 80 && !streq(pkg->license, "")))
				pkg->license = pkgs_strdup(p, s, len);
		}
		data = nl ? nl + 1 : end;
	}
	if (!pkg->name[0]) {
		pkgs_fault(p, path, "Python metadata without name");
		p->n--;
	} else if (!pkg->version[0]) {
		pkgs_fault(p, path, "Python package %s has no version", pkg->name);
	}
}

/* One field of a CSV line: quotes around it are taken off, doubled ones inside become one. Returns what follows the comma. */
static const char *csv_field(const char *s, const char *end, struct buf *out)
{
	out->len = 0;
	if (s < end && *s == '"') {
		for (s++; s < end; s++) {
			if (*s == '"' && !(s + 1 < end && s[1] == '"'))
				break;
			s += *s == '"';
			buf_add(out, s, 1);
		}
		s += s < end;
	} else {
		const char *comma = memchr(s, ',', (size_t)(end - s));

		buf_add(out, s, (size_t)((comma ? comma : end) - s));
		return comma ? comma + 1 : end;
	}
	return s < end && *s == ',' ? s + 1 : end;
}

/* "path,sha256=URL-safe base64,size" (PEP 376, Recording installed projects); paths from the folder, ".." allowed. */
static bool add_record(struct pkgs *p, struct pkg *pkg, const char *base, const struct buf *path, const struct buf *digest)
{
	_cleanup_free_ char *whole = path->data[0] == '/' ? xstrdup(path->data) :
							   xasprintf("%s/%s", base, path->data);
	_cleanup_strv_ char **parts = strv_split(whole, '/'), **kept = NULL;
	_cleanup_buf_ struct buf out = { 0 };
	struct pkg_file *f;
	size_t n = 0;

	kept = xcalloc(strv_len(parts) + 1, sizeof(*kept));
	strv_foreach(part, parts) {
		if (streq(*part, "") || streq(*part, "."))
			continue;
		if (streq(*part, "..")) {
			if (n == 0)
				return false;
			free(kept[--n]);
			kept[n] = NULL;
		} else {
			kept[n++] = xstrdup(*part);
		}
	}
	strv_foreach(part, kept)
		buf_printf(&out, "%s%s", out.len ? "/" : "", *part);
	if (out.len == 0)
		return false;
	f = pkg_add_file(p, pkg, out.data, out.len);
	/* Some builders write hexadecimal. */
	return digest->len == 0 || (digest->len > 7 && memcmp(digest->data, "sha256=", 7) == 0 &&
					   (pkg_file_hex(f, PKG_HASH_SHA256, digest->data + 7, digest->len - 7) ||
						   pkg_file_base64(f, PKG_HASH_SHA256, digest->data + 7, digest->len - 7))) ||
	       (digest->len > 7 && (memcmp(digest->data, "sha384=", 7) == 0 || memcmp(digest->data, "sha512=", 7) == 0 ||
					   memcmp(digest->data, "md5=", 4) == 0));
}

void lang_parse_record(struct pkgs *p, struct pkg *pkg, const char *path, const char *base, const char *data, size_t n)
{
	_cleanup_buf_ struct buf name = { 0 }, digest = { 0 };
	const char *end = data + n;
	size_t bad = 0;

	while (data < end) {
		size_t len;
		const char *line = rest_of_line(data, end, &len), *nl = memchr(data, '\n', (size_t)(end - data));

		if (len > 0) {
			const char *rest = csv_field(line, line + len, &name);

			csv_field(rest, line + len, &digest);
			buf_add(&name, "", 0);
			buf_add(&digest, "", 0);
			if (name.len == 0 || memchr(name.data, 0, name.len) || !add_record(p, pkg, base, &name, &digest))
				bad++;
		}
		data = nl ? nl + 1 : end;
	}
	if (bad)
		pkgs_fault(p, path, "%zu damaged lines", bad);
}

/* ---- Node ---- */

/* package.json(5). A folder without name or version is part of a package, not one. */
void lang_parse_node(struct pkgs *p, const char *path, const char *data, size_t n)
{
	_cleanup_json_ json_t *doc = json_parse(data, n, "package.json", &p->scratch);
	const char *name, *version, *license;
	const json_t *l;
	struct pkg *pkg;

	if (!json_is_object(doc)) {
		/* With two of a key Node takes the last: still a package, and a reason to tell. */
		pkgs_fault(p, path, "package.json is damaged");
		return;
	}
	name = json_string_value(json_object_get(doc, "name"));
	version = json_string_value(json_object_get(doc, "version"));
	if (!name || !*name || !version)
		return;
	pkg = pkgs_add(p, PKG_NPM, path);
	if (!pkg)
		return;
	pkg->name = pkgs_strdup(p, name, strlen(name));
	pkg->version = pkgs_strdup(p, version, strlen(version));
	l = json_object_get(doc, "license");
	license = json_string_value(json_is_object(l) ? json_object_get(l, "type") : l);
	if (license)
		pkg->license = pkgs_strdup(p, license, strlen(license));
}

/* ---- Ruby ---- */

/* The first string literal of a line that assigns to `what`: "s.name = "rake".freeze" or "Gem::Version.new("1.0")". */
static char *ruby_string(struct pkgs *p, const char *data, const char *end, const char *what)
{
	size_t n = strlen(what);

	while (data < end) {
		const char *nl = memchr(data, '\n', (size_t)(end - data)), *stop = nl ? nl : end, *s = data, *quote, *close;

		while (s < stop && isspace((unsigned char)*s))
			s++;
		/* The variable's name is the author's choice. */
		while (s < stop && (isalnum((unsigned char)*s) || *s == '_'))
			s++;
		if (stop - s > (ptrdiff_t)n && memcmp(s, what, n) == 0 && (isspace((unsigned char)s[n]) || s[n] == '=')) {
			for (quote = s + n; quote < stop && *quote != '"' && *quote != '\''; quote++)
				;
			close = quote < stop ? memchr(quote + 1, *quote, (size_t)(stop - quote - 1)) : NULL;
			if (close)
				return pkgs_strdup(p, quote + 1, (size_t)(close - quote - 1));
		}
		data = stop + 1;
	}
	return NULL;
}

/* "# stub: NAME VERSION PLATFORM ..." is what RubyGems itself reads; without it the assignments. */
void lang_parse_gemspec(struct pkgs *p, const char *path, const char *data, size_t n)
{
	const char *end = data + n, *stub = memmem(data, n, "# stub: ", 8), *name = NULL, *version = NULL;
	struct pkg *pkg;

	if (stub && (stub == data || stub[-1] == '\n')) {
		size_t len;
		const char *s = rest_of_line(stub + 8, end, &len);
		const char *blank = memchr(s, ' ', len);

		if (blank) {
			const char *v = blank + 1, *stop = memchr(v, ' ', (size_t)(s + len - v));

			name = pkgs_strdup(p, s, (size_t)(blank - s));
			version = pkgs_strdup(p, v, (size_t)((stop ? stop : s + len) - v));
		}
	}
	if (!name)
		name = ruby_string(p, data, end, ".name");
	if (!version)
		version = ruby_string(p, data, end, ".version");
	if (!name || !*name || !version || !*version) {
		pkgs_fault(p, path, "a gem without name or version");
		return;
	}
	pkg = pkgs_add(p, PKG_GEM, path);
	if (!pkg)
		return;
	pkg->name = name;
	pkg->version = version;
	pkg->license = ruby_string(p, data, end, ".licenses");
	if (!pkg->license)
		pkg->license = ruby_string(p, data, end, ".license");
}
