/* SPDX-License-Identifier: Apache-2.0 */
/* Where an OCI container's cgroup is: the machine's hierarchies, the path in each, making and recording them. */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "confine/cgroup_internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

void oci_cgroup_close(struct oci_cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		if (cg->h[i].fd >= 0)
			close(cg->h[i].fd);
		if (cg->h[i].top >= 0)
			close(cg->h[i].top);
	}
	cg->n = 0;
}

static long magic_of(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) < 0 ? 0 : (long)st.f_type;
}

static bool has_name(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

const struct oci_hierarchy *oci_hierarchy(const struct oci_cgroup *cg, const char *controller)
{
	for (size_t i = 0; i < cg->n; i++) {
		bool v2 = !cg->h[i].names[0];

		if (controller && cg->version == 1 ? !v2 && has_name(cg->h[i].names, controller) : v2)
			return &cg->h[i];
	}
	return NULL;
}

int oci_hierarchy_fd(const struct oci_cgroup *cg, const char *controller)
{
	const struct oci_hierarchy *h = oci_hierarchy(cg, controller);

	return h ? h->fd : -1;
}

/* The folder of a hierarchy: by its whole name, else ("cpu,cpuacct") by its first controller, which is a link then. */
static int open_top(int mount, const char *names)
{
	char first[96];
	const char *name = str_after(names, "name=");
	int fd;

	if (!name)
		name = names[0] ? names : "unified";
	fd = openat(mount, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(name, ","), name);
	return openat(mount, first, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* One line "ID:names:/path". */
static void look_line(struct oci_cgroup *cg, int mount, bool v2, const char *line, size_t len, bool real)
{
	struct oci_hierarchy *h = &cg->h[cg->n];
	const char *names = memchr(line, ':', len), *path;

	if (!names || cg->n == OCI_CG_HIERARCHIES)
		return;
	names++;
	path = memchr(names, ':', len - (size_t)(names - line));
	if (!path || (size_t)(path - names) >= sizeof(h->names) || len - (size_t)(path + 1 - line) >= sizeof(h->own))
		return;
	*h = (struct oci_hierarchy){ .top = -1, .fd = -1 };
	memcpy(h->names, names, (size_t)(path - names));
	memcpy(h->own, path + 1, len - (size_t)(path + 1 - line));
	if (v2 && h->names[0])
		return;
	h->top = v2 ? fcntl(mount, F_DUPFD_CLOEXEC, 3) : open_top(mount, h->names);
	if (h->top >= 0 && real && magic_of(h->top) != (h->names[0] ? CGROUP_SUPER_MAGIC : CGROUP2_SUPER_MAGIC)) {
		close(h->top);
		h->top = -1;
	}
	if (h->top >= 0)
		cg->n++;
}

int oci_cgroup_look(struct oci_cgroup *cg, int mount, bool v2, const char *text, bool real)
{
	memset(cg, 0, sizeof(*cg));
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		look_line(cg, mount, v2, line, len, real);
		line += len + (line[len] == '\n');
	}
	cg->version = cg->n == 0 ? 0 : v2 ? 2 : 1;
	/* Only a v2 tree beside nothing: as good as a v2 machine. */
	if (cg->n == 1 && !cg->h[0].names[0])
		cg->version = 2;
	return cg->n ? 0 : -ENOENT;
}

static int look_here(struct oci_cgroup *cg)
{
	_cleanup_close_ int mount = open(CGROUP_MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r;

	memset(cg, 0, sizeof(*cg));
	if (mount < 0)
		return -errno;
	r = file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL);
	return r < 0 ? r : oci_cgroup_look(cg, mount, magic_of(mount) == CGROUP2_SUPER_MAGIC, text, true);
}

/* `base` and `path` joined, without doubled slashes and "."; ".." is refused. */
static int join(const char *base, const char *path, char *out, size_t size, struct error *e)
{
	const char *both[] = { base, path };
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_strv_ char **parts = strv_split(both[i], '/');

		strv_foreach(it, parts) {
			if (!**it || streq(*it, "."))
				continue;
			if (!path_is_part(*it))
				return error_set(e, EINVAL, "linux.cgroupsPath: is not a plain path");
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "/" : "", *it);
			if (used >= size)
				return error_set(e, ENAMETOOLONG, "linux.cgroupsPath: is too long");
		}
	}
	return used ? 0 : error_set(e, EINVAL, "linux.cgroupsPath: is the top of the tree, where no limit works");
}

