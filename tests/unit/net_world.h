/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for tests of networks, made of network namespaces that nobody else sees and that end with the test:
 *
 *	[ host ] 203.0.113.2, 2001:db8:1::2, 192.168.77.2 ---- veth ---- [ world ] 203.0.113.1, 2001:db8:1::1, 192.168.77.1
 *
 * The world plays the Internet (8.8.8.8, 2606:4700::1), a LAN behind the router (10.1.2.3, fd99::1) and a cloud's metadata
 * service. The test's process moves into "host". In each namespace servers on port 7 tell who asks.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

enum { WORLD_PORT = 7 };

static int world_ns = -1, host_ns = -1;
static pid_t world_pids[32];
static size_t world_n;

/* Runs a shell command and says whether it worked. */
static __attribute__((format(printf, 1, 2))) bool sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	int r = system(cmd);

	return r == 0;
}

static int listen_on(int type, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), off = 0, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0))
		_exit(3);
	return fd;
}

/* A datagram is answered from the address that it was sent to. */
static void answer_udp(int fd, const char *who)
{
	struct sockaddr_in6 from;
	char buf[64], text[128], addr[INET6_ADDRSTRLEN] = "", control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &m, 0) < 0)
		return;
	inet_ntop(AF_INET6, &from.sin6_addr, addr, sizeof(addr));
	snprintf(text, sizeof(text), "%s saw %s", who, addr);
	iov = (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
	sendmsg(fd, &m, 0);
}

static void answer_tcp(int fd, const char *who)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	char addr[INET6_ADDRSTRLEN] = "", text[128], buf[16];
	int c = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

	inet_ntop(AF_INET6, &from.sin6_addr, addr, sizeof(addr));
	snprintf(text, sizeof(text), "%s saw %s", who, addr);
	if (c >= 0 && read(c, buf, sizeof(buf)) > 0 && write(c, text, strlen(text)) < 0)
		perror("answer");
	if (c >= 0)
		close(c);
}

/* Answers "WHO saw ADDRESS" on TCP and UDP of the ports, in a child process; `netns` -1: the current one. */
static pid_t serve(int userns, int netns, const char *who, const uint16_t *ports, size_t n)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		struct pollfd p[16];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (userns >= 0 && setns(userns, CLONE_NEWUSER) < 0)
			_exit(1);
		if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
			_exit(2);
		for (size_t i = 0; i < n; i++) {
			p[2 * i] = (struct pollfd){ .fd = listen_on(SOCK_STREAM, ports[i]), .events = POLLIN };
			p[2 * i + 1] = (struct pollfd){ .fd = listen_on(SOCK_DGRAM, ports[i]), .events = POLLIN };
		}
		if (write(ready[1], "x", 1) != 1)
			_exit(4);
		close(ready[1]);
		for (;;) {
			poll(p, 2 * n, -1);
			for (size_t i = 0; i < 2 * n; i++)
				if (p[i].revents)
					(i % 2 ? answer_udp : answer_tcp)(p[i].fd, who);
		}
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		pid = -1;
	close(ready[0]);
	if (pid > 0)
		world_pids[world_n++] = pid;
	return pid;
}

struct probe {
	int userns, netns; /* -1: here */
	const char *addr;
	uint16_t port, from; /* from: source port, 0: any */
	bool udp;
	bool device;	   /* bound to eth0 */
};

