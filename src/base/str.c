/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((noreturn)) out_of_memory(void)
{
	static const char msg[] = "brig: out of memory\n";

	(void)!write(2, msg, sizeof(msg) - 1);
	_exit(125);
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		out_of_memory();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = 0;
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a >= b && memcmp(s + a - b, suffix, b) == 0;
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

void strv_add(char ***v, char *s)
{
	size_t n = strv_len(*v);

	*v = xrealloc(*v, n + 2, sizeof(char *));
	(*v)[n] = s;
	(*v)[n + 1] = NULL;
}

void strv_add_copy(char ***v, const char *s)
{
	strv_add(v, xstrdup(s));
}

char **strv_copy(char *const *v)
{
	size_t n = strv_len(v);
	char **copy;

	if (!v)
		return NULL;
	copy = xcalloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(v[i]);
	return copy;
}

bool strv_has(char *const *v, const char *s)
{
	strv_foreach(it, v)
		if (streq(*it, s))
			return true;
	return false;
}

void strv_free(char **v)
{
	strv_foreach(it, v)
		free(*it);
	free(v);
}

void cleanup_strv(char ***v)
{
	strv_free(*v);
}

char **strv_split(const char *s, char sep)
{
	char **v = NULL;

	for (;;) {
		const char *end = strchrnul(s, sep);

		strv_add(&v, xstrndup(s, (size_t)(end - s)));
		if (!*end)
			return v;
		s = end + 1;
	}
}

static void buf_reserve(struct buf *b, size_t more)
{
	size_t need;

	if (__builtin_add_overflow(b->len, more, &need) || need == SIZE_MAX)
		out_of_memory();
	need++;
	if (need <= b->cap)
		return;
	size_t cap = b->cap ? b->cap : 128;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	b->data = xrealloc(b->data, cap, 1);
	b->cap = cap;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
	buf_reserve(b, n);
	if (n)
		memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = 0;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	buf_reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

char *buf_steal(struct buf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	*b = (struct buf){ 0 };
	return s;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s || !*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool minus = s && *s == '-';
	uint64_t v;
	int r;

	r = parse_u64(minus ? s + 1 : s, 0, minus ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &v);
	if (r < 0)
		return r;
	int64_t x = minus ? (int64_t)(0 - v) : (int64_t)v;
	if (x < min || x > max)
		return -ERANGE;
	*out = x;
	return 0;
}

/* Reads "12", "12.5": the whole part and the fraction in billionths. Returns the end, or NULL. */
static const char *decimal(const char *s, uint64_t *whole, uint64_t *billionths)
{
	uint64_t unit = 100000000;

	*whole = *billionths = 0;
	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(*whole, 10, whole) ||
		    __builtin_add_overflow(*whole, (uint64_t)(*s - '0'), whole))
			return NULL;
	if (*s != '.')
		return s;
	for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
		*billionths += unit * (uint64_t)(*s - '0');
	return s;
}

static int scale(uint64_t whole, uint64_t billionths, uint64_t unit, uint64_t *out)
{
	uint64_t v;

	if (__builtin_mul_overflow(whole, unit, &v))
		return -ERANGE;
	unsigned __int128 part = (unsigned __int128)billionths * unit / 1000000000u;
	if (__builtin_add_overflow(v, (uint64_t)part, &v))
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_size(const char *s, uint64_t *bytes)
{
	static const char units[] = "bkmgt";
	uint64_t whole, frac, unit = 1;
	const char *p;

	if (!s || !(p = decimal(s, &whole, &frac)))
		return -EINVAL;
	if (*p) {
		char c = (char)(*p | 0x20);
		const char *u = strchr(units, c);

		if (!u)
			return -EINVAL;
		unit = 1ULL << (10 * (u - units));
		p++;
		if (c != 'b' && (*p | 0x20) == 'i')
			p++;
		if (c != 'b' && (*p | 0x20) == 'b')
			p++;
		if (*p)
			return -EINVAL;
	}
	return scale(whole, frac, unit, bytes);
}

int parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 },	     { "us", 1000 },	      { "ms", 1000000 },
		      { "s", 1000000000 },   { "m", 60000000000 },    { "h", 3600000000000 } };
	uint64_t total = 0, whole, frac, part;
	bool plain_ok = true;

	if (!s || !*s)
		return -EINVAL;
	while (*s) {
		size_t i = 0;

		s = decimal(s, &whole, &frac);
		if (!s)
			return -EINVAL;
		if (!*s && plain_ok)
			return scale(whole, frac, 1000000000, ns);
		for (; i < sizeof(units) / sizeof(units[0]); i++) {
			size_t n = strlen(units[i].name);

			if (strncmp(s, units[i].name, n) == 0 && (s[n] == 0 || (s[n] >= '0' && s[n] <= '9'))) {
				s += n;
				break;
			}
		}
		if (i == sizeof(units) / sizeof(units[0]))
			return -EINVAL;
		if (scale(whole, frac, units[i].ns, &part) < 0 || __builtin_add_overflow(total, part, &total))
			return -ERANGE;
		plain_ok = false;
	}
	*ns = total;
	return 0;
}

void format_size(uint64_t bytes, bool binary, char out[static 24])
{
	static const char *const dec[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	static const char *const bin[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes, base = binary ? 1024 : 1000;
	unsigned i = 0;

	while (v >= base && i < 6) {
		v /= base;
		i++;
	}
	snprintf(out, 24, i == 0 ? "%.0f%s" : (v < 10 ? "%.2f%s" : v < 100 ? "%.1f%s" : "%.0f%s"), v,
		 binary ? bin[i] : dec[i]);
}

size_t utf8_decode(const char *text, size_t n, uint32_t *cp)
{
	const unsigned char *s = (const unsigned char *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 :
		     (s[0] & 0xf8) == 0xf0 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	*cp = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

bool str_hostile_char(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c == 0xfeff ||
	       c == 0x061c || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

char *str_escape_n(const char *s, size_t n)
{
	struct buf b = { 0 };
	const unsigned char *p = (const unsigned char *)s;

	for (size_t i = 0; i < n;) {
		uint32_t c;
		size_t len = utf8_decode(s + i, n - i, &c);

		if (len == 0) {
			buf_printf(&b, "\\x%02x", p[i]);
			len = 1;
		} else if (c == '\\') {
			buf_puts(&b, "\\\\");
		} else if (str_hostile_char(c)) {
			buf_printf(&b, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
		} else {
			buf_add(&b, p + i, len);
		}
		i += len;
	}
	return buf_steal(&b);
}

char *str_escape(const char *s)
{
	return s ? str_escape_n(s, strlen(s)) : xstrdup("");
}

void hex_encode(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = 0;
}

bool hex_valid(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return s[n] == 0;
}
