/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "vet/advisory.h"
#include "vet/vet.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything that comes out, a line each. */
static struct buf heard;

static int feed(void *ctx, const struct advisory_feed *f, const char *published, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_printf(&heard, "feed %s %d %s%s\n", f->name, f->priority, published ? published : "-", f->records ? " records" : "");
	return 0;
}

static int drop(void *ctx, const char *advisory, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_printf(&heard, "drop %s\n", advisory);
	return 0;
}

static int row(void *ctx, const struct advisory_row *r, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_printf(&heard, "%s %s %s%s %s %s %s", r->ecosystem, r->release, r->package, r->binary ? " (binary)" : "", r->id, r->advisory,
		   advisory_status_names[r->status]);
	if (r->introduced)
		buf_printf(&heard, " >=%s", r->introduced);
	if (r->fixed)
		buf_printf(&heard, " <%s", r->fixed);
	if (r->last)
		buf_printf(&heard, " <=%s", r->last);
	if (r->level != ADVISORY_NO_LEVEL)
		buf_printf(&heard, " level %d", r->level);
	if (r->cvss > 0)
		buf_printf(&heard, " cvss %.1f", r->cvss);
	if (r->module)
		buf_printf(&heard, " module %s", r->module);
	buf_puts(&heard, "\n");
	return 0;
}

static int kev(void *ctx, const char *cve, const char *added, const char *due, bool ransomware, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_printf(&heard, "kev %s %s %s%s\n", cve, added, due ? due : "-", ransomware ? " ransomware" : "");
	return 0;
}

static int epss(void *ctx, const char *cve, double score, double percentile, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_printf(&heard, "epss %s %.5f %.5f\n", cve, score, percentile);
	return 0;
}

static struct advisory_sink sink = { .feed = feed, .drop = drop, .row = row, .kev = kev, .epss = epss };

static int parse(const char *text, struct error *e)
{
	buf_free(&heard);
	heard = (struct buf){ 0 };
	buf_puts(&heard, "");
	sink.left_out = 0;
	return advisory_parse("doc", text, strlen(text), &sink, e);
}

