/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vet/pattern.h"
#include "vet/scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint64_t sum, count;

static void hit(void *arg, size_t offset, unsigned word)
{
	uint64_t x = (offset * 4096 + word + 1) * 0x9e3779b97f4a7c15ULL;

	(void)arg;
	sum += x ^ x >> 29; /* order does not count */
	count++;
}

static uint32_t rnd(uint32_t *x)
{
	*x ^= *x << 13, *x ^= *x >> 17, *x ^= *x << 5;
	return *x;
}

/* Against the plainest search there is: words of a small alphabet in bytes of the same one, all lengths and places. */
static void finds_all(void **state)
{
	uint32_t x = 12345;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct scan_word words[40];
		char texts[40][SCAN_WORD_MAX];
		size_t n_words = 1 + rnd(&x) % 40, n = rnd(&x) % 3000;
		_cleanup_free_ char *data = xmalloc(n + 1);
		uint64_t want = 0, want_count = 0;
		struct scan *s;

		for (size_t i = 0; i < n_words; i++) {
			words[i] = (struct scan_word){ texts[i], 4 + rnd(&x) % (round % 2 ? 3 : 60), rnd(&x) % 2 };
			for (size_t k = 0; k < words[i].len; k++)
				texts[i][k] = "abAB-\0z\xff"[rnd(&x) % (round % 3 ? 3 : 8)];
		}
		for (size_t i = 0; i < n; i++)
			data[i] = "abAB-\0z\xff"[rnd(&x) % (round % 3 ? 3 : 8)];
		for (size_t i = 0; i < n; i++) {
			for (size_t w = 0; w < n_words; w++) {
				bool same = words[w].len <= n - i;

				for (size_t k = 0; same && k < words[w].len; k++) {
					unsigned char a = (unsigned char)data[i + k], b = (unsigned char)texts[w][k];

					same = a == b || (words[w].nocase && (a | 32) >= 'a' && (a | 32) <= 'z' && (a | 32) == (b | 32));
				}
				if (same) {
					uint64_t v = (i * 4096 + w + 1) * 0x9e3779b97f4a7c15ULL;

					want += v ^ v >> 29;
					want_count++;
				}
			}
		}
		s = scan_new(words, n_words);
		assert_non_null(s);
		sum = count = 0;
		scan_run(s, data, n, hit, NULL);
		assert_int_equal(count, want_count);
		assert_true(sum == want);
		sum = count = 0;
		scan_run_plain(s, data, n, hit, NULL);
		assert_int_equal(count, want_count);
		assert_true(sum == want);
		scan_free(s);
	}
}

static void needs_words(void **state)
{
	struct scan_word w = { "abc", 3, false }, wide = { "", 65, false };

	(void)state;
	assert_null(scan_new(&w, 1));
	assert_null(scan_new(&wide, 1));
	assert_null(scan_new(&w, 0));
	scan_free(NULL);
}

static void matches(void **state)
{
	static const struct {
		const char *pattern, *text, *whole, *secret; /* whole NULL: no match */
		bool nocase;
	} cases[] = {
		{ "AKIA[A-Z2-7]{16}", "AKIAABCDEFGHIJKLMNOP7", "AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP", false },
		{ "AKIA([A-Z2-7]{16})", "AKIAABCDEFGHIJKLMN1P", NULL, NULL, false },
		{ "AKIA([A-Z2-7]{3,4})x?", "AKIAABCDx!", "AKIAABCDx", "ABCD", false },
		{ "key_[=:]\\s*\"?(\\w+)\"?", "key_= \t\"a_9\";", "key_= \t\"a_9\"", "a_9", false },
		{ "key_=([^;]*)", "key_=abc\nd", "key_=abc", "abc", false },
		{ "key_=(.+)", "key_=abc\rd", "key_=abc", "abc", false },
		{ "key_=(.+)", "key_=", NULL, NULL, false },
		{ "KeY_=[q]\\h+", "kEy_=Q0aFg", "kEy_=Q0aF", "kEy_=Q0aF", true },
		{ "a\\.b\\[c", "a.b[c", "a.b[c", "a.b[c", false },
		{ "abcd[\\d\\-z]{2,}", "abcd1-zq", "abcd1-z", "abcd1-z", false },
		{ "abcd\\S+", "abcd!~ e", "abcd!~", "abcd!~", false },
		{ "abcd()", "abcd", "abcd", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t end, secret, len, n = strlen(cases[i].text);
		struct error e = { 0 };
		struct pattern p;
		bool r;

		assert_int_equal(pattern_parse(cases[i].pattern, cases[i].nocase, &p, &e), 0);
		assert_true(n >= p.word_len && (cases[i].nocase ? strncasecmp : strncmp)(cases[i].text, p.word, p.word_len) == 0);
		r = pattern_match(&p, (const unsigned char *)cases[i].text, n, 0, &end, &secret, &len);
		assert_int_equal(r, cases[i].whole != NULL);
		if (!r)
			continue;
		assert_int_equal(end, strlen(cases[i].whole));
		assert_int_equal(len, strlen(cases[i].secret));
		assert_memory_equal(cases[i].text + secret, cases[i].secret, len);
	}
}

static void refuses_patterns(void **state)
{
	static const struct {
		const char *pattern, *error;
	} cases[] = {
		{ "abc", "begins with less than 4 characters of plain text" },
		{ "abc[d]", "begins with less than 4 characters of plain text" },
		{ "abc?defg", "begins with less than 4 characters of plain text" },
		{ "abcd[", "a class without \"]\"" },
		{ "abcd[]", "an empty class" },
		{ "abcd[z-a]", "a range in a class that goes backwards" },
		{ "abcd\\", "ends with \"\\\"" },
		{ "abcd\\q", "\"\\q\" means nothing" },
		{ "abcd[\\q]", "\"\\q\" means nothing" },
		{ "abcde{", "a count that is no number" },
		{ "abcde{3", "a count without \"}\"" },
		{ "abcde{3,2}", "a count from 3 to 2" },
		{ "abcde{0}", "a count from 0 to 0" },
		{ "abcde{70000}", "a count of more than 65535" },
		{ "abcd**", "\"*\" with nothing before it" },
		{ "abcd(e", "\"(\" without \")\"" },
		{ "abcd)", "\")\" in the wrong place" },
		{ "abcd(e)(f)", "\"(\" in the wrong place" },
		{ "abcd(e))", "\")\" in the wrong place" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error e = { 0 };
		struct pattern p;

		assert_int_equal(pattern_parse(cases[i].pattern, false, &p, &e), -EINVAL);
		assert_string_equal(e.text, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all),
		cmocka_unit_test(needs_words),
		cmocka_unit_test(matches),
		cmocka_unit_test(refuses_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