static int ask(const struct probe *p, char *text, size_t size)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->port) }, s6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(p->port) }, s4 = { .sin_family = AF_INET };
	bool six = strchr(p->addr, ':');
	struct timeval tv = { .tv_sec = 1, .tv_usec = 500000 };
	int fd = socket(six ? AF_INET6 : AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0), on = 1;
	ssize_t n;

	inet_pton(six ? AF_INET6 : AF_INET, p->addr, six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (p->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5) < 0)
		return errno;
	s6.sin6_port = s4.sin_port = htons(p->from);
	if (p->from && bind(fd, six ? (void *)&s6 : (void *)&s4, six ? sizeof(s6) : sizeof(s4)) < 0)
		return errno;
	if (connect(fd, six ? (void *)&a6 : (void *)&a4, six ? sizeof(a6) : sizeof(a4)) < 0)
		return errno == EINPROGRESS ? ETIMEDOUT : errno;
	if (send(fd, "?", 1, 0) < 0)
		return errno;
	n = recv(fd, text, size - 1, 0);
	if (n < 0)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	text[n] = 0;
	close(fd);
	return n == 0 ? ECONNRESET : 0;
}

/* Asks from inside; the answer goes into `text`. 0 or an errno. */
static int probe(const struct probe *p, char text[static 128])
{
	struct {
		int r;
		char text[128];
	} out = { 0 };
	int fds[2];
	pid_t pid;

	text[0] = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return errno;
	pid = fork();
	if (pid == 0) {
		if (p->userns >= 0 && setns(p->userns, CLONE_NEWUSER) < 0)
			out.r = errno;
		else if (p->netns >= 0 && setns(p->netns, CLONE_NEWNET) < 0)
			out.r = errno;
		else {
			/* As root of the guest, not as whoever runs the test. */
			if (p->userns >= 0 && setresuid(0, 0, 0) < 0)
				perror("setresuid");
			out.r = ask(p, out.text, sizeof(out.text));
		}
		_exit(write(fds[1], &out, sizeof(out)) == sizeof(out) ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &out, sizeof(out)) != sizeof(out))
		out.r = EIO;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	memcpy(text, out.text, sizeof(out.text));
	return out.r;
}

static bool own_tun(bool root)
{
	char node[] = "/tmp/brig-net-tun-XXXXXX";
	bool ok;

	if (access("/dev/net/tun", F_OK) < 0)
		return false;
	if (!root)
		return access("/dev/net/tun", R_OK | W_OK) == 0;
	/* Machines without udev keep the device to root: show it to all in this mount namespace only. */
	if (!mkdtemp(node) || mount("tmpfs", node, "tmpfs", 0, "mode=755") < 0)
		return false;
	char path[64];

	snprintf(path, sizeof(path), "%s/tun", node);
	ok = mknod(path, S_IFCHR | 0666, makedev(10, 200)) == 0 && chmod(path, 0666) == 0 &&
	     mount(path, "/dev/net/tun", NULL, MS_BIND, NULL) == 0;
	umount2(node, MNT_DETACH);
	rmdir(node);
	return ok;
}

static bool write_file(const char *path, const char *text)
{
	return file_write(AT_FDCWD, path, text) == 0;
}

static void world_side(void)
{
	static const uint16_t ports[] = { WORLD_PORT, 53, 80 };
	static const char *const addrs[] = { "8.8.8.8", "10.1.2.3", "169.254.169.254", "168.63.129.16", "100.100.100.200" };
	static const char *const addrs6[] = { "2606:4700::1", "fd99::1", "fd00:ec2::254", "64:ff9b::a01:203" };

	sh("ip link set lo up && ip addr add 203.0.113.1/24 dev wan1 && ip addr add 192.168.77.1/24 dev wan1 && "
	   "ip -6 addr add 2001:db8:1::1/64 dev wan1 nodad && ip link set wan1 up");
	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++)
		sh("ip addr add %s/32 dev lo", addrs[i]);
	for (size_t i = 0; i < sizeof(addrs6) / sizeof(*addrs6); i++)
		sh("ip -6 addr add %s/128 dev lo nodad", addrs6[i]);
	serve(-1, -1, "world", ports, 3);
}

