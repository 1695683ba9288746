/* SPDX-License-Identifier: Apache-2.0 */
/* Package URLs: "pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIER=VALUE" (github.com/package-url/purl-spec, PURL-SPECIFICATION.rst). */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <ctype.h>
#include <string.h>

/* Everything but letters, digits and . - _ ~ : (and, where a path is one, /) as %XX. */
static void encode(struct buf *b, const char *s, const char *also)
{
	for (; *s; s++)
		if (isalnum((unsigned char)*s) || strchr(".-_~:", *s) || strchr(also, *s))
			buf_add(b, s, 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)*s);
}

/* PEP 503: lower case, and one dash for any of "-_.". */
static void encode_python(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("-_.", *s)) {
			while (s[1] && strchr("-_.", s[1]))
				s++;
			buf_puts(b, "-");
		} else {
			char c[2] = { (char)tolower((unsigned char)*s) };

			encode(b, c, "");
		}
	}
}

static void put_name(struct buf *b, const struct pkg *pkg, const struct distro *d)
{
	const char *colon = strchr(pkg->name, ':'), *slash = strchr(pkg->name, '/');

	switch (pkg->type) {
	case PKG_DEB:
	case PKG_RPM:
	case PKG_APK:
		encode(b, d && d->id[0] ? d->id : pkg->type == PKG_DEB ? "debian" : pkg->type == PKG_APK ? "alpine" : "redhat", "");
		buf_puts(b, "/");
		encode(b, pkg->name, "");
		break;
	case PKG_PYPI:
		encode_python(b, pkg->name);
		break;
	case PKG_MAVEN:
		if (colon) {
			_cleanup_free_ char *group = xstrndup(pkg->name, (size_t)(colon - pkg->name));

			encode(b, group, "");
			buf_puts(b, "/");
			encode(b, colon + 1, "");
			break;
		}
		encode(b, pkg->name, "");
		break;
	case PKG_NPM:
	case PKG_GOLANG:
		encode(b, pkg->name, slash ? "/" : "");
		break;
	default:
		encode(b, pkg->name, "");
	}
}

char *pkg_purl(const struct pkg *pkg, const struct distro *d)
{
	const char *version = pkg->version, *colon = pkg->type == PKG_RPM ? strchr(version, ':') : NULL;
	struct buf b = { 0 };
	char sep = '?';

	buf_printf(&b, "pkg:%s/", pkg_type_names[pkg->type]);
	put_name(&b, pkg, d);
	/* An rpm's epoch is a qualifier. */
	if (colon)
		version = colon + 1;
	if (*version) {
		buf_puts(&b, "@");
		encode(&b, version, "");
	}
	if (pkg->type > PKG_APK)
		return buf_steal(&b);
	if (pkg->arch && *pkg->arch) {
		buf_printf(&b, "%carch=", sep);
		encode(&b, pkg->arch, "");
		sep = '&';
	}
	if (d && d->id[0]) {
		buf_printf(&b, "%cdistro=", sep);
		encode(&b, d->id, "");
		if (d->version[0]) {
			buf_puts(&b, "-");
			encode(&b, d->version, "");
		}
		sep = '&';
	}
	if (colon) {
		_cleanup_free_ char *epoch = xstrndup(pkg->version, (size_t)(colon - pkg->version));

		buf_printf(&b, "%cepoch=", sep);
		encode(&b, epoch, "");
		sep = '&';
	}
	if (pkg->source && !streq(pkg->source, pkg->name) && pkg->type != PKG_APK) {
		buf_printf(&b, "%cupstream=", sep);
		encode(&b, pkg->source, "");
		if (pkg->source_version && !streq(pkg->source_version, pkg->version)) {
			buf_puts(&b, "%40");
			encode(&b, pkg->source_version, "");
		}
	}
	return buf_steal(&b);
}

/* ---- back ---- */

