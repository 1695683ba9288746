/* SPDX-License-Identifier: Apache-2.0 */
/* Bills of materials: what is written is read back; documents of other tools; what is broken is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "vet/packages.h"

#include <string.h>

static const char inventory[] =
	"[{\"type\":\"deb\",\"name\":\"libc6\",\"version\":\"2.36-9+deb12u14\",\"arch\":\"amd64\",\"source\":{\"name\":\"glibc\",\"version\":\"2.36-9\"},"
	"\"distro\":{\"id\":\"debian\",\"version\":\"12\",\"codename\":\"bookworm\"},\"maintainer\":\"GNU Libc <g@debian.org>\",\"license\":\"GPL-2.0-only AND MIT\","
	"\"path\":\"var/lib/dpkg/status\",\"layer\":0,"
	"\"purl\":\"pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc%402.36-9\"},"
	"{\"type\":\"rpm\",\"name\":\"a b\",\"version\":\"1:2-3\",\"maintainer\":\"Red Hat, Inc.\",\"license\":\"GPLv2+\",\"purl\":\"pkg:rpm/fedora/a%20b@2-3?epoch=1\"},"
	"{\"type\":\"npm\",\"name\":\"@s/x\",\"version\":\"1.0\",\"license\":\"MIT\",\"purl\":\"pkg:npm/%40s/x@1.0\"}]";

static json_t *parse(const char *s)
{
	struct error e = { 0 };
	json_t *j = json_parse(s, strlen(s), "test", &e);

	if (!j)
		fail_msg("%s", e.text);
	return j;
}

/* "type name version source source-version codename" of each package. */
static char *summary(const json_t *packages)
{
	struct buf b = { 0 };
	const json_t *p;
	size_t i;

	json_array_foreach(packages, i, p) {
		static const char *const keys[] = { "type", "name", "version" };
		const json_t *source = json_object_get(p, "source"), *distro = json_object_get(p, "distro");

		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			buf_printf(&b, "%s ", json_string_value(json_object_get(p, keys[k])));
		buf_printf(&b, "%s %s %s\n", source ? json_string_value(json_object_get(source, "name")) : "-",
			source ? json_string_value(json_object_get(source, "version")) : "-",
			distro && json_object_get(distro, "codename") ? json_string_value(json_object_get(distro, "codename")) : "-");
	}
	return buf_steal(&b);
}

static void there_and_back(void **state)
{
	static const char want[] = "deb libc6 2.36-9+deb12u14 glibc 2.36-9 bookworm\nrpm a b 1:2-3 a b 1:2-3 -\nnpm @s/x 1.0 - - -\n";
	json_t *(*const writers[])(const struct sbom_subject *) = { sbom_spdx, sbom_cyclonedx };
	_cleanup_json_ json_t *packages = parse(inventory);
	const struct sbom_subject s = { "web:1", "00ff", packages, 1700000000123456789 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		_cleanup_json_ json_t *doc = writers[i](&s), *again = writers[i](&s), *got = NULL;
		_cleanup_free_ char *text = NULL;
		struct error e = { 0 };
		struct sbom bill;

		assert_true(json_equal(doc, again));
		assert_int_equal(sbom_read(doc, &bill, &e), 0);
		got = bill.packages;
		assert_int_equal(bill.skipped, 0);
		assert_string_equal(bill.name, "web:1");
		text = summary(got);
		assert_string_equal(text, want);
	}
}

static const char *at(const json_t *doc, const char *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(doc, list), i), key));
}

static void spdx_members(void **state)
{
	_cleanup_json_ json_t *packages = parse(inventory);
	const struct sbom_subject s = { "web:1", "00ff", packages, 1700000000123456789 };
	_cleanup_json_ json_t *doc = sbom_spdx(&s);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json_object_get(doc, "creationInfo"), "created")), "2023-11-14T22:13:20Z");
	assert_string_equal(at(doc, "packages", 0, "primaryPackagePurpose"), "CONTAINER");
	assert_string_equal(at(doc, "packages", 1, "licenseDeclared"), "GPL-2.0-only AND MIT");
	assert_string_equal(at(doc, "packages", 1, "supplier"), "Person: GNU Libc (g@debian.org)");
	assert_string_equal(at(doc, "packages", 2, "supplier"), "Organization: Red Hat, Inc.");
	assert_string_equal(at(doc, "packages", 2, "licenseDeclared"), "LicenseRef-1");
	assert_string_equal(at(doc, "packages", 2, "SPDXID"), "SPDXRef-rpm-a-b-2");
	assert_string_equal(at(doc, "hasExtractedLicensingInfos", 0, "extractedText"), "GPLv2+");
	assert_string_equal(at(doc, "relationships", 0, "relationshipType"), "DESCRIBES");
	assert_int_equal(json_array_size(json_object_get(doc, "relationships")), 4);
}

