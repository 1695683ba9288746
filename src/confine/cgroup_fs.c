/* SPDX-License-Identifier: Apache-2.0 */
/* Where cgroups are: hierarchies, brig's own folders in them, opening a container's. */
#include "confine/cgroup_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *const names[CG_COUNT] = {
	[CG_MEMORY] = "memory",	  [CG_PIDS] = "pids",	    [CG_CPU] = "cpu",	      [CG_CPUSET] = "cpuset",
	[CG_IO] = "blkio",	  [CG_DEVICES] = "devices", [CG_FREEZER] = "freezer", [CG_CPUACCT] = "cpuacct",
	[CG_V2] = "unified",
};

const char *cgroup_controller_name(enum cgroup_controller c)
{
	if (c == CG_IO && cgroup_version() == 2)
		return "io";
	return names[c];
}

static long magic_of(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) < 0 ? 0 : (long)st.f_type;
}

static long mount_magic;

static int mount_fd(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = open(CGROUP_MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
		mount_magic = fd < 0 ? 0 : magic_of(fd);
	}
	return fd;
}

int cgroup_top(enum cgroup_controller c)
{
	static int tops[CG_COUNT]; /* 0: not looked up; descriptor + 1; or a negative errno */
	int fd;

	if (tops[c])
		return tops[c] > 0 ? tops[c] - 1 : tops[c];
	if (mount_fd() < 0) {
		tops[c] = -ENOENT;
		return tops[c];
	}
	if (mount_magic == CGROUP2_SUPER_MAGIC) {
		tops[c] = mount_fd() + 1;
		return mount_fd();
	}
	if (c == CG_V2) {
		tops[c] = -ENOENT;
		return tops[c];
	}
	/* A v1 machine: one mount a controller, often behind a link when two share one ("cpu" -> "cpu,cpuacct"). */
	fd = openat(mount_fd(), names[c], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		tops[c] = -ENOENT;
		return tops[c];
	}
	if (magic_of(fd) != CGROUP_SUPER_MAGIC) {
		close(fd);
		tops[c] = -ENOENT;
		return tops[c];
	}
	tops[c] = fd + 1;
	return fd;
}

int cgroup_version(void)
{
	static int version = -1;

	if (version >= 0)
		return version;
	if (mount_fd() >= 0 && mount_magic == CGROUP2_SUPER_MAGIC) {
		version = 2;
		return version;
	}
	version = 0;
	for (enum cgroup_controller c = 0; c < CG_V2 && version == 0; c++)
		if (cgroup_top(c) >= 0)
			version = 1;
	return version;
}

bool cgroup_shared(enum cgroup_controller c)
{
	struct stat mine, other;

	if (cgroup_version() != 1 || c == CG_V2 || cgroup_top(c) < 0 || fstat(cgroup_top(c), &mine) < 0)
		return false;
	/* Only these two are mounted together by distributions (net_cls,net_prio are not ours). */
	if (c != CG_CPUACCT || cgroup_top(CG_CPU) < 0 || fstat(cgroup_top(CG_CPU), &other) < 0)
		return false;
	return mine.st_dev == other.st_dev;
}

/* A line is "ID:controller,controller:/path"; v2 is "0::/path". Format: cgroups(7), /proc/PID/cgroup. */
int cgroup_place(const char *text, enum cgroup_controller c, char *out, size_t size)
{
	const char *want = c == CG_V2 ? "" : names[c];
	size_t n = strlen(want);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n'), *list = strchr(line, ':'), *path, *p;

		path = list && list < end ? strchr(list + 1, ':') : NULL;
		if (path && path < end) {
			list++;
			for (p = list; p <= path;) {
				const char *stop = p;

				while (stop < path && *stop != ',')
					stop++;
				if ((size_t)(stop - p) == n && memcmp(p, want, n) == 0 && (n > 0 || list == path)) {
					path++;
					if ((size_t)(end - path) >= size)
						return -ENAMETOOLONG;
					snprintf(out, size, "%.*s", (int)(end - path), path);
					return 0;
				}
				p = stop + 1;
			}
		}
		line = *end ? end + 1 : NULL;
	}
	return -ENOENT;
}

