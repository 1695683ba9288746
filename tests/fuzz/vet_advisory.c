/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document of advisories; the first byte says which parser reads the rest ('*': the one that is detected). Whatever it is,
 * statements are complete, numbers in range, and a refusal has a reason.
 */
#include "vet/advisory.h"

#include "base/cleanup.h"
#include "vet/vet.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static int feed(void *ctx, const struct advisory_feed *f, const char *published, struct error *e)
{
	(void)ctx;
	(void)e;
	need(f->name && *f->name && (!published || strlen(published) < 1000000));
	return 0;
}

static int drop(void *ctx, const char *advisory, struct error *e)
{
	(void)ctx;
	(void)e;
	need(advisory && *advisory);
	return 0;
}

static int row(void *ctx, const struct advisory_row *r, struct error *e)
{
	(void)ctx;
	(void)e;
	need(r->ecosystem && r->release && r->package && r->id && r->advisory && strlen(r->ecosystem) > 2);
	need((int)r->status >= 0 && r->status < ADVISORY_STATUSES && r->level >= ADVISORY_NO_LEVEL && r->level < VET_LEVELS);
	need(r->cvss >= 0 && r->cvss <= 10 && !(r->fixed && r->last));
	return 0;
}

static int kev(void *ctx, const char *cve, const char *added, const char *due, bool ransomware, struct error *e)
{
	(void)ctx;
	(void)due;
	(void)ransomware;
	(void)e;
	need(advisory_is_cve(cve) && added);
	return 0;
}

static int epss(void *ctx, const char *cve, double score, double percentile, struct error *e)
{
	(void)ctx;
	(void)e;
	need(advisory_is_cve(cve) && score >= 0 && score <= 1 && percentile >= 0 && percentile <= 1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct advisory_sink sink = { .feed = feed, .drop = drop, .row = row, .kev = kev, .epss = epss };
	struct error e = { 0 };
	const char *text;
	int r = 0;

	if (size == 0)
		return 0;
	text = (const char *)data + 1;
	size--;
	switch (data[0]) {
	case 'l':
		r = advisory_parse_list("x", text, size, &sink, &e);
		break;
	case 't':
		r = advisory_parse_tracker("x", text, size, &sink, &e);
		break;
	case 'o':
		r = advisory_parse_osv("x", text, size, &sink, &e);
		break;
	case 's':
		r = advisory_parse_secdb("x", text, size, &sink, &e);
		break;
	case 'k':
		r = advisory_parse_kev("x", text, size, &sink, &e);
		break;
	case 'e':
		r = advisory_parse_epss("x", text, size, &sink, &e);
		break;
	case 'u':
		r = advisory_parse_updateinfo("x", text, size, &sink, &e);
		break;
	case 'c':
		r = advisory_parse_csaf("x", text, size, &sink, &e);
		break;
	case 'v': {
		_cleanup_free_ char *vector = xstrndup(text, size);
		double score = advisory_cvss(vector);

		need(score >= 0 && score <= 10);
		return 0;
	}
	case 'x':
		r = advisory_parse_oval("x", text, size, &sink, &e);
		break;
	default:
		r = advisory_parse("x", text, size, &sink, &e);
	}
	need(r == 0 || (r < 0 && e.text[0]));
	return 0;
}
