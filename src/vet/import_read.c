/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed files and archives of documents, through libarchive, from memory. */
#include "vet/import.h"

#include "base/cleanup.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

/* Of one document, and of all in a file: OSV's whole data was 1 GB in 2024. */
static const size_t document_max = (size_t)1 << 30, all_max = (size_t)16 << 30;
enum { BLOCK = 1 << 18, DETECT = 1 << 16 };

struct unpacking {
	struct archive *a;
	const char *what;
	struct buf doc;
	size_t total;
};

static void close_archive(struct archive **a)
{
	if (*a)
		archive_read_free(*a);
}

static int failed(const struct unpacking *u, struct error *e)
{
	const char *why = archive_error_string(u->a);

	return error_set(e, archive_errno(u->a) == ENOMEM ? ENOMEM : EBADMSG, "%s: %s", u->what, why ? why : "cannot be read");
}

static struct archive *new_reader(void)
{
	struct archive *a = archive_read_new();

	if (!a)
		return NULL;
	/* Those that libarchive does itself: it would run a program for others. */
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_zip(a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	return a;
}

static int read_document(struct unpacking *u, struct error *e)
{
	static const size_t first = BLOCK;

	u->doc.len = 0;
	for (;;) {
		ssize_t n;

		if (u->doc.cap < u->doc.len + first + 1) {
			u->doc.cap = u->doc.cap ? u->doc.cap * 2 : 2 * first;
			u->doc.data = xrealloc(u->doc.data, u->doc.cap, 1);
		}
		n = archive_read_data(u->a, u->doc.data + u->doc.len, u->doc.cap - u->doc.len - 1);
		if (n < 0)
			return failed(u, e);
		u->doc.len += (size_t)n;
		u->total += (size_t)n;
		if (u->doc.len > document_max || u->total > all_max)
			return error_set(e, EFBIG, "%s: unpacks to more than %zu MiB", u->what,
				(u->total > all_max ? all_max : document_max) >> 20);
		u->doc.data[u->doc.len] = 0;
		if (n == 0)
			return 0;
	}
}

/* Between documents of an archive lie readmes and signatures. */
static int parse_document(struct unpacking *u, const char *name, bool alone, struct advisory_sink *sink, struct error *e)
{
	_cleanup_free_ char *what = alone ? xstrdup(u->what) : xasprintf("%s: %s", u->what, name ? name : "?");
	size_t n = u->doc.len;

	sink->at = 0;
	sink->size = alone ? n : 0;
	if (!alone && advisory_detect(u->doc.data, n < DETECT ? n : DETECT) == ADVISORY_UNKNOWN &&
		advisory_detect(u->doc.data, n) == ADVISORY_UNKNOWN) {
		sink->left_out++;
		return 0;
	}
	return advisory_parse(what, u->doc.data, n, sink, e);
}

int advisory_unpack(const char *what, const void *data, size_t n, struct advisory_sink *sink,
	void (*step)(void *arg, size_t at), void *arg, struct error *e)
{
	__attribute__((cleanup(close_archive))) struct archive *a = new_reader();
	struct unpacking u = { .a = a, .what = what };
	struct archive_entry *entry;
	bool raw;
	int code, r = 0;

	if (!a)
		return error_set(e, ENOMEM, "%s: no memory", what);
	if (archive_read_open_memory(a, data, n) != ARCHIVE_OK)
		return failed(&u, e);
	while (r == 0 && (code = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
		raw = archive_format(a) == ARCHIVE_FORMAT_RAW;
		if (!raw && archive_entry_filetype(entry) != AE_IFREG)
			continue;
		r = read_document(&u, e);
		if (r == 0)
			r = parse_document(&u, archive_entry_pathname(entry), raw, sink, e);
		if (step)
			step(arg, (size_t)archive_filter_bytes(a, -1));
	}
	if (r == 0 && code != ARCHIVE_EOF)
		r = failed(&u, e);
	if (r == 0 && u.total == 0)
		r = error_set(e, EBADMSG, "%s: empty", what);
	buf_free(&u.doc);
	return r;
}
