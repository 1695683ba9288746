/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/report.h"

#include "base/cleanup.h"

static bool fails(const struct vet *v, const struct vet_finding *f)
{
	return !v->options->never && f->level <= v->options->fail_on;
}

static void put_case(const struct vet *v, const struct vet_finding *f, struct buf *out)
{
	bool bad = fails(v, f);

	buf_puts(out, "    <testcase classname=\"");
	vet_put_xml(out, f->check);
	buf_puts(out, "\" name=\"");
	vet_put_xml(out, f->rule);
	buf_puts(out, f->path ? ": /" : ": ");
	vet_put_xml(out, f->path ? f->path : f->title);
	buf_printf(out, "\">\n      <%s", bad ? "failure type=\"" : "system-out");
	if (bad) {
		buf_puts(out, vet_level_name(f->level));
		buf_puts(out, "\" message=\"");
		vet_put_xml(out, f->title);
		buf_puts(out, "\"");
	}
	buf_puts(out, ">");
	buf_printf(out, "%s: ", vet_level_name(f->level));
	vet_put_xml(out, f->title);
	if (*f->why) {
		buf_puts(out, "\n");
		vet_put_xml(out, f->why);
	}
	buf_printf(out, "</%s>\n    </testcase>\n", bad ? "failure" : "system-out");
}

static bool found_nothing(const struct vet *v, const char *check)
{
	for (size_t i = 0; i < v->n_findings; i++)
		if (streq(v->findings[i].check, check))
			return false;
	return true;
}

void vet_report_junit(const struct vet *v, struct buf *out)
{
	_cleanup_buf_ struct buf cases = { 0 };
	size_t tests = v->n_findings, failures = 0, i;
	const json_t *text;

	buf_puts(&cases, "");
	for (i = 0; i < v->n_findings; i++) {
		failures += fails(v, &v->findings[i]);
		put_case(v, &v->findings[i], &cases);
	}
	for (i = 0; vet_checks[i]; i++) {
		if (!found_nothing(v, vet_checks[i]->name))
			continue;
		tests++;
		buf_printf(&cases, "    <testcase classname=\"%s\" name=\"nothing found\"/>\n", vet_checks[i]->name);
	}
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	buf_printf(out, "<testsuites name=\"brig vet\" tests=\"%zu\" failures=\"%zu\">\n  <testsuite name=\"", tests, failures);
	vet_put_xml(out, v->name);
	buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", tests, failures);
	buf_add(out, cases.data, cases.len);
	json_array_foreach(json_object_get(v->facts, "not_looked"), i, text) {
		buf_puts(out, "    <system-err>not looked at: ");
		vet_put_xml(out, json_string_value(text));
		buf_puts(out, "</system-err>\n");
	}
	buf_puts(out, "  </testsuite>\n</testsuites>\n");
}
