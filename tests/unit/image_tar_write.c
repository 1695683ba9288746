/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer writes, the strict reader reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "image/tar_write.h"

struct bytes {
	struct buf data;
	size_t at;
};

static int put(void *arg, const void *data, size_t n, struct error *e)
{
	(void)e;
	buf_add(&((struct bytes *)arg)->data, data, n);
	return 0;
}

static ssize_t get(void *arg, void *data, size_t n, struct error *e)
{
	struct bytes *b = arg;

	(void)e;
	if (n > 100) /* in pieces that fit no block */
		n = 100;
	if (n > b->data.len - b->at)
		n = b->data.len - b->at;
	memcpy(data, b->data.data + b->at, n);
	b->at += n;
	return (ssize_t)n;
}

static char *repeat(const char *s, size_t times)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < times; i++)
		buf_puts(&b, s);
	return buf_steal(&b);
}

static void same(const struct tar_entry *a, const struct tar_entry *b)
{
	assert_int_equal(a->type, b->type);
	assert_string_equal(a->path, b->path);
	assert_string_equal(a->link ? a->link : "", b->link ? b->link : "");
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->mtime, b->mtime);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->n_xattrs, b->n_xattrs);
	for (size_t i = 0; i < a->n_xattrs; i++) {
		assert_string_equal(a->xattrs[i].name, b->xattrs[i].name);
		assert_int_equal(a->xattrs[i].len, b->xattrs[i].len);
		assert_memory_equal(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].len);
	}
}

static void round_trip(void **state)
{
	_cleanup_free_ char *at_limit = repeat("x", 100), *beyond = repeat("y", 101), *deep = repeat("dir/", 500);
	_cleanup_free_ char *utf8 = repeat("\xc3\xa4", 60), *data = repeat("0123456789", 100);
	const struct tar_entry entries[] = {
		{ .type = 'd', .path = "a/", .mode = 01755 },
		{ .type = 'f', .path = "a/f", .mode = 04755, .uid = 07777777, .gid = 5, .mtime = 077777777777,
		  .size = 1000 },
		{ .type = 'f', .path = "a/empty", .mode = 0600, .uid = 010000000, .gid = UINT32_MAX - 1, .mtime = -1,
		  .mtime_ns = 5 },
		{ .type = 'f', .path = "a/block", .mode = 0600, .mtime = 1, .mtime_ns = 999999999, .size = 512 },
		{ .type = 'l', .path = at_limit, .link = beyond },
		{ .type = 'l', .path = beyond, .link = at_limit },
		{ .type = 'h', .path = utf8, .link = "a/f" },
		{ .type = 'p', .path = deep, .mode = 0644, .mtime = -1700000000 },
		{ .type = 'f', .path = "a/x", .size = 1, .mode = 0644, .mtime = 0100000000000,
		  .xattrs = { { "user.a", "b\0c", 3 }, { "user.e", "", 0 } }, .n_xattrs = 2 },
	};
	struct bytes b = { 0 };
	struct tar_writer w = { .write = put, .arg = &b };
	struct tar t = { .read = get, .arg = &b, .need_end = true };
	const struct tar_entry *got;
	struct error e = { 0 };

	(void)state;
	deep[strlen(deep) - 1] = 'f';
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		assert_int_equal(tar_write_entry(&w, &entries[i], &e), 0);
		if (entries[i].size > 1)
			assert_int_equal(tar_write_data(&w, data, 1, &e), 0);
		if (entries[i].size)
			assert_int_equal(tar_write_data(&w, data, entries[i].size - (entries[i].size > 1), &e), 0);
	}
	assert_int_equal(tar_write_end(&w, &e), 0);
	assert_int_equal(b.data.len % 512, 0);
	tar_open(&t);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		int r = tar_next(&t, &got, &e);

		if (r != 1)
			fail_msg("entry %zu: %s", i, e.text);
		same(&entries[i], got);
	}
	assert_int_equal(tar_next(&t, &got, &e), 0);
	tar_close(&t);
	buf_free(&b.data);
}

static void big_file(void **state)
{
	const struct tar_entry big = { .type = 'f', .path = "big", .size = 1ULL << 40 };
	struct bytes b = { 0 };
	struct tar_writer w = { .write = put, .arg = &b };
	struct tar t = { .read = get, .arg = &b };
	const struct tar_entry *got;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(tar_write_entry(&w, &big, &e), 0);
	tar_open(&t);
	assert_int_equal(tar_next(&t, &got, &e), 1);
	assert_int_equal(got->size, 1ULL << 40);
	tar_close(&t);
	buf_free(&b.data);
}

static void misuse(void **state)
{
	const struct tar_entry f = { .type = 'f', .path = "f", .size = 3 }, none = { .type = 'f', .path = "" };
	const struct tar_entry device = { .type = 'c', .path = "null" };
	struct bytes b = { 0 };
	struct tar_writer w = { .write = put, .arg = &b };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(tar_write_entry(&w, &none, &e), -EINVAL);
	assert_int_equal(tar_write_entry(&w, &device, &e), -EINVAL);
	assert_int_equal(b.data.len, 0);
	assert_int_equal(tar_write_entry(&w, &f, &e), 0);
	assert_int_equal(tar_write_data(&w, "1234", 4, &e), -EINVAL);
	assert_int_equal(tar_write_data(&w, "12", 2, &e), 0);
	assert_int_equal(tar_write_entry(&w, &f, &e), -EINVAL);
	assert_int_equal(tar_write_end(&w, &e), -EINVAL);
	assert_int_equal(tar_write_data(&w, "3", 1, &e), 0);
	assert_int_equal(tar_write_end(&w, &e), 0);
	buf_free(&b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(big_file),
		cmocka_unit_test(misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