int oci_slice_expand(const char *slice, char *out, size_t size)
{
	size_t n = strlen(slice), used = 0;

	if (!str_ends(slice, ".slice") || strchr(slice, '/') || slice[0] == '-' || strstr(slice, "--"))
		return -EINVAL;
	if (streq(slice, "-.slice"))
		return -EINVAL;
	n -= strlen(".slice");
	if (n == 0 || slice[n - 1] == '-')
		return -EINVAL;
	for (size_t i = 1; i <= n; i++)
		if (i == n || slice[i] == '-') {
			used += (size_t)snprintf(out + used, size - used, "%s%.*s.slice", used ? "/" : "", (int)i, slice);
			if (used >= size)
				return -ENAMETOOLONG;
		}
	return 0;
}

static int place_systemd(struct oci_cgroup *cg, const struct oci_cgroup_request *rq, struct error *e)
{
	_cleanup_free_ char *standard = xasprintf("%s:brig:%s", geteuid() == 0 ? "system.slice" : "user.slice", rq->id);
	_cleanup_strv_ char **p = strv_split(rq->path && *rq->path ? rq->path : standard, ':');
	char folder[OCI_CG_PATH];
	const char *slice;
	int n;

	if (strv_len(p) != 3)
		return error_set(e, EINVAL, "linux.cgroupsPath: with --systemd-cgroup it is slice:prefix:name");
	slice = *p[0] ? p[0] : geteuid() == 0 ? "system.slice" : "user.slice";
	if (str_ends(p[2], ".slice"))
		n = snprintf(cg->unit, sizeof(cg->unit), "%s", p[2]);
	else
		n = snprintf(cg->unit, sizeof(cg->unit), "%s%s%s.scope", p[1], *p[1] ? "-" : "", p[2]);
	if (!*p[2] || (size_t)n >= sizeof(cg->unit) || !path_is_part(cg->unit))
		return error_set(e, EINVAL, "linux.cgroupsPath: there is no unit name in it");
	if (oci_slice_expand(slice, folder, sizeof(folder)) < 0 || strlen(slice) >= sizeof(cg->slice))
		return error_set(e, EINVAL, "linux.cgroupsPath: its first part is not the name of a slice");
	strcpy(cg->slice, slice);
	for (size_t i = 0; i < cg->n; i++) {
		int r = join(folder, cg->unit, cg->h[i].path, sizeof(cg->h[i].path), e);

		if (r < 0)
			return r;
	}
	return 0;
}

uid_t oci_cgroup_user(void)
{
	uid_t self = geteuid();
	_cleanup_free_ char *text = NULL;
	char *rest, *line;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", 65536, &text, NULL) < 0)
		return self;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		unsigned inside, outside, count;

		if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && self >= inside && self - inside < count)
			return outside + (self - inside);
	}
	return self;
}

/* Where containers go whose caller did not say. */
static int standard_base(char *out, size_t size, struct error *e)
{
	if (geteuid() != 0)
		return cgroup_base_path(NULL, out, size, e);
	if (oci_cgroup_user() != 0)
		snprintf(out, size, "brig-user-%u", oci_cgroup_user());
	else
		snprintf(out, size, "brig-oci");
	return 0;
}

int oci_cgroup_place(struct oci_cgroup *cg, const struct oci_cgroup_request *rq, struct error *e)
{
	char base[OCI_CG_PATH], standard[256];
	bool given = rq->path && *rq->path;
	int r;

	if (rq->systemd)
		return place_systemd(cg, rq, e);
	r = standard_base(standard, sizeof(standard), e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < cg->n; i++) {
		struct oci_hierarchy *h = &cg->h[i];

		snprintf(base, sizeof(base), "%s", given ? (*rq->path == '/' ? "" : h->own) : standard);
		/* Out of our cgroup namespace: as if we stood at the top. */
		if (str_after(base, "/.."))
			base[0] = 0;
		if (given && *rq->path != '/' && cg->version == 2 && base[0])
			*strrchr(base, '/') = 0;
		r = join(base, given ? rq->path : rq->id, h->path, sizeof(h->path), e);
		if (r < 0)
			return r;
	}
	return 0;
}

