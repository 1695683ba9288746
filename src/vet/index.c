/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, schema, statements. */
#include "vet/index_internal.h"

#include "base/cleanup.h"

#include <string.h>

enum { APPLICATION_ID = 0x62726776 /* "brgv" */ };

static const char schema[] =
	"CREATE TABLE feed(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, priority INTEGER, file TEXT, "
	"sha256 TEXT, imported INTEGER,"
	" published TEXT, statements INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE place(id INTEGER PRIMARY KEY, ecosystem TEXT NOT NULL, release TEXT NOT NULL, "
	"UNIQUE(ecosystem, release));"
	"CREATE TABLE package(id INTEGER PRIMARY KEY, place INTEGER NOT NULL, name TEXT NOT NULL, binary "
	"INTEGER NOT NULL,"
	" UNIQUE(place, name, binary));"
	"CREATE TABLE vuln(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, summary TEXT);"
	"CREATE TABLE advisory(id INTEGER PRIMARY KEY, feed INTEGER NOT NULL, name TEXT NOT NULL, "
	"UNIQUE(feed, name));"
	"CREATE TABLE affected(package INTEGER NOT NULL, vuln INTEGER NOT NULL, advisory INTEGER NOT NULL, "
	"status INTEGER NOT NULL,"
	" introduced TEXT, fixed TEXT, last TEXT, level INTEGER, cvss REAL, module TEXT);"
	"CREATE INDEX affected_package ON affected(package);"
	"CREATE INDEX affected_advisory ON affected(advisory);"
	"CREATE TABLE covers(place INTEGER NOT NULL, feed INTEGER NOT NULL, PRIMARY KEY(place, feed)) "
	"WITHOUT ROWID;"
	"CREATE TABLE kev(cve TEXT PRIMARY KEY, added TEXT, due TEXT, ransomware INTEGER) WITHOUT ROWID;"
	"CREATE TABLE epss(cve TEXT PRIMARY KEY, score REAL, percentile REAL) WITHOUT ROWID;"
	"PRAGMA application_id = 1651664758; PRAGMA user_version = 1;";
_Static_assert(APPLICATION_ID == 1651664758 && INDEX_VERSION == 1, "the schema's last line");

static const char *const sql[S_COUNT] = {
	[S_FEED_FIND] = "SELECT id FROM feed WHERE name = ?1",
	[S_FEED_ADD] = "INSERT INTO feed(name, priority, file, sha256, imported, published) VALUES (?1, ?2, "
		       "?3, ?4, ?5, ?6)"
		       " ON CONFLICT(name) DO UPDATE SET priority = ?2, file = ?3, sha256 = ?4, imported = "
		       "?5, published = ?6",
	[S_FEED_DONE] = "UPDATE feed SET statements = CASE name WHEN 'kev' THEN (SELECT count(*) FROM kev) "
			"WHEN 'epss' THEN (SELECT count(*) FROM epss)"
			" ELSE (SELECT count(*) FROM affected WHERE advisory IN (SELECT id FROM advisory "
			"WHERE feed = feed.id)) END",
	[S_WIPE_AFFECTED] =
		"DELETE FROM affected WHERE advisory IN (SELECT id FROM advisory WHERE feed = ?1)",
	[S_WIPE_ADVISORIES] = "DELETE FROM advisory WHERE feed = ?1",
	[S_DROP_AFFECTED] = "DELETE FROM affected WHERE advisory = (SELECT id FROM advisory WHERE feed = ?1 "
			    "AND name = ?2)",
	[S_PLACE_ADD] = "INSERT INTO place(ecosystem, release) VALUES (?1, ?2)",
	[S_PLACE_FIND] = "SELECT id FROM place WHERE ecosystem = ?1 AND release = ?2",
	[S_PACKAGE_ADD] = "INSERT INTO package(place, name, binary) VALUES (?1, ?2, ?3)",
	[S_PACKAGE_FIND] = "SELECT id FROM package WHERE place = ?1 AND name = ?2 AND binary = ?3",
	[S_VULN_ADD] = "INSERT INTO vuln(name, summary) VALUES (?1, ?2)",
	[S_VULN_FIND] = "SELECT id, summary IS NULL FROM vuln WHERE name = ?1",
	[S_VULN_SUMMARY] = "UPDATE vuln SET summary = ?2 WHERE id = ?1",
	[S_ADVISORY_ADD] = "INSERT INTO advisory(feed, name) VALUES (?1, ?2)",
	[S_ADVISORY_FIND] = "SELECT id FROM advisory WHERE feed = ?1 AND name = ?2",
	[S_AFFECTED_ADD] = "INSERT INTO affected(package, vuln, advisory, status, introduced, fixed, last, "
			   "level, cvss, module)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[S_KEV_ADD] = "INSERT OR REPLACE INTO kev(cve, added, due, ransomware) VALUES (?1, ?2, ?3, ?4)",
	[S_EPSS_ADD] = "INSERT OR REPLACE INTO epss(cve, score, percentile) VALUES (?1, ?2, ?3)",
	[S_FIND] = "SELECT v.name, d.name, a.status, a.introduced, a.fixed, a.last, a.level, a.cvss, "
		   "a.module, v.summary, f.priority, f.name,"
		   " k.added, k.due, k.ransomware, e.score, e.percentile, l.release"
		   " FROM place l JOIN package p ON p.place = l.id AND p.name = ?3 AND p.binary = ?4"
		   " JOIN affected a ON a.package = p.id JOIN vuln v ON v.id = a.vuln JOIN advisory d ON "
		   "d.id = a.advisory"
		   " JOIN feed f ON f.id = d.feed LEFT JOIN kev k ON k.cve = v.name LEFT JOIN epss e ON "
		   "e.cve = v.name"
		   " WHERE l.ecosystem = ?1 AND l.release = ?2",
	[S_COVERS] = "SELECT EXISTS(SELECT 1 FROM place l JOIN covers c ON c.place = l.id WHERE l.ecosystem "
		     "= ?1 AND l.release = ?2)",
	[S_NEWEST] =
		"SELECT max(coalesce(f.published, strftime('%Y-%m-%dT%H:%M:%SZ', f.imported, 'unixepoch')))"
		" FROM place l JOIN covers c ON c.place = l.id JOIN feed f ON f.id = c.feed WHERE "
		"l.ecosystem = ?1 AND l.release = ?2",
	[S_FEEDS] = "SELECT name, file, sha256, imported, published, statements FROM feed ORDER BY name",
	[S_PLACES] = "SELECT l.ecosystem, l.release, count(DISTINCT p.id), count(a.package) FROM place l "
		     "JOIN package p ON p.place = l.id"
		     " JOIN affected a ON a.package = p.id GROUP BY l.id ORDER BY l.ecosystem, l.release",
	[S_COUNT_KEV] = "SELECT count(*) FROM kev",
	[S_COUNT_EPSS] = "SELECT count(*) FROM epss",
};

