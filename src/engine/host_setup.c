/* SPDX-License-Identifier: Apache-2.0 */
/* What only root can give to a user, once. */
#include "engine/host.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "engine/net.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SUBIDS = 65536,
	SUBID_FIRST = 100000,
	SUBID_END = 0x70000000, /* from there up are the ids of root's containers */
	RANGES_MAX = 4096,
};

/* The n-th field of a line "a:b:c" that ends at '\n' or NUL; false when it has fewer or the field does not fit. */
static bool field(const char *line, int n, char *out, size_t size)
{
	const char *end;

	for (; n > 0; n--) {
		line += strcspn(line, ":\n");
		if (*line++ != ':')
			return false;
	}
	end = line + strcspn(line, ":\n");
	return (size_t)snprintf(out, size, "%.*s", (int)(end - line), line) < size;
}

int host_user_find(const char *who, struct host_user *u, struct error *e)
{
	_cleanup_free_ char *text = NULL, *safe = str_escape(who);
	uint64_t number = UINT64_MAX, uid, gid;
	int r;

	if (parse_u64(who, 0, UINT32_MAX - 1, &number) < 0)
		number = UINT64_MAX;
	r = file_read(AT_FDCWD, "/etc/passwd", 16 << 20, &text, NULL);
	if (r < 0 && number == UINT64_MAX)
		return error_errno(e, r, "cannot read /etc/passwd");
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char name[sizeof(u->name)], a[16], b[16];

		if (!field(line, 0, name, sizeof(name)) || !field(line, 2, a, sizeof(a)) ||
		    !field(line, 3, b, sizeof(b)) || parse_u64(a, 0, UINT32_MAX - 1, &uid) < 0 ||
		    parse_u64(b, 0, UINT32_MAX - 1, &gid) < 0)
			continue;
		if (!streq(name, who) && uid != number)
			continue;
		*u = (struct host_user){ .uid = (uid_t)uid, .gid = (gid_t)gid };
		strcpy(u->name, name);
		return 0;
	}
	if (number == UINT64_MAX) {
		error_set(e, ENOENT, "no user \"%s\" in /etc/passwd", safe);
		error_hint(e, "for one that is kept elsewhere (LDAP) give its uid");
		return -ENOENT;
	}
	*u = (struct host_user){ .uid = (uid_t)number, .gid = (gid_t)number };
	snprintf(u->name, sizeof(u->name), "%u", u->uid);
	return 0;
}

size_t host_ranges(const char *text, const struct host_user *u, struct host_range *out, size_t max)
{
	char uid[16];
	size_t n = 0;

	if (u)
		snprintf(uid, sizeof(uid), "%u", u->uid);
	for (const char *line = text; line && *line && n < max; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char owner[64], a[24], b[24];
		uint64_t first, count;

		if (!field(line, 0, owner, sizeof(owner)) || !field(line, 1, a, sizeof(a)) ||
		    !field(line, 2, b, sizeof(b)) || parse_u64(a, 0, UINT32_MAX, &first) < 0 ||
		    parse_u64(b, 1, UINT32_MAX, &count) < 0 || first + count > (uint64_t)UINT32_MAX + 1)
			continue;
		out[n++] = (struct host_range){ first, count, u && (streq(owner, u->name) || streq(owner, uid)) };
	}
	return n;
}

static char *read_subids(const char *file)
{
	_cleanup_close_ int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;

	return file_read(etc, file, 16 << 20, &text, NULL) < 0 ? xstrdup("") : text;
}

uint64_t host_subids(const char *file, const struct host_user *u)
{
	_cleanup_free_ char *text = read_subids(file);
	_cleanup_free_ struct host_range *ranges = xcalloc(RANGES_MAX, sizeof(*ranges));
	size_t n = host_ranges(text, u, ranges, RANGES_MAX);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (ranges[i].own)
			sum += ranges[i].count;
	return sum;
}

uint64_t host_ranges_free(const char *subuid, const char *subgid, uint64_t count)
{
	_cleanup_free_ struct host_range *ranges = xcalloc(2 * RANGES_MAX, sizeof(*ranges));
	size_t n = host_ranges(subuid, NULL, ranges, RANGES_MAX);
	uint64_t first = SUBID_FIRST;
	bool moved = true;

	n += host_ranges(subgid, NULL, ranges + n, RANGES_MAX);
	/* Each turn moves beyond at least one range. */
	while (moved) {
		moved = false;
		for (size_t i = 0; i < n; i++) {
			if (first >= ranges[i].first + ranges[i].count || first + count <= ranges[i].first)
				continue;
			first = ranges[i].first + ranges[i].count;
			moved = true;
		}
	}
	return first + count <= SUBID_END ? first : 0;
}

