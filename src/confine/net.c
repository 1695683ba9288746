/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The net wall: a network namespace of the container's own (network_namespaces(7)), which also separates abstract UNIX
 * sockets. Made by the clone; the way out, when there is one, by engine/net.h; what that way refuses by net_filter.h.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "confine/net_filter.h"
#include "confine/wall.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * With CAP_NET_ADMIN the container rewrites packets behind the filter (traffic control); with packet sockets, which the
 * seccomp wall refuses, it writes them itself.
 */
static const char *past_filter(const struct spec *s)
{
	if (s->caps & (1ULL << CAP_NET_ADMIN))
		return "CAP_NET_ADMIN";
	if (s->caps & (1ULL << CAP_NET_RAW) &&
	    (spec_lowered(s, "seccomp", "packet") || spec_lowered(s, "seccomp", "families") ||
	     spec_lowered(s, "seccomp", "i386")))
		return "CAP_NET_RAW and packet sockets";
	return NULL;
}

/* The lowered details in words, "" when there are none. */
static void lowered_words(const struct spec *s, char out[static 200])
{
	static const char *const details[][2] = {
		{ NET_LOWER_HOST, "the host's loopback" },
		{ NET_LOWER_LAN, "the LAN and the host" },
		{ NET_LOWER_METADATA, "cloud metadata" },
	};

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		if (spec_lowered(s, "net", details[i][0]))
			snprintf(out + strlen(out), 200 - strlen(out), "%s%s", *out ? ", " : "in reach: ", details[i][1]);
	if (spec_lowered(s, "net", NET_LOWER_ADMIN))
		snprintf(out + strlen(out), 200 - strlen(out), "%s%s", *out ? "; " : "",
			 past_filter(s) ? "its filter is in the container's hands" :
					  "its filter may be given into the container's hands");
}

static void ports_words(const struct spec *s, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "%s", s->n_ports > 0 ? "; published:" : "; nothing published");

	for (size_t i = 0; i < s->n_ports; i++) {
		const struct spec_port *p = &s->ports[i];

		if (used + 80 > size) {
			snprintf(out + used, size - used, " and %zu more", s->n_ports - i);
			return;
		}
		used += (size_t)snprintf(out + used, size - used, "%s %s:%u to %u/%s", i ? "," : "",
					 p->host_addr ? p->host_addr : "127.0.0.1", p->host_port, p->port,
					 p->udp ? "udp" : "tcp");
	}
}

static int plan(const struct spec *s, struct plan *p, struct error *e)
{
	const char *past = past_filter(s);
	char note[200], ports[300];
	int r;

	if (s->net == SPEC_NET_HOST) {
		wall_not_up(p, WALL_NET, INTENT_LOWERED, "the host's network was named (--net host)", "the host's network");
		return 0;
	}
	if (s->net == SPEC_NET_NONE) {
		wall_up(p, WALL_NET, "own namespace, loopback only");
		return 0;
	}
	if (past && !spec_lowered(s, "net", NET_LOWER_ADMIN)) {
		r = error_set(e, EPERM, "with %s the container could pass the filter that keeps it from the host and its LAN",
			      past);
		error_hint(e, "name it: --lower net=" NET_LOWER_ADMIN ", or use --net none");
		return r;
	}
	lowered_words(s, note);
	ports_words(s, ports, sizeof(ports));
	if (s->net == SPEC_NET_JOIN)
		wall_up(p, WALL_NET, "the namespace of another container");
	else if (*note)
		wall_not_up(p, WALL_NET, INTENT_LOWERED, note, "own namespace, outside through pasta%s", ports);
	else
		wall_up(p, WALL_NET, "own namespace, outside through pasta; host, LAN and metadata refused%s", ports);
	return 0;
}

