/* SPDX-License-Identifier: Apache-2.0 */
/* The wall: planning it, making a container's folders, joining them. */
#include "confine/cgroup.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "confine/cgroup_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const details[] = { "memory", "swap", "pids", "cpu", "cpuset", "io", "devices", NULL };
static const char *const texts[] = { "no memory limit", "swap without limit", "no task limit", "no CPU limit or weight",
				     "any CPU", "no IO weight or limit", "no device list", NULL };

/* What --lower and brig.conf call a controller, and what a person calls it. */
static const struct {
	enum cgroup_controller c;
	const char *detail;
} limits[] = {
	{ CG_MEMORY, "memory" }, { CG_PIDS, "pids" },	{ CG_CPU, "cpu" },
	{ CG_CPUSET, "cpuset" }, { CG_IO, "io" },	{ CG_DEVICES, "devices" },
};

/* ID as a folder name: whole where it fits into 255 bytes with its prefix. */
static int container_path(const struct spec *s, const char *base, char *out, size_t size, struct error *e)
{
	const char *prefix = s->cgroup_parent ? "brig-" : "";
	uint64_t hash = 0xcbf29ce484222325u;
	int n;

	if (strlen(s->id) <= 200) {
		n = snprintf(out, size, "%s/%s%s", base, prefix, s->id);
	} else {
		/* FNV-1a: only to keep two long names apart; mkdir says when it did not. */
		for (const char *p = s->id; *p; p++)
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
		n = snprintf(out, size, "%s/%s%.180s-%016llx", base, prefix, s->id, (unsigned long long)hash);
	}
	return (size_t)n >= size ? error_set(e, ENAMETOOLONG, "cgroup path is too long") : 0;
}

static void list_add(char *text, size_t size, const char *word)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
}

static void say_plan(const struct spec *s, const struct cgroup_plan *cg, char *out, size_t size)
{
	const struct spec_limits *m = &s->limits;
	char part[96], num[24];

	out[0] = 0;
	if (m->memory && (cg->controllers & CG_BIT(CG_MEMORY))) {
		format_size(m->memory, true, num);
		snprintf(part, sizeof(part), "memory %s", num);
		list_add(out, size, part);
		if (m->memory_swap != UINT64_MAX && !spec_lowered(s, "cgroup", "swap")) {
			format_size(m->memory_swap, true, num);
			snprintf(part, sizeof(part), "swap %s", num);
			list_add(out, size, part);
		}
	}
	if (m->pids && (cg->controllers & CG_BIT(CG_PIDS))) {
		snprintf(part, sizeof(part), "%llu tasks", (unsigned long long)m->pids);
		list_add(out, size, part);
	}
	if (cg->controllers & CG_BIT(CG_CPU)) {
		if (m->cpu_weight) {
			snprintf(part, sizeof(part), "CPU weight %llu", (unsigned long long)m->cpu_weight);
			list_add(out, size, part);
		}
		if (m->cpu_quota_us) {
			double period = m->cpu_period_us ? (double)m->cpu_period_us : 100000.0;

			snprintf(part, sizeof(part), "%.2f CPUs", (double)m->cpu_quota_us / period);
			list_add(out, size, part);
		}
	}
	if (m->cpuset_cpus && (cg->controllers & CG_BIT(CG_CPUSET))) {
		snprintf(part, sizeof(part), "CPUs %.60s", m->cpuset_cpus);
		list_add(out, size, part);
	}
	if (m->io_weight && (cg->controllers & CG_BIT(CG_IO))) {
		snprintf(part, sizeof(part), "IO weight %llu", (unsigned long long)m->io_weight);
		list_add(out, size, part);
	}
	if (cg->controllers & CG_BIT(CG_DEVICES))
		list_add(out, size, "device list");
	if (!out[0])
		snprintf(out, size, "no limit");
	size_t used = strlen(out);
	if (cg->path[0])
		snprintf(out + used, size - used, " (cgroup v%d, %.200s)", cg->version, cg->path);
}

