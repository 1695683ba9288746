/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading events: those of DATA/events and of every container's own file, merged by their time. A removed container's own
 * events are folded into the former, so that a follower may meet a line twice; it remembers what it has told.
 */
#include "engine/events.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = EVENTS_MAX * 2,
	TOLD = 4096,	    /* hashes of told lines, a power of two */
	SETTLE_MS = 20,	    /* what several writers wrote at once is told in order */
	CONFIG_MAX = 8 << 20,
};

struct event {
	uint64_t time;
	json_t *json;
	char *line;
};

/* A folder with an "events" file, and how far that was read. */
struct source {
	char *id; /* NULL: DATA */
	ino_t ino;
	off_t offset;
};

struct feed {
	const struct events_query *q;
	struct source *source;
	size_t n_sources;
	struct event *event;
	size_t n_events;
	uint64_t told[TOLD];
	uint64_t from; /* older ones are not told */
	int watch;
};

static void feed_free(struct feed **fp)
{
	struct feed *f = *fp;

	for (size_t i = 0; i < f->n_sources; i++)
		free(f->source[i].id);
	for (size_t i = 0; i < f->n_events; i++) {
		json_decref(f->event[i].json);
		free(f->event[i].line);
	}
	free(f->source);
	free(f->event);
	cleanup_close(&f->watch);
	free(f);
}

/* FNV-1a. */
static uint64_t hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h ? h : 1;
}

/* Remembers the line; true when it was told before. An old one may be forgotten for a new one. */
static bool told_before(struct feed *f, const char *line)
{
	uint64_t h = hash(line), *slot = &f->told[h & (TOLD - 1)];
	bool before = *slot == h;

	*slot = h;
	return before;
}

static void add_line(struct feed *f, const char *line, size_t n, const char *id)
{
	json_t *j = n <= EVENT_LINE_MAX ? json_parse(line, n, "event", NULL) : NULL;
	int64_t time = -1;

	/* A line that was cut when the disk was full, or the machine went down. */
	if (!j || json_get_int(j, "event", "timeNano", 0, INT64_MAX, &time, NULL) < 0 || time < 0 ||
	    !json_is_object(json_object_get(j, "Actor")) ||
	    /* A monitor records for its own container. */
	    (id && !streq(json_string_value(json_object_get(json_object_get(j, "Actor"), "ID")), id))) {
		json_decref(j);
		return;
	}
	if ((uint64_t)time < f->from || (f->q->until_ns && (uint64_t)time > f->q->until_ns)) {
		json_decref(j);
		return;
	}
	f->event = xrealloc(f->event, f->n_events + 1, sizeof(*f->event));
	f->event[f->n_events++] = (struct event){ (uint64_t)time, j, xstrndup(line, n) };
}

/* Adds the whole lines from `offset` on, and moves it behind them. */
static int read_lines(struct feed *f, int fd, off_t *offset, const char *id)
{
	_cleanup_free_ char *text = NULL;
	char *p, *nl;
	size_t n;
	int r;

	if (lseek(fd, *offset, SEEK_SET) < 0)
		return -errno;
	r = fd_read_all(fd, FILE_MAX, &text, &n);
	if (r < 0)
		return r;
	for (p = text; (nl = memchr(p, '\n', n - (size_t)(p - text))); p = nl + 1)
		add_line(f, p, (size_t)(nl - p), id);
	*offset += p - text;
	return 0;
}

static int open_file(int dir, const char *name, struct stat *st)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode) ? steal_fd(&fd) : -EINVAL;
}

/* What is new in one folder: the rest of a file that was rotated since the last look, then the current one. */
static int read_source(struct feed *f, struct source *s, int dir)
{
	_cleanup_close_ int now = -1, old = -1;
	struct stat st = { 0 }, old_st = { 0 };
	int r = 0;

	now = open_file(dir, "events", &st);
	if (now < 0 && now != -ENOENT)
		return now;
	if (now < 0 || st.st_ino != s->ino) {
		old = open_file(dir, "events.1", &old_st);
		if (old >= 0 && old_st.st_ino != s->ino)
			s->offset = 0;
		/* On the first look both are read; later only what the previous file got after it. */
		if (old >= 0)
			r = read_lines(f, old, &s->offset, s->id);
		s->offset = 0;
		s->ino = now < 0 ? old_st.st_ino : st.st_ino;
	}
	if (r == 0 && now >= 0)
		r = read_lines(f, now, &s->offset, s->id);
	return r;
}

static struct source *find_source(struct feed *f, const char *id)
{
	for (size_t i = 0; i < f->n_sources; i++)
		if (streq(f->source[i].id, id))
			return &f->source[i];
	f->source = xrealloc(f->source, f->n_sources + 1, sizeof(*f->source));
	f->source[f->n_sources] = (struct source){ .id = xstrdup(id) };
	return &f->source[f->n_sources++];
}

