/* SPDX-License-Identifier: Apache-2.0 */
/* A table becomes files: empty ones that overlayfs joins with the objects, and full ones; ids and lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "image/store.h"
#include "image/tree.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char top[64];
static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char table[] =
	"{\"table\":1,\"entries\":10,\"bytes\":5}\n"
	"{\"p\":\"\",\"t\":\"d\",\"m\":\"711\",\"u\":0,\"g\":0,\"T\":1000000000}\n"
	"{\"p\":\"a\",\"t\":\"d\",\"m\":\"2555\",\"u\":0,\"g\":0,\"T\":1000000001,\"N\":5}\n"
	"{\"p\":\"a/f\",\"t\":\"f\",\"m\":\"4711\",\"u\":0,\"g\":0,\"T\":1000000002,\"s\":5,"
	"\"o\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"x\":{\"user.k\":\"7631\"}}\n"
	"{\"p\":\"a/none\",\"t\":\"f\",\"m\":\"600\",\"u\":0,\"g\":0,\"T\":-5}\n"
	"{\"p\":\"etc\",\"t\":\"l\",\"m\":\"777\",\"u\":0,\"g\":0,\"T\":3,\"l\":\"/usr/../usr/etc\"}\n"
	"{\"p\":\"h\",\"t\":\"h\",\"l\":\"a/f\"}\n"
	"{\"p\":\"loop\",\"t\":\"l\",\"m\":\"777\",\"u\":0,\"g\":0,\"T\":3,\"l\":\"loop\"}\n"
	"{\"p\":\"usr\",\"t\":\"d\",\"m\":\"755\",\"u\":0,\"g\":0,\"T\":3}\n"
	"{\"p\":\"usr/etc\",\"t\":\"d\",\"m\":\"755\",\"u\":0,\"g\":0,\"T\":3}\n"
	"{\"p\":\"usr/etc/passwd\",\"t\":\"l\",\"m\":\"777\",\"u\":0,\"g\":0,\"T\":3,\"l\":\"../../../../h\"}\n"
	"{\"p\":\"usr/fifo\",\"t\":\"p\",\"m\":\"600\",\"u\":0,\"g\":0,\"T\":3}\n";

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The table with the tests' own ids: an ordinary user can prepare nothing else. */
static char *own_table(void)
{
	struct buf b = { 0 };
	const char *p = table, *mark;

	while ((mark = strstr(p, "\"u\":0,\"g\":0"))) {
		buf_add(&b, p, (size_t)(mark - p));
		buf_printf(&b, "\"u\":%u,\"g\":%u", geteuid(), getegid());
		p = mark + strlen("\"u\":0,\"g\":0");
	}
	buf_puts(&b, p);
	return buf_steal(&b);
}

static int set_up(void **state)
{
	_cleanup_free_ char *text = own_table();
	char path[256];

	(void)state;
	snprintf(top, sizeof(top), "/var/tmp/brig-unit-prepare-XXXXXX");
	assert_non_null(mkdtemp(top));
	setenv("BRIG_DATA", top, 1);
	snprintf(path, sizeof(path), "%s/trees", top);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/trees/%s", top, hex);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/trees/%s/slots", top, hex);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/objects", top);
	mkdir(path, 0711);
	put("objects/AAAAAAAAAAAAAAAAAAAAAA", "hello");
	snprintf(path, sizeof(path), "trees/%s/table", hex);
	put(path, text);
	snprintf(path, sizeof(path), "trees/%s/ids", hex);
	put(path, "{\"uids\":[0,7,65534],\"gids\":[0,65534]}");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, top);
}

static void prepare(const char *slot, bool full)
{
	_cleanup_close_ int tree = tree_dir(hex, NULL), objects = store_objects(NULL);
	struct error e = { 0 };
	int r = tree_prepare(tree, objects, slot, full, &e);

	if (r < 0)
		print_message("%s\n", e.text);
	assert_int_equal(r, 0);
	assert_int_equal(tree_prepare(tree, objects, slot, full, &e), 0); /* again: nothing to do */
}

