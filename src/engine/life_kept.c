/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container of root's leaves to its unprivileged owner, as descriptors in the monitor's kit, so that its end and its
 * restarts need no root: folders in which the owner has things of its own, the container's cgroups, on v2 the file by
 * which a process joins it (the kernel asks whoever opened it), and a mount namespace in which the sources of its root are
 * mounted already.
 */
#include "engine/life.h"

#include "base/cleanup.h"
#include "base/home.h"
#include "engine/atrest.h"
#include "engine/secret.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Folders, in the order in which the kit keeps them. */
static const char *const dirs[] = { "containers", "names", "ids", "run", "events.d" };

static struct {
	bool taken;
	int cgroups[CG_COUNT], procs[CG_COUNT], mntns, secrets, seen[ATREST_FDS];
	size_t n_cgroups, n_procs, n_seen;
} kept = { .mntns = -1, .secrets = -1, .seen = { -1, -1 } };

static int add(struct started *st, int fd, const char *what, struct error *e)
{
	fd = life_hold(st, fd, what, e);
	if (fd < 0)
		return fd;
	if (st->kit.n_keep == MONITOR_KEEP_MAX)
		return error_set(e, E2BIG, "too many descriptors to keep");
	st->kit.keep[st->kit.n_keep++] = fd;
	return 0;
}

/* The kit gets the descriptors themselves. */
static int keep_cgroup(struct started *st, struct cgroup *cg, struct error *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < CG_COUNT; i++)
		if (cg->fd[i] >= 0)
			r = add(st, steal_fd(&cg->fd[i]), "cgroup", e);
	return r;
}

static int add_seen(struct started *st, const struct container *c, struct error *e)
{
	int fds[ATREST_FDS], r = atrest_fds(c, fds, e);

	for (int i = 0; r == 0 && i < ATREST_FDS; i++)
		if (fds[i] >= 0)
			r = add(st, fds[i], "index", e);
	return r;
}

int kept_fill(struct started *st, const struct container *c, struct cgroup *cg, struct error *e)
{
	int fds[CG_COUNT], r = 0;
	size_t n;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++) {
		int fd = streq(dirs[i], "run") ? fcntl(home_run(e), F_DUPFD_CLOEXEC, 3) : home_data_dir(dirs[i], e);

		r = add(st, fd, dirs[i], e);
	}
	if (r == 0 && st->launched.mntns_fd >= 0)
		r = add(st, fcntl(st->launched.mntns_fd, F_DUPFD_CLOEXEC, 3), "mount namespace", e);
	if (r == 0 && st->launched.mntns_fd >= 0 && secret_fd(&st->spec) >= 0)
		r = add(st, fcntl(secret_fd(&st->spec), F_DUPFD_CLOEXEC, 3), "secrets", e);
	if (r == 0 && st->launched.mntns_fd >= 0)
		r = add_seen(st, c, e);
	if (r < 0 || !st->plan.cgroup.path[0])
		return r;
	if (cgroup_fds(cg, fds) == 0)
		return error_set(e, ENOENT, "cgroup %s is gone", st->plan.cgroup.path);
	if (st->launched.mntns_fd < 0 || cgroup_owner_joins(cg))
		return keep_cgroup(st, cg, e);
	r = cgroup_open_procs(cg, fds, e);
	n = r < 0 ? 0 : (size_t)r;
	r = r < 0 ? r : keep_cgroup(st, cg, e);
	for (size_t i = 0; i < n; i++) {
		int a = add(st, fds[i], "cgroup", e);

		r = a < 0 ? a : r;
	}
	return r < 0 ? r : 0;
}

/* Each kind of descriptor is known by what the kernel says it is. */
static void take_one(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return;
	if (fs.f_type == NSFS_MAGIC)
		kept.mntns = fd;
	else if (S_ISDIR(st.st_mode) && kept.n_cgroups < CG_COUNT)
		kept.cgroups[kept.n_cgroups++] = fd;
	else if (secret_is_fd(fd))
		kept.secrets = fd;
	else if (S_ISREG(st.st_mode) && fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC) {
		if (kept.n_seen < ATREST_FDS)
			kept.seen[kept.n_seen++] = fd;
	} else if (S_ISREG(st.st_mode) && kept.n_procs < CG_COUNT)
		kept.procs[kept.n_procs++] = fd;
}

void kept_take(const struct monitor_kit *kit)
{
	if (kept.taken || kit->n_keep < ARRAY_SIZE(dirs))
		return;
	kept.taken = true;
	for (uint32_t i = 0; i < kit->n_keep; i++) {
		/* Copies: the kit's own are closed when a restart fills it anew. */
		int fd = fcntl(kit->keep[i], F_DUPFD_CLOEXEC, 3);

		if (fd >= 0 && i < ARRAY_SIZE(dirs))
			home_preset(dirs[i], fd);
		else if (fd >= 0)
			take_one(fd);
	}
}

int kept_refill(struct started *st, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
		r = add(st, streq(dirs[i], "run") ? fcntl(home_run(e), F_DUPFD_CLOEXEC, 3) : home_data_dir(dirs[i], e),
			dirs[i], e);
	if (r == 0 && kept.mntns >= 0)
		r = add(st, fcntl(kept.mntns, F_DUPFD_CLOEXEC, 3), "mount namespace", e);
	if (r == 0 && kept.secrets >= 0)
		r = add(st, fcntl(kept.secrets, F_DUPFD_CLOEXEC, 3), "secrets", e);
	for (size_t i = 0; r == 0 && i < kept.n_seen; i++)
		r = add(st, fcntl(kept.seen[i], F_DUPFD_CLOEXEC, 3), "index", e);
	for (size_t i = 0; r == 0 && i < kept.n_cgroups; i++)
		r = add(st, fcntl(kept.cgroups[i], F_DUPFD_CLOEXEC, 3), "cgroup", e);
	for (size_t i = 0; r == 0 && i < kept.n_procs; i++)
		r = add(st, fcntl(kept.procs[i], F_DUPFD_CLOEXEC, 3), "cgroup", e);
	return r;
}

const int *kept_seen(void)
{
	return kept.seen;
}

int kept_secrets(void)
{
	return kept.secrets;
}

bool kept_is_owner(void)
{
	return kept.taken;
}

int kept_cgroup(const char *path, struct cgroup *cg, struct error *e)
{
	int copies[CG_COUNT];

	if (!kept.taken)
		return cgroup_open(path, cg, e);
	if (kept.n_cgroups == 0)
		return error_set(e, ENOENT, "no cgroup");
	for (size_t i = 0; i < kept.n_cgroups; i++)
		copies[i] = fcntl(kept.cgroups[i], F_DUPFD_CLOEXEC, 3);
	return cgroup_from_fds(cg, path, copies, kept.n_cgroups, e);
}

int kept_again(struct launch_again *a, struct error *e)
{
	struct cgroup cg; /* borrows the descriptors */
	int r;

	/* v1: the owner opens them itself, and they put only its own processes there. */
	if (kept.n_procs == 0 && kept.n_cgroups > 0) {
		r = cgroup_from_fds(&cg, "", kept.cgroups, kept.n_cgroups, e);
		if (r == 0)
			r = cgroup_open_procs(&cg, kept.procs, e);
		if (r < 0)
			return r;
		kept.n_procs = (size_t)r;
	}
	a->mntns_fd = kept.mntns;
	a->cgroup_procs = kept.procs;
	a->n_cgroup_procs = kept.n_procs;
	return 0;
}
