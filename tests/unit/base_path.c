/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
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

/* 3,000 levels are emptied without recursion, and links in the tree are removed, not followed. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_stay_inside),
		cmocka_unit_test(removes_deep_trees),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
