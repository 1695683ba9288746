/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An rpm header as databases hold it (rpm manual, "RPM v4 package format", "Header"): the number of entries and of bytes of data, both
 * big endian, then entries of 16 bytes (tag, type, offset, count), then the data. The first entry is that of the immutable region: what
 * was in the package file. Its SHA-256 stands among the entries that the database added, so that an edited header tells on itself.
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

enum {
	TAG_IMMUTABLE = 63, TAG_SHA1HEADER = 269, TAG_SHA256HEADER = 273,
	TAG_NAME = 1000, TAG_VERSION = 1001, TAG_RELEASE = 1002, TAG_EPOCH = 1003, TAG_VENDOR = 1011, TAG_LICENSE = 1014,
	TAG_PACKAGER = 1015, TAG_ARCH = 1022, TAG_OLDFILENAMES = 1027, TAG_FILESIZES = 1028, TAG_FILESTATES = 1029,
	TAG_FILEMODES = 1030, TAG_FILEMTIMES = 1034, TAG_FILEDIGESTS = 1035, TAG_FILELINKTOS = 1036, TAG_FILEFLAGS = 1037,
	TAG_SOURCERPM = 1044, TAG_FILEVERIFYFLAGS = 1045, TAG_DIRINDEXES = 1116, TAG_BASENAMES = 1117, TAG_DIRNAMES = 1118,
	TAG_LONGFILESIZES = 5008, TAG_FILECAPS = 5010, TAG_FILEDIGESTALGO = 5011,
};
enum { TYPE_CHAR = 1, TYPE_INT8, TYPE_INT16, TYPE_INT32, TYPE_INT64, TYPE_STRING, TYPE_BIN, TYPE_STRINGS, TYPE_I18N };
enum { FILE_CONFIG = 1, FILE_DOC = 2, FILE_MISSINGOK = 8, FILE_GHOST = 64, FILE_LICENSE = 128, FILE_README = 256, FILE_ARTIFACT = 4096 };
enum { VERIFY_DIGEST = 1 }; /* bit of FILEVERIFYFLAGS */
enum { ENTRIES_MAX = 65536, FILES_MAX = 1000000 };

struct header {
	const unsigned char *index, *data;
	uint32_t n, size; /* entries, bytes of data */
};

/* The values of a tag. */
struct values {
	const unsigned char *at; /* NULL: the header has no such tag */
	uint32_t count, type;
	const char *end; /* of the data, for strings */
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool header_open(struct header *h, const unsigned char *data, size_t n)
{
	if (n < 8)
		return false;
	h->n = be32(data);
	h->size = be32(data + 4);
	if (h->n == 0 || h->n > ENTRIES_MAX || h->size > INT32_MAX || (n - 8) / 16 < h->n || n - 8 - 16 * (size_t)h->n < h->size)
		return false;
	h->index = data + 8;
	h->data = h->index + 16 * (size_t)h->n;
	return true;
}

/* The values of `tag`, when they are of one of the types and lie inside. A region's own values have an offset that counts from its end. */
static struct values find(const struct header *h, uint32_t tag, uint32_t type)
{
	static const uint8_t width[] = { 0, 1, 1, 2, 4, 8, 0, 1, 0, 0 };

