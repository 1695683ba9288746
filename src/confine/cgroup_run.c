/* SPDX-License-Identifier: Apache-2.0 */
/* A container's cgroup while it lives: kill, freeze, count, list, remove. */
#include "confine/cgroup_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The hierarchy that tells who is in it. Processes join in this order, so the first knows all. */
static int members_fd(const struct cgroup *cg)
{
	if (cg->fd[CG_V2] >= 0)
		return cg->fd[CG_V2];
	for (int c = 0; c < CG_V2; c++)
		if (cg->fd[c] >= 0)
			return cg->fd[c];
	return -1;
}

/*
 * Calls `fn` for the folder and every folder below it, children first. A container cannot make any (it has no cgroup
 * file system); its owner could. At most 16 deep.
 */
static int walk(int fd, int depth, int (*fn)(int dir, void *arg), void *arg)
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
		r = walk(child, depth - 1, fn, arg);
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

	if (r == -ENODEV || r == -ENOENT) /* removed meanwhile */
		return 0;
	if (r < 0)
		return r;
	for (char *p = text, *end; *p; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		if (*end == '\n')
			end++;
		if (pid <= 0) /* outside of our pid namespace */
			continue;
		if ((pids->n & (pids->n + 1)) == 0)
			pids->v = xrealloc(pids->v, 2 * pids->n + 2, sizeof(pid_t));
		pids->v[pids->n++] = (pid_t)pid;
	}
	return 0;
}

int cgroup_procs(const struct cgroup *cg, pid_t **out, size_t *n, struct error *e)
{
	struct pids pids = { 0 };
	int r = walk(members_fd(cg), 16, collect, &pids);

	if (r < 0) {
		free(pids.v);
		return error_errno(e, r, "cannot read the processes of cgroup %s", cg->path);
	}
	*out = pids.v;
	*n = pids.n;
	return 0;
}

/* The value behind "key " at the start of a line; false when there is none. */
static bool keyed(const char *text, const char *key, uint64_t *out)
{
	size_t n = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, key, n) == 0 && p[n] == ' ') {
			*out = strtoull(p + n + 1, NULL, 10);
			return true;
		}
	return false;
}

static bool keyed_file(int fd, const char *file, const char *key, uint64_t *out)
{
	_cleanup_free_ char *text = NULL;

	return fd >= 0 && file_read(fd, file, 1 << 20, &text, NULL) == 0 && keyed(text, key, out);
}

int cgroup_populated(const struct cgroup *cg)
{
	struct pids pids = { 0 };
	uint64_t v;
	int r;

	if (cg->fd[CG_V2] >= 0 && keyed_file(cg->fd[CG_V2], "cgroup.events", "populated", &v))
		return v != 0;
	if (members_fd(cg) < 0)
		return 0;
	r = walk(members_fd(cg), 16, collect, &pids);
	free(pids.v);
	return r < 0 ? (r == -ENODEV || r == -ENOENT ? 0 : r) : pids.n > 0;
}

static void pause_us(int us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

/*
 * Waits for "key value" in cgroup.events. A change is reported as POLLPRI (cgroup-v2.rst), but at most every 10 ms, so the
 * file is looked at sooner by ourselves.
 */
static int wait_event(int dir, const char *key, uint64_t value, int timeout_ms)
{
	_cleanup_close_ int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	uint64_t end = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000, v;
	struct timespec ts = { .tv_nsec = 100000 };
	char text[256];

	if (fd < 0)
		return errno == ENODEV || errno == ENOENT ? 0 : -errno;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return errno == ENODEV ? 0 : -errno;
		text[n] = 0;
		if (!keyed(text, key, &v) || v == value)
			return 0;
		if (clock_monotonic_ns() >= end)
			return -ETIMEDOUT;
		if (ppoll(&p, 1, &ts, NULL) < 0 && errno != EINTR)
			return -errno;
		if (ts.tv_nsec < 50000000)
			ts.tv_nsec *= 2;
	}
}

