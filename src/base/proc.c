/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef BRIG_LIBEXEC
#define BRIG_LIBEXEC "/usr/local/libexec/brig/"
#endif

uint64_t proc_start_time(pid_t pid)
{
	char path[48], line[1024], *p;
	unsigned long long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read_line(AT_FDCWD, path, line, sizeof(line)) < 0)
		return 0;
	/* The name in field 2 may hold spaces and ")"; the last ")" ends it. */
	p = strrchr(line, ')');
	if (!p)
		return 0;
	p++;
	for (int field = 3; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return 0;
	}
	if (sscanf(p, " %llu", &start) != 1)
		return 0;
	return start;
}

int proc_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int proc_pidfd_checked(pid_t pid, uint64_t start)
{
	_cleanup_close_ int fd = -1;

	if (pid <= 0 || start == 0)
		return -ESRCH;
	fd = proc_pidfd(pid);
	if (fd < 0)
		return fd;
	/* Read after the pidfd is held: what is read now is of this very process, or of one that took the pid later. */
	if (proc_start_time(pid) != start)
		return -ESRCH;
	return steal_fd(&fd);
}

int proc_pidfd_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int proc_pidfd_wait(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	return r < 0 ? -errno : r > 0;
}

int proc_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

int proc_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void __attribute__((noreturn)) child_exec(const char *path, char *const argv[], char *const env[], int keep,
						 int err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(err, 2) < 0)
		_exit(127);
	if (keep >= 0) {
		if (keep == 3)
			fd_set_cloexec(3, false);
		else if (dup2(keep, 3) < 0)
			_exit(127);
	}
	close_range(keep >= 0 ? 4 : 3, ~0U, 0);
	execve(path, argv, env);
	dprintf(2, "%s: %s", path, strerror(errno));
	_exit(127);
}

/* Apart from its caller so that vfork's shared stack frame holds nothing that changes afterwards. */
static __attribute__((noinline)) pid_t spawn(const char *path, char *const argv[], char *const env[], int keep,
					     int err)
{
	pid_t pid = vfork();

	if (pid == 0)
		child_exec(path, argv, env, keep, err);
	return pid;
}

int proc_run(const char *path, char *const argv[], char *const env[], int keep, struct error *e)
{
	_cleanup_strv_ char **envp = NULL;
	_cleanup_close_ int in = -1;
	char text[1024];
	size_t used = 0;
	int p[2], status;
	pid_t pid;

	strv_add_copy(&envp, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strv_foreach(it, env)
		strv_add_copy(&envp, *it);
	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	in = p[0];
	pid = spawn(path, argv, envp, keep, p[1]);
	status = errno;
	close(p[1]);
	if (pid < 0)
		return error_errno(e, status, "cannot start %s", path);
	for (;;) {
		char drop[256];
		ssize_t n = used < sizeof(text) - 1 ? read(in, text + used, sizeof(text) - 1 - used) :
						      read(in, drop, sizeof(drop));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (used < sizeof(text) - 1)
			used += (size_t)n;
	}
	text[used] = 0;
	while (used > 0 && (text[used - 1] == '\n' || text[used - 1] == ' '))
		text[--used] = 0;
	status = proc_wait(pid);
	if (status < 0)
		return error_errno(e, status, "cannot wait for %s", path);
	if (status != 0) {
		_cleanup_free_ char *safe = str_escape(text);

		return error_set(e, EIO, "%s failed (%s %d)%s%s", path,
				 WIFEXITED(status) ? "exit code" : "signal",
				 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), *safe ? ": " : "", safe);
	}
	return 0;
}

int proc_find(const char *name, char *out, size_t size)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin",
					    "/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int n = snprintf(out, size, "%s/%s", dirs[i], name);

		if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

const char *proc_libexec(void)
{
	static char dir[PATH_MAX];
	char self[PATH_MAX], probe[PATH_MAX + 32];
	ssize_t n;

	if (dir[0])
		return dir;
	snprintf(dir, sizeof(dir), "%s", BRIG_LIBEXEC);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return dir;
	self[n] = 0;
	char *slash = strrchr(self, '/');
	if (!slash)
		return dir;
	slash[1] = 0;
	/* In a build tree, and for programs that live in libexec themselves, the helpers stand beside the binary. */
	snprintf(probe, sizeof(probe), "%sbrig-monitor", self);
	if (access(probe, X_OK) == 0) {
		snprintf(dir, sizeof(dir), "%.*s", (int)sizeof(dir) - 1, self);
		return dir;
	}
	/* PREFIX/bin/brig finds PREFIX/libexec/brig/, wherever the tree was moved. */
	snprintf(probe, sizeof(probe), "%s../libexec/brig/brig-monitor", self);
	if (access(probe, X_OK) == 0)
		snprintf(dir, sizeof(dir), "%.*s../libexec/brig/", (int)sizeof(dir) - 32, self);
	return dir;
}

/* PREFIX/libexec/brig/ has PREFIX/share/brig/ for its neighbour, wherever the tree was moved. */
char *proc_share(const char *name)
{
	char *beside = xasprintf("%s../../share/brig/%s", proc_libexec(), name);

	if (access(beside, R_OK) == 0)
		return beside;
	free(beside);
	/* a build tree */
	beside = xasprintf("%s../data/%s", proc_libexec(), name);
	if (access(beside, R_OK) == 0)
		return beside;
	free(beside);
	return xasprintf("%s%s", BRIG_DATADIR, name);
}