static int missing_error(const char *missing, struct error *e)
{
	error_set(e, EACCES, "these limits cannot be set here: %s%s", missing,
		  cgroup_version() == 0 ? " (no cgroup hierarchy is mounted at " CGROUP_MOUNT ")" :
		  geteuid() == 0	? " (the controllers are missing, or " CGROUP_MOUNT " is read-only)" :
					  " (no cgroup is delegated to this user)");
	if (cgroup_version() != 0 && geteuid() != 0)
		error_hint(e, "once, as root: brig setup --user %u; or run without them: --lower cgroup=LIMIT for each, "
			   "or accept_lowered = cgroup=LIMIT,... in brig.conf", geteuid());
	else
		error_hint(e, "run without them: --lower cgroup=LIMIT for each, or accept_lowered = cgroup=LIMIT,... in "
			   "brig.conf; `brig info` shows what is missing");
	return -EACCES;
}

/* Swap is there, but the kernel does not count it for cgroups (swapaccount=0, or no CONFIG_MEMCG swap). */
static bool swap_missing(const struct spec *s, const char *base)
{
	_cleanup_close_ int fd = -1;

	if (!s->limits.memory || s->limits.memory_swap == UINT64_MAX)
		return false;
	if (cgroup_version() == 1)
		return faccessat(cgroup_top(CG_MEMORY), "memory.memsw.limit_in_bytes", F_OK, 0) < 0 &&
		       cgroup_machine_has_swap();
	/* Only folders below the top have the file; before the first start there is none to ask. */
	fd = path_open_beneath(cgroup_top(CG_V2), base, O_PATH | O_DIRECTORY, 0);
	return fd >= 0 && faccessat(fd, "memory.max", F_OK, 0) == 0 &&
	       faccessat(fd, "memory.swap.max", F_OK, 0) < 0 && cgroup_machine_has_swap();
}

static int cgroup_plan(const struct spec *s, struct plan *p, struct error *e)
{
	/* What is joined where it can be, without a limit: to freeze, and to count. v2 counts IO where it has a limit. */
	const unsigned extra = CG_BIT(CG_V2) | CG_BIT(CG_FREEZER) | CG_BIT(CG_CPUACCT) |
			       (cgroup_version() == 1 ? CG_BIT(CG_IO) : 0);
	struct cgroup_plan *cg = &p->cgroup;
	char missing[120] = "", lowered[120] = "", absent[120] = "", note[400] = "", text[400], base[256];
	unsigned wanted = cgroup_wanted(s), usable;
	int r;

	*cg = (struct cgroup_plan){ 0 };
	if (spec_lowered(s, "cgroup", NULL)) {
		wall_not_up(p, WALL_CGROUP, INTENT_LOWERED, "lowered by name", "no cgroup of its own");
		return 0;
	}
	if (s->cgroup_stands) {
		cg->version = cgroup_version();
		snprintf(cg->path, sizeof(cg->path), "%s", s->cgroup_stands);
		wall_up(p, WALL_CGROUP, "the cgroup of the start before, with its limits (%s)", cg->path);
		return 0;
	}
	r = cgroup_base_path(s, base, sizeof(base), e);
	if (r == 0)
		r = container_path(s, base, cg->path, sizeof(cg->path), e);
	if (r < 0)
		return r;
	cg->version = cgroup_version();
	/* The device list needs root; a user's container has no other devices than brig binds, without it as well. */
	usable = cgroup_base_usable(base, wanted | CG_BIT(CG_DEVICES) | extra);
	if (usable & CG_BIT(CG_DEVICES))
		wanted |= CG_BIT(CG_DEVICES);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		unsigned bit = CG_BIT(limits[i].c);

		/* What a person named is told, also where this container would not have had it. */
		if (spec_lowered(s, "cgroup", limits[i].detail)) {
			wanted &= ~bit;
			list_add(lowered, sizeof(lowered), limits[i].detail);
		}
		if (!(wanted & bit))
			continue;
		if (!(usable & bit)) {
			wanted &= ~bit;
			if (limits[i].c == CG_PIDS)
				continue; /* RLIMIT_NPROC takes over; said below */
			list_add(spec_accepts(s, "cgroup", limits[i].detail) ? absent : missing, sizeof(absent),
				 limits[i].detail);
		}
	}
	if (spec_lowered(s, "cgroup", "swap"))
		list_add(lowered, sizeof(lowered), "swap");
	if ((wanted & CG_BIT(CG_MEMORY)) && swap_missing(s, base) && !spec_lowered(s, "cgroup", "swap"))
		list_add(spec_accepts(s, "cgroup", "swap") ? absent : missing, sizeof(absent), "swap");
	if (missing[0])
		return missing_error(missing, e);
	cg->controllers = wanted | (usable & extra);
	cg->by_systemd = (usable & CG_BIT(CG_V2)) && cgroup_by_systemd(base);
	if (!cg->controllers) {
		cg->version = 0;
		cg->path[0] = 0;
	}
	if (!s->limits.memory && !spec_lowered(s, "cgroup", "memory"))
		list_add(lowered, sizeof(lowered), "memory (no limit asked for)");
	if (!s->limits.pids && !spec_lowered(s, "cgroup", "pids"))
		list_add(lowered, sizeof(lowered), "pids (no limit asked for)");
	say_plan(s, cg, text, sizeof(text));
	if (s->limits.pids && !(cg->controllers & CG_BIT(CG_PIDS)) && !spec_lowered(s, "cgroup", "pids"))
		list_add(text, sizeof(text), "tasks by RLIMIT_NPROC for each of its users");
	if (lowered[0])
		snprintf(note, sizeof(note), "lowered: %s", lowered);
	if (absent[0])
		snprintf(note + strlen(note), sizeof(note) - strlen(note), "%smissing here, as accepted: %s",
			 note[0] ? "; " : "", absent);
	if (lowered[0] || absent[0])
		wall_not_up(p, WALL_CGROUP, lowered[0] ? INTENT_LOWERED : INTENT_ABSENT, note, "%s", text);
	else
		wall_up(p, WALL_CGROUP, "%s", text);
	return 0;
}

