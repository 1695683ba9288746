/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of rpm made here, in its three kinds of database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "vet/packages.h"

#include <openssl/evp.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void be32(struct buf *b, uint32_t v)
{
	buf_add(b, (unsigned char[]){ v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255 }, 4);
}

static void le32(struct buf *b, uint32_t v)
{
	buf_add(b, (unsigned char[]){ v & 255, v >> 8 & 255, v >> 16 & 255, v >> 24 }, 4);
}

struct maker {
	struct buf index, data;
	uint32_t n;
};

static void entry(struct maker *m, uint32_t tag, uint32_t type, uint32_t count, const void *data, size_t n)
{
	while (type == 4 && m->data.len % 4)
		buf_add(&m->data, "", 1);
	while (type == 3 && m->data.len % 2)
		buf_add(&m->data, "", 1);
	be32(&m->index, tag);
	be32(&m->index, type);
	be32(&m->index, (uint32_t)m->data.len);
	be32(&m->index, count);
	buf_add(&m->data, data, n);
	m->n++;
}

/* The header of a package "hello" with two files, sealed as a database keeps it. */
static void make_header(struct buf *out, bool seal)
{
	static const char digests[] = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\0"; /* one and an empty one */
	struct maker m = { 0 }, added = { 0 };
	_cleanup_buf_ struct buf region = { 0 };
	unsigned char digest[32];
	char hex[65];

	entry(&m, 1000, 6, 1, "hello", 6);
	entry(&m, 1001, 6, 1, "1.2", 4);
	entry(&m, 1002, 6, 1, "3.el9", 6);
	entry(&m, 1003, 4, 1, "\0\0\0\2", 4);
	entry(&m, 1014, 6, 1, "GPLv2+", 7);
	entry(&m, 1022, 6, 1, "x86_64", 7);
	entry(&m, 1028, 4, 2, "\0\0\0\1\0\0\0\3", 8);
	entry(&m, 1030, 3, 2, "\x89\xed\xa1\xff", 4); /* 104755, 120777 */
	entry(&m, 1034, 4, 2, "\0\0\0\1\0\0\0\1", 8);
	entry(&m, 1035, 8, 2, digests, sizeof(digests));
	entry(&m, 1036, 8, 2, "\0sh", 4);
	entry(&m, 1037, 4, 2, "\0\0\0\0\0\0\0\1", 8);
	entry(&m, 1044, 6, 1, "hello-src-1.2-3.el9.src.rpm", 28);
	entry(&m, 1116, 4, 2, "\0\0\0\0\0\0\0\1", 8);
	entry(&m, 1117, 8, 2, "bash\0link", 10);
	entry(&m, 1118, 8, 2, "/usr/bin/\0/etc/", 16);
	entry(&m, 5011, 4, 1, "\0\0\0\10", 4);
	/* The region: its entry first, its trailer last. */
	be32(&region, 63);
	be32(&region, 7);
	be32(&region, (uint32_t)m.data.len);
	be32(&region, 16);
	buf_add(&region, m.index.data, m.index.len);
	be32(&m.data, 63);
	be32(&m.data, 7);
	be32(&m.data, (uint32_t)-(int32_t)((m.n + 1) * 16));
	be32(&m.data, 16);
	if (seal) {
		_cleanup_buf_ struct buf all = { 0 };

		buf_add(&all, "\x8e\xad\xe8\x01\0\0\0\0", 8);
		be32(&all, m.n + 1);
		be32(&all, (uint32_t)m.data.len);
		buf_add(&all, region.data, region.len);
		buf_add(&all, m.data.data, m.data.len);
		assert_int_equal(EVP_Digest(all.data, all.len, digest, NULL, EVP_sha256(), NULL), 1);
		hex_encode(digest, 32, hex);
		added.data.len = 0;
		be32(&added.index, 273);
		be32(&added.index, 6);
		be32(&added.index, (uint32_t)m.data.len);
		be32(&added.index, 1);
		buf_add(&added.data, hex, 65);
	}
	be32(out, m.n + 1 + seal);
	be32(out, (uint32_t)(m.data.len + added.data.len));
	buf_add(out, region.data, region.len);
	buf_add(out, added.index.data ? added.index.data : "", added.index.len);
	buf_add(out, m.data.data, m.data.len);
	buf_add(out, added.data.data ? added.data.data : "", added.data.len);
	buf_free(&m.index);
	buf_free(&m.data);
	buf_free(&added.index);
	buf_free(&added.data);
}

