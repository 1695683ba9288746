/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container, read from the host's /proc. Names and arguments are the container's: never trusted. */
#include "engine/usage.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number inside for a host id, by a uid_map as this process sees it: "INSIDE HOST COUNT" a line. */
static uint32_t id_inside(const char *map, uint32_t host)
{
	while (map && *map) {
		unsigned inside, outside, count;

		if (sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && host >= outside && host - outside < count)
			return inside + (host - outside);
		map = strchr(map, '\n');
		map = map ? map + 1 : NULL;
	}
	return UINT32_MAX;
}

static uint64_t boot_ns(void)
{
	return clock_now_ns() - clock_monotonic_ns();
}

/* /proc/PID/stat, proc(5). The name in field 2 may hold anything, also ")"; the last one ends it. */
static bool read_stat(int proc, struct usage_process *p)
{
	uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	unsigned long long utime, stime, start, vsz;
	char line[2048], *open, *close;
	int ppid, tty, nice, threads;
	long long rss;

	if (file_read_line(proc, "stat", line, sizeof(line)) < 0)
		return false;
	open = strchr(line, '(');
	close = strrchr(line, ')');
	if (!open || !close || close < open)
		return false;
	snprintf(p->comm, sizeof(p->comm), "%.*s", (int)(close - open - 1), open + 1);
	if (sscanf(close + 1, " %c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %d %d %*d %llu %llu %lld",
		   &p->state, &ppid, &tty, &utime, &stime, &nice, &threads, &start, &vsz, &rss) != 10)
		return false;
	p->ppid = ppid;
	p->tty = (uint32_t)tty;
	p->nice = nice;
	p->threads = (uint32_t)threads;
	p->cpu_ns = (utime + stime) * tick;
	p->start_ns = boot_ns() + start * tick;
	p->vsz = vsz;
	p->rss = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

/*
 * From /proc/PID/status, proc(5). NSpid: the last number is the one in the innermost namespace. (The owner of /proc/PID
 * itself is root for a process that may not be dumped.)
 */
static bool read_status(int proc, struct usage_process *p)
{
	_cleanup_free_ char *text = NULL;
	const char *at;
	char *end;

	if (file_read(proc, "status", 65536, &text, NULL) < 0)
		return false;
	at = strstr(text, "\nUid:");
	if (!at)
		return false;
	p->host_uid = (uint32_t)strtoul(at + 5, NULL, 10);
	at = strstr(text, "\nNSpid:");
	for (at = at ? at + 7 : ""; *at == '\t' || *at == ' '; at = end)
		p->nspid = (pid_t)strtol(at, &end, 10);
	return true;
}

/* Arguments with spaces between; the name in brackets where there are none, as ps(1) shows it. */
static char *read_args(int proc, const struct usage_process *p)
{
	_cleanup_close_ int fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf));

	while (n > 0 && buf[n - 1] == 0)
		n--;
	if (n <= 0)
		return xasprintf("[%s]", p->comm);
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] == 0)
			buf[i] = ' ';
	return xstrndup(buf, (size_t)n);
}

static bool read_process(pid_t pid, struct usage_process *p)
{
	char path[32];
	_cleanup_close_ int proc = -1;
	_cleanup_free_ char *map = NULL;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*p = (struct usage_process){ .pid = pid };
	if (proc < 0 || !read_stat(proc, p) || !read_status(proc, p))
		return false;
	p->uid = p->host_uid;
	if (file_read(proc, "uid_map", 65536, &map, NULL) == 0)
		p->uid = id_inside(map, p->host_uid);
	p->args = read_args(proc, p);
	return true;
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Without a cgroup: everything in the pid namespace of the container's init. */
static int pids_by_namespace(const struct container *c, pid_t **out, size_t *n, struct error *e)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct stat ours, st;
	struct dirent *ent;
	char path[300];
	size_t cap = 0;

	*out = NULL;
	*n = 0;
	snprintf(path, sizeof(path), "%d/ns/pid", c->state.pid);
	if (!d || fstatat(dirfd(d), path, &ours, 0) < 0)
		return error_errno(e, errno, "cannot read /proc/%s", path);
	if (proc_start_time(c->state.pid) != c->state.pid_start)
		return error_set(e, ESRCH, "container %s is not running", c->config.name);
	while ((ent = readdir(d))) {
		uint64_t pid;

		if (parse_u64(ent->d_name, 1, INT32_MAX, &pid) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/ns/pid", ent->d_name);
		if (fstatat(dirfd(d), path, &st, 0) < 0 || st.st_ino != ours.st_ino)
			continue;
		if (*n == cap) {
			cap = cap ? 2 * cap : 16;
			*out = xrealloc(*out, cap, sizeof(pid_t));
		}
		(*out)[(*n)++] = (pid_t)pid;
	}
	return 0;
}

int container_processes(const struct container *c, struct usage_process **out, size_t *n, struct error *e)
{
	_cleanup_cgroup_ struct cgroup cg;
	_cleanup_free_ pid_t *pids = NULL;
	size_t n_pids = 0;
	int r;

	*out = NULL;
	*n = 0;
	cgroup_init(&cg);
	if (!container_running(c))
		return error_set(e, ESRCH, "container %s is not running", c->config.name);
	r = container_cgroup(c, &cg, e) == 0 ? cgroup_procs(&cg, &pids, &n_pids, e) :
					       pids_by_namespace(c, &pids, &n_pids, e);
	if (r < 0)
		return r;
	qsort(pids, n_pids, sizeof(*pids), by_number);
	*out = xcalloc(n_pids, sizeof(**out));
	for (size_t i = 0; i < n_pids; i++)
		if ((i == 0 || pids[i] != pids[i - 1]) && read_process(pids[i], &(*out)[*n]))
			(*n)++;
	return 0;
}

void usage_processes_free(struct usage_process *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(p[i].args);
	free(p);
}
