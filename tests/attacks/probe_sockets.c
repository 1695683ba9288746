/* SPDX-License-Identifier: Apache-2.0 */
/* Which sockets can be made, and where connections lead. */
#include "probe.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct kind {
	const char *name;
	int family, type, protocol;
};

static long do_socket(void *arg)
{
	const struct kind *k = arg;

	return socket(k->family, k->type | SOCK_CLOEXEC, k->protocol) < 0 ? -errno : 0;
}

void probe_sockets(void)
{
	static const struct kind kinds[] = {
		{ "ax25", 3, SOCK_DGRAM, 0 },
		{ "appletalk", 5, SOCK_DGRAM, 0 },
		{ "key", 15, SOCK_RAW, 2 },
		{ "packet", 17, SOCK_RAW, 0x0300 },
		{ "rds", 21, SOCK_SEQPACKET, 0 },
		{ "pppox", 24, SOCK_STREAM, 0 },
		{ "llc", 26, SOCK_STREAM, 0 },
		{ "can", 29, SOCK_RAW, 1 },
		{ "tipc", 30, SOCK_SEQPACKET, 0 },
		{ "bluetooth", 31, SOCK_RAW, 1 },
		{ "rxrpc", 33, SOCK_DGRAM, 2 },
		{ "alg", 38, SOCK_SEQPACKET, 0 },
		{ "nfc", 39, SOCK_RAW, 0 },
		{ "vsock", 40, SOCK_STREAM, 0 },
		{ "kcm", 41, SOCK_DGRAM, 0 },
		{ "qipcrtr", 42, SOCK_DGRAM, 0 },
		{ "smc", 43, SOCK_STREAM, 0 },
		{ "xdp", 44, SOCK_RAW, 0 },
		{ "inet_raw", AF_INET, SOCK_RAW, IPPROTO_ICMP },
		{ "inet6_raw", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
		{ "inet_packet", AF_INET, SOCK_PACKET, 0x0300 },
		{ "inet_mptcp", AF_INET, SOCK_STREAM, 262 },
		{ "inet_sctp", AF_INET, SOCK_STREAM, 132 },
		{ "inet_udplite", AF_INET, SOCK_DGRAM, 136 },
		{ "netlink_sock_diag", AF_NETLINK, SOCK_RAW, 4 },
		{ "netlink_xfrm", AF_NETLINK, SOCK_RAW, 6 },
		{ "netlink_audit", AF_NETLINK, SOCK_RAW, 9 },
		{ "netlink_connector", AF_NETLINK, SOCK_RAW, 11 },
		{ "netlink_netfilter", AF_NETLINK, SOCK_RAW, 12 },
		{ "netlink_kobject_uevent", AF_NETLINK, SOCK_RAW, 15 },
		{ "netlink_generic", AF_NETLINK, SOCK_RAW, 16 },
		{ "netlink_crypto", AF_NETLINK, SOCK_RAW, 21 },
	};
	/* What every program needs: these must be reached, or the filter is too narrow. */
	static const struct kind needed[] = {
		{ "unix", AF_UNIX, SOCK_STREAM, 0 },
		{ "inet_tcp", AF_INET, SOCK_STREAM, 0 },
		{ "inet_udp", AF_INET, SOCK_DGRAM, 0 },
		{ "inet6_tcp", AF_INET6, SOCK_STREAM, 0 },
		{ "netlink_route", AF_NETLINK, SOCK_RAW, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (probe_wanted("R28", kinds[i].name))
			probe_result("R28", kinds[i].name, probe_isolated(do_socket, (void *)&kinds[i]));
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (probe_wanted("needed", needed[i].name))
			probe_result("needed", needed[i].name, probe_isolated(do_socket, (void *)&needed[i]));
}

static int abstract(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = strlen(name);

	if (fd < 0 || n >= sizeof(un.sun_path) - 1)
		return 2;
	memcpy(un.sun_path + 1, name, n);
	probe_result("R17", "abstract_socket",
		     connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) ? -errno : 0);
	return 0;
}

/* Waits at most three seconds: a packet that is dropped without an answer is "stopped ETIMEDOUT". */
static long try_connect(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *ai;
	struct pollfd p;
	int err = 0;
	socklen_t n = sizeof(err);

	if (getaddrinfo(host, port, &hints, &ai))
		return -EINVAL;
	p.fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	p.events = POLLOUT;
	if (p.fd < 0)
		return -errno;
	if (connect(p.fd, ai->ai_addr, ai->ai_addrlen) && errno != EINPROGRESS)
		return -errno;
	if (poll(&p, 1, 3000) != 1)
		return -ETIMEDOUT;
	if (getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &n))
		return -errno;
	return -err;
}

static long try_bind(const char *type, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, strcmp(type, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)))
		return -errno;
	return 0;
}

int probe_net(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[0], "abstract") == 0)
		return abstract(argv[1]);
	if (argc == 3 && strcmp(argv[0], "connect") == 0)
		probe_result("C3", "connect", try_connect(argv[1], argv[2]));
	else if (argc == 3 && strcmp(argv[0], "bind") == 0)
		probe_result("V1", "bind", try_bind(argv[1], (uint16_t)atoi(argv[2])));
	else
		return 2;
	return 0;
}
