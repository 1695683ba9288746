/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/scan.h"
#include "vet/window.h"

#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <tmmintrin.h>
#endif

enum { PRINT = 4, BUCKETS = 8 };

struct word {
	uint32_t value, mask;	 /* the print, and the bits of it that count */
	uint8_t at;		 /* where in the word the print begins */
	uint8_t len;
	bool nocase;
	uint16_t index;
	char text[SCAN_WORD_MAX]; /* lower case with nocase */
};

struct scan {
	/* Bit B of low[K][x]: some word of bucket B has a byte with low half x at place K of its print. */
	uint8_t low[PRINT][16], high[PRINT][16];
	struct word *words; /* by bucket */
	size_t n, first[BUCKETS + 1];
};

static bool letter(unsigned char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* How common a byte is in what lies in images, roughly: text, tables of zeros, machine code. */
static unsigned common(unsigned char c, bool nocase)
{
	if (c == 0 || c == 0xff)
		return 40;
	if (c == ' ' || c == '-' || c == '=' || c == '/' || c == '*' || c == '#')
		return 12;
	if (c == '_' || c == '.' || c == '"' || c == ':' || c == '\n' || c == '\t' || (c && strchr("eatoinsrl", c)))
		return 8;
	if (c >= '0' && c <= '9')
		return 5;
	if (letter(c))
		return nocase || c >= 'a' ? 5 : 3;
	return 3;
}

static void choose_print(struct word *w)
{
	unsigned best = UINT32_MAX;

	for (size_t at = 0; at + PRINT <= w->len; at++) {
		unsigned sum = 0;

		for (size_t k = 0; k < PRINT; k++)
			sum += common((unsigned char)w->text[at + k], w->nocase);
		if (sum < best) {
			best = sum;
			w->at = (uint8_t)at;
		}
	}
	w->value = w->mask = 0;
	for (size_t k = 0; k < PRINT; k++) {
		unsigned char c = (unsigned char)w->text[w->at + k], m = w->nocase && letter(c) ? 0xdf : 0xff;

		w->value |= (uint32_t)(c & m) << 8 * k;
		w->mask |= (uint32_t)m << 8 * k;
	}
}

static int by_print(const void *a, const void *b)
{
	const struct word *x = a, *y = b;
	uint32_t v = __builtin_bswap32(x->value), w = __builtin_bswap32(y->value);

	return v != w ? (v < w ? -1 : 1) : (int)x->index - (int)y->index;
}

/* Neighbours in order share half bytes, so that a bucket of neighbours lets few other prints through. */
static void fill(struct scan *s)
{
	qsort(s->words, s->n, sizeof(*s->words), by_print);
	for (size_t b = 0; b <= BUCKETS; b++)
		s->first[b] = s->n * b / BUCKETS;
	for (size_t b = 0; b < BUCKETS; b++) {
		for (size_t i = s->first[b]; i < s->first[b + 1]; i++) {
			for (size_t k = 0; k < PRINT; k++) {
				uint8_t c = (uint8_t)(s->words[i].value >> 8 * k), m = (uint8_t)(s->words[i].mask >> 8 * k);

				s->low[k][c & 15] |= (uint8_t)(1 << b);
				s->high[k][c >> 4] |= (uint8_t)(1 << b);
				if (m != 0xff)
					s->high[k][(c | 0x20) >> 4] |= (uint8_t)(1 << b);
			}
		}
	}
}

struct scan *scan_new(const struct scan_word *words, size_t n)
{
	struct scan *s;

	if (n == 0 || n > SCAN_WORDS_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (words[i].len < SCAN_WORD_MIN || words[i].len > SCAN_WORD_MAX)
			return NULL;
	s = xcalloc(1, sizeof(*s));
	s->words = xcalloc(n, sizeof(*s->words));
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		struct word *w = &s->words[i];

		w->len = (uint8_t)words[i].len;
		w->nocase = words[i].nocase;
		w->index = (uint16_t)i;
		for (size_t k = 0; k < w->len; k++)
			w->text[k] = w->nocase ? (char)lower((unsigned char)words[i].text[k]) : words[i].text[k];
		choose_print(w);
	}
	fill(s);
	return s;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	free(s->words);
	free(s);
}

struct run {
	const struct scan *s;
	const unsigned char *data;
	size_t n;
	scan_hit *hit;
	void *arg;
};

static bool is_word(const struct word *w, const unsigned char *p)
{
	if (!w->nocase)
		return memcmp(p, w->text, w->len) == 0;
	for (size_t k = 0; k < w->len; k++)
		if (lower(p[k]) != (unsigned char)w->text[k])
			return false;
	return true;
}

/* Some print of these buckets may begin at `i`. */
static __attribute__((noinline)) void look(const struct run *r, size_t i, unsigned buckets)
{
	const unsigned char *p = r->data + i;
	uint32_t value = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

	for (; buckets; buckets &= buckets - 1) {
		size_t b = (size_t)__builtin_ctz(buckets);

		for (size_t k = r->s->first[b]; k < r->s->first[b + 1]; k++) {
			const struct word *w = &r->s->words[k];

			if ((value & w->mask) == w->value && i >= w->at && w->len <= r->n - (i - w->at) &&
			    is_word(w, r->data + i - w->at))
				r->hit(r->arg, i - w->at, w->index);
		}
	}
}

static void run_plain(const struct run *r, size_t i)
{
	const struct scan *s = r->s;

	for (; i + PRINT <= r->n; i++) {
		const unsigned char *p = r->data + i;
		unsigned m = s->low[0][p[0] & 15] & s->high[0][p[0] >> 4];

		for (size_t k = 1; m && k < PRINT; k++)
			m &= s->low[k][p[k] & 15] & s->high[k][p[k] >> 4];
		if (m)
			look(r, i, m);
	}
}

#ifdef __x86_64__
/* Places from i on in steps of 16, up to `stop` or a little beyond; returns where it stopped. */
__attribute__((target("ssse3"))) static size_t run_ssse3(const struct run *r, size_t i, size_t stop)
{
	const __m128i half = _mm_set1_epi8(15), zero = _mm_setzero_si128();
	__m128i low[PRINT], high[PRINT];

	for (size_t k = 0; k < PRINT; k++) {
		low[k] = _mm_loadu_si128((const __m128i *)r->s->low[k]);
		high[k] = _mm_loadu_si128((const __m128i *)r->s->high[k]);
	}
	for (; i < stop && i + 16 + PRINT - 1 <= r->n; i += 16) {
		__m128i found = _mm_set1_epi8((char)0xff);
		unsigned places;

		for (size_t k = 0; k < PRINT; k++) {
			__m128i v = _mm_loadu_si128((const __m128i *)(r->data + i + k));
			__m128i lo = _mm_shuffle_epi8(low[k], _mm_and_si128(v, half));
			__m128i hi = _mm_shuffle_epi8(high[k], _mm_and_si128(_mm_srli_epi16(v, 4), half));

			found = _mm_and_si128(found, _mm_and_si128(lo, hi));
		}
		places = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(found, zero)) ^ 0xffff;
		if (__builtin_expect(places != 0, 0)) {
			uint8_t lanes[16];

			_mm_storeu_si128((__m128i *)lanes, found);
			for (; places; places &= places - 1) {
				size_t lane = (size_t)__builtin_ctz(places);

				look(r, i + lane, lanes[lane]);
			}
		}
	}
	return i;
}
#endif

void scan_run_plain(const struct scan *s, const void *data, size_t n, scan_hit *hit, void *arg)
{
	struct run r = { s, data, n, hit, arg };

	run_plain(&r, 0);
}

void scan_run(const struct scan *s, const void *data, size_t n, scan_hit *hit, void *arg)
{
	struct run r = { s, data, n, hit, arg };
	size_t i = 0, stop = 0;

#ifdef __x86_64__
	while (__builtin_cpu_supports("ssse3") && stop < n) {
		size_t before = i;

		stop = n - stop > WINDOW ? stop + WINDOW : n;
		i = run_ssse3(&r, i, stop);
		window_passed((const unsigned char *)data + before, i - before);
	}
#endif
	run_plain(&r, i);
}
