/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events.h"

#include "engine/monitor_bare.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct line {
	char *out;
	size_t len, max;
	bool full;
};

static void raw(struct line *l, const char *s)
{
	size_t n = strlen(s);

	if (l->max - l->len < n) {
		l->full = true;
		return;
	}
	memcpy(l->out + l->len, s, n);
	l->len += n;
}

static void quoted(struct line *l, const char *s)
{
	size_t n = strlen(s), used;
	bool bad = false;

	raw(l, "\"");
	l->len += bare_escape(s, n, l->out + l->len, l->max - l->len, &used, &bad);
	l->full |= used < n;
	raw(l, "\"");
}

static void number(struct line *l, uint64_t v)
{
	char digits[24];

	bare_decimal(v, 1, digits);
	raw(l, digits);
}

size_t event_format(const char *type, const char *id, const char *action, const struct event_attr *attrs, size_t n,
		    uint64_t now, char out[static EVENT_LINE_MAX])
{
	/* Room for what follows the attributes. */
	struct line l = { .out = out, .max = EVENT_LINE_MAX - 128 };
	bool first = true;

	raw(&l, "{\"Type\":");
	quoted(&l, type);
	raw(&l, ",\"Action\":");
	quoted(&l, action);
	raw(&l, ",\"Actor\":{\"ID\":");
	quoted(&l, id);
	raw(&l, ",\"Attributes\":{");
	for (size_t i = 0; i < n && !l.full; i++) {
		size_t start = l.len;

		if (!attrs[i].value)
			continue;
		raw(&l, first ? "" : ",");
		quoted(&l, attrs[i].key);
		raw(&l, ":");
		quoted(&l, attrs[i].value);
		if (l.full)
			l.len = start;
		first = false;
	}
	l.max = EVENT_LINE_MAX;
	raw(&l, "}},\"scope\":\"local\",\"time\":");
	number(&l, now / NS_PER_S);
	raw(&l, ",\"timeNano\":");
	number(&l, now);
	raw(&l, "}\n");
	return l.len;
}

/*
 * Opens "events" with its lock held. The lock is of the file that has the name: whoever waited for it while the file
 * became events.1 tries again.
 */
static int open_locked(int dir, uint64_t max, off_t *size)
{
	for (int tries = 0; tries < 100; tries++) {
		int fd = openat(dir, "events", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
				0600);
		struct stat mine, named;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX) < 0 || fstat(fd, &mine) < 0) {
			int r = -errno;

			close(fd);
			return r;
		}
		if (!S_ISREG(mine.st_mode)) {
			close(fd);
			return -EINVAL;
		}
		if (fstatat(dir, "events", &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == mine.st_ino &&
		    named.st_dev == mine.st_dev) {
			*size = mine.st_size;
			if ((uint64_t)mine.st_size < max)
				return fd;
			renameat(dir, "events", dir, "events.1");
		}
		close(fd);
	}
	return -EAGAIN;
}

int event_append(int dir, uint64_t max, const void *lines, size_t n)
{
	off_t size = 0;
	int fd = open_locked(dir, max, &size), r = 0;
	ssize_t done;
	char last;

	if (fd < 0)
		return fd;
	/* A crash of the machine may have left a part of a line, which would take this one with it. */
	if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' && write(fd, "\n", 1) < 0)
		r = -errno;
	do
		done = write(fd, lines, n);
	while (done < 0 && errno == EINTR);
	if (done < 0) {
		r = -errno;
	} else if ((size_t)done < n) {
		/* A full disk took a part: the next line begins on its own. */
		r = write(fd, "\n", 1) < 0 ? -errno : -ENOSPC;
	}
	close(fd);
	return r;
}

int event_write(int dir, uint64_t max, const char *type, const char *id, const char *action, const struct event_attr *attrs,
		size_t n)
{
	char line[EVENT_LINE_MAX];
	size_t len = event_format(type, id, action, attrs, n, bare_now(), line);

	return event_append(dir, max, line, len);
}
