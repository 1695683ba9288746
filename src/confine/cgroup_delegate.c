/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving a user a part of the cgroup tree, where no systemd does (cgroup-v2.rst, "Delegation"). Only the folder becomes
 * the user's: the limits of the folder itself stay root's, so that an administrator can bound all containers of a user.
 */
#include "confine/cgroup_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* v2: also what lets its owner move processes below it and hand controllers down; /sys/kernel/cgroup/delegate. */
static const char *const v2_files[] = { "cgroup.procs", "cgroup.threads", "cgroup.subtree_control" };

static bool owned(int fd, const char *file, uid_t uid)
{
	struct stat st;

	return fstatat(fd, file, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == uid;
}

static bool given(enum cgroup_controller c, int fd, uid_t uid)
{
	if (!owned(fd, "", uid))
		return false;
	for (size_t i = 0; c == CG_V2 && i < ARRAY_SIZE(v2_files); i++)
		if (!owned(fd, v2_files[i], uid))
			return false;
	return true;
}

static int give(enum cgroup_controller c, int top, int fd, uid_t uid, gid_t gid)
{
	int r = 0;

	/* Not on v2: there the user's own session stands in this folder too, which may open more (/dev/net/tun, /dev/kvm). */
	if (c == CG_DEVICES)
		r = cgroup_devices_v1(fd);
	else if (c == CG_CPUSET)
		r = cgroup_cpuset_inherit(top, fd);
	for (size_t i = 0; r == 0 && c == CG_V2 && i < ARRAY_SIZE(v2_files); i++)
		if (fchownat(fd, v2_files[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			r = -errno;
	/* The folder last: it says that all is done. */
	if (r == 0 && (fchmodat(fd, ".", 0755, 0) < 0 || fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0))
		r = -errno;
	return r;
}

/* v2: a user joins only from within its own part, so what runs of the user now goes into a leaf there. */
static int move_processes(int fd, uid_t uid, gid_t gid, char ***done)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	_cleanup_close_ int leaf = -1;
	struct dirent *ent;
	int moved = 0;

	if (mkdirat(fd, "session", 0755) < 0 && errno != EEXIST)
		return -errno;
	leaf = openat(fd, "session", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (leaf < 0 || !proc)
		return -errno;
	if (fchownat(leaf, "", uid, gid, AT_EMPTY_PATH) < 0 ||
	    fchownat(leaf, "cgroup.procs", uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	while ((ent = readdir(proc))) {
		char path[300], place[512], own[64];
		_cleanup_free_ char *text = NULL;
		struct stat st;

		if (ent->d_name[0] < '1' || ent->d_name[0] > '9' ||
		    fstatat(dirfd(proc), ent->d_name, &st, 0) < 0 || st.st_uid != uid)
			continue;
		snprintf(path, sizeof(path), "%s/cgroup", ent->d_name);
		snprintf(own, sizeof(own), "/brig-user-%u", uid);
		if (file_read(dirfd(proc), path, 65536, &text, NULL) < 0 ||
		    cgroup_place(text, CG_V2, place, sizeof(place)) < 0 || str_after(place, own))
			continue;
		if (file_write(leaf, "cgroup.procs", ent->d_name) == 0)
			moved++;
	}
	if (moved)
		strv_add(done, xasprintf("moved %d running processes of the user into cgroup brig-user-%u/session", moved,
					 uid));
	return 0;
}

/* 1 when it was made, or with `check` has to be; 0 when it stands. */
static int delegate_one(enum cgroup_controller c, const char *name, uid_t uid, gid_t gid, bool check, struct error *e)
{
	int top = cgroup_top(c), r;
	_cleanup_close_ int fd = -1;

	fd = openat(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && given(c, fd, uid))
		return 0;
	if (check)
		return 1;
	if (fd < 0 && mkdirat(top, name, 0755) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make cgroup %s (%s)", name, cgroup_controller_name(c));
	if (fd < 0)
		fd = openat(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(e, errno, "cannot open cgroup %s (%s)", name, cgroup_controller_name(c));
	r = give(c, top, fd, uid, gid);
	if (r < 0)
		return error_errno(e, r, "cannot give cgroup %s (%s) to uid %u", name, cgroup_controller_name(c), uid);
	return 1;
}

int cgroup_delegate(uid_t uid, gid_t gid, bool check, char ***done, struct error *e)
{
	bool v2 = cgroup_version() == 2;
	_cleanup_buf_ struct buf list = { 0 };
	char name[64];
	int made = 0, r;

	if (cgroup_version() == 0)
		return error_set(e, ENODEV, "no cgroup hierarchy is mounted at " CGROUP_MOUNT);
	if (uid == 0)
		return error_set(e, EINVAL, "root needs no delegated cgroup");
	snprintf(name, sizeof(name), "brig-user-%u", uid);
	if (v2 && !check)
		cgroup_enable_v2("", CG_V1_ALL);
	for (enum cgroup_controller c = v2 ? CG_V2 : 0; c < CG_COUNT; c++) {
		if (cgroup_top(c) < 0 || cgroup_shared(c))
			continue;
		r = delegate_one(c, name, uid, gid, check, e);
		if (r < 0)
			return r;
		if (r > 0)
			buf_printf(&list, "%s%s", made++ ? ", " : "", cgroup_controller_name(c));
	}
	if (made)
		strv_add(done, xasprintf(check ? "cgroup %s (%s)" : "made cgroup %s for the user (%s)", name, list.data));
	if (v2 && !check) {
		_cleanup_close_ int fd = openat(cgroup_top(CG_V2), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		r = fd < 0 ? -errno : move_processes(fd, uid, gid, done);
		if (r < 0)
			return error_errno(e, r, "cannot move the user's processes into cgroup %s", name);
	}
	return made;
}

/* v2: what move_processes() and later logins put into the leaf goes back to the top. */
static int empty_session(int fd)
{
	_cleanup_close_ int leaf = openat(fd, "session", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	char *rest, *pid;
	int r;

	if (leaf < 0)
		return errno == ENOENT ? 0 : -errno;
	r = file_read(leaf, "cgroup.procs", 1 << 20, &text, NULL);
	for (rest = text; r == 0 && (pid = strsep(&rest, "\n"));) {
		r = *pid ? file_write(cgroup_top(CG_V2), "cgroup.procs", pid) : 0;
		if (r == -ESRCH) /* ended meanwhile */
			r = 0;
	}
	return r < 0 ? r : unlinkat(fd, "session", AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_undelegate(uid_t uid, char ***done, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;
	_cleanup_buf_ struct buf list = { 0 };
	int r = 0;

	cgroup_init(&cg);
	cg.v2 = cgroup_version() == 2;
	/* cgroup_remove() takes the last part. */
	snprintf(cg.path, sizeof(cg.path), "./brig-user-%u", uid);
	for (enum cgroup_controller c = cg.v2 ? CG_V2 : 0; c < CG_COUNT; c++) {
		if (cgroup_top(c) < 0 || cgroup_shared(c))
			continue;
		cg.fd[c] = openat(cgroup_top(c), cg.path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (cg.fd[c] >= 0)
			buf_printf(&list, "%s%s", list.len ? ", " : "", cgroup_controller_name(c));
		else if (errno != ENOENT)
			return error_errno(e, errno, "cannot open cgroup %s (%s)", cg.path + 2, cgroup_controller_name(c));
	}
	if (!list.len)
		return 0;
	if (cg.v2)
		r = empty_session(cg.fd[CG_V2]);
	if (r < 0)
		return error_errno(e, r, "cannot move the user's processes out of cgroup %s", cg.path + 2);
	if (cgroup_populated(&cg) > 0) {
		error_set(e, EBUSY, "containers of uid %u run in cgroup %s", uid, cg.path + 2);
		error_hint(e, "let the user run: brig rm -f $(brig ps -aq)");
		return -EBUSY;
	}
	r = cgroup_remove(&cg, e);
	if (r == 0)
		strv_add(done, xasprintf("removed cgroup %s (%s)", cg.path + 2, list.data));
	return r;
}
