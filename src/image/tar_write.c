/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar_write.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 512 };

/* IEEE Std 1003.1 pax, "ustar Interchange Format". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag, linkname[100];
	char magic[8], uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

static const char zeros[2 * BLOCK];

static void octal(char *field, size_t n, uint64_t v)
{
	field[--n] = 0;
	while (n-- > 0) {
		field[n] = (char)('0' + (v & 7));
		v >>= 3;
	}
}

/* What fits into n-1 octal digits; a field that cannot hold the number says 0, and a pax record says it. */
static bool fits(uint64_t v, size_t n)
{
	return v >> (3 * (n - 1)) == 0;
}

static void put_number(char *field, size_t n, uint64_t v)
{
	octal(field, n, fits(v, n) ? v : 0);
}

static void put_text(char *field, size_t n, const char *s)
{
	size_t len = strnlen(s, n);

	memcpy(field, s, len);
}

static void checksum(struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += p[i];
	octal(h->chksum, 7, sum);
}

/* "LEN KEY=VALUE\n", where LEN counts its own digits too. */
static void record(struct buf *b, const char *prefix, const char *key, const void *value, size_t n)
{
	size_t body = strlen(prefix) + strlen(key) + n + 3, len = body + 1;
	char digits[24];

	while (body + (size_t)snprintf(digits, sizeof(digits), "%zu", len) != len)
		len = body + strlen(digits);
	buf_printf(b, "%zu %s%s=", len, prefix, key);
	buf_add(b, value, n);
	buf_puts(b, "\n");
}

static void record_text(struct buf *b, const char *key, const char *value)
{
	record(b, "", key, value, strlen(value));
}

static void record_number(struct buf *b, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	record_text(b, key, text);
}

static void record_time(struct buf *b, int64_t sec, uint32_t ns)
{
	char text[48];

	/* Below zero the fraction counts away from zero as well. */
	if (sec < 0 && ns) {
		sec++;
		ns = 1000000000 - ns;
		snprintf(text, sizeof(text), "-%lld.%09u", (long long)-sec, ns);
	} else {
		snprintf(text, sizeof(text), ns ? "%lld.%09u" : "%lld", (long long)sec, ns);
	}
	record_text(b, "mtime", text);
}

static void pax_records(const struct tar_entry *entry, struct buf *b)
{
	struct header h;

	if (strlen(entry->path) > sizeof(h.name))
		record_text(b, "path", entry->path);
	if (entry->link && strlen(entry->link) > sizeof(h.linkname))
		record_text(b, "linkpath", entry->link);
	if (!fits(entry->size, sizeof(h.size)))
		record_number(b, "size", entry->size);
	if (!fits(entry->uid, sizeof(h.uid)))
		record_number(b, "uid", entry->uid);
	if (!fits(entry->gid, sizeof(h.gid)))
		record_number(b, "gid", entry->gid);
	if (entry->mtime_ns || entry->mtime < 0 || !fits((uint64_t)entry->mtime, sizeof(h.mtime)))
		record_time(b, entry->mtime, entry->mtime_ns);
	for (size_t i = 0; i < entry->n_xattrs; i++)
		record(b, "SCHILY.xattr.", entry->xattrs[i].name, entry->xattrs[i].value, entry->xattrs[i].len);
}

static struct header header(const struct tar_entry *entry, char flag)
{
	struct header h = { .typeflag = flag };

	put_text(h.name, sizeof(h.name), entry->path);
	put_number(h.mode, sizeof(h.mode), entry->mode);
	put_number(h.uid, sizeof(h.uid), entry->uid);
	put_number(h.gid, sizeof(h.gid), entry->gid);
	put_number(h.size, sizeof(h.size), entry->size);
	put_number(h.mtime, sizeof(h.mtime), entry->mtime < 0 ? 0 : (uint64_t)entry->mtime);
	if (entry->link)
		put_text(h.linkname, sizeof(h.linkname), entry->link);
	memcpy(h.magic, "ustar\0" "00", sizeof(h.magic));
	octal(h.devmajor, sizeof(h.devmajor), 0);
	octal(h.devminor, sizeof(h.devminor), 0);
	checksum(&h);
	return h;
}

static int put_padded(struct tar_writer *w, const void *data, size_t n, struct error *e)
{
	int r = w->write(w->arg, data, n, e);

	return r == 0 && n % BLOCK ? w->write(w->arg, zeros, BLOCK - n % BLOCK, e) : r;
}

static char type_flag(char type)
{
	static const char types[] = "fhldp", flags[] = "01256";
	const char *p = type ? strchr(types, type) : NULL;

	return p ? flags[p - types] : 0;
}

int tar_write_entry(struct tar_writer *w, const struct tar_entry *entry, struct error *e)
{
	_cleanup_buf_ struct buf pax = { 0 };
	char flag = type_flag(entry->type);
	struct header h;
	int r;

	if (w->left)
		return error_set(e, EINVAL, "tar: %llu bytes of the last entry are missing", (unsigned long long)w->left);
	if (!flag || !*entry->path || strlen(entry->path) > TAR_PAX_MAX / 2)
		return error_set(e, EINVAL, "tar: an entry that cannot be written");
	pax_records(entry, &pax);
	if (pax.len) {
		const struct tar_entry meta = { .path = "PaxHeader", .mode = 0644, .size = pax.len };

		h = header(&meta, 'x');
		r = w->write(w->arg, &h, sizeof(h), e);
		if (r == 0)
			r = put_padded(w, pax.data, pax.len, e);
		if (r < 0)
			return r;
	}
	h = header(entry, flag);
	w->left = entry->size;
	w->padding = (unsigned)(-entry->size % BLOCK);
	return w->write(w->arg, &h, sizeof(h), e);
}

int tar_write_data(struct tar_writer *w, const void *data, size_t n, struct error *e)
{
	int r;

	if (n > w->left)
		return error_set(e, EINVAL, "tar: more data than the entry's size");
	r = w->write(w->arg, data, n, e);
	w->left -= n;
	if (r == 0 && w->left == 0 && w->padding) {
		r = w->write(w->arg, zeros, w->padding, e);
		w->padding = 0;
	}
	return r;
}

int tar_write_end(struct tar_writer *w, struct error *e)
{
	if (w->left)
		return error_set(e, EINVAL, "tar: %llu bytes of the last entry are missing", (unsigned long long)w->left);
	return w->write(w->arg, zeros, sizeof(zeros), e);
}
