/* SPDX-License-Identifier: Apache-2.0 */
/* An OCI container's cgroup while it lives: join, freeze, list, signal, kill, remove. */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/cgroup_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { DEPTH_MAX = 64 };

int oci_cgroup_walk(int fd, int depth, int (*fn)(int dir, void *arg), void *arg)
{
	_cleanup_closedir_ DIR *d = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct dirent *ent;

	if (copy < 0)
		return -errno;
	d = fdopendir(copy);
	if (!d) {
		close(copy);
		return -ENOMEM;
	}
	while ((ent = readdir(d))) {
		_cleanup_close_ int child = -1;

		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		if (depth == 0)
			return -ELOOP;
		child = openat(fd, ent->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			continue; /* removed meanwhile */
		r = oci_cgroup_walk(child, depth - 1, fn, arg);
		if (r < 0)
			return r;
	}
	return fn(fd, arg);
}

struct pids {
	pid_t *v;
	size_t n;
};

static int collect(int dir, void *arg)
{
	struct pids *pids = arg;
	_cleanup_free_ char *text = NULL;
	int r = file_read(dir, "cgroup.procs", 64 << 20, &text, NULL);

	/* Removed meanwhile; or a threaded folder, whose processes the folder above it names. */
	if (r == -ENODEV || r == -ENOENT || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	for (char *p = text, *end; *p; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		if (*end == '\n')
			end++;
		if (pid <= 0)
			continue; /* outside of our pid namespace */
		if ((pids->n & (pids->n + 1)) == 0)
			pids->v = xrealloc(pids->v, 2 * pids->n + 2, sizeof(pid_t));
		pids->v[pids->n++] = (pid_t)pid;
	}
	return 0;
}

/* The hierarchy that tells who is in it: where limits are, so that nobody is in another one alone. */
static const struct oci_hierarchy *members(const struct oci_cgroup *cg)
{
	static const char *const order[] = { "pids", "memory", "freezer", "devices" };

	for (size_t i = 0; cg->version == 1 && i < ARRAY_SIZE(order); i++) {
		const struct oci_hierarchy *h = oci_hierarchy(cg, order[i]);

		if (h && h->fd >= 0)
			return h;
	}
	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].fd >= 0)
			return &cg->h[i];
	return NULL;
}

bool oci_cgroup_has_members(const struct oci_cgroup *cg)
{
	return members(cg) != NULL;
}

int oci_cgroup_pids(const struct oci_cgroup *cg, pid_t **out, size_t *n, struct error *e)
{
	const struct oci_hierarchy *h = members(cg);
	struct pids pids = { 0 };
	int r = h ? oci_cgroup_walk(h->fd, DEPTH_MAX, collect, &pids) : 0;

	*out = NULL;
	*n = 0;
	if (r == -ENOENT || r == -ENODEV)
		r = 0;
	if (r < 0) {
		free(pids.v);
		return error_errno(e, r, "cannot read the processes of cgroup %s", h->path);
	}
	*out = pids.v;
	*n = pids.n;
	return 0;
}

int oci_cgroup_clone_fd(const struct oci_cgroup *cg)
{
	return oci_hierarchy_fd(cg, NULL);
}

/* The v2 folder where `init` is now, when that is below the container's own; else -1. */
static int follow(const struct oci_hierarchy *h, pid_t init)
{
	char path[48], place[OCI_CG_PATH];
	_cleanup_free_ char *text = NULL, *own = xasprintf("/%s/", h->path);
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", init);
	if (init <= 0 || file_read(AT_FDCWD, path, 65536, &text, NULL) < 0 ||
	    cgroup_place(text, CG_V2, place, sizeof(place)) < 0)
		return -1;
	at = strstr(place, own);
	return at ? path_open_beneath(h->fd, at + strlen(own), O_PATH | O_DIRECTORY, 0) : -1;
}

