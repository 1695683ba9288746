/* SPDX-License-Identifier: Apache-2.0 */
/* /dev: six nodes of the host, each checked by its numbers, a devpts, shm and message queues of its own. */
#include "confine/mount.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "confine/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum { PTYS_MAX = 256, GID_TTY = 5 };

const struct mount_device mount_devices[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 },   { "full", 1, 7 }, { "random", 1, 8 },
	{ "urandom", 1, 9 }, { "tty", 5, 0 }, { NULL, 0, 0 },
};

static const struct {
	const char *name, *to;
} links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

/* A detached mount of the host's node; what stands at that name must be that device and no link (R3). */
static int open_device(const struct mount_device *d, struct error *e)
{
	_cleanup_close_ int m = -1;
	char path[32];
	struct stat st;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };

	snprintf(path, sizeof(path), "/dev/%s", d->name);
	m = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
	if (m < 0)
		return error_errno(e, errno, "%s", path);
	if (fstat(m, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(d->major, d->minor))
		return error_set(e, ENODEV, "%s is not the device %u:%u", path, d->major, d->minor);
	if (sys_mount_setattr(m, "", AT_EMPTY_PATH, &attr) < 0)
		return error_errno(e, errno, "%s: mount_setattr", path);
	return steal_fd(&m);
}

static int add_device(int dev, const struct mount_device *d, struct error *e)
{
	_cleanup_close_ int m = open_device(d, e), at = -1;

	if (m < 0)
		return m;
	at = openat(dev, d->name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (at < 0)
		return error_errno(e, errno, "/dev/%s", d->name);
	return mount_attach(m, at, e);
}

/* A file system at a folder of /dev. */
static int add_fs(int dev, const char *name, const char *fs, const char *options, unsigned attrs, struct error *e)
{
	_cleanup_close_ int m = -1, at = -1;
	int r;

	if (mkdirat(dev, name, 0755) < 0)
		return error_errno(e, errno, "/dev/%s", name);
	at = openat(dev, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return error_errno(e, errno, "/dev/%s", name);
	m = mount_new(fs, options, attrs, e);
	if (m < 0)
		return error_wrap(e, "/dev/%s", name);
	r = mount_attach(m, at, e);
	return r < 0 ? r : steal_fd(&m);
}

/*
 * The terminal by descriptor alone: its inner side is asked from the outer one (TIOCGPTPEER), so that no path in the
 * container is followed (R4).
 */
int mount_terminal(struct launch *l, int pts, struct error *e)
{
	const struct spec *s = l->plan->spec;
	int zero = 0;

	l->ptmx_fd = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	if (l->ptmx_fd < 0)
		return error_errno(e, errno, "cannot open a terminal");
	if (ioctl(l->ptmx_fd, TIOCSPTLCK, &zero) < 0)
		return error_errno(e, errno, "cannot unlock the terminal");
	l->tty_fd = ioctl(l->ptmx_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (l->tty_fd < 0)
		return error_errno(e, errno, "TIOCGPTPEER");
	if (fchown(l->tty_fd, s->uid, (gid_t)-1) < 0)
		return error_errno(e, errno, "cannot give the terminal to uid %u", s->uid);
	return 0;
}

/* The terminal is shown at /dev/console too. */
static int add_console(struct launch *l, int dev, struct error *e)
{
	_cleanup_close_ int at = -1, m = -1;

	at = openat(dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (at < 0)
		return error_errno(e, errno, "/dev/console");
	m = mount_clone(l->tty_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false, e);
	return m < 0 ? error_wrap(e, "/dev/console") : mount_attach(m, at, e);
}

static const char *shm_options(const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (streq(s->mounts[i].target, "/dev/shm"))
			return s->mounts[i].data;
	return "mode=1777,size=64m";
}

int mount_dev(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	_cleanup_close_ int m = -1, at = -1, pts = -1, shm = -1, queue = -1;
	char options[96];
	int r;

	at = path_mkdirs_in(l->root_fd, "dev", 0755);
	if (at < 0)
		return error_errno(e, at, "/dev of the image");
	m = mount_new("tmpfs", "mode=0755,size=64k,nr_inodes=256", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV,
		      e);
	if (m < 0)
		return m;
	r = mount_attach(m, at, e);
	if (r < 0)
		return error_wrap(e, "/dev");
	for (const struct mount_device *d = mount_devices; d->name; d++) {
		r = add_device(m, d, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].to, m, links[i].name) < 0)
			return error_errno(e, errno, "/dev/%s", links[i].name);
	snprintf(options, sizeof(options), "mode=0620,ptmxmode=0666,max=%d%s", PTYS_MAX,
		 spec_host_id(s->gidmap, s->n_gidmap, GID_TTY) >= 0 ? ",gid=5" : "");
	/* Without nodev: its nodes are the terminals, and nothing else can be made in it. */
	pts = add_fs(m, "pts", "devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
	if (pts < 0)
		return pts;
	shm = add_fs(m, "shm", "tmpfs", shm_options(s), MOUNT_BASE | MOUNT_ATTR_NOEXEC, e);
	if (shm < 0)
		return shm;
	queue = add_fs(m, "mqueue", "mqueue", NULL, MOUNT_BASE | MOUNT_ATTR_NOEXEC, e);
	if (queue < 0)
		return queue;
	if (!s->terminal)
		return 0;
	r = mount_terminal(l, pts, e);
	return r < 0 ? r : add_console(l, m, e);
}
