/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "vet/match.h"
#include "vet/vet.h"

#include <string.h>

/* An index in memory, to which documents are added one import after the other. */
struct store {
	char *data;
	size_t n;
};

static int import(struct store *s, const char *document, struct error *e)
{
	_cleanup_advdb_ struct advdb_db *db = NULL;
	const void *bytes;
	size_t n;
	int r = advdb_open_write(s->data, s->n, &db, e);

	if (r == 0)
		r = advdb_begin(db, "a file", "0123", 1680000000, e);
	if (r == 0)
		r = advisory_parse("doc", document, strlen(document), advdb_sink(db), e);
	if (r == 0)
		r = advdb_end(db, e);
	if (r == 0)
		r = advdb_bytes(db, &bytes, &n, e);
	if (r < 0)
		return r;
	free(s->data);
	s->data = xmalloc(n);
	memcpy(s->data, bytes, n);
	s->n = n;
	return 0;
}

static void add(struct store *s, const char *document)
{
	struct error e = { 0 };

	if (import(s, document, &e) < 0)
		fail_msg("%s", e.text);
}

static bool module_enabled(void *ctx, const char *module)
{
	return streq(module, ctx);
}

/* "PACKAGE VERSION ID STATUS LEVEL FIXED" for each match, joined by newlines. */
static char *matches(const struct store *s, const char *inventory, struct vuln_result *keep)
{
	_cleanup_advdb_ struct advdb_db *db = NULL;
	_cleanup_json_ json_t *packages = NULL;
	struct vuln_result out = { 0 };
	struct error e = { 0 };
	struct buf text = { 0 };

	packages = json_parse(inventory, strlen(inventory), "inventory", &e);
	if (!packages || advdb_open_read(s->data, s->n, &db, &e) < 0 ||
		match_packages(db, packages, module_enabled, (char *)"nodejs:12", &out, &e) < 0)
		fail_msg("%s", e.text);
	buf_puts(&text, "");
	for (size_t i = 0; i < out.n; i++) {
		const struct vuln_match *m = &out.list[i];

		buf_printf(&text, "%s %s %s %s %d %s\n", m->package, m->version, m->id,
			advisory_status_names[m->status], m->level, m->fixed ? m->fixed : "-");
	}
	if (keep)
		*keep = out;
	else
		vuln_result_free(&out);
	return buf_steal(&text);
}

static void expect(const struct store *s, const char *inventory, const char *expected)
{
	_cleanup_free_ char *got = matches(s, inventory, NULL);

	assert_string_equal(got, expected);
}

#define DEB(name, version, source, source_version)                                  \
	"{\"type\": \"deb\", \"name\": \"" name "\", \"version\": \"" version       \
	"\", \"source\": {\"name\": \"" source "\", \"version\": \"" source_version \
	"\"}, \"distro\": {\"id\": \"debian\", \"version\": \"11\", \"codename\": \"bullseye\"}}"

static const char list[] = "[29 Mar 2023] DSA-5380-1 xorg-server - security "
			   "update\n\t{CVE-2023-1393}\n\t[bullseye] - xorg-server 2:1.20.11-1+deb11u6\n"
			   "[01 Feb 2023] DSA-5370-2 xorg-server - security "
			   "update\n\t{CVE-2023-1000}\n\t[bullseye] - xorg-server 2:1.20.11-1+deb11u5\n"
			   "[01 Jan 2023] DSA-5370-1 xorg-server - security "
			   "update\n\t{CVE-2023-1000}\n\t[bullseye] - xorg-server 2:1.20.11-1+deb11u4\n"
			   "\t[buster] - xorg-server 2:1.20.4-1+deb10u9\n\t[sid] - other 1\n";