int cgroup_own(enum cgroup_controller c, char *out, size_t size)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL);

	if (r < 0)
		return r;
	return cgroup_place(text, cgroup_version() == 2 ? CG_V2 : c, out, size);
}

int cgroup_base_path(const struct spec *s, char *out, size_t size, struct error *e)
{
	const char *parent = s ? s->cgroup_parent : NULL;
	int n;

	if (parent) {
		while (*parent == '/')
			parent++;
		_cleanup_strv_ char **parts = strv_split(parent, '/');
		strv_foreach(it, parts)
			if (!path_is_part(*it))
				return error_set(e, EINVAL, "cgroup parent \"%s\" is not a plain path", s->cgroup_parent);
		n = snprintf(out, size, "%s", parent);
	} else if (geteuid() == 0) {
		n = snprintf(out, size, "brig/run");
	} else if (cgroup_version() == 2 && cgroup_systemd_runs()) {
		n = snprintf(out, size, "user.slice/user-%1$u.slice/user@%1$u.service/brig-user-%1$u", geteuid());
	} else {
		n = snprintf(out, size, "brig-user-%u", geteuid());
	}
	return (size_t)n >= size ? error_set(e, ENAMETOOLONG, "cgroup parent is too long") : 0;
}

static bool user_part(const char *part, size_t n)
{
	const char *digits = n > 10 && memcmp(part, "brig-user-", 10) == 0 ? part + 10 : NULL;

	for (; digits && digits < part + n; digits++)
		if (*digits < '0' || *digits > '9')
			return false;
	return digits != NULL;
}

bool cgroup_path_ok(const char *path)
{
	_cleanup_strv_ char **parts = path ? strv_split(path, '/') : NULL;
	size_t n = strv_len(parts);
	const char *last, *before;

	strv_foreach(it, parts)
		if (!path_is_part(*it))
			return false;
	if (n < 2)
		return false;
	last = parts[n - 1];
	before = parts[n - 2];
	/* The folders that hold containers are themselves never a container's. */
	if (user_part(last, strlen(last)))
		return false;
	if (str_after(last, "brig-") && last[5])
		return true;
	return user_part(before, strlen(before)) || (n == 3 && streq(parts[0], "brig") && streq(before, "run"));
}

void cgroup_init(struct cgroup *cg)
{
	cg->path[0] = 0;
	cg->v2 = false;
	for (int c = 0; c < CG_COUNT; c++)
		cg->fd[c] = -1;
}

void cgroup_close(struct cgroup *cg)
{
	for (int c = 0; c < CG_COUNT; c++)
		if (cg->fd[c] >= 0)
			close(cg->fd[c]);
	cgroup_init(cg);
}

int cgroup_open(const char *path, struct cgroup *cg, struct error *e)
{
	bool any = false;

	cgroup_init(cg);
	if (!cgroup_path_ok(path))
		return error_set(e, EPERM, "\"%s\" is not a cgroup of brig's: it is left alone", path ? path : "");
	if (strlen(path) >= sizeof(cg->path))
		return error_set(e, ENAMETOOLONG, "cgroup path is too long");
	strcpy(cg->path, path);
	cg->v2 = cgroup_version() == 2;
	for (enum cgroup_controller c = cg->v2 ? CG_V2 : 0; c < CG_COUNT; c++) {
		int top = cgroup_top(c);

		if (top < 0 || cgroup_shared(c))
			continue;
		cg->fd[c] = path_open_beneath(top, path, O_PATH | O_DIRECTORY, 0);
		if (cg->fd[c] >= 0) {
			any = true;
			continue;
		}
		if (cg->fd[c] != -ENOENT) {
			int r = error_errno(e, cg->fd[c], "cannot open cgroup %s (%s)", path, names[c]);

			cg->fd[c] = -1;
			cgroup_close(cg);
			return r;
		}
		cg->fd[c] = -1;
	}
	if (!any)
		return error_set(e, ENOENT, "cgroup %s does not exist", path);
	return 0;
}