int advdb_error(struct advdb_db *db, const char *doing, struct error *e)
{
	int code = sqlite3_errcode(db->db);

	return error_set(e,
		code == SQLITE_NOMEM  ? ENOMEM
		: code == SQLITE_FULL ? EFBIG
				      : EBADMSG,
		"%s: %s", doing, sqlite3_errmsg(db->db));
}

sqlite3_stmt *advdb_statement(struct advdb_db *db, enum advdb_statement which, struct error *e)
{
	sqlite3_stmt **s = &db->statements[which];

	if (!*s && sqlite3_prepare_v3(db->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK) {
		advdb_error(db, "the index of advisories", e);
		return NULL;
	}
	sqlite3_reset(*s);
	sqlite3_clear_bindings(*s);
	return *s;
}

void advdb_bind(sqlite3_stmt *s, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

int advdb_exec(struct advdb_db *db, const char *text, struct error *e)
{
	return sqlite3_exec(db->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : advdb_error(db, "the index of advisories", e);
}

static int open_empty(struct advdb_db **out, struct error *e)
{
	_cleanup_advdb_ struct advdb_db *db = xcalloc(1, sizeof(*db));

	if (sqlite3_open_v2(":memory:", &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return advdb_error(db, "cannot open a database in memory", e);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	*out = steal_ptr(&db);
	return 0;
}

static int pragma(struct advdb_db *db, const char *text, int64_t *value)
{
	sqlite3_stmt *s = NULL;
	int r = -EBADMSG;

	if (sqlite3_prepare_v2(db->db, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		*value = sqlite3_column_int64(s, 0);
		r = 0;
	}
	sqlite3_finalize(s);
	return r;
}

static int check(struct advdb_db *db, struct error *e)
{
	int64_t id = 0, version = 0;

	if (pragma(db, "PRAGMA application_id", &id) < 0 || pragma(db, "PRAGMA user_version", &version) < 0)
		return advdb_error(db, "the index of advisories is damaged", e);
	if (id == APPLICATION_ID && version == INDEX_VERSION)
		return 0;
	error_set(e, EBADMSG,
		id == APPLICATION_ID ? "the index of advisories was made by another version of brig"
				     : "not an index of advisories");
	error_hint(e, "move the file away and import the advisories again");
	return -EBADMSG;
}

int advdb_open_read(const void *data, size_t n, struct advdb_db **out, struct error *e)
{
	_cleanup_advdb_ struct advdb_db *db = NULL;
	int r = open_empty(&db, e);

	if (r < 0)
		return r;
	if (sqlite3_deserialize(db->db, "main", (unsigned char *)data, (sqlite3_int64)n, (sqlite3_int64)n,
		    SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
		return advdb_error(db, "the index of advisories", e);
	r = check(db, e);
	if (r == 0)
		*out = steal_ptr(&db);
	return r;
}

int advdb_open_write(const void *data, size_t n, struct advdb_db **out, struct error *e)
{
	static const sqlite3_int64 limit = (sqlite3_int64)3 << 30;
	_cleanup_advdb_ struct advdb_db *db = NULL;
	sqlite3_int64 max = limit;
	unsigned char *copy;
	int r = open_empty(&db, e);

	if (r < 0)
		return r;
	if (n == 0) {
		r = advdb_exec(db, schema, e);
	} else {
		copy = sqlite3_malloc64(n);
		if (!copy)
			return error_set(e, ENOMEM, "no memory for the index of advisories");
		memcpy(copy, data, n);
		if (sqlite3_deserialize(db->db, "main", copy, (sqlite3_int64)n, (sqlite3_int64)n,
					SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK)
			return advdb_error(db, "the index of advisories", e);
		sqlite3_file_control(db->db, "main", SQLITE_FCNTL_SIZE_LIMIT, &max);
		r = check(db, e);
	}
	/* Nothing is on a disk: a journal would only protect what is thrown away when this fails. */
	if (r == 0)
		r = advdb_exec(db, "PRAGMA journal_mode = OFF; PRAGMA cache_size = -65536", e);
	if (r == 0)
		*out = steal_ptr(&db);
	return r;
}

void advdb_close(struct advdb_db *db)
{
	if (!db)
		return;
	for (int i = 0; i < S_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->db);
	free(db->file);
	free(db->sha256);
	free(db->last_ecosystem);
	free(db->last_release);
	free(db->last_package);
	free(db->last_advisory);
	strv_free(db->feeds_seen);
	free(db);
}
