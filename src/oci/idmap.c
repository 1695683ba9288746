/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/idmap.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int write_file(pid_t pid, const char *name, const struct spec_idmap *v, size_t n)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%u %u %u\n", v[i].inside, v[i].host, v[i].count);
	return file_write(AT_FDCWD, path, b.data ? b.data : "");
}

static int by_tool(const char *tool, pid_t pid, const struct spec_idmap *v, size_t n, struct error *e)
{
	_cleanup_strv_ char **argv = NULL;
	char *env[] = { NULL };
	char path[PATH_MAX];
	int r;

	if (proc_find(tool, path, sizeof(path)) < 0) {
		r = error_set(e, ENOENT, "%s is not installed", tool);
		error_hint(e, "install the package uidmap");
		return r;
	}
	strv_add_copy(&argv, tool);
	strv_add(&argv, xasprintf("%d", pid));
	for (size_t i = 0; i < n; i++) {
		strv_add(&argv, xasprintf("%u", v[i].inside));
		strv_add(&argv, xasprintf("%u", v[i].host));
		strv_add(&argv, xasprintf("%u", v[i].count));
	}
	r = proc_run(path, argv, env, -1, e);
	if (r > 0)
		r = error_set(e, EPERM, "%s ended with status %d", tool, r);
	if (r < 0)
		error_hint(e, "the ids must be in /etc/subuid and /etc/subgid of this user");
	return r;
}

static bool just_own(const struct spec_idmap *v, size_t n, uint32_t own)
{
	return n == 1 && v[0].count == 1 && v[0].host == own;
}

static int write_gids(pid_t pid, const struct spec_idmap *gid, size_t n, struct error *e)
{
	char path[48];
	int r = write_file(pid, "gid_map", gid, n);

	if (r != -EPERM)
		return r < 0 ? error_errno(e, r, "gid_map") : 0;
	if (just_own(gid, n, getegid())) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		r = file_write(AT_FDCWD, path, "deny");
		if (r == 0)
			r = write_file(pid, "gid_map", gid, n);
		return r < 0 ? error_errno(e, r, "gid_map") : 0;
	}
	return by_tool("newgidmap", pid, gid, n, e);
}

int oci_idmap_write(pid_t pid, const struct spec_idmap *uid, size_t n_uid, const struct spec_idmap *gid, size_t n_gid,
		    struct error *e)
{
	int r = write_gids(pid, gid, n_gid, e);

	if (r < 0)
		return r;
	r = write_file(pid, "uid_map", uid, n_uid);
	if (r == -EPERM && !just_own(uid, n_uid, geteuid()))
		return by_tool("newuidmap", pid, uid, n_uid, e);
	return r < 0 ? error_errno(e, r, "uid_map") : 0;
}

int oci_userns_new(const struct spec_idmap *uid, size_t n_uid, const struct spec_idmap *gid, size_t n_gid, struct error *e)
{
	pid_t parent = getpid(), pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	char path[32];
	int fd, r;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() == parent)
			pause();
		_exit(0);
	}
	if (pid < 0)
		return error_errno(e, errno, "cannot make a user namespace");
	r = oci_idmap_write(pid, uid, n_uid, gid, n_gid, e);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = r < 0 ? r : open(path, O_RDONLY | O_CLOEXEC);
	if (r == 0 && fd < 0)
		fd = error_errno(e, errno, "%s", path);
	kill(pid, SIGKILL); /* our own child, not yet reaped */
	proc_wait(pid);
	return fd;
}
