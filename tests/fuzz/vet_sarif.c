/* SPDX-License-Identifier: Apache-2.0 */
/* A log of another tool's findings: each has a tool, a rule, a level and a message, and a path that begins with no slash. */
#include "vet/sarif.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void give(void *ctx, const struct sarif_result *r)
{
	(void)ctx;
	need(r->tool && r->rule && r->message && (int)r->level >= 0 && r->level < VET_LEVELS);
	need(!r->path || (*r->path && *r->path != '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	int r = sarif_read("x", (const char *)data, size, give, NULL, &e);

	need(r == 0 || (r < 0 && e.text[0]));
	return 0;
}
