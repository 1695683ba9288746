/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a log of several files while its writer goes on and rotates them. */
#include "engine/log.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 1000, BLOCK = 65536, ENDED_MS = 50 };

struct reader {
	int dir;
	const struct log_query *q;
	bool inside[2];	 /* the stream's last entry did not end its line */
	bool over;	 /* beyond `until` */
	size_t len;	 /* of `buf`: read, and not yet a whole line */
	char buf[BLOCK + LOG_ENTRY_MAX];
	struct log_entry entry;
};

static int open_log(int dir, unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), i ? "log.%u" : "log", i);
	return openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int deliver(struct reader *r, const char *line, size_t n)
{
	const struct log_query *q = r->q;
	struct log_entry *en = &r->entry;
	bool start;

	if (log_decode(line, n, en) < 0)
		return 0;
	start = !r->inside[en->stream];
	if (en->len > 0)
		r->inside[en->stream] = en->data[en->len - 1] != '\n';
	if (q->since_ns && en->time_ns < q->since_ns)
		return 0;
	if (q->until_ns && en->time_ns > q->until_ns) {
		r->over = true;
		return 0;
	}
	return q->entry(en, start, q->arg);
}

/* Delivers the whole lines of what is in the file from its offset on. A cut last line stays in `buf`. */
static int read_file(struct reader *r, int fd)
{
	while (!r->over) {
		ssize_t n = read(fd, r->buf + r->len, BLOCK);
		char *p = r->buf, *nl;
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r->len += (size_t)n;
		while (!r->over && (nl = memchr(p, '\n', r->len - (size_t)(p - r->buf)))) {
			err = deliver(r, p, (size_t)(nl - p));
			if (err < 0)
				return err;
			p = nl + 1;
		}
		r->len -= (size_t)(p - r->buf);
		/* A line longer than any of ours is left out. */
		if (r->len > LOG_ENTRY_MAX)
			r->len = 0;
		memmove(r->buf, p, r->len);
	}
	return 0;
}

/*
 * The files that there are, newest first. One that is rotated between two opens is seen twice; the second is dropped.
 */
struct files {
	int fd[FILES_MAX];
	struct stat st[FILES_MAX];
	unsigned n;
};

static void cleanup_files(struct files **f)
{
	for (unsigned i = 0; *f && i < (*f)->n; i++)
		cleanup_close(&(*f)->fd[i]);
	free(*f);
}

static struct files *open_files(int dir)
{
	struct files *f = xcalloc(1, sizeof(*f));

	for (unsigned i = 0; i < FILES_MAX; i++) {
		int fd = open_log(dir, i);
		struct stat *st = &f->st[f->n];

		if (fd < 0 && i > 0)
			break;
		if (fd < 0)
			continue;
		if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || (f->n > 0 && same_file(st, st - 1))) {
			close(fd);
			continue;
		}
		f->fd[f->n++] = fd;
	}
	return f;
}

/* True when the object in `line` ends a line of output. */
static bool ends_line(struct reader *r, const char *line, size_t n)
{
	return log_decode(line, n, &r->entry) == 0 && r->entry.len > 0 && r->entry.data[r->entry.len - 1] == '\n';
}

/*
 * Sets the file's offset so that *want lines of output follow in it, and takes what was found off *want. The file is read in
 * blocks from its end; a line that a block cuts is completed by the block before.
 */
