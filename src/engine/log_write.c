/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log.h"

#include "engine/monitor_bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Text with bad bytes in it: as many as fit into one object, with two bytes for each, and the same again in base64. */
enum { MIXED_MAX = 6144, SNIFF = 64 };

static const char key_log[] = "{\"log\":\"", key_b64[] = "\",\"b64\":\"", key_time[] = "\",\"time\":\"",
		  key_out[] = "\",\"stream\":\"stdout", key_err[] = "\",\"stream\":\"stderr";

static size_t add(char *out, size_t at, const char *s, size_t n)
{
	memcpy(out + at, s, n);
	return at + n;
}
#define ADD(out, at, key) add(out, at, key, sizeof(key) - 1)

/* RFC 4648, section 4. */
static size_t base64(const unsigned char *p, size_t n, char *out)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i = 0, len = 0;

	for (; n - i >= 3; i += 3, len += 4) {
		unsigned v = (unsigned)p[i] << 16 | (unsigned)p[i + 1] << 8 | p[i + 2];

		out[len] = digit[v >> 18];
		out[len + 1] = digit[v >> 12 & 63];
		out[len + 2] = digit[v >> 6 & 63];
		out[len + 3] = digit[v & 63];
	}
	if (n - i > 0) {
		unsigned v = (unsigned)p[i] << 16 | (n - i > 1 ? (unsigned)p[i + 1] << 8 : 0);

		out[len++] = digit[v >> 18];
		out[len++] = digit[v >> 12 & 63];
		out[len++] = n - i > 1 ? digit[v >> 6 & 63] : '=';
		out[len++] = '=';
	}
	return len;
}

/* The longest start of `n` bytes, at most `max`, that does not end within a character. */
static size_t cut(const unsigned char *p, size_t n, size_t max)
{
	if (n <= max)
		return n;
	for (size_t back = 1; back <= 3; back++)
		if (p[max - back] >= 0xc0)
			return bare_utf8(p + max - back, back) == -1 ? max - back : max;
	return max;
}

/*
 * The text of an object, in `room` bytes. Sets *n to how many bytes it stands for and *bad when it is not all that is to
 * be said of them. Bytes that as text would need more than twice their number are no text: then there is none.
 */
static size_t encode_text(const unsigned char *data, size_t *n, char *out, size_t room, bool *bad)
{
	size_t sniff = *n < SNIFF ? *n : SNIFF, took, len, mixed;

	bare_escape(data, sniff, out, 2 * sniff, &took, bad);
	if (took == sniff) {
		*bad = false;
		len = bare_escape(data, *n, out, room, &took, bad);
		if (took == *n && !*bad)
			return len;
		*bad = false;
		mixed = cut(data, *n, MIXED_MAX);
		len = bare_escape(data, mixed, out, 2 * mixed, &took, bad);
		if (took == mixed) {
			*n = mixed;
			return len;
		}
	}
	*bad = true;
	return 0;
}

size_t log_encode(enum log_stream s, const void *data, size_t n, const char *time, char *out, size_t *used)
{
	/* What follows the text but base64: stream, time, "}\n". */
	const size_t tail = sizeof(key_out) + sizeof(key_time) + 40 + 4;
	size_t at = ADD(out, 0, key_log);
	bool bad = false;

	n = cut(data, n, LOG_LINE_MAX);
	at += encode_text(data, &n, out + at, LOG_ENTRY_MAX - at - tail, &bad);
	if (bad) {
		at = ADD(out, at, key_b64);
		at += base64(data, n, out + at);
	}
	at = s == LOG_STDOUT ? ADD(out, at, key_out) : ADD(out, at, key_err);
	at = ADD(out, at, key_time);
	at = add(out, at, time, strlen(time));
	at = ADD(out, at, "\"}\n");
	*used = n;
	return at;
}
_Static_assert(LOG_LINE_MAX / 3 * 4 + 256 < LOG_ENTRY_MAX && MIXED_MAX * 2 + MIXED_MAX / 3 * 4 + 256 < LOG_ENTRY_MAX,
	       "the longest object fits");

/* "log" for 0, else "log.N". */
static void file_name(uint32_t i, char out[static 32])
{
	memcpy(out, "log", 4);
	if (i > 0) {
		out[3] = '.';
		bare_decimal(i, 1, out + 4);
	}
}

