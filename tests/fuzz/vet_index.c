/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file DATA/vet/advisories.db, which a look opens. It is brig's own, but a disk can damage it and somebody can have written it: every
 * question has an answer or an error with its reason, and the bytes, which are mapped read-only, stay what they were.
 */
#include "vet/index.h"

#include "base/cleanup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static int row(void *ctx, const struct advdb_row *r, struct error *e)
{
	size_t *n = ctx;

	(void)e;
	need((int)r->row.status >= 0 && r->row.status < ADVISORY_STATUSES && r->row.id && r->row.advisory && r->feed);
	*n += strlen(r->row.id) + strlen(r->row.advisory);
	return 0;
}

static void ask(struct advdb_db *db, const char *ecosystem, const char *release, const char *package, bool binary)
{
	const char *const releases[] = { release, NULL };
	size_t n = 0;
	const struct advdb_query q = { .ecosystem = ecosystem, .releases = releases, .package = package, .binary = binary, .row = row, .ctx = &n };
	struct error e = { 0 };
	int r = advdb_find(db, &q, &e);

	need(r >= 0 || e.text[0]);
	free(advdb_newest(db, ecosystem, releases));
	e = (struct error){ 0 };
	r = advdb_covers(db, ecosystem, releases, &e);
	need(r >= 0 || e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_advdb_ struct advdb_db *db = NULL;
	_cleanup_json_ json_t *status = NULL;
	_cleanup_free_ char *copy = malloc(size + 1);
	struct error e = { 0 };
	int r;

	memcpy(copy, data, size);
	r = advdb_open_read(copy, size, &db, &e);
	need(r == 0 || e.text[0]);
	if (r < 0)
		return 0;
	ask(db, "deb/debian", "bullseye", "openssl", false);
	ask(db, "rpm/rhel", "8", "openssl", true);
	r = advdb_status(db, &status, &e);
	need(r == 0 || e.text[0]);
	advdb_close(steal_ptr(&db));
	need(size == 0 || memcmp(copy, data, size) == 0);
	return 0;
}