/* Watches a folder; one that is watched already stays so. */
static int watch_dir(struct feed *f, int dir)
{
	char path[32];

	if (f->watch < 0)
		return 0;
	path_of_fd(dir, path);
	if (inotify_add_watch(f->watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -errno;
	return 0;
}

/* One look at all folders. Those that vanish meanwhile are gone, with their events folded into DATA's. */
static int read_all(struct feed *f, struct error *e)
{
	_cleanup_close_ int all = -1;
	_cleanup_closedir_ DIR *d = NULL;
	int data = home_data(e), r;
	struct dirent *de;

	if (data < 0)
		return data;
	all = home_data_dir("containers", e);
	if (all < 0)
		return all;
	r = watch_dir(f, data);
	if (r == 0)
		r = watch_dir(f, all);
	if (r == 0 && home_is_root()) {
		_cleanup_close_ int handed = home_data_dir("events.d", e);

		r = handed < 0 ? handed : watch_dir(f, handed);
	}
	if (r < 0)
		return error_errno(e, r, "cannot watch for events");
	int list = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = list < 0 ? NULL : fdopendir(list);
	while (d && (de = readdir(d))) {
		_cleanup_close_ int dir = -1;

		if (!hex_valid(de->d_name, 64))
			continue;
		dir = openat(all, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			continue;
		watch_dir(f, dir);
		read_source(f, find_source(f, de->d_name), dir);
	}
	/* Last, so that what is folded in the meantime is found. */
	events_collect();
	r = read_source(f, find_source(f, NULL), data);
	return r < 0 ? error_errno(e, r, "cannot read %s/events", home_data_path(NULL)) : 0;
}

static int by_time(const void *a_, const void *b_)
{
	const struct event *a = a_, *b = b_;

	return a->time < b->time ? -1 : a->time > b->time;
}

/* What a monitor records has no name: it may have changed since the start. */
static void add_names(json_t *event)
{
	json_t *actor = json_object_get(event, "Actor"), *attrs = json_object_get(actor, "Attributes");
	const char *id = json_string_value(json_object_get(actor, "ID")), *name = NULL, *image = NULL;
	_cleanup_json_ json_t *config = NULL;
	_cleanup_close_ int all = -1;
	char path[80];

	if (!streq(json_string_value(json_object_get(event, "Type")), "container") || !id || !hex_valid(id, 64) ||
	    !json_is_object(attrs) || (json_object_get(attrs, "name") && json_object_get(attrs, "image")))
		return;
	all = home_data_dir("containers", NULL);
	snprintf(path, sizeof(path), "%s/config.json", id);
	config = all < 0 ? NULL : json_read(all, path, CONFIG_MAX, NULL);
	if (!config || json_get_str(config, "config", "name", &name, NULL) < 0 ||
	    json_get_str(config, "config", "image_name", &image, NULL) < 0)
		return;
	if (name && !json_object_get(attrs, "name"))
		json_object_set_new(attrs, "name", json_string(name));
	if (image && !json_object_get(attrs, "image"))
		json_object_set_new(attrs, "image", json_string(image));
}

static int tell(struct feed *f)
{
	int r = 0;

	if (f->n_events > 1)
		qsort(f->event, f->n_events, sizeof(*f->event), by_time);
	for (size_t i = 0; i < f->n_events; i++) {
		struct event *ev = &f->event[i];

		if (r == 0 && !told_before(f, ev->line)) {
			add_names(ev->json);
			r = f->q->event(ev->json, ev->time, f->q->arg);
		}
		json_decref(ev->json);
		free(ev->line);
	}
	f->n_events = 0;
	return r;
}

/* Waits for a change. 0: look again; 1: `until` has come. */
static int wait_for_more(struct feed *f)
{
	struct pollfd p = { .fd = f->watch, .events = POLLIN };
	uint64_t now = clock_now_ns(), until = f->q->until_ns;
	char drop[8192];
	int ms = -1;

	if (until) {
		if (now > until)
			return 1;
		ms = until - now > 3600000000000u ? 3600000 : (int)((until - now) / 1000000) + 1;
	}
	if (poll(&p, 1, ms) < 0)
		return errno == EINTR ? 0 : -errno;
	if (p.revents)
		poll(NULL, 0, SETTLE_MS);
	while (read(f->watch, drop, sizeof(drop)) > 0)
		;
	return 0;
}

int events_read(const struct events_query *q, struct error *e)
{
	_cleanup_(feed_free) struct feed *f = xcalloc(1, sizeof(*f));
	bool follow = !q->until_ns || q->until_ns > clock_now_ns();
	int r;

	f->q = q;
	f->from = q->since_ns;
	f->watch = -1;
	if (follow) {
		f->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (f->watch < 0)
			return error_errno(e, errno, "cannot watch for events: inotify");
	}
	for (;;) {
		r = read_all(f, e);
		if (r < 0)
			return r;
		r = tell(f);
		if (r < 0 || !follow)
			break;
		r = wait_for_more(f);
		if (r == 1) {
			/* One more look, for what came until then. */
			follow = false;
			r = 0;
		}
		if (r < 0)
			return error_errno(e, r, "cannot wait for events");
	}
	return r;
}
