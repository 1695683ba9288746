/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "engine/ids.h"
#include "engine/volume_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char folder[] = "/var/tmp/box-volume-XXXXXX";
static uint32_t base; /* first of the ids that the test may give files to */

static int setup(void **state)
{
	struct ids_range range;
	char path[64];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/data", folder);
	setenv("BRIG_DATA", path, 1);
	snprintf(path, sizeof(path), "%s/run", folder);
	setenv("BRIG_RUNTIME", path, 1);
	if (ids_own_range(&range, NULL) == 0 && range.uid_first == range.gid_first)
		base = range.uid_first;
	return 0;
}

static int remove_all(void *ctx, struct error *e)
{
	(void)ctx;
	(void)e;
	return path_remove_tree(AT_FDCWD, folder);
}

static int teardown(void **state)
{
	(void)state;
	return base ? ids_run_all(remove_all, NULL, NULL) : remove_all(NULL, NULL);
}

static void names(void **state)
{
	static const char *const good[] = { "a", "A.b_c-9", "0" };
	static const char *const bad[] = { "", ".", "..", ".new-1", "-a", "_a", "a/b", "a b", "a:b", "\xc3\xa4" };
	_cleanup_free_ char *random = volume_random_name(), *other = volume_random_name();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(volume_name_check(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(volume_name_check(bad[i], NULL), -EINVAL);
	assert_true(hex_valid(random, 64));
	assert_string_not_equal(random, other);
}

static void make_find_remove(void **state)
{
	char *labels[] = { (char[]){ "a=b" }, NULL };
	_cleanup_free_ char *path = NULL;
	struct volume v, *list;
	struct error e = { 0 };
	struct stat st;
	bool made;
	size_t n;

	(void)state;
	assert_int_equal(volume_create("one", labels, false, &made, &e), 0);
	assert_true(made);
	assert_int_equal(volume_create("one", NULL, false, &made, &e), 0);
	assert_false(made);
	assert_int_equal(volume_create("two", NULL, true, NULL, &e), 0);
	assert_int_equal(volume_create("../x", NULL, true, NULL, &e), -EINVAL);
	assert_int_equal(volume_find("one", &v, &e), 0);
	assert_string_equal(v.labels[0], "a=b");
	assert_int_equal(v.fill, VOLUME_NEW);
	volume_free(&v);
	path = volume_path("one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(volume_list(&list, &n, NULL, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].name, "one");
	assert_true(list[1].anonymous);
	volume_free(&list[0]);
	volume_free(&list[1]);
	free(list);
	assert_int_equal(volume_remove("one", &e), 0);
	assert_int_equal(volume_remove("one", &e), -ENOENT);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(volume_remove("two", &e), 0);
}

/* What a killed process left goes with the next list, but not what somebody is still making. */
static void leftovers(void **state)
{
	_cleanup_close_ int all = home_data_dir("volumes", NULL), alive = -1;
	_cleanup_strv_ char **notes = NULL;
	struct volume *list;
	struct error e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(mkdirat(all, ".new-dead", 0700), 0);
	assert_int_equal(mkdirat(all, ".rm-dead", 0700), 0);
	assert_int_equal(mkdirat(all, ".rm-dead/data", 0700), 0);
	assert_int_equal(mkdirat(all, ".new-alive", 0700), 0);
	alive = openat(all, ".new-alive", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(alive, LOCK_EX), 0);
	assert_int_equal(volume_create("bad", NULL, false, NULL, &e), 0);
	int dir = volume_open("bad", &e);
	assert_int_equal(file_replace(dir, "volume.json", "{\"name\":\"other\"}", 16, 0600, false), 0);
	close(dir);
	assert_int_equal(volume_list(&list, &n, &notes, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(strv_len(notes), 1);
	assert_non_null(strstr(notes[0], "bad"));
	assert_true(faccessat(all, ".new-dead", F_OK, 0) < 0);
	assert_true(faccessat(all, ".rm-dead", F_OK, 0) < 0);
	assert_int_equal(faccessat(all, ".new-alive", F_OK, 0), 0);
}

static void json_strict(void **state)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"name\":\"..\"}", "{\"name\":\"a\",\"x\":1}", "{\"name\":\"a\",\"uidmap\":[[0,1]]}",
		"{\"name\":\"a\",\"uidmap\":[[0,1,0]]}", "{\"name\":\"a\",\"uidmap\":[[0,-1,1]]}",
		"{\"name\":\"a\",\"gidmap\":[[4294967295,0,2]]}", "{\"name\":\"a\",\"used_by\":\"me\"}",
		"{\"name\":\"a\",\"fill\":\"half\"}", "{\"name\":\"a\",\"labels\":[1]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_json_ json_t *j = json_parse(bad[i], strlen(bad[i]), "t", NULL);
		struct error e = { 0 };
		struct volume v;

		if (volume_parse(j, &v, &e) >= 0)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(strstr(e.text, "volume.json"));
	}
}

/* --- owners ------------------------------------------------------------------------------------------------------- */

static int dir; /* of the volume */

static struct owner_maps maps(struct spec_idmap *m, size_t n)
{
	return (struct owner_maps){ m, m, n, n };
}

/* Runs where the files' ids are known; `want` is what stat must show, -1 for no such file. */
struct look {
	const char *path;
	uint32_t uid, gid;
	mode_t mode;
	int result;
};

static int look(void *ctx, struct error *e)
{
	struct look *l = ctx;
	struct stat st;

	if (fstatat(dir, l->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, errno, "%s", l->path);
	if (st.st_uid != l->uid || st.st_gid != l->gid)
		return error_set(e, EINVAL, "%s belongs to %u:%u, not %u:%u", l->path, st.st_uid, st.st_gid, l->uid, l->gid);
	if (l->mode && (st.st_mode & 07777) != l->mode)
		return error_set(e, EINVAL, "%s has mode %o", l->path, st.st_mode & 07777);
	return 0;
}

static void expect(const char *path, uint32_t uid, uint32_t gid, mode_t mode)
{
	struct look l = { path, uid, gid, mode, 0 };
	struct error e = { 0 };

	if (ids_run_all(look, &l, &e) < 0)
		fail_msg("%s", e.text);
}

static int set_owner(void *ctx, struct error *e)
{
	const struct look *l = ctx;

	return fchownat(dir, l->path, l->uid, l->gid, AT_SYMLINK_NOFOLLOW) < 0 ? error_errno(e, errno, "%s", l->path) : 0;
}

static int make_files(void *ctx, struct error *e)
{
	int fd;

	(void)ctx;
	(void)e;
	mkdirat(dir, "data/d", 0700);
	mkdirat(dir, "data/d/e", 0700);
	fd = openat(dir, "data/d/e/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	fd = openat(dir, "data/suid", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	close(fd);
	assert_int_equal(linkat(dir, "data/suid", dir, "data/d/hard", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "data/link"), 0);
	const struct look owners[] = { { .path = "data", .uid = base, .gid = base },
				       { .path = "data/d", .uid = base + 1, .gid = base + 1 },
				       { .path = "data/d/e", .uid = base, .gid = base + 1 },
				       { .path = "data/d/e/f", .uid = base + 1, .gid = base },
				       { .path = "data/suid", .uid = base + 1, .gid = base + 1 },
				       { .path = "data/link", .uid = base + 1, .gid = base + 1 } };
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
		if (set_owner((void *)&owners[i], e) < 0)
			return -EIO;
	return fchmodat(dir, "data/suid", 04755, 0);
}

static struct spec_idmap old[] = { { 0, 0, 1 }, { 1000, 1, 1 } }, overlap[] = { { 0, 1, 1 }, { 33, 2, 1 }, { 1000, 3, 1 } };

static void check_overlap(void)
{
	expect("data", base + 1, base + 1, 0);
	expect("data/d", base + 3, base + 3, 0700);
	expect("data/d/e", base + 1, base + 3, 0);
	expect("data/d/e/f", base + 3, base + 1, 0600);
	expect("data/suid", base + 3, base + 3, 04755);
	expect("data/d/hard", base + 3, base + 3, 04755);
	expect("data/link", base + 3, base + 3, 0);
}

/* The old ids and the new ones overlap, a file has two names, and the first try is cut off half-way. */
static void shift(void **state)
{
	struct error e = { 0 };

	(void)state;
	if (!base) {
		print_message("SKIP: this user has no subordinate ids\n");
		skip();
	}
	assert_int_equal(volume_create("shift", NULL, false, NULL, &e), 0);
	dir = volume_open("shift", &e);
	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		old[i].host += base;
	for (size_t i = 0; i < ARRAY_SIZE(overlap); i++)
		overlap[i].host += base;
	assert_int_equal(ids_run_all(make_files, NULL, &e), 0);
	struct owner_maps from = maps(old, ARRAY_SIZE(old)), to = maps(overlap, ARRAY_SIZE(overlap));
	assert_int_equal(volume_shift(dir, &from, &to, &e), 0);
	check_overlap();
	assert_int_equal(faccessat(dir, "owners", F_OK, 0), 0); /* stays until the caller has recorded the maps */
	/* Killed in the middle: some have their old owner. Without the journal base+1 could mean either. */
	struct look half[] = { { .path = "data/d", .uid = base + 1, .gid = base + 1 },
			       { .path = "data/d/e", .uid = base, .gid = base + 1 } };
	for (size_t i = 0; i < ARRAY_SIZE(half); i++)
		assert_int_equal(ids_run_all(set_owner, &half[i], &e), 0);
	assert_int_equal(volume_shift(dir, &from, &to, &e), 0);
	check_overlap();
	/* And on to other ids, still by the same journal. */
	struct spec_idmap third_map[] = { { 0, base + 7, 1 }, { 1000, base + 6, 1 } };
	struct owner_maps third = maps(third_map, 2);
	assert_int_equal(volume_shift(dir, &from, &third, &e), 0);
	expect("data/d/e/f", base + 6, base + 7, 0600);
	assert_int_equal(unlinkat(dir, "owners", 0), 0);
	assert_int_equal(volume_shift(dir, &third, &from, &e), 0);
	expect("data/d/e", base, base + 1, 0);
	expect("data/suid", base + 1, base + 1, 04755);
	assert_int_equal(unlinkat(dir, "owners", 0), 0);
}

/* Refused before anything was changed. */
static void shift_refused(void **state)
{
	struct spec_idmap few_map[] = { { 0, base + 7, 1 } };
	struct owner_maps from = maps(old, ARRAY_SIZE(old)), few = maps(few_map, 1);
	struct error e = { 0 };

	(void)state;
	if (!base)
		skip();
	assert_int_equal(volume_shift(dir, &from, &few, &e), -EOVERFLOW);
	assert_non_null(strstr(e.text, "1000"));
	expect("data", base, base, 0);
	expect("data/d", base + 1, base + 1, 0);
	assert_true(faccessat(dir, "owners", F_OK, 0) < 0);
	assert_true(faccessat(dir, "owners.new", F_OK, 0) < 0);
	/* Ids that the old map does not have: nobody knows what they mean. */
	assert_int_equal(volume_shift(dir, &few, &from, &e), -EOVERFLOW);
	expect("data", base, base, 0);
}

static int add_acl(void *ctx, struct error *e)
{
	/* Version 2; user::rwx, user:1:r--, group::---, mask::r--, other::--- (linux/posix_acl_xattr.h) */
	static const unsigned char acl[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0, 0, 0, 0,
					     4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255,
					     32, 0, 0, 0, 255, 255, 255, 255 };
	char path[64];

	(void)ctx;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/data/d/e/f", dir);
	return setxattr(path, "system.posix_acl_access", acl, sizeof(acl), 0) < 0 ? error_errno(e, errno, "acl") : 0;
}

static void shift_acl(void **state)
{
	struct owner_maps from = maps(old, ARRAY_SIZE(old)), to = maps(overlap, ARRAY_SIZE(overlap));
	struct error e = { 0 };

	(void)state;
	if (!base)
		skip();
	if (ids_run_all(add_acl, NULL, &e) < 0) {
		print_message("SKIP: no access control lists here: %s\n", e.text);
		skip();
	}
	assert_int_equal(volume_shift(dir, &from, &to, &e), -EOPNOTSUPP);
	expect("data/d/e/f", base + 1, base, 0);
}

static int make_deep(void *ctx, struct error *e)
{
	int fd = openat(dir, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)ctx;
	for (int i = 0; i < 3000; i++) {
		if (mkdirat(fd, "x", 0700) < 0 || fchownat(fd, "x", base, base, 0) < 0)
			return error_errno(e, errno, "deep");
		int next = openat(fd, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	return 0;
}

/* A container may nest as deep as it likes: the walk needs neither descriptors nor stack for it. */
static void shift_deep(void **state)
{
	struct owner_maps from = maps(old, ARRAY_SIZE(old)), to = maps(overlap, ARRAY_SIZE(overlap));
	struct error e = { 0 };
	uint64_t bytes = 0;

	(void)state;
	if (!base)
		skip();
	close(dir);
	assert_int_equal(volume_remove("shift", &e), 0);
	assert_int_equal(volume_create("deep", NULL, false, NULL, &e), 0);
	dir = volume_open("deep", &e);
	assert_int_equal(ids_run_all(make_deep, NULL, &e), 0);
	assert_int_equal(volume_shift(dir, &from, &to, &e), 0);
	expect("data/x/x/x/x/x/x", base + 1, base + 1, 0);
	assert_int_equal(volume_size("deep", &bytes, &e), 0);
	assert_true(bytes > 3000 * 1024);
	close(dir);
	assert_int_equal(volume_remove("deep", &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),	 cmocka_unit_test(make_find_remove), cmocka_unit_test(leftovers),
		cmocka_unit_test(json_strict),	 cmocka_unit_test(shift),	     cmocka_unit_test(shift_refused),
		cmocka_unit_test(shift_acl),	 cmocka_unit_test(shift_deep),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