int oci_cgroup_plan(struct oci_cgroup *cg, const struct oci_cgroup_request *rq, struct error *e)
{
	int r = look_here(cg);

	if (r < 0 && oci_cgroup_user() == 0 && rq->path && *rq->path)
		return error_set(e, ENODEV, "linux.cgroupsPath: no cgroup hierarchy is mounted at " CGROUP_MOUNT);
	cg->may_miss = r < 0 || oci_cgroup_user() != 0;
	r = oci_cgroup_place(cg, rq, e);
	if (r < 0)
		oci_cgroup_close(cg);
	return r;
}

/* Writes what `from` has and `to` lacks, all at once, and where the kernel refuses that one by one. */
static void enable_one(int dir, const char *wanted)
{
	_cleanup_buf_ struct buf line = { 0 };
	char have[512];

	if (file_read_line(dir, "cgroup.subtree_control", have, sizeof(have)) < 0)
		return;
	_cleanup_strv_ char **want = strv_split(wanted, ' '), **got = strv_split(have, ' ');
	strv_foreach(it, want)
		if (**it && !strv_has(got, *it))
			buf_printf(&line, "%s+%s", line.len ? " " : "", *it);
	if (!line.len || file_write(dir, "cgroup.subtree_control", line.data) == 0)
		return;
	_cleanup_strv_ char **one = strv_split(line.data, ' ');
	strv_foreach(it, one)
		(void)!file_write(dir, "cgroup.subtree_control", *it);
}

void oci_cgroup_enable(const struct oci_hierarchy *h)
{
	char wanted[512], have[512], path[OCI_CG_PATH];

	if (file_read_line(h->top, "cgroup.controllers", wanted, sizeof(wanted)) < 0 ||
	    file_read_line(h->fd, "cgroup.controllers", have, sizeof(have)) < 0 || streq(wanted, have))
		return;
	enable_one(h->top, wanted);
	for (const char *slash = strchr(h->path, '/'); slash; slash = strchr(slash + 1, '/')) {
		_cleanup_close_ int fd = -1;

		snprintf(path, sizeof(path), "%.*s", (int)(slash - h->path), h->path);
		fd = path_open_beneath(h->top, path, O_PATH | O_DIRECTORY, 0);
		if (fd >= 0)
			enable_one(fd, wanted);
	}
}

/* v1: a cpuset without CPUs or memory nodes takes no process; from the top down, each gets what the one above has. */
static int fill_cpuset(const struct oci_hierarchy *h)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	_cleanup_close_ int above = fcntl(h->top, F_DUPFD_CLOEXEC, 3);
	const char *end = h->path;

	while (above >= 0 && *end) {
		char path[OCI_CG_PATH], text[4096];
		int fd;

		end += *end == '/';
		end += strcspn(end, "/");
		snprintf(path, sizeof(path), "%.*s", (int)(end - h->path), h->path);
		fd = path_open_beneath(h->top, path, O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return fd;
		for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
			int r = file_read_line(fd, files[i], text, sizeof(text));

			if (r == 0 && !text[0])
				r = file_read_line(above, files[i], text, sizeof(text));
			else
				continue;
			if (r == 0)
				r = file_write(fd, files[i], text);
			if (r < 0) {
				close(fd);
				return r;
			}
		}
		close(above);
		above = fd;
	}
	return 0;
}