static uint64_t inode(int fd)
{
	struct stat st;

	return fd < 0 || fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

/* The network namespace we are in must belong to the user namespace we are in: then it is not the host's. */
static int check_own(struct error *e)
{
	_cleanup_close_ int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int user = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int owner = -1;

	if (net < 0 || user < 0)
		return error_errno(e, errno, "cannot look at the own namespaces");
	owner = ioctl(net, NS_GET_USERNS);
	if (owner >= 0)
		fcntl(owner, F_SETFD, FD_CLOEXEC);
	if (owner < 0 || inode(owner) != inode(user))
		return error_set(e, EPERM, "the network namespace is not the container's own");
	return 0;
}

static int raise_net(struct launch *l, struct error *e)
{
	const struct spec *s = l->plan->spec;
	_cleanup_close_ int net = -1;
	int r;

	if (s->net == SPEC_NET_HOST)
		return 0;
	if (s->net == SPEC_NET_JOIN) {
		net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (s->net_fd < 0 || inode(net) != inode(s->net_fd))
			return error_set(e, EPERM, "not in the network namespace of the container that was named");
		return 0;
	}
	r = s->n_uidmap > 0 ? check_own(e) : 0;
	if (r < 0)
		return r;
	r = net_loopback_up();
	return r < 0 ? error_errno(e, r, "cannot set the loopback interface up") : 0;
}

/* Names of the interfaces in /proc/PID/net/dev, "eth0 lo"; counts them. */
static unsigned interfaces(const struct subject *s, char *out, size_t size)
{
	_cleanup_free_ char *text = NULL;
	unsigned n = 0;
	char *save = NULL;

	*out = 0;
	if (file_read(s->proc_fd, "net/dev", 1 << 20, &text, NULL) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = 0;
		line += strspn(line, " ");
		if (n++ < 8)
			snprintf(out + strlen(out), size - strlen(out), "%s%.15s", *out ? " " : "", line);
	}
	return n;
}

static int look_inside(void *arg, void *out, struct error *e)
{
	(void)e;
	net_filter_look(arg, out);
	return 0;
}

/* Reads the filter of the subject's namespace and says what is amiss. */
static void prove_filter(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	_cleanup_close_ int net = openat(s->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int user = openat(s->proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	struct net_filter expected = { 0 };
	struct net_filter_found found = { 0 };
	struct error e = { 0 };
	int r;

	if (net < 0 || user < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "its namespaces cannot be opened: %s", strerror(errno));
		evidence_why(ev, "the filter was not read");
		return;
	}
	net_filter_defaults(&expected, spec_lowered(p->spec, "net", NET_LOWER_LAN),
			    spec_lowered(p->spec, "net", NET_LOWER_METADATA));
	r = net_inside(inode(user) == inode(own) ? -1 : user, net, look_inside, &expected, &found, sizeof(found), &e);
	net_filter_free(&expected);
	if (r < 0 || !found.readable) {
		evidence_add(ev, VERDICT_UNKNOWN, "filter cannot be read: %s", r < 0 ? e.text : strerror(-found.error));
		evidence_why(ev, "the filter was not read");
	} else if (!found.hook || found.rules == 0) {
		evidence_add(ev, VERDICT_DOWN, "no filter (nftables table brig) in the namespace");
		evidence_why(ev, "nothing keeps it from the host and its LAN");
	} else {
		evidence_add(ev, found.whole ? VERDICT_STANDS : VERDICT_DOWN, "nftables table brig in the output hook: %u rules, %u networks refused",
			     found.rules, found.denied);
		if (!found.whole)
			evidence_why(ev, "%s is not refused", found.missing);
	}
}

static void prove_own(const struct plan *p, const struct subject *s, unsigned n, const char *names, struct evidence *ev)
{
	if (n == 0)
		return;
	if (!p || p->spec->net != SPEC_NET_NONE || (n == 1 && streq(names, "lo")))
		return;
	(void)s;
	evidence_add(ev, VERDICT_DOWN, "%u interfaces", n);
	evidence_why(ev, "only lo was planned");
}

static void prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	uint64_t theirs = subject_ns(s, "net"), ours, first;
	struct stat st;
	char names[160];
	unsigned n;

	ours = stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
	/* An ordinary user cannot look at process 1; what the user runs in is the host's then. */
	first = stat("/proc/1/ns/net", &st) < 0 ? ours : st.st_ino;
	if (theirs == 0 || ours == 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "/proc/PID/ns/net cannot be read");
		evidence_why(ev, "no evidence");
		return;
	}
	n = interfaces(s, names, sizeof(names));
	evidence_add(ev, VERDICT_STANDS, "net:[%llu], the host's is net:[%llu]", (unsigned long long)theirs,
		     (unsigned long long)first);
	evidence_add(ev, VERDICT_STANDS, "interfaces: %s", n ? names : "not readable");
	if (theirs == first || theirs == ours) {
		evidence_add(ev, p && p->spec->net == SPEC_NET_HOST ? VERDICT_STANDS : VERDICT_DOWN, "the host's network");
		evidence_why(ev, "it shares the network of the host");
	} else if (p && p->spec->net == SPEC_NET_JOIN && p->spec->net_fd >= 0 && theirs != inode(p->spec->net_fd)) {
		evidence_add(ev, VERDICT_DOWN, "another container was named than the one whose network it has");
		evidence_why(ev, "not the namespace that was planned");
	} else {
		prove_own(p, s, n, names, ev);
		if (p && p->spec->net == SPEC_NET_PRIVATE)
			prove_filter(p, s, ev);
	}
	evidence_settle(ev, p, WALL_NET);
}

static const char *const details[] = { NET_LOWER_HOST, NET_LOWER_LAN, NET_LOWER_METADATA, NET_LOWER_ADMIN, NULL };
static const char *const texts[] = { "the host's loopback, at the gateway's address", "the LAN and the host",
				     "the addresses at which clouds hand out secrets",
				     "its filter is in the container's hands", NULL };

const struct wall wall_net = {
	.id = WALL_NET,
	.name = "net",
	.what = "own network; outside only through pasta, without the host, its LAN and cloud metadata",
	.details = details,
	.texts = texts,
	.can_lower = true,
	.plan = plan,
	.raise = raise_net,
	.prove = prove,
};