	for (uint32_t i = 0; i < h->n; i++) {
		const unsigned char *e = h->index + 16 * (size_t)i;
		uint32_t t = be32(e + 4), at = be32(e + 8), count = be32(e + 12);

		if (be32(e) != tag)
			continue;
		if (t != type || at > h->size || count == 0 || (width[t] ? (h->size - at) / width[t] < count : h->size - at < count))
			break;
		return (struct values){ h->data + at, count, t, (const char *)h->data + h->size };
	}
	return (struct values){ 0 };
}

static const char *find_text(struct pkgs *p, const struct header *h, uint32_t tag)
{
	struct values v = find(h, tag, TYPE_STRING);

	if (!v.at)
		v = find(h, tag, TYPE_I18N);
	if (!v.at)
		return NULL;
	return pkgs_strdup(p, (const char *)v.at, (size_t)(v.end - (const char *)v.at));
}

/* Takes the next string off a list; NULL when the list is cut. */
static const char *next_text(struct values *v, size_t *n)
{
	const char *s = (const char *)v->at, *nul;

	if (!s || v->count == 0 || !(nul = memchr(s, '\0', (size_t)(v->end - s))))
		return NULL;
	*n = (size_t)(nul - s);
	v->at = (const unsigned char *)nul + 1;
	v->count--;
	return s;
}

static int64_t number(const struct values *v, uint32_t i)
{
	if (!v->at || i >= v->count)
		return -1;
	switch (v->type) {
	case TYPE_CHAR:
	case TYPE_INT8:
		return v->at[i];
	case TYPE_INT16:
		return v->at[2 * i] << 8 | v->at[2 * i + 1];
	case TYPE_INT32:
		return be32(v->at + 4 * (size_t)i);
	default:
		return (int64_t)((uint64_t)be32(v->at + 8 * (size_t)i) << 32 | be32(v->at + 8 * (size_t)i + 4));
	}
}

static enum pkg_hash digest_hash(int64_t algorithm)
{
	switch (algorithm) { /* RFC 4880, 9.4 */
	case -1:
	case 1:
		return PKG_HASH_MD5;
	case 2:
		return PKG_HASH_SHA1;
	case 8:
		return PKG_HASH_SHA256;
	case 9:
		return PKG_HASH_SHA384;
	case 10:
		return PKG_HASH_SHA512;
	default:
		return PKG_HASH_NONE;
	}
}

static uint8_t file_flags(int64_t flags, int64_t verify, int64_t state)
{
	uint8_t out = 0;

	if (flags > 0) {
		if (flags & FILE_CONFIG)
			out |= PKG_FILE_CONF;
		if (flags & (FILE_DOC | FILE_LICENSE | FILE_README))
			out |= PKG_FILE_DOC;
		if (flags & (FILE_GHOST | FILE_MISSINGOK))
			out |= PKG_FILE_GHOST;
	}
	/* "%verify(not md5)": its content is expected to change. */
	if (verify >= 0 && !(verify & VERIFY_DIGEST))
		out |= PKG_FILE_CONF;
	if (state > 0)
		out |= PKG_FILE_ABSENT;
	return out;
}

struct file_tags {
	struct values base, dirs, dir_of, old, sizes, states, modes, mtimes, digests, links, flags, verify, caps;
	enum pkg_hash hash;
};

/* The name of the next file: folder and name, or (before rpm 4) one path. */
static bool next_path(struct file_tags *t, uint32_t i, const struct values *dirs, struct buf *out)
{
	const char *s;
	size_t n;

	out->len = 0;
	if (t->base.at) {
		int64_t dir = number(&t->dir_of, i);

		if (dir < 0 || dir >= t->dirs.count)
			return false;
		s = (const char *)dirs[dir].at;
		if (!s)
			return false;
		buf_add(out, s, strlen(s));
		s = next_text(&t->base, &n);
	} else {
		s = next_text(&t->old, &n);
	}
	if (!s)
		return false;
	buf_add(out, s, n);
	return true;
}

static bool add_files(struct pkgs *p, struct pkg *pkg, struct file_tags *t)
{
	uint32_t n = t->base.at ? t->base.count : t->old.at ? t->old.count : 0;
	_cleanup_free_ struct values *dirs = xcalloc((size_t)t->dirs.count + 1, sizeof(*dirs));
	struct values rest = t->dirs;
	_cleanup_buf_ struct buf path = { 0 };
	size_t len;

	if (n > FILES_MAX)
		return false;
	for (uint32_t i = 0; i < t->dirs.count; i++)
		dirs[i].at = (const unsigned char *)next_text(&rest, &len);
	for (uint32_t i = 0; i < n; i++) {
		const char *digest, *link, *caps;
		struct pkg_file *f;

		if (!next_path(t, i, dirs, &path))
			return false;
		f = pkg_add_file(p, pkg, path.data ? path.data : "", path.len);
		f->size = number(&t->sizes, i);
		f->mtime = number(&t->mtimes, i);
		f->mode = (int32_t)number(&t->modes, i);
		f->flags = file_flags(number(&t->flags, i), number(&t->verify, i), number(&t->states, i));
		if (f->mode >= 0 && S_ISDIR(f->mode))
			f->flags |= PKG_FILE_DIR;
		if (t->links.at && (link = next_text(&t->links, &len)) && len > 0)
			f->target = pkgs_strdup(p, link, len);
		if (t->caps.at && (caps = next_text(&t->caps, &len)) && len > 0)
			f->caps = pkgs_strdup(p, caps, len);
		if (t->digests.at && (digest = next_text(&t->digests, &len)) && len > 0 &&
			!pkg_file_hex(f, t->hash, digest, len))
			pkgs_fault(p, pkg->path, "package %s: a digest of the wrong length", pkg->name);
	}
	return true;
}

/* 1: the immutable region has the digest that the database keeps for it; 0: it keeps none; -1: it has another one. */
static int sealed(const struct header *h)
{
	static const unsigned char magic[8] = { 0x8e, 0xad, 0xe8, 0x01 };
	struct values want = find(h, TAG_SHA256HEADER, TYPE_STRING);
	const EVP_MD *md = EVP_sha256();
	unsigned char digest[EVP_MAX_MD_SIZE], counts[8];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	uint32_t at, entries, size;
	unsigned len = 0;

	if (!want.at) {
		want = find(h, TAG_SHA1HEADER, TYPE_STRING);
		md = EVP_sha1();
	}
	if (!want.at)
		return 0;
	if (be32(h->index) != TAG_IMMUTABLE)
		return -1;
	at = be32(h->index + 8);
	if (at > h->size || h->size - at < 16)
		return -1;
	/* The trailer's offset is minus the length of the region's entries. */
	entries = (0U - be32(h->data + at + 8)) / 16;
	size = at + 16;
	if (entries == 0 || entries > h->n)
		return -1;
	for (int i = 0; i < 4; i++) {
		counts[i] = (unsigned char)(entries >> (24 - 8 * i));
		counts[4 + i] = (unsigned char)(size >> (24 - 8 * i));
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, magic, sizeof(magic)) &&
		    EVP_DigestUpdate(ctx, counts, sizeof(counts)) &&
		    EVP_DigestUpdate(ctx, h->index, 16 * (size_t)entries) && EVP_DigestUpdate(ctx, h->data, size) &&
		    EVP_DigestFinal_ex(ctx, digest, &len);

	EVP_MD_CTX_free(ctx);
	if (!good)
		return -1;
	hex_encode(digest, len, hex);
	return (size_t)(want.end - (const char *)want.at) > 2 * len && memcmp(want.at, hex, 2 * len + 1) == 0 ? 1 : -1;
}

/* "openssl-3.0.7-18.el9.src.rpm": the last two dashes part name, version and release. */
static void set_source(struct pkgs *p, struct pkg *pkg, const char *file, int64_t epoch)
{
	const char *end = file ? strstr(file, ".src.rpm") : NULL, *dash[2] = { 0 };
	int found = 0;

	if (file && !end)
		end = strstr(file, ".nosrc.rpm");
	if (!end)
		return;
	for (const char *s = end; s > file && found < 2; s--)
		if (s[-1] == '-')
			dash[found++] = s - 1;
	if (found < 2 || dash[1] == file)
		return;
	pkg->source = pkgs_strdup(p, file, (size_t)(dash[1] - file));
	_cleanup_free_ char *version = epoch > 0 ?
		xasprintf("%lld:%.*s", (long long)epoch, (int)(end - dash[1] - 1), dash[1] + 1) :
		xstrndup(dash[1] + 1, (size_t)(end - dash[1] - 1));

	pkg->source_version = pkgs_strdup(p, version, strlen(version));
}

static void set_package(struct pkgs *p, struct pkg *pkg, const struct header *h)
{
	const char *version = find_text(p, h, TAG_VERSION), *release = find_text(p, h, TAG_RELEASE);
	struct values v = find(h, TAG_EPOCH, TYPE_INT32);
	int64_t epoch = number(&v, 0);
	_cleanup_free_ char *whole = NULL;

	whole = epoch >= 0 ? xasprintf("%lld:%s%s%s", (long long)epoch, version ? version : "", release ? "-" : "",
				     release ? release : "") :
			     xasprintf("%s%s%s", version ? version : "", release ? "-" : "", release ? release : "");
	pkg->version = pkgs_strdup(p, whole, strlen(whole));
	pkg->arch = find_text(p, h, TAG_ARCH);
	pkg->license = find_text(p, h, TAG_LICENSE);
	pkg->maintainer = find_text(p, h, TAG_VENDOR);
	if (!pkg->maintainer)
		pkg->maintainer = find_text(p, h, TAG_PACKAGER);
	set_source(p, pkg, find_text(p, h, TAG_SOURCERPM), epoch);
	if (!version)
		pkgs_fault(p, pkg->path, "package %s has no version", pkg->name);
}

void rpm_parse_header(struct pkgs *p, const char *path, const unsigned char *data, size_t n)
{
	struct file_tags t;
	struct values algorithm;
	const char *name;
	struct header h;
	struct pkg *pkg;

	if (!header_open(&h, data, n)) {
		pkgs_fault(p, path, "a header is cut or damaged");
		return;
	}
	name = find_text(p, &h, TAG_NAME);
	if (!name || !name[0]) {
		pkgs_fault(p, path, "a header without name");
		return;
	}
	/* Keys that a person trusts are kept like packages. */
	if (streq(name, "gpg-pubkey"))
		return;
	pkg = pkgs_add(p, PKG_RPM, path);
	if (!pkg)
		return;
	pkg->name = name;
	set_package(p, pkg, &h);
	algorithm = find(&h, TAG_FILEDIGESTALGO, TYPE_INT32);
	t = (struct file_tags){
		.base = find(&h, TAG_BASENAMES, TYPE_STRINGS),
		.dirs = find(&h, TAG_DIRNAMES, TYPE_STRINGS),
		.dir_of = find(&h, TAG_DIRINDEXES, TYPE_INT32),
		.old = find(&h, TAG_OLDFILENAMES, TYPE_STRINGS),
		.sizes = find(&h, TAG_FILESIZES, TYPE_INT32),
		.states = find(&h, TAG_FILESTATES, TYPE_CHAR),
		.modes = find(&h, TAG_FILEMODES, TYPE_INT16),
		.mtimes = find(&h, TAG_FILEMTIMES, TYPE_INT32),
		.digests = find(&h, TAG_FILEDIGESTS, TYPE_STRINGS),
		.links = find(&h, TAG_FILELINKTOS, TYPE_STRINGS),
		.flags = find(&h, TAG_FILEFLAGS, TYPE_INT32),
		.verify = find(&h, TAG_FILEVERIFYFLAGS, TYPE_INT32),
		.caps = find(&h, TAG_FILECAPS, TYPE_STRINGS),
		.hash = digest_hash(number(&algorithm, 0)),
	};
	if (!t.sizes.at)
		t.sizes = find(&h, TAG_LONGFILESIZES, TYPE_INT64);
	if (!add_files(p, pkg, &t))
		pkgs_fault(p, path, "package %s: its list of files is damaged", pkg->name);
	pkg->sealed = (int8_t)sealed(&h);
}
