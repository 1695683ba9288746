/* SPDX-License-Identifier: Apache-2.0 */
#include "image/source.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/inflate.h"
#include "image/oci.h"
#include "image/stream.h"
#include "image/tar.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Several processes of the room make blobs at a time. */
static void new_blob(char out[static 24])
{
	snprintf(out, 24, "new-%d", (int)getpid());
}

void source_folder(struct source *s, struct staging *st, int dir)
{
	*s = (struct source){ .st = st, .dir = dir };
}

void source_free(struct source *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->members[i].name);
		free(s->members[i].link);
	}
	free(s->members);
	*s = (struct source){ .dir = -1 };
}

static void member_file(const struct member *m, char out[static 16])
{
	snprintf(out, 16, "%u", m->file);
}

static struct member *find_member(const struct source *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (streq(s->members[i].name, name))
			return &s->members[i];
	return NULL;
}

bool source_has(const struct source *s, const char *name)
{
	return find_member(s, name) != NULL;
}

static int refuse(const struct tar_entry *entry, const char *what, struct error *e)
{
	_cleanup_free_ char *shown = str_escape_n(entry->path, strnlen(entry->path, 200));

	return error_set(e, EBADMSG, "archive member \"%s\": %s", shown, what);
}

/* Writes the member's bytes to its numbered file while they are hashed. */
static int keep_member(struct source *s, struct tar *t, const struct tar_entry *entry, struct member *m,
		       struct error *e)
{
	_cleanup_hash_ struct hash *hash = hash_new();
	_cleanup_close_ int fd = -1;
	unsigned char sha[SHA256_LEN];
	char file[16];
	const void *p;
	ssize_t n;
	int r;

	member_file(m, file);
	fd = openat(s->st->members, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return error_errno(e, errno, "cannot make a file for an archive member");
	while ((n = tar_data(t, &p, e)) > 0) {
		hash_add(hash, p, (size_t)n);
		r = fd_write_all(fd, p, (size_t)n);
		if (r < 0)
			return error_errno(e, r, "cannot keep archive member \"%.100s\"", m->name);
	}
	if (n < 0)
		return (int)n;
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), m->hex);
	m->size = entry->size;
	return 0;
}

static int add_member(struct source *s, struct tar *t, const struct tar_entry *entry, struct error *e)
{
	const char *name = str_after(entry->path, "./") ? entry->path + 2 : entry->path;
	struct member m = { .file = (unsigned)s->n };

	if (entry->type == 'd')
		return 0;
	if (entry->type == 'c' || entry->type == 'p')
		return refuse(entry, "a device or FIFO", e);
	if (s->n >= s->st->limits->members)
		return refuse(entry, "more members than an archive may have", e);
	if (find_member(s, name))
		return refuse(entry, "comes twice", e);
	m.name = xstrdup(name);
	m.link = xstrdup(entry->link);
	s->members = xrealloc(s->members, s->n + 1, sizeof(*s->members));
	s->members[s->n++] = m;
	if (m.link) {
		/* A hard link's target is a name in the archive, a symbolic link's is relative to its folder. */
		if (entry->type == 'l' && strchr(name, '/') && entry->link[0] != '/') {
			free(s->members[s->n - 1].link);
			s->members[s->n - 1].link = xasprintf("%.*s/%s", (int)(strrchr(name, '/') - name), name,
							      entry->link);
		}
		return 0;
	}
	return keep_member(s, t, entry, &s->members[s->n - 1], e);
}

int source_archive(struct source *s, struct staging *st, int fd, struct error *e)
{
	_cleanup_(stream_close) struct stream in = { 0 };
	_cleanup_(tar_close) struct tar t = { 0 };
	const struct tar_entry *entry;
	int r;

	*s = (struct source){ .st = st, .dir = -1 };
	r = stream_open(&in, st, fd, e);
	if (r < 0)
		return r;
	t.read = stream_read;
	t.arg = &in;
	tar_open(&t);
	while ((r = tar_next(&t, &entry, e)) > 0) {
		r = add_member(s, &t, entry, e);
		if (r < 0)
			break;
	}
	return stream_end(&in, r, e);
}

