/* SPDX-License-Identifier: Apache-2.0 */
/* A set of packages in one arena, digests from text, and the inventory's form of a package. */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <ctype.h>
#include <string.h>

const char *const pkg_type_names[PKG_TYPES] = { "deb", "rpm", "apk", "pypi", "npm", "gem", "maven", "golang", "cargo" };

enum { BLOCK = 256 * 1024 };

struct pkgs_block {
	struct pkgs_block *next;
	size_t used, size;
	max_align_t data[];
};

void pkgs_free(struct pkgs *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].files);
	for (size_t i = 0; i < p->n_faults; i++)
		free(p->faults[i].text);
	free(p->list);
	free(p->faults);
	while (p->blocks) {
		struct pkgs_block *next = p->blocks->next;

		free(p->blocks);
		p->blocks = next;
	}
	*p = (struct pkgs){ 0 };
}

void *pkgs_alloc(struct pkgs *p, size_t n)
{
	struct pkgs_block *b = p->blocks;
	size_t need = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

	if (!b || b->size - b->used < need) {
		size_t size = need > BLOCK ? need : BLOCK;

		b = xmalloc(sizeof(*b) + size);
		*b = (struct pkgs_block){ p->blocks, 0, size };
		p->blocks = b;
	}
	b->used += need;
	return (char *)b->data + b->used - need;
}

