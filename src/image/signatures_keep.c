/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signatures.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/hash.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Is there room for `n` more bytes? */
static int check_room(int dir, size_t n, struct error *e)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	uint64_t bytes = n;
	unsigned files = 1;
	struct dirent *de;

	if (!d)
		return error_errno(e, errno, "cannot list kept signatures");
	while ((de = readdir(d))) {
		struct stat st;

		if (de->d_name[0] == '.' || fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += (uint64_t)st.st_size;
		files++;
	}
	if (bytes > SIGNATURES_BYTES || files > SIGNATURES_MAX)
		return error_set(e, EFBIG, "an image may have %d signatures in %d bytes; the rest is left out", SIGNATURES_MAX,
				 SIGNATURES_BYTES);
	return 0;
}

static int put(const char *subject, enum signature_file kind, const char *hex, const void *data, size_t n, struct error *e)
{
	_cleanup_close_ int dir = signatures_open(subject, true, e);
	char name[SIGNATURE_NAME];
	struct stat st;
	int r;

	if (dir < 0)
		return dir;
	signature_name(kind, hex, name);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size == n)
		return 0;
	r = check_room(dir, n, e);
	if (r < 0)
		return r;
	r = file_replace(dir, name, data, n, 0600, true);
	return r < 0 ? error_errno(e, r, "cannot keep a signature") : 0;
}

int signatures_add(const char *subject, enum signature_file kind, const void *data, size_t n, struct error *e)
{
	char hex[DIGEST_SIZE];

	if (n > SIGNATURE_MAX)
		return error_set(e, EFBIG, "a signature of more than %d bytes", SIGNATURE_MAX);
	hash_hex(data, n, hex);
	return put(subject, kind, hex, data, n, e);
}

int signatures_take(int from, const struct signature_kept *list, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *data = NULL;
		char name[SIGNATURE_NAME], hex[DIGEST_SIZE];
		size_t size;
		int r;

		signature_name(list[i].kind, list[i].hex, name);
		r = file_read(from, name, SIGNATURE_MAX, &data, &size);
		if (r < 0)
			return error_errno(e, r, "a signature that was fetched");
		hash_hex(data, size, hex);
		if (!streq(hex, list[i].hex))
			return error_set(e, EBADMSG, "a signature that was fetched is not what it was said to be");
		r = put(list[i].subject, list[i].kind, hex, data, size, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int signatures_add_lookaside(const char *base, const char *path, const char *subject, struct error *e)
{
	_cleanup_free_ char *folder = xasprintf("%s/%s@sha256=%s", base, path, subject);
	_cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dir < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open %s", folder);
	for (int i = 1; r == 0 && i <= SIGNATURES_GPG_MAX; i++) {
		_cleanup_free_ char *data = NULL;
		char name[24];
		size_t n;

		snprintf(name, sizeof(name), "signature-%d", i);
		r = file_read(dir, name, SIGNATURE_MAX, &data, &n);
		if (r == -ENOENT)
			return 0;
		r = r < 0 ? error_errno(e, r, "cannot read %s/%s", folder, name) : signatures_add(subject, SIGNATURE_GPG, data, n, e);
	}
	return r;
}
