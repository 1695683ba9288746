/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "vet/excuse.h"

#include <string.h>

static const char inventory[] = "[{\"type\": \"deb\", \"name\": \"libssl1.1\", \"version\": \"1.1.1n-0+deb11u3\", \"source\": {\"name\": \"openssl\", \"version\": \"1.1.1n-0+deb11u3\"},"
				"\"distro\": {\"id\": \"debian\"}, \"purl\": \"pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u3?arch=amd64&distro=debian-11\"}]";

static struct excuse_subject subject(json_t **keep)
{
	*keep = json_loads(inventory, 0, NULL);
	assert_non_null(*keep);
	return (struct excuse_subject){ .id = "CVE-2023-0286", .package = "openssl", .packages = *keep, .image = "localhost/web:1", .digest = "ab", .today = "2026-11-26" };
}

static void takes(const char *text, const char *reason)
{
	_cleanup_json_ json_t *packages = NULL;
	struct excuse_subject s = subject(&packages);
	struct excuses x = { 0 };
	struct error e = { 0 };
	const struct excuse *found;
	int r = *text == '{' ? excuse_parse_vex("file", text, strlen(text), &x, &e) : excuse_parse_ignore("file", text, strlen(text), &x, &e);

	if (r < 0)
		fail_msg("%s", e.text);
	found = excuse_find(&x, &s);
	if (!reason && found)
		fail_msg("excused: %s", text);
	if (reason && !found)
		fail_msg("not excused: %s", text);
	if (reason)
		assert_string_equal(found->reason, reason);
	excuses_free(&x);
}

static void refuses(const char *text, const char *why)
{
	struct excuses x = { 0 };
	struct error e = { 0 };
	int r = *text == '{' ? excuse_parse_vex("file", text, strlen(text), &x, &e) : excuse_parse_ignore("file", text, strlen(text), &x, &e);

	assert_int_equal(r, -EBADMSG);
	if (!strstr(e.text, why))
		fail_msg("%s, not %s", e.text, why);
	excuses_free(&x);
}

static void test_ignore(void **state)
{
	(void)state;
	takes("# what we know\n\nCVE-2023-0286 openssl 2026-12-31 no X.400 here \r\n", "no X.400 here");
	takes("CVE-2023-0286\tlibssl1.1\t2026-11-26\tuntil tonight", "until tonight");
	takes("CVE-2023-0286 * 2099-01-01 x", "x");
	takes("CVE-2023-0286 openssl 2026-11-25 yesterday", NULL);
	takes("CVE-2023-0286 curl 2099-01-01 another package", NULL);
	takes("CVE-2023-028 openssl 2099-01-01 another number", NULL);
	refuses("CVE-2023-0286 openssl 2099-01-01\n", "without a reason");
	refuses("CVE-2023-0286 openssl\n", "expected ID PACKAGE UNTIL REASON");
	refuses("# x\nCVE-2023-0286 openssl 2099-13-01 reason\n", "line 2: 2099-13-01 is no day");
	refuses("CVE-2023-0286 openssl never reason\n", "is no day");
}

#define VEX(product, status, more)                                                                                                         \
	"{\"@context\": \"https://openvex.dev/ns/v0.2.0\", \"@id\": \"x\", \"timestamp\": \"2023-01-01T00:00:00Z\", \"statements\": [" \
	"{\"vulnerability\": {\"name\": \"CVE-2023-0286\"}, \"products\": [" product "], \"status\": \"" status "\"" more "}]}"
#define BECAUSE ", \"justification\": \"vulnerable_code_not_present\""

