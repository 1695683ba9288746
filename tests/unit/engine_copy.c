/* SPDX-License-Identifier: Apache-2.0 */
/* Where copies go, what hostile streams cannot do, what a container's root cannot lead out of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "engine/copy.h"
#include "image/tar_write.h"

static char top[] = "/tmp/brig-copy-XXXXXX";

/* A fresh folder with two sides: "in" stands for a container's root, "out" for the host's folder. */
static int setup(void **state)
{
	(void)state;
	memcpy(top + strlen(top) - 6, "XXXXXX", 6);
	return mkdtemp(top) && chdir(top) == 0 && mkdir("in", 0755) == 0 && mkdir("out", 0755) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") == 0 && path_remove_tree(AT_FDCWD, top) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void has(const char *path, const char *text)
{
	_cleanup_free_ char *got = NULL;
	size_t n;
	int r = file_read(AT_FDCWD, path, 1 << 20, &got, &n);

	if (r < 0)
		fail_msg("%s: %s", path, strerror(-r));
	assert_string_equal(got, text);
}

static void lacks(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		fail_msg("%s exists", path);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

/* From `from` in the container's root to `to` on the host. */
static int copy(const char *from, bool follow, const char *to, struct error *e)
{
	_cleanup_close_ int root = open("in", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct copy_pack pack = { .from = { root, from }, .follow = follow };
	struct copy_unpack unpack = { .to = { -1, to } };
	uint64_t left_out;
	int p[2], r, status;
	pid_t pid;

	*e = (struct error){ 0 };
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		_exit(copy_pack(&pack, p[1], &left_out, e) == 0 ? 0 : 1);
	}
	close(p[1]);
	r = copy_unpack(&unpack, p[0], e);
	close(p[0]);
	waitpid(pid, &status, 0);
	return r < 0 ? r : WEXITSTATUS(status) ? -EIO : 0;
}

static int copy_fine(const char *from, const char *to)
{
	struct error e;
	int r = copy(from, false, to, &e);

	if (r < 0)
		print_message("%s to %s: %s\n", from, to, e.text);
	return r;
}

static void files(void **state)
{
	struct error e;

	(void)state;
	put("in/f", "new", 04640);
	mkdir("out/dir", 0755);
	put("out/old", "old", 0600);
	assert_int_equal(copy_fine("/f", "out/name"), 0);
	has("out/name", "new");
	assert_int_equal(mode_of("out/name"), 0640); /* no set-user-id from a container */
	assert_int_equal(copy_fine("f", "out/dir"), 0);
	has("out/dir/f", "new");
	assert_int_equal(copy_fine("f", "out/dir/"), 0);
	assert_int_equal(copy_fine("f", "out/old"), 0);
	has("out/old", "new");
	assert_int_equal(copy("f", false, "out/none/", &e), -ENOENT);
	assert_int_equal(copy("f", false, "out/none/x", &e), -ENOENT);
	assert_int_equal(copy("f", false, "out/old/", &e), -ENOTDIR);
	assert_int_equal(copy("nope", false, "out/x", &e), -EBADMSG);
	lacks("out/x");
}

static void folders(void **state)
{
	struct error e;

	(void)state;
	mkdir("in/d", 0750);
	mkdir("in/d/e", 0555);
	put("in/d/f", "1", 0644);
	chmod("in/d/e", 0755);
	put("in/d/e/g", "2", 0600);
	chmod("in/d/e", 0555);
	mkdir("out/old", 0755);
	put("out/file", "x", 0600);
	assert_int_equal(copy_fine("d", "out/new"), 0);
	has("out/new/e/g", "2");
	assert_int_equal(mode_of("out/new"), 0750);
	assert_int_equal(mode_of("out/new/e"), 0555);
	assert_int_equal(copy_fine("d", "out/old"), 0);
	has("out/old/d/f", "1");
	assert_int_equal(copy_fine("d/.", "out/old"), 0);
	has("out/old/f", "1");
	assert_int_equal(copy_fine("d/.", "out/new2"), 0);
	has("out/new2/f", "1");
	assert_int_equal(copy_fine("/", "out/all"), 0);
	has("out/all/d/f", "1");
	assert_int_equal(copy("d", false, "out/file", &e), -ENOTDIR);
	has("out/file", "x");
	/* a file where a folder is, below */
	mkdir("out/old/d/f2", 0755);
	put("in/d/f2", "3", 0644);
	assert_true(copy("d", false, "out/old", &e) < 0);
	chmod("in/d/e", 0755);
	chmod("out/new/e", 0755);
	chmod("out/old/d/e", 0755);
	chmod("out/old/e", 0755);
	chmod("out/new2/e", 0755);
	chmod("out/all/d/e", 0755);
}

static void links(void **state)
{
	struct error e;
	char target[64] = { 0 };

	(void)state;
	put("canary", "secret", 0600);
	put("in/inner", "mine", 0644);
	mkdir("in/canary-dir", 0755);
	assert_int_equal(symlink("/inner", "in/abs"), 0);
	assert_int_equal(symlink("../canary", "in/up"), 0);
	assert_int_equal(symlink("../../../../../canary", "in/canary-dir/up"), 0);
	/* as a link */
	assert_int_equal(copy_fine("abs", "out/link"), 0);
	assert_int_equal(readlink("out/link", target, sizeof(target) - 1), 6);
	assert_string_equal(target, "/inner");
	/* followed inside the root: an absolute one works, one that leads out does not leave */
	assert_int_equal(copy("abs", true, "out/followed", &e), 0);
	has("out/followed", "mine");
	assert_true(copy("up", true, "out/stolen", &e) < 0);
	lacks("out/stolen");
	assert_true(copy("canary-dir/up", true, "out/stolen", &e) < 0);
	assert_true(copy("../../canary", false, "out/stolen", &e) < 0);
	lacks("out/stolen");
	/* below the named folder a link stays a link */
	assert_int_equal(copy_fine("canary-dir", "out/d"), 0);
	assert_true(readlink("out/d/up", target, sizeof(target)) > 0);
	has("canary", "secret");
}

/* Into the container's root: the destination's links are followed inside it only. */
static void into(void **state)
{
	struct error e = { 0 };
	_cleanup_close_ int root = open("in", O_PATH | O_DIRECTORY | O_CLOEXEC);
	static const struct {
		const char *to, *lands, *link, *leads;
	} cases[] = {
		{ "/var/run/x", "in/run/x", "in/var/run", "/run" },
		{ "/esc/x", NULL, "in/esc", "../../out" },
		{ "/esc2/x", "in/tmp/x", "in/esc2", "/../../tmp" },
		{ "/hosts", "in/run/hosts", "in/hosts", "/run/hosts" },
	};

	(void)state;
	mkdir("in/var", 0755);
	mkdir("in/run", 0755);
	mkdir("in/tmp", 0755);
	put("in/run/hosts", "old", 0600);
	put("src", "data", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct copy_pack pack = { .from = { -1, "src" } };
		const struct copy_unpack unpack = { .to = { root, cases[i].to } };
		uint64_t left_out;
		int p[2], r;

		assert_int_equal(symlink(cases[i].leads, cases[i].link), 0);
		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		assert_int_equal(copy_pack(&pack, p[1], &left_out, &e), 0); /* fits into the pipe */
		close(p[1]);
		r = copy_unpack(&unpack, p[0], &e);
		close(p[0]);
		assert_int_equal(r == 0, cases[i].lands != NULL);
		if (cases[i].lands)
			has(cases[i].lands, "data");
	}
	lacks("out/x");
	assert_int_equal(mode_of("in/run/hosts"), 0600); /* written through the link */
}

static int to_fd(void *arg, const void *data, size_t n, struct error *e)
{
	(void)e;
	return fd_write_all(*(int *)arg, data, n);
}

/* Unpacks a stream of the given entries ("abc" as the data of files) below out/d. */
static int hostile(const struct tar_entry *entries, size_t n, bool whole, bool as_is, struct error *e)
{
	const struct copy_unpack unpack = { .to = { -1, "out/d" }, .into = as_is };
	struct tar_writer w = { .write = to_fd };
	int p[2], r;

	*e = (struct error){ 0 };
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	w.arg = &p[1];
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(tar_write_entry(&w, &entries[i], e), 0);
		if (entries[i].size)
			assert_int_equal(tar_write_data(&w, "abc", 3, e), 0);
	}
	if (whole)
		assert_int_equal(tar_write_end(&w, e), 0);
	close(p[1]);
	r = copy_unpack(&unpack, p[0], e);
	close(p[0]);
	return r;
}

static void streams(void **state)
{
	static const struct tar_entry escape[][3] = {
		{ { .type = 'f', .path = "../x", .size = 3 } },
		{ { .type = 'f', .path = "/x", .size = 3 } },
		{ { .type = 'f', .path = "a/../../x", .size = 3 } },
		{ { .type = 'l', .path = "l", .link = ".." }, { .type = 'f', .path = "l/x", .size = 3 } },
		{ { .type = 'l', .path = "l", .link = "/tmp" }, { .type = 'd', .path = "l/" } },
		{ { .type = 'd', .path = "l/" }, { .type = 'l', .path = "l", .link = ".." } },
		{ { .type = 'h', .path = "x", .link = "../../canary" } },
		{ { .type = 'h', .path = "x", .link = "/etc/passwd" } },
		{ { .type = 'l', .path = "l", .link = "../.." }, { .type = 'h', .path = "x", .link = "l/canary" } },
		{ { .type = 'f', .path = ".", .size = 3 } },
	};
	struct error e;

	(void)state;
	put("canary", "secret", 0600);
	for (int as_is = 0; as_is < 2; as_is++) {
		for (size_t i = 0; i < ARRAY_SIZE(escape); i++) {
			size_t n = 0;

			while (n < 3 && escape[i][n].type)
				n++;
			mkdir("out/d", 0755);
			/* Under docker's rules the first part of all names is the source's own, so they may be fine. */
			int r = hostile(escape[i], n, true, as_is, &e);
			if (as_is && r == 0)
				fail_msg("stream %zu was unpacked", i);
			lacks("out/x");
			lacks("x");
			lacks("in/x");
			has("canary", "secret");
			assert_int_equal(path_remove_tree(AT_FDCWD, "out/d"), 0);
		}
	}
}

static void good_stream(void **state)
{
	static const struct tar_entry entries[] = {
		{ .type = 'd', .path = "./", .mode = 0700 },
		{ .type = 'd', .path = "./a/", .mode = 0555, .mtime = 1000000000 },
		{ .type = 'f', .path = "a/f", .size = 3, .mode = 0640, .mtime = 1100000000, .mtime_ns = 7 },
		{ .type = 'h', .path = "b", .link = "a/f" },
		{ .type = 'p', .path = "fifo", .mode = 0600 },
		{ .type = 'l', .path = "a/l", .link = "f" },
		{ .type = 'f', .path = "b2", .size = 3 },
	};
	struct error e;
	struct stat a, b;

	(void)state;
	mkdir("out/d", 0755);
	assert_int_equal(hostile(entries, ARRAY_SIZE(entries), true, true, &e), 0);
	has("out/d/a/f", "abc");
	assert_int_equal(stat("out/d/a/f", &a), 0);
	assert_int_equal(stat("out/d/b", &b), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(a.st_mtim.tv_sec, 1100000000);
	assert_int_equal(a.st_mtim.tv_nsec, 7);
	assert_int_equal(stat("out/d/a", &a), 0);
	assert_int_equal(a.st_mtim.tv_sec, 1000000000);
	assert_int_equal(a.st_mode & 07777, 0555);
	assert_int_equal(stat("out/d/fifo", &a), 0);
	assert_true(S_ISFIFO(a.st_mode));
	assert_int_equal(mode_of("out/d"), 0755); /* the folder that was there keeps its mode */
	/* an archive that was cut off is an error, but where it comes from a person's own pipe */
	assert_true(hostile(entries + 6, 1, false, false, &e) < 0);
	chmod("out/d/a", 0755);
}

static void special(void **state)
{
	_cleanup_close_ int root = open("in", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct copy_pack pack = { .from = { root, "d" } };
	struct error e = { 0 };
	uint64_t left_out;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	mkdir("in/d", 0755);
	mkfifo("in/d/p", 0600); /* never opened: that would wait for ever */
	assert_int_equal(mknod("in/d/s", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(copy_pack(&pack, null, &left_out, &e), 0);
	assert_int_equal(left_out, 1);
	pack.from.path = "d/s";
	assert_int_equal(copy_pack(&pack, null, &left_out, &e), -EINVAL);
	pack.from.path = "d/p";
	assert_int_equal(copy_pack(&pack, null, &left_out, &e), -EINVAL);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files, setup, teardown),
		cmocka_unit_test_setup_teardown(folders, setup, teardown),
		cmocka_unit_test_setup_teardown(links, setup, teardown),
		cmocka_unit_test_setup_teardown(into, setup, teardown),
		cmocka_unit_test_setup_teardown(streams, setup, teardown),
		cmocka_unit_test_setup_teardown(good_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(special, setup, teardown),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
