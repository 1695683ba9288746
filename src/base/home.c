/* SPDX-License-Identifier: Apache-2.0 */
#include "base/home.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool home_is_root(void)
{
	return geteuid() == 0;
}

static struct {
	const char *name;
	int fd;
} presets[8];

void home_preset(const char *name, int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		if (!presets[i].name) {
			presets[i].name = xstrdup(name);
			presets[i].fd = fd;
			return;
		}
	}
}

static int preset(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets) && presets[i].name; i++)
		if (streq(presets[i].name, name))
			return presets[i].fd;
	return -1;
}

bool home_is_preset(const char *name)
{
	return preset(name) >= 0;
}

/*
 * Environment variables steer only the person's own brig. A set-uid caller never gets here: brig is not set-uid.
 */
static const char *absolute_env(const char *name)
{
	const char *v = getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

static int user_home(char *out, size_t size, const char *xdg, const char *below, struct error *e)
{
	const char *base = absolute_env(xdg), *home = absolute_env("HOME");

	if (base)
		return snprintf(out, size, "%s/brig", base);
	if (!home)
		return error_set(e, ENOENT, "neither HOME nor %s names a folder", xdg);
	return snprintf(out, size, "%s/%s/brig", home, below);
}

static char data_path[PATH_MAX];
static int data_fd = -1;

const char *home_data_path(struct error *e)
{
	const char *own = absolute_env("BRIG_DATA");
	int n;

	if (data_path[0])
		return data_path;
	if (own)
		n = snprintf(data_path, sizeof(data_path), "%s", own);
	else if (home_is_root())
		n = snprintf(data_path, sizeof(data_path), "/var/lib/brig");
	else
		n = user_home(data_path, sizeof(data_path), "XDG_DATA_HOME", ".local/share", e);
	if (n < 0)
		return NULL;
	return data_path;
}

int home_data_use(const char *path, struct error *e)
{
	static char *before;
	static bool used;
	int r;

	if (path && !used) {
		const char *own = getenv("BRIG_DATA");

		home_run_path(NULL); /* may lie below the data: it stays where it is */
		before = own ? xstrdup(own) : NULL;
		used = true;
	}
	if (path)
		r = setenv("BRIG_DATA", path, 1);
	else
		r = before ? setenv("BRIG_DATA", before, 1) : unsetenv("BRIG_DATA");
	if (r < 0)
		return error_errno(e, errno, "BRIG_DATA");
	if (!path) {
		free(steal_ptr(&before));
		used = false;
	}
	cleanup_close(&data_fd);
	data_path[0] = 0;
	return 0;
}

const char *home_run_path(struct error *e)
{
	static char path[PATH_MAX];
	const char *own = absolute_env("BRIG_RUNTIME"), *xdg = absolute_env("XDG_RUNTIME_DIR"), *data;
	struct stat st;

	if (path[0])
		return path;
	if (own) {
		snprintf(path, sizeof(path), home_is_root() ? "%s/c" : "%s", own);
	} else if (home_is_root()) {
		snprintf(path, sizeof(path), "/run/brig/c");
	} else if (xdg && stat(xdg, &st) == 0 && st.st_uid == geteuid() && S_ISDIR(st.st_mode)) {
		/* After su or sudo the variable may name another person's folder: only our own counts. */
		snprintf(path, sizeof(path), "%s/brig", xdg);
	} else {
		data = home_data_path(e);
		if (!data)
			return NULL;
		if ((size_t)snprintf(path, sizeof(path), "%s/run", data) >= sizeof(path)) {
			path[0] = 0;
			error_set(e, ENAMETOOLONG, "%s: path too long", data);
			return NULL;
		}
	}
	return path;
}

const char *home_config_path(struct error *e)
{
	static char path[PATH_MAX];
	const char *own = absolute_env("BRIG_CONFIG");
	int n;

	if (path[0])
		return path;
	if (own)
		n = snprintf(path, sizeof(path), "%s", own);
	else if (home_is_root() || home_is_preset("containers"))
		n = snprintf(path, sizeof(path), "/etc/brig");
	else
		n = user_home(path, sizeof(path), "XDG_CONFIG_HOME", ".config", e);
	return n < 0 ? NULL : path;
}

int home_config(bool make, struct error *e)
{
	const char *path = home_config_path(e);
	/* /etc/brig has what every user reads; a person's own is nobody else's, as the XDG specification asks. */
	mode_t mode = home_is_root() ? 0755 : 0700;
	int fd;

	if (!path)
		return e ? e->code : -ENOENT;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		for (char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
			_cleanup_free_ char *part = xstrndup(path, p ? (size_t)(p - path) : strlen(path));

			/* Whatever the umask: where users cannot look, none of their commands runs. */
			if (mkdir(part, mode) == 0 ? chmod(part, mode) < 0 : errno != EEXIST)
				return error_errno(e, errno, "cannot make %s", part);
			if (!p)
				break;
		}
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENOENT : error_errno(e, errno, "cannot open %s", path);
}

/* See home.h: a folder in which each monitor keeps its own. */
static bool is_shared(const char *name)
{
	static const char *const names[] = { "containers", "names", "ids", "events.d" };

	for (size_t i = 0; home_is_root() && i < ARRAY_SIZE(names); i++)
		if (streq(names[i], name))
			return true;
	return false;
}

static int share(int dirfd, const char *name, struct error *e)
{
	return fchmodat(dirfd, name, 01777, 0) < 0 ? error_errno(e, errno, "chmod %s", name) : 0;
}

/* Makes missing parents (0700 as the XDG specification asks) and opens the folder, refusing one that is not ours. */
static int open_own(const char *path, struct error *e)
{
	_cleanup_close_ int fd = -1;
	char copy[PATH_MAX];
	struct stat st;

	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		snprintf(copy, sizeof(copy), "%s", path);
		for (char *p = copy + 1;; p++) {
			if (*p && *p != '/')
				continue;
			char saved = *p;
			*p = 0;
			if (mkdir(copy, 0700) < 0 && errno != EEXIST)
				return error_errno(e, errno, "cannot make %s", copy);
			*p = saved;
			if (!saved)
				break;
		}
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0)
		return error_errno(e, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		error_set(e, EPERM, "%s belongs to uid %u with mode %04o: brig keeps its files only where nobody else "
			  "can write", path, st.st_uid, st.st_mode & 07777);
		error_hint(e, "chown %u %s && chmod go-w %s", geteuid(), path, path);
		return -EPERM;
	}
	return steal_fd(&fd);
}

