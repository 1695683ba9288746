/* SPDX-License-Identifier: Apache-2.0 */
/* What the writing and the reading half of the index share. */
#pragma once

#include "vet/index.h"

#include <sqlite3.h>

enum advdb_statement {
	/* writing */
	S_FEED_FIND,
	S_FEED_ADD,
	S_FEED_DONE,
	S_WIPE_AFFECTED,
	S_WIPE_ADVISORIES,
	S_DROP_AFFECTED,
	S_PLACE_ADD,
	S_PLACE_FIND,
	S_PACKAGE_ADD,
	S_PACKAGE_FIND,
	S_VULN_ADD,
	S_VULN_FIND,
	S_VULN_SUMMARY,
	S_ADVISORY_ADD,
	S_ADVISORY_FIND,
	S_AFFECTED_ADD,
	S_KEV_ADD,
	S_EPSS_ADD,
	/* reading */
	S_FIND,
	S_COVERS,
	S_NEWEST,
	S_FEEDS,
	S_PLACES,
	S_COUNT_KEV,
	S_COUNT_EPSS,
	S_COUNT
};

struct advdb_db {
	sqlite3 *db;
	sqlite3_stmt *statements[S_COUNT];
	struct advisory_sink sink;
	bool in_import;
	char *file, *sha256;
	int64_t now;
	/* of the feed that rows go to; the ids last used, since neighbours are alike */
	int64_t feed, place, package, advisory;
	bool records;
	char *last_ecosystem, *last_release, *last_package, *last_advisory;
	bool last_binary;
	char **feeds_seen; /* of this import: a second document of the same feed adds to the first */
};

/* A statement ready to be bound; NULL with `e` filled. */
sqlite3_stmt *advdb_statement(struct advdb_db *db, enum advdb_statement which, struct error *e);
int advdb_error(struct advdb_db *db, const char *doing, struct error *e);
void advdb_bind(sqlite3_stmt *s, int at, const char *text); /* NULL: null */
int advdb_exec(struct advdb_db *db, const char *sql, struct error *e);
