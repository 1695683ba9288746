/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/index_internal.h"

#include "base/cleanup.h"

#include <string.h>

enum { SUMMARY_MAX = 200 };

static int step(struct advdb_db *db, sqlite3_stmt *s, struct error *e)
{
	int r = sqlite3_step(s);

	sqlite3_reset(s);
	return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : advdb_error(db, "the index of advisories", e);
}

/* The id that `find` gives, or the one of a new row that `add` makes; both take `bind`'s parameters. */
struct key {
	const char *text[2];
	int64_t number[2];
	int order; /* 0: two texts; 1: number, text; 2: number, text, number */
};

static void bind_key(sqlite3_stmt *s, const struct key *k)
{
	if (k->order == 0) {
		advdb_bind(s, 1, k->text[0]);
		advdb_bind(s, 2, k->text[1]);
		return;
	}
	sqlite3_bind_int64(s, 1, k->number[0]);
	advdb_bind(s, 2, k->text[0]);
	if (k->order == 2)
		sqlite3_bind_int64(s, 3, k->number[1]);
}

static int64_t intern(struct advdb_db *db, enum advdb_statement find, enum advdb_statement add, const struct key *k, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, find, e);
	int64_t id = 0;
	int r;

	if (!s)
		return -EBADMSG;
	bind_key(s, k);
	if (sqlite3_step(s) == SQLITE_ROW)
		id = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (id > 0)
		return id;
	s = advdb_statement(db, add, e);
	if (!s)
		return -EBADMSG;
	bind_key(s, k);
	r = step(db, s, e);
	return r < 0 ? r : sqlite3_last_insert_rowid(db->db);
}

static bool same(char **last, const char *now)
{
	if (*last && streq(*last, now))
		return true;
	free(*last);
	*last = xstrdup(now);
	return false;
}

static void forget_last(struct advdb_db *db)
{
	free(steal_ptr(&db->last_ecosystem));
	free(steal_ptr(&db->last_release));
	free(steal_ptr(&db->last_package));
	free(steal_ptr(&db->last_advisory));
}

static int run_with_feed(struct advdb_db *db, enum advdb_statement which, const char *text, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, which, e);

	if (!s)
		return -EBADMSG;
	sqlite3_bind_int64(s, 1, db->feed);
	advdb_bind(s, 2, text);
	return step(db, s, e);
}

static int wipe(struct advdb_db *db, const struct advisory_feed *feed, struct error *e)
{
	int r;

	if (streq(feed->name, "kev"))
		return advdb_exec(db, "DELETE FROM kev", e);
	if (streq(feed->name, "epss"))
		return advdb_exec(db, "DELETE FROM epss", e);
	r = run_with_feed(db, S_WIPE_AFFECTED, NULL, e);
	return r < 0 ? r : run_with_feed(db, S_WIPE_ADVISORIES, NULL, e);
}

static int take_feed(void *ctx, const struct advisory_feed *feed, const char *published, struct error *e)
{
	struct advdb_db *db = ctx;
	bool seen = strv_has(db->feeds_seen, feed->name);
	sqlite3_stmt *s = advdb_statement(db, S_FEED_ADD, e);
	int r;

	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, feed->name);
	sqlite3_bind_int(s, 2, feed->priority);
	advdb_bind(s, 3, db->file);
	advdb_bind(s, 4, db->sha256);
	sqlite3_bind_int64(s, 5, db->now);
	advdb_bind(s, 6, published);
	r = step(db, s, e);
	s = r == 0 ? advdb_statement(db, S_FEED_FIND, e) : NULL;
	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, feed->name);
	db->feed = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	forget_last(db);
	db->records = feed->records;
	if (seen)
		return 0;
	strv_add_copy(&db->feeds_seen, feed->name);
	return feed->records ? 0 : wipe(db, feed, e);
}

static int take_drop(void *ctx, const char *advisory, struct error *e)
{
	return run_with_feed(ctx, S_DROP_AFFECTED, advisory, e);
}

/* The first line, cut. */
static char *short_summary(const char *s)
{
	size_t n;
	char *out;

	if (!s)
		return NULL;
	s += strspn(s, " \t\r\n#");
	n = strcspn(s, "\r\n");
	if (n > SUMMARY_MAX) {
		n = SUMMARY_MAX;
		while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80) /* not within a character */
			n--;
	}
	out = n ? xstrndup(s, n) : NULL;
	return out;
}

static int64_t intern_vuln(struct advdb_db *db, const struct advisory_row *row, struct error *e)
{
	_cleanup_free_ char *summary = short_summary(row->summary);
	sqlite3_stmt *s = advdb_statement(db, S_VULN_FIND, e);
	int64_t id = 0;
	bool bare = false;
	int r;

	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, row->id);
	if (sqlite3_step(s) == SQLITE_ROW) {
		id = sqlite3_column_int64(s, 0);
		bare = sqlite3_column_int(s, 1);
	}
	sqlite3_reset(s);
	if (id && (!bare || !summary))
		return id;
	s = advdb_statement(db, id ? S_VULN_SUMMARY : S_VULN_ADD, e);
	if (!s)
		return -EBADMSG;
	if (id)
		sqlite3_bind_int64(s, 1, id);
	else
		advdb_bind(s, 1, row->id);
	advdb_bind(s, 2, summary);
	r = step(db, s, e);
	sqlite3_clear_bindings(s); /* the summary ends here */
	return r < 0 ? r : id ? id : sqlite3_last_insert_rowid(db->db);
}

