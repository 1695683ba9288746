/* SPDX-License-Identifier: Apache-2.0 */
/* /dev: the devices that every container has, those of linux.devices, the links, the terminal (config-linux.md). */
#include "oci/rootfs.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "confine/mount.h"
#include "confine/sys.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

static const struct oci_device standard[] = {
	{ .path = (char[]){ "/dev/null" }, .type = S_IFCHR, .major = 1, .minor = 3, .mode = 0666 },
	{ .path = (char[]){ "/dev/zero" }, .type = S_IFCHR, .major = 1, .minor = 5, .mode = 0666 },
	{ .path = (char[]){ "/dev/full" }, .type = S_IFCHR, .major = 1, .minor = 7, .mode = 0666 },
	{ .path = (char[]){ "/dev/random" }, .type = S_IFCHR, .major = 1, .minor = 8, .mode = 0666 },
	{ .path = (char[]){ "/dev/urandom" }, .type = S_IFCHR, .major = 1, .minor = 9, .mode = 0666 },
	{ .path = (char[]){ "/dev/tty" }, .type = S_IFCHR, .major = 5, .minor = 0, .mode = 0666 },
};

/* Splits "/a/b" and opens its folder, which is made where it is missing. */
static int open_parent(int root_fd, const char *path, const char **name, struct error *e)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = xstrndup(path, (size_t)(slash - path));
	int fd;

	*name = slash + 1;
	if (!path_is_part(*name))
		return error_set(e, EINVAL, "%s names no file", path);
	fd = path_mkdirs_in(root_fd, *dir ? dir : ".", 0755);
	return fd < 0 ? error_errno(e, fd, "folder of %s", path) : fd;
}

/* A user namespace cannot make devices: the host's node is shown instead, if it is that device. */
static int show_host(int dir, const char *name, const struct oci_device *d, struct error *e)
{
	_cleanup_close_ int host = open(d->path, O_PATH | O_CLOEXEC), at = -1, m = -1;
	struct stat st;

	if (host < 0 || fstat(host, &st) < 0)
		return error_errno(e, errno, "%s of the host", d->path);
	if ((st.st_mode & S_IFMT) != d->type || st.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor))
		return error_set(e, ENODEV, "%s of the host is another device", d->path);
	at = openat(dir, name, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (at < 0)
		return error_errno(e, errno, "%s", d->path);
	m = mount_clone(host, 0, false, e);
	return m < 0 ? m : mount_attach(m, at, e);
}

static int add_node(struct oci_setup *s, const struct oci_device *d, struct error *e)
{
	const char *name;
	_cleanup_close_ int dir = open_parent(s->root_fd, d->path, &name, e);
	dev_t dev = d->type == S_IFIFO ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
	struct stat st;

	if (dir < 0)
		return dir;
	if (mknodat(dir, name, d->type | d->mode, dev) == 0) {
		if (fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno(e, errno, "%s", d->path);
		return 0;
	}
	if (errno == EEXIST && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == d->type &&
	    st.st_rdev == dev)
		return 0;
	if (errno == EEXIST)
		return error_set(e, EEXIST, "%s is there already and is another file", d->path);
	if (errno == EPERM && d->type != S_IFIFO)
		return show_host(dir, name, d, e);
	return error_errno(e, errno, "%s", d->path);
}

static bool has_device(const struct oci_config *c, const char *path)
{
	for (size_t i = 0; i < c->n_devices; i++)
		if (streq(c->devices[i].path, path))
			return true;
	return false;
}

static int add_nodes(struct oci_setup *s, struct error *e)
{
	const struct oci_config *c = s->cfg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_devices; i++) {
		r = add_node(s, &c->devices[i], e);
		if (r < 0)
			error_wrap(e, "linux.devices[%zu]", i);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(standard); i++)
		if (!has_device(c, standard[i].path))
			r = add_node(s, &standard[i], e);
	return r;
}

