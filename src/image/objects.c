/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to here a file is hashed before anything is written, so that one that is there already costs no write. */
enum { SMALL = 4 * 1024 * 1024 };

void objects_init(struct objects *o, int staging, int store)
{
	*o = (struct objects){ .staging = staging, .store = store, .hash = hash_new(), .small = xmalloc(SMALL) };
}

void objects_free(struct objects *o)
{
	hash_free(&o->hash);
	free(steal_ptr(&o->small));
}

/* 1: there, with that size; 0: not there. */
static int known(int dir, const char *name, uint64_t size, struct error *e)
{
	struct stat st;

	if (dir < 0)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "object %s", name);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return error_set(e, EBADMSG, "object %s of the store is damaged: not a file of %llu bytes", name,
				 (unsigned long long)size);
	return 1;
}

/* What was made by this load is not looked at: other processes of the room may be about to write it. Its name is its content. */
static int find(struct objects *o, const char *name, uint64_t size, struct error *e)
{
	int r = strv_has(o->suspects, name) ? 0 : known(o->store, name, size, e);

	if (r > 0)
		o->known++;
	return r;
}

static void count(struct objects *o, uint64_t size)
{
	o->made++;
	o->made_bytes += size;
}

static int add_small(struct objects *o, struct tar *t, size_t size, char *name, struct error *e)
{
	unsigned char sha[SHA256_LEN];
	_cleanup_close_ int fd = -1;
	size_t got = 0;
	const void *p;
	ssize_t n;
	int r;

	while ((n = tar_data(t, &p, e)) > 0) {
		memcpy(o->small + got, p, (size_t)n);
		got += (size_t)n;
	}
	if (n < 0)
		return (int)n;
	hash_start(o->hash);
	hash_add(o->hash, o->small, size);
	hash_end(o->hash, sha);
	object_name(sha, name);
	r = find(o, name, size, e);
	if (r != 0)
		return r < 0 ? r : 0;
	fd = openat(o->staging, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0 && errno == EEXIST) {
		o->known++;
		return 0;
	}
	r = fd < 0 ? -errno : fd_write_all(fd, o->small, size);
	if (r < 0)
		return error_errno(e, r, "cannot write an object of %zu bytes", size);
	count(o, size);
	return 0;
}

static int add_big(struct objects *o, struct tar *t, uint64_t size, char *name, struct error *e)
{
	_cleanup_close_ int fd = -1;
	unsigned char sha[SHA256_LEN];
	char big_name[24];
	const void *p;
	ssize_t n;
	int r;

	snprintf(big_name, sizeof(big_name), "big-%d", (int)getpid());
	fd = openat(o->staging, big_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0444);
	r = fd < 0 ? -errno : 0;
	hash_start(o->hash);
	while (r == 0 && (n = tar_data(t, &p, e)) != 0) {
		if (n < 0)
			return (int)n;
		hash_add(o->hash, p, (size_t)n);
		r = fd_write_all(fd, p, (size_t)n);
	}
	if (r < 0)
		goto failed;
	hash_end(o->hash, sha);
	object_name(sha, name);
	r = find(o, name, size, e);
	if (r < 0)
		return r;
	if (r > 0)
		return unlinkat(o->staging, big_name, 0) < 0 ? error_errno(e, errno, "cannot remove a file") : 0;
	if (renameat(o->staging, big_name, o->staging, name) == 0) {
		count(o, size);
		return 0;
	}
	r = -errno;
failed:
	return error_errno(e, r, "cannot write an object of %llu bytes", (unsigned long long)size);
}

int objects_add(struct objects *o, struct tar *t, uint64_t size, char name[static OBJECT_NAME_LEN + 1],
		struct error *e)
{
	return size <= SMALL ? add_small(o, t, (size_t)size, name, e) : add_big(o, t, size, name, e);
}