/* NULL, or why there can be no world here. */
static const char *world_begin(void)
{
	static const uint16_t port[] = { WORLD_PORT };
	bool root = geteuid() == 0;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (!sh("command -v ip >/dev/null && command -v pasta >/dev/null"))
		return "needs ip (iproute2) and pasta (passt)";
	if (unshare((root ? 0 : CLONE_NEWUSER) | CLONE_NEWNET | CLONE_NEWNS) < 0)
		return "cannot make namespaces";
	if (!root) {
		snprintf(map, sizeof(map), "0 %u 1", uid);
		if (!write_file("/proc/self/uid_map", map) || !write_file("/proc/self/setgroups", "deny"))
			return "cannot map ids";
		snprintf(map, sizeof(map), "0 %u 1", gid);
		if (!write_file("/proc/self/gid_map", map))
			return "cannot map ids";
	}
	mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
	if (!own_tun(root))
		return "/dev/net/tun cannot be opened";
	host_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET) < 0)
		return "cannot make a network namespace";
	world_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (!sh("ip link add wan1 type veth peer name wan0 netns /proc/%d/fd/%d 2>/dev/null", getpid(), host_ns) &&
	    !sh("ip link add wan1 type veth peer name wan0"))
		return "this kernel has no veth";
	world_side();
	setns(host_ns, CLONE_NEWNET);
	if (!sh("ip link show wan0 >/dev/null 2>&1")) {
		/* An ip(8) that takes no path for a namespace: hand the interface over by this process. */
		pid_t pid = fork();

		if (pid == 0) {
			setns(world_ns, CLONE_NEWNET);
			_exit(sh("ip link set wan0 netns %d", getppid()) ? 0 : 1);
		}
		waitpid(pid, NULL, 0);
	}
	if (!sh("ip link set lo up && ip addr add 203.0.113.2/24 dev wan0 && ip addr add 192.168.77.2/24 dev wan0 && "
		"ip -6 addr add 2001:db8:1::2/64 dev wan0 nodad && ip link set wan0 up && "
		"ip route add default via 203.0.113.1 && ip -6 route add default via 2001:db8:1::1"))
		return "cannot set up the host's side";
	serve(-1, -1, "host", port, 1);
	/* Link-local addresses come with a second's delay. */
	for (int i = 0; i < 40 && !sh("ip -6 addr show dev wan0 scope link | grep -q 'fe80.*link *$'"); i++)
		usleep(100000);
	return NULL;
}

static void world_end(void)
{
	for (size_t i = 0; i < world_n; i++) {
		kill(world_pids[i], SIGKILL);
		waitpid(world_pids[i], NULL, 0);
	}
	world_n = 0;
}

/* Held open by the test's process alone: whoever reads end of file from it has outlived the test. */
static int life[2] = { -1, -1 };

/* A process that stands for a container: in new user and network namespaces, owned by `owner`. */
struct guest {
	pid_t pid;
	int userns, netns;
	uint32_t owner;
};

static bool guest_begin(struct guest *g, uint32_t owner)
{
	bool root = owner != 0 && geteuid() == 0;
	char path[64], map[64];
	int ready[2];
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0 || (life[0] < 0 && pipe2(life, O_CLOEXEC) < 0))
		return false;
	g->owner = owner;
	g->pid = fork();
	if (g->pid == 0) {
		close(life[1]);
		if (root && seteuid(owner) < 0)
			_exit(1);
		if (unshare(CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(2);
		_exit(read(life[0], &c, 1) < 0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return false;
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", g->pid);
	snprintf(map, sizeof(map), "0 %u 1", root ? owner + 1 : 0);
	if (!write_file(path, map))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/setgroups", g->pid);
	write_file(path, "deny");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", g->pid);
	if (!write_file(path, map))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", g->pid);
	g->userns = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", g->pid);
	g->netns = open(path, O_RDONLY | O_CLOEXEC);
	return g->userns >= 0 && g->netns >= 0;
}

static void guest_end(struct guest *g)
{
	kill(g->pid, SIGKILL);
	waitpid(g->pid, NULL, 0);
	close(g->userns);
	close(g->netns);
}
