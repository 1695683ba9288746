/* SPDX-License-Identifier: Apache-2.0 */
#include "image/partial.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "image/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Where a pull has its blobs: as the network's side writes them, and once they are whole. */
static const char *const places[] = { "m/blobs/sha256", "b" };

static bool is_part(int dir, const char *name, struct stat *st)
{
	return hex_valid(name, DIGEST_HEX) && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1;
}

static void keep_from(int from, int partial)
{
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		struct stat mine, theirs;

		if (!is_part(from, de->d_name, &mine) || mine.st_size < PARTIAL_MIN)
			continue;
		if (is_part(partial, de->d_name, &theirs) && theirs.st_size >= mine.st_size)
			continue;
		renameat(from, de->d_name, partial, de->d_name);
	}
}

void partial_keep(int staging)
{
	_cleanup_close_ int partial = home_data_dir("partial", NULL);

	for (size_t i = 0; partial >= 0 && i < ARRAY_SIZE(places); i++) {
		_cleanup_close_ int from = openat(staging, places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (from >= 0)
			keep_from(from, partial);
	}
}

bool partial_take(const char *hex, uint64_t size, int folder)
{
	_cleanup_close_ int partial = home_data_dir("partial", NULL);
	struct stat st;

	return partial >= 0 && is_part(partial, hex, &st) && (uint64_t)st.st_size <= size && renameat(partial, hex, folder, hex) == 0;
}

void partial_sweep(void)
{
	_cleanup_close_ int partial = home_data_dir("partial", NULL);
	int copy = partial < 0 ? -1 : openat(partial, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		struct stat st;

		if (de->d_name[0] == '.' || fstatat(partial, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (st.st_mtime + PARTIAL_SECONDS < time(NULL) || st.st_mtime > time(NULL) + PARTIAL_SECONDS)
			unlinkat(partial, de->d_name, 0);
	}
}