static void says(const char *text, enum advisory_kind kind, uint64_t left_out, const char *expected)
{
	struct error e = { 0 };

	assert_int_equal(advisory_detect(text, strlen(text)), kind);
	if (parse(text, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(heard.data, expected);
	assert_int_equal(sink.left_out, left_out);
}

static void refuses(const char *text, const char *why)
{
	struct error e = { 0 };

	if (parse(text, &e) != -EBADMSG)
		fail_msg("taken: %s", text);
	if (!strstr(e.text, why))
		fail_msg("%s: %s, not \"%s\"", text, e.text, why);
}

static void test_list(void **state)
{
	(void)state;
	says("[29 Mar 2023] DSA-5380-1 xorg-server - security update\n"
	     "\t{CVE-2023-1393 CVE-2023-1394}\n"
	     "\t[bullseye] - xorg-server 2:1.20.11-1+deb11u6\n"
	     "[17 Mar 2023] DSA-5356-2 sox - regression update\n"
	     "\t[bullseye] - sox 14.4.2-2+deb11u2\n"
	     "[01 Jan 2003] DSA-220-1 squirrelmail - cross site scripting\n"
	     "        NOTE: a note with [brackets] and {CVE-1}\n"
	     "\t[woody] - squirrelmail 1:1.2.6-1.3 (bug #327452; medium)\n"
	     "\t[potato] - squirrelmail <not-affected> (not affected according to DSA)\n"
	     "\t[sid] - squirrelmail <unfixed> (high)\n"
	     "\t[etch] - squirrelmail <end-of-life>\n"
	     "\t[lenny] - squirrelmail <no-dsa> (Minor issue)\n"
	     "\t[wheezy] - squirrelmail <removed>\n",
	     ADVISORY_LIST, 2,
	     "feed debian-dsa 1 2023-03-29\n"
	     "deb/debian bullseye xorg-server CVE-2023-1393 DSA-5380-1 affected <2:1.20.11-1+deb11u6\n"
	     "deb/debian bullseye xorg-server CVE-2023-1394 DSA-5380-1 affected <2:1.20.11-1+deb11u6\n"
	     "deb/debian woody squirrelmail DSA-220-1 DSA-220-1 affected <1:1.2.6-1.3 level 2\n"
	     "deb/debian potato squirrelmail DSA-220-1 DSA-220-1 not-affected\n"
	     "deb/debian sid squirrelmail DSA-220-1 DSA-220-1 affected level 1\n"
	     "deb/debian etch squirrelmail DSA-220-1 DSA-220-1 end-of-life\n"
	     "deb/debian lenny squirrelmail DSA-220-1 DSA-220-1 minor\n");
	says("[01 Apr 2023] DLA-3380-1 firmware-nonfree - security update\n\t{CVE-2020-12362}\n\t[buster] - firmware-nonfree 1-0+deb10u1", ADVISORY_LIST, 0,
	     "feed debian-dla 1 2023-04-01\ndeb/debian buster firmware-nonfree CVE-2020-12362 DLA-3380-1 affected <1-0+deb10u1\n");
	refuses("[29 Foo 2023] DSA-1-1 x - y\n", "no advisory in it");
	refuses("[29 Mar 2023] DSA-1-1 x - y\n[nodate] DSA-2-1 x - y\n", "line 2: an advisory begins with its date");
	refuses("[29 Mar 2023] DSA-1-1 x - y\n\t{CVE-2023-1\n", "line 2: the list of CVEs has no end");
	refuses("[29 Mar 2023] DSA-1-1 x - y\n\t[bullseye] xorg 1\n", "line 2: expected [RELEASE] - PACKAGE VERSION");
	refuses("[29 Mar 2023] DSA-1-1 x - y\n\tsomething\n", "line 2: neither CVEs");
	refuses("[29 Mar 2023] USN-1-1 x - y\n", "neither DSA-N nor DLA-N");
}

static void test_tracker(void **state)
{
	(void)state;
	says("{\"openssl\": {\"CVE-2023-0286\": {\"description\": \"X.400\", \"scope\": \"remote\", \"releases\": {"
	     "\"bullseye\": {\"status\": \"resolved\", \"fixed_version\": \"1.1.1n-0+deb11u4\", \"urgency\": \"high**\", \"repositories\": {\"bullseye\": \"1\"}},"
	     "\"sid\": {\"status\": \"resolved\", \"fixed_version\": \"0\", \"urgency\": \"not yet assigned\"},"
	     "\"buster\": {\"status\": \"open\", \"urgency\": \"not yet assigned\"},"
	     "\"bookworm\": {\"status\": \"open\", \"urgency\": \"unimportant\", \"nodsa\": \"Minor issue\", \"nodsa_reason\": \"\"},"
	     "\"trixie\": {\"status\": \"undetermined\", \"urgency\": \"not yet assigned\"},"
	     "\"jessie\": {\"status\": \"open\", \"urgency\": \"end-of-life\"}}}},"
	     " \"zlib\" : {\"TEMP-1\": {\"releases\": {}}}}\n",
	     ADVISORY_TRACKER, 0,
	     "feed debian-tracker 0 -\n"
	     "deb/debian bullseye openssl CVE-2023-0286 CVE-2023-0286 affected <1.1.1n-0+deb11u4 level 1\n"
	     "deb/debian sid openssl CVE-2023-0286 CVE-2023-0286 not-affected <0\n"
	     "deb/debian buster openssl CVE-2023-0286 CVE-2023-0286 affected\n"
	     "deb/debian bookworm openssl CVE-2023-0286 CVE-2023-0286 minor level 4\n"
	     "deb/debian trixie openssl CVE-2023-0286 CVE-2023-0286 undetermined\n"
	     "deb/debian jessie openssl CVE-2023-0286 CVE-2023-0286 end-of-life\n");
	refuses("{\"a\": {\"CVE-2023-1\": {\"releases\": {\"sid\": {\"status\": \"maybe\"}}}}}", "neither open, resolved");
	refuses("{\"a\": {\"CVE-2023-1\": {\"releases\": {}}}, \"b\": {\"CVE-2023-2\": {}}}", "b.CVE-2023-2 has no releases");
	refuses("{\"a\": {\"CVE-2023-1\": {\"releases\": {}}}, \"b\": {\"CVE-2023-2\": {}", "the value of b does not end");
	refuses("{\"a\": {\"CVE-2023-1\": {\"releases\": {}}}} x", "bytes after the end");
	refuses("{\"a\": {\"CVE-2023-1\": {\"releases\": {}, \"releases\": {}}}}", "duplicate");
}

static void test_osv(void **state)
{
	(void)state;
	says("{\"schema_version\": \"1.6.0\", \"id\": \"GHSA-1\", \"modified\": \"2023\", \"aliases\": [\"CVE-2023-1000\"], \"summary\": \"s\","
	     "\"severity\": [{\"type\": \"CVSS_V3\", \"score\": \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}],"
	     "\"affected\": [{\"package\": {\"ecosystem\": \"PyPI\", \"name\": \"django\"}, \"ranges\": [{\"type\": \"ECOSYSTEM\", \"events\":"
	     "[{\"introduced\": \"0\"}, {\"fixed\": \"2.2\"}, {\"introduced\": \"3.0\"}, {\"last_affected\": \"3.1\"}, {\"introduced\": \"4.0\"}]},"
	     "{\"type\": \"GIT\", \"events\": [{\"introduced\": \"0\"}]}]},"
	     "{\"package\": {\"ecosystem\": \"npm\", \"name\": \"@a/b\"}, \"versions\": [\"1.0.1\", \"1.0.2\"], \"database_specific\": {\"severity\": \"HIGH\"}},"
	     "{\"package\": {\"ecosystem\": \"Hackage\", \"name\": \"x\"}}]}\n"
	     "{\"id\": \"DSA-1-1\", \"related\": [\"CVE-2023-2000\", \"CVE-2023-2001\"], \"affected\": [{\"package\": {\"ecosystem\": \"Debian:11\", \"name\": \"curl\"},"
	     "\"ranges\": [{\"type\": \"ECOSYSTEM\", \"events\": [{\"introduced\": \"0\"}, {\"fixed\": \"7.74.0-1\"}]}]}]}\n"
	     "{\"id\": \"ALPINE-CVE-2023-3000\", \"affected\": [{\"package\": {\"ecosystem\": \"Alpine:v3.18\", \"name\": \"curl\"},"
	     "\"ranges\": [{\"type\": \"ECOSYSTEM\", \"events\": [{\"introduced\": \"0\"}, {\"fixed\": \"8.0-r1\"}]}]},"
	     "{\"package\": {\"ecosystem\": \"Ubuntu:Pro:16.04:LTS\", \"name\": \"curl\"}}, {\"package\": {\"ecosystem\": \"Ubuntu:22.04:LTS\", \"name\": \"curl\"},"
	     "\"versions\": [\"1\"]}]}\n"
	     "{\"id\": \"GHSA-2\", \"withdrawn\": \"2023\", \"affected\": [{\"package\": {\"ecosystem\": \"npm\", \"name\": \"c\"}, \"versions\": [\"1\"]}]}\n",
	     ADVISORY_OSV, 4,
	     "feed osv 2 - records\n"
	     "drop GHSA-1\n"
	     "pypi  django CVE-2023-1000 GHSA-1 affected <2.2 cvss 9.8\n"
	     "pypi  django CVE-2023-1000 GHSA-1 affected >=3.0 <=3.1 cvss 9.8\n"
	     "pypi  django CVE-2023-1000 GHSA-1 affected >=4.0 cvss 9.8\n"
	     "npm  @a/b CVE-2023-1000 GHSA-1 affected >=1.0.1 <=1.0.1 level 1 cvss 9.8\n"
	     "npm  @a/b CVE-2023-1000 GHSA-1 affected >=1.0.2 <=1.0.2 level 1 cvss 9.8\n"
	     "drop DSA-1-1\n"
	     "deb/debian 11 curl CVE-2023-2000 DSA-1-1 affected <7.74.0-1\n"
	     "deb/debian 11 curl CVE-2023-2001 DSA-1-1 affected <7.74.0-1\n"
	     "drop ALPINE-CVE-2023-3000\n"
	     "apk/alpine 3.18 curl CVE-2023-3000 ALPINE-CVE-2023-3000 affected <8.0-r1\n"
	     "deb/ubuntu 22.04 curl CVE-2023-3000 ALPINE-CVE-2023-3000 affected >=1 <=1\n"
	     "drop GHSA-2\n");
	refuses("{\"modified\": \"x\", \"affected\": []}", "without an id");
	refuses("{\"id\": \"a\", \"affected\": [], \"modified\": \"\"} {\"id\": ", "cut, or damaged, at byte");
	refuses("{\"id\": \"a\", \"affected\": {}}", "affected is no list");
}

static void test_secdb(void **state)
{
	(void)state;
	says("{\"apkurl\": \"{{urlprefix}}\", \"urlprefix\": \"https://dl-cdn.alpinelinux.org/alpine\", \"distroversion\": \"v3.18\", \"reponame\": \"main\", \"packages\": ["
	     "{\"pkg\": {\"name\": \"openssl\", \"secfixes\": {\"3.1.0-r4\": [\"CVE-2023-1255\", \"CVE-2019-1 XSA-2\"], \"0\": [\"CVE-2022-1\"]}}}]}",
	     ADVISORY_SECDB, 0,
	     "feed alpine/v3.18/main 0 -\n"
	     "apk/alpine 3.18 openssl CVE-2023-1255 CVE-2023-1255 affected <3.1.0-r4\n"
	     "apk/alpine 3.18 openssl CVE-2019-1 CVE-2019-1 affected <3.1.0-r4\n"
	     "apk/alpine 3.18 openssl XSA-2 XSA-2 affected <3.1.0-r4\n"
	     "apk/alpine 3.18 openssl CVE-2022-1 CVE-2022-1 not-affected <0\n");
	refuses("{\"distroversion\": \"v3\"}", "no packages");
	refuses("{\"distroversion\": \"v3\", \"packages\": [{}]}", "has no pkg");
	refuses("{\"distroversion\": \"v3\", \"packages\": [{\"pkg\": {\"name\": \"x\", \"secfixes\": {\"1\": \"CVE\"}}}]}", "list of version 1");
}

static void test_known(void **state)
{
	(void)state;
	says("{\"title\": \"CISA\", \"catalogVersion\": \"2023.04.01\", \"dateReleased\": \"2023-04-01T12:00:00Z\", \"count\": 1, \"vulnerabilities\": ["
	     "{\"cveID\": \"CVE-2021-44228\", \"dateAdded\": \"2021-12-10\", \"dueDate\": \"2021-12-24\", \"knownRansomwareCampaignUse\": \"Known\"}]}",
	     ADVISORY_KEV, 0, "feed kev 0 2023-04-01T12:00:00Z\nkev CVE-2021-44228 2021-12-10 2021-12-24 ransomware\n");
	says("#model_version:v2023.03.01,score_date:2023-04-01T00:00:00+0000\ncve,epss,percentile\nCVE-2021-44228,0.97565,0.99999\r\nCVE-1999-0001,9.0e-05,0\n",
	     ADVISORY_EPSS, 0, "feed epss 0 2023-04-01T00:00:00+0000\nepss CVE-2021-44228 0.97565 0.99999\nepss CVE-1999-0001 0.00009 0.00000\n");
	refuses("{\"catalogVersion\": \"1\", \"vulnerabilities\": [{\"cveID\": \"x\"}]}", "no cveID or no dateAdded");
	refuses("cve,epss,percentile\nCVE-2021-44228,1.5,0\n", "line 2: the score is no number from 0 to 1");
	refuses("cve,epss,percentile\nfoo,0.5,0\n", "does not begin with a CVE");
	refuses("cve,epss,percentile\nCVE-2021-44228,nan,0\n", "no number");
	refuses("#model_version:1\n", "no heads");
	refuses("", "neither of the kinds");
	refuses("{\"hello\": 1}", "neither of the kinds");
}

#define OVAL(body) \
	"<?xml version=\"1.0\"?><oval_definitions xmlns=\"http://oval.mitre.org/XMLSchema/oval-definitions-5\" xmlns:red-def=\"x\"><generator>" \
	"<oval:timestamp xmlns:oval=\"y\">2023-04-01T00:00:00</oval:timestamp></generator>" body "</oval_definitions>"

static const char redhat[] = OVAL(
	"<definitions><definition class=\"patch\" id=\"d1\"><metadata><title>RHSA-2023:1: openssl (Important)</title>"
	"<affected family=\"unix\"><platform>Red Hat Enterprise Linux 8</platform></affected><reference ref_id=\"RHSA-2023:1\" source=\"RHSA\"/>"
	"<reference ref_id=\"CVE-2023-0286\" source=\"CVE\"/><advisory><severity>Important</severity>"
	"<cve cvss3=\"7.4/CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:H\" impact=\"moderate\">CVE-2023-0286</cve></advisory></metadata>"
	"<criteria operator=\"OR\"><criterion comment=\"Red Hat Enterprise Linux must be installed\" test_ref=\"t9\"/><criteria operator=\"AND\">"
	"<criterion comment=\"Red Hat Enterprise Linux 8 is installed\" test_ref=\"t8\"/><criterion comment=\"openssl is earlier than x\" test_ref=\"t1\"/>"
	"<criterion comment=\"openssl is signed\" test_ref=\"t2\"/></criteria></criteria></definition>"
	"<definition class=\"patch\" id=\"d2\"><metadata><title>RHSA-2023:2: nodejs</title><affected><platform>Red Hat Enterprise Linux 8</platform></affected>"
	"<reference ref_id=\"RHSA-2023:2\" source=\"RHSA\"/></metadata><criteria operator=\"AND\"><criterion comment=\"Module nodejs:12 is enabled\" test_ref=\"t7\"/>"
	"<criteria operator=\"OR\"><criterion comment=\"nodejs is earlier than x\" test_ref=\"t3\"/></criteria></criteria></definition>"
	"<definition class=\"vulnerability\" id=\"d3\"><metadata><title>CVE-2023-3</title><affected><platform>Red Hat Enterprise Linux 8</platform></affected>"
	"<reference ref_id=\"CVE-2023-30000\" source=\"CVE\"/></metadata><criteria><criterion test_ref=\"t4\"/></criteria></definition></definitions>"
	"<tests><red-def:rpminfo_test id=\"t1\"><red-def:object object_ref=\"o1\"/><red-def:state state_ref=\"s1\"/></red-def:rpminfo_test>"
	"<red-def:rpminfo_test id=\"t2\"><red-def:object object_ref=\"o1\"/><red-def:state state_ref=\"s2\"/></red-def:rpminfo_test>"
	"<red-def:rpminfo_test id=\"t3\"><red-def:object object_ref=\"o2\"/><red-def:state state_ref=\"s3\"/></red-def:rpminfo_test>"
	"<red-def:rpminfo_test id=\"t4\"><red-def:object object_ref=\"o2\"/></red-def:rpminfo_test></tests>"
	"<objects><red-def:rpminfo_object id=\"o1\"><red-def:name>openssl</red-def:name></red-def:rpminfo_object>"
	"<red-def:rpminfo_object id=\"o2\"><red-def:name>nodejs</red-def:name></red-def:rpminfo_object></objects>"
	"<states><red-def:rpminfo_state id=\"s1\"><red-def:evr datatype=\"evr_string\" operation=\"less than\">1:1.1.1k-9.el8_7</red-def:evr></red-def:rpminfo_state>"
	"<red-def:rpminfo_state id=\"s2\"><red-def:signature_keyid operation=\"equals\">199e2f91fd431d51</red-def:signature_keyid></red-def:rpminfo_state>"
	"<red-def:rpminfo_state id=\"s3\"><red-def:evr operation=\"less than\">1:12.22-1.module</red-def:evr></red-def:rpminfo_state></states>");

static const char ubuntu[] = OVAL(
	"<definitions><definition class=\"patch\" id=\"d1\"><metadata><title>USN-1-1 -- curl</title><affected><platform>Ubuntu 22.04 LTS</platform></affected>"
	"<reference source=\"USN\" ref_id=\"USN-1-1\"/><advisory><severity>Medium</severity><cve priority=\"low\" cvss_score=\"5.3\""
	" cvss_vector=\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N\">CVE-2023-10001</cve></advisory></metadata>"
	"<criteria><criterion test_ref=\"t1\"/><criterion test_ref=\"t1\" negate=\"true\"/></criteria></definition></definitions>"
	"<tests><dpkginfo_test id=\"t1\"><object object_ref=\"o1\"/><state state_ref=\"s1\"/></dpkginfo_test></tests>"
	"<objects><dpkginfo_object id=\"o1\"><name var_ref=\"v1\" var_check=\"at least one\"/></dpkginfo_object></objects>"
	"<states><dpkginfo_state id=\"s1\"><evr operation=\"less than\">0:7.81.0-1ubuntu1.10</evr></dpkginfo_state></states>"
	"<variables><constant_variable id=\"v1\"><value>curl</value><value>libcurl4</value></constant_variable></variables>");

static void test_oval(void **state)
{
	(void)state;
	says(redhat, ADVISORY_OVAL, 0,
	     "feed oval/rhel/8 1 2023-04-01T00:00:00\n"
	     "rpm/rhel 8 openssl (binary) CVE-2023-0286 RHSA-2023:1 affected <1:1.1.1k-9.el8_7 level 2 cvss 7.4\n"
	     "rpm/rhel 8 nodejs (binary) RHSA-2023:2 RHSA-2023:2 affected <1:12.22-1.module module nodejs:12\n"
	     "rpm/rhel 8 nodejs (binary) CVE-2023-30000 CVE-2023-30000 affected\n");
	says(ubuntu, ADVISORY_OVAL, 0,
	     "feed oval/ubuntu/22.04 1 2023-04-01T00:00:00\n"
	     "deb/ubuntu 22.04 curl (binary) CVE-2023-10001 USN-1-1 affected <0:7.81.0-1ubuntu1.10 level 3 cvss 5.3\n"
	     "deb/ubuntu 22.04 libcurl4 (binary) CVE-2023-10001 USN-1-1 affected <0:7.81.0-1ubuntu1.10 level 3 cvss 5.3\n");
	refuses("<!DOCTYPE x [<!ENTITY a \"b\">]><oval_definitions>&a;</oval_definitions>", "DOCTYPE");
	refuses("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><oval_definitions/>", "DOCTYPE");
	refuses("<oval_definitions><definitions>", "no element found");
	refuses("<oval_definitions/>", "no definition for a distribution that is known");
}

static char *data_file(const char *name)
{
	const char *source = getenv("BRIG_SOURCE");
	_cleanup_free_ char *path = xasprintf("%s/tests/data/%s", source ? source : ".", name);
	char *text;
	size_t n;

	if (file_read(AT_FDCWD, path, 1 << 20, &text, &n) < 0)
		fail_msg("%s", path);
	return text;
}

static void test_csaf(void **state)
{
	_cleanup_free_ char *csaf_redhat = data_file("csaf-redhat.json"), *csaf_suse = data_file("csaf-suse.json");

	(void)state;
	/* EUS is left out; two architectures are one statement; a package of a module stream counts only where that is enabled. */
	says(csaf_redhat, ADVISORY_CSAF, 1,
	     "feed csaf 1 - records\n"
	     "drop CVE-2023-0286\n"
	     "rpm/rhel 8 openssl (binary) CVE-2023-0286 CVE-2023-0286 affected <1:1.1.1k-9.el8_7 level 1 cvss 7.4\n"
	     "rpm/rhel 8 openssl-libs (binary) CVE-2023-0286 CVE-2023-0286 affected <1:1.1.1k-9.el8_7 level 2\n"
	     "rpm/rhel 8 nodejs (binary) CVE-2023-0286 CVE-2023-0286 affected <1:12.22.3-2.module+el8 level 2 module nodejs:12\n"
	     "rpm/rhel 7 openssl CVE-2023-0286 CVE-2023-0286 minor level 2 cvss 7.4\n"
	     "rpm/rhel 6 openssl CVE-2023-0286 CVE-2023-0286 end-of-life level 2\n"
	     "rpm/rhel 9 edk2 CVE-2023-0286 CVE-2023-0286 undetermined level 2\n"
	     "rpm/rhel 9 openssl CVE-2023-0286 CVE-2023-0286 not-affected level 2\n");
	says(csaf_suse, ADVISORY_CSAF, 1,
	     "feed csaf 1 - records\n"
	     "drop SUSE-SU-2023:0001-1\n"
	     "rpm/sles 15.4 libopenssl1_1 (binary) CVE-2023-0286 SUSE-SU-2023:0001-1 affected <1.1.1l-150400.7.22.1 level 1\n"
	     "rpm/opensuse-leap 15.4 openssl-1_1 (binary) CVE-2023-0286 SUSE-SU-2023:0001-1 affected <1.1.1l-150400.7.22.1 level 1 cvss 7.4\n");
#define CSAF(rest) "{\"document\":{\"csaf_version\":\"2.0\",\"tracking\":{\"id\":\"A-1\"}}," rest "}"
	says("{\"document\":{\"csaf_version\":\"2.1\",\"category\":\"csaf_withdrawn\",\"tracking\":{\"id\":\"A-1\"}}}", ADVISORY_CSAF, 1,
	     "feed csaf 1 - records\ndrop A-1\n");
	refuses("{\"document\":{\"csaf_version\":\"1.0\",\"tracking\":{\"id\":\"A-1\"}}}", "not CSAF 2");
	refuses("{\"document\":{\"csaf_version\":\"2.0\"}}", "tracking.id");
	refuses(CSAF("\"product_tree\":{\"branches\":{}}"), "branches that are no list");
	refuses(CSAF("\"product_tree\":{\"branches\":[{\"product\":{}}]}"), "without product_id");
	refuses(CSAF("\"product_tree\":{\"relationships\":[{}]}"), "makes no product");
	refuses(CSAF("\"vulnerabilities\":{}"), "no list");
	refuses(CSAF("\"vulnerabilities\":[{\"product_status\":{\"fixed\":[1]}}]"), "no product's id");
}

static void test_updateinfo(void **state)
{
	_cleanup_free_ char *text = data_file("updateinfo.xml");

	(void)state;
	/* Two architectures are one statement; a bug fix is none; a module's collection is left out. */
	says(text, ADVISORY_UPDATEINFO, 1,
	     "feed updateinfo 1 - records\n"
	     "drop FEDORA-2023-57f33242bc\n"
	     "rpm/fedora 38 openssl (binary) CVE-2023-0286 FEDORA-2023-57f33242bc affected <1:3.0.8-1.fc38 level 1\n"
	     "rpm/fedora 38 openssl (binary) CVE-2022-4304 FEDORA-2023-57f33242bc affected <1:3.0.8-1.fc38 level 1\n"
	     "rpm/fedora 38 openssl-libs (binary) CVE-2023-0286 FEDORA-2023-57f33242bc affected <3.0.8-1.fc38 level 1\n"
	     "rpm/fedora 38 openssl-libs (binary) CVE-2022-4304 FEDORA-2023-57f33242bc affected <3.0.8-1.fc38 level 1\n"
	     "drop FEDORA-EPEL-2023-2\n"
	     "rpm/rhel 8 y (binary) FEDORA-EPEL-2023-2 FEDORA-EPEL-2023-2 affected <2-1.el8 level 3\n");
	refuses("<updates/>", "no update in it");
	refuses("<updates><update type=\"security\"></update></updates>", "line 1: an update without an id");
	refuses("<updates><update type=\"security\"><id>a</id><package name=\"x\"/></update></updates>", "without name, version or release");
	refuses("<updates><update type=\"security\"><id>a</id>", "no element found");
	refuses("<!DOCTYPE x [<!ENTITY a \"b\">]><updates>&a;</updates>", "DOCTYPE");
}

/* What OSV calls products is what their os-release says. */
static void test_osv_products(void **state)
{
	static const struct {
		const char *osv, *ours;
	} cases[] = {
		{ "SUSE:Linux Enterprise Server 15 SP5", "rpm/sles 15.5" },
		{ "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "rpm/sles 15.5" },
		{ "SUSE:Linux Enterprise Server 16.0", "rpm/sles 16.0" },
		{ "SUSE:Linux Enterprise Server 15 SP1-LTSS", NULL },
		{ "SUSE:Linux Enterprise Server for SAP Applications 15 SP4", NULL },
		{ "SUSE:Manager Server 4.3", NULL },
		{ "openSUSE:Leap 15.5", "rpm/opensuse-leap 15.5" },
		{ "openSUSE:Tumbleweed", "rpm/opensuse-tumbleweed " },
		{ "Red Hat:enterprise_linux:9::appstream", "rpm/rhel 9" },
		{ "Red Hat:rhel_eus:9.2::appstream", NULL },
		{ "Photon OS:5.0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf("{\"id\":\"X-1\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[{\"package\":{\"ecosystem\":\"%s\","
						      "\"name\":\"p\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"2\"}]}]}]}",
						      cases[i].osv);
		_cleanup_free_ char *want = cases[i].ours ? xasprintf("feed osv 2 - records\ndrop X-1\n%s p X-1 X-1 affected <2\n", cases[i].ours) :
							    xstrdup("feed osv 2 - records\ndrop X-1\n");

		says(text, ADVISORY_OSV, cases[i].ours ? 0 : 1, want);
	}
}

static void test_levels(void **state)
{
	(void)state;
	/* Examples of first.org's CVSS 3.1 documents. */
	assert_true(fabs(advisory_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H") - 9.8) < 0.01);
	assert_true(fabs(advisory_cvss("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H") - 10.0) < 0.01);
	assert_true(fabs(advisory_cvss("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H") - 7.8) < 0.01);
	assert_true(fabs(advisory_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N") - 6.1) < 0.01);
	assert_true(fabs(advisory_cvss("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N")) < 0.01);
	assert_true(advisory_cvss("CVSS:4.0/AV:N") == 0 && advisory_cvss(NULL) == 0 && advisory_cvss("CVSS:3.1/AV:N/AC:L") == 0);
	assert_int_equal(advisory_level_of_score(9.0), VET_CRITICAL);
	assert_int_equal(advisory_level_of_score(6.9), VET_MEDIUM);
	assert_int_equal(advisory_level_of_score(0), ADVISORY_NO_LEVEL);
	assert_int_equal(advisory_level_of_word("low**"), VET_LOW);
	assert_int_equal(advisory_level_of_word("Important"), VET_HIGH);
	assert_int_equal(advisory_level_of_word("not yet assigned"), ADVISORY_NO_LEVEL);
	assert_true(advisory_is_cve("CVE-2023-0286") && !advisory_is_cve("CVE-2023-02") && !advisory_is_cve("CVE-2023-0286x") && !advisory_is_cve("cve"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),   cmocka_unit_test(test_tracker), cmocka_unit_test(test_osv),    cmocka_unit_test(test_secdb),
		cmocka_unit_test(test_known),  cmocka_unit_test(test_oval),
					    cmocka_unit_test(test_csaf), cmocka_unit_test(test_updateinfo), cmocka_unit_test(test_osv_products),    cmocka_unit_test(test_levels),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&heard);
	return r;
}
