/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/cgroup_oci.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STATE_MAX = 2 * OCI_CONFIG_MAX }; /* annotations of any configuration, indented */

const char *const oci_status_names[] = { "creating", "created", "running", "paused", "stopped" };

void oci_container_init(struct oci_container *c)
{
	*c = (struct oci_container){ .root_fd = -1, .dir_fd = -1, .hooks = -1 };
}

void oci_container_free(struct oci_container *c)
{
	free(c->id);
	cleanup_close(&c->root_fd);
	cleanup_close(&c->dir_fd);
	free(c->bundle);
	free(c->rootfs);
	json_decref(c->cgroup);
	free(c->version);
	json_decref(c->annotations);
	oci_container_init(c);
}

int oci_id_check(const char *id, struct error *e)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";
	size_t n = strlen(id);
	_cleanup_free_ char *safe = str_escape(id);

	if (n == 0)
		return error_set(e, EINVAL, "container id cannot be empty");
	if (n > 255 || strspn(id, good) != n || streq(id, ".") || streq(id, ".."))
		return error_set(e, EINVAL, "invalid container id \"%s\": letters, digits, _ + . -, at most 255", safe);
	return 0;
}

static int open_root(const char *root, bool make, struct error *e)
{
	int fd;

	if (make) {
		_cleanup_free_ char *copy = xstrdup(root);

		for (char *p = copy + 1; *p; p++) {
			if (*p != '/')
				continue;
			*p = 0;
			mkdir(copy, 0711);
			*p = '/';
		}
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return error_errno(e, errno, "cannot make %s", root);
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(e, errno, "%s", root);
	return fd;
}

int oci_container_make(const char *root, const char *id, struct oci_container *c, struct error *e)
{
	int r = oci_id_check(id, e);

	oci_container_init(c);
	if (r < 0)
		return r;
	c->root_fd = open_root(root, true, e);
	if (c->root_fd < 0)
		return c->root_fd;
	if (mkdirat(c->root_fd, id, 0711) < 0)
		return errno == EEXIST ? error_set(e, EEXIST, "container with id %s exists already: it already exists", id) :
					 error_errno(e, errno, "cannot make %s/%s", root, id);
	c->id = xstrdup(id);
	c->dir_fd = openat(c->root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (c->dir_fd < 0 || flock(c->dir_fd, LOCK_EX) < 0)
		return error_errno(e, errno, "%s/%s", root, id);
	c->created_ns = clock_now_ns();
	c->owner = geteuid();
	return 0;
}

static int read_state(struct oci_container *c, struct error *e)
{
	_cleanup_json_ json_t *j = json_read(c->dir_fd, "state.json", STATE_MAX, e);
	const char *bundle = NULL, *rootfs = NULL, *version = NULL;
	int64_t pid = 0, start = 0, created = 0, owner = 0, hooks = -1;
	json_t *annotations = NULL, *cgroup = NULL;
	bool landlock = false;
	int r;

	if (!j)
		return e->code;
	r = json_get_int(j, "state", "pid", 1, INT32_MAX, &pid, e);
	if (r == 0)
		r = json_get_int(j, "state", "startTime", 0, INT64_MAX, &start, e);
	if (r == 0)
		r = json_get_int(j, "state", "created", 0, INT64_MAX, &created, e);
	if (r == 0)
		r = json_get_int(j, "state", "owner", 0, UINT32_MAX, &owner, e);
	if (r == 0)
		r = json_get_int(j, "state", "hooks", 0, (1 << OCI_HOOK_COUNT) - 1, &hooks, e);
	if (r == 0)
		r = json_get_bool(j, "state", "landlock", &landlock, e);
	if (r == 0)
		r = json_get_str(j, "state", "bundle", &bundle, e);
	if (r == 0)
		r = json_get_str(j, "state", "rootfs", &rootfs, e);
	if (r == 0)
		r = json_get_obj(j, "state", "cgroup", &cgroup, e);
	if (r == 0)
		r = json_get_str(j, "state", "ociVersion", &version, e);
	if (r == 0)
		r = json_get_obj(j, "state", "annotations", &annotations, e);
	if (r < 0)
		return r;
	c->pid = (pid_t)pid;
	c->start_time = (uint64_t)start;
	c->created_ns = (uint64_t)created;
	c->owner = (uid_t)owner;
	c->hooks = (int)hooks;
	c->landlock = landlock;
	c->bundle = xstrdup(bundle ? bundle : "");
	c->rootfs = xstrdup(rootfs ? rootfs : "");
	c->cgroup = json_incref(cgroup);
	c->version = xstrdup(version ? version : "1.0.0");
	c->annotations = json_incref(annotations);
	return 0;
}

int oci_container_open(const char *root, const char *id, bool lock, struct oci_container *c, struct error *e)
{
	struct error none = { 0 };
	struct stat a, b;
	int r = oci_id_check(id, e);

	oci_container_init(c);
	if (r < 0)
		return r;
	c->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->root_fd >= 0)
		c->dir_fd = openat(c->root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (c->dir_fd < 0)
		return errno == ENOENT ? error_set(e, ENOENT, "container \"%s\" does not exist", id) :
					 error_errno(e, errno, "%s/%s", root, id);
	if (lock && flock(c->dir_fd, LOCK_EX) < 0)
		return error_errno(e, errno, "cannot lock %s/%s", root, id);
	/* Whoever held the lock may have removed it. */
	if (lock && (fstat(c->dir_fd, &a) < 0 || fstatat(c->root_fd, id, &b, AT_SYMLINK_NOFOLLOW) < 0 || a.st_ino != b.st_ino))
		return error_set(e, ENOENT, "container \"%s\" does not exist", id);
	c->id = xstrdup(id);
	if (faccessat(c->dir_fd, "state.json", F_OK, 0) < 0)
		return 0;
	r = read_state(c, &none);
	if (r < 0) {
		*e = none;
		return error_wrap(e, "container %s", id);
	}
	return 0;
}

int oci_container_lock(struct oci_container *c, struct error *e)
{
	return flock(c->dir_fd, LOCK_EX) < 0 ? error_errno(e, errno, "cannot lock %s", c->id) : 0;
}

void oci_container_unlock(struct oci_container *c)
{
	flock(c->dir_fd, LOCK_UN);
}

int oci_container_save(const struct oci_container *c, struct error *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:i, s:b, s:s, s:s, s:O*, s:O*}", "id", c->id, "ociVersion",
					     c->version, "pid", (int)c->pid, "startTime", (json_int_t)c->start_time, "created",
					     (json_int_t)c->created_ns, "owner", (json_int_t)c->owner, "hooks", c->hooks, "landlock",
					     c->landlock, "bundle", c->bundle,
					     "rootfs", c->rootfs, "cgroup", c->cgroup, "annotations", c->annotations);

	return j ? json_write(c->dir_fd, "state.json", j, 0600, false, e) : error_set(e, EINVAL, "state.json: invalid UTF-8");
}