static struct stat at(int dir, const char *name)
{
	struct stat st = { 0 };

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void check_names(int lower)
{
	char target[64] = { 0 };
	struct stat f = at(lower, "a/f"), a = at(lower, "a");

	assert_int_equal(f.st_mode, S_IFREG | 04711);
	assert_int_equal(f.st_size, 5);
	assert_int_equal(f.st_mtime, 1000000002);
	assert_int_equal(f.st_nlink, 2);
	assert_true(at(lower, "h").st_ino == f.st_ino);
	assert_int_equal(a.st_mode, S_IFDIR | 02555);
	assert_int_equal(a.st_mtim.tv_sec, 1000000001);
	assert_int_equal(a.st_mtim.tv_nsec, 5);
	assert_int_equal(at(lower, ".").st_mode, S_IFDIR | 0711);
	assert_int_equal(at(lower, ".").st_mtime, 1000000000);
	assert_int_equal(at(lower, "a/none").st_mtime, -5);
	assert_int_equal(at(lower, "usr/fifo").st_mode, S_IFIFO | 0600);
	assert_int_equal(readlinkat(lower, "etc", target, sizeof(target)), 15);
	assert_string_equal(target, "/usr/../usr/etc");
}

static void joined(void **state)
{
	_cleanup_close_ int lower = -1, data = -1, f = -1;
	char value[64] = { 0 };

	(void)state;
	assert_int_equal(tree_open(hex, "raw", &lower, &data), -ENOENT);
	prepare("raw", false);
	assert_int_equal(tree_open(hex, "raw", &lower, &data), 0);
	assert_true(data >= 0);
	check_names(lower);
	f = openat(lower, "a/none", O_RDONLY);
	assert_int_equal(flistxattr(f, value, sizeof(value)), 0);
	close(f);
	f = geteuid() == 0 ? openat(lower, "a/f", O_RDONLY) : openat(lower, "a/f", O_PATH);
	if (geteuid() == 0) {
		assert_int_equal(fgetxattr(f, "user.overlay.metacopy", value, sizeof(value)), 0);
		assert_int_equal(fgetxattr(f, "user.overlay.redirect", value, sizeof(value)), 23);
		assert_string_equal(value, "/AAAAAAAAAAAAAAAAAAAAAA");
		memset(value, 0, sizeof(value));
		assert_int_equal(fgetxattr(f, "user.k", value, sizeof(value)), 2);
		assert_string_equal(value, "v1");
	}
}

static void full(void **state)
{
	_cleanup_close_ int lower = -1, data = -1;
	_cleanup_free_ char *text = NULL;
	size_t n;

	(void)state;
	prepare("5-6", true);
	assert_int_equal(tree_open(hex, "5-6", &lower, &data), 0);
	assert_int_equal(data, -1);
	check_names(lower);
	if (geteuid() == 0) { /* mode 4711 lets only root read */
		assert_int_equal(file_read(lower, "a/f", 100, &text, &n), 0);
		assert_string_equal(text, "hello");
	}
}

static void bad_slots(void **state)
{
	static const char *const bad[] = { "", "..", "raw/..", "-1", "1-", "1-2-3", "x", "4294967295", "full-1" };
	_cleanup_close_ int tree = tree_dir(hex, NULL), objects = store_objects(NULL);
	int a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(tree_open(hex, bad[i], &a, &b), -EINVAL);
		assert_int_equal(tree_prepare(tree, objects, bad[i], false, NULL), -EINVAL);
	}
	assert_int_equal(tree_dir("../../etc", NULL), -EINVAL);
}

