/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes as folders: making, finding, listing, removing. */
#include "engine/volume.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "engine/events.h"
#include "engine/volume_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JSON_MAX = 1 << 20, TEMP_NAME = 32 };

char *volume_path(const char *name)
{
	return xasprintf("%s/volumes/%s/data", home_data_path(NULL), name);
}

/* A temporary name that a sweep recognises: ".new-..." or ".rm-...". */
static int temp_name(const char *what, char out[static TEMP_NAME], struct error *e)
{
	uint64_t rnd;

	if (getrandom(&rnd, sizeof(rnd), 0) != sizeof(rnd))
		return error_errno(e, errno, "no random bytes");
	snprintf(out, TEMP_NAME, ".%s-%016llx", what, (unsigned long long)rnd);
	return 0;
}

int volume_open(const char *name, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("volumes", e);
	int fd;

	if (all < 0)
		return all;
	if (volume_name_check(name, e) < 0)
		return -EINVAL;
	fd = openat(all, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return error_set(e, ENOENT, "no such volume: %s", name);
	return fd < 0 ? error_errno(e, errno, "volume %s", name) : fd;
}

int volume_lock(const char *name, struct error *e)
{
	for (int tries = 0; tries < 100; tries++) {
		_cleanup_close_ int fd = volume_open(name, e);
		struct stat st;

		if (fd < 0)
			return fd;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno(e, errno, "cannot lock volume %s", name);
		/* Whoever removes it renames it while the lock is held. */
		_cleanup_close_ int again = volume_open(name, NULL);
		struct stat now;
		if (again >= 0 && fstat(fd, &st) == 0 && fstat(again, &now) == 0 && st.st_ino == now.st_ino)
			return steal_fd(&fd);
	}
	return error_set(e, EAGAIN, "volume %s is made and removed again and again", name);
}

int volume_save(int dir, const struct volume *v, bool sync, struct error *e)
{
	_cleanup_json_ json_t *j = volume_json(v);
	int r = json_write(dir, "volume.json", j, 0600, sync, e);

	return r < 0 ? error_wrap(e, "volume %s", v->name) : 0;
}

int volume_load(int dir, const char *name, struct volume *v, struct error *e)
{
	_cleanup_json_ json_t *j = json_read(dir, "volume.json", JSON_MAX, e);
	int r = j ? volume_parse(j, v, e) : e ? e->code : -EIO;

	if (r == 0 && !streq(v->name, name)) {
		volume_free(v);
		r = error_set(e, EBADMSG, "volume.json: not the name of its folder");
	}
	return r < 0 ? error_wrap(e, "volume %s", name) : 0;
}

/* Fills the new folder `dir`, in which data/ belongs to us until the first container takes it. */
static int fill(int dir, const char *name, char *const *labels, bool anonymous, struct error *e)
{
	struct volume v = { .name = (char *)name, .created_ns = clock_now_ns(), .labels = (char **)labels,
			    .anonymous = anonymous };

	if (mkdirat(dir, "data", 0755) < 0 || fchmodat(dir, "data", 0755, 0) < 0)
		return error_errno(e, errno, "cannot make volume %s", name);
	return volume_save(dir, &v, !anonymous, e);
}

int volume_create(const char *name, char *const *labels, bool anonymous, bool *made, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("volumes", e), dir = -1;
	char temp[TEMP_NAME];
	int r;

	if (made)
		*made = false;
	if (all < 0)
		return all;
	r = volume_name_check(name, e);
	if (r < 0)
		return r;
	if (faccessat(all, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = temp_name("new", temp, e);
	if (r < 0)
		return r;
	if (mkdirat(all, temp, 0700) < 0)
		return error_errno(e, errno, "cannot make volume %s", name);
	dir = openat(all, temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = dir < 0 || flock(dir, LOCK_EX) < 0 ? error_errno(e, errno, "cannot make volume %s", name) : 0;
	if (r == 0)
		r = fill(dir, name, labels, anonymous, e);
	if (r == 0 && renameat2(all, temp, all, name, RENAME_NOREPLACE) < 0)
		r = errno == EEXIST ? -EEXIST : error_errno(e, errno, "cannot make volume %s", name);
	if (r < 0)
		path_remove_tree(all, temp);
	else if (made)
		*made = true;
	if (r == 0 && !anonymous)
		event_record("volume", name, name, "create", NULL, 0, NULL);
	return r == -EEXIST ? 0 : r; /* another process was faster, and it is the same volume */
}

int volume_find(const char *name, struct volume *out, struct error *e)
{
	_cleanup_close_ int dir = -1;
	struct error own = { 0 };
	int r;

	memset(out, 0, sizeof(*out));
	if (!e)
		e = &own;
	dir = volume_open(name, e);
	if (dir < 0)
		return dir;
	r = volume_load(dir, name, out, e);
	if (r == -ENOENT) /* removed between the two steps */
		return error_set(e, ENOENT, "no such volume: %s", name);
	return r;
}

/* --- listing ------------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct volume *)a)->name, ((const struct volume *)b)->name);
}

/* What a crash left. Somebody who is still making or removing it holds its lock. */
static void sweep(int all, const char *name)
{
	_cleanup_close_ int fd = openat(all, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		volume_delete_tree(all, name, NULL);
}

/* A volume that was to go with its container, which has gone. */
static bool is_over(const struct volume *v)
{
	_cleanup_close_ int all = v->auto_remove ? home_data_dir("containers", NULL) : -1;

	return all >= 0 && v->used_by[0] && faccessat(all, v->used_by, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

int volume_list(struct volume **out, size_t *n, char ***notes, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("volumes", e), fd = -1;
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	size_t room = 0;

	*out = NULL;
	*n = 0;
	if (all < 0)
		return all;
	fd = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return error_errno(e, errno, "cannot read %s/volumes", home_data_path(NULL));
	fd = -1;
	while ((de = readdir(d))) {
		struct error why = { 0 };
		struct volume v;
		int r;

		if (str_after(de->d_name, ".new-") || str_after(de->d_name, ".rm-"))
			sweep(all, de->d_name);
		if (volume_name_check(de->d_name, NULL) < 0)
			continue;
		r = volume_find(de->d_name, &v, &why);
		if (r < 0) {
			if (r != -ENOENT && notes)
				strv_add_copy(notes, why.text);
			continue;
		}
		if (is_over(&v) && volume_remove(v.name, NULL) == 0) {
			volume_free(&v);
			continue;
		}
		if (*n == room) {
			room = room ? room * 2 : 16;
			*out = xrealloc(*out, room, sizeof(**out));
		}
		(*out)[(*n)++] = v;
	}
	if (*n > 1)
		qsort(*out, *n, sizeof(**out), by_name);
	return 0;
}

void volume_sweep(void)
{
	struct volume *all = NULL;
	size_t n = 0;

	volume_list(&all, &n, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		volume_free(&all[i]);
	free(all);
}

/* --- use and removal ---------------------------------------------------------------------------------------------- */

static bool has_volume(const struct container_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (streq(c->mounts[i].type, "volume") && streq(c->mounts[i].source, name))
			return true;
	return false;
}

/* `except`: an id that does not count; NULL. */
static int users(const char *name, const char *except, char ***ids, struct error *e)
{
	struct container *list;
	size_t n;
	int r = container_list(&list, &n, e);

	*ids = NULL;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (has_volume(&list[i].config, name) && !streq(list[i].config.id, except))
			strv_add_copy(ids, list[i].config.id);
		container_free(&list[i]);
	}
	free(list);
	return 0;
}

int volume_users(const char *name, char ***ids, struct error *e)
{
	return users(name, NULL, ids, e);
}

static int in_use(const char *name, const char *id, size_t n, struct error *e)
{
	error_set(e, EBUSY, "volume %s is in use by %zu container%s: %.12s%s", name, n, n > 1 ? "s" : "", id,
		  n > 1 ? ", ..." : "");
	error_hint(e, "remove the container first: brig rm %.12s", id);
	return -EBUSY;
}

static int remove_volume(const char *name, const char *except, struct error *e)
{
	_cleanup_close_ int all = home_data_dir("volumes", e), dir = -1;
	_cleanup_strv_ char **found = NULL;
	char temp[TEMP_NAME];
	struct volume v;
	int r;

	if (all < 0)
		return all;
	/* Before the lock: looking at containers repairs some, which may remove volumes of theirs. */
	r = users(name, except, &found, e);
	if (r < 0)
		return r;
	dir = volume_lock(name, e);
	if (dir < 0)
		return dir;
	if (found)
		return in_use(name, found[0], strv_len(found), e);
	if (volume_load(dir, name, &v, NULL) == 0) {
		bool held = v.used_by[0] && !streq(v.used_by, except) && container_is_held(v.used_by);

		r = held ? in_use(name, v.used_by, 1, e) : 0;
		volume_free(&v);
		if (r < 0)
			return r;
	}
	r = temp_name("rm", temp, e);
	if (r < 0)
		return r;
	if (renameat(all, name, all, temp) < 0)
		return error_errno(e, errno, "cannot remove volume %s", name);
	r = volume_delete_tree(all, temp, e);
	if (r < 0)
		return error_wrap(e, "volume %s", name);
	event_record("volume", name, name, "destroy", NULL, 0, NULL);
	return 0;
}

int volume_remove(const char *name, struct error *e)
{
	return remove_volume(name, NULL, e);
}

int volume_drop_anonymous(const struct container_config *c, struct error *e)
{
	struct error own = { 0 };
	int result = 0;

	if (!home_is_root() && streq(c->slot, "raw"))
		return 0; /* root's: see volume.h */
	for (size_t i = 0; i < c->n_mounts; i++) {
		int r;

		if (!streq(c->mounts[i].type, "volume") || !c->mounts[i].anonymous)
			continue;
		r = remove_volume(c->mounts[i].source, c->id, &own);
		if (r < 0 && r != -ENOENT && r != -EBUSY && result == 0) {
			result = r;
			if (e)
				*e = own;
		}
	}
	return result;
}