static void test_debian(void **state)
{
	struct store s = { 0 };

	(void)state;
	add(&s, list);
	/* The source's version counts, not the binary's; a fix that came in two steps is complete with the second. */
	expect(&s, "[" DEB("xserver-common", "9:9", "xorg-server", "2:1.20.11-1+deb11u4") "]",
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-1000 affected 2 2:1.20.11-1+deb11u5\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-1393 affected 2 2:1.20.11-1+deb11u6\n");
	expect(&s, "[" DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u5") "]",
		"xorg-server 2:1.20.11-1+deb11u5 CVE-2023-1393 affected 2 2:1.20.11-1+deb11u6\n");
	expect(&s, "[" DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u6") "]", "");
	expect(&s, "[" DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u10") "]", "");
	/* Fixes of another release, a newer upstream version included, say nothing. */
	expect(&s, "[" DEB("other", "0", "other", "0") "]", "");
	/* Two binaries of one source are one finding. */
	expect(&s,
		"[" DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u5") "," DEB(
			"xserver-xorg-core", "1", "xorg-server", "2:1.20.11-1+deb11u5") "]",
		"xorg-server 2:1.20.11-1+deb11u5 CVE-2023-1393 affected 2 2:1.20.11-1+deb11u6\n");
	/* The tracker knows better than the lists, and is the later word about this package. */
	add(&s, "{\"xorg-server\": {\"CVE-2023-1393\": {\"releases\": {\"bullseye\": {\"status\": "
		"\"resolved\", \"fixed_version\": \"0\", \"urgency\": \"low\"}}},"
		"\"CVE-2023-2000\": {\"releases\": {\"bullseye\": {\"status\": \"open\", \"nodsa\": \"Minor "
		"issue\", \"urgency\": \"high\"}}},"
		"\"CVE-2023-3000\": {\"releases\": {\"bullseye\": {\"status\": \"undetermined\", "
		"\"urgency\": \"high\"}}},"
		"\"CVE-2023-4000\": {\"releases\": {\"bullseye\": {\"status\": \"open\", \"urgency\": "
		"\"end-of-life\"}}},"
		"\"CVE-2023-5000\": {\"releases\": {\"bullseye\": {\"status\": \"open\", \"urgency\": "
		"\"unimportant\"}}}}}");
	expect(&s, "[" DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u4") "]",
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-1000 affected 2 2:1.20.11-1+deb11u5\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-2000 minor 3 -\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-3000 undetermined 4 -\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-4000 end-of-life 2 -\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-5000 minor 4 -\n");
	/* A feed that is imported again replaces what it said. */
	add(&s, "[30 Mar 2023] DSA-5381-1 curl - security update\n\t{CVE-2023-6000}\n\t[bullseye] - curl 1\n");
	expect(&s, "[" DEB("curl", "0", "curl", "0") "," DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u4") "]",
	       "curl 0 CVE-2023-6000 affected 2 1\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-2000 minor 3 -\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-3000 undetermined 4 -\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-4000 end-of-life 2 -\n"
	       "xorg-server 2:1.20.11-1+deb11u4 CVE-2023-5000 minor 4 -\n");
	free(s.data);
}

static void test_known(void **state)
{
	struct store s = { 0 };

	(void)state;
	add(&s, "[29 Mar 2023] DSA-1-1 a - security update\n\t{CVE-2023-1001 CVE-2023-1002 CVE-2023-1003}\n\t[bullseye] - a 2\n");
	add(&s, "{\"catalogVersion\": \"1\", \"vulnerabilities\": [{\"cveID\": \"CVE-2023-1001\", \"dateAdded\": \"2023-04-01\"}]}");
	add(&s, "cve,epss,percentile\nCVE-2023-1002,0.7,0.99\nCVE-2023-1003,0.01,0.5\n");
	expect(&s, "[" DEB("a", "1", "a", "1") "]",
		"a 1 CVE-2023-1001 affected 0 2\na 1 CVE-2023-1002 affected 1 2\na 1 CVE-2023-1003 affected "
		"2 2\n");
	free(s.data);
}

