/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/watermark.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/events.h"
#include "engine/ids.h"
#include "engine/life.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 5, BLOCK = 512, FAR = 2 };

/* A folder that was left for one below it: which it is, and where reading goes on. */
struct level {
	dev_t dev;
	ino_t ino;
	long at;
};

struct measure {
	const struct watermark *bounds;
	struct watermark *out;
	DIR *d;
	struct level *stack;
	size_t depth, room;
	dev_t dev;
};

static bool enough(const struct measure *m)
{
	const struct watermark *b = m->bounds;

	return (b->bytes && m->out->bytes > b->bytes) || (b->inodes && m->out->inodes > b->inodes);
}

/* With its share when it has several names: all of them together make one. */
static void count(struct measure *m, const struct stat *st, uint64_t *shares)
{
	uint64_t links = S_ISDIR(st->st_mode) || st->st_nlink == 0 ? 1 : st->st_nlink;

	m->out->bytes += (uint64_t)st->st_blocks * BLOCK / links;
	*shares += UINT32_MAX / links;
	m->out->inodes += *shares / UINT32_MAX;
	*shares %= UINT32_MAX;
}

static int open_into(struct measure *m, int at, const char *name, struct stat *st)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME);
	DIR *d;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d)
		return -ENOMEM;
	steal_fd(&fd);
	if (m->d)
		closedir(m->d);
	m->d = d;
	return 0;
}

static int down(struct measure *m, const char *name)
{
	struct stat here, st;
	long at = telldir(m->d);
	int r;

	if (fstat(dirfd(m->d), &here) < 0)
		return -errno;
	r = open_into(m, dirfd(m->d), name, &st);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return 0; /* it went meanwhile */
	if (r < 0)
		return r;
	if (m->depth == m->room) {
		m->room = m->room ? m->room * 2 : 64;
		m->stack = xrealloc(m->stack, m->room, sizeof(*m->stack));
	}
	m->stack[m->depth++] = (struct level){ here.st_dev, here.st_ino, at };
	return 0;
}

static int up(struct measure *m)
{
	const struct level *l = &m->stack[--m->depth];
	struct stat st;
	int r = open_into(m, dirfd(m->d), "..", &st);

	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	if (st.st_ino != l->ino || st.st_dev != l->dev)
		return -EAGAIN;
	seekdir(m->d, l->at);
	return 0;
}

static int walk(struct measure *m)
{
	uint64_t shares = 0;
	int r = 0;

	while (r == 0 && !enough(m)) {
		struct dirent *de = readdir(m->d);
		struct stat st;

		if (!de) {
			if (m->depth == 0)
				break;
			r = up(m);
			continue;
		}
		if (streq(de->d_name, ".") || streq(de->d_name, "..") ||
		    fstatat(dirfd(m->d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != m->dev)
			continue;
		count(m, &st, &shares);
		if (S_ISDIR(st.st_mode))
			r = down(m, de->d_name);
	}
	return r;
}

int watermark_measure(int dir, const struct watermark *bounds, struct watermark *out)
{
	struct measure m = { .bounds = bounds, .out = out };
	struct stat st;
	int r;

	*out = (struct watermark){ 0 };
	r = open_into(&m, dir, ".", &st);
	m.dev = st.st_dev;
	if (r == 0)
		r = walk(&m);
	if (m.d)
		closedir(m.d);
	free(m.stack);
	return r;
}

struct job {
	int rw;
	struct watermark bounds, *out; /* shared with the process that asked */
};

/* As the container's root. What moves folders about all the time hides nothing: the largest sum of several tries counts. */
static int measure_layer(void *ctx, struct error *e)
{
	struct job *j = ctx;
	struct watermark most = { 0 };
	_cleanup_close_ int up_fd = openat(j->rw, "up", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r = -EAGAIN;

	if (up_fd < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open the writable layer");
	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		r = watermark_measure(up_fd, &j->bounds, j->out);
		if (j->out->bytes > most.bytes)
			most.bytes = j->out->bytes;
		if (j->out->inodes > most.inodes)
			most.inodes = j->out->inodes;
	}
	*j->out = most;
	return r < 0 && r != -EAGAIN ? error_errno(e, r, "cannot measure the writable layer") : 0;
}

/* Of a limit, in per cent; what exceeds it exceeds 100. */
static uint64_t percent(uint64_t used, uint64_t limit)
{
	return !limit ? 0 : used > limit ? (used > limit * FAR ? 100 * FAR + 1 : 101) : used / (limit / 100 + 1);
}

static int verdict(const struct watermark *w, const struct container_config *k)
{
	uint64_t bytes = percent(w->bytes, k->disk), inodes = percent(w->inodes, k->disk_inodes);
	uint64_t most = bytes > inodes ? bytes : inodes;

	return most > 100 * FAR ? USAGE_FAR_OVER : most > 100 ? USAGE_OVER : (int)most;
}

/* The record that a person finds: what was measured, and what was allowed. */
static void record(const struct container *c, const struct watermark *w)
{
	_cleanup_free_ char *bytes = xasprintf("%llu", (unsigned long long)w->bytes),
			    *inodes = xasprintf("%llu", (unsigned long long)w->inodes),
			    *max_bytes = xasprintf("%llu", (unsigned long long)c->config.disk),
			    *max_inodes = xasprintf("%llu", (unsigned long long)c->config.disk_inodes);
	const struct event_attr attrs[] = { { "bytes", bytes }, { "limitBytes", max_bytes }, { "inodes", inodes },
					    { "limitInodes", max_inodes } };

	event_record("container", c->config.id, c->config.name, "disk_limit", attrs, ARRAY_SIZE(attrs), NULL);
}

static int measure(const struct container *c, int userns_fd, struct watermark *w, struct error *e)
{
	struct job j = { .bounds = { c->config.disk * FAR + 1, c->config.disk_inodes * FAR + 1 } };
	int r;

	if (!c->config.disk)
		j.bounds.bytes = 0;
	if (!c->config.disk_inodes)
		j.bounds.inodes = 0;
	j.rw = openat(c->dir_fd, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (j.rw < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open the writable layer");
	j.out = mmap(NULL, sizeof(*j.out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (j.out == MAP_FAILED) {
		r = error_errno(e, errno, "mmap");
	} else {
		r = ids_run(NULL, userns_fd, measure_layer, &j, e);
		*w = *j.out;
		munmap(j.out, sizeof(*j.out));
	}
	close(j.rw);
	return r;
}

int watermark_main(const char *id, struct error *e)
{
	struct watermark w = { 0 };
	struct monitor_kit kit;
	struct container c;
	int r = monitor_kit_read(MONITOR_KIT_FD, &kit, e);

	if (r < 0)
		return r;
	if (!streq(id, kit.id))
		return error_set(e, EINVAL, "this command is for brig's own monitor");
	kept_take(&kit);
	r = container_find(id, &c, e);
	if (r < 0)
		return r;
	r = measure(&c, kit.fd[MFD_USERNS], &w, e);
	if (r == 0)
		r = verdict(&w, &c.config);
	if (r == USAGE_OVER || r == USAGE_FAR_OVER)
		record(&c, &w);
	container_free(&c);
	return r;
}
