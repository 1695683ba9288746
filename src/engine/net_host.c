/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has: routes, addresses, resolvers, free ports. */
#include "engine/net.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/netlink.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESOLV_MAX = 64 * 1024 };

struct scan {
	struct net_filter *filter; /* NULL: the host's networks are of no interest */
	int family;
	unsigned default6;	   /* interface of the first IPv6 default route */
	unsigned global6[64], local6[64]; /* interfaces with a global and with a link-local address */
	size_t n_global6, n_local6;
};

/*
 * Is a route one to the host itself, to a network that it is connected to, or to one behind a router of its own? Default
 * routes are the Internet, in halves as well (VPNs do that). Routes without a router that are no interface's
 * own are those of point-to-point tunnels; their list may be the whole Internet in parts.
 */
static bool host_network(const struct rtmsg *r, bool via)
{
	if (r->rtm_type == RTN_UNREACHABLE || r->rtm_type == RTN_BLACKHOLE || r->rtm_type == RTN_PROHIBIT ||
	    r->rtm_type == RTN_THROW || r->rtm_dst_len < 2)
		return false;
	if (r->rtm_type != RTN_UNICAST)
		return true;
	/* Taken from other routers by a routing daemon: a full table is the Internet in parts. */
	if (r->rtm_protocol == RTPROT_BGP)
		return false;
	return via || r->rtm_protocol == RTPROT_KERNEL || r->rtm_protocol == RTPROT_RA;
}

static int see_route(const struct nlmsghdr *m, void *arg)
{
	const struct rtmsg *r = NLMSG_DATA(m);
	struct scan *s = arg;
	size_t len, dst_len;
	const void *dst, *oif;
	bool via;

	if (m->nlmsg_type != RTM_NEWROUTE || m->nlmsg_len < NLMSG_LENGTH(sizeof(*r)) || r->rtm_flags & RTM_F_CLONED)
		return 0;
	dst = nl_find(m, sizeof(*r), RTA_DST, &dst_len);
	oif = nl_find(m, sizeof(*r), RTA_OIF, &len);
	via = nl_find(m, sizeof(*r), RTA_GATEWAY, &len) || nl_find(m, sizeof(*r), RTA_MULTIPATH, &len) ||
	      nl_find(m, sizeof(*r), RTA_VIA, &len);
	if (r->rtm_family == AF_INET6 && r->rtm_dst_len == 0 && r->rtm_type == RTN_UNICAST && oif && !s->default6)
		memcpy(&s->default6, oif, sizeof(s->default6));
	if (s->filter && dst && host_network(r, via)) {
		struct net_prefix p = { .family = r->rtm_family, .len = r->rtm_dst_len };

		if (dst_len != (size_t)(p.family == AF_INET ? 4 : 16))
			return 0;
		memcpy(p.addr, dst, dst_len);
		for (size_t i = 0; i < s->filter->n_deny; i++)
			if (net_prefix_covers(&s->filter->deny[i], &p))
				return 0;
		net_filter_deny(s->filter, &p);
		if (s->filter->n_deny > NET_FILTER_MAX)
			return -E2BIG;
	}
	return 0;
}

static int see_address(const struct nlmsghdr *m, void *arg)
{
	const struct ifaddrmsg *a = NLMSG_DATA(m);
	struct scan *s = arg;

	if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof(*a)) || a->ifa_family != AF_INET6)
		return 0;
	if (a->ifa_scope == RT_SCOPE_UNIVERSE && s->n_global6 < ARRAY_SIZE(s->global6))
		s->global6[s->n_global6++] = a->ifa_index;
	if (a->ifa_scope == RT_SCOPE_LINK && s->n_local6 < ARRAY_SIZE(s->local6))
		s->local6[s->n_local6++] = a->ifa_index;
	return 0;
}

static bool has(const unsigned *v, size_t n, unsigned x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

static int dump(int fd, struct nl *n, uint16_t type, int family, nl_each *each, struct scan *s)
{
	/* Both fixed headers begin with the family; the rest is 0 to see everything. */
	union {
		struct rtmsg route;
		struct ifaddrmsg addr;
	} body = { 0 };

	body.route.rtm_family = (uint8_t)family;
	nl_init(n);
	nl_msg(n, type, NLM_F_DUMP, &body, type == RTM_GETROUTE ? sizeof(body.route) : sizeof(body.addr));
	return nl_dump(fd, n, each, s);
}

static int read_links(struct net_host *h, struct net_filter *f, struct error *e)
{
	_cleanup_free_ struct nl *n = xmalloc(sizeof(*n));
	_cleanup_close_ int fd = nl_open(NETLINK_ROUTE);
	struct scan s = { .filter = f };
	char name[IF_NAMESIZE];
	int r = fd;

	if (r >= 0)
		r = dump(fd, n, RTM_GETROUTE, AF_INET, see_route, &s);
	if (r >= 0)
		r = dump(fd, n, RTM_GETROUTE, AF_INET6, see_route, &s);
	if (r >= 0)
		r = dump(fd, n, RTM_GETADDR, AF_INET6, see_address, &s);
	if (r == -E2BIG) {
		error_set(e, E2BIG, "the host has more than %d routes: too many to keep from a container", NET_FILTER_MAX);
		error_hint(e, "--lower net=" NET_LOWER_LAN " lets the container reach them all");
		return r;
	}
	if (r < 0)
		return error_errno(e, r, "cannot read the host's routes");
	if (s.default6 && has(s.global6, s.n_global6, s.default6) && has(s.local6, s.n_local6, s.default6) &&
	    if_indextoname(s.default6, name))
		snprintf(h->template6, sizeof(h->template6), "%s", name);
	return 0;
}

void net_resolv_parse(const char *text, char ***resolvers, char ***search)
{
	_cleanup_strv_ char **lines = strv_split(text, '\n');

	strv_foreach(it, lines) {
		char *line = *it, *save = NULL, *key, *word;

		/* Only letters that a resolver would take; the file is the host's, but a person edits it. */
		key = strtok_r(line, " \t\r", &save);
		if (!key || (!streq(key, "nameserver") && !streq(key, "search") && !streq(key, "domain")))
			continue;
		if (streq(key, "nameserver")) {
			word = strtok_r(NULL, " \t\r", &save);
			if (word && net_address_check(word, "", NULL) == 0)
				strv_add_copy(resolvers, word);
			continue;
		}
		/* The last of search and domain counts (resolv.conf(5)). */
		strv_free(*search);
		*search = NULL;
		while ((word = strtok_r(NULL, " \t\r", &save)))
			if (net_name_valid(word, 255) || streq(word, "."))
				strv_add_copy(search, word);
	}
}

static bool is_loopback(const char *addr)
{
	return str_after(addr, "127.") || streq(addr, "::1");
}

static void read_resolv(const char *path, struct net_host *h)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;

	if (fd >= 0 && fd_read_all(fd, RESOLV_MAX, &text, NULL) == 0)
		net_resolv_parse(text, &h->resolvers, &h->search);
}