size_t cgroup_fds(const struct cgroup *cg, int *fds)
{
	size_t n = 0;

	for (int c = 0; c < CG_COUNT; c++)
		if (cg->fd[c] >= 0)
			fds[n++] = cg->fd[c];
	return n;
}

/* Each v1 hierarchy is a device of its own; 0: there is none. */
static dev_t top_device(enum cgroup_controller c)
{
	static dev_t devices[CG_COUNT];
	struct stat st;

	if (!devices[c] && cgroup_top(c) >= 0 && fstat(cgroup_top(c), &st) == 0)
		devices[c] = st.st_dev;
	return devices[c];
}

/* By the hierarchy's mount; only where that is not to be seen by the files in the folder. */
static enum cgroup_controller controller_of(int fd, const char *const marks[])
{
	enum cgroup_controller c;
	struct stat st;

	if (magic_of(fd) != CGROUP_SUPER_MAGIC || fstat(fd, &st) < 0)
		return CG_V2;
	for (c = 0; c < CG_V2; c++)
		if (top_device(c) == st.st_dev)
			return c;
	for (c = 0; c < CG_V2; c++)
		if (marks[c] && faccessat(fd, marks[c], F_OK, 0) == 0)
			break;
	return c;
}

int cgroup_from_fds(struct cgroup *cg, const char *path, const int *fds, size_t n, struct error *e)
{
	static const char *const marks[CG_COUNT] = {
		[CG_MEMORY] = "memory.limit_in_bytes", [CG_PIDS] = "pids.max",	       [CG_CPU] = "cpu.shares",
		[CG_CPUSET] = "cpuset.cpus",	       [CG_IO] = "blkio.reset_stats",  [CG_DEVICES] = "devices.list",
		[CG_FREEZER] = "freezer.state",	       [CG_CPUACCT] = "cpuacct.usage",
	};

	cgroup_init(cg);
	if (strlen(path) >= sizeof(cg->path))
		return error_set(e, ENAMETOOLONG, "cgroup path is too long");
	strcpy(cg->path, path);
	cg->v2 = cgroup_version() == 2;
	for (size_t i = 0; i < n; i++) {
		enum cgroup_controller c = controller_of(fds[i], marks);

		if (c == CG_V2 && magic_of(fds[i]) != CGROUP2_SUPER_MAGIC)
			return error_set(e, EBADF, "descriptor %d is not a cgroup", fds[i]);
		cg->fd[c] = fds[i];
	}
	return 0;
}

/*
 * The base, or what is missing of it, can be made: in root's hierarchy by root, below its own manager by a user. A
 * read-only cgroupfs (inside a container) says no.
 */
static bool can_make(int top, const char *base)
{
	char path[256];

	snprintf(path, sizeof(path), "./%s", base);
	for (;;) {
		_cleanup_close_ int fd = path_open_beneath(top, path, O_PATH | O_DIRECTORY, 0);

		if (fd >= 0)
			return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
		if (fd != -ENOENT)
			return false;
		*strrchr(path, '/') = 0;
	}
}

/*
 * A process may be put into a v2 folder by who may write the cgroup.procs of the nearest folder that is above both it
 * and the caller's own place (cgroup-v2.rst, "Delegation Containment").
 */
