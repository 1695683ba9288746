/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that are taken from a process that may still live: what is published is what was hashed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char text[] = "the bytes of a blob";
static char top[64], hex[DIGEST_SIZE];
static struct staging st;
static struct source source;

static int make(int parent, const char *name)
{
	assert_int_equal(mkdirat(parent, name, 0700), 0);
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int set_up(void **state)
{
	int dir, folder, blobs;

	(void)state;
	snprintf(top, sizeof(top), "/tmp/brig-source-XXXXXX");
	assert_non_null(mkdtemp(top));
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = make(dir, "m");
	blobs = make(folder, "blobs");
	close(make(blobs, "sha256"));
	st = (struct staging){ .blobs = make(dir, "b"), .store_blobs = make(dir, "s"), .workers = 1 };
	source_folder(&source, &st, folder);
	source.take = true;
	hash_hex(text, strlen(text), hex);
	close(blobs);
	close(dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(st.blobs);
	close(st.store_blobs);
	close(source.dir);
	return path_remove_tree(AT_FDCWD, top);
}

/* What the process with the network left; its descriptor. */
static int fetched(const char *data)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	fd = openat(source.dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, strlen(data)), 0);
	return fd;
}

static bool published(void)
{
	return faccessat(st.blobs, hex, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void whole_blob_is_moved(void **state)
{
	struct error e = { 0 };
	char path[128];
	int fd;

	(void)state;
	close(fetched(text));
	fd = source_blob(&source, hex, strlen(text), &e);
	assert_true(fd >= 0);
	close(fd);
	assert_true(published());
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	assert_int_equal(faccessat(source.dir, path, F_OK, 0), -1);
}

static void other_bytes_are_refused(void **state)
{
	struct error e = { 0 };

	(void)state;
	close(fetched("the bytes of a BLOB"));
	assert_int_equal(source_blob(&source, hex, strlen(text), &e), -EBADMSG);
	assert_false(published());
}

/* It could change the bytes after they were hashed. */
static void blob_that_can_be_written_is_refused(void **state)
{
	struct error e = { 0 };
	int fd;

	(void)state;
	fd = fetched(text);
	assert_int_equal(source_blob(&source, hex, strlen(text), &e), -EBUSY);
	assert_non_null(strstr(e.text, "open for writing"));
	assert_false(published());
	close(fd);
}

/* A descriptor to read from harms nobody: it cannot be opened again, what was moved is out of reach. */
static void blob_that_can_be_read_is_taken(void **state)
{
	struct error e = { 0 };
	char path[128];
	int reader, fd;

	(void)state;
	close(fetched(text));
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	reader = openat(source.dir, path, O_RDONLY | O_CLOEXEC);
	assert_true(reader >= 0);
	fd = source_blob(&source, hex, strlen(text), &e);
	assert_true(fd >= 0);
	assert_true(published());
	close(fd);
	close(reader);
}

static void folder_of_a_person_is_copied(void **state)
{
	struct error e = { 0 };
	char path[128];
	int fd, own;

	(void)state;
	source.take = false;
	fd = fetched(text);
	own = source_blob(&source, hex, strlen(text), &e);
	assert_true(own >= 0);
	/* Whatever comes later reaches only what was copied from. */
	assert_int_equal(fd_write_all(fd, "more", 4), 0);
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	assert_int_equal(faccessat(source.dir, path, F_OK, 0), 0);
	assert_int_equal(lseek(own, 0, SEEK_END), (off_t)strlen(text));
	close(own);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_blob_is_moved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_bytes_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(blob_that_can_be_written_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(blob_that_can_be_read_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(folder_of_a_person_is_copied, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
