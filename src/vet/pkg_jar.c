/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Java archives: META-INF/maven/GROUP/ARTIFACT/pom.properties says what a jar is made of (a shaded one has several), else
 * META-INF/MANIFEST.MF, else its name. Archives inside (Spring Boot, war, ear) are read as well. Zip by APPNOTE.TXT: the central
 * directory alone says what is there, as the Java virtual machine does it.
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <ctype.h>
#include <string.h>
#include <zlib.h>

enum { DEPTH_MAX = 3, MEMBERS_MAX = 200000, TEXT_MAX = 1 << 20, INNER_MAX = 256 << 20, TOTAL_MAX = 1 << 30 };
enum { END_SIZE = 22, CENTRAL_SIZE = 46, LOCAL_SIZE = 30, STORED = 0, DEFLATED = 8 };

struct member {
	const char *name;
	size_t name_len;
	unsigned method;
	uint64_t packed, size, local;
};

struct zip {
	const unsigned char *data;
	size_t n;
	size_t at, end; /* of the central directory that is not read yet */
	size_t shift;	/* bytes before the archive, such as a script that starts it */
};

static uint32_t le16(const unsigned char *p)
{
	return (uint32_t)p[1] << 8 | p[0];
}

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | le16(p);
}

static uint64_t le64(const unsigned char *p)
{
	return (uint64_t)le32(p + 4) << 32 | le32(p);
}

static bool zip_open(struct zip *z, const unsigned char *data, size_t n)
{
	size_t least = n > 65535 + END_SIZE ? n - 65535 - END_SIZE : 0;

	if (n < END_SIZE)
		return false;
	for (size_t at = n - END_SIZE + 1; at-- > least;) {
		uint64_t size, offset;

		/* With its comment it reaches to the end: an archive inside has such a record as well. */
		if (memcmp(data + at, "PK\5\6", 4) != 0 || le16(data + at + 20) != n - at - END_SIZE)
			continue;
		size = le32(data + at + 12);
		offset = le32(data + at + 16);
		/* Zip64: a second record right before its locator. */
		if (at >= 20 + 56 && memcmp(data + at - 20, "PK\6\7", 4) == 0 && memcmp(data + at - 76, "PK\6\6", 4) == 0) {
			size = le64(data + at - 76 + 40);
			offset = le64(data + at - 76 + 48);
			at -= 76;
		}
		if (size > at || offset > at - size)
			return false;
		*z = (struct zip){ data, n, at - size, at, at - size - offset };
		return true;
	}
	return false;
}

/* 1: a member; 0: the end; -1: damaged. */
static int zip_next(struct zip *z, struct member *m)
{
	const unsigned char *e = z->data + z->at;
	size_t name, extra, comment;

	if (z->at == z->end)
		return 0;
	if (z->end - z->at < CENTRAL_SIZE || memcmp(e, "PK\1\2", 4) != 0)
		return -1;
	name = le16(e + 28);
	extra = le16(e + 30);
	comment = le16(e + 32);
	if (z->end - z->at - CENTRAL_SIZE < name + extra + comment)
		return -1;
	*m = (struct member){ (const char *)e + CENTRAL_SIZE, name, le16(e + 10), le32(e + 20), le32(e + 24), le32(e + 42) };
	/* What is beyond 32 bits stands in the extra field 1, in this order. */
	for (const unsigned char *x = e + CENTRAL_SIZE + name, *end = x + extra; end - x >= 4;) {
		size_t len = le16(x + 2), used = 0;
		uint64_t *wide[] = { &m->size, &m->packed, &m->local };

		if ((size_t)(end - x) - 4 < len)
			break;
		for (size_t i = 0; le16(x) == 1 && i < 3; i++)
			if (*wide[i] == UINT32_MAX && len - used >= 8) {
				*wide[i] = le64(x + 4 + used);
				used += 8;
			}
		x += 4 + len;
	}
	z->at += CENTRAL_SIZE + name + extra + comment;
	return 1;
}