/* Signals one process if it is still in the cgroup once its pidfd is held: a pid alone may be somebody else's by now. */
static void kill_member(const struct cgroup *cg, pid_t pid)
{
	_cleanup_close_ int fd = proc_pidfd(pid);
	_cleanup_free_ char *text = NULL;
	char path[48], place[1024];
	size_t n = strlen(cg->path);
	enum cgroup_controller c = 0;

	if (fd < 0)
		return;
	while (c < CG_V2 && cg->fd[c] < 0)
		c++;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0 || cgroup_place(text, c, place, sizeof(place)) < 0)
		return;
	/* In a cgroup namespace the text begins elsewhere; the end of the path is the container's own all the same. */
	char *at = strstr(place, cg->path);
	if (at && at > place && at[-1] == '/' && (at[n] == 0 || at[n] == '/'))
		proc_pidfd_signal(fd, SIGKILL);
}

static int write_frozen(const struct cgroup *cg, bool frozen)
{
	if (cg->fd[CG_V2] >= 0 && faccessat(cg->fd[CG_V2], "cgroup.freeze", F_OK, 0) == 0)
		return file_write(cg->fd[CG_V2], "cgroup.freeze", frozen ? "1" : "0");
	if (cg->fd[CG_FREEZER] >= 0)
		return file_write(cg->fd[CG_FREEZER], "freezer.state", frozen ? "FROZEN" : "THAWED");
	return -EOPNOTSUPP;
}

int cgroup_kill(const struct cgroup *cg, int timeout_ms, struct error *e)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	int r, wait = 100;

	/* One write kills all, also those that are being forked; a frozen one dies as well. Since Linux 5.14. */
	if (cg->fd[CG_V2] >= 0) {
		r = file_write(cg->fd[CG_V2], "cgroup.kill", "1");
		if (r == 0)
			r = wait_event(cg->fd[CG_V2], "populated", 0, timeout_ms);
		if (r == 0 || r == -ENODEV)
			return 0;
		if (r == -ETIMEDOUT)
			return error_set(e, r, "processes of cgroup %s did not end within %d ms", cg->path, timeout_ms);
		if (r != -ENOENT)
			return error_errno(e, r, "cannot kill the processes of cgroup %s", cg->path);
	}
	for (;;) {
		struct pids pids = { 0 };
		bool froze = wait > 10000;

		/* What does not go soon may be forking faster than we look: while frozen, the list is complete. */
		if (froze)
			write_frozen(cg, true);
		r = members_fd(cg) < 0 ? 0 : walk(members_fd(cg), 16, collect, &pids);
		for (size_t i = 0; i < pids.n; i++)
			kill_member(cg, pids.v[i]);
		free(pids.v);
		/* Also when it was frozen by a person: what has to die must run for it. */
		if (froze || pids.n > 0)
			write_frozen(cg, false);
		if (r == -ENODEV || r == -ENOENT || (r == 0 && pids.n == 0))
			return 0;
		if (r < 0)
			return error_errno(e, r, "cannot read the processes of cgroup %s", cg->path);
		if (clock_monotonic_ns() >= end)
			return error_set(e, ETIMEDOUT, "processes of cgroup %s did not end within %d ms", cg->path,
					 timeout_ms);
		pause_us(wait);
		wait = wait < 50000 ? wait * 2 : wait;
	}
}

bool cgroup_frozen(const struct cgroup *cg)
{
	char text[64];
	uint64_t v;

	if (cg->fd[CG_V2] >= 0 && keyed_file(cg->fd[CG_V2], "cgroup.events", "frozen", &v) && v)
		return true;
	return cg->fd[CG_FREEZER] >= 0 &&
	       file_read_line(cg->fd[CG_FREEZER], "freezer.state", text, sizeof(text)) == 0 && streq(text, "FROZEN");
}

