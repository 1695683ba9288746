/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

enum { BLOCK = 512 };

/* IEEE Std 1003.1 pax, "ustar Interchange Format". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag, linkname[100];
	char magic[8]; /* "ustar\0" "00", or GNU's "ustar  \0" */
	char uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

enum flavour { V7, USTAR, GNU };

/* What the pax records of one entry say. */
struct pax {
	const char *path, *linkpath;
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size, uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
};

void tar_open(struct tar *t)
{
	t->buffer = xmalloc(TAR_BUFFER);
}

void tar_close(struct tar *t)
{
	free(t->buffer);
	t->buffer = NULL;
	buf_free(&t->pax);
	buf_free(&t->long_name);
	buf_free(&t->long_link);
}

__attribute__((format(printf, 3, 4))) static int bad(const struct tar *t, struct error *e, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(e, EBADMSG, "tar archive, header at byte %llu: %s", (unsigned long long)t->offset, text);
}

/* At least one byte into the buffer: 1, 0 at the end of the stream, <0. */
static int fill(struct tar *t, struct error *e)
{
	ssize_t n;

	if (t->at < t->filled)
		return 1;
	n = t->read(t->arg, t->buffer, TAR_BUFFER, e);
	if (n <= 0)
		return (int)n;
	t->at = 0;
	t->filled = (size_t)n;
	return 1;
}

static void consume(struct tar *t, size_t n)
{
	t->at += n;
	t->consumed += n;
}

/* A whole block: 1, 0 when the stream ends before its first byte, <0. */
static int read_block(struct tar *t, void *block, struct error *e)
{
	size_t got = 0;

	while (got < BLOCK) {
		int r = fill(t, e);
		size_t n;

		if (r < 0)
			return r;
		if (r == 0)
			return got == 0 ? 0 : bad(t, e, "the archive ends in the middle of a block");
		n = t->filled - t->at < BLOCK - got ? t->filled - t->at : BLOCK - got;
		memcpy((char *)block + got, t->buffer + t->at, n);
		consume(t, n);
		got += n;
	}
	return 1;
}

ssize_t tar_data(struct tar *t, const void **p, struct error *e)
{
	size_t n;
	int r;

	if (t->left == 0)
		return 0;
	r = fill(t, e);
	if (r < 0)
		return r;
	if (r == 0)
		return bad(t, e, "the archive ends in the middle of this entry");
	n = t->filled - t->at < t->left ? t->filled - t->at : (size_t)t->left;
	*p = t->buffer + t->at;
	consume(t, n);
	t->left -= n;
	return (ssize_t)n;
}

static int skip_rest(struct tar *t, struct error *e)
{
	const void *p;
	ssize_t n;

	while ((n = tar_data(t, &p, e)) > 0)
		;
	t->left = t->padding;
	t->padding = 0;
	while (n == 0 && t->left > 0)
		n = tar_data(t, &p, e) < 0 ? -EBADMSG : 0;
	return (int)n;
}

static bool all_zero(const void *data, size_t n)
{
	const char *p = data;

	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * Octal digits with leading spaces, ended by space or NUL, and nothing but those behind; or GNU's base-256: the first
 * byte 0x80 (0xff for negative numbers, which only `mtime` may be), then big-endian.
 */
static bool number(const char *field, size_t n, bool may_be_negative, int64_t *out)
{
	const unsigned char *p = (const unsigned char *)field, *end = p + n;
	uint64_t v = 0;

	if (*p == 0x80 || *p == 0xff) {
		bool minus = *p == 0xff;

		if (minus && !may_be_negative)
			return false;
		v = minus ? UINT64_MAX : 0;
		for (p++; p < end; p++) {
			/* What is shifted out must be sign only, and the sign must survive. */
			if ((v >> 55) != (minus ? 0x1ff : 0))
				return false;
			v = v << 8 | *p;
		}
		*out = (int64_t)v;
		return (*out < 0) == minus;
	}
	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '7'; p++)
		v = v << 3 | (uint64_t)(*p - '0'); /* 12 octal digits at most: 36 bits */
	for (; p < end; p++)
		if (*p != ' ' && *p != 0)
			return false;
	*out = (int64_t)v;
	return true;
}

