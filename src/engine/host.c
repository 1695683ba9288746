/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the machine. */
#include "engine/host.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "confine/landlock.h"
#include "confine/lsm.h"
#include "confine/rlimits.h"
#include "image/store.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

const char *host_state_name(enum host_state s)
{
	static const char *const names[] = { "stands", "partly", "missing" };

	return names[s];
}

struct look {
	struct host_piece *out;
	size_t n;
};

__attribute__((format(printf, 4, 5))) static struct host_piece *piece(struct look *l, const char *name,
								      enum host_state state, const char *fmt, ...)
{
	struct host_piece *p = &l->out[l->n < HOST_PIECES_MAX - 1 ? l->n++ : l->n];
	va_list ap;

	*p = (struct host_piece){ .name = name, .state = state };
	va_start(ap, fmt);
	vsnprintf(p->found, sizeof(p->found), fmt, ap);
	va_end(ap);
	return p;
}

__attribute__((format(printf, 2, 3))) static void take(struct host_piece *p, const char *fmt, ...)
{
	size_t used = strlen(p->take);
	va_list ap;

	if (used)
		used += (size_t)snprintf(p->take + used, sizeof(p->take) - used, "; ");
	va_start(ap, fmt);
	if (used < sizeof(p->take))
		vsnprintf(p->take + used, sizeof(p->take) - used, fmt, ap);
	va_end(ap);
}

static bool read_number(const char *path, long long *out)
{
	char text[32];
	int64_t v;

	if (file_read_line(AT_FDCWD, path, text, sizeof(text)) < 0 || parse_i64(text, INT64_MIN, INT64_MAX, &v) < 0)
		return false;
	*out = v;
	return true;
}

/* Runs `fn` in a child, so that nothing of a try is left in us. True when it returned 0. */
static bool try_in_child(int (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn() == 0 ? 0 : 1);
	return pid > 0 && proc_wait(pid) == 0;
}

static int try_userns(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET |
		       CLONE_NEWCGROUP);
}

static void look_kernel(struct look *l)
{
	struct utsname u;

	uname(&u);
	piece(l, "kernel", HOST_STANDS, "Linux %s, %s", u.release, u.machine);
}

static void look_namespaces(struct look *l)
{
	static const char *const names[] = { "user", "pid", "ipc", "uts", "cgroup", "time", "net", "mnt" };
	struct host_piece *p;
	char path[48];
	long long v;

	if (try_in_child(try_userns)) {
		p = piece(l, "user", HOST_STANDS, "user namespaces can be made");
	} else {
		p = piece(l, "user", HOST_MISSING, "no user namespace can be made");
		if (read_number("/proc/sys/user/max_user_namespaces", &v) && v == 0)
			take(p, "as root: sysctl user.max_user_namespaces=15000");
		if (read_number("/proc/sys/kernel/unprivileged_userns_clone", &v) && v == 0)
			take(p, "as root: sysctl kernel.unprivileged_userns_clone=1");
		if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &v) && v != 0)
			take(p, "as root: an AppArmor profile for brig with \"userns,\", or "
				"sysctl kernel.apparmor_restrict_unprivileged_userns=0");
		if (!p->take[0])
			take(p, "a kernel with CONFIG_USER_NS, and no filter around brig that refuses unshare");
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (access(path, F_OK) == 0)
			continue;
		p = piece(l, names[i], HOST_MISSING, "the kernel has no %s namespaces", names[i]);
		take(p, "a kernel with them");
	}
}

