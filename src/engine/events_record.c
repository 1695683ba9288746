/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"

#include <fcntl.h>
#include <string.h>
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
	if (name)
		all[used++] = (struct event_attr){ "name", name };
	for (size_t i = 0; i < n && used < ATTRS_MAX; i++)
		all[used++] = attrs[i];
	r = event_write(dir, max, type, id, action, all, used);
	return r < 0 ? error_errno(e, r, "cannot record the event") : 0;
}

static int fold_file(int dir, const char *name, int to)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = file_read(dir, name, FOLD_MAX, &text, &n);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* Only whole lines: the last one of a monitor that was killed may be cut. */
	char *end = memrchr(text, '\n', n);
	return end ? fd_write_all(to, text, (size_t)(end + 1 - text)) : 0;
}

int events_fold(int dir, struct error *e)
{
	_cleanup_close_ int to = -1;
	int data, r;

	if (home_is_preset("containers"))
		return 0;
	data = home_data(e);
	if (data < 0)
		return data;
	to = openat(data, "events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return error_errno(e, errno, "cannot open %s/events", home_data_path(NULL));
	r = fold_file(dir, "events.1", to);
	if (r == 0)
		r = fold_file(dir, "events", to);
	return r < 0 ? error_errno(e, r, "cannot keep the container's events") : 0;
}