int oci_container_drop(struct oci_container *c, struct error *e)
{
	int r = path_remove_tree(c->root_fd, c->id);

	return r < 0 && r != -ENOENT ? error_errno(e, r, "cannot remove the state of %s", c->id) : 0;
}

/* A process that has ended and was not waited for yet counts as gone. */
static bool alive(pid_t pid, uint64_t start)
{
	char path[32], stat[512], *p;
	_cleanup_close_ int pidfd = proc_pidfd_checked(pid, start);

	if (pidfd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read_line(AT_FDCWD, path, stat, sizeof(stat)) < 0)
		return false;
	p = strrchr(stat, ')');
	return p && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X';
}

enum oci_status oci_container_status(const struct oci_container *c)
{
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };

	if (c->pid == 0)
		return OCI_CREATING;
	if (!alive(c->pid, c->start_time))
		return OCI_STOPPED;
	if (faccessat(c->dir_fd, "start", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return OCI_CREATED;
	if (c->cgroup && oci_cgroup_open(&cg, c->cgroup, NULL) == 0 && oci_cgroup_frozen(&cg))
		return OCI_PAUSED;
	return OCI_RUNNING;
}

int oci_container_config(const struct oci_container *c, struct oci_config *out, struct error *e)
{
	int r = oci_config_read(c->dir_fd, "config.json", out, NULL, NULL, e);

	return r < 0 ? error_wrap(e, "container %s", c->id) : 0;
}

static json_t *time_text(uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	char text[64], all[96];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(all, sizeof(all), "%s.%09lluZ", text, (unsigned long long)(ns % 1000000000));
	return json_string(all);
}

json_t *oci_container_json(const struct oci_container *c, const char *status, bool more)
{
	bool runs = !streq(status, "stopped");
	json_t *j = json_pack("{s:s, s:s, s:i, s:s, s:s}", "ociVersion", c->version, "id", c->id, "pid",
			      runs ? (int)c->pid : 0, "status", status, "bundle", c->bundle);

	if (more) {
		char owner[16];

		snprintf(owner, sizeof(owner), "%u", c->owner);
		json_object_set_new(j, "rootfs", json_string(c->rootfs));
		json_object_set_new(j, "created", time_text(c->created_ns));
		json_object_set_new(j, "owner", json_string(c->owner == 0 ? "root" : owner));
	}
	if (c->annotations)
		json_object_set(j, "annotations", c->annotations);
	return j;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int oci_container_list(const char *root, char ***ids, struct error *e)
{
	_cleanup_closedir_ DIR *d = opendir(root);
	struct dirent *de;

	*ids = NULL;
	if (!d)
		return errno == ENOENT ? 0 : error_errno(e, errno, "%s", root);
	while ((de = readdir(d)))
		if (de->d_name[0] != '.' && (de->d_type == DT_DIR || de->d_type == DT_UNKNOWN))
			strv_add_copy(ids, de->d_name);
	if (*ids)
		qsort(*ids, strv_len(*ids), sizeof(char *), by_name);
	return 0;
}