/* The bytes of a member, at most `max`: borrowed from the archive when stored, else in `space`. */
static bool zip_read(const struct zip *z, const struct member *m, size_t max, struct buf *space, const unsigned char **data, size_t *n)
{
	const unsigned char *local;
	z_stream s = { 0 };
	uint64_t at = m->local + z->shift, begin;
	int r;

	if (m->local > z->n || at > z->n || z->n - at < LOCAL_SIZE || m->size > max || m->packed > z->n)
		return false;
	local = z->data + at;
	begin = at + LOCAL_SIZE + le16(local + 26) + le16(local + 28);
	if (memcmp(local, "PK\3\4", 4) != 0 || begin > z->n || z->n - begin < m->packed)
		return false;
	if (m->method == STORED) {
		*data = z->data + begin;
		*n = (size_t)m->packed;
		return m->packed <= max;
	}
	if (m->method != DEFLATED || inflateInit2(&s, -MAX_WBITS) != Z_OK)
		return false;
	free(space->data);
	*space = (struct buf){ .data = xmalloc((size_t)m->size + 1), .len = (size_t)m->size, .cap = (size_t)m->size + 1 };
	s.next_in = (unsigned char *)(uintptr_t)(z->data + begin);
	s.avail_in = (uInt)m->packed;
	s.next_out = (unsigned char *)space->data;
	s.avail_out = (uInt)m->size;
	r = inflate(&s, Z_FINISH);
	inflateEnd(&s);
	*data = (unsigned char *)space->data;
	*n = (size_t)m->size;
	return r == Z_STREAM_END && s.avail_out == 0;
}

/* ---- what a member says ---- */

/* The value after "key=" or "key: " at the beginning of a line; NULL: none. */
static char *line_value(struct pkgs *p, const unsigned char *data, size_t n, const char *key)
{
	const char *s = (const char *)data, *end = s + n;
	size_t k = strlen(key);

	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end;

		if ((size_t)(stop - s) > k && memcmp(s, key, k) == 0) {
			s += k;
			while (s < stop && *s == ' ')
				s++;
			while (stop > s && isspace((unsigned char)stop[-1]))
				stop--;
			return stop > s ? pkgs_strdup(p, s, (size_t)(stop - s)) : NULL;
		}
		s = stop + 1;
	}
	return NULL;
}

struct jar {
	struct pkgs *p;
	const char *path;
	size_t *budget; /* bytes that may still be inflated, archives inside and all */
	size_t found;	/* packages that pom.properties told */
	const char *title, *version, *vendor; /* from the manifest */
};

static void take_pom(struct jar *j, const unsigned char *data, size_t n)
{
	const char *group = line_value(j->p, data, n, "groupId="), *artifact = line_value(j->p, data, n, "artifactId=");
	const char *version = line_value(j->p, data, n, "version=");
	_cleanup_free_ char *name = NULL;
	struct pkg *pkg;

	if (!artifact || !*artifact || !version) {
		pkgs_fault(j->p, j->path, "a pom.properties without artifact or version");
		return;
	}
	pkg = pkgs_add(j->p, PKG_MAVEN, j->path);
	if (!pkg)
		return;
	name = group ? xasprintf("%s:%s", group, artifact) : xstrdup(artifact);
	pkg->name = pkgs_strdup(j->p, name, strlen(name));
	pkg->version = version;
	j->found++;
}

static void take_manifest(struct jar *j, const unsigned char *data, size_t n)
{
	static const char *const titles[] = { "Bundle-SymbolicName:", "Implementation-Title:", "Specification-Title:" };
	static const char *const versions[] = { "Implementation-Version:", "Bundle-Version:", "Specification-Version:" };

	for (size_t i = 0; i < ARRAY_SIZE(titles) && !j->title; i++)
		j->title = line_value(j->p, data, n, titles[i]);
	for (size_t i = 0; i < ARRAY_SIZE(versions) && !j->version; i++)
		j->version = line_value(j->p, data, n, versions[i]);
	j->vendor = line_value(j->p, data, n, "Implementation-Vendor:");
}

