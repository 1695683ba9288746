/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes, and what is refused by default. The table itself: net_nft.c. */
#include "confine/net_filter.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void net_filter_free(struct net_filter *f)
{
	free(f->deny);
	free(f->allow);
	free(f->dns);
	free(f->tcp);
	free(f->udp);
	free(f->redirect);
	memset(f, 0, sizeof(*f));
}

static bool bits_clear(const struct net_prefix *p)
{
	unsigned total = p->family == AF_INET ? 32 : 128;

	for (unsigned i = p->len; i < total; i++)
		if (p->addr[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

int net_prefix_parse(const char *text, struct net_prefix *out)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(text, '/');
	struct net_prefix p = { 0 };
	uint64_t len;

	if ((size_t)(slash - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = 0;
	if (inet_pton(AF_INET, addr, p.addr) == 1)
		p.family = AF_INET;
	else if (inet_pton(AF_INET6, addr, p.addr) == 1)
		p.family = AF_INET6;
	else
		return -EINVAL;
	len = p.family == AF_INET ? 32 : 128;
	if (*slash && parse_u64(slash + 1, 0, len, &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	if (!bits_clear(&p))
		return -EINVAL;
	*out = p;
	return 0;
}

void net_prefix_format(const struct net_prefix *p, char out[static 64])
{
	char addr[INET6_ADDRSTRLEN] = "?";

	inet_ntop(p->family, p->addr, addr, sizeof(addr));
	if (p->len == (p->family == AF_INET ? 32 : 128))
		snprintf(out, 64, "%s", addr);
	else
		snprintf(out, 64, "%s/%u", addr, p->len);
}

bool net_prefix_covers(const struct net_prefix *a, const struct net_prefix *b)
{
	if (a->family != b->family || a->len > b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if ((a->addr[i / 8] ^ b->addr[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static void add(struct net_prefix **list, size_t *n, const struct net_prefix *p)
{
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = *p;
}

/*
 * A network with NAT64 (RFC 6052) would carry an IPv4 destination inside an IPv6 one, so what is refused as IPv4 is
 * refused there as well.
 */
static void add_nat64(struct net_filter *f, const struct net_prefix *p)
{
	struct net_prefix six = { .family = AF_INET6, .len = (uint8_t)(96 + p->len), .addr = { 0x00, 0x64, 0xff, 0x9b } };

	memcpy(six.addr + 12, p->addr, 4);
	add(&f->deny, &f->n_deny, &six);
}

void net_filter_deny(struct net_filter *f, const struct net_prefix *p)
{
	add(&f->deny, &f->n_deny, p);
	if (p->family == AF_INET)
		add_nat64(f, p);
}

void net_filter_allow(struct net_filter *f, const struct net_prefix *p)
{
	add(&f->allow, &f->n_allow, p);
}

void net_filter_allow_dns(struct net_filter *f, const struct net_prefix *p)
{
	add(&f->dns, &f->n_dns, p);
}

void net_filter_answer(struct net_filter *f, uint16_t port, bool udp)
{
	uint16_t **list = udp ? &f->udp : &f->tcp;
	size_t *n = udp ? &f->n_udp : &f->n_tcp;

	for (size_t i = 0; i < *n; i++)
		if ((*list)[i] == port)
			return;
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = port;
}

void net_filter_redirect(struct net_filter *f, uint16_t from, uint16_t to)
{
	f->redirect = xrealloc(f->redirect, f->n_redirect + 1, sizeof(*f->redirect));
	f->redirect[f->n_redirect++] = (struct net_redirect){ .from = from, .to = to };
}

/* Never a service that a container would want: IANA's special-purpose registries (RFC 6890), and multicast. */
static const char *const never[] = {
	"0.0.0.0/8",	 "127.0.0.0/8", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4", /* IPv4 */
	"::/32",					   /* unspecified, loopback, IPv4-mapped, IPv4-compatible */
	"100::/64",	 "2002::/16",	"ff00::/8",	   /* discard, 6to4 (which carries IPv4 addresses), multicast */
};

/* Private, shared, link-local, benchmarking and site-local addresses. */
static const char *const lan_ranges[] = {
	"10.0.0.0/8",	 "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15",
	"64:ff9b:1::/48", "fc00::/7",	  "fe80::/10",	    "fec0::/10",
};

/* Amazon, Google, Azure, Oracle, DigitalOcean, OpenStack; Azure's wire server; Alibaba. */
static const char *const metadata_addresses[] = {
	"169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254",
};

static void each(struct net_filter *f, void (*fn)(struct net_filter *, const struct net_prefix *),
		 const char *const *list, size_t n)
{
	struct net_prefix p;

	for (size_t i = 0; i < n; i++)
		if (net_prefix_parse(list[i], &p) == 0)
			fn(f, &p);
}

void net_filter_defaults(struct net_filter *f, bool lan, bool metadata)
{
	each(f, net_filter_deny, never, ARRAY_SIZE(never));
	if (!lan)
		each(f, net_filter_deny, lan_ranges, ARRAY_SIZE(lan_ranges));
	each(f, metadata ? net_filter_allow : net_filter_deny, metadata_addresses, ARRAY_SIZE(metadata_addresses));
}

int net_loopback_up(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo" };

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return -errno;
	if (r.ifr_flags & IFF_UP)
		return 0;
	r.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

struct inside_answer {
	int r;
	struct error e;
};

static int enter(int userns_fd, int netns_fd, struct error *e)
{
	if (userns_fd >= 0 && setns(userns_fd, CLONE_NEWUSER) < 0)
		return error_errno(e, errno, "cannot enter the user namespace");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return error_errno(e, errno, "cannot enter the network namespace");
	return 0;
}

int net_inside(int userns_fd, int netns_fd, int (*fn)(void *arg, void *out, struct error *e), void *arg, void *out,
	       size_t out_size, struct error *e)
{
	_cleanup_close_ int in = -1;
	_cleanup_free_ char *data = NULL;
	struct inside_answer answer;
	size_t len = 0;
	int p[2], status, r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	in = p[0];
	pid = fork();
	if (pid < 0) {
		r = errno;
		close(p[1]);
		return error_errno(e, r, "fork");
	}
	if (pid == 0) {
		struct inside_answer a = { 0 };

		a.r = enter(userns_fd, netns_fd, &a.e);
		if (a.r == 0)
			a.r = fn(arg, out, &a.e);
		if (fd_write_all(p[1], &a, sizeof(a)) < 0 || (out_size && fd_write_all(p[1], out, out_size) < 0))
			_exit(1);
		_exit(0);
	}
	close(p[1]);
	r = fd_read_all(in, sizeof(answer) + out_size, &data, &len);
	status = proc_wait(pid);
	if (r < 0 || len != sizeof(answer) + out_size || status != 0)
		return error_set(e, EIO, "the process inside the network namespace ended early");
	memcpy(&answer, data, sizeof(answer));
	if (answer.r < 0) {
		if (e)
			*e = answer.e;
		return answer.r;
	}
	if (out_size)
		memcpy(out, data + sizeof(answer), out_size);
	return 0;
}
