/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/json.h"
#include "engine/container.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTRS_MAX = 16, FOLD_MAX = 4 << 20 };

/* Root's own monitors may not write to DATA: what they record goes beside the container, until root folds it in. */
static int events_dir(const char *id, uint64_t *max, struct error *e)
{
	_cleanup_close_ int all = -1;
	int fd;

	if (!home_is_preset("containers")) {
		*max = EVENTS_MAX;
		fd = home_data(e);
		return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	*max = EVENTS_CONTAINER_MAX;
	all = home_data_dir("containers", e);
	if (all < 0)
		return all;
	fd = openat(all, id, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(e, errno, "events of %.12s", id) : fd;
}

int event_record(const char *type, const char *id, const char *name, const char *action, const struct event_attr *attrs,
		 size_t n, struct error *e)
{
	struct event_attr all[ATTRS_MAX];
	_cleanup_close_ int dir = -1;
	size_t used = 0;
	uint64_t max;
	int r;

	dir = events_dir(id, &max, e);
	if (dir < 0)
		return dir;
	events_collect();
	if (name)
		all[used++] = (struct event_attr){ "name", name };
	for (size_t i = 0; i < n && used < ATTRS_MAX; i++)
		all[used++] = attrs[i];
	r = event_write(dir, max, type, id, action, all, used);
	return r < 0 ? error_errno(e, r, "cannot record the event") : 0;
}

/* What was recorded of one container, line by line; nobody records for another. A cut line is left out. */
static bool is_about(const char *line, size_t n, const char *id)
{
	_cleanup_json_ json_t *j = n <= EVENT_LINE_MAX ? json_parse(line, n, "event", NULL) : NULL;

	return j && streq(json_string_value(json_object_get(json_object_get(j, "Actor"), "ID")), id);
}

static int fold_text(const char *text, size_t n, const char *id, int data)
{
	const char *p = text, *nl;
	int r = 0;

	for (; r == 0 && (nl = memchr(p, '\n', n - (size_t)(p - text))); p = nl + 1)
		if (is_about(p, (size_t)(nl - p), id))
			r = event_append(data, EVENTS_MAX, p, (size_t)(nl + 1 - p));
	return r;
}

/* A monitor of root's puts its file where root finds it. */
static int hand_in(int dir, const char *name, const char *id, struct error *e)
{
	_cleanup_close_ int to = home_data_dir("events.d", e);
	_cleanup_free_ char *as = xasprintf("%s%s", id, name + strlen("events"));

	if (to < 0)
		return to;
	if (renameat(dir, name, to, as) < 0 && errno != ENOENT)
		return error_errno(e, errno, "cannot keep the container's events");
	return 0;
}

static int fold_file(int dir, const char *name, const char *id, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r, data;

	if (home_is_preset("containers"))
		return hand_in(dir, name, id, e);
	data = home_data(e);
	if (data < 0)
		return data;
	r = file_read(dir, name, FOLD_MAX, &text, &n);
	if (r == 0)
		r = fold_text(text, n, id, data);
	return r < 0 && r != -ENOENT ? error_errno(e, r, "cannot keep the container's events") : 0;
}

int events_fold(int dir, const char *id, struct error *e)
{
	int r = fold_file(dir, "events.1", id, e);

	return r < 0 ? r : fold_file(dir, "events", id, e);
}

/* One file that a monitor handed in; whoever has its lock folds it. */
static void collect_one(int from, const char *name, int data)
{
	_cleanup_close_ int fd = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *id = xstrndup(name, CONTAINER_ID_LEN), *text = NULL;
	struct stat st;
	size_t n;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
		return;
	if (S_ISREG(st.st_mode) && hex_valid(id, CONTAINER_ID_LEN) && fd_read_all(fd, FOLD_MAX, &text, &n) == 0)
		fold_text(text, n, id, data);
	unlinkat(from, name, 0);
}

void events_collect(void)
{
	_cleanup_closedir_ DIR *d = NULL;
	int data, fd;
	struct dirent *de;

	if (!home_is_root() || home_is_preset("containers"))
		return;
	data = home_data(NULL);
	fd = data < 0 ? -1 : openat(data, "events.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			collect_one(dirfd(d), de->d_name, data);
}
