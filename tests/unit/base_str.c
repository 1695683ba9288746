/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <time.h>

static void numbers(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;

	(void)state;
	assert_int_equal(parse_u64("0", 0, 10, &u), 0);
	assert_int_equal(u, 0);
	assert_int_equal(parse_u64("18446744073709551615", 0, UINT64_MAX, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", 0, UINT64_MAX, &u), -ERANGE);
	assert_int_equal(parse_u64("", 0, 10, &u), -EINVAL);
	assert_int_equal(parse_u64("+1", 0, 10, &u), -EINVAL);
	assert_int_equal(parse_u64(" 1", 0, 10, &u), -EINVAL);
	assert_int_equal(parse_u64("0x1", 0, 10, &u), -EINVAL);
	assert_int_equal(parse_u64("11", 0, 10, &u), -ERANGE);
	assert_int_equal(parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(parse_i64("-", INT64_MIN, INT64_MAX, &i), -EINVAL);
}

static void sizes(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(parse_size("64m", &v), 0);
	assert_true(v == 64ULL << 20);
	assert_int_equal(parse_size("1.5GiB", &v), 0);
	assert_true(v == 3ULL << 29);
	assert_int_equal(parse_size("10kb", &v), 0);
	assert_true(v == 10240);
	assert_int_equal(parse_size("12", &v), 0);
	assert_true(v == 12);
	assert_int_equal(parse_size("12x", &v), -EINVAL);
	assert_int_equal(parse_size("-1", &v), -EINVAL);
	assert_int_equal(parse_size("99999999999t", &v), -ERANGE);
	assert_int_equal(parse_duration("1h2m3.5s", &v), 0);
	assert_true(v == 3723500000000ULL);
	assert_int_equal(parse_duration("300ms", &v), 0);
	assert_true(v == 300000000ULL);
	assert_int_equal(parse_duration("5", &v), 0);
	assert_true(v == 5000000000ULL);
	assert_int_equal(parse_duration("5 s", &v), -EINVAL);
}

static void escapes(void **state)
{
	_cleanup_free_ char *a = str_escape("a\033[31m\xc2\x9b \xe2\x80\xae \\ \xff \xc3\xa4");

	(void)state;
	assert_string_equal(a, "a\\x1b[31m\\x9b \\u202e \\\\ \\xff \xc3\xa4");
}

static void times(void **state)
{
	char text[40];
	uint64_t ns;

	(void)state;
	clock_format(1700000000123456789ULL, text);
	assert_string_equal(text, "2023-11-14T22:13:20.123456789Z");
	assert_int_equal(clock_parse(text, &ns), 0);
	assert_true(ns == 1700000000123456789ULL);
	assert_int_equal(clock_parse("2023-11-14T23:13:20+01:00", &ns), 0);
	assert_true(ns == 1700000000000000000ULL);
	/* Every day of 140 years, as the C library counts. */
	for (time_t t = 0; t < (time_t)140 * 365 * 86400; t += 86400 + 3601) {
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_int_equal(clock_parse(text, &ns), 0);
		assert_int_equal(ns, (uint64_t)t * 1000000000u);
	}
	assert_int_equal(clock_parse("2023-13-14T23:13:20Z", &ns), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(escapes),
		cmocka_unit_test(times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