static void test_osv(void **state)
{
	static const char record[] =
		"{\"id\": \"GHSA-1\", \"modified\": \"1\", \"affected\": [{\"package\": {\"ecosystem\": "
		"\"PyPI\", \"name\": \"zope-interface\"},"
		"\"ranges\": [{\"type\": \"ECOSYSTEM\", \"events\": [{\"introduced\": \"1.0\"}, {\"fixed\": "
		"\"1.5\"}, {\"introduced\": \"2.0rc1\"}, {\"last_affected\": \"2.1\"}]}]}]}";
	struct store s = { 0 };

	(void)state;
	add(&s, record);
#define PYPI(version) "[{\"type\": \"pypi\", \"name\": \"Zope.Interface\", \"version\": \"" version "\"}]"
	expect(&s, PYPI("0.9"), "");
	expect(&s, PYPI("1.0"), "Zope.Interface 1.0 GHSA-1 affected 2 1.5\n");
	expect(&s, PYPI("1.5.dev1"), "Zope.Interface 1.5.dev1 GHSA-1 affected 2 1.5\n");
	expect(&s, PYPI("1.5"), "");
	expect(&s, PYPI("2.0b1"), "");
	expect(&s, PYPI("2.0rc2"), "Zope.Interface 2.0rc2 GHSA-1 affected 2 -\n");
	expect(&s, PYPI("2.1"), "Zope.Interface 2.1 GHSA-1 affected 2 -\n");
	expect(&s, PYPI("2.1.1"), "");
	/* The record is withdrawn, by itself. */
	add(&s, "{\"id\": \"GHSA-2\", \"modified\": \"1\", \"affected\": [{\"package\": {\"ecosystem\": "
		"\"PyPI\", \"name\": \"zope-interface\"}, \"versions\": [\"9\"]}]}");
	expect(&s, PYPI("1.0"), "Zope.Interface 1.0 GHSA-1 affected 2 1.5\n");
	add(&s, "{\"id\": \"GHSA-1\", \"modified\": \"2\", \"withdrawn\": \"2023\"}");
	expect(&s, PYPI("1.0"), "");
	expect(&s, PYPI("9"), "Zope.Interface 9 GHSA-2 affected 2 -\n");
	free(s.data);
}

static void test_alpine(void **state)
{
	struct store s = { 0 };

	(void)state;
	add(&s, "{\"distroversion\": \"v3.18\", \"reponame\": \"main\", \"packages\": [{\"pkg\": {\"name\": "
		"\"openssl\", \"secfixes\": {\"3.1.0-r4\": [\"CVE-2023-1255\"], \"0\": "
		"[\"CVE-2023-9999\"]}}}]}");
#define APK(version)                                                                              \
	"[{\"type\": \"apk\", \"name\": \"libssl3\", \"version\": \"" version                     \
	"\", \"source\": {\"name\": \"openssl\"}, \"distro\": {\"id\": \"alpine\", \"version\": " \
	"\"3.18.4\"}}]"
	expect(&s, APK("3.1.0-r3"), "openssl 3.1.0-r3 CVE-2023-1255 affected 2 3.1.0-r4\n");
	expect(&s, APK("3.1.0-r4"), "");
	expect(&s, APK("3.1.0_rc1-r9"), "openssl 3.1.0_rc1-r9 CVE-2023-1255 affected 2 3.1.0-r4\n");
	expect(&s, APK("3.1.0-r10"), "");
	free(s.data);
}

/* What is not known is said, and never passed as clean. */
static void test_covers(void **state)
{
	struct store s = { 0 };
	struct vuln_result out = { 0 };
	_cleanup_free_ char *got = NULL;

	(void)state;
	add(&s, list);
	got = matches(&s,
		"[" DEB("curl", "0", "curl",
			"0") ", {\"type\": \"npm\", \"name\": \"a\", \"version\": \"1\"}, {\"type\": "
			     "\"deb\", \"name\": \"x\", \"version\": \"1\"},"
			     "{\"type\": \"deb\", \"name\": \"x\", \"version\": \"1\", \"distro\": {\"id\": "
			     "\"debian\", \"version\": \"12\", \"codename\": \"bookworm\"}}]",
		&out);
	assert_string_equal(got, "");
	assert_int_equal(out.looked, 1);
	assert_int_equal(json_object_size(out.not_covered), 3);
	assert_int_equal(json_integer_value(json_object_get(out.not_covered, "npm")), 1);
	assert_int_equal(json_integer_value(json_object_get(out.not_covered, "deb")), 1);
	assert_int_equal(json_integer_value(json_object_get(out.not_covered, "deb/debian bookworm")), 1);
	assert_string_equal(json_string_value(json_object_get(out.newest, "deb/debian bullseye")), "2023-03-29");
	vuln_result_free(&out);
	free(s.data);
}