int home_data(struct error *e)
{
	const char *path;

	if (data_fd >= 0)
		return data_fd;
	path = home_data_path(e);
	if (!path)
		return e ? e->code : -ENOENT;
	data_fd = open_own(path, e);
	return data_fd;
}

int home_run(struct error *e)
{
	static int fd = -1;
	const char *path;

	if (fd >= 0)
		return fd;
	if (preset("run") >= 0)
		return preset("run");
	path = home_run_path(e);
	if (!path)
		return e ? e->code : -ENOENT;
	if (home_is_root()) {
		char parent[PATH_MAX];

		snprintf(parent, sizeof(parent), "%.*s", (int)(strlen(path) - 2), path);
		_cleanup_close_ int up = open_own(parent, e);
		if (up < 0)
			return up;
		if (mkdirat(up, "c", 0700) < 0 && errno != EEXIST)
			return error_errno(e, errno, "cannot make %s", path);
		fd = openat(up, "c", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 || share(up, "c", e) < 0)
			return fd < 0 ? error_errno(e, errno, "cannot open %s", path) : -EPERM;
		return fd;
	}
	fd = open_own(path, e);
	return fd;
}

int home_data_dir(const char *name, struct error *e)
{
	int data, fd = preset(name);

	if (fd >= 0)
		return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	data = home_data(e);
	if (data < 0)
		return data;
	fd = openat(data, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(data, name, 0700) < 0 && errno != EEXIST)
			return error_errno(e, errno, "cannot make %s/%s", home_data_path(NULL), name);
		if (is_shared(name) && share(data, name, e) < 0)
			return -EPERM;
		fd = openat(data, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	}
	return fd < 0 ? error_errno(e, errno, "cannot open %s/%s", home_data_path(NULL), name) : fd;
}
