/* SPDX-License-Identifier: Apache-2.0 */
/* The container's root: where it comes from, the overlay, and leaving the old root (pivot_root(2)). */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The kernel's own words about a failed fsconfig call stand in the context's log (fsopen(2)). */
static int fs_error(int fs, int err, struct error *e, const char *what)
{
	char log[256];
	ssize_t n = read(fs, log, sizeof(log) - 1);

	if (n <= 0)
		return error_errno(e, err, "%s", what);
	while (n > 0 && log[n - 1] == '\n')
		n--;
	log[n] = 0;
	return error_set(e, err, "%s: %s", what, n > 2 && log[1] == ' ' ? log + 2 : log);
}

int mount_new(const char *fs, const char *options, unsigned attrs, struct error *e)
{
	_cleanup_close_ int ctx = sys_fsopen(fs);
	_cleanup_free_ char *copy = xstrdup(options ? options : "");
	char *p = copy, *word;
	int mnt;

	if (ctx < 0)
		return error_errno(e, errno, "cannot make a %s", fs);
	while ((word = strsep(&p, ","))) {
		char *eq = strchr(word, '=');
		int r;

		if (!*word)
			continue;
		if (eq)
			*eq = 0;
		r = eq ? sys_fsconfig(ctx, FSCONFIG_SET_STRING, word, eq + 1, 0) :
			 sys_fsconfig(ctx, FSCONFIG_SET_FLAG, word, NULL, 0);
		if (r < 0) {
			_cleanup_free_ char *safe = str_escape(word);
			int err = errno;

			fs_error(ctx, err, e, fs);
			return error_wrap(e, "option \"%s\"", safe);
		}
	}
	if (sys_fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(ctx, errno, e, fs);
	mnt = sys_fsmount(ctx, attrs);
	return mnt < 0 ? error_errno(e, errno, "fsmount %s", fs) : mnt;
}

int mount_attach(int mount_fd, int at, struct error *e)
{
	if (sys_move_mount(mount_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(e, errno, "move_mount");
	return 0;
}

int mount_clone(int fd, uint64_t attrs, bool recursive, struct error *e)
{
	_cleanup_close_ int m =
		sys_open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
	struct mount_attr attr = { .attr_set = attrs };

	if (m < 0)
		return error_errno(e, errno, "open_tree");
	if (attrs && sys_mount_setattr(m, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr) < 0)
		return error_errno(e, errno, "mount_setattr");
	return steal_fd(&m);
}

static size_t count_binds(const struct spec *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_mounts; i++)
		n += streq(s->mounts[i].fstype, "bind");
	return n;
}

static void sources_new(struct launch *l)
{
	l->n_sources = 3 + count_binds(l->plan->spec);
	l->sources = xcalloc(l->n_sources, sizeof(int));
	for (size_t i = 0; i < l->n_sources; i++)
		l->sources[i] = -1;
}

/*
 * The same place in our mount namespace: a descriptor from before clone3 belongs to a mount of the old namespace, which
 * overlayfs and open_tree refuse. It is opened again by its kernel-given name and compared by inode.
 */
static int reopen(int fd, struct error *e)
{
	_cleanup_close_ int again = -1;
	char link[32], path[PATH_MAX];
	struct stat a, b;
	ssize_t n;

	path_of_fd(fd, link);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return error_errno(e, errno, "%s", link);
	path[n] = 0;
	again = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (again < 0)
		return error_errno(e, errno, "%s", path);
	if (fstat(fd, &a) < 0 || fstat(again, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return error_set(e, ESTALE, "%s was changed while the container started", path);
	return steal_fd(&again);
}

int mount_sources_early(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	int own[3] = { s->root.lower_fd, s->root.data_fd, s->root.rw_fd };
	size_t at = 3;

	sources_new(l);
	for (int i = 0; i < 3; i++) {
		if (own[i] < 0)
			continue;
		l->sources[i] = reopen(own[i], e);
		if (l->sources[i] < 0)
			return l->sources[i];
	}
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		int fd;

		if (!streq(m->fstype, "bind"))
			continue;
		fd = m->fd >= 0 ? reopen(m->fd, e) : open(m->source, O_PATH | O_CLOEXEC);
		if (fd < 0) {
			if (m->fd < 0)
				error_errno(e, errno, "cannot open %s", m->source);
			return error_wrap(e, "mount at %s", m->target);
		}
		l->sources[at++] = fd;
	}
	return 0;
}

static int detach(int fd, bool recursive, int userns, uint64_t attrs, struct error *e)
{
	_cleanup_close_ int m = mount_clone(fd, attrs, recursive, e);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (m < 0 || userns < 0)
		return steal_fd(&m);
	attr.userns_fd = (uint64_t)userns;
	if (sys_mount_setattr(m, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr) < 0)
		return error_errno(e, errno, "cannot idmap the mount");
	return steal_fd(&m);
}

int mount_sources_outside(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	_cleanup_close_ int userns = -1;
	char path[40];
	size_t at = 3;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", l->pid);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return error_errno(e, errno, "%s", path);
	sources_new(l);
	if (s->root.lower_fd >= 0) {
		l->sources[0] = detach(s->root.lower_fd, false, userns, 0, e);
		if (l->sources[0] < 0)
			return error_wrap(e, "root file system");
	}
	if (s->root.data_fd >= 0 && (l->sources[1] = detach(s->root.data_fd, false, -1, 0, e)) < 0)
		return error_wrap(e, "objects");
	if (s->root.rw_fd >= 0 && (l->sources[2] = detach(s->root.rw_fd, false, -1, 0, e)) < 0)
		return error_wrap(e, "writable layer");
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		_cleanup_close_ int opened = -1;
		int fd, r;

		if (!streq(m->fstype, "bind"))
			continue;
		fd = m->fd;
		if (fd < 0) {
			opened = fd = open(m->source, O_PATH | O_CLOEXEC);
			if (fd < 0) {
				error_errno(e, errno, "cannot open %s", m->source);
				return error_wrap(e, "mount at %s", m->target);
			}
		}
		r = detach(fd, m->recursive, m->idmap ? userns : -1, 0, e);
		/* A file system that cannot be idmapped shows its files as nobody's: safe, so not worth a failure. */
		if (r == -EINVAL && m->idmap)
			r = detach(fd, m->recursive, -1, 0, e);
		if (r < 0)
			return error_wrap(e, "mount at %s", m->target);
		l->sources[at++] = r;
	}
	return 0;
}

/* The first folder of the old root that exists: what we mount there is seen by nobody but us, and soon gone. */
static int cover_place(void)
{
	static const char *const places[] = { "/usr", "/etc", "/var", "/mnt", "/tmp", "/proc" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

/* Names on the stage: "s0" is lower, "s1" data, "s2" the writable layer, from "s3" on the binds. */
int mount_keep_sources(struct launch *l, struct error *e)
{
	for (size_t i = 0; i < l->n_sources; i++) {
		_cleanup_close_ int at = -1;
		char name[24];
		struct stat st;
		int r;

		if (l->sources[i] < 0)
			continue;
		snprintf(name, sizeof(name), "s%zu", i);
		if (fstat(l->sources[i], &st) < 0)
			return error_errno(e, errno, "source %zu", i);
		if (S_ISDIR(st.st_mode) ? mkdirat(l->stage_fd, name, 0755) < 0 :
					  mknodat(l->stage_fd, name, S_IFREG | 0444, 0) < 0)
			return error_errno(e, errno, "stage");
		at = openat(l->stage_fd, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (at < 0)
			return error_errno(e, errno, "stage");
		r = mount_attach(l->sources[i], at, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int mount_stage_again(struct launch *l, struct error *e)
{
	size_t n = 3 + count_binds(l->plan->spec);

	cleanup_close(&l->stage_fd);
	l->stage_fd = cover_place();
	if (l->stage_fd < 0)
		return error_errno(e, l->stage_fd, "stage");
	for (size_t i = 0; i < l->n_sources; i++)
		cleanup_close(&l->sources[i]);
	free(l->sources);
	l->sources = xcalloc(n, sizeof(int));
	l->n_sources = n;
	l->sources_detached = false;
	for (size_t i = 0; i < n; i++) {
		char name[24];

		snprintf(name, sizeof(name), "s%zu", i);
		l->sources[i] = openat(l->stage_fd, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (l->sources[i] < 0 && errno != ENOENT)
			return error_errno(e, errno, "stage");
	}
	return 0;
}

int mount_stage(struct launch *l, struct error *e)
{
	_cleanup_close_ int place = -1, m = -1;
	int r;

	if (l->staged)
		return mount_stage_again(l, e);
	place = cover_place();

	if (place < 0)
		return error_errno(e, place, "no folder to build the root on");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(e, errno, "cannot make the mounts private");
	m = mount_new("tmpfs", "size=16m,mode=0755", MOUNT_BASE, e);
	if (m < 0)
		return m;
	r = mount_attach(m, place, e);
	if (r < 0)
		return r;
	l->stage_fd = steal_fd(&m); /* the mount's root, wherever it is attached */
	return 0;
}

static int stage_dir(struct launch *l, const char *name, struct error *e)
{
	int fd;

	if (mkdirat(l->stage_fd, name, 0755) < 0 && errno != EEXIST)
		return error_errno(e, errno, "mkdir %s", name);
	fd = openat(l->stage_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_errno(e, errno, "open %s", name) : fd;
}

/*
 * Overlayfs takes only what is mounted in our own namespace, and shows the names of its layers in /proc/mounts to whoever is
 * inside: they are mounted on the stage first, so that no name of the host's is seen.
 */
static int attach_source(struct launch *l, int i, const char *name, struct error *e)
{
	_cleanup_close_ int at = -1, copy = -1;
	int r;

	if (l->sources[i] < 0)
		return 0;
	at = stage_dir(l, name, e);
	if (at < 0)
		return at;
	if (!l->sources_detached) {
		copy = mount_clone(l->sources[i], 0, true, e);
		if (copy < 0)
			return error_wrap(e, "%s", name);
		close(l->sources[i]);
		l->sources[i] = steal_fd(&copy);
	}
	r = mount_attach(l->sources[i], at, e);
	return r < 0 ? error_wrap(e, "%s", name) : 0;
}

static int set_layer(int ctx, const char *key, const char *old_key, int fd, struct error *e)
{
	char link[32];

	if (sys_fsconfig(ctx, FSCONFIG_SET_FD, key, NULL, fd) == 0)
		return 0;
	/* Before 6.13 overlayfs takes names only; /proc of the old root is still there. */
	path_of_fd(fd, link);
	if (sys_fsconfig(ctx, FSCONFIG_SET_STRING, key, link, 0) == 0)
		return 0;
	if (old_key && sys_fsconfig(ctx, FSCONFIG_SET_STRING, old_key, link, 0) == 0)
		return 0;
	return fs_error(ctx, errno, e, key);
}

static int make_overlay(struct launch *l, int upper, int work, struct error *e)
{
	_cleanup_close_ int ctx = sys_fsopen("overlay");
	int m, r;

	if (ctx < 0)
		return error_errno(e, errno, "overlayfs");
	if (sys_fsconfig(ctx, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return fs_error(ctx, errno, e, "overlayfs userxattr");
	/*
	 * Else its unmounting, which is the end of pid 1, waits until the host's whole file system is synced (ovl_sync_fs());
	 * overlayfs.rst, "Volatile mount".
	 */
	if (l->plan->spec->root.discard && sys_fsconfig(ctx, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return fs_error(ctx, errno, e, "overlayfs volatile");
	/* Before 6.5 a name that is not known is refused at the end only, and told to the kernel's log. */
	r = set_layer(ctx, l->sources[1] >= 0 ? "lowerdir+" : "lowerdir", "lowerdir", l->sources[0], e);
	if (r == 0 && l->sources[1] >= 0)
		r = set_layer(ctx, "datadir+", NULL, l->sources[1], e);
	if (r == 0)
		r = set_layer(ctx, "upperdir", NULL, upper, e);
	if (r == 0)
		r = set_layer(ctx, "workdir", NULL, work, e);
	if (r < 0)
		return r;
	if (sys_fsconfig(ctx, FSCONFIG_SET_STRING, "source", "brig", 0) < 0 ||
	    sys_fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(ctx, errno, e, "overlayfs");
	m = sys_fsmount(ctx, MOUNT_BASE);
	return m < 0 ? error_errno(e, errno, "fsmount overlay") : m;
}

/*
 * "up" and "work" below `dir`, made by container root, whose ids they then have. A layer that was mounted volatile is marked, and
 * overlayfs takes it a second time only without that mark; after a power cut, which the mark is about, it is not started again.
 */
static int open_layer_dirs(int dir, int *upper, int *work, struct error *e)
{
	if (mkdirat(dir, "up", 0755) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make the writable layer");
	if (mkdirat(dir, "work", 0700) < 0) {
		if (errno != EEXIST)
			return error_errno(e, errno, "cannot make the writable layer");
		unlinkat(dir, "work/work/incompat/volatile", AT_REMOVEDIR);
		unlinkat(dir, "work/work/incompat", AT_REMOVEDIR);
	}
	*upper = openat(dir, "up", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	*work = openat(dir, "work", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*upper < 0 || *work < 0)
		return error_errno(e, errno, "cannot open the writable layer");
	return 0;
}

static int writable_layer(struct launch *l, int *upper, int *work, struct error *e)
{
	const struct spec_root *root = &l->plan->spec->root;
	_cleanup_close_ int at = -1, m = -1;
	char options[64];
	int r;

	if (!root->read_only && root->tmpfs_size == 0)
		return open_layer_dirs(l->sources[2], upper, work, e);
	/* With --read-only it lives only while mount points are made; then the root is made read-only. */
	at = stage_dir(l, "rw", e);
	if (at < 0)
		return at;
	snprintf(options, sizeof(options), "mode=0755,size=%llu",
		 root->read_only ? 1ULL << 20 : (unsigned long long)root->tmpfs_size);
	m = mount_new("tmpfs", options, MOUNT_BASE, e);
	if (m < 0)
		return m;
	r = mount_attach(m, at, e);
	return r < 0 ? r : open_layer_dirs(m, upper, work, e);
}

int mount_root(struct launch *l, struct error *e)
{
	_cleanup_close_ int upper = -1, work = -1, at = -1, m = -1;
	int r;

	r = attach_source(l, 0, "lower", e);
	if (r == 0)
		r = attach_source(l, 1, "data", e);
	if (r == 0)
		r = attach_source(l, 2, "layer", e);
	if (r == 0 && l->plan->spec->root.check)
		r = l->plan->spec->root.check(l->plan->spec->root.check_arg, l->sources[0], l->sources[1], e);
	if (r == 0)
		r = writable_layer(l, &upper, &work, e);
	if (r < 0)
		return r;
	m = make_overlay(l, upper, work, e);
	if (m < 0)
		return m;
	at = stage_dir(l, "root", e);
	if (at < 0)
		return at;
	r = mount_attach(m, at, e);
	if (r < 0)
		return r;
	l->root_fd = steal_fd(&m);
	return 0;
}

int mount_pivot(struct launch *l, struct error *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (l->plan->spec->root.read_only && sys_mount_setattr(l->root_fd, "", AT_EMPTY_PATH, &attr) < 0)
		return error_errno(e, errno, "cannot make the root read-only");
	if (fchdir(l->root_fd) < 0 || sys_pivot_root(".", ".") < 0)
		return error_errno(e, errno, "pivot_root");
	/* The old root now lies over the new one at "/"; taking it away leaves nothing of the host (R32). */
	if (umount2(".", MNT_DETACH) < 0)
		return error_errno(e, errno, "cannot leave the old root");
	if (chdir("/") < 0)
		return error_errno(e, errno, "chdir /");
	return 0;
}
