/* SPDX-License-Identifier: Apache-2.0 */
/* The strict tar reader and what a layer becomes. tests/images/hostile has the refused archives by the hundred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "image/layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct buf archive;
static size_t at, chunk;

static ssize_t read_chunk(void *arg, void *data, size_t n, struct error *e)
{
	(void)arg;
	(void)e;
	if (n > chunk)
		n = chunk;
	if (n > archive.len - at)
		n = archive.len - at;
	memcpy(data, archive.data + at, n);
	at += n;
	return (ssize_t)n;
}

static void begin(void)
{
	archive.len = at = 0;
	chunk = 1000;
}

static void put_field(char *h, size_t off, size_t n, unsigned long v)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%0*lo", (int)n - 1, v);
	memcpy(h + off, digits, n);
}

static void put_full(const char *name, char type, const char *link, const char *data, size_t n, unsigned mode)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	memcpy(h, name, strnlen(name, 100));
	put_field(h, 100, 8, mode);
	put_field(h, 108, 8, 0);
	put_field(h, 116, 8, 0);
	put_field(h, 124, 12, n);
	put_field(h, 136, 12, 12);
	h[156] = type;
	if (link)
		memcpy(h + 157, link, strnlen(link, 100));
	memcpy(h + 257, "ustar\0" "00", 8);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_add(&archive, h, sizeof(h));
	if (n)
		buf_add(&archive, data, n);
	memset(h, 0, sizeof(h));
	buf_add(&archive, h, -n % 512);
}

static void put(const char *name, char type, const char *data)
{
	put_full(name, type, NULL, data, strlen(data), type == '5' ? 0755 : 0644);
}

static void finish(void)
{
	static const char zeros[1024];

	buf_add(&archive, zeros, sizeof(zeros));
}

static void put_pax(const char *records)
{
	put_full("pax", 'x', NULL, records, strlen(records), 0644);
}

static int parse(struct error *e)
{
	_cleanup_(tar_close) struct tar t = { .read = read_chunk };
	const struct tar_entry *entry;
	int r, n = 0;

	at = 0;
	tar_open(&t);
	while ((r = tar_next(&t, &entry, e)) > 0)
		n++;
	return r < 0 ? r : n;
}

static void pieces(void **state)
{
	_cleanup_(tar_close) struct tar t = { .read = read_chunk };
	const struct tar_entry *entry;
	char text[3000];
	const void *p;
	size_t got = 0;
	ssize_t n;

	(void)state;
	begin();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	put("d/", '5', "");
	put("d/f", '0', text);
	put("d/g", '0', "y");
	finish();
	chunk = 7; /* reads of any size */
	tar_open(&t);
	assert_int_equal(tar_next(&t, &entry, NULL), 1);
	assert_int_equal(entry->type, 'd');
	assert_int_equal(tar_next(&t, &entry, NULL), 1);
	assert_string_equal(entry->path, "d/f");
	assert_int_equal(entry->size, sizeof(text) - 1);
	assert_int_equal(entry->mtime, 12);
	while ((n = tar_data(&t, &p, NULL)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(((const char *)p)[i], 'x');
		got += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(got, sizeof(text) - 1);
	assert_int_equal(tar_next(&t, &entry, NULL), 1); /* whose data is skipped */
	assert_int_equal(tar_next(&t, &entry, NULL), 0);
	assert_int_equal(tar_next(&t, &entry, NULL), 0);
}

static void pax(void **state)
{
	_cleanup_(tar_close) struct tar t = { .read = read_chunk };
	const struct tar_entry *entry;
	char records[400], name[161];

	(void)state;
	begin();
	memset(name, 'n', 160);
	name[160] = 0;
	/* a record that claims to be longer than it is */
	snprintf(records, sizeof(records), "%d path=%s\n20 mtime=-1.5\n", 160 + 10, name);
	put_pax(records);
	put(name, '0', "x");
	finish();
	assert_int_equal(parse(NULL), -EBADMSG);
	begin();
	snprintf(records, sizeof(records), "%d path=%s\n14 mtime=-1.5\n27 SCHILY.xattr.user.a=b=c\n14 VENDOR.x=1\n",
		 160 + 10, name);
	put_pax(records);
	put(name, '0', "x");
	finish();
	tar_open(&t);
	assert_int_equal(tar_next(&t, &entry, NULL), 1);
	assert_string_equal(entry->path, name);
	assert_int_equal(entry->mtime, -2);
	assert_int_equal(entry->mtime_ns, 500000000);
	assert_int_equal(entry->n_xattrs, 1);
	assert_string_equal(entry->xattrs[0].name, "user.a");
	assert_int_equal(entry->xattrs[0].len, 3);
	assert_memory_equal(entry->xattrs[0].value, "b=c", 3);
}

static void ends(void **state)
{
	struct error e = { 0 };

	(void)state;
	begin();
	finish();
	assert_int_equal(parse(NULL), 0);
	begin(); /* nothing at all is an empty archive for docker, and has the right digest */
	assert_int_equal(parse(NULL), 0);
	put("f", '0', "x");
	assert_int_equal(parse(NULL), 1);
	archive.len -= 1;
	assert_int_equal(parse(&e), -EBADMSG);
	begin();
	put("f", '0', "x");
	finish();
	buf_add(&archive, "x", 1);
	assert_int_equal(parse(&e), -EBADMSG);
	assert_non_null(strstr(e.text, "behind the end"));
}

/* --- layers ------------------------------------------------------------------------------------------------------ */

struct place {
	char path[64];
	int staging;
};

static int make_place(void **state)
{
	static struct place p;

	snprintf(p.path, sizeof(p.path), "/tmp/brig-unit-tar-XXXXXX");
	if (!mkdtemp(p.path))
		return -1;
	p.staging = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &p;
	return p.staging < 0;
}

static int drop_place(void **state)
{
	struct place *p = *state;

	close(p->staging);
	return path_remove_tree(AT_FDCWD, p->path);
}

static const struct image_limits limits = { .bytes = 1 << 30, .file = 1 << 20, .entries = 100, .ratio = 100 };

static int unpack(const struct place *p, struct tree *tree, struct layer_seen *seen, struct error *e)
{
	_cleanup_(tar_close) struct tar t = { .read = read_chunk };
	_cleanup_(objects_free) struct objects o;

	at = 0;
	tar_open(&t);
	tree_init(tree);
	objects_init(&o, p->staging, -1);
	return layer_read(&t, tree, &o, &limits, false, seen, e);
}

static void layer(void **state)
{
	_cleanup_tree_ struct tree tree;
	struct layer_seen seen;
	struct node *n, *m;
	char path[100];
	struct stat st;

	begin();
	put("./", '5', "");
	put("./a/", '5', "");
	put("./a/f", '0', "hello");
	put_full("./a/h", '1', "./a/f", "", 0, 0644);
	put("b/c/d", '0', "hello"); /* folders that nobody lists */
	put("b/.wh.gone", '0', "");
	put("a/.wh..wh..opq", '0', "");
	put_full("dev/null", '3', NULL, "", 0, 0666);
	put("a/", '5', ""); /* the same folder again */
	finish();
	assert_int_equal(unpack(*state, &tree, &seen, NULL), 0);
	assert_int_equal(seen.devices, 1);
	assert_int_equal(tree_walk(&tree, "a/f", false, &n), 0);
	assert_int_equal(tree_walk(&tree, "a/h", false, &m), 0);
	assert_ptr_equal(n->inode, m->inode);
	/* base64url of SHA-256("hello") */
	assert_string_equal(n->inode->object, "LPJNul-wow4m6Dsqxbninh");
	assert_int_equal(tree_walk(&tree, "a", false, &n), 0);
	assert_true(n->opaque && !n->implied);
	assert_int_equal(tree_walk(&tree, "b/c", false, &n), 0);
	assert_true(n->implied);
	assert_int_equal(tree_walk(&tree, "b/gone", false, &n), 0);
	assert_true(n->white && !n->inode);
	snprintf(path, sizeof(path), "%s/%s", ((struct place *)*state)->path, m->inode->object);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mode & 07777, 0444);
}

static void layer_limits(void **state)
{
	struct layer_seen seen;
	struct error e = { 0 };
	struct tree tree;
	char name[20];

	begin();
	for (int i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(name, '0', "");
	}
	finish();
	assert_int_equal(unpack(*state, &tree, &seen, &e), -EFBIG);
	tree_free(&tree);
	begin();
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "a%d/b/c/d/e", i); /* implied folders count */
		put(name, '0', "");
	}
	finish();
	assert_int_equal(unpack(*state, &tree, &seen, &e), -EFBIG);
	tree_free(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(pax),
		cmocka_unit_test(ends),
		cmocka_unit_test_setup_teardown(layer, make_place, drop_place),
		cmocka_unit_test_setup_teardown(layer_limits, make_place, drop_place),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&archive);
	return r;
}
