/* SPDX-License-Identifier: Apache-2.0 */
/* What only root can give to a user, once. Taking it back: host_undo.c. */
#include "engine/host_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "confine/lsm.h"
#include "engine/net.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup_ids(const struct host_user *u, bool check, struct host_setup *out, struct error *e)
{
	bool uids = host_subids("subuid", u) < HOST_SUBIDS, gids = host_subids("subgid", u) < HOST_SUBIDS;
	_cleanup_free_ char *subuid = NULL, *subgid = NULL;
	const char *what = uids && gids ? "user and group" : uids ? "user" : "group";
	uint64_t first;
	int r;

	if (!uids && !gids)
		return 0;
	if (check) {
		strv_add(&out->done, xasprintf("%d subordinate %s ids", HOST_SUBIDS, what));
		return 0;
	}
	subuid = host_subids_text("subuid");
	subgid = host_subids_text("subgid");
	first = host_ranges_free(subuid, subgid, HOST_SUBIDS);
	if (!first)
		return error_set(e, ENOSPC, "no %d ids in a row are free in /etc/subuid and /etc/subgid", HOST_SUBIDS);
	r = host_ids_add(u, uids, gids, first, e);
	if (r < 0)
		return error_wrap(e, "cannot add subordinate ids");
	if (host_subids("subuid", u) < HOST_SUBIDS || host_subids("subgid", u) < HOST_SUBIDS)
		return error_set(e, EIO, "subordinate ids were added, but are not in /etc/subuid and /etc/subgid");
	r = uids ? host_note(u, e, "subuid %llu %d", (unsigned long long)first, HOST_SUBIDS) : 0;
	if (r == 0 && gids)
		r = host_note(u, e, "subgid %llu %d", (unsigned long long)first, HOST_SUBIDS);
	if (r < 0)
		return r;
	strv_add(&out->done, xasprintf("added subordinate %s ids %llu to %llu", what, (unsigned long long)first,
				       (unsigned long long)first + HOST_SUBIDS - 1));
	return 0;
}

int host_run_tool(const char *name, const char *a, const char *b, struct error *e)
{
	char *argv[] = { (char *)name, (char *)a, (char *)b, NULL };
	char path[64];

	if (proc_find(name, path, sizeof(path)) < 0)
		return error_set(e, ENOENT, "%s is not installed", name);
	return proc_run(path, argv, NULL, -1, e);
}

/* Without lingering, systemd ends the user's manager, and with it the containers, when the last session ends. */
static int setup_linger(const struct host_user *u, bool check, struct host_setup *out, struct error *e)
{
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s", u->name);
	if (access(path, F_OK) == 0)
		return 0;
	if (check) {
		strv_add(&out->done, xstrdup("lingering (without it, containers end with the user's last session)"));
		return 0;
	}
	r = host_run_tool("loginctl", "enable-linger", u->name, e);
	if (r == 0)
		r = host_note(u, e, "linger");
	if (r < 0)
		return r;
	strv_add(&out->done, xstrdup("switched lingering on: containers outlive the user's sessions"));
	return 0;
}

static bool has_all_controllers(const struct host_user *u)
{
	static const char *const all[] = { "cpu", "cpuset", "io", "memory", "pids" };
	char path[128], text[256];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/user.slice/user-%1$u.slice/user@%1$u.service/cgroup.controllers",
		 u->uid);
	if (file_read_line(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	_cleanup_strv_ char **have = strv_split(text, ' ');
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strv_has(have, all[i]))
			return false;
	return true;
}

/* systemd hands users memory, pids and (not everywhere) cpu; the drop-in adds the others. systemd.resource-control(5) */
static int setup_dropin(const struct host_user *u, bool check, struct host_setup *out, struct error *e)
{
	static const char text[] = "[Service]\nDelegate=cpu cpuset io memory pids\n";
	char dir[96], path[128];
	_cleanup_close_ int fd = -1;
	int r;

	snprintf(dir, sizeof(dir), "/etc/systemd/system/user@%u.service.d", u->uid);
	snprintf(path, sizeof(path), "%s/50-brig.conf", dir);
	if (access(path, F_OK) == 0 || has_all_controllers(u)) {
		if (!has_all_controllers(u))
			strv_add(&out->lacks, xasprintf("user@%u.service has to start anew for all controllers: end all "
							"sessions of the user, or reboot", u->uid));
		return 0;
	}
	if (check) {
		strv_add(&out->done, xasprintf("controllers that systemd delegates to user@%u.service", u->uid));
		return 0;
	}
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot make %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : file_replace(fd, "50-brig.conf", text, strlen(text), 0644, true);
	if (r < 0)
		return error_errno(e, r, "cannot write %s", path);
	r = host_note(u, e, "dropin");
	if (r < 0)
		return r;
	strv_add(&out->done, xasprintf("wrote %s", path));
	r = host_run_tool("systemctl", "daemon-reload", NULL, e);
	if (r < 0)
		return r;
	if (!has_all_controllers(u))
		strv_add(&out->lacks, xasprintf("user@%u.service has to start anew for all controllers: end all sessions "
						"of the user, or reboot", u->uid));
	return 0;
}

