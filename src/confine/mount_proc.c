/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc of the new pid namespace. What is not about the container's own processes is hidden unless it is on a short list:
 * interrupts, kernel symbols, timers, keys and the rest tell about the host and about neighbours (R26, A15). A name that
 * a newer kernel adds is hidden until somebody adds it here.
 */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

/* What run-times, init programs and monitoring read; each is a sum over the machine, or about the reader itself. */
static const char *const allowed[] = {
	"cgroups", "cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "net", "pressure", "self", "stat",
	"swaps", "sys", "sysvipc", "thread-self", "uptime", "version", "vmstat",
};

bool mount_proc_allowed(const char *name)
{
	if (name[0] >= '1' && name[0] <= '9')
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (streq(allowed[i], name))
			return true;
	return false;
}

struct masks {
	int null_fd, empty_fd; /* what covers a file and a folder: mounts on the stage, "null" and "empty" there */
};

/* The host's verified /dev/null, read-only and without its device (MOUNT_BASE), over a file of the stage. */
static int masks_null(struct launch *l, struct masks *k, struct error *e)
{
	_cleanup_close_ int host = open("/dev/null", O_PATH | O_CLOEXEC | O_NOFOLLOW), at = -1, m = -1;
	struct stat st;
	int r;

	if (host < 0 || fstat(host, &st) < 0)
		return error_errno(e, errno, "/dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return error_set(e, ENODEV, "/dev/null of the host is not the device 1:3");
	at = openat(l->stage_fd, "null", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (at < 0)
		return error_errno(e, errno, "mask file");
	m = mount_clone(host, MOUNT_BASE | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, false, e);
	r = m < 0 ? m : mount_attach(m, at, e);
	if (r == 0)
		k->null_fd = steal_fd(&m);
	return r;
}

static int masks_empty(struct launch *l, struct masks *k, struct error *e)
{
	_cleanup_close_ int at = -1, m = -1;
	int r;

	if (mkdirat(l->stage_fd, "empty", 0555) < 0 && errno != EEXIST)
		return error_errno(e, errno, "mask folder");
	at = openat(l->stage_fd, "empty", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return error_errno(e, errno, "mask folder");
	m = mount_new("tmpfs", "mode=0555,size=4k,nr_inodes=1", MOUNT_BASE | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, e);
	r = m < 0 ? m : mount_attach(m, at, e);
	if (r == 0)
		k->empty_fd = steal_fd(&m);
	return r;
}

static int masks_open(struct launch *l, struct masks *k, struct error *e)
{
	int r = masks_null(l, k, e);

	return r < 0 ? r : masks_empty(l, k, e);
}

static int mask_one(const struct masks *k, int at, bool dir, struct error *e)
{
	/* A copy has the attributes of the mount that it is taken from. */
	_cleanup_close_ int m = mount_clone(dir ? k->empty_fd : k->null_fd, 0, false, e);

	return m < 0 ? m : mount_attach(m, at, e);
}

/*
 * One name of the procfs that lies at "proc" of the stage, where we stand. All three names are ours or procfs' own: one old bind
 * does here what takes four calls by descriptors. A bind copies the attributes of its source (mount_namespaces(7)).
 */
static int mask_name(const struct masks *k, int proc, const struct dirent *de, struct error *e)
{
	char target[sizeof("proc/") + sizeof(de->d_name)];

	if (de->d_type != DT_REG && de->d_type != DT_DIR) {
		_cleanup_close_ int at = openat(proc, de->d_name, O_PATH | O_CLOEXEC | O_NOFOLLOW);

		return at < 0 ? error_errno(e, errno, "open") : mask_one(k, at, false, e);
	}
	snprintf(target, sizeof(target), "proc/%s", de->d_name);
	if (mount(de->d_type == DT_DIR ? "empty" : "null", target, NULL, MS_BIND, NULL) < 0)
		return error_errno(e, errno, "mount");
	return 0;
}

static int mask_proc(struct launch *l, const struct masks *k, int proc, struct error *e)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int r = error_errno(e, errno, "/proc");

		cleanup_close(&fd);
		return r;
	}
	if (fchdir(l->stage_fd) < 0)
		return error_errno(e, errno, "stage");
	while ((de = readdir(d))) {
		int r;

		if (de->d_name[0] == '.' || mount_proc_allowed(de->d_name))
			continue;
		r = mask_name(k, proc, de, e);
		if (r < 0)
			return error_wrap(e, "cannot hide /proc/%s", de->d_name);
	}
	return 0;
}

/* Paths that the specification names beside; what does not exist needs no mask. */
static int mask_named(struct launch *l, const struct masks *k, struct error *e)
{
	const struct spec *s = l->plan->spec;

	strv_foreach(it, s->masked) {
		_cleanup_close_ int at = path_open_in(l->root_fd, *it, O_PATH, 0);
		struct stat st;
		int r;

		if (at == -ENOENT)
			continue;
		if (at < 0 || fstat(at, &st) < 0)
			return error_errno(e, at < 0 ? at : errno, "cannot hide %s", *it);
		r = mask_one(k, at, S_ISDIR(st.st_mode), e);
		if (r < 0)
			return error_wrap(e, "cannot hide %s", *it);
	}
	return 0;
}

static int make_read_only(int at, struct error *e)
{
	_cleanup_close_ int m = mount_clone(at, MOUNT_BASE | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, true, e);

	return m < 0 ? m : mount_attach(m, at, e);
}

/* A value in the container's own namespaces, written through our own procfs (R5). */
static int set_own(struct launch *l, const char *path, const char *value, bool must, struct error *e)
{
	int r = file_write(l->proc_fd, path, value);

	if (r < 0 && must)
		return error_errno(e, r, "cannot write /proc/%s", path);
	return 0;
}

/*
 * What is counted for the users of a user namespace is counted for its owner outside as well, who as an ordinary user is the
 * person: half of what the person has is left to the desktop (D09). inotify(7), Documentation/admin-guide/sysctl/user.rst.
 */
static int keep_inotify(struct launch *l, struct error *e)
{
	static const char *const pairs[][2] = {
		{ "sys/fs/inotify/max_user_instances", "sys/user/max_inotify_instances" },
		{ "sys/fs/inotify/max_user_watches", "sys/user/max_inotify_watches" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char host[24], half[24];
		int r = file_read_line(l->proc_fd, pairs[i][0], host, sizeof(host));

		if (r == -ENOENT) /* a kernel without inotify */
			continue;
		if (r < 0)
			return error_errno(e, r, "cannot read /proc/%s", pairs[i][0]);
		snprintf(half, sizeof(half), "%llu", strtoull(host, NULL, 10) / 2);
		r = set_own(l, pairs[i][1], half, true, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_sysctls(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	int r = 0;

	if (s->net != SPEC_NET_HOST && s->net != SPEC_NET_JOIN) {
		/* In a network namespace of its own every port is the container's: no capability needed for 80. */
		set_own(l, "sys/net/ipv4/ip_unprivileged_port_start", "0", false, e);
		set_own(l, "sys/net/ipv4/ping_group_range", "0 65534", false, e);
	}
	strv_foreach(it, s->sysctl) {
		_cleanup_free_ char *path = xasprintf("sys/%s", *it);
		char *eq = strchr(path, '=');

		if (!eq)
			return error_set(e, EINVAL, "sysctl %s has no value", *it);
		*eq = 0;
		for (char *p = path + 4; *p; p++)
			if (*p == '.')
				*p = '/';
		r = set_own(l, path, eq + 1, true, e);
		if (r < 0)
			return r;
	}
	if (!spec_lowered(s, "rlimits", NULL))
		r = keep_inotify(l, e);
	/* A second lock on what seccomp refuses already: no user namespace below this one (A24). */
	if (r == 0 && !spec_lowered(s, "seccomp", "userns"))
		r = set_own(l, "sys/user/max_user_namespaces", "0", true, e);
	return r;
}

/*
 * Ours, for writes to /proc: on the stage, where nobody else is, so that nothing is mounted over it; with the stage it leaves
 * the mount namespace, and the descriptor stays. A detached mount's last close would wait for the kernel (RCU) instead.
 */
static int open_own(struct launch *l, struct error *e)
{
	_cleanup_close_ int m = mount_new("proc", NULL, MOUNT_BASE | MOUNT_ATTR_NOEXEC, e), at = -1;
	struct statfs fs;
	int r;

	if (m < 0)
		return m;
	if (fstatfs(m, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return error_set(e, EINVAL, "the new procfs is none");
	if (mkdirat(l->stage_fd, "own", 0555) < 0 && errno != EEXIST)
		return error_errno(e, errno, "stage");
	at = openat(l->stage_fd, "own", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return error_errno(e, errno, "stage");
	r = mount_attach(m, at, e);
	if (r == 0)
		l->proc_fd = steal_fd(&m);
	return r;
}

/* The container's: the same procfs once more, put together on the stage, then moved to its place with all its masks. */
static int open_shown(struct launch *l, bool writable, struct error *e)
{
	_cleanup_close_ int m = mount_clone(l->proc_fd, writable ? 0 : MOUNT_ATTR_RDONLY, false, e), at = -1;
	int r;

	if (m < 0)
		return m;
	if (mkdirat(l->stage_fd, "proc", 0555) < 0 && errno != EEXIST)
		return error_errno(e, errno, "stage");
	at = openat(l->stage_fd, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return error_errno(e, errno, "stage");
	r = mount_attach(m, at, e);
	return r < 0 ? r : steal_fd(&m);
}

int mount_proc(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	struct masks k = { -1, -1 };
	_cleanup_close_ int m = -1, at = -1, sys = -1;
	bool writable;
	int r;

	r = open_own(l, e);
	if (r < 0)
		return r;
	at = path_mkdirs_in(l->root_fd, "proc", 0555);
	if (at < 0)
		return error_errno(e, at, "/proc of the image");
	/* Read-only: nothing that a program needs is written there, and much of what broke engines was. */
	writable = spec_lowered(s, "landlock", "proc") || spec_lowered(s, "seccomp", "userns");
	m = open_shown(l, writable, e);
	if (m < 0)
		return m;
	r = masks_open(l, &k, e);
	if (r == 0 && !spec_lowered(s, "mounts", "masks"))
		r = mask_proc(l, &k, m, e);
	if (r == 0 && writable) {
		sys = openat(m, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = sys < 0 ? error_errno(e, errno, "/proc/sys") : make_read_only(sys, e);
	}
	if (r == 0 && (r = mount_attach(m, at, e)) < 0)
		error_wrap(e, "/proc");
	if (r == 0)
		r = mask_named(l, &k, e);
	if (r == 0)
		r = set_sysctls(l, e);
	cleanup_close(&k.null_fd);
	cleanup_close(&k.empty_fd);
	return r;
}