static bool can_join_v2(const char *base)
{
	char own[512], common[512];
	size_t slash = 0, i = 0;
	_cleanup_close_ int fd = -1;

	if (geteuid() == 0)
		return true;
	if (cgroup_own(CG_V2, own, sizeof(own)) < 0)
		return false;
	for (;; i++) {
		char a = own[1 + i], b = base[i];

		if ((a == '/' || !a) && (b == '/' || !b))
			slash = i;
		if (a != b || !a)
			break;
	}
	snprintf(common, sizeof(common), "./%.*s", (int)slash, base);
	fd = path_open_beneath(cgroup_top(CG_V2), common, O_PATH | O_DIRECTORY, 0);
	return fd >= 0 && faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

bool cgroup_by_systemd(const char *base)
{
	return strchr(base, '@') && !can_join_v2(base);
}

/* The base, or what there is of it. */
static int nearest(const char *base)
{
	char path[256];

	snprintf(path, sizeof(path), "./%s", base);
	for (;;) {
		int fd = path_open_beneath(cgroup_top(CG_V2), path, O_PATH | O_DIRECTORY, 0);

		if (fd != -ENOENT)
			return fd;
		*strrchr(path, '/') = 0;
	}
}

/*
 * v2: what the base has (or, before it is made, the folder above), its children can be given. Root can give brig/ what the
 * top has.
 */
static unsigned usable_v2(const char *base, unsigned wanted)
{
	_cleanup_close_ int fd = -1;
	unsigned usable = 0;
	char text[512];

	if (!can_make(cgroup_top(CG_V2), base) || !(strchr(base, '@') || can_join_v2(base)))
		return 0;
	fd = nearest(geteuid() == 0 ? "" : base);
	if (fd < 0 || file_read_line(fd, "cgroup.controllers", text, sizeof(text)) < 0)
		return 0;
	_cleanup_strv_ char **have = strv_split(text, ' ');
	for (enum cgroup_controller c = CG_MEMORY; c <= CG_IO; c++)
		if (strv_has(have, c == CG_IO ? "io" : names[c]))
			usable |= CG_BIT(c);
	usable |= CG_BIT(CG_V2);
	if (geteuid() == 0)
		usable |= CG_BIT(CG_DEVICES);
	return usable & wanted;
}

unsigned cgroup_base_usable(const char *base, unsigned wanted)
{
	unsigned usable = 0;

	if (cgroup_version() == 2)
		return usable_v2(base, wanted);
	for (enum cgroup_controller c = 0; c < CG_COUNT; c++) {
		if (!(wanted & CG_BIT(c)) || cgroup_top(c) < 0 || !can_make(cgroup_top(c), base))
			continue;
		usable |= CG_BIT(c);
	}
	return usable;
}

void cgroup_enable_v2(const char *base, unsigned controllers)
{
	char path[512] = ".";
	_cleanup_strv_ char **parts = *base ? strv_split(base, '/') : NULL;
	size_t used = 1;

	for (char **part = parts;; part++) {
		_cleanup_close_ int fd = path_open_beneath(cgroup_top(CG_V2), path, O_PATH | O_DIRECTORY, 0);

		for (enum cgroup_controller c = CG_MEMORY; fd >= 0 && c <= CG_IO; c++) {
			char word[32];

			if (!(controllers & CG_BIT(c)))
				continue;
			/* One that cannot be switched on shows when its limit is set; the others shall work. */
			snprintf(word, sizeof(word), "+%s", c == CG_IO ? "io" : cgroup_controller_name(c));
			(void)!file_write(fd, "cgroup.subtree_control", word);
		}
		if (!part || !*part)
			return;
		used += (size_t)snprintf(path + used, sizeof(path) - used, "/%s", *part);
		if (used >= sizeof(path))
			return;
	}
}

int cgroup_cpuset_inherit(int top, int fd)
{
	static const char *const files[] = { "cpuset.mems", "cpuset.cpus" };
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = file_read_line(top, files[i], text, sizeof(text));

		if (r == 0)
			r = file_write(fd, files[i], text);
		if (r < 0)
			return r;
	}
	return file_write(fd, "cgroup.clone_children", "1");
}

/*
 * brig/run is only made once brig/ is ready (device list, cpuset), so that its presence with the right mode says that
 * all is done, even when somebody was killed half-way.
 */