static void licenses(void **state)
{
	(void)state;
	assert_true(sbom_license_known("MIT"));
	assert_true(sbom_license_known("GPL-2.0-only WITH Classpath-exception-2.0 OR MIT"));
	assert_false(sbom_license_known("MIT AND"));
	assert_false(sbom_license_known("MIT MIT"));
	assert_false(sbom_license_known("WITH"));
	assert_false(sbom_license_known("(MIT)"));
	assert_false(sbom_license_known(""));
	assert_false(sbom_license_known(NULL));
	assert_false(sbom_license_known("MIT WITH GCC-exception-3.1 WITH GCC-exception-3.1"));
	assert_false(sbom_license_id("GPL-2.0-only AND MIT"));
}

/* As trivy and syft write them. */
static void of_others(void **state)
{
	static const char spdx[] =
		"{\"spdxVersion\":\"SPDX-2.3\",\"name\":\"debian:11\",\"packages\":["
		"{\"name\":\"debian:11\",\"SPDXID\":\"SPDXRef-ContainerImage\",\"primaryPackagePurpose\":\"CONTAINER\","
		"\"externalRefs\":[{\"referenceType\":\"purl\",\"referenceLocator\":\"pkg:oci/debian@sha256:00\"}]},"
		"{\"name\":\"debian\",\"versionInfo\":\"11.8\",\"primaryPackagePurpose\":\"OPERATING-SYSTEM\"},"
		"{\"name\":\"libssl1.1\",\"sourceInfo\":\"built package from: openssl 1.1.1n-0+deb11u5\",\"licenseDeclared\":\"NOASSERTION\","
		"\"externalRefs\":[{\"referenceType\":\"cpe23Type\",\"referenceLocator\":\"cpe:x\"},"
		"{\"referenceType\":\"purl\",\"referenceLocator\":\"pkg:deb/debian/libssl1.1@1.1.1n-0%2Bdeb11u4?arch=amd64\"}]},"
		"{\"name\":\"no purl\"}]}";
	static const char cdx[] =
		"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"metadata\":{\"component\":{\"name\":\"x\"}},\"components\":["
		"{\"type\":\"operating-system\",\"name\":\"ubuntu\",\"version\":\"22.04\"},"
		"{\"type\":\"library\",\"name\":\"libc6\",\"purl\":\"pkg:deb/ubuntu/libc6@2.35?arch=amd64\","
		"\"properties\":[{\"name\":\"aquasecurity:trivy:SrcName\",\"value\":\"glibc\"},{\"name\":\"aquasecurity:trivy:SrcVersion\",\"value\":\"2.35-0\"}],"
		"\"components\":[{\"type\":\"library\",\"name\":\"inner\",\"purl\":\"pkg:gem/inner@1\"}]},"
		"{\"type\":\"file\",\"name\":\"/etc/x\"},{\"type\":\"library\",\"name\":\"odd\",\"purl\":\"pkg:swift/odd@1\"}]}";
	static const char *const docs[] = { spdx, cdx };
	static const char *const want[] = { "deb libssl1.1 1.1.1n-0+deb11u4 openssl 1.1.1n-0+deb11u5 bullseye\n",
		"deb libc6 2.35 glibc 2.35-0 jammy\ngem inner 1 - - -\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		_cleanup_json_ json_t *doc = parse(docs[i]), *got = NULL;
		_cleanup_free_ char *text = NULL;
		struct error e = { 0 };
		struct sbom bill;

		assert_int_equal(sbom_read(doc, &bill, &e), 0);
		got = bill.packages;
		assert_int_equal(bill.skipped, 1);
		text = summary(got);
		assert_string_equal(text, want[i]);
	}
}

static void broken(void **state)
{
	static const char *const docs[] = { "{}", "[]", "{\"spdxVersion\":\"SPDX-3.0\"}", "{\"spdxVersion\":\"SPDX-2.3\",\"packages\":{}}",
		"{\"spdxVersion\":\"SPDX-2.3\",\"packages\":[1]}", "{\"spdxVersion\":\"SPDX-2.3\",\"packages\":[{}]}",
		"{\"bomFormat\":\"CycloneDX\"}", "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"2.0\"}",
		"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":{}}",
		"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{\"name\":\"x\",\"components\":[3]}]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		_cleanup_json_ json_t *doc = parse(docs[i]);
		struct error e = { 0 };
		struct sbom bill;

		assert_true(sbom_read(doc, &bill, &e) < 0);
		assert_non_null(strstr(e.text, "bill of materials: "));
		assert_null(bill.packages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(spdx_members), cmocka_unit_test(licenses), cmocka_unit_test(of_others),
		cmocka_unit_test(broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
