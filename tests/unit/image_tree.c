/* SPDX-License-Identifier: Apache-2.0 */
/* Layers laid over each other, whiteouts, hard links, and the table that comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "image/tree.h"

#include <string.h>

static struct node *put(struct tree *t, const char *path, char type)
{
	struct node *n;

	assert_int_equal(tree_walk(t, path, true, &n), 0);
	n->inode = tree_inode(t, type);
	n->inode->mode = type == 'd' ? 0755 : 0644;
	return n;
}

static struct node *put_file(struct tree *t, const char *path, char mark)
{
	struct node *n = put(t, path, 'f');

	n->inode->size = 1;
	memset(n->inode->object, mark, OBJECT_NAME_LEN);
	return n;
}

static void put_link(struct tree *t, const char *path, char type, const char *target)
{
	put(t, path, type)->inode->target = tree_strdup(t, target, strlen(target));
}

static struct node *white(struct tree *t, const char *path)
{
	struct node *n;

	assert_int_equal(tree_walk(t, path, true, &n), 0);
	n->white = true;
	return n;
}

static char *text_of(struct tree *t)
{
	char *data = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&data, &n);

	assert_int_equal(table_write(t, f, NULL, NULL), 0);
	fclose(f);
	return data;
}

/* "path=type[mark]" of all entries, one a word. */
static char *list(struct tree *t)
{
	_cleanup_free_ char *data = text_of(t);
	_cleanup_(table_line_free) struct table_line l = { 0 };
	const char *p = table_body(data, strlen(data), NULL), *end = data + strlen(data);
	struct buf out = { 0 };

	assert_non_null(p);
	while (p < end) {
		assert_int_equal(table_line_parse(&p, end, &l), 0);
		buf_printf(&out, "%s%s=%c", out.len ? " " : "", l.path, l.inode.type);
		if (l.inode.object[0])
			buf_add(&out, l.inode.object, 1);
		if (l.inode.target)
			buf_printf(&out, ">%s", l.inode.target);
	}
	return buf_steal(&out);
}

static void check(struct tree *t, const char *want)
{
	_cleanup_free_ char *got = list(t);

	assert_string_equal(got, want);
}

static void lower(struct tree *t)
{
	tree_init(t);
	put(t, "", 'd');
	put(t, "a", 'd');
	put_file(t, "a/x", '1');
	put_file(t, "a/y", '2');
	put(t, "a/sub", 'd');
	put_file(t, "a/sub/z", '3');
	put_link(t, "l", 'l', "a");
	put_file(t, "a-b", '4');
}

static void replaces(void **state)
{
	_cleanup_tree_ struct tree t, l;

	(void)state;
	lower(&t);
	check(&t, "=d a=d a/sub=d a/sub/z=f3 a/x=f1 a/y=f2 a-b=f4 l=l>a");
	tree_init(&l);
	put(&l, "", 'd')->inode->mode = 0700;
	put(&l, "a", 'd');
	put_file(&l, "a/x", '9'); /* file over file */
	put_file(&l, "a/sub", '8'); /* file over folder */
	put(&l, "l", 'd'); /* folder over link */
	put_file(&l, "l/new", '7');
	assert_int_equal(tree_apply(&t, &l, NULL), 0);
	check(&t, "=d a=d a/sub=f8 a/x=f9 a/y=f2 a-b=f4 l=d l/new=f7");
	assert_int_equal(t.root->inode->mode, 0700);
}

static void whiteouts(void **state)
{
	_cleanup_tree_ struct tree t, l, m;

	(void)state;
	lower(&t);
	tree_init(&l);
	put(&l, "", 'd')->implied = true;
	put(&l, "a", 'd')->implied = true;
	white(&l, "a/x");
	white(&l, "a/not-there");
	white(&l, "l"); /* the link goes, not what it points to */
	white(&l, "a/sub"); /* hidden and made again in one layer: only the new content */
	put(&l, "a/sub", 'd')->white = true;
	put_file(&l, "a/sub/n", '9');
	t.root->inode->mode = 0711;
	assert_int_equal(tree_apply(&t, &l, NULL), 0);
	check(&t, "=d a=d a/sub=d a/sub/n=f9 a/y=f2 a-b=f4");
	assert_int_equal(t.root->inode->mode, 0711); /* an implied folder changes nothing */
	tree_init(&m);
	put(&m, "", 'd');
	put(&m, "a", 'd')->opaque = true;
	put_file(&m, "a/only", '5');
	assert_int_equal(tree_apply(&t, &m, NULL), 0);
	check(&t, "=d a=d a/only=f5 a-b=f4");
}

static void implied_over_link(void **state)
{
	_cleanup_tree_ struct tree t, l;
	struct error e = { 0 };

	(void)state;
	lower(&t);
	tree_init(&l);
	put(&l, "", 'd');
	put(&l, "l", 'd')->implied = true;
	put_file(&l, "l/pwn", '9');
	assert_int_equal(tree_apply(&t, &l, &e), -ENOTDIR);
	assert_non_null(strstr(e.text, "entry \"l\""));
}

static void hard_links(void **state)
{
	_cleanup_tree_ struct tree t, l, bad, gone;

	(void)state;
	lower(&t);
	tree_init(&l);
	put(&l, "", 'd');
	put_link(&l, "0first", 'H', "a/x");
	put(&l, "b", 'd');
	put_link(&l, "b/h", 'H', "a/y");
	assert_int_equal(tree_apply(&t, &l, NULL), 0);
	check(&t, "=d 0first=f1 a=d a/sub=d a/sub/z=f3 a/x=h>0first a/y=f2 a-b=f4 b=d b/h=h>a/y l=l>a");

	static const char *const targets[] = { "l", "a/sub", "none", "a/x/y", "l/x" };
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		tree_init(&bad);
		put(&bad, "", 'd');
		put_link(&bad, "h", 'H', targets[i]);
		assert_true(tree_apply(&t, &bad, NULL) < 0);
		tree_free(&bad);
	}
	tree_init(&bad);
	tree_init(&gone);
	put(&gone, "", 'd');
	put(&gone, "a", 'd');
	white(&gone, "a/x");
	put_link(&gone, "h", 'H', "a/x");
	assert_int_equal(tree_apply(&t, &gone, NULL), -EINVAL);
}

