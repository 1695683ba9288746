/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vet/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS = 600 };

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

/* Every pair of a list that ascends; "=" in front of a version: the same as the one before. */
static void ascends(enum version_scheme s, const char *const *list, size_t n)
{
	int rank[100] = { 0 };

	assert_true(n <= ARRAY_SIZE(rank));
	for (size_t i = 1; i < n; i++)
		rank[i] = rank[i - 1] + (list[i][0] != '=');
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			const char *a = list[i] + (list[i][0] == '='), *b = list[k] + (list[k][0] == '=');
			int got = sign(version_compare(s, a, b));

			if (got != sign(rank[i] - rank[k]))
				fail_msg("scheme %d: %s and %s: %d", (int)s, a, b, got);
		}
}
#define ASCENDS(s, ...)                                                     \
	do {                                                                \
		static const char *const list_[] = { __VA_ARGS__ };         \
		ascends(s, list_, ARRAY_SIZE(list_));                       \
	} while (0)

static void test_lists(void **state)
{
	(void)state;
	ASCENDS(VERSION_DPKG, "0~~", "0~", "0", "=0-0", "=0:0", "1.0~rc1-1", "1.0", "1.0-0+deb11u1",
		"1.0-1~bpo1", "1.0-1", "1.0-1+b1", "1.0-1+deb11u2", "1.0-1+deb11u10", "1.0a", "1.0+dfsg",
		"1.00.1", "=1.0.1", "1.10", "99999999999999999999", "100000000000000000000", "1:0.1", "2:0");
	ASCENDS(VERSION_RPM, "0~rc1", "0", "1.0~rc1", "1.0", "1.0^20200101", "1.0a", "1.0.1", "=1.00.1",
		"=1_0_1", "1.10", "1:0.1", "2:0");
	ASCENDS(VERSION_RPM, "1.2.3-4.el8", "1.2.3-4.el8_2", "1.2.3-4.el8_10.1", "1.2.3-10.el8", "1.2.4-1.el8");
	/* apk-version(8), and what Alpine's own packages look like */
	ASCENDS(VERSION_APK, "0.1.0_alpha", "0.1.0_alpha2", "0.1.0_beta", "0.1.0_pre1", "0.1.0_rc1", "0.1.0",
		"0.1.0-r1", "0.1.0_cvs", "0.1.0_svn", "0.1.0_git20200101", "0.1.0_hg1", "0.1.0_p1",
		"0.1.0_p1-r3", "0.1.0a", "0.1.0.1", "0.1.01", "0.1.1", "0.2", "1.02", "1.1", "1.1.1k-r0",
		"1.1.1l-r0", "1.1.1l-r8", "1.1.1l-r10", "1.2", "1.2.3~0ab", "1.2.3~0b", "1.10", "10");
	ASCENDS(VERSION_SEMVER, "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "=v1.0.0", "=1.0.0+build5", "=1.0",
		"1.0.1", "1.2", "1.10.0", "2.0.0-0", "2");
	ASCENDS(VERSION_PEP440, "1.0.dev1", "1.0a1.dev1", "1.0a1", "=1.0alpha1", "1.0a2", "1.0b1", "1.0rc1",
		"=1.0c1", "=1.0-rc.1", "1.0", "=1.0.0", "=v1", "1.0+local.1", "1.0+local.2", "1.0+2",
		"1.0.post1.dev2", "1.0.post1", "=1.0-1", "1.0.1", "1.10", "2022.1", "1!0.1");
	ASCENDS(VERSION_MAVEN, "1-alpha-1", "=1-a1", "1-beta-1", "1-milestone-1", "1-rc1", "=1-cr1",
		"1-SNAPSHOT", "1", "=1.0", "=1.0.0-ga", "=1-final", "=1.RELEASE", "1-sp", "1-jre", "1-1",
		"1.1", "1.1.1", "1.2", "1.10", "2.0-rc1", "2");
	ASCENDS(VERSION_GEM, "1.0.a", "1.0.a.2", "1.0.b1", "1.0.pre", "1.0.rc1", "1.0", "=1", "1.0.1", "1.2", "1.10");
}

/* Versions that look like the ones of packages, made of pieces that meet each other often. */
static char *make(unsigned *seed, const char *const *pieces, size_t n, const char *alphabet)
{
	struct buf b = { 0 };
	unsigned parts = 1 + (unsigned)rand_r(seed) % 6;

	for (unsigned i = 0; i < parts; i++)
		if (rand_r(seed) % 3)
			buf_puts(&b, pieces[(size_t)rand_r(seed) % n]);
		else
			buf_add(&b, &alphabet[(size_t)rand_r(seed) % strlen(alphabet)], 1);
	return buf_steal(&b);
}

