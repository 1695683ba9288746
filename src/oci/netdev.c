/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/netdev.h"

#include "base/cleanup.h"
#include "base/netlink.h"
#include "base/proc.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 64 };

/* What the specification wants kept when an interface moves: that it is up, and its permanent global addresses. */
struct device {
	unsigned index;
	bool up;
	size_t n;
	struct {
		struct ifaddrmsg head;
		size_t len;
		uint8_t bytes[16];
	} address[ADDRESSES_MAX];
};

static int one_link(const struct nlmsghdr *m, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(m);
	struct device *d = arg;

	if (m->nlmsg_type == RTM_NEWLINK && (unsigned)i->ifi_index == d->index)
		d->up = i->ifi_flags & IFF_UP;
	return 0;
}

static int one_address(const struct nlmsghdr *m, void *arg)
{
	const struct ifaddrmsg *a = NLMSG_DATA(m);
	struct device *d = arg;
	const void *bytes;
	size_t len;

	if (m->nlmsg_type != RTM_NEWADDR || a->ifa_index != d->index || a->ifa_scope != RT_SCOPE_UNIVERSE ||
	    !(a->ifa_flags & IFA_F_PERMANENT) || d->n == ADDRESSES_MAX)
		return 0;
	bytes = nl_find(m, sizeof(*a), IFA_LOCAL, &len);
	if (!bytes)
		bytes = nl_find(m, sizeof(*a), IFA_ADDRESS, &len);
	if (!bytes || len > sizeof(d->address[0].bytes))
		return 0;
	d->address[d->n].head = *a;
	d->address[d->n].len = len;
	memcpy(d->address[d->n++].bytes, bytes, len);
	return 0;
}

static int look(int fd, struct nl *n, const char *name, struct device *d, struct error *e)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct ifaddrmsg addr = { .ifa_family = AF_UNSPEC };
	int r;

	memset(d, 0, sizeof(*d));
	d->index = if_nametoindex(name);
	if (!d->index)
		return error_set(e, ENODEV, "linux.netDevices: there is no interface %s", name);
	nl_init(n);
	nl_msg(n, RTM_GETLINK, NLM_F_DUMP, &link, sizeof(link));
	r = nl_dump(fd, n, one_link, d);
	if (r == 0) {
		nl_init(n);
		nl_msg(n, RTM_GETADDR, NLM_F_DUMP, &addr, sizeof(addr));
		r = nl_dump(fd, n, one_address, d);
	}
	return r < 0 ? error_errno(e, r, "linux.netDevices: %s", name) : 0;
}

static int move(int fd, struct nl *n, const struct oci_netdev *dev, const struct device *d, pid_t pid, struct error *e)
{
	struct ifinfomsg i = { .ifi_family = AF_UNSPEC, .ifi_index = (int)d->index, .ifi_change = IFF_UP };
	int r;

	nl_init(n);
	nl_msg(n, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i)); /* down: an interface that is up keeps its name */
	i.ifi_change = 0;
	nl_msg(n, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i));
	nl_attr_u32(n, IFLA_NET_NS_PID, (uint32_t)pid);
	nl_attr_str(n, IFLA_IFNAME, dev->new_name ? dev->new_name : dev->name);
	r = nl_talk(fd, n, NULL);
	return r < 0 ? error_errno(e, r, "linux.netDevices: cannot move %s", dev->name) : 0;
}

static int restore(const struct oci_netdev *dev, const struct device *d, struct nl *n)
{
	const char *name = dev->new_name ? dev->new_name : dev->name;
	_cleanup_close_ int fd = nl_open(NETLINK_ROUTE);
	struct ifinfomsg i = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	if (fd < 0)
		return fd;
	i.ifi_index = (int)if_nametoindex(name);
	nl_init(n);
	for (size_t k = 0; k < d->n; k++) {
		struct ifaddrmsg a = d->address[k].head;

		a.ifa_index = (unsigned)i.ifi_index;
		nl_msg(n, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &a, sizeof(a));
		nl_attr(n, IFA_LOCAL, d->address[k].bytes, d->address[k].len);
		nl_attr(n, IFA_ADDRESS, d->address[k].bytes, d->address[k].len);
	}
	if (d->up)
		nl_msg(n, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i));
	return d->n || d->up ? nl_talk(fd, n, NULL) : 0;
}

/* In a child, since this process stays where it is. */
static int restore_inside(const struct oci_netdev *dev, const struct device *d, struct nl *n, pid_t pid, struct error *e)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char path[32];
		int ns;

		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
			_exit(errno & 0x7f);
		_exit(-restore(dev, d, n) & 0x7f);
	}
	if (child < 0)
		return error_errno(e, errno, "fork");
	status = proc_wait(child);
	if (status == 0)
		return 0;
	return error_errno(e, WIFEXITED(status) ? WEXITSTATUS(status) : EIO, "linux.netDevices: addresses of %s", dev->name);
}

int oci_netdevs_move(const struct oci_config *c, pid_t pid, struct error *e)
{
	_cleanup_free_ struct nl *n = NULL;
	_cleanup_free_ struct device *d = NULL;
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (c->n_netdevs == 0)
		return 0;
	n = xcalloc(1, sizeof(*n));
	d = xcalloc(1, sizeof(*d));
	fd = nl_open(NETLINK_ROUTE);
	if (fd < 0)
		return error_errno(e, fd, "linux.netDevices");
	for (size_t i = 0; r == 0 && i < c->n_netdevs; i++) {
		r = look(fd, n, c->netdevs[i].name, d, e);
		if (r == 0)
			r = move(fd, n, &c->netdevs[i], d, pid, e);
		if (r == 0)
			r = restore_inside(&c->netdevs[i], d, n, pid, e);
	}
	return r;
}