static int setup_cgroup(const struct host_user *u, bool check, struct host_setup *out, struct error *e)
{
	struct cgroup_machine m;
	int r;

	cgroup_look(&m);
	if (m.version == 0) {
		strv_add(&out->lacks, xstrdup("no cgroup hierarchy is mounted at /sys/fs/cgroup"));
		return 0;
	}
	if (m.version == 2 && access("/run/systemd/system", F_OK) == 0) {
		r = setup_dropin(u, check, out, e);
		return r < 0 ? r : setup_linger(u, check, out, e);
	}
	r = cgroup_delegate(u->uid, u->gid, check, &out->done, e);
	if (r > 0 && !check)
		strv_add(&out->done, xstrdup("cgroups do not survive a reboot: let the machine's start run this command "
					     "again"));
	return r < 0 ? r : 0;
}

/* Machines without udev leave /dev/net/tun to root; without it a user's containers have no network. */
static int setup_tun(bool check, struct host_setup *out, struct error *e)
{
	int r = net_tun_share(check, e);

	if (r > 0)
		strv_add(&out->done, xstrdup("/dev/net/tun for all, as udev does; it gives no rights by itself"));
	/* look_around() says so. */
	return r == -ENOENT ? 0 : r;
}

enum { PROFILE_MAX = 65536 };

/* Root alone may read the list. */
static bool profile_loaded(void)
{
	_cleanup_free_ char *list = NULL;

	return file_read(AT_FDCWD, "/sys/kernel/security/apparmor/profiles", 1 << 22, &list, NULL) == 0 &&
	       strstr(list, LSM_DEFAULT_PROFILE " (enforce)");
}

/* The profile for all containers, loaded now and, from its place in /etc, at each start of the machine. */
static int setup_apparmor(bool check, struct host_setup *out, struct error *e)
{
	_cleanup_free_ char *ours = proc_share("apparmor/" LSM_DEFAULT_PROFILE), *text = NULL, *there = NULL;
	_cleanup_close_ int dir = -1;
	size_t n, m;
	int r;

	if (lsm_active() != LSM_APPARMOR)
		return 0;
	r = file_read(AT_FDCWD, ours, PROFILE_MAX, &text, &n);
	if (r < 0)
		return error_errno(e, r, "%s", ours);
	if (file_read(AT_FDCWD, LSM_DEFAULT_FILE, PROFILE_MAX, &there, &m) == 0 && n == m && memcmp(text, there, n) == 0 &&
	    (geteuid() != 0 || profile_loaded()))
		return 0;
	if (check) {
		strv_add(&out->done, xstrdup("the AppArmor profile " LSM_DEFAULT_PROFILE));
		return 0;
	}
	dir = open("/etc/apparmor.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : file_replace(dir, LSM_DEFAULT_PROFILE, text, n, 0644, true);
	if (r < 0)
		return error_errno(e, r, "cannot write " LSM_DEFAULT_FILE);
	r = host_run_tool("apparmor_parser", "-rK", LSM_DEFAULT_FILE, e);
	if (r < 0) {
		unlinkat(dir, LSM_DEFAULT_PROFILE, 0); /* containers would ask for what is not loaded */
		return error_wrap(e, "cannot load the AppArmor profile");
	}
	strv_add(&out->done, xstrdup("loaded the AppArmor profile " LSM_DEFAULT_PROFILE ", kept as " LSM_DEFAULT_FILE));
	return 0;
}

static void look_around(struct host_setup *out)
{
	static const struct {
		const char *program, *package;
	} tools[] = { { "newuidmap", "uidmap" }, { "newgidmap", "uidmap" }, { "pasta", "passt" } };
	static const struct {
		const char *path, *bad, *say;
	} switches[] = {
		{ "/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000" },
		{ "/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1" },
		{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
		  "an AppArmor profile for brig with \"userns,\"" },
	};
	char path[64], text[32];

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (proc_find(tools[i].program, path, sizeof(path)) < 0)
			strv_add(&out->lacks, xasprintf("%s is not installed: the package %s", tools[i].program,
							tools[i].package));
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (file_read_line(AT_FDCWD, switches[i].path, text, sizeof(text)) == 0 && streq(text, switches[i].bad))
			strv_add(&out->lacks, xasprintf("users may not make user namespaces: %s", switches[i].say));
	if (access("/dev/net/tun", F_OK) < 0)
		strv_add(&out->lacks, xstrdup("there is no /dev/net/tun: modprobe tun"));
}

int host_setup_machine(bool check, struct host_setup *out, struct error *e)
{
	int r;

	if (!check && geteuid() != 0)
		return error_set(e, EPERM, "only root can do this; --check looks as anybody");
	r = setup_tun(check, out, e);
	return r < 0 ? r : setup_apparmor(check, out, e);
}

int host_setup(const struct host_user *u, bool check, struct host_setup *out, struct error *e)
{
	int r;

	if (u->uid == 0)
		return error_set(e, EINVAL, "root needs no setup");
	if (!check && geteuid() != 0)
		return error_set(e, EPERM, "only root can do this; --check looks as anybody");
	r = setup_ids(u, check, out, e);
	if (r == 0)
		r = setup_cgroup(u, check, out, e);
	if (r == 0)
		r = host_setup_machine(check, out, e);
	if (r < 0)
		return error_wrap(e, "setup of user %s", u->name);
	look_around(out);
	return 0;
}
