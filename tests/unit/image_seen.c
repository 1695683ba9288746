/* SPDX-License-Identifier: Apache-2.0 */
#include "image/seen.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char tree[] = "1d5723df5e43780a4b09539d9f727b710be1f1a27e8e93afb1c119dbfa729463";
static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
static const char odd[] = "a b%\n\x7f\xff";

struct fixture {
	char path[32];
	int dir;
	char *text;
	size_t n;
	struct seen seen;
};

static void put(struct seen_writer *w, int dir, char kind, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir, *name ? name : ".", &st, AT_SYMLINK_NOFOLLOW), 0);
	seen_put(w, kind, &st, name);
}

static void touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

/* A folder with a file, a folder in it with a file of a difficult name, and a link. */
static int make(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	struct seen_writer w;
	int sub;
	FILE *f;

	strcpy(x->path, "/tmp/brig-seen-XXXXXX");
	assert_non_null(mkdtemp(x->path));
	x->dir = open(x->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	touch(x->dir, "file");
	assert_int_equal(symlinkat("file", x->dir, "link"), 0);
	assert_int_equal(mkdirat(x->dir, "sub", 0755), 0);
	sub = openat(x->dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	touch(sub, odd);
	f = open_memstream(&x->text, &x->n);
	seen_begin(&w, f, tree, "raw");
	put(&w, x->dir, 'd', "");
	put(&w, x->dir, 'f', "file");
	put(&w, x->dir, 'f', "link");
	put(&w, x->dir, 'd', "sub");
	put(&w, sub, 'f', odd);
	seen_up(&w);
	seen_up(&w);
	seen_end(&w);
	fprintf(f, "%s\n", zeros);
	fclose(f);
	close(sub);
	assert_int_equal(seen_parse(&x->seen, tree, "raw", x->text, x->n), 0);
	*state = x;
	return 0;
}

static int drop(void **state)
{
	struct fixture *x = *state;

	close(x->dir);
	path_remove_tree(AT_FDCWD, x->path);
	free(x->text);
	free(x);
	return 0;
}

static void expect_moved(struct fixture *x, const char *what)
{
	struct seen_moved m = { "" };

	assert_int_equal(seen_check_slot(&x->seen, x->dir, &m), -ESTALE);
	assert_string_equal(m.what, what);
}

static void unchanged(void **state)
{
	struct fixture *x = *state;
	struct seen_moved m;

	assert_int_equal(seen_check_slot(&x->seen, x->dir, &m), 0);
}

/* The modification time is put back; the change time cannot be. */
static void change_behind_mtime(void **state)
{
	struct fixture *x = *state;
	struct stat st;

	assert_int_equal(fstatat(x->dir, "file", &st, 0), 0);
	seen_settle(seen_now());
	touch(x->dir, "file");
	struct timespec ts[2] = { st.st_atim, st.st_mtim };
	assert_int_equal(utimensat(x->dir, "file", ts, 0), 0);
	expect_moved(x, "/file");
}

static void change_mode(void **state)
{
	struct fixture *x = *state;

	seen_settle(seen_now());
	assert_int_equal(fchmodat(x->dir, "sub", 0700, 0), 0);
	expect_moved(x, "/sub");
}

static void extra_name(void **state)
{
	struct fixture *x = *state;

	seen_settle(seen_now());
	touch(x->dir, "sub/more");
	expect_moved(x, "/sub");
}

static void folder_becomes_link(void **state)
{
	struct fixture *x = *state;

	seen_settle(seen_now());
	assert_int_equal(renameat(x->dir, "sub", x->dir, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", x->dir, "sub"), 0);
	expect_moved(x, "/");
}

static void names_come_back(void **state)
{
	struct fixture *x = *state;
	const char *p = seen_first(&x->seen);
	struct seen_line l;
	bool found = false;

	while (seen_next(&x->seen, &p, &l) > 0)
		found |= l.kind == 'f' && streq(l.name, odd);
	assert_true(found);
}

/* Another tree's, another slot's, cut, or with lines that mean nothing. */
static void damaged(void **state)
{
	struct fixture *x = *state;
	static const char *const lines[] = { "f 1 2 3 4 ..\n", "f 1 2 3 4 a/b\n", "f 1 2 3 4 a%2fb\n", "f 1 2 3 4 a%00\n", "f 1 2 3\n",
					     "f g 2 3 4 a\n", "f 11112222333344445 2 3 4 a\n", "x 1 2 3 4 a\n", "u \n", "f 1 2 3 4 %4\n" };
	struct seen s;

	assert_int_equal(seen_parse(&s, tree, NULL, x->text, x->n), -EBADMSG);
	assert_int_equal(seen_parse(&s, zeros, "raw", x->text, x->n), -EBADMSG);
	for (size_t n = 0; n < x->n; n++)
		assert_int_equal(seen_parse(&s, tree, "raw", x->text, n), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_free_ char *text = xasprintf("brig-seen 1 %s raw\nd 1 2 3 4 \n%send 0000000000000000 %s\n", tree, lines[i], zeros);
		struct seen_line l;
		const char *p;
		int r;

		assert_int_equal(seen_parse(&s, tree, "raw", text, strlen(text)), 0);
		p = seen_first(&s);
		assert_int_equal(seen_next(&s, &p, &l), 1);
		r = seen_next(&s, &p, &l);
		if (r != -EBADMSG)
			fail_msg("line %zu was read: %s", i, lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unchanged, make, drop),
		cmocka_unit_test_setup_teardown(change_behind_mtime, make, drop),
		cmocka_unit_test_setup_teardown(change_mode, make, drop),
		cmocka_unit_test_setup_teardown(extra_name, make, drop),
		cmocka_unit_test_setup_teardown(folder_becomes_link, make, drop),
		cmocka_unit_test_setup_teardown(names_come_back, make, drop),
		cmocka_unit_test_setup_teardown(damaged, make, drop),
	};

	return cmocka_run_group_tests_name("image_seen", tests, NULL, NULL);
}
