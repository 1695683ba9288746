/* SPDX-License-Identifier: Apache-2.0 */
/* Finding files in the merged tree and reading their bytes. */
#include "vet/internal.h"
#include "vet/share.h"
#include "vet/window.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, COPY_MAX = 16 << 20, SMALL = 256 << 10 };

/* The first place in the merged tree that is not before `path`. */
static size_t lower_bound(const struct vet *v, const char *path)
{
	size_t low = 0, high = v->n_merged;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (table_path_cmp(v->merged[mid]->path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct vet_file *exact(const struct vet *v, const char *path)
{
	size_t i = lower_bound(v, path);

	return i < v->n_merged && streq(v->merged[i]->path, path) ? v->merged[i] : NULL;
}

/* Takes the last part off. */
static void up(struct buf *at)
{
	while (at->len && at->data[at->len - 1] != '/')
		at->len--;
	if (at->len)
		at->len--;
	at->data[at->len] = 0;
}

/*
 * As the kernel resolves a path in a root of its own: part by part, links in place, ".." not above the root. `todo` is consumed.
 */
static const struct vet_file *resolve(const struct vet *v, const char *path, bool follow)
{
	_cleanup_buf_ struct buf at = { 0 };
	_cleanup_free_ char *todo = xstrdup(path);
	const struct vet_file *f = exact(v, "");
	char *p = todo, *joined;
	int links = 0;

	buf_puts(&at, "");
	while (*p) {
		size_t n = strcspn(p, "/"), before = at.len;
		bool last;

		if (n == 0) {
			p++;
			continue;
		}
		last = p[n + strspn(p + n, "/")] == 0;
		if (n == 1 && *p == '.') {
			p += n;
			continue;
		}
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			up(&at);
			p += n;
			continue;
		}
		if (at.len + n + 1 > TREE_PATH_MAX)
			return NULL;
		buf_printf(&at, "%s%.*s", before ? "/" : "", (int)n, p);
		f = exact(v, at.data);
		if (!f)
			return NULL;
		p += n;
		if (f->inode->type == 'l' && (!last || follow)) {
			if (++links > LINKS_MAX)
				return NULL;
			joined = xasprintf("%s/%s", f->inode->target ? f->inode->target : "", p);
			at.len = joined[0] == '/' ? 0 : before;
			at.data[at.len] = 0;
			free(todo);
			p = todo = joined;
		} else if (f->inode->type != 'd' && !last) {
			return NULL;
		}
	}
	return exact(v, at.data);
}

const struct vet_file *vet_find(const struct vet *v, const char *path)
{
	return resolve(v, path, true);
}

const struct vet_file *vet_lookup(const struct vet *v, const char *path)
{
	return resolve(v, path, false);
}

void vet_below(const struct vet *v, const char *dir, size_t *first, size_t *n)
{
	size_t len, i;

	while (*dir == '/')
		dir++;
	len = strlen(dir);
	i = lower_bound(v, dir);
	if (i < v->n_merged && streq(v->merged[i]->path, dir))
		i++;
	*first = i;
	/* Everything below a folder follows it at once. */
	while (i < v->n_merged && (len == 0 || (strncmp(v->merged[i]->path, dir, len) == 0 && v->merged[i]->path[len] == '/')))
		i++;
	*n = i - *first;
}

/*
 * Law 6: an object is what its name says when it is used. Asked once for each inode; should two threads ask at once, they get the same
 * answer.
 */
static int verify(struct inode *in, const struct vet_bytes *b)
{
	static const char bad;
	const void *known = __atomic_load_n(&in->mark, __ATOMIC_RELAXED);
	_cleanup_hash_ struct hash *h = NULL;
	unsigned char sha[SHA256_LEN];
	char name[OBJECT_NAME_LEN + 1];
	bool same;

	if (known)
		return known == &bad ? -EBADMSG : 0;
	h = hash_new();
	for (size_t at = 0, n; at < b->size; at += n) {
		n = b->size - at > WINDOW ? WINDOW : b->size - at;
		hash_add(h, b->data + at, n);
		window_passed(b->data + at, n);
	}
	hash_end(h, sha);
	object_name(sha, name);
	same = streq(name, in->object);
	__atomic_store_n(&in->mark, same ? (const void *)in : &bad, __ATOMIC_RELAXED);
	return same ? 0 : -EBADMSG;
}

/* All that is there, up to the size that it had. */
static int copy_file(int fd, size_t size, struct vet_bytes *out)
{
	_cleanup_free_ unsigned char *data = xmalloc(size + 1);
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -EIO;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	if (got == 0)
		return 0;
	data[got] = 0;
	*out = (struct vet_bytes){ .data = steal_ptr(&data), .size = got };
	return 0;
}

static int map_file(int fd, size_t size, struct vet_bytes *out)
{
	void *p = window_map(fd, size);

	if (!p)
		return -errno;
	*out = (struct vet_bytes){ .data = p, .size = size, .mapped = true };
	return 0;
}

/* Small ones are copied, which is cheaper: threads that map and unmap wait for each other. */
static int read_object(struct vet_subject *s, struct inode *in, struct vet_bytes *out)
{
	_cleanup_close_ int fd = openat(s->objects, in->object, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -EIO;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != in->size)
		return -EBADMSG;
	r = in->size <= SMALL ? copy_file(fd, (size_t)in->size, out) : map_file(fd, (size_t)in->size, out);
	if (r == 0)
		r = verify(in, out);
	if (r < 0)
		vet_bytes_free(out);
	return r;
}

/*
 * Copied, so that what is parsed stays the same whoever owns the folder and writes there meanwhile. Only what is larger than any database or
 * configuration is mapped: programs and archives, whose readers take nothing for granted that they read before.
 */
static int read_file(struct vet_subject *s, const struct vet_file *f, size_t max, struct vet_bytes *out)
{
	_cleanup_close_ int fd = path_open_beneath(s->folder, f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ENOENT : -EIO;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EIO;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	return st.st_size > COPY_MAX ? map_file(fd, (size_t)st.st_size, out) : copy_file(fd, (size_t)st.st_size, out);
}

int vet_read(const struct vet *v, const struct vet_file *f, size_t max, struct vet_bytes *out)
{
	struct vet_subject *s = v->subject;
	int r = 0;

	*out = (struct vet_bytes){ .data = (const unsigned char *)"" };
	if (!f->inode || f->inode->type != 'f')
		return -EINVAL;
	if (f->inode->size > max)
		return -EFBIG;
	if (f->layer == s->folder_layer && !f->inode->object[0])
		r = read_file(s, f, max, out);
	else if (f->inode->size)
		r = read_object(s, (struct inode *)f->inode, out);
	if (r == 0)
		__atomic_fetch_add(&s->read, out->size, __ATOMIC_RELAXED);
	return r;
}

ssize_t vet_head(const struct vet *v, const struct vet_file *f, void *buf, size_t n)
{
	const struct vet_subject *s = v->subject;
	_cleanup_close_ int fd = -1;
	struct stat st;
	ssize_t got;

	if (!f->inode || f->inode->type != 'f')
		return -EINVAL;
	if (f->inode->object[0])
		fd = openat(s->objects, f->inode->object, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	else if (f->layer == s->folder_layer)
		fd = path_open_beneath(s->folder, f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	else
		return 0; /* an empty file */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fd == -ENOENT || fd == -ENOTDIR ? -ENOENT : -EIO;
	got = pread(fd, buf, n, 0);
	return got < 0 ? -EIO : got;
}

static void verify_one(struct vet *v, size_t i, unsigned worker, void *arg)
{
	const struct vet_file *f = &v->files[i];
	_cleanup_vet_bytes_ struct vet_bytes b = { 0 };

	(void)worker;
	(void)arg;
	if (f->inode && f->inode->type == 'f' && f->inode->object[0])
		vet_read(v, f, SIZE_MAX, &b);
}

void vet_verify_all(struct vet *v)
{
	vet_share(v, v->n_files, verify_one, NULL);
}

void vet_unreadable(struct vet *v, const struct vet_file *f, int r)
{
	size_t i = (size_t)(f - v->files);

	if (r == -EINVAL || r == -ENOENT || i >= v->n_files || __atomic_exchange_n(&v->subject->told[i], 1, __ATOMIC_RELAXED))
		return;
	vet_add(v, "vet", "V0-unreadable", r == -EFBIG ? VET_LOW : VET_MEDIUM, f, NULL, "what cannot be read can hide anything", "could not read it: %s",
		r == -EBADMSG ? "it is damaged, its bytes are not those that were stored" : strerror(-r));
}

void vet_bytes_free(struct vet_bytes *b)
{
	if (b->mapped)
		window_unmap((void *)b->data, b->size);
	else if (b->size)
		free((void *)b->data);
	*b = (struct vet_bytes){ .data = (const unsigned char *)"" };
}