/*
 * The files that a container's owner works with, beside the folder itself: to stop it, and on v1 to start it again (there
 * the kernel lets a user move only its own processes). The limits stay root's.
 */
static const char *const owner_files[CG_COUNT][2] = {
	[CG_MEMORY] = { "tasks" }, [CG_PIDS] = { "tasks" },    [CG_CPU] = { "tasks" },
	[CG_CPUSET] = { "tasks" }, [CG_IO] = { "tasks" },      [CG_DEVICES] = { "tasks" },
	[CG_FREEZER] = { "tasks", "freezer.state" },	       [CG_CPUACCT] = { "tasks" },
	[CG_V2] = { "cgroup.kill", "cgroup.freeze" },
};

static int give_to_owner(enum cgroup_controller c, int fd, uint32_t owner)
{
	if (geteuid() != 0 || owner == 0)
		return 0;
	if (fchownat(fd, "", owner, (gid_t)-1, AT_EMPTY_PATH) < 0)
		return -errno;
	for (size_t i = 0; i < 2 && owner_files[c][i]; i++)
		if (fchownat(fd, owner_files[c][i], owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

static int make_folder(int base, const char *name, struct error *e)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(base, name, 0755) < 0) {
		if (errno != EEXIST)
			return error_errno(e, errno, "cannot make cgroup %s", name);
		/* Left by a start that was killed: an empty one goes away, one with processes is somebody's. */
		if (unlinkat(base, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return error_errno(e, errno, "cgroup %s of an earlier start is still in use", name);
		if (mkdirat(base, name, 0755) < 0)
			return error_errno(e, errno, "cannot make cgroup %s", name);
	}
	fd = openat(base, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_errno(e, errno, "cannot open cgroup %s", name) : steal_fd(&fd);
}

static int apply(const struct cgroup *cg, const struct spec *s, unsigned controllers, const char *base,
		 struct error *e)
{
	struct cgroup_setting set[CG_SETTINGS_MAX];
	size_t n = cgroup_settings(s, cg->v2, controllers, set);
	bool enabled = false;

	for (size_t i = 0; i < n; i++) {
		int fd = cgroup_fd(cg, set[i].controller), r;

		if (cg->v2 && !enabled && faccessat(fd, set[i].file, F_OK, 0) < 0) {
			cgroup_enable_v2(base, controllers);
			enabled = true;
		}
		r = cgroup_set(fd, &set[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What a limit that was taken back is in its file. v1: memory and swap together first, it may not be the smaller one. */
static const struct cgroup_setting none_v2[] = {
	{ "memory", CG_MEMORY, "memory.max", "max" }, { "swap", CG_MEMORY, "memory.swap.max", "max" },
	{ "memory", CG_MEMORY, "memory.low", "0" },   { "pids", CG_PIDS, "pids.max", "max" },
	{ "cpu", CG_CPU, "cpu.max", "max 100000" },
};
static const struct cgroup_setting none_v1[] = {
	{ "swap", CG_MEMORY, "memory.memsw.limit_in_bytes", "-1" }, { "memory", CG_MEMORY, "memory.limit_in_bytes", "-1" },
	{ "memory", CG_MEMORY, "memory.soft_limit_in_bytes", "-1" }, { "pids", CG_PIDS, "pids.max", "max" },
	{ "cpu", CG_CPU, "cpu.cfs_quota_us", "-1" },
};

static bool has_setting(const struct cgroup_setting *set, size_t n, const char *file)
{
	for (size_t i = 0; i < n; i++)
		if (streq(set[i].file, file))
			return true;
	return false;
}

int cgroup_update(const struct cgroup *cg, const struct spec *s, struct error *e)
{
	const struct cgroup_setting *none = cg->v2 ? none_v2 : none_v1;
	struct cgroup_setting set[CG_SETTINGS_MAX];
	size_t n = cgroup_settings(s, cg->v2, cgroup_wanted(s), set);
	int r;

	for (size_t i = 0; i < n; i++)
		if (cgroup_fd(cg, set[i].controller) < 0)
			return error_set(e, EOPNOTSUPP, "limit %s: the container runs without controller %s; its next start "
					 "takes it", set[i].limit, cgroup_controller_name(set[i].controller));
	for (size_t i = 0; i < ARRAY_SIZE(none_v2); i++) {
		int fd = cgroup_fd(cg, none[i].controller);

		if (fd < 0 || has_setting(set, n, none[i].file) || spec_lowered(s, "cgroup", none[i].limit))
			continue;
		r = cgroup_set(fd, &none[i], e);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		int fd = cgroup_fd(cg, set[i].controller);

		/* v1, more memory than memory and swap were: the sum goes first. */
		if (i + 1 < n && streq(set[i + 1].file, "memory.memsw.limit_in_bytes") &&
		    file_write(fd, set[i].file, set[i].value) == -EINVAL) {
			r = cgroup_set(fd, &set[i + 1], e);
			if (r < 0)
				return r;
		}
		r = cgroup_set(fd, &set[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_all(const struct plan *p, const char *base, const char *name, struct cgroup *cg, struct error *e)
{
	unsigned folders = cg->v2 ? CG_BIT(CG_V2) : p->cgroup.controllers;

	for (enum cgroup_controller c = 0; c < CG_COUNT; c++) {
		_cleanup_close_ int parent = -1;
		int r;

		if (!(folders & CG_BIT(c)) || cgroup_top(c) < 0)
			continue;
		parent = cgroup_base_open(c, base, true, e);
		if (parent < 0)
			return parent;
		cg->fd[c] = make_folder(parent, name, e);
		if (cg->fd[c] < 0)
			return error_wrap(e, "controller %s", cgroup_controller_name(c));
		r = give_to_owner(c, cg->fd[c], p->spec->owner);
		if (r < 0)
			return error_errno(e, r, "cannot give cgroup %s to uid %u", name, p->spec->owner);
	}
	return 0;
}

static int open_joins(const struct cgroup *cg, struct launch *l, struct error *e)
{
	for (enum cgroup_controller c = 0; c < CG_V2; c++) {
		int fd;

		if (cg->fd[c] < 0)
			continue;
		fd = openat(cg->fd[c], "tasks", O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return error_errno(e, errno, "cannot open tasks (%s)", cgroup_controller_name(c));
		l->cgroup_join[l->n_cgroup_join++] = fd;
	}
	if (cg->fd[CG_V2] >= 0 && !l->plan->cgroup.by_systemd) {
		l->cgroup_fd = fcntl(cg->fd[CG_V2], F_DUPFD_CLOEXEC, 3);
		if (l->cgroup_fd < 0)
			return error_errno(e, errno, "cgroup descriptor");
	}
	return 0;
}

int cgroup_prepare(struct plan *p, struct launch *l, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;
	char base[sizeof(p->cgroup.path)], *name;
	int r;

	l->cgroup_fd = -1;
	l->n_cgroup_join = 0;
	cgroup_init(&cg);
	if (!p->cgroup.controllers)
		return 0;
	strcpy(base, p->cgroup.path);
	name = strrchr(base, '/');
	*name++ = 0;
	strcpy(cg.path, p->cgroup.path);
	cg.v2 = p->cgroup.version == 2;
	r = make_all(p, base, name, &cg, e);
	if (r == 0 && (p->cgroup.controllers & CG_BIT(CG_DEVICES)) && cg.v2) {
		r = cgroup_devices_v2(cg.fd[CG_V2]);
		if (r < 0)
			error_errno(e, r, "device list (--lower cgroup=devices runs without it)");
	}
	if (r == 0)
		r = apply(&cg, p->spec, p->cgroup.controllers, base, e);
	if (r == 0)
		r = open_joins(&cg, l, e);
	if (r < 0) {
		cgroup_release(l);
		cgroup_remove(&cg, NULL);
	}
	return r;
}

int cgroup_join(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (write(fds[i], "0", 1) < 0)
			return -errno;
	return 0;
}

int cgroup_enter(struct launch *l, struct error *e)
{
	int r = cgroup_join(l->cgroup_join, l->n_cgroup_join);

	cgroup_release(l);
	return r < 0 ? error_errno(e, r, "cgroup wall: cannot join %s", l->plan->cgroup.path) : 0;
}

/* Only where systemd has to do it: everything else was joined by the process itself. */
static int cgroup_outside(struct launch *l, struct error *e)
{
	char unit[512], *at, *below;

	if (!l->plan->cgroup.by_systemd)
		return 0;
	snprintf(unit, sizeof(unit), "%s", l->plan->cgroup.path);
	at = strstr(unit, "/user@");
	below = at ? strchr(at + 1, '/') : NULL;
	if (!below)
		return error_set(e, EINVAL, "cgroup path %s", unit);
	*below = 0;
	return cgroup_systemd_attach(at + 1, l->plan->cgroup.path + (below - unit), l->pid, e);
}

void cgroup_release(struct launch *l)
{
	for (size_t i = 0; i < l->n_cgroup_join; i++)
		close(l->cgroup_join[i]);
	l->n_cgroup_join = 0;
	if (l->cgroup_fd >= 0)
		close(l->cgroup_fd);
	l->cgroup_fd = -1;
}

int cgroup_open_procs(const struct cgroup *cg, int *fds, struct error *e)
{
	int n = 0;

	for (enum cgroup_controller c = 0; c < CG_COUNT; c++) {
		int fd;

		if (cg->fd[c] < 0)
			continue;
		fd = openat(cg->fd[c], c == CG_V2 ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
		if (fd < 0) {
			fd = error_errno(e, errno, "cannot open the processes of cgroup %s", cg->path);
			while (n > 0)
				close(fds[--n]);
			return fd;
		}
		fds[n++] = fd;
	}
	return n;
}

const struct wall wall_cgroup = {
	.id = WALL_CGROUP,
	.name = "cgroup",
	.what = "limits on memory, swap, tasks, CPU and IO, and a device list",
	.details = details,
	.texts = texts,
	.can_lower = true,
	.plan = cgroup_plan,
	.outside = cgroup_outside,
	.prove = cgroup_prove,
};
