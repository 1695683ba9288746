/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/report.h"

#include "base/cleanup.h"

#include <string.h>

vet_report vet_report_named(const char *name)
{
	static const struct {
		const char *name;
		vet_report fn;
	} reports[] = {
		{ "table", vet_report_table }, { "json", vet_report_json }, { "sarif", vet_report_sarif },
		{ "junit", vet_report_junit }, { "html", vet_report_html }, { "spdx", vet_report_spdx },
		{ "cyclonedx", vet_report_cyclonedx },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		if (streq(name, reports[i].name))
			return reports[i].fn;
	return NULL;
}

void vet_put_xml(struct buf *out, const char *s)
{
	_cleanup_free_ char *safe = str_escape(s ? s : "");

	for (const char *p = safe; *p; p++) {
		switch (*p) {
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		case '\'':
			buf_puts(out, "&#39;");
			break;
		default:
			buf_add(out, p, 1);
		}
	}
}

void vet_count(const struct vet *v, size_t out[static VET_LEVELS])
{
	memset(out, 0, VET_LEVELS * sizeof(*out));
	for (size_t i = 0; i < v->n_findings; i++)
		out[v->findings[i].level]++;
}
