/* SPDX-License-Identifier: Apache-2.0 */
/* brig setup --remove: what a setup gave to a user is taken back, and what it did not make stays. */
#include "engine/host_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/str.h"
#include "confine/cgroup.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NOTES_MAX = 65536 };

/* DATA/setup and the name of the user's file in it. */
static int open_notes(const struct host_user *u, char name[static 16], struct error *e)
{
	snprintf(name, 16, "%u", u->uid);
	return home_data_dir("setup", e);
}

int host_note(const struct host_user *u, struct error *e, const char *fmt, ...)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_free_ char *old = NULL;
	char name[16], line[64];
	_cleanup_close_ int dir = open_notes(u, name, e);
	va_list ap;
	int r;

	if (dir < 0)
		return dir;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r = file_read(dir, name, NOTES_MAX, &old, NULL);
	if (r < 0 && r != -ENOENT)
		return error_errno(e, r, "cannot read %s/setup/%s", home_data_path(NULL), name);
	buf_printf(&b, "%s%s\n", r == 0 ? old : "", line);
	r = file_replace(dir, name, b.data, b.len, 0600, true);
	return r < 0 ? error_errno(e, r, "cannot write %s/setup/%s", home_data_path(NULL), name) : 0;
}

static int undo_ids(const struct host_user *u, const char *file, const char *range, struct host_setup *out,
		    struct error *e)
{
	unsigned long long first, count;
	int r;

	if (sscanf(range, "%llu %llu", &first, &count) != 2)
		return 0;
	r = host_ids_drop(file, u, first, count, e);
	if (r > 0)
		strv_add(&out->done, xasprintf("removed ids %llu to %llu from /etc/%s", first, first + count - 1, file));
	else if (r == 0)
		strv_add(&out->lacks, xasprintf("ids %llu to %llu of the setup do not stand in /etc/%s any more: nothing to take "
						"back", first, first + count - 1, file));
	return r < 0 ? r : 0;
}

static int undo_dropin(const struct host_user *u, struct host_setup *out, struct error *e)
{
	_cleanup_free_ char *dir = xasprintf("/etc/systemd/system/user@%u.service.d", u->uid);
	_cleanup_free_ char *path = xasprintf("%s/50-brig.conf", dir);

	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "cannot remove %s", path);
	rmdir(dir); /* of others, when it is not empty */
	strv_add(&out->done, xasprintf("removed %s", path));
	return host_run_tool("systemctl", "daemon-reload", NULL, e);
}

static int undo_line(const struct host_user *u, const char *line, struct host_setup *out, struct error *e)
{
	const char *range;
	int r;

	if ((range = str_after(line, "subuid ")))
		return undo_ids(u, "subuid", range, out, e);
	if ((range = str_after(line, "subgid ")))
		return undo_ids(u, "subgid", range, out, e);
	if (streq(line, "dropin"))
		return undo_dropin(u, out, e);
	if (!streq(line, "linger"))
		return 0;
	r = host_run_tool("loginctl", "disable-linger", u->name, e);
	if (r == 0)
		strv_add(&out->done, xstrdup("switched lingering off"));
	return r;
}

static int undo_notes(const struct host_user *u, struct host_setup *out, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	char name[16], *rest;
	_cleanup_close_ int dir = open_notes(u, name, e);
	int r;

	if (dir < 0)
		return dir;
	r = file_read(dir, name, NOTES_MAX, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : error_errno(e, r, "cannot read %s/setup/%s", home_data_path(NULL), name);
	rest = text;
	for (char *line = strsep(&rest, "\n"); r == 0 && line; line = strsep(&rest, "\n"))
		r = undo_line(u, line, out, e);
	if (r == 0 && unlinkat(dir, name, 0) < 0)
		r = error_errno(e, errno, "cannot remove %s/setup/%s", home_data_path(NULL), name);
	return r;
}

int host_undo(const struct host_user *u, struct host_setup *out, struct error *e)
{
	int r;

	if (geteuid() != 0)
		return error_set(e, EPERM, "only root can do this");
	/* First: it says no while a container of the user runs. */
	r = cgroup_undelegate(u->uid, &out->done, e);
	if (r == 0)
		r = undo_notes(u, out, e);
	return r < 0 ? error_wrap(e, "setup of user %s", u->name) : 0;
}
