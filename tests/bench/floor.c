/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor ROOTFS PROGRAM [ARG...]: the least that any container engine must do on this kernel, as a measure for them all.
 *
 * One clone3(2) into seven new namespaces, an id map of one line, three mounts (root, proc, tmpfs), pivot_root(2), exec,
 * wait. No seccomp, no cgroup, no capabilities dropped, no checks: it confines nothing and is good for nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

static void inside(const char *root, char **argv, int ready)
{
	char c;

	if (read(ready, &c, 1) != 1)
		die("read");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount(root, root, NULL, MS_BIND | MS_REC, NULL) ||
	    chdir(root))
		die("root");
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		die("proc");
	if (mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL))
		die("tmp");
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		die("pivot_root");
	execv(argv[0], argv);
	die(argv[0]);
}

int main(int argc, char **argv)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	char path[64], map[64];
	int ready[2], status;

	if (argc < 3) {
		fprintf(stderr, "usage: floor ROOTFS PROGRAM [ARG...]\n");
		return 2;
	}
	if (pipe2(ready, O_CLOEXEC))
		die("pipe2");
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		die("clone3");
	if (pid == 0)
		inside(argv[1], argv + 2, ready[0]);

	snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
	write_file(path, "deny");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
	write_file(path, map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	snprintf(map, sizeof(map), "0 %u 1\n", getegid());
	write_file(path, map);
	if (write(ready[1], "", 1) != 1)
		die("write");
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
