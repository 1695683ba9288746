/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what config.json asks for confines the processes, read from the kernel: for containers that another
 * program (criu) has put together. Less is never wrong here: a program may have given up rights.
 */
#include "oci/criu.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/seccomp_oci.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

/* --- each task
 * --------------------------------------------------------------------------------------------------- */

static uint64_t field(const char *status, const char *name, int base)
{
	const char *p = strstr(status, name);

	return p ? strtoull(p + strlen(name), NULL, base) : UINT64_MAX;
}

static int prove_task(const char *dir, const struct oci_config *cfg, struct error *e)
{
	static const struct oci_caps none;
	const struct oci_caps *caps = cfg->process.caps.set ? &cfg->process.caps : &none;
	static const char *const sets[] = {"\nCapBnd:", "\nCapPrm:", "\nCapEff:", "\nCapInh:", "\nCapAmb:"};
	_cleanup_free_ char *path = xasprintf("%s/status", dir), *text = NULL;
	uint64_t most = caps->bounding | caps->permitted;
	int r = file_read(AT_FDCWD, path, 65536, &text, NULL);

	if (r == -ENOENT || r == -ESRCH)
		return 0; /* it has ended meanwhile */
	if (r < 0)
		return error_errno(e, r, "%s", path);
	if (strstr(text, "\nState:\tZ"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (field(text, sets[i], 16) & ~(i == 0 ? caps->bounding : most))
			return error_set(e, EPERM, "process.capabilities: %s has more (%.7s %llx)", dir,
				sets[i] + 1, (unsigned long long)field(text, sets[i], 16));
	if (cfg->process.no_new_privs && field(text, "\nNoNewPrivs:", 10) != 1)
		return error_set(e, EPERM, "process.noNewPrivileges: is not set in %s", dir);
	if (cfg->seccomp.set && field(text, "\nSeccomp:", 10) != 2)
		return error_set(e, EPERM, "linux.seccomp: no filter is in force in %s", dir);
	return 0;
}

static int prove_threads(pid_t pid, const struct oci_config *cfg, struct error *e)
{
	char dir[48], task[80];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int r = 0;

	snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	d = opendir(dir);
	while (d && r == 0 && (de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(task, sizeof(task), "%s/%.20s", dir, de->d_name);
		r = prove_task(task, cfg, e);
	}
	return r;
}

/* One of the filters is, instruction by instruction, the one that config.json means. */
static int look_for_filter(pid_t pid, const struct sock_filter *f, unsigned n, struct error *e)
{
	_cleanup_free_ struct sock_filter *got = xcalloc(65536, sizeof(*got));

	for (unsigned i = 0; i < 64; i++) {
		long len = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(uintptr_t)i, NULL);

		if (len < 0)
			break;
		if (len != (long)n ||
			ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(uintptr_t)i, got) != len)
			continue;
		if (memcmp(got, f, n * sizeof(*f)) == 0)
			return 0;
	}
	return error_set(e, EPERM, "linux.seccomp: the filter of process %d is another one", pid);
}

/* ptrace(2) refuses one that has ended and was not waited for by its parent: that is no process to be held by walls. */
static bool has_ended(pid_t pid)
{
	char path[32], stat[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read_line(AT_FDCWD, path, stat, sizeof(stat)) < 0)
		return true;
	p = strrchr(stat, ')');
	return p && (p[2] == 'Z' || p[2] == 'X');
}

static int prove_filter(pid_t pid, const struct sock_filter *f, unsigned n, struct error *e)
{
	int status, r;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) {
		int err = errno;

		return has_ended(pid) ? 0 : error_errno(e, err, "linux.seccomp: cannot look at process %d", pid);
	}
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return has_ended(pid) ? 0 : error_set(e, EPERM, "linux.seccomp: process %d cannot be looked at", pid);
	r = look_for_filter(pid, f, n, e);
	/* A signal that came first is handed on. */
	int sig = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	ptrace(PTRACE_DETACH, pid, NULL, (void *)(uintptr_t)sig);
	return r;
}

static int prove_tasks(const struct oci_config *cfg, const pid_t *pids, size_t n, struct error *e)
{
	_cleanup_free_ struct sock_filter *f = NULL;
	unsigned len = 0;
	int r = cfg->seccomp.set ? seccomp_oci_compile(&cfg->seccomp, &f, &len, e) : 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = prove_threads(pids[i], cfg, e);
		if (r == 0 && f)
			r = prove_filter(pids[i], f, len, e);
	}
	return r;
}