/* db->place, db->package, db->advisory of this row. */
static int find_keys(struct advdb_db *db, const struct advisory_row *row, struct error *e)
{
	bool here = same(&db->last_ecosystem, row->ecosystem);

	here = same(&db->last_release, row->release) && here;
	if (!here) {
		db->place = intern(db, S_PLACE_FIND, S_PLACE_ADD, &(struct key){ .text = { row->ecosystem, row->release } }, e);
		if (db->place < 0)
			return (int)db->place;
	}
	if (!(same(&db->last_package, row->package) && here && db->last_binary == row->binary)) {
		db->package = intern(db, S_PACKAGE_FIND, S_PACKAGE_ADD,
				     &(struct key){ .text = { row->package }, .number = { db->place, row->binary }, .order = 2 }, e);
		if (db->package < 0)
			return (int)db->package;
		db->last_binary = row->binary;
	}
	if (!same(&db->last_advisory, row->advisory)) {
		db->advisory = intern(db, S_ADVISORY_FIND, S_ADVISORY_ADD,
			&(struct key){.text = {row->advisory}, .number = {db->feed}, .order = 1}, e);
		if (db->advisory < 0)
			return (int)db->advisory;
	}
	return 0;
}

static int take_row(void *ctx, const struct advisory_row *row, struct error *e)
{
	struct advdb_db *db = ctx;
	int r = find_keys(db, row, e);
	int64_t vuln = r < 0 ? r : intern_vuln(db, row, e);
	sqlite3_stmt *s;

	if (vuln < 0) {
		forget_last(db);
		return (int)vuln;
	}
	s = advdb_statement(db, S_AFFECTED_ADD, e);
	if (!s)
		return -EBADMSG;
	sqlite3_bind_int64(s, 1, db->package);
	sqlite3_bind_int64(s, 2, vuln);
	sqlite3_bind_int64(s, 3, db->advisory);
	sqlite3_bind_int(s, 4, (int)row->status);
	advdb_bind(s, 5, row->introduced);
	advdb_bind(s, 6, row->status == ADVISORY_NOT_AFFECTED ? NULL : row->fixed);
	advdb_bind(s, 7, row->last);
	if (row->level != ADVISORY_NO_LEVEL)
		sqlite3_bind_int(s, 8, row->level);
	if (row->cvss > 0)
		sqlite3_bind_double(s, 9, row->cvss);
	advdb_bind(s, 10, row->module);
	return step(db, s, e);
}

static int take_kev(void *ctx, const char *cve, const char *added, const char *due, bool ransomware, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(ctx, S_KEV_ADD, e);

	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, cve);
	advdb_bind(s, 2, added);
	advdb_bind(s, 3, due);
	sqlite3_bind_int(s, 4, ransomware);
	return step(ctx, s, e);
}

static int take_epss(void *ctx, const char *cve, double score, double percentile, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(ctx, S_EPSS_ADD, e);

	if (!s)
		return -EBADMSG;
	advdb_bind(s, 1, cve);
	sqlite3_bind_double(s, 2, score);
	sqlite3_bind_double(s, 3, percentile);
	return step(ctx, s, e);
}

int advdb_begin(struct advdb_db *db, const char *file, const char *sha256, int64_t now, struct error *e)
{
	free(db->file);
	free(db->sha256);
	db->file = xstrdup(file);
	db->sha256 = xstrdup(sha256);
	db->now = now;
	db->in_import = true;
	strv_free(steal_ptr(&db->feeds_seen));
	forget_last(db);
	db->sink = (struct advisory_sink){.ctx = db,
		.feed = take_feed,
		.drop = take_drop,
		.row = take_row,
		.kev = take_kev,
		.epss = take_epss};
	return advdb_exec(db, "BEGIN", e);
}

struct advisory_sink *advdb_sink(struct advdb_db *db)
{
	return &db->sink;
}

int advdb_end(struct advdb_db *db, struct error *e)
{
	sqlite3_stmt *s = advdb_statement(db, S_FEED_DONE, e);
	int r = s ? step(db, s, e) : -EBADMSG;

	if (r == 0)
		r = advdb_exec(db, "DELETE FROM covers; INSERT INTO covers SELECT DISTINCT p.place, d.feed FROM affected a"
				   " JOIN package p ON p.id = a.package JOIN advisory d ON d.id = a.advisory", e);
	db->in_import = false;
	return r < 0 ? r : advdb_exec(db, "COMMIT", e);
}

int advdb_bytes(struct advdb_db *db, const void **data, size_t *n, struct error *e)
{
	sqlite3_int64 size = 0;
	unsigned char *bytes;

	/* Every statement that still reads would hold the pages back. */
	for (int i = 0; i < S_COUNT; i++)
		if (db->statements[i])
			sqlite3_reset(db->statements[i]);
	bytes = sqlite3_serialize(db->db, "main", &size, SQLITE_SERIALIZE_NOCOPY);
	/* A database that began in memory is copied once: it becomes that of the connection, which frees it. */
	if (!bytes) {
		bytes = sqlite3_serialize(db->db, "main", &size, 0);
		if (!bytes)
			return error_set(e, ENOMEM, "no memory for the index of advisories");
		for (int i = 0; i < S_COUNT; i++)
			sqlite3_finalize(steal_ptr(&db->statements[i]));
		if (sqlite3_deserialize(db->db, "main", bytes, size, size,
			    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK)
			return advdb_error(db, "the index of advisories", e);
		bytes = sqlite3_serialize(db->db, "main", &size, SQLITE_SERIALIZE_NOCOPY);
	}
	*data = bytes;
	*n = (size_t)size;
	return bytes ? 0 : error_set(e, ENOMEM, "no memory for the index of advisories");
}