static void lookups(void **state)
{
	static const struct {
		const char *path;
		int r;
	} cases[] = {
		{ "a/f", 5 }, { "/a/f", 5 }, { "h", 5 }, { "etc/passwd", 5 }, { "/usr/etc/../etc/./passwd", 5 },
		{ "../../a/f", 5 }, { "a/none", 0 }, { "a", -EINVAL }, { "usr/fifo", -EINVAL }, { "loop", -ELOOP },
		{ "missing", -ENOENT }, { "a/f/x", -ENOTDIR }, { "", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;
		size_t n = 99;
		int r = tree_read_file(hex, cases[i].path, 100, &text, &n);

		if (cases[i].r >= 0) {
			assert_int_equal(r, 0);
			assert_int_equal(n, cases[i].r);
			assert_string_equal(text, n ? "hello" : "");
		} else {
			assert_int_equal(r, cases[i].r);
		}
	}
	_cleanup_free_ char *text = NULL;
	size_t n;
	assert_int_equal(tree_read_file(hex, "a/f", 4, &text, &n), -EFBIG);
}

static void ids(void **state)
{
	struct tree_ids out;
	char path[128];

	(void)state;
	assert_int_equal(tree_ids_read(hex, &out, NULL), 0);
	assert_int_equal(out.n_uids, 3);
	assert_int_equal(out.uids[1], 7);
	assert_int_equal(out.n_gids, 2);
	tree_ids_free(&out);
	static const char *const bad[] = {
		"{}", "{\"uids\":[],\"gids\":[0]}", "{\"uids\":[1],\"gids\":[0]}", "{\"uids\":[0,2,1],\"gids\":[0]}",
		"{\"uids\":[0,0],\"gids\":[0]}", "{\"uids\":[0,4294967295],\"gids\":[0]}", "{\"uids\":[0,\"1\"],\"gids\":[0]}",
	};
	snprintf(path, sizeof(path), "trees/%s/ids", hex);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(path, bad[i]);
		assert_int_equal(tree_ids_read(hex, &out, NULL), -EBADMSG);
	}
}

static void damaged(void **state)
{
	_cleanup_close_ int tree = tree_dir(hex, NULL), objects = store_objects(NULL), slots = -1;
	char path[128];
	struct error e = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "trees/%s/table", hex);
	slots = openat(tree, "slots", O_RDONLY | O_DIRECTORY);
	static const char *const bad[] = {
		"", "{\"table\":1,\"entries\":1,\"bytes\":0}\n",
		"{\"table\":1,\"entries\":1,\"bytes\":0}\n{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"../x\",\"t\":\"f\"}\n",
		"{\"table\":1,\"entries\":1,\"bytes\":0}\n{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"a/../../x\",\"t\":\"d\"}\n",
		"{\"table\":1,\"entries\":1,\"bytes\":0}\n{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"x\",\"t\":\"c\"}\n",
		("{\"table\":1,\"entries\":1,\"bytes\":0}\n{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"x\",\"t\":\"f\",\"x\":"
		 "{\"user.overlay.opaque\":\"79\"}}\n"),
		"{\"table\":1,\"entries\":1,\"bytes\":0}\n{\"p\":\"\",\"t\":\"d\"}\n{\"p\":\"x\",\"t\":\"h\",\"l\":\"/etc/passwd\"}\n",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(path, bad[i]);
		assert_true(tree_prepare(tree, objects, "9", false, &e) < 0);
		/* nothing half done */
		assert_int_equal(faccessat(slots, "9", F_OK, 0), -1);
	}
}

static bool map_to_root(const char *name, unsigned id)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && dprintf(fd, "0 %u 1", id) > 0;
}

/* brig prepares a person's files as root of a user namespace: that writes into folders of mode 0555. */
static bool become_root(void)
{
	unsigned uid = geteuid(), gid = getegid();
	_cleanup_close_ int deny = -1;

	if (!uid)
		return true;
	if (unshare(CLONE_NEWUSER) < 0 || (deny = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC)) < 0)
		return false;
	return dprintf(deny, "deny") > 0 && map_to_root("/proc/self/uid_map", uid) && map_to_root("/proc/self/gid_map", gid);
}

int main(void)
{
	if (!become_root()) {
		print_message("1..0 # SKIP an ordinary user who may not make user namespaces\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined), cmocka_unit_test(full), cmocka_unit_test(bad_slots),
		cmocka_unit_test(lookups), cmocka_unit_test(ids), cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