/* --- the first process
 * ------------------------------------------------------------------------------------------- */

static int prove_namespaces(pid_t pid, const struct oci_config *cfg, struct error *e)
{
	static const char *const names[OCI_NS_COUNT] = {
		[OCI_NS_USER] = "user",
		[OCI_NS_PID] = "pid",
		[OCI_NS_NETWORK] = "net",
		[OCI_NS_IPC] = "ipc",
		[OCI_NS_UTS] = "uts",
		[OCI_NS_CGROUP] = "cgroup",
		[OCI_NS_TIME] = "time",
		[OCI_NS_MOUNT] = "mnt",
	};

	for (int k = 0; k < OCI_NS_COUNT; k++) {
		struct stat own, its, given;
		char path[64];

		if (!cfg->ns[k].set)
			continue;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[k]);
		if (stat(path, &own) < 0)
			return error_errno(e, errno, "linux.namespaces: %s", names[k]);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[k]);
		if (stat(path, &its) < 0)
			return error_errno(e, errno, "linux.namespaces: %s", names[k]);
		if (cfg->ns[k].path ? stat(cfg->ns[k].path, &given) < 0 || given.st_ino != its.st_ino
				    : own.st_ino == its.st_ino)
			return error_set(e, EPERM, "linux.namespaces: the %s namespace is %s", names[k],
				cfg->ns[k].path ? "another one" : "the host's");
	}
	return 0;
}

static int prove_map(pid_t pid, const char *file, const struct spec_idmap *map, size_t n, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	size_t seen = 0;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	r = file_read(AT_FDCWD, path, 65536, &text, NULL);
	if (r < 0)
		return error_errno(e, r, "%s", path);
	for (char *line, *rest = text; (line = strsep(&rest, "\n")) && *line; seen++) {
		unsigned in, out, count;
		bool known = false;

		if (sscanf(line, "%u %u %u", &in, &out, &count) != 3)
			return error_set(e, EBADMSG, "%s", path);
		for (size_t i = 0; i < n; i++)
			known |= map[i].inside == in && map[i].host == out && map[i].count == count;
		if (!known)
			return error_set(e, EPERM, "linux.uidMappings and gidMappings: %s has %u %u %u", file,
				in, out, count);
	}
	return seen == n ? 0
			 : error_set(e, EPERM, "linux.uidMappings and gidMappings: %s has %zu of %zu", file,
				   seen, n);
}

static int prove_limits(pid_t pid, const struct oci_process *p, struct error *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		struct rlimit now;

		if (prlimit(pid, (__rlimit_resource_t)p->rlimits[i].resource, NULL, &now) < 0)
			return error_errno(e, errno, "process.rlimits[%zu]", i);
		if (now.rlim_max > p->rlimits[i].hard)
			return error_set(e, EPERM, "process.rlimits[%zu]: is higher", i);
	}
	return 0;
}

static int prove_label(pid_t pid, const struct oci_process *p, struct error *e)
{
	const char *want =
		p->apparmor && *p->apparmor && !streq(p->apparmor, "unconfined") ? p->apparmor : p->selinux;
	char path[48], now[512];
	const char *rest;
	int r;

	if (!want || !*want)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/attr/current", pid);
	r = file_read_line(AT_FDCWD, path, now, sizeof(now));
	if (r < 0)
		return error_errno(e, r, "%s", path);
	rest = str_after(now, want);
	/* AppArmor adds its mode; a profile that only complains holds nothing. */
	return rest && (!*rest || streq(rest, " (enforce)"))
		       ? 0
		       : error_set(e, EPERM, "the security module's label is %s", now);
}

/* --- mounts
 * ------------------------------------------------------------------------------------------------------ */

static int prove_flags(int fd, uint64_t attrs, const char *what, size_t i, struct error *e)
{
	static const struct {
		uint64_t attr;
		unsigned long flag;
		const char *name;
	} flags[] = {{MOUNT_ATTR_RDONLY, ST_RDONLY, "read-only"}, {MOUNT_ATTR_NOSUID, ST_NOSUID, "nosuid"},
		{MOUNT_ATTR_NODEV, ST_NODEV, "nodev"}, {MOUNT_ATTR_NOEXEC, ST_NOEXEC, "noexec"}};
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return error_errno(e, errno, "%s[%zu]", what, i);
	for (size_t k = 0; k < ARRAY_SIZE(flags); k++)
		if (attrs & flags[k].attr && !(fs.f_flag & flags[k].flag))
			return error_set(e, EPERM, "%s[%zu]: is not %s", what, i, flags[k].name);
	return 0;
}