static void test_status(void **state)
{
	_cleanup_advdb_ struct advdb_db *db = NULL;
	_cleanup_json_ json_t *status = NULL;
	struct store s = { 0 };
	struct error e = { 0 };
	const json_t *feed;

	(void)state;
	add(&s, list);
	add(&s, "cve,epss,percentile\nCVE-2023-1002,0.7,0.99\n");
	assert_int_equal(advdb_open_read(s.data, s.n, &db, &e), 0);
	assert_int_equal(advdb_status(db, &status, &e), 0);
	assert_int_equal(json_array_size(json_object_get(status, "feeds")), 2);
	feed = json_array_get(json_object_get(status, "feeds"), 0);
	assert_string_equal(json_string_value(json_object_get(feed, "name")), "debian-dsa");
	assert_string_equal(json_string_value(json_object_get(feed, "published")), "2023-03-29");
	assert_int_equal(json_integer_value(json_object_get(feed, "statements")), 5);
	assert_int_equal(json_integer_value(json_object_get(feed, "imported")), 1680000000);
	assert_int_equal(json_integer_value(json_object_get(status, "epss")), 1);
	assert_int_equal(json_array_size(json_object_get(status, "places")), 3);
	advdb_close(steal_ptr(&db));
	/* What is no index, or a damaged one, is refused or fails; it never answers "nothing". */
	assert_int_equal(advdb_open_read("hello", 5, &db, &e), -EBADMSG);
	memset(s.data + 4096, 0xff, s.n - 4096);
	if (advdb_open_read(s.data, s.n, &db, &e) == 0)
		assert_true(advdb_covers(db, "deb/debian", (const char *const[]){ "bullseye", NULL }, &e) < 0);
	free(s.data);
}

/* A document that is broken at its end leaves nothing behind. */
static void test_broken(void **state)
{
	struct store s = { 0 };
	struct error e = { 0 };

	(void)state;
	add(&s, list);
	assert_int_equal(
		import(&s,
			"[30 Mar 2023] DSA-5381-1 curl - security update\n\t[bullseye] - curl 1\n\tbroken\n",
			&e),
		-EBADMSG);
	expect(&s, "[" DEB("xserver-common", "1", "xorg-server", "2:1.20.11-1+deb11u5") "]",
		"xorg-server 2:1.20.11-1+deb11u5 CVE-2023-1393 affected 2 2:1.20.11-1+deb11u6\n");
	free(s.data);
}

#define OVAL_RPM(def)                                                                                    \
	"<o><generator/><definitions><definition class=\"patch\"><metadata><affected><platform>Red Hat " \
	"Enterprise Linux 8</platform></affected>"                                                       \
	"<reference ref_id=\"CVE-2023-1001\"/></metadata><criteria><criterion comment=\"" def            \
	"\" test_ref=\"x\"/><criterion test_ref=\"t\"/></criteria></definition></definitions>"           \
	"<rpminfo_test id=\"t\"><object object_ref=\"o\"/><state "                                       \
	"state_ref=\"s\"/></rpminfo_test><rpminfo_object id=\"o\"><name>nodejs</name></rpminfo_object>"  \
	"<rpminfo_state id=\"s\"><evr operation=\"less than\">1:12.22-2.el8</evr></rpminfo_state></o>"
#define RPM(version)                                                         \
	"[{\"type\": \"rpm\", \"name\": \"nodejs\", \"version\": \"" version \
	"\", \"source\": {\"name\": \"nodejs\"}, \"distro\": {\"id\": \"centos\", \"version\": \"8.4\"}}]"

static void test_redhat(void **state)
{
	struct store s = { 0 };

	(void)state;
	add(&s, OVAL_RPM("Module nodejs:12 is enabled"));
	expect(&s, RPM("1:12.22-1.el8"), "nodejs 1:12.22-1.el8 CVE-2023-1001 affected 2 1:12.22-2.el8\n");
	expect(&s, RPM("1:12.22-2.el8"), "");
	add(&s, OVAL_RPM("Module nodejs:14 is enabled"));
	expect(&s, RPM("1:12.22-1.el8"), "");
	add(&s, OVAL_RPM("nothing"));
	expect(&s, RPM("12.22-3.el8"), "nodejs 12.22-3.el8 CVE-2023-1001 affected 2 1:12.22-2.el8\n");
	free(s.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debian),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_osv),
		cmocka_unit_test(test_alpine),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_redhat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