static void look_seccomp(struct look *l)
{
	char text[512];
	struct host_piece *p;

	if (file_read_line(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", text, sizeof(text)) < 0) {
		p = piece(l, "seccomp", HOST_MISSING, "the kernel has no seccomp filters");
		take(p, "a kernel with CONFIG_SECCOMP_FILTER");
	} else if (!strstr(text, "user_notif")) {
		p = piece(l, "seccomp", HOST_MISSING, "filters without user notification");
		take(p, "Linux 5.0 or newer: refused calls could not be journalled");
	} else {
		piece(l, "seccomp", HOST_STANDS, "filters with user notification");
	}
}

static void look_landlock(struct look *l)
{
	int abi = landlock_abi();
	struct host_piece *p;

	if (abi <= 0) {
		p = piece(l, "landlock", HOST_MISSING, "none");
		take(p, "a kernel with CONFIG_SECURITY_LANDLOCK and \"landlock\" in the lsm= list");
	} else if (abi < 6) {
		p = piece(l, "landlock", HOST_PARTLY, "ABI %d", abi);
		take(p, abi < 4 ? "Linux 6.7 for ports, 6.12 for signals and abstract sockets" :
				  "Linux 6.12 for signals and abstract sockets");
	} else {
		piece(l, "landlock", HOST_STANDS, "ABI %d", abi);
	}
}

static void look_lsm(struct look *l)
{
	static const char *const names[] = { [LSM_NONE] = "none", [LSM_APPARMOR] = "AppArmor", [LSM_SELINUX] = "SELinux" };
	enum lsm_kind kind = lsm_active();
	struct host_piece *p = piece(l, "lsm", kind == LSM_NONE ? HOST_PARTLY : HOST_STANDS, "%s", names[kind]);

	if (kind == LSM_APPARMOR && !lsm_default_profile()) {
		p->state = HOST_PARTLY;
		take(p, "as root: brig setup, which loads a profile for all containers that name none");
	}
	if (kind == LSM_NONE)
		take(p, "a kernel with AppArmor or SELinux switched on; without one, this wall has nothing to raise");
}

/* What controllers a container's limits need, by the words of `--lower cgroup=`. */
static void look_cgroup(struct look *l)
{
	static const struct {
		enum cgroup_controller c;
		const char *detail;
		bool must;
	} wanted[] = {
		{ CG_MEMORY, "memory", true }, { CG_PIDS, "pids", true }, { CG_CPU, "cpu", true },
		{ CG_CPUSET, "cpuset", false }, { CG_IO, "io", false },
	};
	char have[100] = "", lost[100] = "";
	enum host_state state = HOST_STANDS;
	struct cgroup_machine m;
	struct host_piece *p;

	cgroup_look(&m);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool usable = m.usable & CG_BIT(wanted[i].c);
		char *list = usable ? have : lost;

		snprintf(list + strlen(list), sizeof(have) - strlen(list), "%s%s", *list ? " " : "", wanted[i].detail);
		if (!usable && (wanted[i].must || state == HOST_STANDS))
			state = wanted[i].must ? HOST_MISSING : HOST_PARTLY;
	}
	if (m.version == 0) {
		p = piece(l, "cgroup", HOST_MISSING, "no hierarchy at /sys/fs/cgroup");
		take(p, "mount -t cgroup2 none /sys/fs/cgroup");
		return;
	}
	p = piece(l, "cgroup", state, "v%d%s; %s%s%s%s", m.version, m.hybrid ? " (hybrid)" : "", *have ? have : "nothing",
		  " usable", *m.base ? " below " : "", m.base);
	if (state == HOST_STANDS)
		return;
	if (geteuid() != 0)
		take(p, "once, as root: brig setup --user %u (missing: %s)", geteuid(), lost);
	else
		take(p, "controllers of the kernel: %s", lost);
	if (state == HOST_MISSING)
		take(p, "or accept it: accept_lowered = cgroup=memory,cgroup=cpu in brig.conf");
}

static void look_freeze(struct look *l)
{
	struct cgroup_machine m;
	struct host_piece *p;

	cgroup_look(&m);
	if (m.usable & (CG_BIT(CG_V2) | CG_BIT(CG_FREEZER))) {
		piece(l, "pause", HOST_STANDS, "%s", m.usable & CG_BIT(CG_V2) ? "cgroup.freeze" : "the v1 freezer");
	} else {
		p = piece(l, "pause", HOST_PARTLY, "no freezer");
		take(p, "a delegated cgroup; without, `brig pause` cannot work");
	}
}

static void look_rlimits(struct look *l)
{
	struct rlimit now;
	struct host_piece *p;

	getrlimit(RLIMIT_NOFILE, &now);
	if (now.rlim_max >= 65536 || rlimits_can_raise()) {
		piece(l, "rlimits", HOST_STANDS, "open files up to %llu", (unsigned long long)now.rlim_max);
		return;
	}
	p = piece(l, "rlimits", HOST_PARTLY, "open files up to %llu", (unsigned long long)now.rlim_max);
	take(p, "a higher hard limit (limits.conf, LimitNOFILE=) for containers that open more");
}