/* The lock of the shadow tools: FILE.lock, made exclusively. */
static int lock_file(int etc, const char *file, struct error *e)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.lock", file);
	for (int tries = 0; tries < 150; tries++) {
		_cleanup_close_ int fd = openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct timespec ts = { .tv_nsec = 100000000 };

		if (fd >= 0) {
			dprintf(fd, "%d", getpid());
			return 0;
		}
		if (errno != EEXIST)
			return error_errno(e, errno, "cannot lock /etc/%s", file);
		nanosleep(&ts, NULL);
	}
	return error_set(e, EBUSY, "/etc/%s.lock is held by another program", file);
}

/* Where there is no usermod(8): appends a line. */
static int append_range(const char *file, const char *name, uint64_t first, uint64_t count, struct error *e)
{
	_cleanup_close_ int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *old = NULL;
	_cleanup_buf_ struct buf b = { 0 };
	char lock[64];
	int r = lock_file(etc, file, e);

	if (r < 0)
		return r;
	old = read_subids(file); /* again, now that nobody else writes */
	buf_puts(&b, old);
	if (b.len && b.data[b.len - 1] != '\n')
		buf_puts(&b, "\n");
	buf_printf(&b, "%s:%llu:%llu\n", name, (unsigned long long)first, (unsigned long long)count);
	r = file_replace(etc, file, b.data, b.len, 0644, true);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	unlinkat(etc, lock, 0);
	return r < 0 ? error_errno(e, r, "cannot write /etc/%s", file) : 0;
}

static int add_ids(const struct host_user *u, bool uids, bool gids, uint64_t first, struct error *e)
{
	char range[64], tool[64];
	char *argv[8] = { (char *)"usermod" };
	size_t n = 1;
	int r = 0;

	snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)first, (unsigned long long)first + SUBIDS - 1);
	if (uids) {
		argv[n++] = (char *)"--add-subuids";
		argv[n++] = range;
	}
	if (gids) {
		argv[n++] = (char *)"--add-subgids";
		argv[n++] = range;
	}
	argv[n++] = (char *)u->name;
	/* It takes the locks of all shadow tools, but knows only users of /etc/passwd. */
	if (proc_find("usermod", tool, sizeof(tool)) == 0 && (u->name[0] < '0' || u->name[0] > '9'))
		return proc_run(tool, argv, NULL, -1, e);
	if (uids)
		r = append_range("subuid", u->name, first, SUBIDS, e);
	if (r == 0 && gids)
		r = append_range("subgid", u->name, first, SUBIDS, e);
	return r;
}

static int setup_ids(const struct host_user *u, bool check, struct host_setup *out, struct error *e)
{
	bool uids = host_subids("subuid", u) < SUBIDS, gids = host_subids("subgid", u) < SUBIDS;
	_cleanup_free_ char *subuid = NULL, *subgid = NULL;
	const char *what = uids && gids ? "user and group" : uids ? "user" : "group";
	uint64_t first;
	int r;

	if (!uids && !gids)
		return 0;
	if (check) {
		strv_add(&out->done, xasprintf("%d subordinate %s ids", SUBIDS, what));
		return 0;
	}
	subuid = read_subids("subuid");
	subgid = read_subids("subgid");
	first = host_ranges_free(subuid, subgid, SUBIDS);
	if (!first)
		return error_set(e, ENOSPC, "no %d ids in a row are free in /etc/subuid and /etc/subgid", SUBIDS);
	r = add_ids(u, uids, gids, first, e);
	if (r < 0)
		return error_wrap(e, "cannot add subordinate ids");
	if (host_subids("subuid", u) < SUBIDS || host_subids("subgid", u) < SUBIDS)
		return error_set(e, EIO, "subordinate ids were added, but are not in /etc/subuid and /etc/subgid");
	strv_add(&out->done, xasprintf("added subordinate %s ids %llu to %llu", what, (unsigned long long)first,
				       (unsigned long long)first + SUBIDS - 1));
	return 0;
}

static int run_tool(const char *name, const char *a, const char *b, struct error *e)
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
	r = run_tool("loginctl", "enable-linger", u->name, e);
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
	strv_add(&out->done, xasprintf("wrote %s", path));
	r = run_tool("systemctl", "daemon-reload", NULL, e);
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
		r = setup_tun(check, out, e);
	if (r < 0)
		return error_wrap(e, "setup of user %s", u->name);
	look_around(out);
	return 0;
}
