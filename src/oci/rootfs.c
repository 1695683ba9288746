/* SPDX-License-Identifier: Apache-2.0 */
/* The root file system: made a mount of its own, filled, entered. */
#include "oci/rootfs.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/mount.h"
#include "confine/sys.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* mountinfo's mount point of the mount that `fd` is on, proc_pid_mountinfo(5); the caller frees. */
static char *mount_point(int fd)
{
	_cleanup_free_ char *text = NULL;
	struct statx sx;
	char *line, *rest;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ||
	    file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL) < 0)
		return NULL;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long id;
		char target[4096];

		if (sscanf(line, "%llu %*u %*s %*s %4095s", &id, target) == 2 && id == sx.stx_mnt_id)
			return xstrdup(target);
	}
	return NULL;
}

/* pivot_root(2) refuses a new root below a shared mount. */
static int parent_private(int fd, struct error *e)
{
	_cleanup_free_ char *at = mount_point(fd);

	if (!at || mount(NULL, at, NULL, MS_PRIVATE, NULL) < 0)
		return error_errno(e, at ? errno : ENOENT, "cannot make the mount below the root private");
	return 0;
}

static int open_null(struct oci_setup *s, struct error *e)
{
	struct stat st;

	s->null_fd = open("/dev/null", O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (s->null_fd < 0 || fstat(s->null_fd, &st) < 0)
		return error_errno(e, errno, "/dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return error_set(e, ENODEV, "/dev/null of the host is not the device 1:3");
	return 0;
}

/* Never attached, so that nothing of the container can be mounted over it; its type is checked (CVE-2019-16884). */
static int open_proc(struct oci_setup *s, struct error *e)
{
	struct statfs fs;
	struct error none = { 0 };

	s->proc_fd = oci_new_fs("proc", "proc", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &none);
	if (s->proc_fd < 0)
		s->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); /* a user with the host's pids: the host's own */
	if (s->proc_fd < 0 || fstatfs(s->proc_fd, &fs) < 0)
		return error_errno(e, errno, "/proc");
	return fs.f_type == PROC_SUPER_MAGIC ? 0 : error_set(e, EINVAL, "/proc is no procfs");
}

int oci_rootfs_open(struct oci_setup *s, struct error *e)
{
	unsigned long flags = s->cfg->rootfs_propagation ? s->cfg->rootfs_propagation : MS_SLAVE | MS_REC;
	struct mount_attr apart = { .propagation = MS_PRIVATE };
	_cleanup_free_ char *safe = str_escape(s->rootfs);
	_cleanup_close_ int at = -1;
	int r;

	/* What is unbindable cannot be cloned below: it becomes so when the root stands (oci_rootfs_enter). */
	if (flags & MS_UNBINDABLE)
		flags = MS_PRIVATE | MS_REC;
	if (!s->detached && mount(NULL, "/", NULL, flags, NULL) < 0)
		return error_errno(e, errno, "propagation of the mounts");
	at = open(s->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return error_errno(e, errno, "root.path %s", safe);
	if (!s->detached && (flags & MS_SHARED) && (r = parent_private(at, e)) < 0)
		return r;
	s->root_fd = sys_open_tree(at, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
	if (s->root_fd < 0)
		return error_errno(e, errno, "root.path %s", safe);
	/* A copy of what is shared would be shared too. */
	if (s->detached)
		r = sys_mount_setattr(s->root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &apart) < 0 ? error_errno(e, errno, "propagation") : 0;
	else
		r = mount_attach(s->root_fd, at, e);
	if (r < 0)
		return error_wrap(e, "root.path %s", safe);
	r = open_null(s, e);
	return r < 0 ? r : open_proc(s, e);
}

int oci_rootfs_fill(struct oci_setup *s, struct error *e)
{
	int r = oci_mounts_all(s, e);

	if (r == 0)
		r = oci_dev_all(s, e);
	if (r == 0)
		r = oci_paths_all(s, e);
	return r;
}

static int pivot(struct error *e)
{
	if (sys_pivot_root(".", ".") < 0)
		return error_errno(e, errno, "pivot_root");
	/* The old root now lies over the new one at "/"; what is unmounted there shall not be unmounted for others. */
	if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return error_errno(e, errno, "cannot let go of the old root");
	return umount2(".", MNT_DETACH) < 0 ? error_errno(e, errno, "cannot leave the old root") : 0;
}

/* For a root that pivot_root cannot take (an initramfs): it is moved over "/" (--no-pivot). */
static int move(struct error *e)
{
	if (sys_move_mount(AT_FDCWD, ".", AT_FDCWD, "/", 0) < 0)
		return error_errno(e, errno, "cannot move the root");
	return chroot(".") < 0 ? error_errno(e, errno, "chroot") : 0;
}

/* The mount namespace is entered last, its root is not looked at. */
static int enter_detached(struct oci_setup *s, struct error *e)
{
	unsigned long flags = s->cfg->rootfs_propagation;
	struct mount_attr attr = { .propagation = flags & ~(unsigned long)MS_REC };

	if (flags && sys_mount_setattr(s->root_fd, "", AT_EMPTY_PATH | (flags & MS_REC ? AT_RECURSIVE : 0), &attr) < 0)
		return error_errno(e, errno, "linux.rootfsPropagation");
	if (s->mnt_ns >= 0 && setns(s->mnt_ns, CLONE_NEWNS) < 0)
		return error_errno(e, errno, "linux.namespaces: cannot enter %s", s->cfg->ns[OCI_NS_MOUNT].path);
	return fchdir(s->root_fd) < 0 || chroot(".") < 0 ? error_errno(e, errno, "chroot") : 0;
}

int oci_rootfs_enter(struct oci_setup *s, struct error *e)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int r;

	if (s->cfg->root_readonly && sys_mount_setattr(s->root_fd, "", AT_EMPTY_PATH, &ro) < 0)
		return error_errno(e, errno, "cannot make the root read-only");
	if (s->detached)
		return enter_detached(s, e);
	if (fchdir(s->root_fd) < 0)
		return error_errno(e, errno, "root");
	r = s->no_pivot ? move(e) : pivot(e);
	if (r < 0)
		return r;
	if (chdir("/") < 0)
		return error_errno(e, errno, "chdir /");
	if (s->cfg->rootfs_propagation && mount(NULL, "/", NULL, s->cfg->rootfs_propagation, NULL) < 0)
		return error_errno(e, errno, "linux.rootfsPropagation");
	return 0;
}