static int open_file(struct log_writer *w)
{
	struct stat st;

	w->fd = openat(w->dir, "log", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (w->fd < 0)
		return -errno;
	w->length = fstat(w->fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
	return 0;
}

static void rotate(struct log_writer *w)
{
	char from[32], to[32];

	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	if (w->files <= 1)
		unlinkat(w->dir, "log", 0);
	for (uint32_t i = w->files > 1 ? w->files - 1 : 0; i > 0; i--) {
		file_name(i - 1, from);
		file_name(i, to);
		renameat(w->dir, from, w->dir, to);
	}
}

int log_open(struct log_writer *w, int dir, uint64_t size, uint32_t files)
{
	char last;
	int r;

	w->dir = dir;
	w->size = size;
	w->files = files > 0 ? files : 1;
	r = open_file(w);
	if (r < 0)
		return r;
	if (w->length > 0 && pread(w->fd, &last, 1, (off_t)w->length - 1) == 1 && last != '\n' &&
	    write(w->fd, "\n", 1) == 1)
		w->length++;
	return 0;
}

/* Writes what was gathered; all of it or, after a failure, none. */
static void out_flush(struct log_writer *w)
{
	size_t done = 0;

	if (w->out_len == 0)
		return;
	w->error = w->fd < 0 ? -open_file(w) : 0;
	while (!w->error && done < w->out_len) {
		ssize_t n = write(w->fd, w->out + done, w->out_len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			w->error = n == 0 ? ENOSPC : errno;
	}
	if (w->error) {
		w->dropped += w->out_bytes;
		if (done > 0 && ftruncate(w->fd, (off_t)w->length) < 0)
			w->length += done;
	} else {
		w->length += done;
	}
	w->out_len = 0;
	w->out_bytes = 0;
}

/* Puts one line, or a part of one, into objects. */
static void put(struct log_writer *w, enum log_stream s, const char *data, size_t n, const char *time)
{
	while (n > 0) {
		size_t used, len;

		if (sizeof(w->out) - w->out_len < LOG_ENTRY_MAX)
			out_flush(w);
		len = log_encode(s, data, n, time, w->out + w->out_len, &used);
		if (w->length + w->out_len > 0 && w->length + w->out_len + len > w->size) {
			size_t at = w->out_len;

			out_flush(w);
			if (w->length > 0)
				rotate(w);
			if (w->fd < 0)
				w->length = 0;
			memmove(w->out, w->out + at, len);
		}
		w->out_len += len;
		w->out_bytes += used;
		data += used;
		n -= used;
	}
}

/* Adds to the unfinished line; writes it out when it is full. */
static void hold(struct log_writer *w, enum log_stream s, const char *data, size_t n, const char *time)
{
	while (n > 0) {
		size_t room = LOG_LINE_MAX - w->held[s], take = n < room ? n : room;

		memcpy(w->line[s] + w->held[s], data, take);
		w->held[s] += take;
		data += take;
		n -= take;
		if (w->held[s] == LOG_LINE_MAX) {
			size_t whole = cut((unsigned char *)w->line[s], LOG_LINE_MAX + 1, LOG_LINE_MAX);

			put(w, s, w->line[s], whole, time);
			w->held[s] = LOG_LINE_MAX - whole;
			memmove(w->line[s], w->line[s] + whole, w->held[s]);
		}
	}
}

void log_write(struct log_writer *w, enum log_stream s, const void *data, size_t n, uint64_t now)
{
	const char *p = data, *end = p + n;
	char time[40];

	w->bytes += n;
	bare_time(now, time);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl + 1 : end) - p);

		if (nl && w->held[s] == 0) {
			put(w, s, p, len, time);
		} else {
			hold(w, s, p, len, time);
			if (nl && w->held[s] > 0) {
				put(w, s, w->line[s], w->held[s], time);
				w->held[s] = 0;
			}
		}
		p += len;
	}
	out_flush(w);
}

void log_flush(struct log_writer *w, uint64_t now)
{
	char time[40];

	bare_time(now, time);
	for (int s = LOG_STDOUT; s <= LOG_STDERR; s++) {
		put(w, (enum log_stream)s, w->line[s], w->held[s], time);
		w->held[s] = 0;
	}
	out_flush(w);
}

void log_close(struct log_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}