char *pkgs_strdup(struct pkgs *p, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = pkgs_alloc(p, len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

struct pkg *pkgs_add(struct pkgs *p, enum pkg_type type, const char *path)
{
	struct pkg *pkg;

	if (p->n >= PKGS_MAX) {
		if (p->n_faults < PKGS_FAULTS_MAX && !p->more_faults)
			pkgs_fault(p, path, "more than %d packages", PKGS_MAX);
		p->more_faults++;
		return NULL;
	}
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		p->list = xrealloc(p->list, p->cap, sizeof(*p->list));
	}
	pkg = &p->list[p->n++];
	*pkg = (struct pkg){ .type = type, .name = "", .version = "", .path = path, .layer = -1, .installed_kib = -1 };
	return pkg;
}

struct pkg_file *pkg_add_file(struct pkgs *p, struct pkg *pkg, const char *path, size_t n)
{
	struct pkg_file *f;

	while (n > 0 && *path == '/') {
		path++;
		n--;
	}
	while (n > 1 && path[0] == '.' && path[1] == '/') {
		path += 2;
		n -= 2;
	}
	while (n > 0 && path[n - 1] == '/')
		n--;
	if (pkg->n_files == pkg->cap_files) {
		pkg->cap_files = pkg->cap_files ? pkg->cap_files * 2 : 16;
		pkg->files = xrealloc(pkg->files, pkg->cap_files, sizeof(*pkg->files));
	}
	f = &pkg->files[pkg->n_files++];
	*f = (struct pkg_file){ .path = pkgs_strdup(p, path, n), .size = -1, .mtime = -1, .mode = -1, .uid = -1, .gid = -1 };
	return f;
}

void pkgs_fault_add(struct pkgs *p, const char *path)
{
	if (p->n_faults == PKGS_FAULTS_MAX) {
		p->more_faults++;
		return;
	}
	p->faults = xrealloc(p->faults, p->n_faults + 1, sizeof(*p->faults));
	p->faults[p->n_faults++] = (struct pkg_fault){ path, xstrdup(p->scratch.text) };
}

size_t pkg_hash_len(enum pkg_hash hash)
{
	static const uint8_t len[] = { 0, 16, 20, 32, 48, 64 };

	return len[hash];
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool pkg_file_hex(struct pkg_file *f, enum pkg_hash hash, const char *hex, size_t n)
{
	unsigned char digest[64];

	if (n == 0 || n != pkg_hash_len(hash) * 2)
		return false;
	for (size_t i = 0; i < n / 2; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest[i] = (unsigned char)(high << 4 | low);
	}
	f->hash = hash;
	f->digest_len = (uint8_t)(n / 2);
	memcpy(f->digest, digest, n / 2);
	return true;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

bool pkg_file_base64(struct pkg_file *f, enum pkg_hash hash, const char *text, size_t n)
{
	unsigned char digest[64];
	size_t len = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	while (n > 0 && text[n - 1] == '=')
		n--;
	if (n == 0 || n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = base64_digit(text[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (len == sizeof(digest))
				return false;
			digest[len++] = (unsigned char)(bits >> have);
		}
	}
	if (len > pkg_hash_len(hash) || len < 16)
		return false;
	f->hash = hash;
	f->digest_len = (uint8_t)len;
	memcpy(f->digest, digest, len);
	return true;
}

/* ---- os-release ---- */

static void distro_value(char out[static 64], const char *s, size_t n)
{
	size_t len = 0;

	if (n >= 2 && (*s == '"' || *s == '\'') && s[n - 1] == *s) {
		s++;
		n -= 2;
	}
	for (; n > 0 && len < 63; s++, n--)
		/* Identifiers: what else could be in them has no meaning to anybody who compares them. */
		if (isalnum((unsigned char)*s) || strchr("._-~+:", *s))
			out[len++] = *s;
	out[len] = '\0';
}

void distro_parse(struct distro *d, const char *data, size_t n)
{
	const char *end = data + n;

	*d = (struct distro){ 0 };
	while (data < end) {
		const char *nl = memchr(data, '\n', (size_t)(end - data)), *stop = nl ? nl : end;
		size_t len = (size_t)(stop - data);

		while (len > 0 && isspace((unsigned char)data[len - 1]))
			len--;
		if (len > 3 && memcmp(data, "ID=", 3) == 0)
			distro_value(d->id, data + 3, len - 3);
		else if (len > 11 && memcmp(data, "VERSION_ID=", 11) == 0)
			distro_value(d->version, data + 11, len - 11);
		else if (len > 17 && memcmp(data, "VERSION_CODENAME=", 17) == 0)
			distro_value(d->codename, data + 17, len - 17);
		data = stop + 1;
	}
}

/* ---- the inventory ---- */

/* JSON strings are UTF-8; records in other encodings are told as escapes. */
static json_t *text_json(const char *s)
{
	json_t *j = json_string(s);

	if (!j) {
		_cleanup_free_ char *safe = str_escape(s);

		j = json_string(safe);
	}
	return j;
}

static void set_text(json_t *o, const char *key, const char *s)
{
	if (s && *s)
		json_object_set_new(o, key, text_json(s));
}

json_t *pkg_json(const struct pkg *pkg, const struct distro *d)
{
	_cleanup_free_ char *purl = pkg_purl(pkg, d);
	json_t *o = json_object();

	set_text(o, "type", pkg_type_names[pkg->type]);
	json_object_set_new(o, "name", text_json(pkg->name));
	json_object_set_new(o, "version", text_json(pkg->version));
	set_text(o, "arch", pkg->arch);
	if (pkg->source) {
		json_t *source = json_object();

		set_text(source, "name", pkg->source);
		set_text(source, "version", pkg->source_version ? pkg->source_version : pkg->version);
		json_object_set_new(o, "source", source);
	}
	if (d && d->id[0] && pkg->type <= PKG_APK) {
		json_t *distro = json_object();

		set_text(distro, "id", d->id);
		set_text(distro, "version", d->version);
		set_text(distro, "codename", d->codename);
		json_object_set_new(o, "distro", distro);
	}
	set_text(o, "license", pkg->license);
	set_text(o, "maintainer", pkg->maintainer);
	set_text(o, "path", pkg->path);
	set_text(o, "owner", pkg->owner);
	if (pkg->layer >= 0)
		json_object_set_new(o, "layer", json_integer(pkg->layer));
	set_text(o, "purl", purl);
	return o;
}