static char *decode(struct pkgs *p, const char *s, size_t n)
{
	char *out = pkgs_alloc(p, n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned c = (unsigned char)s[i];

		if (c == '%' && n - i > 2 && isxdigit((unsigned char)s[i + 1]) && isxdigit((unsigned char)s[i + 2])) {
			char hex[3] = { s[i + 1], s[i + 2] };

			c = (unsigned)strtoul(hex, NULL, 16);
			i += 2;
		}
		if (c == 0)
			return NULL;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return out;
}

static void set_distro(struct distro *d, const char *text)
{
	const char *dash = strrchr(text, '-');

	*d = (struct distro){ 0 };
	snprintf(d->id, sizeof(d->id), "%.*s", dash ? (int)(dash - text) : (int)strlen(text), text);
	if (dash)
		snprintf(d->version, sizeof(d->version), "%s", dash + 1);
}

static void set_upstream(struct pkgs *p, struct pkg *pkg, char *value)
{
	char *at = strrchr(value, '@');

	if (at && at != value) {
		*at = '\0';
		pkg->source_version = pkgs_strdup(p, at + 1, strlen(at + 1));
	}
	pkg->source = value;
}

static int set_qualifiers(struct pkgs *p, struct pkg *pkg, struct distro *d, const char *s)
{
	while (*s && *s != '#') {
		size_t n = strcspn(s, "&#");
		const char *equals = memchr(s, '=', n);
		char *value;

		if (!equals || !(value = decode(p, equals + 1, n - (size_t)(equals + 1 - s))))
			return -EINVAL;
		if (str_after(s, "arch=")) {
			pkg->arch = value;
		} else if (str_after(s, "distro=") && d) {
			set_distro(d, value);
		} else if (str_after(s, "upstream=")) {
			set_upstream(p, pkg, value);
		} else if (str_after(s, "epoch=") && pkg->type == PKG_RPM) {
			_cleanup_free_ char *whole = xasprintf("%s:%s", value, pkg->version);

			pkg->version = pkgs_strdup(p, whole, strlen(whole));
		}
		s += n + (s[n] == '&');
	}
	return 0;
}

/* Namespace and name as the inventory has them. */
static int set_name(struct pkgs *p, struct pkg *pkg, struct distro *d, const char *s, size_t n)
{
	const char *slash = memrchr(s, '/', n);
	char *whole = decode(p, s, n);

	if (!whole || n == 0 || slash == s + n - 1)
		return -EINVAL;
	if (pkg->type <= PKG_APK && slash) {
		char *space = decode(p, s, (size_t)(slash - s));

		pkg->name = decode(p, slash + 1, n - (size_t)(slash + 1 - s));
		if (!pkg->name || !space)
			return -EINVAL;
		if (d)
			snprintf(d->id, sizeof(d->id), "%s", space);
		return 0;
	}
	if (pkg->type == PKG_MAVEN && strrchr(whole, '/'))
		*strrchr(whole, '/') = ':';
	pkg->name = whole;
	return 0;
}

int pkg_from_purl(struct pkgs *p, struct pkg *pkg, struct distro *d, const char *purl)
{
	const char *s = str_after(purl, "pkg:"), *slash, *end, *at;
	int type = -1, r;

	if (!s || strlen(purl) > 4096)
		return -EINVAL;
	while (*s == '/')
		s++;
	slash = strchr(s, '/');
	for (int i = 0; slash && i < PKG_TYPES; i++)
		if (strlen(pkg_type_names[i]) == (size_t)(slash - s) && strncasecmp(pkg_type_names[i], s, (size_t)(slash - s)) == 0)
			type = i;
	if (type < 0)
		return -EINVAL;
	pkg->type = (enum pkg_type)type;
	s = slash + 1;
	end = s + strcspn(s, "?#");
	/* The version begins at the last "@" that is not a scope's ("@scope/name" unencoded). */
	at = memrchr(s, '@', (size_t)(end - s));
	if (at == s || (at && memchr(at, '/', (size_t)(end - at))))
		at = NULL;
	r = set_name(p, pkg, d, s, (size_t)((at ? at : end) - s));
	if (r < 0)
		return r;
	if (at) {
		pkg->version = decode(p, at + 1, (size_t)(end - at - 1));
		if (!pkg->version)
			return -EINVAL;
	}
	return *end == '?' ? set_qualifiers(p, pkg, d, end + 1) : 0;
}
