/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of what may be in an image: what it refuses, what it excepts and until when, and how it is written. */
#include "base/clock.h"
#include "base/str.h"
#include "vet/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vet_finding findings[] = {
	{ .check = "impostor", .rule = "V1-ssh-server", .level = VET_HIGH, .title = (char[]){ "ssh" }, .path = (char[]){ "usr/sbin/sshd" }, .layer = 0 },
	{ .check = "accounts", .rule = "V2-uid-0", .level = VET_HIGH, .title = (char[]){ "toor" }, .path = (char[]){ "etc/passwd" }, .layer = 0 },
	{ .check = "impostor", .rule = "V1-cron", .level = VET_LOW, .title = (char[]){ "cron" }, .layer = -1 },
};

static uint64_t day(const char *text)
{
	uint64_t ns = 0;

	assert_int_equal(clock_parse(text, &ns), 0);
	return ns;
}

/* The rules that refuse at noon of 2026-06-15. */
static void judged(const char *policy, const char *rules, uint64_t until)
{
	struct vet v = { .name = "x", .image = "localhost/web:1", .findings = findings, .n_findings = 3 };
	struct vet_policy p;
	struct vet_ruling r;
	struct error e = { 0 };

	if (vet_policy_parse(&p, policy, strlen(policy), "p", &e) < 0)
		fail_msg("%s", e.text);
	vet_policy_judge(&p, &v, day("2026-06-15T12:00:00Z"), &r);
	assert_string_equal(r.rules, rules);
	assert_int_equal(r.refused, *rules != 0);
	assert_int_equal(r.until_ns, until);
	vet_policy_free(&p);
}

static void test_judge(void **state)
{
	(void)state;
	judged("{}", "V1-ssh-server V2-uid-0", 0);
	judged("{\"fail_on\":\"critical\"}", "", 0);
	judged("{\"fail_on\":\"low\"}", "V1-ssh-server V2-uid-0 V1-cron", 0);
	judged("{\"fail_on\":\"never\",\"forbidden\":[\"V1-*\"]}", "V1-ssh-server V1-cron", 0);
	judged("{\"fail_on\":\"never\",\"forbidden\":[\"V1\"]}", "", 0);
	judged("{\"fail_on\":\"never\",\"required\":[\"non-root\",\"claim\",\"packages\",\"complete\"]}",
	       "required-non-root required-claim required-packages", 0);
}

static void test_exceptions(void **state)
{
	(void)state;
	judged("{\"exceptions\":[{\"rule\":\"V1-ssh-server\",\"reason\":\"r\"}]}", "V2-uid-0", 0);
	judged("{\"exceptions\":[{\"rule\":\"V1-ssh-server\",\"reason\":\"r\",\"expires\":\"2026-06-15\"}]}", "V2-uid-0", day("2026-06-16T00:00:00Z"));
	judged("{\"exceptions\":[{\"rule\":\"V1-ssh-server\",\"reason\":\"r\",\"expires\":\"2026-06-14\"}]}", "V1-ssh-server V2-uid-0", 0);
	judged("{\"exceptions\":[{\"rule\":\"*\",\"reason\":\"r\",\"path\":\"/usr/*\"}]}", "V2-uid-0", 0);
	judged("{\"exceptions\":[{\"rule\":\"*\",\"reason\":\"r\",\"image\":\"localhost/web*\"}]}", "", 0);
	judged("{\"exceptions\":[{\"rule\":\"*\",\"reason\":\"r\",\"image\":\"web*\"}]}", "V1-ssh-server V2-uid-0", 0);
	judged("{\"fail_on\":\"never\",\"required\":[\"claim\"],\"exceptions\":[{\"rule\":\"required-claim\",\"reason\":\"r\"}]}", "", 0);
}

static void refused(const char *policy, const char *why)
{
	struct vet_policy p;
	struct error e = { 0 };

	assert_true(vet_policy_parse(&p, policy, strlen(policy), "p", &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" is not in: %s", why, e.text);
}

static void test_refused(void **state)
{
	(void)state;
	refused("[]", "not an object");
	refused("{\"failon\":\"high\"}", "failon: means nothing");
	refused("{\"fail_on\":\"worst\"}", "fail_on:");
	refused("{\"required\":[\"nonroot\"]}", "none of");
	refused("{\"exceptions\":[{\"reason\":\"r\"}]}", "exceptions[0]: no rule");
	refused("{\"exceptions\":[{\"rule\":\"x\",\"reason\":\"\"}]}", "no reason");
	refused("{\"exceptions\":[{\"rule\":\"x\",\"reason\":\"r\",\"until\":\"2026-01-01\"}]}", "exceptions[0].until: means nothing");
	refused("{\"exceptions\":[{\"rule\":\"x\",\"reason\":\"r\",\"expires\":\"1.1.2026\"}]}", "YYYY-MM-DD");
	refused("{\"exceptions\":[{\"rule\":\"x\",\"reason\":\"r\",\"expires\":\"2026-02-30\"}]}", "YYYY-MM-DD");
	refused("{\"fail_on\":\"high\",\"fail_on\":\"low\"}", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge), cmocka_unit_test(test_exceptions), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