bool cgroup_frozen_at(const char *path)
{
	enum cgroup_controller c = cgroup_version() == 2 ? CG_V2 : CG_FREEZER;
	_cleanup_cgroup_ struct cgroup cg;

	cgroup_init(&cg);
	if (cgroup_top(c) < 0 || !cgroup_path_ok(path))
		return false;
	cg.fd[c] = path_open_beneath(cgroup_top(c), path, O_PATH | O_DIRECTORY, 0);
	return cg.fd[c] >= 0 && cgroup_frozen(&cg);
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, int timeout_ms, struct error *e)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	int r = write_frozen(cg, frozen), wait = 100;

	if (r == -EOPNOTSUPP)
		return error_set(e, r, "no cgroup hierarchy here can freeze %s", cg->path);
	if (r < 0)
		return error_errno(e, r, "cannot %s cgroup %s", frozen ? "freeze" : "thaw", cg->path);
	while (cgroup_frozen(cg) != frozen) {
		if (clock_monotonic_ns() >= end) {
			if (frozen)
				write_frozen(cg, false);
			return error_set(e, ETIMEDOUT, "cgroup %s did not %s within %d ms", cg->path,
					 frozen ? "freeze" : "thaw", timeout_ms);
		}
		pause_us(wait);
		wait = wait < 20000 ? wait * 2 : wait;
		/* v1 may give up half-way (a process in an uninterruptible sleep): ask again. */
		if (cg->fd[CG_V2] < 0)
			write_frozen(cg, frozen);
	}
	return 0;
}

