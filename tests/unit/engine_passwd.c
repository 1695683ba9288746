/* SPDX-License-Identifier: Apache-2.0 */
/* Users of hostile images (CASES A34). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/passwd.h"
#include "image/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int tree_result;

/* The folder form is tested with files; of trees only what their reader may answer. */
int tree_read_file(const char *tree, const char *path, size_t max, char **out, size_t *len)
{
	static const char text[] = "app:x:7:8::/srv:/bin/sh\n";

	(void)path;
	assert_string_equal(tree, "t");
	assert_int_equal(max, PASSWD_FILE_MAX);
	if (tree_result < 0)
		return tree_result;
	*out = xstrdup(text);
	*len = strlen(text);
	return 0;
}

static const char passwd[] =
	"# comment\n"
	"root:x:0:0:root:/root:/bin/sh\n"
	"short:x:5\n"
	"web:x:1000:1001:Web,,,:/srv/web:/bin/false\n"
	"nohome:x:1002:1002::relative:/bin/sh\n"
	"web:x:0:0:second of the name:/root:/bin/sh\n"
	"samba$:x:1003:1003::/:/bin/sh\n"
	"last:x:1004:1004::/last:/bin/sh";
static const char group[] =
	"root:x:0:\n"
	"web:x:1001:\n"
	"tape:x:26:web,other\n"
	"disk:x:6:other,web\n"
	"web2:x:27:webx,xweb\n"
	"big:x:99999999999:web\n"
	"again:x:26:web\n";

#define TEXT(s) ((struct passwd_text){ s, sizeof(s) - 1 })

static int resolve(const char *user, struct passwd_user *u)
{
	struct error e = { 0 };

	return passwd_resolve(user, NULL, TEXT(passwd), TEXT(group), u, &e);
}

static void as_docker(void **state)
{
	static const struct {
		const char *user;
		uint32_t uid, gid;
		size_t groups;
		const char *home;
	} good[] = {
		{ NULL, 0, 0, 0, "/root" },	   { "", 0, 0, 0, "/root" },
		{ "root", 0, 0, 0, "/root" },	   { "0", 0, 0, 0, "/root" },
		{ "web", 1000, 1001, 2, "/srv/web" }, { "1000", 1000, 1001, 2, "/srv/web" },
		{ "web:tape", 1000, 26, 0, "/srv/web" }, { "web:0", 1000, 0, 0, "/srv/web" },
		{ "web:55", 1000, 55, 0, "/srv/web" }, { "nohome", 1002, 1002, 0, "/" },
		{ "samba$", 1003, 1003, 0, "/" },  { "last", 1004, 1004, 0, "/last" },
		{ "4294967294", 4294967294u, 0, 0, "/" }, { "77:88", 77, 88, 0, "/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct passwd_user u;

		assert_int_equal(resolve(good[i].user, &u), 0);
		assert_int_equal(u.uid, good[i].uid);
		assert_int_equal(u.gid, good[i].gid);
		assert_int_equal(u.n_groups, good[i].groups);
		assert_string_equal(u.home, good[i].home);
		if (u.n_groups == 2) {
			assert_int_equal(u.groups[0], 6);
			assert_int_equal(u.groups[1], 26);
		}
		passwd_user_free(&u);
	}
}

static void without_files(void **state)
{
	struct passwd_user u;
	struct passwd_text none = { 0 };

	(void)state;
	assert_int_equal(passwd_resolve("0:5", NULL, none, none, &u, NULL), 0);
	assert_int_equal(u.gid, 5);
	assert_string_equal(u.home, "/");
	passwd_user_free(&u);
	assert_int_equal(passwd_resolve("root", NULL, none, none, &u, NULL), -ENOENT);
}

static void group_add(void **state)
{
	char *add[] = { (char[]){ "tape" }, (char[]){ "1234" }, (char[]){ "tape" }, NULL };
	char *missing[] = { (char[]){ "nosuch" }, NULL };
	struct passwd_user u;

	(void)state;
	assert_int_equal(passwd_resolve("web:web", add, TEXT(passwd), TEXT(group), &u, NULL), 0);
	assert_int_equal(u.n_groups, 2);
	assert_int_equal(u.groups[0], 26);
	assert_int_equal(u.groups[1], 1234);
	passwd_user_free(&u);
	assert_int_equal(passwd_resolve("web", missing, TEXT(passwd), TEXT(group), &u, NULL), -ENOENT);
}

/* Each of these names is in passwd, mapped to uid 0, and none of them may get there. */
static void never_root(void **state)
{
	static const char *const users[] = {
		"4294967296", "4294967295", "18446744073709551616", "-1", "0x0", " 0", "0 ", "+0", "1:", ":1", ":", "00",
		"01", "1e3", "0\n", "\t", "root ", "1:2:3", "web:", "web:-1", "web:4294967295", "web: tape", "web:00",
		"*", "../root", "\xc3\xa4", "99999999999999999999999999999999999999999999", ".", "-", "web:nosuch",
	};
	_cleanup_buf_ struct buf p = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		buf_printf(&p, "%s:x:0:0:root:/root:/bin/sh\n", users[i]);
	buf_puts(&p, passwd);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct passwd_user u;
		struct error e = { 0 };
		int r = passwd_resolve(users[i], NULL, (struct passwd_text){ p.data, p.len }, TEXT(group), &u, &e);

		if (r >= 0)
			fail_msg("\"%s\" became %u:%u", users[i], u.uid, u.gid);
		assert_true(e.text[0]);
		assert_null(u.home);
	}
}

