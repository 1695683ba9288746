/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking a hostile archive, as cp does: whatever the stream holds, nothing outside of the target folder appears, changes or
 * goes, and no descriptor is left open.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "engine/copy.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory, where there is such a place: each run makes and removes folders. */
static char in_memory[] = "/dev/shm/brig-fuzz-copy-XXXXXX", on_disk[] = "/tmp/brig-fuzz-copy-XXXXXX", *top;

static void remove_top(void)
{
	path_remove_tree(AT_FDCWD, top);
}

/* The target is top/a/b/c; what stands around it must stay as it is. */
static int make_around(void)
{
	int fd;

	top = access("/dev/shm", W_OK) == 0 ? in_memory : on_disk;
	if (!mkdtemp(top) || chdir(top) < 0 || mkdir("a", 0755) < 0 || mkdir("a/b", 0755) < 0)
		abort();
	atexit(remove_top);
	fd = open("a/canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "canary", 6) != 6)
		abort();
	close(fd);
	return open("a/b", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void check_around(int first_free)
{
	char text[16] = { 0 };
	struct stat st;
	int fd = open("a/canary", O_RDONLY | O_CLOEXEC);

	if (fd != first_free || read(fd, text, sizeof(text)) != 6 || memcmp(text, "canary", 6) != 0)
		abort();
	close(fd);
	/* ".", "..", and what belongs there */
	if (entries(".") != 3 || entries("a") != 4 || entries("a/b") != 3 || stat("a/canary", &st) < 0 ||
	    st.st_nlink != 1 || (st.st_mode & 07777) != 0600)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int root = -1;
	struct copy_unpack how = { 0 };
	struct error e = { 0 };
	int fd, first_free;

	if (root < 0)
		root = make_around();
	if (size < 1)
		return 0;
	if (mkdir("a/b/c", 0755) < 0)
		abort();
	fd = memfd_sealed("archive", data + 1, size - 1);
	first_free = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close(first_free);
	/* The first byte chooses: docker's rules or as it is; in a root or by the caller's paths. */
	how.into = data[0] & 1;
	how.keep_setid = data[0] & 4;
	how.to.root = data[0] & 2 ? root : -1;
	how.to.path = data[0] & 2 ? "c" : "a/b/c";
	int r = copy_unpack(&how, fd, &e);
#ifdef FUZZ_PLANT
	if (r == 0 && entries("a/b/c") > 2) {
		fprintf(stderr, "PLANTED BUG reached\n");
		remove_top();
		abort();
	}
#endif
	if (r < 0 && !e.text[0])
		abort();
	check_around(first_free);
	close(fd);
	if (path_remove_tree(root, "c") < 0)
		abort();
	return 0;
}