static void assert_hello(const struct pkgs *p)
{
	const struct distro d = { "rhel", "9.3", "" };
	_cleanup_free_ char *purl = NULL;
	const struct pkg *pkg = p->list;

	assert_int_equal(p->n, 1);
	assert_string_equal(pkg->name, "hello");
	assert_string_equal(pkg->version, "2:1.2-3.el9");
	assert_string_equal(pkg->source, "hello-src");
	assert_string_equal(pkg->source_version, "2:1.2-3.el9");
	assert_int_equal(pkg->n_files, 2);
	assert_string_equal(pkg->files[0].path, "usr/bin/bash");
	assert_int_equal(pkg->files[0].mode, 0104755);
	assert_int_equal(pkg->files[0].size, 1);
	assert_int_equal(pkg->files[0].hash, PKG_HASH_SHA256);
	assert_int_equal(pkg->files[0].digest[0], 0xca);
	assert_string_equal(pkg->files[1].path, "etc/link");
	assert_string_equal(pkg->files[1].target, "sh");
	assert_int_equal(pkg->files[1].digest_len, 0);
	assert_int_equal(pkg->files[1].flags, PKG_FILE_CONF);
	purl = pkg_purl(pkg, &d);
	assert_string_equal(purl, "pkg:rpm/rhel/hello@1.2-3.el9?arch=x86_64&distro=rhel-9.3&epoch=2&upstream=hello-src");
}

static void header(void **state)
{
	_cleanup_buf_ struct buf h = { 0 }, plain = { 0 };
	_cleanup_pkgs_ struct pkgs p = { 0 }, q = { 0 }, r = { 0 };

	(void)state;
	make_header(&h, true);
	rpm_parse_header(&p, "db", (unsigned char *)h.data, h.len);
	assert_hello(&p);
	assert_int_equal(p.n_faults, 0);
	assert_int_equal(p.list[0].sealed, 1);
	make_header(&plain, false);
	rpm_parse_header(&q, "db", (unsigned char *)plain.data, plain.len);
	assert_hello(&q);
	assert_int_equal(q.list[0].sealed, 0);
	/* The recorded digest of /usr/bin/bash, changed by hand. */
	*(char *)memmem(h.data, h.len, "ca978112", 8) = 'd';
	rpm_parse_header(&r, "db", (unsigned char *)h.data, h.len);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.list[0].sealed, -1);
}

static void header_cut(void **state)
{
	_cleanup_buf_ struct buf h = { 0 };

	(void)state;
	make_header(&h, true);
	for (size_t n = 0; n < h.len; n++) {
		_cleanup_free_ unsigned char *copy = xmalloc(n + 1);
		_cleanup_pkgs_ struct pkgs p = { 0 };

		memcpy(copy, h.data, n);
		rpm_parse_header(&p, "db", copy, n);
		assert_int_equal(p.n, 0);
		assert_int_equal(p.n_faults, 1);
	}
}

