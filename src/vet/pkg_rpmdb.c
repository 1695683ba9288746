/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three kinds of rpm database; each is a heap of headers.
 *
 *	sqlite	rpm 4.16 and later: table Packages (hnum, blob), opened by SQLite on a copy in memory
 *	ndb	SUSE: rpm's lib/backend/ndb/rpmpkg.c: pages of slots that say where blobs lie, in units of 16 bytes, little endian
 *	bdb	before: a Berkeley DB hash; only what a reader needs: pages, pairs of key and value, overflow chains
 */
#include "base/cleanup.h"
#include "vet/packages.h"

#include <sqlite3.h>
#include <string.h>
#include <zlib.h>

enum { BLOB_MAX = 256 << 20 };

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- SQLite ---- */

enum { STEPS = 1000, STEPS_MAX = 1000000 }; /* virtual machine instructions between two looks at how long it takes */

static int too_long(void *arg)
{
	return ++*(unsigned *)arg > STEPS_MAX;
}

/* Only reads of the table: a database can bring views and triggers of its own. */
static int allow(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)arg;
	(void)b;
	(void)c;
	(void)d;
	if (action == SQLITE_SELECT || (action == SQLITE_READ && streq(a, "Packages")))
		return SQLITE_OK;
	return SQLITE_DENY;
}

/*
 * Lays the frames of a write-ahead log that were committed over the copy (sqlite.org/fileformat2.html#walformat; without checking the
 * running checksum: the salts tell old frames from new ones). The copy may grow; its new size is returned.
 */
static size_t apply_wal(unsigned char **copy, size_t n, const unsigned char *wal, size_t n_wal)
{
	size_t page = n_wal >= 32 ? be32(wal + 8) : 0, at, commit = 0, committed = 0;

	if (n_wal < 32 || (be32(wal) & ~1U) != 0x377f0682 || page < 512 || page > 65536 || (page & (page - 1)))
		return n;
	for (at = 32; n_wal - at >= 24 + page && memcmp(wal + at + 8, wal + 16, 8) == 0; at += 24 + page)
		if (be32(wal + at + 4) != 0) {
			commit = at + 24 + page;
			committed = be32(wal + at + 4);
		}
	if (commit == 0 || committed > (n + n_wal) / page)
		return n;
	if (committed * page > n) {
		*copy = sqlite3_realloc64(*copy, committed * page);
		if (!*copy)
			return 0;
		memset(*copy + n, 0, committed * page - n);
	}
	n = committed * page;
	for (at = 32; at < commit; at += 24 + page) {
		size_t number = be32(wal + at);

		if (number > 0 && number <= committed)
			memcpy(*copy + (number - 1) * page, wal + at + 24, page);
	}
	return n;
}