static int prepare_brig(enum cgroup_controller c, int top, int brig)
{
	int r = 0;

	if (fchmodat(brig, ".", 0700, 0) < 0)
		return -errno;
	if (c == CG_DEVICES && cgroup_version() == 1)
		r = cgroup_devices_v1(brig);
	if (r < 0)
		return r;
	return c == CG_CPUSET && cgroup_version() == 1 ? cgroup_cpuset_inherit(top, brig) : 0;
}

static int make_brig(enum cgroup_controller c, int top)
{
	_cleanup_close_ int brig = -1, run = -1;
	int r;

	if (mkdirat(top, "brig", 0700) < 0 && errno != EEXIST)
		return -errno;
	brig = openat(top, "brig", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (brig < 0)
		return -errno;
	r = prepare_brig(c, top, brig);
	if (r < 0)
		return r;
	if (mkdirat(brig, "run", 0700) < 0 && errno != EEXIST)
		return -errno;
	run = openat(brig, "run", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (run < 0)
		return -errno;
	if (fchmodat(brig, "run", 01777, 0) < 0)
		return -errno;
	return steal_fd(&run);
}

int cgroup_base_open(enum cgroup_controller c, const char *base, bool make, struct error *e)
{
	_cleanup_close_ int fd = -1;
	int top = cgroup_top(c);
	struct stat st;
	bool own = streq(base, "brig/run");

	if (top < 0)
		return error_errno(e, top, "cgroup controller %s", names[c]);
	fd = path_open_beneath(top, base, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0 && (!own || !make || (fstat(fd, &st) == 0 && (st.st_mode & 07777) == 01777)))
		return steal_fd(&fd);
	if (fd < 0 && fd != -ENOENT)
		return error_errno(e, fd, "cannot open cgroup %s (%s)", base, names[c]);
	if (!make)
		return error_errno(e, ENOENT, "cgroup %s (%s)", base, names[c]);
	if (fd >= 0)
		close(steal_fd(&fd));
	fd = own ? make_brig(c, top) : path_mkdirs_in(top, base, 0755);
	if (fd < 0)
		return error_errno(e, fd, "cannot make cgroup %s (%s)", base, names[c]);
	return steal_fd(&fd);
}

/* Only BFQ honours weights on v1, and its file is in folders below the top alone. Unknown (no folder yet) counts as yes. */
static bool has_v1_weight(const char *base)
{
	_cleanup_close_ int fd = path_open_beneath(cgroup_top(CG_IO), base, O_PATH | O_DIRECTORY, 0);

	return fd < 0 || faccessat(fd, "blkio.bfq.weight", F_OK, 0) == 0;
}

void cgroup_look(struct cgroup_machine *m)
{
	*m = (struct cgroup_machine){ .version = cgroup_version() };
	m->hybrid = m->version == 1 && faccessat(mount_fd(), "unified/cgroup.procs", F_OK, 0) == 0;
	if (m->version == 0)
		return;
	if (m->version == 2) {
		char text[512];

		m->present = CG_BIT(CG_V2) | CG_BIT(CG_DEVICES) | CG_BIT(CG_FREEZER);
		if (file_read_line(cgroup_top(CG_V2), "cgroup.controllers", text, sizeof(text)) < 0)
			text[0] = 0;
		_cleanup_strv_ char **have = strv_split(text, ' ');
		for (enum cgroup_controller c = CG_MEMORY; c <= CG_IO; c++)
			if (strv_has(have, c == CG_IO ? "io" : names[c]))
				m->present |= CG_BIT(c);
	} else {
		for (enum cgroup_controller c = 0; c < CG_COUNT; c++)
			if (cgroup_top(c) >= 0)
				m->present |= CG_BIT(c);
	}
	if (cgroup_base_path(NULL, m->base, sizeof(m->base), NULL) < 0)
		m->base[0] = 0;
	m->usable = cgroup_base_usable(m->base, m->present);
	if (m->version == 1 && (m->usable & CG_BIT(CG_IO)) && !has_v1_weight(m->base))
		m->usable &= ~CG_BIT(CG_IO);
	if (!m->usable)
		m->base[0] = 0;
}