int source_document(struct source *s, const char *name, char **out, size_t *n, struct error *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (s->dir >= 0) {
		fd = path_open_beneath(s->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
		if (fd < 0)
			return error_errno(e, fd, "%s", name);
	} else {
		struct member *m = find_member(s, name);
		char file[16];

		if (!m || m->link)
			return error_set(e, ENOENT, "the archive has no file %s", name);
		member_file(m, file);
		fd = openat(m->taken ? s->st->blobs : s->st->members, m->taken ? m->hex : file,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return error_errno(e, errno, "%s", name);
	}
	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EBADMSG, "%s: not a regular file", name);
	r = fd_read_all(fd, OCI_DOCUMENT_MAX, out, n);
	if (r == -EFBIG)
		return error_set(e, EFBIG, "%s: larger than %d bytes", name, OCI_DOCUMENT_MAX);
	return r < 0 ? error_errno(e, r, "%s", name) : 0;
}

int staging_copy(struct staging *st, int fd, uint64_t max, char hex[static DIGEST_SIZE], uint64_t *size,
		 struct error *e)
{
	enum { CHUNK = 1024 * 1024 };
	_cleanup_close_ int out = -1;
	_cleanup_hash_ struct hash *hash = hash_new();
	_cleanup_free_ char *data = xmalloc(CHUNK);
	unsigned char sha[SHA256_LEN];
	char name[24];
	int r = 0;

	new_blob(name);
	out = openat(st->blobs, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (out < 0)
		return error_errno(e, errno, "cannot make a blob");
	*size = 0;
	for (;;) {
		ssize_t n = read(fd, data, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, errno, "cannot read");
		if (n == 0)
			break;
		*size += (uint64_t)n;
		if (*size > max)
			return error_set(e, EFBIG, "longer than the %llu bytes it may have", (unsigned long long)max);
		hash_add(hash, data, (size_t)n);
		r = fd_write_all(out, data, (size_t)n);
		if (r < 0)
			return error_errno(e, r, "cannot write a blob");
		if (st->progress)
			st->progress(st->arg, (uint64_t)n);
	}
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), hex);
	if (renameat(st->blobs, name, st->blobs, hex) < 0)
		return error_errno(e, errno, "cannot name a blob");
	return 0;
}

int staging_put(struct staging *st, const char *data, size_t n, char hex[static DIGEST_SIZE], struct error *e)
{
	_cleanup_close_ int fd = -1;
	int r;

	hash_hex(data, n, hex);
	fd = openat(st->blobs, hex, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0444);
	r = fd < 0 ? -errno : fd_write_all(fd, data, n);
	return r < 0 ? error_errno(e, r, "cannot write a blob") : 0;
}

/* Opens a blob that was verified before, here or in the store. */
static int open_known(struct staging *st, const char *hex, uint64_t size, struct error *e)
{
	const int dirs[] = { st->store_blobs, st->blobs };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int fd = openat(dirs[i], hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		struct stat sb;

		if ((fd < 0 && errno == ENOENT) || (dirs[i] == st->store_blobs && strv_has(st->suspects, hex)))
			continue;
		if (fd < 0 || fstat(fd, &sb) < 0)
			return error_errno(e, errno, "blob %.12s", hex);
		if (!S_ISREG(sb.st_mode) || (size != UINT64_MAX && (uint64_t)sb.st_size != size))
			return error_set(e, EBADMSG, "blob sha256:%s: its descriptor says %llu bytes, it has %llu", hex,
					 (unsigned long long)size, (unsigned long long)sb.st_size);
		return steal_fd(&fd);
	}
	return -ENOENT;
}

/*
 * The file is out of reach of whoever made it, and nobody has it open to write to it: not even a process that fetched it, means harm
 * and lives on. fcntl(2), "Leases": F_RDLCK is refused while the file is open for writing. 0: nobody says so here.
 */
static int nobody_writes(int fd, struct error *e)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return fcntl(fd, F_SETLEASE, F_UNLCK) == 0 ? 1 : 0;
	return errno == EAGAIN ? error_set(e, EBUSY, "it is open for writing") : 0;
}