/* A database on a private copy of the bytes, which must not trust its own schema. */
static sqlite3 *sqlite_open(const unsigned char *data, size_t n, const unsigned char *wal, size_t n_wal, unsigned *steps)
{
	unsigned char *copy = sqlite3_malloc64(n);
	sqlite3 *db = NULL;

	if (!copy)
		return NULL;
	memcpy(copy, data, n);
	n = apply_wal(&copy, n, wal, n_wal);
	if (n == 0)
		return NULL;
	/* A copy in memory has no log beside it: read as if it were in rollback mode. */
	copy[18] = copy[19] = 1;
	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, NULL) != SQLITE_OK) {
		sqlite3_free(copy);
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, BLOB_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_progress_handler(db, STEPS, too_long, steps);
	/* With FREEONCLOSE the copy is SQLite's, also when it fails. */
	if (sqlite3_deserialize(db, "main", copy, (sqlite3_int64)n, (sqlite3_int64)n,
		    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_set_authorizer(db, allow, NULL);
	return db;
}

void rpm_parse_sqlite(struct pkgs *p, const char *path, const unsigned char *data, size_t n, const unsigned char *wal, size_t n_wal)
{
	sqlite3_stmt *query = NULL;
	unsigned steps = 0;
	sqlite3 *db;
	int r;

	if (n < 512 || memcmp(data, "SQLite format 3", 16) != 0) {
		pkgs_fault(p, path, "not a SQLite database");
		return;
	}
	db = sqlite_open(data, n, wal, n_wal, &steps);
	if (!db) {
		pkgs_fault(p, path, "the database cannot be opened");
		return;
	}
	r = sqlite3_prepare_v2(db, "SELECT blob FROM Packages", -1, &query, NULL);
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(query);
		if (r == SQLITE_ROW) {
			const unsigned char *blob = sqlite3_column_blob(query, 0);

			rpm_parse_header(p, path, blob ? blob : (const unsigned char *)"", (size_t)sqlite3_column_bytes(query, 0));
		}
	}
	if (r != SQLITE_DONE)
		pkgs_fault(p, path, "the database is damaged: %s", sqlite3_errmsg(db));
	sqlite3_finalize(query);
	sqlite3_close(db);
}

/* ---- ndb ---- */

static const unsigned char ndb_magic[4] = "RpmP", slot_magic[4] = "Slot", blob_magic[4] = "BlbS", blob_end[4] = "BlbE";
enum { NDB_PAGE = 4096, NDB_UNIT = 16 };

static void ndb_blob(struct pkgs *p, const char *path, const unsigned char *data, size_t n, const unsigned char *slot)
{
	uint64_t at = (uint64_t)le32(slot + 8) * NDB_UNIT, room = (uint64_t)le32(slot + 12) * NDB_UNIT;
	const unsigned char *blob, *tail;
	uint32_t size;

	if (at > n || room > n - at || room < 28) {
		pkgs_fault(p, path, "a slot points outside of the database");
		return;
	}
	blob = data + at;
	size = le32(blob + 12);
	if (memcmp(blob, blob_magic, 4) != 0 || memcmp(blob + 4, slot + 4, 4) != 0 || size > room - 28) {
		pkgs_fault(p, path, "a header's frame is damaged");
		return;
	}
	/* The sum is of all but the end, padding included. */
	tail = blob + room - 12;
	if (memcmp(tail + 8, blob_end, 4) != 0 || le32(tail + 4) != size || adler32(1, blob, (uInt)(room - 12)) != le32(tail))
		pkgs_fault(p, path, "a header was changed: its checksum does not match");
	rpm_parse_header(p, path, blob + 16, size);
}

void rpm_parse_ndb(struct pkgs *p, const char *path, const unsigned char *data, size_t n)
{
	uint64_t end;

	if (n < NDB_PAGE || memcmp(data, ndb_magic, 4) != 0 || le32(data + 4) != 0) {
		pkgs_fault(p, path, "not a database of rpm's ndb");
		return;
	}
	end = (uint64_t)le32(data + 12) * NDB_PAGE;
	if (end > n || end == 0) {
		pkgs_fault(p, path, "the database is cut");
		end = n;
	}
	for (uint64_t at = 32; at + 16 <= end; at += 16) {
		if (memcmp(data + at, slot_magic, 4) != 0) {
			pkgs_fault(p, path, "a slot is damaged");
			return;
		}
		if (le32(data + at + 8) != 0)
			ndb_blob(p, path, data, n, data + at);
	}
}

/* ---- Berkeley DB, hash ---- */

enum { BDB_HASH_MAGIC = 0x061561, BDB_HEAD = 26, PAGE_HASH_OLD = 2, PAGE_OVERFLOW = 7, PAGE_HASH = 13, ITEM_DATA = 1, ITEM_OFFPAGE = 3 };

struct bdb {
	const unsigned char *data;
	size_t n, page;
	bool big;
};

static uint32_t b32(const struct bdb *db, const unsigned char *p)
{
	return db->big ? be32(p) : le32(p);
}

static uint16_t b16(const struct bdb *db, const unsigned char *p)
{
	return db->big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

/* Gathers the chain of overflow pages; false when it is cut. `budget`: pages that may still be read, so that chains that share pages end. */
static bool bdb_chain(const struct bdb *db, uint32_t page, uint32_t size, size_t *budget, struct buf *out)
{
	out->len = 0;
	if (size > BLOB_MAX)
		return false;
	while (out->len < size) {
		const unsigned char *at;
		size_t have;

		if (page == 0 || page >= db->n / db->page || *budget == 0)
			return false;
		(*budget)--;
		at = db->data + page * db->page;
		have = b16(db, at + 22);
		if (at[25] != PAGE_OVERFLOW || have == 0 || have > db->page - BDB_HEAD || have > size - out->len)
			return false;
		buf_add(out, at + BDB_HEAD, have);
		page = b32(db, at + 16);
	}
	return true;
}

static void bdb_value(struct pkgs *p, const char *path, const struct bdb *db, const unsigned char *item, size_t n, size_t *budget)
{
	_cleanup_buf_ struct buf blob = { 0 };

	if (n >= 12 && item[0] == ITEM_OFFPAGE) {
		if (bdb_chain(db, b32(db, item + 4), b32(db, item + 8), budget, &blob))
			rpm_parse_header(p, path, (const unsigned char *)blob.data, blob.len);
		else
			pkgs_fault(p, path, "a chain of pages is damaged");
	} else if (n > 1 && item[0] == ITEM_DATA) {
		rpm_parse_header(p, path, item + 1, n - 1);
	} else {
		pkgs_fault(p, path, "a value of a kind that rpm does not use");
	}
}

/* Items lie from the end of the page down, so that each ends where the one before begins. */
static void bdb_page(struct pkgs *p, const char *path, const struct bdb *db, const unsigned char *page, size_t *budget)
{
	size_t n = b16(db, page + 20), end = db->page, key = 0, key_len = 0;

	if (n > (db->page - BDB_HEAD) / 2) {
		pkgs_fault(p, path, "a page is damaged");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = b16(db, page + BDB_HEAD + 2 * i);

		if (at < BDB_HEAD + 2 * n || at >= end) {
			pkgs_fault(p, path, "an item of a page is damaged");
			return;
		}
		/* Key, value, key, value; the key 0 holds a counter. */
		if (i % 2 == 0) {
			key = at;
			key_len = end - at;
		} else if (end - at != 5 || key_len != 5 || memcmp(page + key + 1, "\0\0\0", 4) != 0) {
			bdb_value(p, path, db, page + at, end - at, budget);
		}
		end = at;
	}
}

void rpm_parse_bdb(struct pkgs *p, const char *path, const unsigned char *data, size_t n)
{
	struct bdb db = { data, n, 0, false };
	size_t budget;

	if (n >= 512 && be32(data + 12) == BDB_HASH_MAGIC)
		db.big = true;
	if (n < 512 || b32(&db, data + 12) != BDB_HASH_MAGIC) {
		pkgs_fault(p, path, "not a Berkeley DB hash");
		return;
	}
	db.page = b32(&db, data + 20);
	if (db.page < 512 || db.page > 65536 || (db.page & (db.page - 1)) || n / db.page < 2) {
		pkgs_fault(p, path, "the database's page size is damaged");
		return;
	}
	budget = n / db.page;
	for (size_t i = 1; i < n / db.page; i++) {
		const unsigned char *page = data + i * db.page;

		if (page[25] == PAGE_HASH || page[25] == PAGE_HASH_OLD)
			bdb_page(p, path, &db, page, &budget);
	}
}