static int remove_children(int fd, int depth)
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
		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		_cleanup_close_ int child = openat(fd, ent->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0 && depth > 0) {
			r = remove_children(child, depth - 1);
			if (r < 0)
				return r;
		}
		if (unlinkat(fd, ent->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* The kernel lets go of a cgroup a moment after its last process was reaped. */
static int remove_one(int fd, const char *name)
{
	char up[512];
	int wait = 200;

	snprintf(up, sizeof(up), "../%s", name);
	for (int tries = 0;; tries++) {
		if (unlinkat(fd, up, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY || tries == 9)
			return -errno;
		int r = remove_children(fd, 16);
		if (r < 0 && r != -EBUSY && r != -ENOENT)
			return r;
		if (tries > 0) {
			pause_us(wait);
			wait *= 2;
		}
	}
}

int cgroup_remove(const struct cgroup *cg, struct error *e)
{
	const char *name = strrchr(cg->path, '/');
	int first = 0;

	if (!name)
		return error_set(e, EINVAL, "cgroup path \"%s\"", cg->path);
	for (enum cgroup_controller c = 0; c < CG_COUNT; c++) {
		int r;

		if (cg->fd[c] < 0)
			continue;
		r = remove_one(cg->fd[c], name + 1);
		if (r < 0 && first == 0)
			first = error_errno(e, r, "cannot remove cgroup %s (%s)", cg->path, cgroup_controller_name(c));
	}
	return first;
}

static uint64_t number(int fd, const char *file)
{
	char text[64], *end;
	uint64_t v;

	if (fd < 0 || file_read_line(fd, file, text, sizeof(text)) < 0)
		return UINT64_MAX;
	v = strtoull(text, &end, 10);
	return end == text ? UINT64_MAX : v; /* "max" is none */
}

/* v1 writes "no limit" as the largest number of whole pages. */
static uint64_t limit_v1(uint64_t v)
{
	return v >= INT64_MAX / 4096 * 4096 ? UINT64_MAX : v;
}

static void memory_stats(const struct cgroup *cg, struct cgroup_stats *st)
{
	int fd = cgroup_fd(cg, CG_MEMORY);
	_cleanup_free_ char *text = NULL;
	uint64_t inactive = 0;

	st->memory = number(fd, cg->v2 ? "memory.current" : "memory.usage_in_bytes");
	st->memory_peak = number(fd, cg->v2 ? "memory.peak" : "memory.max_usage_in_bytes");
	st->memory_limit = number(fd, cg->v2 ? "memory.max" : "memory.limit_in_bytes");
	if (!cg->v2)
		st->memory_limit = limit_v1(st->memory_limit);
	if (fd < 0 || file_read(fd, "memory.stat", 1 << 20, &text, NULL) < 0)
		return;
	keyed(text, cg->v2 ? "inactive_file" : "total_inactive_file", &inactive);
	keyed(text, cg->v2 ? "file" : "total_cache", &st->memory_cache);
	if (st->memory != UINT64_MAX)
		st->memory = st->memory > inactive ? st->memory - inactive : 0;
	if (cg->v2)
		st->swap = number(fd, "memory.swap.current");
	else
		keyed(text, "total_swap", &st->swap);
	keyed_file(fd, cg->v2 ? "memory.events" : "memory.oom_control", "oom_kill", &st->oom_kills);
}

static void cpu_stats(const struct cgroup *cg, struct cgroup_stats *st)
{
	int acct = cg->fd[CG_CPUACCT] >= 0 ? cg->fd[CG_CPUACCT] : cg->fd[CG_CPU];
	_cleanup_free_ char *text = NULL;
	uint64_t us, tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

	if (cg->fd[CG_V2] >= 0 && file_read(cg->fd[CG_V2], "cpu.stat", 65536, &text, NULL) == 0) {
		if (keyed(text, "usage_usec", &us))
			st->cpu_ns = us * 1000;
		if (keyed(text, "user_usec", &us))
			st->cpu_user_ns = us * 1000;
		if (keyed(text, "system_usec", &us))
			st->cpu_system_ns = us * 1000;
		if (keyed(text, "throttled_usec", &us))
			st->throttled_ns = us * 1000;
	}
	if (cg->v2)
		return;
	if (st->cpu_ns == UINT64_MAX) {
		st->cpu_ns = number(acct, "cpuacct.usage");
		if (keyed_file(acct, "cpuacct.stat", "user", &us))
			st->cpu_user_ns = us * tick;
		if (keyed_file(acct, "cpuacct.stat", "system", &us))
			st->cpu_system_ns = us * tick;
	}
	keyed_file(cg->fd[CG_CPU], "cpu.stat", "throttled_time", &st->throttled_ns);
}

/* "8:0 Read 1", "8:0 Write 2". Who has BFQ as scheduler counts there, others in the throttling policy. */
static int read_blkio(int fd, char **text)
{
	static const char *const files[] = { "blkio.throttle.io_service_bytes_recursive", "blkio.bfq.io_service_bytes_recursive" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (file_read(fd, files[i], 1 << 20, text, NULL) < 0)
			continue;
		if (strstr(*text, " Read "))
			return 0;
		free(steal_ptr(text));
	}
	return -ENODATA;
}

/*
 * v2: "8:0 rbytes=1 wbytes=2 ...". All devices together. Since Linux 6.10 v1 counts nothing before somebody sets a limit for a
 * device: where the whole machine has read nothing, a container's nothing means that it is not known.
 */
static void io_stats(const struct cgroup *cg, struct cgroup_stats *st)
{
	int fd = cgroup_fd(cg, CG_IO);
	_cleanup_free_ char *text = NULL, *all = NULL;
	static const char *const keys[2][2] = { { " Read ", " Write " }, { " rbytes=", " wbytes=" } };
	uint64_t *out[2] = { &st->io_read, &st->io_write };

	if (fd < 0)
		return;
	if (cg->v2 ? file_read(fd, "io.stat", 1 << 20, &text, NULL) < 0 :
		     read_blkio(fd, &text) < 0 && read_blkio(cgroup_top(CG_IO), &all) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		const char *key = keys[cg->v2][i];

		*out[i] = 0;
		for (char *p = text ? strstr(text, key) : NULL; p; p = strstr(p + 1, key))
			*out[i] += strtoull(p + strlen(key), NULL, 10);
	}
}

void cgroup_stats(const struct cgroup *cg, struct cgroup_stats *st)
{
	memset(st, 0xff, sizeof(*st)); /* UINT64_MAX everywhere: not known */
	cpu_stats(cg, st);
	memory_stats(cg, st);
	st->pids = number(cgroup_fd(cg, CG_PIDS), "pids.current");
	st->pids_limit = number(cgroup_fd(cg, CG_PIDS), "pids.max");
	io_stats(cg, st);
}

void cgroup_open_oom(const struct cgroup *cg, int *file, int *event)
{
	int dir = cg->v2 ? cg->fd[CG_V2] : cg->fd[CG_MEMORY];
	char line[32];

	*event = -1;
	*file = dir < 0 ? -1 : openat(dir, cg->v2 ? "memory.events" : "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (*file < 0 || cg->v2)
		return;
	*event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(line, sizeof(line), "%d %d", *event, *file);
	if (*event >= 0 && file_write(dir, "cgroup.event_control", line) < 0) {
		/* A restart by the container's unprivileged owner: the count is read at the end. */
		close(*event);
		*event = -1;
	}
}
