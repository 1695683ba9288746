/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

static char top[] = "/tmp/brig-path-XXXXXX";
static int top_fd;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mkdirat(top_fd, "root", 0755);
	mkdirat(top_fd, "outside", 0755);
	return top_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, top);
}

/* Links that point out of the root, absolute and with "..", lead back into it; nothing is made outside. */
static void links_stay_inside(void **state)
{
	_cleanup_close_ int root = openat(top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC), a = -1, b = -1, c = -1;
	struct stat st;

	(void)state;
	assert_int_equal(symlinkat("../outside", root, "up"), 0);
	assert_int_equal(symlinkat("/outside", root, "abs"), 0);
	a = path_mkdirs_in(root, "up/x", 0755);
	assert_int_equal(a, -ENOENT); /* dangling inside the root: refused, not made */
	assert_int_equal(mkdirat(root, "outside", 0755), 0);
	b = path_mkdirs_in(root, "up/x/y", 0755);
	assert_true(b >= 0);
	c = path_mkfile_in(root, "/abs/x/file", 0644);
	assert_true(c >= 0);
	assert_int_equal(fstatat(top_fd, "root/outside/x/file", &st, 0), 0);
	assert_int_equal(fstatat(top_fd, "outside/x", &st, 0), -1);
	assert_int_equal(path_open_beneath(root, "up", O_PATH, 0), -ELOOP);
	assert_int_equal(path_open_in(root, "../../../../etc/passwd", O_RDONLY, 0), -ENOENT);
}

/* 3,000 levels are emptied with few descriptors, and links in the tree are removed, not followed. */
static void removes_deep_trees(void **state)
{
	_cleanup_close_ int dir = -1;
	struct stat st;

	(void)state;
	assert_int_equal(mkdirat(top_fd, "deep", 0755), 0);
	dir = openat(top_fd, "deep", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(dir, "d", 0), 0);
		assert_int_equal(fchmodat(dir, "d", 0700, 0), 0);
		assert_int_equal(symlinkat("/etc", dir, "l"), 0);
		int next = openat(dir, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	assert_int_equal(path_remove_tree(top_fd, "deep"), 0);
	assert_int_equal(fstatat(top_fd, "deep", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(path_remove_tree(top_fd, "not there"), 0);
}

/* What a removal that was cut off left, with names that this one would give; folders that nobody may enter; several at each level. */
static void removes_what_a_removal_left(void **state)
{
	char path[200] = "left", name[32];
	struct stat st;

	(void)state;
	assert_int_equal(mkdirat(top_fd, path, 0755), 0);
	for (int i = 0; i < 40; i++) {
		strcat(path, "/d");
		assert_int_equal(mkdirat(top_fd, path, 0755), 0);
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "/x%d", k);
			strcat(path, name);
			assert_int_equal(mkdirat(top_fd, path, 0700), 0);
			strcat(path, "/y");
			assert_int_equal(mkdirat(top_fd, path, 0), 0);
			path[strlen(path) - 5] = 0;
		}
	}
	for (int k = 0; k < 3; k++) {
		snprintf(path, sizeof(path), "left/.brig-rm-%d", k);
		assert_int_equal(k == 2 ? mknodat(top_fd, path, S_IFREG | 0600, 0) : mkdirat(top_fd, path, 0755), 0);
		strcat(path, "/full");
		assert_int_equal(mkdirat(top_fd, path, 0755), k == 2 ? -1 : 0);
	}
	assert_int_equal(path_remove_tree(top_fd, "left"), 0);
	assert_int_equal(fstatat(top_fd, "left", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(mknodat(top_fd, "file", S_IFREG | 0600, 0), 0);
	assert_int_equal(path_remove_tree(top_fd, "file"), 0);
	assert_int_equal(fstatat(top_fd, "file", &st, AT_SYMLINK_NOFOLLOW), -1);
}

/* The names in a folder, sorted; no half of them when reading fails. */
static void lists_all_or_nothing(void **state)
{
	static const char *const want[] = { ".hidden", "B", "a", "aa", "\xff" };
	_cleanup_close_ int dir = -1;
	char **names = NULL;

	(void)state;
	assert_int_equal(mkdirat(top_fd, "list", 0755), 0);
	assert_int_equal(path_list(top_fd, "list", &names), 0);
	assert_null(*names);
	strv_free(names);
	names = NULL;
	dir = openat(top_fd, "list", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = ARRAY_SIZE(want); i-- > 0;)
		assert_int_equal(mknodat(dir, want[i], S_IFREG | 0600, 0), 0);
	assert_int_equal(path_list(dir, ".", &names), 0);
	assert_int_equal(strv_len(names), ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(names[i], want[i]);
	strv_free(names);
	names = NULL;
	assert_int_equal(path_list(dir, "a", &names), -ENOTDIR);
	assert_int_equal(path_list(dir, "none", &names), -ENOENT);
	assert_int_equal(symlinkat(".", dir, "link"), 0);
	assert_true(path_list(dir, "link", &names) < 0);
	assert_null(names);
	assert_int_equal(path_remove_tree(top_fd, "list"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_stay_inside),
		cmocka_unit_test(removes_deep_trees),
		cmocka_unit_test(removes_what_a_removal_left),
		cmocka_unit_test(lists_all_or_nothing),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
