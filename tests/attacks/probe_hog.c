/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes one kind of thing until it is refused or MAX is reached, and says how many it got and why it ended: D rows.
 * Everything taken goes with the process, after it was held for the given time. Never run outside of a container without
 * MAX.
 */
#include "probe.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static const char *hog_path = "/tmp";

static long take_fork(long i)
{
	pid_t pid = fork();

	(void)i;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid < 0 ? -errno : 0;
}

static void *sleep_on(void *arg)
{
	pause();
	return arg;
}

static long take_thread(long i)
{
	pthread_attr_t a;
	pthread_t t;

	(void)i;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	return -pthread_create(&t, &a, sleep_on, NULL);
}

/* One MiB that is really used. */
static long take_memory(long i)
{
	char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	for (long at = 0; at < MIB; at += 4096)
		p[at] = (char)i;
	return 0;
}

static long take_fd(long i)
{
	(void)i;
	return open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0 ? -errno : 0;
}

static long take_pty(long i)
{
	(void)i;
	return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 ? -errno : 0;
}

static long take_inotify(long i)
{
	(void)i;
	return inotify_init1(IN_CLOEXEC) < 0 ? -errno : 0;
}

/* Watches of one instance: each on a file of its own. */
static long take_watch(long i)
{
	static int fd = -1;
	char path[512];

	if (fd < 0)
		fd = inotify_init1(IN_CLOEXEC);
	snprintf(path, sizeof(path), "%s/watched%ld", hog_path, i);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	return fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0 ? -errno : 0;
}

static long take_epoll(long i)
{
	(void)i;
	return epoll_create1(EPOLL_CLOEXEC) < 0 ? -errno : 0;
}

static long take_key(long i)
{
	char name[32];

	snprintf(name, sizeof(name), "hog%ld", i);
	return syscall(SYS_add_key, "user", name, "x", 1, -4 /* the user keyring */) < 0 ? -errno : 0;
}

/* Bytes in flight between two sockets: memory of the kernel that no process maps. */
static long take_socket(long i)
{
	static char block[65536];
	int s[2];

	(void)i;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) < 0)
		return -errno;
	while (write(s[0], block, sizeof(block)) > 0)
		;
	return errno == EAGAIN ? 0 : -errno;
}

static long take_pipe(long i)
{
	int p[2];

	(void)i;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	/* Bigger pipes hold more of the kernel's memory; refused beyond the user's share. */
	return fcntl(p[1], F_SETPIPE_SZ, MIB) < 0 ? -errno : 0;
}

static long take_memfd(long i)
{
	static char block[MIB];
	int fd = memfd_create("hog", MFD_CLOEXEC);

	memset(block, (int)i + 1, sizeof(block));
	if (fd < 0)
		return -errno;
	return write(fd, block, sizeof(block)) == sizeof(block) ? 0 : -errno;
}

static long take_shm(long i)
{
	int id = shmget(IPC_PRIVATE, MIB, IPC_CREAT | 0600);
	char *p;

	if (id < 0)
		return -errno;
	p = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	if (p == (void *)-1)
		return -errno;
	memset(p, (int)i + 1, MIB);
	return 0;
}

static long take_sem(long i)
{
	(void)i;
	return semget(IPC_PRIVATE, 100, IPC_CREAT | 0600) < 0 ? -errno : 0;
}

static long take_msg(long i)
{
	(void)i;
	return msgget(IPC_PRIVATE, IPC_CREAT | 0600) < 0 ? -errno : 0;
}

static long take_mqueue(long i)
{
	char name[32];

	snprintf(name, sizeof(name), "/hog%ld", i);
	return mq_open(name, O_CREAT | O_RDWR, 0600, NULL) == (mqd_t)-1 ? -errno : 0;
}

static int hog_fd = -1;

/* One MiB into a file below the given folder. */
static long take_disk(long i)
{
	static char block[MIB];
	char path[512];

	if (hog_fd < 0) {
		snprintf(path, sizeof(path), "%s/hog", hog_path);
		hog_fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (hog_fd < 0)
			return -errno;
	}
	memset(block, (int)i + 1, sizeof(block));
	ssize_t n = write(hog_fd, block, sizeof(block));

	return n == sizeof(block) ? 0 : n < 0 ? -errno : -ENOSPC;
}

static long take_inode(long i)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/i%ld", hog_path, i);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Each folder in the one before: deeper than any path is long. */
static long take_deep(long i)
{
	if (i == 0 && chdir(hog_path) < 0)
		return -errno;
	return mkdir("deep", 0700) < 0 || chdir("deep") < 0 ? -errno : 0;
}

static const struct {
	const char *what;
	long (*take)(long i);
} kinds[] = {
	{ "fork", take_fork },	   { "thread", take_thread }, { "memory", take_memory }, { "fd", take_fd },
	{ "pty", take_pty },	   { "inotify", take_inotify }, { "pipe", take_pipe },	 { "memfd", take_memfd },
	{ "shm", take_shm },	   { "sem", take_sem },	      { "msg", take_msg },	 { "mqueue", take_mqueue },
	{ "disk", take_disk },	   { "inode", take_inode },   { "watch", take_watch },	 { "epoll", take_epoll },
	{ "key", take_key },	   { "socket", take_socket },  { "deep", take_deep },
};

int probe_hog(int argc, char **argv)
{
	long max = argc > 1 ? atol(argv[1]) : 200000, i = 0, r = 0;

	if (argc < 1)
		return 2;
	if (argc > 2)
		hog_path = argv[2];
	/* The children are ended by their group at the end. */
	setpgid(0, 0);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (strcmp(argv[0], kinds[k].what) != 0)
			continue;
		while (i < max) {
			r = kinds[k].take(i);
			if (r < 0)
				break;
			i++;
		}
		/* Without the children: a limit on tasks leaves no room to print by another process. */
		probe_line("D", argv[0], r < 0 ? "stopped" : "reached", "%ld %s", i, r < 0 ? error_name((int)-r) : "max");
		if (argc > 3)
			sleep((unsigned)atoi(argv[3]));
		if (strcmp(argv[0], "fork") == 0)
			kill(0, SIGKILL);
		return 0;
	}
	return 2;
}