static void test_vex(void **state)
{
	(void)state;
	takes(VEX("{\"@id\": \"pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u3\"}", "not_affected", BECAUSE), "vulnerable_code_not_present");
	takes(VEX("{\"@id\": \"pkg:deb/debian/libssl1.1@1.1.1n-0+deb11u3?arch=amd64\"}", "not_affected", BECAUSE), "vulnerable_code_not_present");
	takes(VEX("{\"@id\": \"x\", \"identifiers\": {\"purl\": \"pkg:deb/debian/libssl1.1\"}}", "fixed", ""), "fixed");
	takes(VEX("{\"@id\": \"pkg:deb/debian/openssl@1.1.1n-0%2Bdeb11u3?arch=source\"}", "not_affected", BECAUSE), "vulnerable_code_not_present");
	takes(VEX("\"pkg:deb/debian/libssl1.1\"", "not_affected", ", \"impact_statement\": \"built without it\""), "built without it");
	takes(VEX("{\"@id\": \"pkg:oci/web@sha256:ab\", \"subcomponents\": [{\"@id\": \"pkg:deb/debian/libssl1.1\"}]}", "not_affected", BECAUSE), "vulnerable_code_not_present");
	takes(VEX("{\"@id\": \"pkg:oci/web@sha256%3Aab\"}", "not_affected", BECAUSE), "vulnerable_code_not_present");
	takes(VEX("{\"@id\": \"pkg:oci/web\"}", "not_affected", BECAUSE), "vulnerable_code_not_present");
	/* Another version, architecture, package, digest, image, part: no excuse. */
	takes(VEX("{\"@id\": \"pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u4\"}", "not_affected", BECAUSE), NULL);
	takes(VEX("{\"@id\": \"pkg:deb/debian/libssl1.1?arch=arm64\"}", "not_affected", BECAUSE), NULL);
	takes(VEX("{\"@id\": \"pkg:deb/ubuntu/libssl1.1\"}", "not_affected", BECAUSE), NULL);
	takes(VEX("{\"@id\": \"pkg:oci/web@sha256:cd\"}", "not_affected", BECAUSE), NULL);
	takes(VEX("{\"@id\": \"pkg:oci/webx\"}", "not_affected", BECAUSE), NULL);
	takes(VEX("{\"@id\": \"pkg:oci/web\", \"subcomponents\": [{\"@id\": \"pkg:deb/debian/curl\"}]}", "not_affected", BECAUSE), NULL);
	takes(VEX("", "not_affected", BECAUSE), NULL);
	/* What admits it, or does not know, excuses nothing. */
	takes(VEX("{\"@id\": \"pkg:oci/web\"}", "affected", ""), NULL);
	takes(VEX("{\"@id\": \"pkg:oci/web\"}", "under_investigation", ""), NULL);
	refuses(VEX("{\"@id\": \"pkg:oci/web\"}", "not_affected", ""), "without justification");
	refuses(VEX("{\"@id\": \"pkg:oci/web\"}", "fine", ""), "statements[0].status");
	refuses("{\"statements\": []}", "not an OpenVEX document");
	refuses("{\"@context\": \"https://openvex.dev/ns\"}", "no statements");
}

/* The latest word counts, in whatever order they stand. */
static void test_latest(void **state)
{
#define STATEMENT(status, day) \
	"{\"vulnerability\": \"CVE-2023-0286\", \"products\": [\"pkg:oci/web\"], \"justification\": \"j\", \"status\": \"" status "\", \"timestamp\": \"2023-01-" day "T00:00:00Z\"}"
#define DOC(a, b) "{\"@context\": \"https://openvex.dev/ns\", \"statements\": [" a "," b "]}"
	(void)state;
	takes(DOC(STATEMENT("affected", "01"), STATEMENT("not_affected", "02")), "j");
	takes(DOC(STATEMENT("not_affected", "02"), STATEMENT("affected", "01")), "j");
	takes(DOC(STATEMENT("not_affected", "01"), STATEMENT("affected", "02")), NULL);
	takes(DOC(STATEMENT("affected", "02"), STATEMENT("not_affected", "01")), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ignore), cmocka_unit_test(test_vex), cmocka_unit_test(test_latest) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
