/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of advisories as it comes from a mirror: compressed or not, an archive or not. Whatever it is, every document in it is parsed or
 * refused with a reason, and nothing is taken of what is cut.
 */
#include "vet/import.h"

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
	(void)published;
	(void)e;
	need(f->name && *f->name);
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
	need(r->ecosystem && r->release && r->package && r->id && r->advisory);
	return 0;
}

static int kev(void *ctx, const char *cve, const char *added, const char *due, bool ransomware, struct error *e)
{
	(void)ctx;
	(void)due;
	(void)ransomware;
	(void)e;
	need(cve && added);
	return 0;
}

static int epss(void *ctx, const char *cve, double score, double percentile, struct error *e)
{
	(void)ctx;
	(void)cve;
	(void)e;
	need(score >= 0 && score <= 1 && percentile >= 0 && percentile <= 1);
	return 0;
}

static void step(void *arg, size_t at)
{
	size_t *size = arg;

	need(at <= *size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct advisory_sink sink = { .feed = feed, .drop = drop, .row = row, .kev = kev, .epss = epss };
	struct error e = { 0 };
	int r = advisory_unpack("x", data, size, &sink, step, &size, &e);

	need(r == 0 || (r < 0 && e.text[0]));
	return 0;
}