static bool checksum_fits(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	int64_t want;
	unsigned sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= offsetof(struct header, chksum) && i < offsetof(struct header, typeflag) ? ' ' : p[i];
	return number(h->chksum, sizeof(h->chksum), false, &want) && want == sum;
}

/* A text field: up to its first NUL, and only NULs behind that. */
static bool field(const char *from, size_t n, char *to)
{
	size_t len = strnlen(from, n);

	memcpy(to, from, len);
	to[len] = 0;
	return all_zero(from + len, n - len);
}

static int flavour_of(const struct tar *t, const struct header *h, enum flavour *out, struct error *e)
{
	if (memcmp(h->magic, "ustar\0" "00", 8) == 0) {
		*out = USTAR;
		/* star's xstar format keeps times where others read the end of the name's prefix */
		if (!all_zero(h->pad, sizeof(h->pad)))
			return bad(t, e, "bytes behind the last field (xstar and other dialects are not read)");
	} else if (memcmp(h->magic, "ustar  ", 8) == 0) {
		*out = GNU;
		if (!all_zero(h->prefix, sizeof(h->prefix)) || !all_zero(h->pad, sizeof(h->pad)))
			return bad(t, e, "a GNU header with times, offsets or sparse maps");
	} else {
		*out = V7;
		if (!all_zero(h->magic, BLOCK - offsetof(struct header, magic)))
			return bad(t, e, "no tar header that brig knows");
	}
	return 0;
}

/* The data of a meta entry, whole. */
static int read_meta(struct tar *t, uint64_t size, struct buf *out, struct error *e)
{
	const void *p;
	ssize_t n;

	if (size == 0 || size > TAR_PAX_MAX)
		return bad(t, e, "a pax header or long name of %llu bytes (1 to %d are read)",
			   (unsigned long long)size, TAR_PAX_MAX);
	out->len = 0;
	t->left = size;
	t->padding = -size % BLOCK;
	while ((n = tar_data(t, &p, e)) > 0)
		buf_add(out, p, (size_t)n);
	return n < 0 ? (int)n : skip_rest(t, e);
}

static int read_long(struct tar *t, uint64_t size, struct buf *out, struct error *e)
{
	int r;

	if (out->len)
		return bad(t, e, "two GNU long names for one entry");
	r = read_meta(t, size, out, e);
	if (r < 0)
		return r;
	if (out->data[out->len - 1] == 0)
		out->len--;
	if (out->len == 0 || memchr(out->data, 0, out->len))
		return bad(t, e, "a GNU long name that is empty or holds a NUL");
	return 0;
}