static void walks(void **state)
{
	_cleanup_tree_ struct tree t;
	struct node *n;
	char path[2 * TREE_DEPTH_MAX + 16] = "", name[300];

	(void)state;
	tree_init(&t);
	static const char *const bad[] = { "..", "a/..", "../a", ".", "a/.", "a//b", "/a", "a/" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tree_walk(&t, bad[i], true, &n), -EINVAL);
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	assert_int_equal(tree_walk(&t, name, true, &n), -ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(tree_walk(&t, name, true, &n), 0);
	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		strcat(path, i ? "/d" : "d");
	assert_int_equal(tree_walk(&t, path, true, &n), 0);
	_cleanup_free_ char *back = tree_path(n);
	assert_string_equal(back, path);
	strcat(path, "/d");
	assert_int_equal(tree_walk(&t, path, true, &n), -ENAMETOOLONG);
	assert_int_equal(tree_walk(&t, "missing", false, &n), -ENOENT);
}

/* Every field and every awkward name comes back, and the table is found by binary search. */
static void round_trip(void **state)
{
	_cleanup_tree_ struct tree t, u;
	_cleanup_free_ char *a = NULL, *b = NULL;
	_cleanup_(table_line_free) struct table_line l = { 0 };
	struct inode *in;

	(void)state;
	lower(&t);
	in = put_file(&t, "odd\n\"%\\\x7f\xff\xc3\xa9 name", '5')->inode;
	in->mode = 06755;
	in->uid = 4294967294u;
	in->gid = 12;
	in->mtime = -5;
	in->mtime_ns = 999999999;
	in->size = 1234567890123;
	in->xattrs = tree_xattr(&t, NULL, "user.x", "\0\xff", 2);
	in->dropped = tree_xattr(&t, NULL, "security.capability", "\1\2", 2);
	in->dropped = tree_xattr(&t, in->dropped, "trusted.overlay.opaque", NULL, 0);
	put_link(&t, "z", 'l', "/with\n\xffstrange");
	a = text_of(&t);
	tree_init(&u);
	assert_int_equal(table_read(&u, a, strlen(a), "test", NULL), 0);
	b = text_of(&u);
	assert_string_equal(a, b);
	assert_int_equal(table_find(a, strlen(a), "odd\n\"%\\\x7f\xff\xc3\xa9 name", &l), 0);
	assert_int_equal(l.inode.mode, 06755);
	assert_int_equal(l.inode.uid, 4294967294u);
	assert_int_equal(l.inode.mtime, -5);
	assert_int_equal(l.inode.size, 1234567890123);
	assert_string_equal(l.inode.xattrs->name, "user.x");
	assert_int_equal(l.inode.xattrs->len, 2);
	assert_memory_equal(l.inode.xattrs->value, "\0\xff", 2);
	static const char *const all[] = { "", "a", "a/sub", "a/sub/z", "a/x", "a/y", "a-b", "l", "z" };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(table_find(a, strlen(a), all[i], &l), 0);
	static const char *const none[] = { "0", "a/", "a/w", "a/z", "a0", "zz", "a/sub/z/y" };
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(table_find(a, strlen(a), none[i], &l), -ENOENT);
}

static void damaged(void **state)
{
	static const char head[] = "{\"table\":1,\"entries\":1,\"bytes\":0}\n";
	static const char *const bad[] = {
		"{\"p\":\"x\",\"t\":\"f\"}\n", /* no parent */
		"{\"p\":\"\",\"t\":\"d\"}", /* no newline */
		"{\"p\":\"\",\"t\":\"d\"} \n",
		"{\"p\":\"\",\"t\":\"q\"}\n",
		"{\"p\":\"\",\"t\":\"d\",\"l\":\"x\"}\n",
		"{\"p\":\"\",\"t\":\"d\",\"u\":4294967295}\n",
		"{\"p\":\"\",\"t\":\"d\",\"m\":\"10000\"}\n",
		"{\"p\":\"\",\"t\":\"d\",\"T\":99999999999999999999}\n",
		"{\"p\":\"\",\"t\":\"d\",\"Z\":1}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"\",\"t\":\"d\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"..\",\"t\":\"d\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a\",\"t\":\"h\",\"l\":\"b\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a\",\"t\":\"l\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a\",\"t\":\"f\",\"s\":1}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a\",\"t\":\"f\",\"s\":1,\"o\":\"../../../../../../x\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a%00\",\"t\":\"f\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a%2\",\"t\":\"f\"}\n",
		"{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a%\",\"t\":\"f\"}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_tree_ struct tree t;
		_cleanup_free_ char *text = xasprintf("%s%s", head, bad[i]);

		tree_init(&t);
		assert_int_equal(table_read(&t, text, strlen(text), "test", NULL), -EBADMSG);
	}
	_cleanup_tree_ struct tree t;
	tree_init(&t);
	assert_int_equal(table_read(&t, "", 0, "test", NULL), -EBADMSG);
	assert_int_equal(table_read(&t, "{}\n", 3, "test", NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces),
		cmocka_unit_test(whiteouts),
		cmocka_unit_test(implied_over_link),
		cmocka_unit_test(hard_links),
		cmocka_unit_test(walks),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