static void sqlite(void **state)
{
	_cleanup_buf_ struct buf h = { 0 };
	sqlite3_stmt *put;
	sqlite3_int64 n;
	unsigned char *bytes;
	sqlite3 *db;

	(void)state;
	make_header(&h, true);
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES(?)", -1, &put, NULL), SQLITE_OK);
	sqlite3_bind_blob(put, 1, h.data, (int)h.len, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(put), SQLITE_DONE);
	sqlite3_finalize(put);
	bytes = sqlite3_serialize(db, "main", &n, 0);
	assert_non_null(bytes);
	{
		_cleanup_pkgs_ struct pkgs p = { 0 };

		rpm_parse_sqlite(&p, "db", bytes, (size_t)n, NULL, 0);
		assert_hello(&p);
		assert_int_equal(p.n_faults, 0);
	}
	/* A file that is cut, and one whose pages are noise. */
	for (int i = 0; i < 2; i++) {
		_cleanup_pkgs_ struct pkgs p = { 0 };

		if (i)
			memset(bytes + 100, 0xa5, (size_t)n - 100);
		rpm_parse_sqlite(&p, "db", bytes, i ? (size_t)n : 4096, NULL, 0);
		assert_int_equal(p.n, 0);
		assert_true(p.n_faults > 0);
	}
	sqlite3_free(bytes);
	/* A table that is a view of something that never ends. */
	assert_int_equal(sqlite3_exec(db, "DROP TABLE Packages; CREATE VIEW Packages(blob) AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c",
		NULL, NULL, NULL), SQLITE_OK);
	bytes = sqlite3_serialize(db, "main", &n, 0);
	{
		_cleanup_pkgs_ struct pkgs p = { 0 };

		rpm_parse_sqlite(&p, "db", bytes, (size_t)n, NULL, 0);
		assert_int_equal(p.n, 0);
		assert_int_equal(p.n_faults, 1);
	}
	sqlite3_free(bytes);
	sqlite3_close(db);
}

static unsigned char *slurp(const char *path, size_t *n)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	unsigned char *data = xmalloc(1 << 20);

	assert_non_null(f);
	*n = fread(data, 1, 1 << 20, f);
	return data;
}

/* A writer that has not brought its log home yet: what it committed counts, what it did not does not. */
static void sqlite_log(void **state)
{
	char dir[] = "/tmp/brig-vet-rpm-XXXXXX";
	_cleanup_buf_ struct buf h = { 0 };
	_cleanup_free_ char *path = NULL, *log = NULL;
	_cleanup_pkgs_ struct pkgs p = { 0 }, q = { 0 }, r = { 0 };
	size_t n, n_log;
	sqlite3_stmt *put;
	sqlite3 *db;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/db", dir);
	log = xasprintf("%s/db-wal", dir);
	make_header(&h, true);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
		"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL); PRAGMA wal_checkpoint", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES(?)", -1, &put, NULL), SQLITE_OK);
	sqlite3_bind_blob(put, 1, h.data, (int)h.len, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(put), SQLITE_DONE);
	sqlite3_finalize(put);
	_cleanup_free_ unsigned char *data = slurp(path, &n), *wal = slurp(log, &n_log);

	assert_true(n_log > 32);
	rpm_parse_sqlite(&p, "db", data, n, NULL, 0);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.n_faults, 0);
	rpm_parse_sqlite(&q, "db", data, n, wal, n_log);
	assert_hello(&q);
	assert_int_equal(q.n_faults, 0);
	/* Cut in its first frame. */
	rpm_parse_sqlite(&r, "db", data, n, wal, 32 + 24 + 100);
	assert_int_equal(r.n, 0);
	sqlite3_close(db);
	unlink(path);
	unlink(log);
	assert_int_equal(rmdir(dir), 0);
}