static bool decimal(const char *s, const char *end, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s == end)
		return false;
	for (; s < end; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (*s < '0' || *s > '9' || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

/* [-]SECONDS[.FRACTION], rounded down to nanoseconds. */
static bool pax_time(const char *s, const char *end, int64_t *sec, uint32_t *ns)
{
	bool minus = s < end && *s == '-';
	const char *dot = memchr(s, '.', (size_t)(end - s));
	uint64_t whole, part = 0;

	s += minus;
	if (!decimal(s, dot ? dot : end, INT64_MAX / 2, &whole))
		return false;
	if (dot) {
		unsigned digits = 0;

		for (s = dot + 1; s < end; s++) {
			if (*s < '0' || *s > '9')
				return false;
			if (digits < 9) {
				part = part * 10 + (uint64_t)(*s - '0');
				digits++;
			}
		}
		for (; digits < 9; digits++)
			part *= 10;
	}
	*sec = minus ? -(int64_t)whole : (int64_t)whole;
	if (minus && part) {
		*sec -= 1;
		part = 1000000000 - part;
	}
	*ns = (uint32_t)part;
	return true;
}

static bool starts(const char *key, const char *prefix)
{
	return str_after(key, prefix) != NULL;
}

static int pax_record(struct tar *t, struct pax *x, const char *key, char *value, char *end, bool global,
		      struct error *e)
{
	static const char *const harmless[] = {
		"atime", "ctime", "comment", "uname", "gname", "charset", "hdrcharset",
	};
	/* Each of these makes some reader see another file. */
	static const char *const refused[] = {
		"GNU.sparse.", "GNU.volume.", "GNU.dumpdir", "SCHILY.realsize", "SCHILY.filetype", "SCHILY.offset",
		"SCHILY.volhdr", "SCHILY.xhdr", "SCHILY.tarfiletype", "SUN.holesdata",
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (starts(key, refused[i]))
			return bad(t, e, "pax record %.40s (sparse files and volumes are not read)", key);
	if (global && !streq(key, "comment"))
		return bad(t, e, "a pax record \"%.40s\" for all entries", key);
	if (streq(key, "path") || streq(key, "linkpath")) {
		if (value == end || memchr(value, 0, (size_t)(end - value)))
			return bad(t, e, "pax record %s is empty or holds a NUL", key);
		*(key[0] == 'p' ? &x->path : &x->linkpath) = value;
	} else if (streq(key, "size")) {
		ok = x->has_size = decimal(value, end, INT64_MAX / 2, &x->size);
	} else if (streq(key, "uid")) {
		ok = x->has_uid = decimal(value, end, UINT32_MAX - 1, &x->uid);
	} else if (streq(key, "gid")) {
		ok = x->has_gid = decimal(value, end, UINT32_MAX - 1, &x->gid);
	} else if (streq(key, "mtime")) {
		ok = x->has_mtime = pax_time(value, end, &x->mtime, &x->mtime_ns);
	} else if (starts(key, "SCHILY.xattr.")) {
		struct tar_entry *entry = &t->entry;

		if (entry->n_xattrs == TAR_XATTRS_MAX)
			return bad(t, e, "more than %d extended attributes", TAR_XATTRS_MAX);
		entry->xattrs[entry->n_xattrs++] = (struct tar_xattr){
			key + strlen("SCHILY.xattr."), value, (size_t)(end - value),
		};
	} else {
		bool known = key[0] >= 'A' && key[0] <= 'Z'; /* POSIX leaves VENDOR.keyword to vendors */

		for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
			known |= streq(key, harmless[i]);
		if (!known)
			return bad(t, e, "unknown pax record \"%.40s\"", key);
	}
	return ok ? 0 : bad(t, e, "pax record %s is no number or out of range", key);
}

static bool key_seen(const char *data, const char *until, const char *key)
{
	/* Records before `until` have been cut into key\0value\n, each behind "LEN " with LEN still there. */
	while (data < until) {
		char *stop;
		unsigned long len = strtoul(data, &stop, 10);

		if (streq(stop + 1, key))
			return true;
		data += len;
	}
	return false;
}

/* "LEN KEY=VALUE\n" one after the other, LEN counting all of it. Cuts them in place. */
static int parse_pax(struct tar *t, struct pax *x, bool global, struct error *e)
{
	char *p = t->pax.data, *end = p + t->pax.len;
	unsigned records = 0;

	while (p < end) {
		char *digits = p, *key, *equals, *next;
		uint64_t len;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == end || *p != ' ' || !decimal(digits, p, TAR_PAX_MAX, &len) || *digits == '0' ||
		    len > (uint64_t)(end - digits) || digits + len <= p + 1)
			return bad(t, e, "a pax record of the wrong length");
		next = digits + len;
		key = p + 1;
		equals = memchr(key, '=', (size_t)(next - key));
		if (next[-1] != '\n' || !equals || equals == key || memchr(key, 0, (size_t)(equals - key)))
			return bad(t, e, "a pax record that is not KEY=VALUE");
		*equals = 0;
		next[-1] = 0;
		/* A repeated key: the last one counts for some readers, the first for others. */
		if (++records > 1000 || key_seen(t->pax.data, digits, key))
			return bad(t, e, "pax record %.40s comes twice, or there are too many", key);
		int r = pax_record(t, x, key, equals + 1, next - 1, global, e);
		if (r < 0)
			return r;
		p = next;
	}
	return 0;
}

/* Would the field of `size` bytes have held the text as it is? Then a pax record had no business to differ. */
static bool fits_plainly(const char *s, size_t size)
{
	size_t n = strlen(s);

	if (n > size)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static int choose_text(struct tar *t, const char **out, const char *plain, const char *pax, const struct buf *gnu,
		       const char *what, struct error *e)
{
	if (pax && gnu->len)
		return bad(t, e, "both a pax record and a GNU long name for the %s", what);
	if (gnu->len) {
		size_t n = strlen(plain);

		if (n > gnu->len || memcmp(plain, gnu->data, n) != 0)
			return bad(t, e, "the header's %s is not the start of its GNU long name", what);
		*out = gnu->data;
	} else if (pax) {
		if (fits_plainly(pax, 100) && !streq(pax, plain))
			return bad(t, e, "a pax record gives another %s than the header", what);
		*out = pax;
	} else {
		*out = plain;
	}
	return **out ? 0 : bad(t, e, "no %s", what);
}

/* A pax number beside a header that could have held it must say the same. */
static int choose_number(struct tar *t, int64_t plain, bool has, uint64_t pax, int64_t field_max, const char *what,
			 uint64_t *out, struct error *e)
{
	if (has && (pax <= (uint64_t)field_max || plain > field_max) && (int64_t)pax != plain)
		return bad(t, e, "a pax record gives another %s than the header", what);
	*out = has ? pax : (uint64_t)plain;
	return 0;
}

static int entry_type(struct tar *t, const struct header *h, struct error *e)
{
	switch (h->typeflag) {
	case 0:
	case '0':
		return 'f';
	case '1':
		return 'h';
	case '2':
		return 'l';
	case '3':
	case '4':
		return 'c';
	case '5':
		return 'd';
	case '6':
		return 'p';
	default:
		return bad(t, e, "an entry of type 0x%02x (sparse files, volumes and dialects are not read)",
			   (unsigned char)h->typeflag);
	}
}

static int read_names(struct tar *t, const struct header *h, enum flavour flavour, const struct pax *x,
		      struct error *e)
{
	struct tar_entry *entry = &t->entry;
	char name[101], prefix[156];
	int r;

	if (!field(h->name, sizeof(h->name), name) || !field(h->linkname, sizeof(h->linkname), t->link))
		return bad(t, e, "bytes behind the end of a name");
	if (flavour == USTAR && !field(h->prefix, sizeof(h->prefix), prefix))
		return bad(t, e, "bytes behind the end of a name");
	snprintf(t->name, sizeof(t->name), "%s%s%s", flavour == USTAR ? prefix : "",
		 flavour == USTAR && prefix[0] ? "/" : "", name);
	r = choose_text(t, &entry->path, t->name, x->path, &t->long_name, "name", e);
	if (r < 0)
		return r;
	entry->link = NULL;
	if (entry->type == 'l' || entry->type == 'h')
		return choose_text(t, &entry->link, t->link, x->linkpath, &t->long_link, "link target", e);
	if (x->linkpath || t->long_link.len || t->link[0])
		return bad(t, e, "a link target on something that is no link");
	/* "x/" as a regular file is a folder for some readers. */
	if (entry->type != 'd' && str_ends(entry->path, "/"))
		return bad(t, e, "a name that ends in / on something that is no folder");
	return 0;
}

static int read_numbers(struct tar *t, const struct header *h, const struct pax *x, struct error *e)
{
	enum { OCTAL_7 = 07777777 };
	static const int64_t octal_11 = 077777777777;
	struct tar_entry *entry = &t->entry;
	int64_t mode, uid, gid, size, mtime;
	uint64_t v = 0;
	int r;

	if (!number(h->mode, sizeof(h->mode), false, &mode) || mode > 0177777 ||
	    !number(h->uid, sizeof(h->uid), false, &uid) || !number(h->gid, sizeof(h->gid), false, &gid) ||
	    !number(h->size, sizeof(h->size), false, &size) || !number(h->mtime, sizeof(h->mtime), true, &mtime))
		return bad(t, e, "mode, owner, size or time is no number or out of range");
	if (uid >= UINT32_MAX || gid >= UINT32_MAX || size > INT64_MAX / 2)
		return bad(t, e, "owner or size is out of range");
	entry->mode = (uint16_t)(mode & 07777);
	entry->mtime = x->has_mtime ? x->mtime : mtime;
	entry->mtime_ns = x->mtime_ns;
	r = choose_number(t, uid, x->has_uid, x->uid, OCTAL_7, "owner", &v, e);
	entry->uid = (uint32_t)v;
	if (r == 0)
		r = choose_number(t, gid, x->has_gid, x->gid, OCTAL_7, "group", &v, e);
	entry->gid = (uint32_t)v;
	if (r == 0)
		r = choose_number(t, size, x->has_size, x->size, octal_11, "size", &entry->size, e);
	if (r == 0 && entry->size > 0 && entry->type != 'f')
		r = bad(t, e, "data on something that is no regular file");
	return r;
}

/* Behind the closing block only zeros may follow, as padding to a whole record. */
static int read_end(struct tar *t, struct error *e)
{
	t->ended = true;
	for (;;) {
		int r = fill(t, e);

		if (r <= 0)
			return r;
		if (!all_zero(t->buffer + t->at, t->filled - t->at))
			return bad(t, e, "data behind the end of the archive");
		consume(t, t->filled - t->at);
	}
}

/* One header and, for a meta entry, its data. 1: `h` is an entry; 0: end; 2: it was a meta entry. */
static int read_header(struct tar *t, struct header *h, enum flavour *flavour, struct pax *x, struct error *e)
{
	int64_t size;
	int r;

	t->offset = t->consumed;
	r = read_block(t, h, e);
	if (r < 0)
		return r;
	if (r == 0) {
		t->ended = true;
		return t->need_end ? bad(t, e, "the archive ends without its closing blocks") : 0;
	}
	if (all_zero(h, BLOCK))
		return read_end(t, e);
	if (!checksum_fits(h))
		return bad(t, e, "wrong checksum, or no tar archive");
	r = flavour_of(t, h, flavour, e);
	if (r < 0)
		return r;
	if (!strchr("xgLK", h->typeflag) || h->typeflag == 0)
		return 1;
	if (!number(h->size, sizeof(h->size), false, &size))
		return bad(t, e, "size is no number or out of range");
	if (h->typeflag == 'L' || h->typeflag == 'K') {
		r = read_long(t, (uint64_t)size, h->typeflag == 'L' ? &t->long_name : &t->long_link, e);
		return r < 0 ? r : 2;
	}
	if (t->pax.len)
		return bad(t, e, "two pax headers for one entry");
	r = read_meta(t, (uint64_t)size, &t->pax, e);
	if (r == 0)
		r = parse_pax(t, x, h->typeflag == 'g', e);
	if (h->typeflag == 'g')
		t->pax.len = 0;
	return r < 0 ? r : 2;
}

int tar_next(struct tar *t, const struct tar_entry **out, struct error *e)
{
	enum flavour flavour = V7;
	struct header h;
	struct pax x = { 0 };
	int r;

	if (t->ended)
		return 0;
	r = skip_rest(t, e);
	if (r < 0)
		return r;
	t->pax.len = t->long_name.len = t->long_link.len = 0;
	t->entry.n_xattrs = 0;
	do
		r = read_header(t, &h, &flavour, &x, e);
	while (r == 2);
	if (r == 0 && (t->pax.len || t->long_name.len || t->long_link.len))
		return bad(t, e, "a pax header or long name without an entry");
	if (r <= 0)
		return r;
	r = entry_type(t, &h, e);
	if (r < 0)
		return r;
	t->entry.type = (char)r;
	r = read_names(t, &h, flavour, &x, e);
	if (r == 0)
		r = read_numbers(t, &h, &x, e);
	if (r < 0)
		return r;
	t->left = t->entry.size;
	t->padding = -t->entry.size % BLOCK;
	*out = &t->entry;
	return 1;
}
