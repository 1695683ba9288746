/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vet/sarif.h"

#include <string.h>

static void give(void *ctx, const struct sarif_result *r)
{
	buf_printf(ctx, "%s %s %s|%s %s|%s%s%s\n", vet_level_name(r->level), r->tool, r->version ? r->version : "-", r->rule, r->message,
		   r->path ? r->path : "-", r->help ? "|" : "", r->help ? r->help : "");
	if (r->suppressed)
		buf_puts(ctx, "suppressed\n");
}

#define LOG(run) "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"T\"" run "}]}"
#define RESULTS(list) LOG("}},\"results\":[" list "]")
#define AT(uri) "\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"" uri "\"}}}]"

static void what_results_say(void **state)
{
	static const struct {
		const char *log, *says;
	} cases[] = {
		{ "{\"version\":\"2.1.0\",\"runs\":[]}", "" },
		{ LOG("}},\"results\":null"), "" },
		/* What is left out is what the specification says. */
		{ RESULTS("{\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\n" },
		{ RESULTS("{\"ruleId\":\"R\",\"level\":\"error\",\"message\":{\"text\":\"m\"}," AT("usr/bin/a%20b") "}"), "high T -|R m|usr/bin/a b\n" },
		{ RESULTS("{\"ruleId\":\"R\",\"level\":\"note\",\"message\":{\"markdown\":\"m\"}," AT("file:///etc/x") "}"), "low T -|R m|etc/x\n" },
		{ RESULTS("{\"ruleId\":\"R\",\"level\":\"none\",\"message\":{}," AT("https://a.test/x") "}"), "info T -|R R|-\n" },
		{ RESULTS("{\"kind\":\"pass\",\"message\":{\"text\":\"m\"}}"), "" },
		{ RESULTS("{\"kind\":\"notApplicable\",\"message\":{\"text\":\"m\"}}"), "" },
		{ RESULTS("{\"kind\":\"review\",\"level\":\"error\",\"message\":{\"text\":\"m\"}}"), "info T -| m|-\n" },
		{ RESULTS("{\"baselineState\":\"absent\",\"message\":{\"text\":\"m\"}}"), "" },
		{ RESULTS("{\"suppressions\":[{\"kind\":\"inSource\"}],\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\nsuppressed\n" },
		{ RESULTS("{\"suppressions\":[{\"kind\":\"external\",\"status\":\"underReview\"}],\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\n" },
		{ RESULTS("{\"suppressions\":[],\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\n" },
		{ RESULTS("{\"properties\":{\"security-severity\":\"9.8\"},\"level\":\"note\",\"message\":{\"text\":\"m\"}}"), "critical T -| m|-\n" },
		{ RESULTS("{\"properties\":{\"security-severity\":5},\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\n" },
		/* As Trivy and Grype write it: the rule has the rating and the help. */
		{ LOG(",\"version\":\"0.9\",\"rules\":[{\"id\":\"CVE-2023-1\",\"defaultConfiguration\":{\"level\":\"note\"},\"help\":{\"text\":\"update\"},"
		      "\"properties\":{\"security-severity\":\"7.5\"}}]}},\"results\":[{\"ruleId\":\"CVE-2023-1\",\"ruleIndex\":0,\"level\":\"warning\","
		      "\"message\":{\"text\":\"openssl\"}," AT("image") "}]"),
		  "high T 0.9|CVE-2023-1 openssl|image|update\n" },
		{ LOG(",\"rules\":[{\"id\":\"A\",\"messageStrings\":{\"x\":{\"text\":\"from the rule\"}},\"defaultConfiguration\":{\"level\":\"error\"}}]}},"
		      "\"results\":[{\"ruleId\":\"A/inner\",\"message\":{\"id\":\"x\"}}]"),
		  "high T -|A/inner from the rule|-\n" },
		{ LOG("},\"extensions\":[{\"name\":\"E\",\"rules\":[{\"id\":\"E1\",\"shortDescription\":{\"text\":\"short\"}}]}]},"
		      "\"results\":[{\"rule\":{\"index\":0,\"toolComponent\":{\"index\":0}}}]"),
		  "medium T -|E1 short|-\n" },
		{ LOG("}},\"artifacts\":[{\"location\":{\"uri\":\"/a/b\"}}],\"results\":[{\"message\":{\"text\":\"m\"},\"locations\":"
		      "[{\"physicalLocation\":{\"artifactLocation\":{\"index\":0}}}]}]"),
		  "medium T -| m|a/b\n" },
		/* Indexes of nothing. */
		{ RESULTS("{\"ruleIndex\":99,\"rule\":{\"toolComponent\":{\"index\":7}},\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\n" },
		{ RESULTS("{\"ruleIndex\":-1,\"message\":{\"text\":\"m\"}}"), "medium T -| m|-\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf out = { 0 };
		struct error e = { 0 };

		buf_puts(&out, "");
		if (sarif_read("log", cases[i].log, strlen(cases[i].log), give, &out, &e) < 0)
			fail_msg("%s: %s", cases[i].log, e.text);
		assert_string_equal(out.data, cases[i].says);
	}
}

static void broken(void **state)
{
	static const struct {
		const char *log, *why;
	} cases[] = {
		{ "", "log" },
		{ "{\"version\":\"2.1.0\",\"runs\":[", "log" },
		{ "[]", "not SARIF 2.1" },
		{ "{\"version\":\"2.0.0\",\"runs\":[]}", "not SARIF 2.1" },
		{ "{\"version\":\"2.1.0\"}", "no runs" },
		{ "{\"version\":\"2.1.0\",\"runs\":[{}]}", "runs[0]: tool.driver.name is missing" },
		{ "{\"version\":\"2.1.0\",\"runs\":[7]}", "runs[0]: tool.driver.name is missing" },
		{ LOG("}},\"results\":{}"), "runs[0]: results is no list" },
		{ RESULTS("{\"message\":{\"text\":\"m\"}},1"), "runs[0]: results[1] is no object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf out = { 0 };
		struct error e = { 0 };

		assert_int_equal(sarif_read("log", cases[i].log, strlen(cases[i].log), give, &out, &e), -EBADMSG);
		if (!strstr(e.text, cases[i].why))
			fail_msg("%s: %s", cases[i].log, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_results_say), cmocka_unit_test(broken) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