/* Runs a program with the pairs on its input; one of "-1", "0", "1" a line comes back. */
static void against(enum version_scheme s, char *const *a, char *const *b, size_t n, const char *command)
{
	char name[] = "/tmp/brig-version-XXXXXX", line[64];
	_cleanup_close_ int fd = mkstemp(name);
	_cleanup_buf_ struct buf in = { 0 };
	_cleanup_free_ char *full = xasprintf("%s < %s 2>/dev/null", command, name);
	size_t got = 0, kinds[3] = { 0 };
	FILE *out;

	assert_true(fd >= 0);
	for (size_t i = 0; i < n; i++)
		buf_printf(&in, "%s %s\n", a[i], b[i]);
	assert_int_equal(write(fd, in.data, in.len), in.len);
	out = popen(full, "re");
	assert_non_null(out);
	while (got < n && fgets(line, sizeof(line), out)) {
		int want = atoi(line), have = sign(version_compare(s, a[got], b[got]));

		kinds[want + 1]++;
		if (want != have)
			fail_msg("scheme %d: %s and %s: the tool says %d, we say %d", (int)s, a[got], b[got], want, have);
		assert_int_equal(sign(version_compare(s, b[got], a[got])), -have);
		got++;
	}
	pclose(out);
	unlink(name);
	assert_int_equal(got, n);
	/* The pairs were worth asking. */
	for (int i = 0; i < 3; i++)
		assert_true(kinds[i] > n / 50);
}

static void compare_generated(enum version_scheme s, const char *const *pieces, size_t n_pieces,
	const char *alphabet, bool leading_digit, const char *command)
{
	_cleanup_strv_ char **a = NULL, **b = NULL;
	unsigned seed = 20230401;

	for (size_t i = 0; i < PAIRS; i++) {
		_cleanup_free_ char *x = make(&seed, pieces, n_pieces, alphabet), *y = make(&seed, pieces, n_pieces, alphabet);

		/* Near relatives: the interesting differences are at the end. */
		if (i % 3 == 0)
			y = (free(y), xasprintf("%s%s", x, pieces[(size_t)rand_r(&seed) % n_pieces]));
		else if (i % 11 == 0)
			y = (free(y), xstrdup(x));
		/* An empty revision is an error to dpkg, not an order. */
		strv_add(&a, xasprintf("%s%s%s", leading_digit ? "1" : "", x, str_ends(x, "-") ? "1" : ""));
		strv_add(&b, xasprintf("%s%s%s", leading_digit ? "1" : "", y, str_ends(y, "-") ? "1" : ""));
	}
	against(s, a, b, PAIRS, command);
}

static void test_dpkg(void **state)
{
	static const char *const pieces[] = {"1", "2", "10", "0", "00", ".", "~", "~rc1", "+deb11u1",
		"+deb11u2", "+b1", "-1", "-2", "a", "dfsg", "1.2", "1.2.3", ".0"};

	(void)state;
	if (system("command -v dpkg >/dev/null") != 0)
		skip();
	compare_generated(VERSION_DPKG, pieces, ARRAY_SIZE(pieces), "01289azAZ.+~-", true,
			  "while read -r a b; do if dpkg --compare-versions \"$a\" lt \"$b\"; then echo -1; "
			  "elif dpkg --compare-versions \"$a\" eq \"$b\"; then echo 0; else echo 1; fi; done");
}

static void test_rpm(void **state)
{
	static const char *const pieces[] = {"1", "2", "10", "0", "00", ".", "~", "~rc1", "^", "^git1",
		".el8", ".el8_2", "-1", "-2", "a", "rc", "1.2", "1.2.3", "_", "1:"};

	(void)state;
	if (system("command -v rpm >/dev/null") != 0)
		skip();
	compare_generated(VERSION_RPM, pieces, ARRAY_SIZE(pieces), "01289azAZ.+~^-_", true,
			  "rpm --eval '%{lua: for line in io.lines() do local a, b = string.match(line, \"(%S+) (%S+)\") "
			  "io.write(rpm.vercmp(a, b), \"\\n\") end}'");
}

/* Any three strings are in one order, whatever they are. */
static void test_total(void **state)
{
	static const char *const pieces[] = {"1", "0", "v", "a", "alpha", "rc", "sp", "final", "dev", "post",
		"_p", "_rc", "-r1", "~a", "^", "!", "+x", "."};
	unsigned seed = 7;

	(void)state;
	for (int s = 0; s < VERSION_SCHEMES; s++)
		for (int i = 0; i < 20000; i++) {
			_cleanup_free_ char *a = make(&seed, pieces, ARRAY_SIZE(pieces), "0129.-~+_ab"),
					    *b = make(&seed, pieces, ARRAY_SIZE(pieces), "0129.-~+_ab");

			assert_int_equal(version_compare((enum version_scheme)s, a, a), 0);
			if (sign(version_compare((enum version_scheme)s, a, b)) !=
				-sign(version_compare((enum version_scheme)s, b, a)))
				fail_msg("scheme %d: %s and %s have no order", s, a, b);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_dpkg),
		cmocka_unit_test(test_rpm),
		cmocka_unit_test(test_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