static int open_procs(const struct oci_hierarchy *h, pid_t init)
{
	char control[64];
	_cleanup_close_ int below = -1;
	int fd;

	/* "No internal processes": with controllers given to folders below, this one takes none. */
	if (!h->names[0] && init > 0 && file_read_line(h->fd, "cgroup.subtree_control", control, sizeof(control)) == 0 && control[0])
		below = follow(h, init);
	fd = openat(below >= 0 ? below : h->fd, h->names[0] ? "tasks" : "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int oci_cgroup_open_joins(const struct oci_cgroup *cg, pid_t init, bool cloned, int *fds, struct error *e)
{
	int n = 0;

	for (size_t i = 0; i < cg->n; i++) {
		const struct oci_hierarchy *h = &cg->h[i];
		int fd;

		if (h->fd < 0 || (cloned && !h->names[0]))
			continue;
		fd = open_procs(h, init);
		if (fd < 0) {
			while (n > 0)
				close(fds[--n]);
			return error_errno(e, fd, "cannot open the processes of cgroup %s (%s)", h->path,
					   h->names[0] ? h->names : "v2");
		}
		fds[n++] = fd;
	}
	return n;
}

int oci_cgroup_attach(const struct oci_cgroup *cg, pid_t pid, struct error *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < cg->n; i++) {
		int r = cg->h[i].fd < 0 ? 0 : file_write(cg->h[i].fd, "cgroup.procs", text);

		if (r < 0)
			return error_errno(e, r, "cannot put process %d into cgroup %s (%s)", pid, cg->h[i].path,
					   cg->h[i].names[0] ? cg->h[i].names : "v2");
	}
	return 0;
}

static void pause_us(int us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

/* The freezer of v1, else of v2: on a hybrid machine both could, and callers look at the first. */
static int write_frozen(const struct oci_cgroup *cg, bool frozen)
{
	int v1 = cg->version == 1 ? oci_hierarchy_fd(cg, "freezer") : -1, v2 = oci_hierarchy_fd(cg, NULL);

	if (v1 >= 0)
		return file_write(v1, "freezer.state", frozen ? "FROZEN" : "THAWED");
	return v2 >= 0 ? file_write(v2, "cgroup.freeze", frozen ? "1" : "0") : -EOPNOTSUPP;
}

bool oci_cgroup_frozen(const struct oci_cgroup *cg)
{
	int v1 = cg->version == 1 ? oci_hierarchy_fd(cg, "freezer") : -1, v2 = oci_hierarchy_fd(cg, NULL);
	char text[256];

	if (v1 >= 0)
		return file_read_line(v1, "freezer.state", text, sizeof(text)) == 0 && streq(text, "FROZEN");
	return v2 >= 0 && file_read_line(v2, "cgroup.events", text, sizeof(text)) == 0 && strstr(text, "frozen 1");
}

int oci_cgroup_freeze(const struct oci_cgroup *cg, bool frozen, int timeout_ms, struct error *e)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	const char *verb = frozen ? "freeze" : "thaw";
	int r = write_frozen(cg, frozen), wait = 100;

	if (r == -EOPNOTSUPP)
		return error_set(e, r, "cannot %s: the container has no cgroup that can", verb);
	while (r == 0 && oci_cgroup_frozen(cg) != frozen) {
		if (clock_monotonic_ns() >= end) {
			if (frozen)
				write_frozen(cg, false);
			return error_set(e, ETIMEDOUT, "cannot %s: not done after %d ms", verb, timeout_ms);
		}
		pause_us(wait);
		wait = wait < 20000 ? wait * 2 : wait;
		/* v1 may give up half-way (a process in an uninterruptible sleep): ask again. */
		if (cg->version == 1)
			r = write_frozen(cg, frozen);
	}
	return r < 0 ? error_errno(e, r, "cannot %s", verb) : 0;
}

/* A pid alone may be somebody else's by now: once its pidfd is held, it must still be in one of the folders. */
static void signal_member(const struct oci_hierarchy *h, pid_t pid, int sig)
{
	_cleanup_close_ int fd = proc_pidfd(pid);
	_cleanup_free_ char *text = NULL, *own = xasprintf("/%s", h->path);
	char path[48];
	size_t n = strlen(own);

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (fd < 0 || file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return;
	for (const char *at = strstr(text, own); at; at = strstr(at + 1, own))
		if (at[n] == '\n' || at[n] == '/') {
			proc_pidfd_signal(fd, sig);
			return;
		}
}

static int kill_file(const struct oci_cgroup *cg)
{
	int v2 = oci_hierarchy_fd(cg, NULL);

	return v2 >= 0 ? file_write(v2, "cgroup.kill", "1") : -ENOENT;
}

/* Signals who is there; -1 when that cannot be told. The number of processes goes to *n. */
static int signal_all(const struct oci_cgroup *cg, int sig, size_t *n, struct error *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	int r = oci_cgroup_pids(cg, &pids, n, e);

	for (size_t i = 0; r == 0 && i < *n; i++)
		signal_member(members(cg), pids[i], sig);
	return r;
}

int oci_cgroup_signal(const struct oci_cgroup *cg, int sig, struct error *e)
{
	bool frozen = oci_cgroup_frozen(cg), mine = false;
	size_t n;
	int r;

	/* One write reaches all of v2, also who is being forked. On a hybrid machine somebody may be in v1's folders only. */
	if (sig == SIGKILL && kill_file(cg) == 0 && cg->version == 2)
		return 0;
	if (!frozen)
		mine = oci_cgroup_freeze(cg, true, 500, NULL) == 0;
	r = signal_all(cg, sig, &n, e);
	if (mine || (frozen && sig == SIGKILL))
		write_frozen(cg, false);
	return r;
}

int oci_cgroup_kill(const struct oci_cgroup *cg, int timeout_ms, struct error *e)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	int r = kill_file(cg), wait = 50;
	bool whole = r == 0 && cg->version == 2;

	for (;;) {
		bool freeze = !whole && wait > 5000;
		size_t n;

		if (freeze)
			write_frozen(cg, true);
		r = signal_all(cg, SIGKILL, &n, e);
		if (freeze || (n && oci_cgroup_frozen(cg)))
			write_frozen(cg, false);
		if (r < 0 || n == 0)
			return r;
		if (clock_monotonic_ns() >= end)
			return error_set(e, ETIMEDOUT, "%zu processes of the container did not end within %d ms", n, timeout_ms);
		pause_us(wait);
		wait = wait < 50000 ? wait * 2 : wait;
	}
}

/* Children first; the folder itself is removed by its name in the one above. */
static int remove_below(int fd, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), first = 0;
	struct dirent *ent;

	if (copy < 0)
		return -errno;
	d = fdopendir(copy);
	if (!d) {
		close(copy);
		return -ENOMEM;
	}
	while ((ent = readdir(d))) {
		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		_cleanup_close_ int child = openat(fd, ent->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0 && depth > 0)
			remove_below(child, depth - 1);
		if (unlinkat(fd, ent->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT && first == 0)
			first = -errno;
	}
	return first;
}

/* The kernel lets go of a cgroup a moment after its last process was reaped. */
static int remove_one(const struct oci_hierarchy *h)
{
	const char *slash = strrchr(h->path, '/');
	_cleanup_free_ char *beside = xasprintf("../%s", slash ? slash + 1 : h->path); /* cgroups are never moved */
	int wait = 200;

	for (int tries = 0;; tries++) {
		if (unlinkat(h->fd, beside, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY || tries == 9)
			return -errno;
		remove_below(h->fd, DEPTH_MAX);
		if (tries > 0) {
			pause_us(wait);
			wait *= 2;
		}
	}
}

int oci_cgroup_remove(const struct oci_cgroup *cg, struct error *e)
{
	int first = 0;

	for (size_t i = 0; i < cg->n; i++) {
		int r = cg->h[i].fd < 0 ? 0 : remove_one(&cg->h[i]);

		if (r < 0 && first == 0)
			first = error_errno(e, r, "cannot remove cgroup %s (%s)", cg->h[i].path,
					    cg->h[i].names[0] ? cg->h[i].names : "v2");
	}
	return first;
}
