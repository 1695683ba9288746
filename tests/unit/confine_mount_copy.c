/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "confine/mount.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char folder[] = "/var/tmp/box-copy-XXXXXX";
static int from, to;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	int top = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(top, "from", 0750);
	mkdirat(top, "to", 0700);
	from = openat(top, "from", O_PATH | O_DIRECTORY | O_CLOEXEC);
	to = openat(top, "to", O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(top);
	return from < 0 || to < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, folder);
}

static void put(int dir, const char *name, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void expect(const char *name, const char *text, mode_t mode)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;

	assert_int_equal(fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	if (text) {
		assert_int_equal(file_read(to, name, 1 << 20, &data, NULL), 0);
		assert_string_equal(data, text);
	}
}

static void copies(void **state)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	struct error e = { 0 };
	struct stat st;
	char link[32] = { 0 }, value[8] = { 0 }, path[64];

	(void)state;
	put(from, "plain", "text", 0640);
	put(from, "setuid", "x", 04755);
	mkdirat(from, "sub", 01777);
	assert_int_equal(fchmodat(from, "sub", 01777, 0), 0);
	put(from, "sub/empty", "", 0600);
	assert_int_equal(symlinkat("/etc/passwd", from, "link"), 0);
	assert_int_equal(mkfifoat(from, "pipe", 0600), 0);
	assert_int_equal(utimensat(from, "plain", times, 0), 0);
	snprintf(path, sizeof(path), "%s/from/plain", folder);
	bool xattrs = setxattr(path, "user.color", "blue", 4, 0) == 0;
	assert_int_equal(mount_copy(from, to, &e), 0);
	expect("plain", "text", 0640);
	expect("setuid", "x", 0755);
	expect("sub", NULL, 01777);
	expect("sub/empty", "", 0600);
	assert_int_equal(readlinkat(to, "link", link, sizeof(link) - 1), 11);
	assert_string_equal(link, "/etc/passwd");
	assert_true(faccessat(to, "pipe", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	assert_int_equal(fstatat(to, "plain", &st, 0), 0);
	assert_true(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7);
	assert_int_equal(fstatat(to, ".", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	if (xattrs) {
		snprintf(path, sizeof(path), "%s/to/plain", folder);
		assert_int_equal(getxattr(path, "user.color", value, sizeof(value)), 4);
	}
}

/* After a crash: what stands stays, the half file under the temporary name goes, what is missing comes. */
static void goes_on(void **state)
{
	struct error e = { 0 };

	(void)state;
	put(to, "plain", "changed", 0600);
	put(to, ".brig-copy", "half", 0600);
	assert_int_equal(unlinkat(to, "sub/empty", 0), 0);
	assert_int_equal(mount_copy(from, to, &e), 0);
	expect("plain", "changed", 0600);
	expect("sub/empty", "", 0600);
	assert_true(faccessat(to, ".brig-copy", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

/* A link in the copy's way is not written through: the file it points to keeps its bytes. */
static void follows_no_link(void **state)
{
	struct error e = { 0 };
	char outside[64];

	(void)state;
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	put(AT_FDCWD, outside, "canary", 0600);
	put(from, "new", "evil", 0644);
	mkdirat(from, "deep", 0755);
	put(from, "deep/file", "evil", 0644);
	assert_int_equal(symlinkat(outside, to, "new"), 0);
	assert_int_equal(symlinkat(folder, to, "deep"), 0);
	assert_true(mount_copy(from, to, &e) < 0); /* "deep" is no folder */
	assert_non_null(strstr(e.text, "deep"));
	_cleanup_free_ char *data = NULL;
	assert_int_equal(file_read(AT_FDCWD, outside, 100, &data, NULL), 0);
	assert_string_equal(data, "canary");
	snprintf(outside, sizeof(outside), "%s/file", folder);
	assert_true(access(outside, F_OK) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(goes_on),
		cmocka_unit_test(follows_no_link),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
