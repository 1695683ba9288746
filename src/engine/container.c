/* SPDX-License-Identifier: Apache-2.0 */
/* Containers as files: making, finding, locking, loading and saving them. */
#include "engine/container.h"
#include "engine/ids.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "confine/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_MAX = 8 << 20, STATE_MAX = 1 << 20 };

void container_init(struct container *c)
{
	memset(c, 0, sizeof(*c));
	c->dir_fd = c->lock_fd = -1;
}

void container_free(struct container *c)
{
	container_unlock(c);
	container_config_free(&c->config);
	container_state_free(&c->state);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	container_init(c);
}

static void cleanup_container(struct container *c)
{
	container_free(c);
}

bool container_running(const struct container *c)
{
	return c->state.status == ST_RUNNING || c->state.status == ST_PAUSED;
}

static int runtime_dir(const char *id, struct error *e)
{
	int run = home_run(e), fd;

	if (run < 0)
		return run;
	fd = openat(run, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	if (mkdirat(run, id, 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s/%s", home_run_path(NULL), id);
	fd = openat(run, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(e, errno, "cannot open %s/%s", home_run_path(NULL), id) : fd;
}

int container_run_dir(const struct container *c, struct error *e)
{
	return runtime_dir(c->config.id, e);
}

/*
 * Takes RUN/ID/lock. Whoever removes the container unlinks the file while it holds the lock, so that a lock which was
 * waited for counts only when the name still leads to the same file. Returns the descriptor, or -EBUSY.
 */
static int lock_take(const char *id, bool wait, struct error *e)
{
	for (int tries = 0; tries < 100; tries++) {
		_cleanup_close_ int dir = runtime_dir(id, e), fd = -1;
		struct stat held, named;

		if (dir < 0)
			return dir;
		fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == ENOENT)
			continue; /* the folder was removed after we opened it */
		if (fd < 0)
			return error_errno(e, errno, "cannot open the lock of container %.12s", id);
		while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EWOULDBLOCK)
				return error_set(e, EBUSY, "container %.12s is in use by another brig process", id);
			return error_errno(e, errno, "cannot lock container %.12s", id);
		}
		if (fstat(fd, &held) == 0 && fstatat(dir, "lock", &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return steal_fd(&fd);
	}
	return error_set(e, EAGAIN, "the lock of container %.12s is taken and removed again and again", id);
}

/* Removes RUN/ID; the caller holds its lock. */
static void runtime_remove(const char *id)
{
	int run = home_run(NULL);

	if (run >= 0)
		path_remove_tree(run, id);
}

int container_lock(struct container *c, bool wait, struct error *e)
{
	int fd = lock_take(c->config.id, wait, e), r;

	if (fd < 0)
		return fd;
	if (c->dir_fd >= 0) {
		struct stat st;

		if (fstat(c->dir_fd, &st) < 0 || st.st_nlink == 0) {
			runtime_remove(c->config.id);
			close(fd);
			return error_set(e, ENOENT, "no such container: %s (it was removed meanwhile)",
					 c->config.name);
		}
		r = container_load_state(c, e);
		if (r < 0) {
			close(fd);
			return r;
		}
	}
	container_unlock(c);
	c->lock_fd = fd;
	return 0;
}

void container_unlock(struct container *c)
{
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	c->lock_fd = -1;
}

/* What follows from the id, as docker does it: the host's name and HOSTNAME. */
static void name_host(struct container_config *c)
{
	if (!c->hostname && !streq(c->network, "host"))
		c->hostname = xstrndup(c->id, 12);
	strv_foreach(v, c->env)
		if (str_after(*v, "HOSTNAME="))
			return;
	if (c->hostname)
		strv_add(&c->env, xasprintf("HOSTNAME=%s", c->hostname));
}

bool container_start_noted(const struct container *c, char **cgroup)
{
	char path[CONTAINER_ID_LEN + 16], to[512];
	int run = home_run(NULL);
	ssize_t n;

	snprintf(path, sizeof(path), "%s/starting", c->config.id);
	n = run < 0 ? -1 : readlinkat(run, path, to, sizeof(to));
	if (n <= 0)
		return false;
	if (cgroup)
		*cgroup = xstrndup(to, (size_t)n);
	return true;
}

bool container_is_held(const char *id)
{
	_cleanup_close_ int fd = -1;
	char path[CONTAINER_ID_LEN + 8];
	int run = home_run(NULL);

	if (run < 0 || !hex_valid(id, CONTAINER_ID_LEN))
		return false;
	snprintf(path, sizeof(path), "%s/lock", id);
	fd = openat(run, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int container_make(struct container *c, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("containers", e);
	unsigned char bytes[CONTAINER_ID_LEN / 2];
	int r;

	if (all < 0)
		return all;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return error_errno(e, errno, "no random bytes");
	hex_encode(bytes, sizeof(bytes), c->config.id);
	c->config.created_ns = clock_now_ns();
	name_host(&c->config);
	r = container_lock(c, true, e);
	if (r < 0)
		return r;
	if (mkdirat(all, c->config.id, 0700) < 0) {
		r = error_errno(e, errno, "cannot make %s/containers/%s", home_data_path(NULL), c->config.id);
	} else {
		c->dir_fd = openat(all, c->config.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = c->dir_fd < 0 ? error_errno(e, errno, "cannot open containers/%s", c->config.id) : 0;
	}
	if (r < 0) {
		runtime_remove(c->config.id);
		container_unlock(c);
	}
	return r;
}

int container_unmake(struct container *c, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("containers", e);
	int r;

	if (all < 0)
		return all;
	container_name_drop(c);
	/* First what makes it a container: from here on a crash leaves a folder that the next list removes. */
	if (unlinkat(c->dir_fd, "config.json", 0) < 0 && errno != ENOENT)
		return error_errno(e, errno, "cannot remove container %s", c->config.name);
	r = path_remove_tree(all, c->config.id);
	if (r < 0)
		return error_errno(e, r, "cannot remove %s/containers/%s", home_data_path(NULL), c->config.id);
	runtime_remove(c->config.id);
	container_unlock(c);
	return 0;
}

int container_save_config(struct container *c, struct error *e)
{
	_cleanup_json_ json_t *j = container_config_json(&c->config);
	struct stat old;
	/* Once it was started by root, its owner may read it. */
	mode_t mode = fstatat(c->dir_fd, "config.json", &old, AT_SYMLINK_NOFOLLOW) == 0 ? old.st_mode & 0640 : 0600;
	/* A container that goes when it ends is worth nothing after a power cut, and a sync takes longer than its start. */
	int r = json_write(c->dir_fd, "config.json", j, mode, !c->config.auto_remove, e);

	if (r == 0 && (mode & 0040) && fchownat(c->dir_fd, "config.json", (uid_t)-1, old.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = error_errno(e, errno, "config.json");
	return r < 0 ? error_wrap(e, "container %s", c->config.name) : 0;
}

int container_save_state(struct container *c, struct error *e)
{
	_cleanup_json_ json_t *j = container_state_json(&c->state);
	int r = json_write(c->dir_fd, "state.json", j, 0600, false, e);

	return r < 0 ? error_wrap(e, "container %s", c->config.name) : 0;
}

/* No state.json: it was created and no more. */
int container_load_state(struct container *c, struct error *e)
{
	_cleanup_json_ json_t *j = NULL;
	struct container_state s;
	struct error own = { 0 };
	int r;

	j = json_read(c->dir_fd, "state.json", STATE_MAX, &own);
	if (!j && own.code == -ENOENT) {
		container_state_free(&c->state);
		return 0;
	}
	r = j ? container_state_parse(j, &s, &own) : own.code;
	if (r < 0) {
		if (e)
			*e = own;
		error_wrap(e, "container %s: %s/containers/%s", c->config.name, home_data_path(NULL), c->config.id);
		return r;
	}
	container_state_free(&c->state);
	c->state = s;
	return 0;
}

static bool stands_or_moves(enum container_status s)
{
	return s == ST_RUNNING || s == ST_PAUSED || s == ST_RESTARTING || s == ST_REMOVING;
}

int container_refresh(struct container *c, struct error *e)
{
	enum container_status s = c->state.status;
	int r;

	if (!stands_or_moves(s) && !container_start_noted(c, NULL))
		return 0;
	if (c->lock_fd >= 0) /* we are the one who changes it */
		return 0;
	r = container_lock(c, false, e);
	if (r == -EBUSY) {
		/* The kernel knows; the file is the monitor's, which is not asked. */
		if (s == ST_RUNNING || s == ST_PAUSED)
			c->state.status = c->state.cgroup && cgroup_frozen_at(c->state.cgroup) ? ST_PAUSED : ST_RUNNING;
		return 0;
	}
	if (r < 0)
		return r;
	/* Read again under the lock: it may have ended properly between the two looks. */
	if (stands_or_moves(c->state.status) || container_start_noted(c, NULL))
		r = container_repair(c, e);
	container_unlock(c);
	return r;
}

/*
 * What root starts is what root wrote. The container's folder belongs to its unprivileged owner, who runs the monitor and may
 * replace any file in it: a config.json of somebody else's is not followed.
 */
static json_t *read_config(int dir, struct error *e)
{
	_cleanup_close_ int fd = openat(dir, "config.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_errno(e, errno, "config.json");
		return NULL;
	}
	if (home_is_root() && st.st_uid != 0) {
		error_set(e, EPERM, "config.json belongs to uid %u, not to root: it was replaced", st.st_uid);
		return NULL;
	}
	r = fd_read_all(fd, CONFIG_MAX, &text, &n);
	if (r < 0) {
		error_errno(e, r, "config.json");
		return NULL;
	}
	return json_parse(text, n, "config.json", e);
}

/* Opens the container `id`. -ENOENT: there is none, or it is not whole (`*half`: a folder without config.json). */
static int open_id(int all, const char *id, struct container *c, bool *half, struct error *e)
{
	_cleanup_json_ json_t *j = NULL;
	int r;

	*half = false;
	container_init(c);
	c->dir_fd = openat(all, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (c->dir_fd < 0)
		return error_errno(e, errno, "container %.12s", id);
	j = read_config(c->dir_fd, e);
	r = j ? container_config_parse(j, &c->config, e) : e->code;
	if (r == 0 && !streq(c->config.id, id))
		r = error_set(e, EBADMSG, "config.id: not the name of its folder");
	if (r < 0) {
		*half = r == -ENOENT;
		error_wrap(e, "container %.12s: %s/containers/%s", id, home_data_path(NULL), id);
		container_free(c);
		return r;
	}
	r = container_load_state(c, e);
	if (r < 0)
		container_free(c);
	return r;
}

static DIR *open_all(int all)
{
	int fd = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* The id that a name stands for; -ENOENT. */
static int name_read(int names, const char *name, char id[static CONTAINER_ID_LEN + 1])
{
	ssize_t n = readlinkat(names, name, id, CONTAINER_ID_LEN + 1);

	if (n < 0)
		return -errno;
	if (n != CONTAINER_ID_LEN)
		return -EBADMSG;
	id[n] = 0;
	return hex_valid(id, CONTAINER_ID_LEN) ? 0 : -EBADMSG;
}

static bool id_exists(int all, const char *id)
{
	return faccessat(all, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Turns what a person typed into an id: a whole id, then a name, then a unique start of an id, as docker does. */
static int resolve(int all, const char *ref, char id[static CONTAINER_ID_LEN + 1], struct error *e)
{
	_cleanup_close_ int names = -1;
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_free_ char *safe = str_escape(ref);
	size_t n = strlen(ref), found = 0;
	struct dirent *de;

	if (hex_valid(ref, n) && n == CONTAINER_ID_LEN && id_exists(all, ref)) {
		memcpy(id, ref, n + 1);
		return 0;
	}
	if (container_name_check(ref, NULL) == 0) {
		names = home_data_dir("names", e);
		if (names < 0)
			return names;
		if (name_read(names, ref, id) == 0 && id_exists(all, id))
			return 0;
	}
	if (n > 0 && n < CONTAINER_ID_LEN && hex_valid(ref, n)) {
		d = open_all(all);
		if (!d)
			return error_errno(e, errno, "cannot read %s/containers", home_data_path(NULL));
		while ((de = readdir(d))) {
			if (!hex_valid(de->d_name, CONTAINER_ID_LEN) || strncmp(de->d_name, ref, n) != 0)
				continue;
			if (found++ == 0)
				memcpy(id, de->d_name, CONTAINER_ID_LEN + 1);
		}
		if (found > 1)
			return error_set(e, EEXIST, "%s: %zu containers have an id that begins so", safe, found);
	}
	if (found == 0)
		return error_set(e, ENOENT, "no such container: %s", safe);
	return 0;
}

int container_find(const char *ref, struct container *out, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("containers", e);
	_cleanup_(cleanup_container) struct container c;
	_cleanup_free_ char *safe = str_escape(ref);
	char id[CONTAINER_ID_LEN + 1];
	struct error own;
	bool half;
	int r;

	container_init(&c);
	container_init(out);
	if (!e)
		e = &own;
	*e = (struct error){ 0 };
	if (all < 0)
		return all;
	r = resolve(all, ref, id, e);
	if (r < 0)
		return r;
	r = open_id(all, id, &c, &half, e);
	if (r == -ENOENT)
		return error_set(e, ENOENT, "no such container: %s", safe);
	if (r < 0)
		return r;
	r = container_refresh(&c, e);
	if (r < 0)
		return r;
	*out = c;
	container_init(&c);
	return 0;
}

/* Removes what a crash left of a container that was never whole, or no longer is. */
static void sweep(int all, const char *id)
{
	_cleanup_close_ int names = -1, lock = -1, dir = -1;
	_cleanup_closedir_ DIR *d = NULL;
	char target[CONTAINER_ID_LEN + 1];
	struct dirent *de;

	lock = lock_take(id, false, NULL);
	if (lock < 0)
		return;
	dir = openat(all, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0 && faccessat(dir, "config.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	names = home_data_dir("names", NULL);
	d = names < 0 ? NULL : open_all(names);
	while (d && (de = readdir(d)))
		if (name_read(names, de->d_name, target) == 0 && streq(target, id))
			unlinkat(names, de->d_name, 0);
	path_remove_tree(all, id);
	runtime_remove(id);
	ids_sweep();
}

/* Runtime folders of containers that a crash kept from being made, or from being removed to the end. */
static void sweep_run(int all)
{
	_cleanup_closedir_ DIR *d = NULL;
	int run = home_run(NULL);
	struct dirent *de;

	d = run < 0 ? NULL : open_all(run);
	while (d && (de = readdir(d)))
		if (hex_valid(de->d_name, CONTAINER_ID_LEN) && !id_exists(all, de->d_name))
			sweep(all, de->d_name);
}

static int newest_first(const void *a, const void *b)
{
	const struct container *x = a, *y = b;

	if (x->config.created_ns != y->config.created_ns)
		return x->config.created_ns < y->config.created_ns ? 1 : -1;
	return strcmp(x->config.id, y->config.id);
}

/* One that cannot be read is listed, so that a person sees it; its state says what is wrong. */
static void make_unreadable(struct container *c, const char *id, const struct error *why)
{
	container_init(c);
	memcpy(c->config.id, id, CONTAINER_ID_LEN + 1);
	c->config.name = xstrndup(id, 12);
	c->config.network = xstrdup("none");
	c->state.status = ST_DEAD;
	c->state.error = xstrdup(why->text);
}

int container_list(struct container **out, size_t *n, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("containers", e);
	_cleanup_closedir_ DIR *d = NULL;
	struct container *list = NULL;
	struct dirent *de;
	size_t used = 0, room = 0;

	*out = NULL;
	*n = 0;
	if (all < 0)
		return all;
	d = open_all(all);
	if (!d)
		return error_errno(e, errno, "cannot read %s/containers", home_data_path(NULL));
	while ((de = readdir(d))) {
		struct error why = { 0 };
		struct container c;
		bool half;
		int r;

		if (!hex_valid(de->d_name, CONTAINER_ID_LEN))
			continue;
		r = open_id(all, de->d_name, &c, &half, &why);
		if (half)
			sweep(all, de->d_name);
		if (r == -ENOENT)
			continue; /* removed, or not made yet */
		if (r == 0) {
			r = container_refresh(&c, &why);
			if (r < 0)
				container_free(&c);
			if (r == -ENOENT)
				continue;
		}
		if (r < 0)
			make_unreadable(&c, de->d_name, &why);
		if (used == room) {
			room = room ? room * 2 : 16;
			list = xrealloc(list, room, sizeof(*list));
		}
		list[used++] = c;
	}
	sweep_run(all);
	if (used > 1)
		qsort(list, used, sizeof(*list), newest_first);
	*out = list;
	*n = used;
	return 0;
}