/* "commons-io-2.11.0.jar": the name ends before the first dash that a digit follows. */
static void take_name(struct jar *j)
{
	const char *name = strrchr(j->path, '/') ? strrchr(j->path, '/') + 1 : j->path, *dot = strrchr(name, '.'), *dash = NULL;
	struct pkg *pkg;

	if (!dot)
		dot = name + strlen(name);
	for (const char *s = name; s < dot && !dash; s++)
		if (s[0] == '-' && isdigit((unsigned char)s[1]))
			dash = s;
	if (dash == name || dot == name || !*name || (!dash && !j->version))
		return;
	pkg = pkgs_add(j->p, PKG_MAVEN, j->path);
	if (!pkg)
		return;
	pkg->name = pkgs_strdup(j->p, name, (size_t)((dash ? dash : dot) - name));
	pkg->version = dash ? pkgs_strdup(j->p, dash + 1, (size_t)(dot - dash - 1)) : j->version;
	pkg->maintainer = j->vendor;
}

static bool name_ends(const struct member *m, const char *suffix)
{
	size_t n = strlen(suffix);

	return m->name_len > n && strncasecmp(m->name + m->name_len - n, suffix, n) == 0;
}

static void parse(struct pkgs *p, const char *path, const unsigned char *data, size_t n, int depth, size_t *budget);

static void take_member(struct jar *j, const struct zip *z, const struct member *m, int depth)
{
	static const char meta[] = "META-INF/";
	bool pom = name_ends(m, "/pom.properties") && memcmp(m->name, "META-INF/maven/", 15) == 0;
	bool manifest = m->name_len == 20 && memcmp(m->name, "META-INF/MANIFEST.MF", 20) == 0;
	bool inner = name_ends(m, ".jar") || name_ends(m, ".war");
	_cleanup_buf_ struct buf space = { 0 };
	const unsigned char *data;
	size_t len;

	if (m->name_len < sizeof(meta) || (!pom && !manifest && !inner))
		return;
	if (inner && depth == DEPTH_MAX) {
		pkgs_fault(j->p, j->path, "archives in archives beyond %d levels", DEPTH_MAX);
		return;
	}
	if (m->method != STORED && m->size > *j->budget) {
		pkgs_fault(j->p, j->path, "what is in the archive is beyond %d MB", TOTAL_MAX >> 20);
		return;
	}
	if (!zip_read(z, m, inner ? INNER_MAX : TEXT_MAX, &space, &data, &len)) {
		pkgs_fault(j->p, j->path, "a member of the archive cannot be read");
		return;
	}
	if (m->method != STORED)
		*j->budget -= len;
	if (pom) {
		take_pom(j, data, len);
	} else if (manifest) {
		take_manifest(j, data, len);
	} else {
		_cleanup_free_ char *below = xasprintf("%s!/%.*s", j->path, (int)m->name_len, m->name);

		parse(j->p, pkgs_strdup(j->p, below, strlen(below)), data, len, depth + 1, j->budget);
	}
}

static void parse(struct pkgs *p, const char *path, const unsigned char *data, size_t n, int depth, size_t *budget)
{
	struct jar j = { .p = p, .path = path, .budget = budget };
	struct member m;
	size_t members = 0;
	struct zip z;
	int r;

	if (!zip_open(&z, data, n)) {
		pkgs_fault(p, path, "the archive has no directory");
		return;
	}
	while ((r = zip_next(&z, &m)) > 0) {
		if (++members > MEMBERS_MAX) {
			pkgs_fault(p, path, "more than %d members", MEMBERS_MAX);
			break;
		}
		take_member(&j, &z, &m, depth);
	}
	if (r < 0)
		pkgs_fault(p, path, "the archive's directory is damaged");
	if (j.found == 0)
		take_name(&j);
}

void lang_parse_jar(struct pkgs *p, const char *path, const unsigned char *data, size_t n)
{
	size_t budget = TOTAL_MAX;

	parse(p, path, data, n, 0, &budget);
}