/* Numbers in the file that do not fit are no numbers; they must not be cut to 0 or 4294967295. */
static void bad_lines(void **state)
{
	static const char text[] = "a:x:4294967296:4294967296::/:/\nb:x:-1:0::/:/\nc:x::::/:/\nd:x: 0:0::/:/\n"
				   "e:x:0x0:0::/:/\nf:x:1:4294967295::/:/\n\0g:x:0:0::/:/\n";
	char user[2] = "a";

	(void)state;
	for (; user[0] <= 'g'; user[0]++) {
		struct passwd_user u;

		assert_int_equal(passwd_resolve(user, NULL, TEXT(text), TEXT(group), &u, NULL), -ENOENT);
	}
}

static void long_line(void **state)
{
	_cleanup_free_ char *text = xmalloc(PASSWD_LINE_MAX + 64);
	struct passwd_user u;
	struct error e = { 0 };
	int n;

	(void)state;
	memset(text, 'x', PASSWD_LINE_MAX + 64);
	n = sprintf(text + PASSWD_LINE_MAX, "\nweb:x:5:5::/:/\n");
	text[PASSWD_LINE_MAX] = '\n'; /* exactly the bound: skipped as no line of passwd */
	assert_int_equal(passwd_resolve("web", NULL, (struct passwd_text){ text, (size_t)(PASSWD_LINE_MAX + n) },
					TEXT(group), &u, &e), 0);
	passwd_user_free(&u);
	text[PASSWD_LINE_MAX] = 'x';
	assert_int_equal(passwd_resolve("5", NULL, (struct passwd_text){ text, (size_t)(PASSWD_LINE_MAX + n) },
					TEXT(group), &u, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "line 1"));
}

static void folder_files(void **state)
{
	char dir[] = "/tmp/box-passwd-XXXXXX", path[64];
	_cleanup_close_ int fd = -1;
	struct passwd_user u;
	struct error e = { 0 };
	struct rusage before, after;
	uint64_t start;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(passwd_resolve_in(NULL, dir, "5", NULL, &u, &e), 0); /* no files at all */
	passwd_user_free(&u);
	snprintf(path, sizeof(path), "%s/etc", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/passwd", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(write(fd, passwd, sizeof(passwd) - 1) == sizeof(passwd) - 1);
	assert_int_equal(passwd_resolve_in(NULL, dir, "web", NULL, &u, &e), 0); /* positive control */
	assert_int_equal(u.uid, 1000);
	passwd_user_free(&u);

	/* 200 MB, a FIFO, a link to /dev/zero: refused at once and with little memory. */
	assert_int_equal(ftruncate(fd, 200 << 20), 0);
	getrusage(RUSAGE_SELF, &before);
	start = clock_monotonic_ns();
	assert_int_equal(passwd_resolve_in(NULL, dir, "5", NULL, &u, &e), -EFBIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(passwd_resolve_in(NULL, dir, "5", NULL, &u, &e), -EINVAL);
	assert_int_equal(unlink(path), 0);
	/* Inside the root there is no /dev/zero: the link leads nowhere, as a missing file. */
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(passwd_resolve_in(NULL, dir, "root", NULL, &u, &e), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0); /* to itself, in the root; not the host's */
	assert_int_equal(passwd_resolve_in(NULL, dir, "root", NULL, &u, &e), -ELOOP);
	getrusage(RUSAGE_SELF, &after);
	assert_true(clock_monotonic_ns() - start < 100000000);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

static void tree_files(void **state)
{
	static const int refused[] = { -EFBIG, -EINVAL, -ELOOP, -EIO };
	struct passwd_user u;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(passwd_resolve_in("t", NULL, "app", NULL, &u, &e), 0);
	assert_int_equal(u.uid, 7);
	assert_string_equal(u.home, "/srv");
	passwd_user_free(&u);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		tree_result = refused[i];
		assert_int_equal(passwd_resolve_in("t", NULL, "5", NULL, &u, &e), refused[i]);
	}
	tree_result = -ENOENT;
	assert_int_equal(passwd_resolve_in("t", NULL, "5", NULL, &u, &e), 0);
	passwd_user_free(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_docker), cmocka_unit_test(without_files), cmocka_unit_test(group_add),
		cmocka_unit_test(never_root), cmocka_unit_test(bad_lines),    cmocka_unit_test(long_line),
		cmocka_unit_test(folder_files), cmocka_unit_test(tree_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