static void look_ids(struct look *l)
{
	struct host_user u;
	struct host_piece *p;
	char uid[16], tool[64];
	uint64_t uids, gids;
	bool tools;

	if (geteuid() == 0) {
		piece(l, "ids", HOST_STANDS, "65536 host ids for each container, from 1879048192 up");
		return;
	}
	snprintf(uid, sizeof(uid), "%u", geteuid());
	if (host_user_find(uid, &u, NULL) < 0)
		return;
	uids = host_subids("subuid", &u);
	gids = host_subids("subgid", &u);
	tools = proc_find("newuidmap", tool, sizeof(tool)) == 0 && proc_find("newgidmap", tool, sizeof(tool)) == 0;
	p = piece(l, "ids", uids && gids && tools ? HOST_STANDS : HOST_MISSING, "%llu user and %llu group ids%s",
		  (unsigned long long)uids, (unsigned long long)gids, tools ? "" : ", no newuidmap and newgidmap");
	if (!uids || !gids)
		take(p, "once, as root: brig setup --user %s", u.name);
	if (!tools)
		take(p, "the package uidmap (or shadow-utils)");
}

/* Moves a detached copy of / to other ids: what the trees of root's containers need of the file system below DATA. */
static int try_idmap(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int tree, ns, data = home_data(NULL);
	pid_t pid;
	int go[2];
	char path[48], c;

	if (data < 0 || pipe(go) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		c = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
		(void)!write(go[1], &c, 1);
		pause();
		_exit(0);
	}
	if (pid < 0 || read(go[0], &c, 1) != 1 || c != 'y')
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	file_write(AT_FDCWD, path, "0 1879048192 65536");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	file_write(AT_FDCWD, path, "0 1879048192 65536");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	tree = (int)syscall(SYS_open_tree, data, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	attr.userns_fd = (uint64_t)ns;
	int r = tree < 0 || ns < 0 ? -1 : (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	kill(pid, SIGKILL);
	proc_wait(pid);
	return r;
}

static void look_trees(struct look *l)
{
	struct host_piece *p;

	if (tree_kernel_joins()) {
		piece(l, "image", HOST_STANDS, "overlayfs joins trees and objects: no copy of an image");
	} else {
		p = piece(l, "image", HOST_PARTLY, "overlayfs does not join trees and objects");
		take(p, "Linux %s; until then each id range gets a full copy of its image", geteuid() ? "6.16" : "6.5");
	}
	if (geteuid() != 0)
		return;
	if (try_in_child(try_idmap)) {
		piece(l, "idmap", HOST_STANDS, "idmapped mounts below %s", home_data_path(NULL));
	} else {
		p = piece(l, "idmap", HOST_MISSING, "no idmapped mounts below %s", home_data_path(NULL));
		take(p, "Linux 5.12 and a file system that can (ext4, xfs, btrfs, tmpfs since 6.3)");
	}
}

static void look_network(struct look *l)
{
	char path[64];
	long long port = 1024;
	struct host_piece *p;

	if (proc_find("pasta", path, sizeof(path)) == 0) {
		piece(l, "net", HOST_STANDS, "%s", path);
	} else {
		p = piece(l, "net", HOST_MISSING, "pasta is not installed");
		take(p, "the package passt; without it only --net none and --net container:NAME");
	}
	if (access("/dev/net/tun", F_OK) < 0) {
		p = piece(l, "net", HOST_MISSING, "no /dev/net/tun");
		take(p, "as root: modprobe tun");
	} else if (geteuid() != 0 && access("/dev/net/tun", R_OK | W_OK) < 0) {
		p = piece(l, "net", HOST_MISSING, "/dev/net/tun is root's alone");
		take(p, "once, as root: brig setup --user %u", geteuid());
	}
	read_number("/proc/sys/net/ipv4/ip_unprivileged_port_start", &port);
	if (geteuid() != 0 && port > 0) {
		p = piece(l, "ports", HOST_PARTLY, "from %lld up", port);
		take(p, "for lower ones, as root: sysctl net.ipv4.ip_unprivileged_port_start=0");
	}
}

static void look_helpers(struct look *l)
{
	static const char *const names[] = { "brig-monitor", "brig-image", "brig-init" };
	char path[4200];
	struct host_piece *p;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s%s", proc_libexec(), names[i]);
		if (access(path, X_OK) == 0)
			continue;
		p = piece(l, "helpers", HOST_MISSING, "%s is not in %.150s", names[i], proc_libexec());
		take(p, "brig installed as a whole");
	}
}

size_t host_look(struct host_piece out[static HOST_PIECES_MAX])
{
	struct look l = { .out = out };

	look_kernel(&l);
	look_namespaces(&l);
	look_ids(&l);
	look_trees(&l);
	look_cgroup(&l);
	look_freeze(&l);
	look_rlimits(&l);
	look_seccomp(&l);
	look_landlock(&l);
	look_lsm(&l);
	look_network(&l);
	look_helpers(&l);
	return l.n;
}
