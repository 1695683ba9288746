/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of advisories, one SQLite database: DATA/vet/advisories.db. It is written and read in memory: who imports hands in
 * the old bytes and takes out the new ones, so that the process that parses opens no file; who vets maps the file before it
 * locks itself in.
 */
#pragma once

#include "vet/advisory.h"

enum { INDEX_VERSION = 1 };

struct advdb_db;

/* An index over a copy of `data`, which is checked; n 0: a new one. */
int advdb_open_write(const void *data, size_t n, struct advdb_db **out, struct error *e);
/* Over `data` itself, which must stay; nothing is written. -EBADMSG: not an index, or of another version. */
int advdb_open_read(const void *data, size_t n, struct advdb_db **out, struct error *e);
void advdb_close(struct advdb_db *db);
static inline void cleanup_advdb(struct advdb_db **db)
{
	advdb_close(*db);
}
#define _cleanup_advdb_ __attribute__((cleanup(cleanup_advdb)))

/* Begins an import of one file: `file` and `sha256` (hex) are noted beside the feeds that come from it. `now`: seconds since 1970. */
int advdb_begin(struct advdb_db *db, const char *file, const char *sha256, int64_t now, struct error *e);
/* The sink that writes; valid between begin and end. */
struct advisory_sink *advdb_sink(struct advdb_db *db);
/* Ends it: counts are brought up to date. */
int advdb_end(struct advdb_db *db, struct error *e);
/* The bytes of the database: valid until it is closed or written to. */
int advdb_bytes(struct advdb_db *db, const void **data, size_t *n, struct error *e);

/*
 * {"version","feeds":[{"name","file","sha256","imported","published","statements"}],
 *  "places":[{"ecosystem","release","packages","statements"}],"kev","epss"}
 */
int advdb_status(struct advdb_db *db, json_t **out, struct error *e);

/* What there is about one package. Strings live until the function returns. */
struct advdb_row {
	struct advisory_row row;
	int priority;
	const char *feed;
	const char *kev_added, *kev_due; /* NULL: not in KEV */
	bool ransomware;
	double epss, percentile; /* -1: not known */
};
/* Calls `row` for every statement about the package in any of the releases. `binary`: which kind of name. */
struct advdb_query {
	const char *ecosystem;
	const char *const *releases; /* NULL ends it; "" is added by itself */
	const char *package;
	bool binary;
	int (*row)(void *ctx, const struct advdb_row *row, struct error *e);
	void *ctx;
};
int advdb_find(struct advdb_db *db, const struct advdb_query *q, struct error *e);
/* Is anything known about this ecosystem, in any of these releases? 1, 0, or negative. */
int advdb_covers(struct advdb_db *db, const char *ecosystem, const char *const *releases, struct error *e);
/* The newest `published` (else the time of import, ISO) of the feeds that speak of the ecosystem and
 * releases; the caller frees; NULL: none. */
char *advdb_newest(struct advdb_db *db, const char *ecosystem, const char *const *releases);
