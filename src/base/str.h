/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and lists of strings. Allocation failure ends the process: brig cannot go on, and nothing is half done. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* malloc and friends that abort with a message instead of returning NULL. The caller frees. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

static inline bool streq(const char *a, const char *b)
{
	return a == b || (a && b && __builtin_strcmp(a, b) == 0);
}

/* The rest of `s` after `prefix`, or NULL when it does not begin with it. Points into `s`. */
const char *str_after(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* A NULL-terminated list of owned strings; a NULL list is an empty one. */
size_t strv_len(char *const *v);
void strv_add(char ***v, char *s);	       /* takes `s` */
void strv_add_copy(char ***v, const char *s);
char **strv_copy(char *const *v);
bool strv_has(char *const *v, const char *s);
void strv_free(char **v);
void cleanup_strv(char ***v);
#define _cleanup_strv_ __attribute__((cleanup(cleanup_strv)))
#define strv_foreach(it, v) for (char *const *it = (v); it && *it; it++)
/* Splits at each `sep`, keeping empty parts; "" gives one empty part. */
char **strv_split(const char *s, char sep);

/* A growing buffer, always NUL-terminated once something was added. Zero-initialise; free with buf_free. */
struct buf {
	char *data;
	size_t len, cap;
};
void buf_add(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *s);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);
void buf_free(struct buf *b);
char *buf_steal(struct buf *b); /* never NULL */
#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

/*
 * Whole-string decimal numbers within [min, max]: no sign but '-', no spaces, no 0x. 0, or -EINVAL, or -ERANGE.
 */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);
int parse_i64(const char *s, int64_t min, int64_t max, int64_t *out);
/* A size in bytes with docker's suffixes b, k, m, g, t (also kb, kib, ...; powers of 1024; "1.5g"). */
int parse_size(const char *s, uint64_t *bytes);
/* A duration as Go writes it ("1h2m3.5s", "300ms"), or plain seconds. Nanoseconds. */
int parse_duration(const char *s, uint64_t *ns);

/* Writes bytes as docker does ("12.3MB", powers of 1000) or with powers of 1024 ("11.7MiB"). Static length. */
void format_size(uint64_t bytes, bool binary, char out[static 24]);

/*
 * Text from an image, a container or a registry made harmless for a terminal: every byte below 0x20, 0x7f, C1
 * control, bidi control and invalid UTF-8 becomes \xNN or \uNNNN; '\\' becomes "\\\\". The caller frees.
 */
char *str_escape(const char *s);
char *str_escape_n(const char *s, size_t n);
/* True for the characters that str_escape() replaces. */
bool str_hostile_char(uint32_t c);
/* Decodes one UTF-8 character of `n` > 0 bytes; its length in bytes, or 0 when the bytes are not valid UTF-8. */
size_t utf8_decode(const char *s, size_t n, uint32_t *c);

/* Lower-case hexadecimal. `out` has room for 2*n+1. */
void hex_encode(const void *data, size_t n, char *out);
bool hex_valid(const char *s, size_t n); /* exactly n lower-case hex digits, then NUL */