/* The folder above is there, as nearly always. */
static int make_last(struct oci_hierarchy *h)
{
	const char *slash = strrchr(h->path, '/'), *name = slash ? slash + 1 : h->path;
	_cleanup_free_ char *above = slash ? xstrndup(h->path, (size_t)(slash - h->path)) : xstrdup(".");
	_cleanup_close_ int dir = path_open_beneath(h->top, above, O_PATH | O_DIRECTORY, 0);
	int fd;

	if (dir < 0)
		return dir;
	if (mkdirat(dir, name, 0755) == 0)
		h->made = true;
	else if (errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int make_one(struct oci_hierarchy *h)
{
	h->fd = make_last(h);
	if (h->fd == -ENOENT) {
		h->fd = path_mkdirs_in(h->top, h->path, 0755);
		h->made = h->fd >= 0;
	}
	if (h->fd < 0) {
		int r = h->fd;

		h->fd = -1;
		return r;
	}
	return has_name(h->names, "cpuset") ? fill_cpuset(h) : 0;
}

/* A folder that somebody else's processes are in is not ours to limit and to kill. */
static int check_empty(const struct oci_cgroup *cg, struct error *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	_cleanup_free_ char *text = oci_cgroup_text(cg);
	size_t n = 0;
	int r = oci_cgroup_pids(cg, &pids, &n, e);

	if (r < 0)
		return r;
	if (n)
		return error_set(e, EBUSY, "linux.cgroupsPath: the cgroup %s is not empty: %zu processes are in it", text, n);
	if (oci_cgroup_frozen(cg))
		return error_set(e, EBUSY, "linux.cgroupsPath: the cgroup %s is frozen", text);
	return 0;
}

int oci_cgroup_make(struct oci_cgroup *cg, struct error *e)
{
	bool any_old = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < cg->n; i++) {
		struct oci_hierarchy *h = &cg->h[i];

		r = make_one(h);
		/* Beside v1 the v2 tree serves nothing that could be missed. */
		if (r < 0 && (cg->may_miss || (cg->version == 1 && !h->names[0])) && (r == -EACCES || r == -EPERM || r == -EROFS)) {
			r = 0;
			continue;
		}
		if (r < 0)
			error_errno(e, r, "linux.cgroupsPath: cannot make cgroup %s (%s)", h->path,
				    h->names[0] ? h->names : "v2");
		any_old |= h->fd >= 0 && !h->made;
		if (r == 0 && cg->version == 2)
			oci_cgroup_enable(h);
	}
	if (r == 0 && any_old && !oci_cgroup_by_systemd(cg))
		r = check_empty(cg, e);
	for (size_t i = 0; r < 0 && i < cg->n; i++)
		if (!cg->h[i].made && cg->h[i].fd >= 0) {
			close(cg->h[i].fd);
			cg->h[i].fd = -1;
		}
	if (r < 0)
		oci_cgroup_remove(cg, NULL);
	return r;
}

json_t *oci_cgroup_record(const struct oci_cgroup *cg)
{
	json_t *o = json_object(), *paths = json_object();

	for (size_t i = 0; i < cg->n; i++) {
		_cleanup_free_ char *p = xasprintf("/%s", cg->h[i].path);

		if (cg->h[i].fd >= 0)
			json_object_set_new(paths, cg->h[i].names, json_string(p));
	}
	json_object_set_new(o, "paths", paths);
	if (cg->unit[0]) {
		json_object_set_new(o, "slice", json_string(cg->slice));
		json_object_set_new(o, "unit", json_string(cg->unit));
	}
	return o;
}

int oci_cgroup_open(struct oci_cgroup *cg, const json_t *record, struct error *e)
{
	const char *slice = "", *unit = "";
	json_t *paths = json_object_get(record, "paths");
	int r = json_get_str(record, "cgroup", "slice", &slice, e);

	memset(cg, 0, sizeof(*cg));
	if (r == 0)
		r = json_get_str(record, "cgroup", "unit", &unit, e);
	if (r < 0)
		return r;
	(void)!look_here(cg);
	snprintf(cg->slice, sizeof(cg->slice), "%s", slice);
	snprintf(cg->unit, sizeof(cg->unit), "%s", unit);
	for (size_t i = 0; i < cg->n; i++) {
		struct oci_hierarchy *h = &cg->h[i];
		const char *p = json_string_value(json_object_get(paths, h->names));

		if (!p || *p != '/' || strlen(p) >= sizeof(h->path))
			continue;
		strcpy(h->path, p + 1);
		h->fd = path_open_beneath(h->top, h->path, O_PATH | O_DIRECTORY, 0);
		if (h->fd < 0 && h->fd != -ENOENT) {
			r = error_errno(e, h->fd, "cannot open cgroup %s", p);
			h->fd = -1;
			oci_cgroup_close(cg);
			return r;
		}
		h->fd = h->fd < 0 ? -1 : h->fd;
	}
	return 0;
}

char *oci_cgroup_text(const struct oci_cgroup *cg)
{
	const struct oci_hierarchy *h = cg->version == 2 ? oci_hierarchy(cg, NULL) : oci_hierarchy(cg, "memory");

	if (!h || h->fd < 0)
		for (size_t i = 0; i < cg->n && (!h || h->fd < 0); i++)
			h = &cg->h[i];
	return h && h->path[0] ? xasprintf("/%s", h->path) : NULL;
}