int net_host_read(struct net_host *h, struct net_filter *f, struct error *e)
{
	bool outside = false;
	int r;

	memset(h, 0, sizeof(*h));
	r = read_links(h, f, e);
	if (r < 0)
		return r;
	read_resolv("/etc/resolv.conf", h);
	strv_foreach(it, h->resolvers)
		outside |= !is_loopback(*it);
	/* A stub on the loopback has its own list of real ones, which answer over TCP as well. */
	if (strv_len(h->resolvers) > 0 && !outside) {
		struct net_host real = { 0 };

		read_resolv("/run/systemd/resolve/resolv.conf", &real);
		if (strv_len(real.resolvers) > 0) {
			strv_free(h->resolvers);
			h->resolvers = steal_ptr(&real.resolvers);
		}
		net_host_free(&real);
	}
	return 0;
}

void net_host_free(struct net_host *h)
{
	strv_free(h->resolvers);
	strv_free(h->search);
	h->resolvers = h->search = NULL;
}

static socklen_t address(const char *addr, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	inet_pton(AF_INET6, addr, &in6->sin6_addr);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

/* Binds as pasta will, and lets go again. *port is filled in when it is 0. 0 or a negative errno. */
static int try_port(const char *addr, uint16_t *port, bool udp)
{
	struct sockaddr_storage ss;
	socklen_t len = address(addr, *port, &ss);
	_cleanup_close_ int fd = socket(ss.ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || (!udp && listen(fd, 1) < 0) ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	*port = ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port :
						((struct sockaddr_in6 *)&ss)->sin6_port);
	return 0;
}

/* The user of the first socket in a table of /proc/net (proc(5)) that listens on the port; false when there is none. */
static bool find_user(const char *path, uint16_t port, unsigned want_state, unsigned *uid)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	unsigned local, state;
	char line[512];

	/* sl local_address rem_address st tx:rx tr:when retrnsmt uid */
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %u", &local, &state, uid) == 3 && local == port &&
		    state == want_state)
			return true;
	return false;
}

/* A socket of IPv6 may have the IPv4 port as well. */
static bool who_has(uint16_t port, bool udp, unsigned *uid)
{
	return udp ? find_user("/proc/net/udp", port, 0x07, uid) || find_user("/proc/net/udp6", port, 0x07, uid) :
		     find_user("/proc/net/tcp", port, 0x0a, uid) || find_user("/proc/net/tcp6", port, 0x0a, uid);
}

static int port_error(int r, const char *addr, uint16_t port, bool udp, struct error *e)
{
	struct spec_port p = { .host_addr = (char *)(uintptr_t)addr, .host_port = port };
	char text[64], who[40] = "";
	unsigned uid;

	net_port_format(&p, text);
	if (r == -EADDRINUSE) {
		if (who_has(port, udp, &uid))
			snprintf(who, sizeof(who), " by a process of uid %u", uid);
		error_set(e, EADDRINUSE, "port %s/%s is taken%s", text, udp ? "udp" : "tcp", who);
		error_hint(e, "`ss -lpn%c sport = :%u` shows the program; -p 0:PORT takes a free port", udp ? 'u' : 't', port);
	} else if (r == -EACCES || r == -EPERM) {
		error_set(e, EACCES, "port %s: a user may not listen below the host's first unprivileged port", text);
		error_hint(e, "take a higher port, or let root run: sysctl net.ipv4.ip_unprivileged_port_start=%u", port);
	} else if (r == -EADDRNOTAVAIL) {
		error_set(e, EADDRNOTAVAIL, "cannot listen on %s: the host has no such address", text);
	} else {
		error_errno(e, r, "cannot listen on %s", text);
	}
	return r;
}

int net_host_port(const char *addr, uint16_t *port, bool udp, const char *also, struct error *e)
{
	for (int tries = 0;; tries++) {
		uint16_t p = *port;
		int r = try_port(addr, &p, udp);

		if (r == 0 && also) {
			r = try_port(also, &p, udp);
			/* A free port is wanted on both addresses: another one, please. */
			if (r == -EADDRINUSE && *port == 0 && tries < 50)
				continue;
			if (r < 0)
				return port_error(r, also, p, udp, e);
		}
		if (r < 0)
			return port_error(r, addr, p, udp, e);
		*port = p;
		return 0;
	}
}
