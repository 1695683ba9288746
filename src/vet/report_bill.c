/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory as a bill of materials. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "vet/packages.h"
#include "vet/report.h"

#include <stdlib.h>

static void write_bill(const struct vet *v, json_t *(*make)(const struct sbom_subject *s), struct buf *out)
{
	_cleanup_free_ char *name = str_escape(v->image ? v->image : v->name), *text = NULL;
	struct sbom_subject s = { .name = name, .digest = v->digest, .packages = v->packages, .created = clock_now_ns() };
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	_cleanup_json_ json_t *doc = NULL;
	uint64_t seconds;

	/* reproducible-builds.org/specs/source-date-epoch */
	if (epoch && parse_u64(epoch, 0, 253402300799, &seconds) == 0)
		s.created = seconds * 1000000000;
	doc = make(&s);
	text = json_dumps(doc, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	buf_puts(out, text ? text : "{}");
	buf_puts(out, "\n");
}

void vet_report_spdx(const struct vet *v, struct buf *out)
{
	write_bill(v, sbom_spdx, out);
}

void vet_report_cyclonedx(const struct vet *v, struct buf *out)
{
	write_bill(v, sbom_cyclonedx, out);
}