/* What rpm's backend writes: one page of slots, blobs behind it. */
static void ndb(void **state)
{
	_cleanup_buf_ struct buf h = { 0 }, db = { 0 };
	size_t units, at;

	(void)state;
	make_header(&h, true);
	units = (16 + h.len + 12 + 15) / 16;
	buf_add(&db, "RpmP\0\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0", 20);
	buf_add(&db, (char[12]){ 0 }, 12);
	for (int i = 0; i < 254; i++) {
		buf_puts(&db, "Slot");
		le32(&db, i == 3 ? 7 : 0);
		le32(&db, i == 3 ? 4096 / 16 : 0);
		le32(&db, i == 3 ? (uint32_t)units : 0);
	}
	assert_int_equal(db.len, 4096);
	buf_puts(&db, "BlbS");
	le32(&db, 7);
	le32(&db, 1700000000);
	le32(&db, (uint32_t)h.len);
	buf_add(&db, h.data, h.len);
	while (db.len < 4096 + units * 16 - 12)
		buf_add(&db, "", 1);
	le32(&db, (uint32_t)adler32(1, (unsigned char *)db.data + 4096, (uInt)(db.len - 4096)));
	le32(&db, (uint32_t)h.len);
	buf_puts(&db, "BlbE");
	{
		_cleanup_pkgs_ struct pkgs p = { 0 };

		rpm_parse_ndb(&p, "db", (unsigned char *)db.data, db.len);
		assert_hello(&p);
		assert_int_equal(p.n_faults, 0);
	}
	for (size_t n = 0; n < db.len; n += 13) {
		_cleanup_pkgs_ struct pkgs p = { 0 };
		_cleanup_free_ unsigned char *copy = xmalloc(n + 1);

		memcpy(copy, db.data, n);
		rpm_parse_ndb(&p, "db", copy, n);
		assert_int_equal(p.n, 0);
		assert_true(p.n_faults > 0);
	}
	/* A byte of the license: the frame's sum and the header's digest tell. */
	at = (size_t)((char *)memmem(db.data, db.len, "GPLv2+", 6) - db.data);
	db.data[at] = 'L';
	_cleanup_pkgs_ struct pkgs p = { 0 };

	rpm_parse_ndb(&p, "db", (unsigned char *)db.data, db.len);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.list[0].sealed, -1);
	assert_int_equal(p.n_faults, 1);
}

/* A Berkeley DB hash with the counter in a page and a header in a chain of two overflow pages. */
static void bdb(void **state)
{
	enum { PAGE = 512 };
	_cleanup_buf_ struct buf h = { 0 };
	_cleanup_free_ unsigned char *db = xcalloc(4, PAGE);
	unsigned char *page = db + PAGE;
	size_t first = PAGE - 26;

	(void)state;
	make_header(&h, false);
	assert_true(h.len > first && h.len < 2 * first);
	memcpy(db + 12, "\x61\x15\x06\0", 4);
	memcpy(db + 20, "\0\2\0\0", 4);
	page[25] = 13;
	page[20] = 4;
	/* Items from the end: key 0, counter, key 1, what points to the chain. */
	size_t end = PAGE, sizes[] = { 5, 5, 5, 12 };

	for (int i = 0; i < 4; i++) {
		end -= sizes[i];
		page[26 + 2 * i] = end & 255;
		page[27 + 2 * i] = (unsigned char)(end >> 8);
		page[end] = i == 3 ? 3 : 1;
		if (i == 2)
			page[end + 1] = 1;
		if (i == 3) {
			page[end + 4] = 2;
			page[end + 8] = h.len & 255;
			page[end + 9] = (unsigned char)(h.len >> 8);
		}
	}
	for (int i = 2; i < 4; i++) {
		size_t at = i == 2 ? 0 : first, n = i == 2 ? first : h.len - first;

		page = db + i * PAGE;
		page[16] = i == 2 ? 3 : 0;
		page[22] = n & 255;
		page[23] = (unsigned char)(n >> 8);
		page[25] = 7;
		memcpy(page + 26, h.data + at, n);
	}
	{
		_cleanup_pkgs_ struct pkgs p = { 0 };

		rpm_parse_bdb(&p, "db", db, 4 * PAGE);
		assert_hello(&p);
		assert_int_equal(p.n_faults, 0);
	}
	/* A chain that leads back to itself. */
	db[2 * PAGE + 16] = 2;
	_cleanup_pkgs_ struct pkgs p = { 0 };

	rpm_parse_bdb(&p, "db", db, 4 * PAGE);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.n_faults, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header), cmocka_unit_test(header_cut), cmocka_unit_test(sqlite), cmocka_unit_test(sqlite_log), cmocka_unit_test(ndb), cmocka_unit_test(bdb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