static bool covered(const struct oci_config *cfg, size_t i)
{
	for (size_t k = i + 1; k < cfg->n_mounts; k++)
		if (streq(cfg->mounts[k].destination, cfg->mounts[i].destination))
			return true;
	return strv_has(cfg->masked, cfg->mounts[i].destination);
}

static bool mount_root(int fd)
{
	struct statx sx;

	return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &sx) == 0 &&
	       sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int prove_mount(const struct oci_config *cfg, int root, size_t i, struct error *e)
{
	const struct oci_mount *m = &cfg->mounts[i];
	_cleanup_close_ int fd = -1;

	if (covered(cfg, i) || m->sb_flags & MS_REMOUNT)
		return 0;
	fd = path_open_in(root, m->destination, O_PATH, 0);
	if (fd < 0 || !mount_root(fd))
		return error_set(e, EPERM, "mounts[%zu]: is not there", i);
	return prove_flags(fd, m->attr_set, "mounts", i, e);
}

static int prove_mask(int root, const char *path, size_t i, struct error *e)
{
	_cleanup_close_ int fd = path_open_in(root, path, O_PATH, 0);
	struct statfs fs;
	struct stat st;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0 && mount_root(fd) &&
		(S_ISDIR(st.st_mode) ? fs.f_type == TMPFS_MAGIC
				     : S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
		return S_ISDIR(st.st_mode) ? prove_flags(fd, MOUNT_ATTR_RDONLY, "linux.maskedPaths", i, e)
					   : 0;
	return error_set(e, EPERM, "linux.maskedPaths[%zu]: is not masked", i);
}

static int prove_tree(pid_t pid, const struct oci_config *cfg, struct error *e)
{
	_cleanup_close_ int root = -1;
	char path[48];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_errno(e, errno, "%s", path);
	if (cfg->root_readonly)
		r = prove_flags(root, MOUNT_ATTR_RDONLY, "root.readonly", 0, e);
	for (size_t i = 0; r == 0 && i < cfg->n_mounts; i++)
		r = prove_mount(cfg, root, i, e);
	for (size_t i = 0; r == 0 && cfg->masked && cfg->masked[i]; i++)
		r = prove_mask(root, cfg->masked[i], i, e);
	for (size_t i = 0; r == 0 && cfg->readonly_paths && cfg->readonly_paths[i]; i++) {
		_cleanup_close_ int fd = path_open_in(root, cfg->readonly_paths[i], O_PATH, 0);

		if (fd >= 0)
			r = prove_flags(fd, MOUNT_ATTR_RDONLY, "linux.readonlyPaths", i, e);
		else if (fd != -ENOENT && fd != -ENOTDIR)
			r = error_errno(e, fd, "linux.readonlyPaths[%zu]", i);
	}
	return r;
}

int oci_walls_prove(pid_t init, const struct oci_config *cfg, const struct oci_cgroup *cg, struct error *e)
{
	bool maps = cfg->ns[OCI_NS_USER].set && !cfg->ns[OCI_NS_USER].path, in = false;
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;
	int r = oci_cgroup_pids(cg, &pids, &n, e);

	for (size_t i = 0; i < n; i++)
		in |= pids[i] == init;
	if (r == 0 && !in)
		r = error_set(e, EPERM, "linux.cgroupsPath: process %d is not in it", init);
	if (r == 0)
		r = prove_tasks(cfg, pids, n, e);
	if (r == 0)
		r = prove_namespaces(init, cfg, e);
	if (r == 0 && maps)
		r = prove_map(init, "uid_map", cfg->uidmap, cfg->n_uidmap, e);
	if (r == 0 && maps)
		r = prove_map(init, "gid_map", cfg->gidmap, cfg->n_gidmap, e);
	if (r == 0)
		r = prove_limits(init, &cfg->process, e);
	if (r == 0)
		r = prove_label(init, &cfg->process, e);
	if (r == 0)
		r = prove_tree(init, cfg, e);
	return r < 0 ? error_wrap(e, "a wall does not stand") : 0;
}