static int hash_file(struct source *s, int fd, char got[static DIGEST_SIZE], struct error *e)
{
	enum { CHUNK = 256 * 1024 };
	_cleanup_hash_ struct hash *hash = hash_new();
	_cleanup_free_ char *data = xmalloc(CHUNK);
	unsigned char sha[SHA256_LEN];
	ssize_t n;

	while ((n = read(fd, data, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, errno, "cannot read");
		hash_add(hash, data, (size_t)n);
		if (s->st->progress)
			s->st->progress(s->st->arg, (uint64_t)n);
	}
	hash_end(hash, sha);
	hex_encode(sha, sizeof(sha), got);
	return 0;
}

/* Moved, then verified; where nobody can say that it stays as it is, copied. */
static int take_blob(struct source *s, int fd, const char *path, uint64_t size, const char *hex, char got[static DIGEST_SIZE],
		     struct error *e)
{
	char name[24];
	uint64_t n;
	int r;

	new_blob(name);
	if (renameat(s->dir, path, s->st->blobs, name) < 0)
		return error_errno(e, errno, "cannot take a blob");
	r = nobody_writes(fd, e);
	if (r < 0)
		return r;
	if (r == 0) {
		unlinkat(s->st->blobs, name, 0);
		return staging_copy(s->st, fd, size, got, &n, e);
	}
	r = hash_file(s, fd, got, e);
	if (r < 0 || !streq(got, hex))
		return r;
	if (fchmod(fd, 0444) < 0 || renameat(s->st->blobs, name, s->st->blobs, hex) < 0)
		return error_errno(e, errno, "cannot name a blob");
	return 0;
}

static int from_folder(struct source *s, const char *hex, uint64_t size, struct error *e)
{
	_cleanup_close_ int fd = -1;
	char path[96], got[DIGEST_SIZE];
	struct stat st;
	uint64_t n;
	int r;

	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	fd = path_open_beneath(s->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return error_errno(e, fd, "%s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EBADMSG, "%s: not a regular file", path);
	if (size != UINT64_MAX && (uint64_t)st.st_size != size)
		return error_set(e, EBADMSG, "blob sha256:%s: its descriptor says %llu bytes, it has %llu", hex,
				 (unsigned long long)size, (unsigned long long)st.st_size);
	r = s->take ? take_blob(s, fd, path, (uint64_t)st.st_size, hex, got, e) : staging_copy(s->st, fd, (uint64_t)st.st_size, got, &n, e);
	if (r < 0)
		return error_wrap(e, "%s", path);
	if (!streq(got, hex)) {
		unlinkat(s->st->blobs, got, 0);
		return error_set(e, EBADMSG, "blob sha256:%s: its bytes have the digest sha256:%s", hex, got);
	}
	return 0;
}

static int from_archive(struct source *s, const char *hex, struct error *e)
{
	char name[96], file[16];
	struct member *m;

	for (size_t i = 0; i < s->n; i++) {
		m = &s->members[i];
		if (m->link || m->taken || !streq(m->hex, hex))
			continue;
		member_file(m, file);
		if (renameat(s->st->members, file, s->st->blobs, hex) < 0)
			return error_errno(e, errno, "cannot name a blob");
		m->taken = true;
		return 0;
	}
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	m = find_member(s, name);
	if (m && !m->link)
		return error_set(e, EBADMSG, "blob sha256:%s: its bytes have the digest sha256:%s", hex, m->hex);
	return error_set(e, ENOENT, "blob sha256:%s is not in the archive", hex);
}

int source_blob(struct source *s, const char *hex, uint64_t size, struct error *e)
{
	int fd = open_known(s->st, hex, size, e), r;

	if (fd != -ENOENT)
		return fd;
	r = s->dir >= 0 ? from_folder(s, hex, size, e) : from_archive(s, hex, e);
	if (r < 0)
		return r;
	fd = open_known(s->st, hex, size, e);
	return fd == -ENOENT ? error_set(e, EIO, "blob %.12s vanished", hex) : fd;
}

/* "a/../b" of a link inside the archive, by its text alone: "b". NULL when it leads out. */
static char *fold(const char *path)
{
	char *out = xcalloc(strlen(path) + 2, 1), *end = out;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			if (end == out) {
				free(out);
				return NULL;
			}
			while (end > out && *--end != '/')
				;
			*end = 0;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (end > out)
				*end++ = '/';
			memcpy(end, path, n);
			end += n;
			*end = 0;
		}
		path += n + (path[n] == '/');
	}
	return out;
}

int source_member(struct source *s, const char *name, char hex[static DIGEST_SIZE], uint64_t *size, struct error *e)
{
	struct member *m = find_member(s, name);

	/* docker up to 24 links a layer that two images share; the link's target is looked up by name, never opened. */
	if (m && m->link) {
		_cleanup_free_ char *target = fold(m->link);

		m = target && m->link[0] != '/' ? find_member(s, target) : NULL;
		if (!m || m->link)
			return error_set(e, EBADMSG, "archive member \"%.100s\": a link that does not lead to a file of the "
						     "archive", name);
	}
	if (!m)
		return error_set(e, ENOENT, "the archive has no file \"%.100s\"", name);
	memcpy(hex, m->hex, DIGEST_SIZE);
	*size = m->size;
	return 0;
}
