/* SPDX-License-Identifier: Apache-2.0 */
/* The container's end of the wire: filter, interface, addresses, routes; runs inside its network namespace. */
#include "engine/net.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/netlink.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* As large as an IPv4 packet may be, rounded down to what pasta takes: fewer, larger packets. */
enum { MTU = 65520 };

/* No link-local address: nothing on this wire speaks neighbour or router discovery, so nothing shall be sent. */
static void put_link(struct nl *n, unsigned index)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index };
	size_t spec, inet6;

	nl_msg(n, RTM_NEWLINK, NLM_F_ACK, &link, sizeof(link));
	nl_attr_u32(n, IFLA_MTU, MTU);
	spec = nl_nest(n, IFLA_AF_SPEC);
	inet6 = nl_nest(n, AF_INET6);
	nl_attr_u8(n, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nl_nest_end(n, inet6);
	nl_nest_end(n, spec);
}

static void put_up(struct nl *n, unsigned index)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };

	nl_msg(n, RTM_NEWLINK, NLM_F_ACK, &link, sizeof(link));
}

static size_t binary(const char *text, int family, uint8_t out[static 16])
{
	inet_pton(family, text, out);
	return family == AF_INET ? 4 : 16;
}

static void put_family(struct nl *n, unsigned index, int family, const char *address, const char *gateway)
{
	static const uint8_t mac[] = NET_GATEWAY_MAC_BYTES;
	uint8_t a[16], g[16];
	size_t len = binary(address, family, a);
	struct ifaddrmsg addr = { .ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)(len * 8),
				  .ifa_flags = IFA_F_PERMANENT | IFA_F_NODAD, .ifa_index = index };
	struct ndmsg nd = { .ndm_family = (uint8_t)family, .ndm_ifindex = (int)index, .ndm_state = NUD_PERMANENT };
	struct rtmsg rt = { .rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
			    .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST, .rtm_flags = RTNH_F_ONLINK };

	binary(gateway, family, g);
	nl_msg(n, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &addr, sizeof(addr));
	nl_attr(n, IFA_LOCAL, a, len);
	nl_attr(n, IFA_ADDRESS, a, len);
	nl_msg(n, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &nd, sizeof(nd));
	nl_attr(n, NDA_DST, g, len);
	nl_attr(n, NDA_LLADDR, mac, sizeof(mac));
	nl_msg(n, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &rt, sizeof(rt));
	nl_attr(n, RTA_GATEWAY, g, len);
	nl_attr_u32(n, RTA_OIF, index);
}

/* The number that `host` has in our user namespace: the owner is mapped nowhere, but in tests it may be. */
static uint32_t inside_id(uint32_t host)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, count, overflow = 65534;
	char text[32];

	while (f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
		if (host >= outside && host - outside < count)
			return inside + (host - outside);
	if (file_read_line(AT_FDCWD, "/proc/sys/kernel/overflowuid", text, sizeof(text)) == 0)
		sscanf(text, "%u", &overflow);
	return overflow;
}

static bool filters(const struct net_filter *f)
{
	return f->n_deny > 0 || f->n_redirect > 0 || f->own4;
}

int net_link_setup(void *arg, void *out, struct error *e)
{
	struct net *net = arg;
	_cleanup_free_ struct nl *n = xmalloc(sizeof(*n));
	_cleanup_close_ int fd = nl_open(NETLINK_ROUTE);
	unsigned index = if_nametoindex(NET_IFNAME);
	uint32_t failed;
	int r;

	(void)out;
	if (fd < 0)
		return error_errno(e, fd, "rtnetlink");
	if (index == 0)
		return error_set(e, ENODEV, "pasta made no interface " NET_IFNAME);
	net->filter.pasta_uid = inside_id(net->uid);
	/* Before the interface comes up, so that there is no moment without it. */
	r = filters(&net->filter) ? net_filter_lay(&net->filter, e) : 0;
	if (r == -EOPNOTSUPP)
		error_hint(e, "load the kernel's nf_tables module; without it only --lower net or --net none can be had");
	if (r < 0)
		return r;
	nl_init(n);
	put_link(n, index);
	put_up(n, index);
	put_family(n, index, AF_INET, NET_ADDRESS4, NET_GATEWAY4);
	if (net->ipv6)
		put_family(n, index, AF_INET6, NET_ADDRESS6, NET_GATEWAY6);
	r = nl_talk(fd, n, &failed);
	return r < 0 ? error_errno(e, r, "cannot set up the interface (message %u)", failed) : 0;
}
