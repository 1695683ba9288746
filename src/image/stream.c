/* SPDX-License-Identifier: Apache-2.0 */
#include "image/stream.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_full(int fd, void *data, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)data + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

/* The pipe's bytes as a file without a name that lasts. */
static int copy_pipe(struct stream *s, struct error *e)
{
	static const char name[] = "input";
	_cleanup_close_ int fd = openat(s->st->members, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum { CHUNK = 256 * 1024 };
	_cleanup_free_ char *data = xmalloc(CHUNK);
	uint64_t total = s->head_len;
	ssize_t n;
	int r;

	if (fd < 0)
		return error_errno(e, errno, "cannot keep the input");
	unlinkat(s->st->members, name, 0);
	r = fd_write_all(fd, s->head, s->head_len);
	while (r == 0 && (n = read_full(s->fd, data, CHUNK)) != 0) {
		total += n > 0 ? (uint64_t)n : 0;
		if (total > s->st->limits->bytes)
			return error_set(e, EFBIG, "larger than the %llu bytes that an image may have",
					 (unsigned long long)s->st->limits->bytes);
		r = n < 0 ? (int)n : fd_write_all(fd, data, (size_t)n);
	}
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		return error_errno(e, r, "cannot keep the input");
	s->compressed = total;
	s->copy = steal_fd(&fd);
	return 0;
}

int stream_open(struct stream *s, struct staging *st, int fd, struct error *e)
{
	struct hash *hash = s->hash;
	struct stat sb;
	ssize_t n;
	int how, r;

	*s = (struct stream){ .st = st, .fd = fd, .copy = -1, .hash = hash, .inflate = { .out = -1, .report = -1 } };
	if (fstat(fd, &sb) < 0)
		return error_errno(e, errno, "cannot look at the input");
	n = read_full(fd, s->head, sizeof(s->head));
	if (n < 0)
		return error_errno(e, (int)n, "cannot read");
	s->head_len = (size_t)n;
	how = compression_of(s->head, s->head_len, e);
	if (how < 0)
		return how;
	s->how = (enum compression)how;
	if (how == PLAIN)
		return 0;
	if (S_ISREG(sb.st_mode)) {
		s->compressed = (uint64_t)sb.st_size;
		if (lseek(fd, -n, SEEK_CUR) < 0)
			return error_errno(e, errno, "cannot seek");
	} else {
		r = copy_pipe(s, e);
		if (r < 0)
			return r;
	}
	s->head_len = 0;
	return inflate_start(&s->inflate, s->copy >= 0 ? s->copy : fd, s->how, e);
}

static int check_bounds(const struct stream *s, struct error *e)
{
	const struct image_limits *l = s->st->limits;

	if (s->bytes > l->bytes)
		return error_set(e, EFBIG, "larger than the %llu bytes that an image may have",
				 (unsigned long long)l->bytes);
	if (s->compressed && s->bytes > IMAGE_RATIO_FROM && s->bytes / s->compressed > l->ratio)
		return error_set(e, EFBIG, "grows to more than %llu times its compressed size",
				 (unsigned long long)l->ratio);
	return 0;
}

ssize_t stream_read(void *stream, void *data, size_t n, struct error *e)
{
	struct stream *s = stream;
	ssize_t got;
	int r;

	if (s->head_at < s->head_len) {
		got = (ssize_t)(s->head_len - s->head_at);
		memcpy(data, s->head + s->head_at, (size_t)got);
		s->head_at = s->head_len;
	} else {
		do
			got = read(s->how == PLAIN ? s->fd : s->inflate.out, data, n);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return error_errno(e, errno, "cannot read");
	}
	if (s->hash)
		hash_add(s->hash, data, (size_t)got);
	s->bytes += (uint64_t)got;
	if (s->st->progress)
		s->st->progress(s->st->arg, (uint64_t)got);
	r = check_bounds(s, e);
	return r < 0 ? r : got;
}

int stream_end(struct stream *s, int r, struct error *e)
{
	struct error own = { 0 };
	int end = inflate_end(&s->inflate, &own);

	if (end < 0 && r != -EFBIG) {
		if (e)
			*e = own;
		return end;
	}
	return r;
}

void stream_close(struct stream *s)
{
	inflate_end(&s->inflate, NULL);
	cleanup_close(&s->copy);
	s->copy = -1;
}
