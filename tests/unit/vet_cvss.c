/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vet/advisory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *vector, double want)
{
	double have = advisory_cvss(vector);

	if (fabs(have - want) > 0.001)
		fail_msg("%s: %.1f, not %.1f", vector, have, want);
}

/* first.org/cvss/v4.0/examples, v3.1/examples and v2/guide section 3.3 */
static void examples(void **state)
{
	static const struct {
		const char *vector;
		double score;
	} cases[] = {
		{ "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3 }, /* CVE-2022-41741 */
		{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7 }, /* CVE-2020-3549 */
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:A", 8.7 }, /* CVE-2014-0160 */
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0 }, /* CVE-2021-44228 */
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0 },
		{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:N", 5.4 }, /* CVE-2013-1937 is 6.1 with S:C and no login */
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1 },
		{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4 }, /* CVE-2013-0375 */
		{ "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1 }, /* CVE-2014-3566 */
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5 }, /* CVE-2014-0160 */
		{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8 }, /* CVE-2014-6271 */
		{ "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0 },
		{ "AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8 }, /* CVE-2002-0392 */
		{ "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0 }, /* CVE-2003-0818 */
		{ "(AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2 }, /* CVE-2003-0062 */
		{ "AV:N/AC:L/Au:N/C:N/I:N/A:N", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(cases[i].vector, cases[i].score);
}

/* Vectors with what an independent implementation makes of them (tests/data/README.md). */
static void many(void **state)
{
	const char *source = getenv("BRIG_SOURCE");
	_cleanup_free_ char *path = xasprintf("%s/tests/data/cvss.tsv", source ? source : ".");
	FILE *f = fopen(path, "re");
	char line[300];
	size_t n = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *tab = strchr(line, '\t');

		assert_non_null(tab);
		*tab = 0;
		expect(line, strtod(tab + 1, NULL));
		n++;
	}
	fclose(f);
	assert_int_equal(n, 700);
}

static void broken(void **state)
{
	static const char *const vectors[] = {
		"", "CVSS:", "CVSS:5.0/AV:N", "CVSS:4.0/", "CVSS:4.0/AV:N", "CVSS:3.1/AV:N/AC:L", "CVSS:3.1/AV:/AC:/PR:/UI:/S:/C:/I:/A:",
		"CVSS:4.0/AV:Q/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:S/SI:H/SA:H", /* safety is a modified metric's */
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/MSC:S",
		"CVSS:4.0/MAV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", /* no AV */
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:Q",
		"AV:N/AC:L", "AV:N/AC:L/Au:N/C:P/I:P", "7.5", "high",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		expect(vectors[i], 0);
	assert_true(advisory_cvss(NULL) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(examples), cmocka_unit_test(many), cmocka_unit_test(broken) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