static int seek_tail(struct reader *r, int fd, off_t size, bool newest, int64_t *want)
{
	off_t start = size; /* file offset of buf[0] */
	size_t len = 0;	    /* bytes of `buf` that are not judged */
	bool last = newest; /* an unfinished line at the very end counts as one */

	while (start > 0) {
		size_t take = start < BLOCK ? (size_t)start : BLOCK, end;

		if (len > LOG_ENTRY_MAX)
			len = 0;
		memmove(r->buf + take, r->buf, len);
		start -= (off_t)take;
		if (pread(fd, r->buf, take, start) != (ssize_t)take)
			return -EIO;
		len += take;
		/* Lines from the back; the first in the buffer may be cut, unless the file begins with it. */
		for (end = len; end > 0;) {
			size_t stop = end - (r->buf[end - 1] == '\n');
			char *nl = stop > 0 ? memrchr(r->buf, '\n', stop) : NULL;
			size_t from = nl ? (size_t)(nl + 1 - r->buf) : 0;

			if (!nl && start > 0)
				break;
			if (ends_line(r, r->buf + from, stop - from) || last) {
				if (*want == 0)
					return lseek(fd, start + (off_t)end, SEEK_SET) < 0 ? -errno : 0;
				--*want;
			}
			last = false;
			end = from;
		}
		len = end;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* Where among the files is `st` now? Then opens the one after it; -1 when it is the newest. */
static int open_next(int dir, const struct stat *st)
{
	_cleanup_(cleanup_files) struct files *f = NULL;
	struct stat now;
	unsigned i = 0;

	if (fstatat(dir, "log", &now, AT_SYMLINK_NOFOLLOW) == 0 && same_file(&now, st))
		return -1;
	f = open_files(dir);
	while (i < f->n && !same_file(&f->st[i], st))
		i++;
	if (i == 0 || f->n == 0)
		return -1;
	/* Rotated away: what is oldest now comes next. */
	return steal_fd(&f->fd[i - 1]);
}

static int wait_for_more(struct reader *r, int watch, bool *ended)
{
	struct pollfd p[2] = { { .fd = watch, .events = POLLIN }, { .fd = r->q->writer, .events = POLLIN } };
	char drop[4096];
	int err = r->q->pause ? r->q->pause(r->q->arg) : 0;

	if (err < 0)
		return err;
	if (poll(p, 2, -1) < 0 && errno != EINTR)
		return -errno;
	if (p[0].revents)
		while (read(watch, drop, sizeof(drop)) > 0)
			;
	*ended = p[1].revents != 0;
	return 0;
}

static int follow(struct reader *r, int fd, int watch)
{
	_cleanup_close_ int cur = fd;
	bool ended = false;

	for (;;) {
		bool last = ended;
		struct stat st;
		int err, next;

		if (cur < 0)
			cur = open_log(r->dir, 0);
		next = -1;
		if (cur >= 0) {
			if (fstat(cur, &st) < 0)
				return -errno;
			/* Looked for before reading: when there is one, nothing is added to this one any more. */
			next = open_next(r->dir, &st);
			err = read_file(r, cur);
			if (err < 0) {
				cleanup_close(&next);
				return err;
			}
		}
		if (r->over) {
			cleanup_close(&next);
			return 0;
		}
		if (next >= 0) {
			close(cur);
			cur = next;
			r->len = 0;
			continue;
		}
		if (last)
			return 0;
		err = wait_for_more(r, watch, &ended);
		if (err < 0)
			return err;
	}
}

static int watch_dir(int dir, struct error *e)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[32];

	if (fd < 0)
		return error_errno(e, errno, "cannot follow the log: inotify");
	path_of_fd(dir, path);
	if (inotify_add_watch(fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0)
		return error_errno(e, errno, "cannot follow the log: inotify");
	return steal_fd(&fd);
}

int log_read(int dir, const struct log_query *q, struct error *e)
{
	_cleanup_free_ struct reader *r = xcalloc(1, sizeof(*r));
	_cleanup_(cleanup_files) struct files *f = NULL;
	_cleanup_close_ int watch = -1;
	int64_t want = q->tail;
	unsigned first;
	int err = 0;

	r->dir = dir;
	r->q = q;
	if (q->follow) {
		watch = watch_dir(dir, e);
		if (watch < 0)
			return watch;
	}
	f = open_files(dir);
	first = f->n;
	if (q->tail >= 0) {
		for (first = 0; first < f->n && err == 0; first++) {
			err = seek_tail(r, f->fd[first], f->st[first].st_size, first == 0, &want);
			if (want == 0 && lseek(f->fd[first], 0, SEEK_CUR) > 0) {
				first++;
				break;
			}
		}
	}
	for (unsigned i = first; err == 0 && i-- > 0 && !r->over;) {
		if (i == 0 && q->follow)
			err = follow(r, steal_fd(&f->fd[0]), watch);
		else
			err = read_file(r, f->fd[i]);
		r->len = 0;
	}
	if (err == 0 && first == 0 && q->follow)
		err = follow(r, -1, watch);
	if (err == 0 && q->pause)
		err = q->pause(q->arg);
	/* The caller's own refusal has been told by it. */
	if (err < 0 && e && e->code == 0)
		return error_errno(e, err, "cannot read the log");
	return err;
}