static int add_link(int dev, const char *to, const char *name, bool replace, struct error *e)
{
	if (symlinkat(to, dev, name) == 0)
		return 0;
	if (errno == EEXIST && !replace)
		return 0;
	if (errno == EEXIST && unlinkat(dev, name, 0) == 0 && symlinkat(to, dev, name) == 0)
		return 0;
	return error_errno(e, errno, "/dev/%s", name);
}

static int add_links(int dev, struct error *e)
{
	int r = add_link(dev, "/proc/self/fd", "fd", false, e);

	if (r == 0)
		r = add_link(dev, "/proc/self/fd/0", "stdin", false, e);
	if (r == 0)
		r = add_link(dev, "/proc/self/fd/1", "stdout", false, e);
	if (r == 0)
		r = add_link(dev, "/proc/self/fd/2", "stderr", false, e);
	return r == 0 ? add_link(dev, "pts/ptmx", "ptmx", true, e) : r;
}

/*
 * By descriptor: the devpts is checked to be one, the inner side is asked from the outer one (TIOCGPTPEER), so that no link
 * of the image is followed.
 */
int oci_terminal_open(int root_fd, const struct oci_process *p, int *ptmx, int *tty, struct error *e)
{
	_cleanup_close_ int pts = path_open_in(root_fd, "dev/pts", O_PATH | O_DIRECTORY, 0);
	struct winsize size = { .ws_row = p->rows, .ws_col = p->columns };
	struct statfs fs;
	int zero = 0;

	if (pts < 0 || fstatfs(pts, &fs) < 0)
		return error_errno(e, pts < 0 ? pts : errno, "/dev/pts");
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return error_set(e, ENOTTY, "process.terminal: /dev/pts of the container is no devpts");
	*ptmx = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	if (*ptmx < 0)
		return error_errno(e, errno, "cannot open a terminal");
	if (ioctl(*ptmx, TIOCSPTLCK, &zero) < 0)
		return error_errno(e, errno, "cannot unlock the terminal");
	*tty = ioctl(*ptmx, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*tty < 0)
		return error_errno(e, errno, "TIOCGPTPEER");
	if ((size.ws_row || size.ws_col) && ioctl(*tty, TIOCSWINSZ, &size) < 0)
		return error_errno(e, errno, "process.consoleSize");
	if (fchown(*tty, p->uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL)
		return error_errno(e, errno, "cannot give the terminal to uid %u", p->uid);
	return 0;
}

static int add_console(struct oci_setup *s, int dev, struct error *e)
{
	_cleanup_close_ int at = openat(dev, "console", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0620);
	_cleanup_close_ int m = -1;

	if (at < 0)
		return error_errno(e, errno, "/dev/console");
	m = mount_clone(s->tty_fd, 0, false, e);
	return m < 0 ? error_wrap(e, "/dev/console") : mount_attach(m, at, e);
}

/* A /dev that the caller bound from elsewhere is not ours to fill. */
static bool dev_is_bound(const struct oci_config *c)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].bind && (streq(c->mounts[i].destination, "/dev") || streq(c->mounts[i].destination, "/dev/")))
			return true;
	return false;
}

int oci_dev_all(struct oci_setup *s, struct error *e)
{
	bool bound = dev_is_bound(s->cfg);
	_cleanup_close_ int dev = -1;
	int r = 0;

	if (bound && !s->cfg->process.terminal)
		return 0;
	dev = path_mkdirs_in(s->root_fd, "dev", 0755);
	if (dev < 0)
		return error_errno(e, dev, "/dev");
	if (!bound)
		r = add_nodes(s, e);
	if (r == 0 && !bound)
		r = add_links(dev, e);
	if (r < 0 || !s->cfg->process.terminal)
		return r;
	r = oci_terminal_open(s->root_fd, &s->cfg->process, &s->ptmx_fd, &s->tty_fd, e);
	return r < 0 || bound ? r : add_console(s, dev, e);
}
