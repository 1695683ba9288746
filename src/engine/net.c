/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a container's network: decided before anything is made. Starting it: net_pasta.c. */
#include "engine/net.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void net_request_lowered(struct net_request *r, const struct spec_lower *lower, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *d = lower[i].detail;

		if (!streq(lower[i].wall, "net"))
			continue;
		r->host_loopback |= !d || streq(d, NET_LOWER_HOST);
		r->lan |= !d || streq(d, NET_LOWER_LAN);
		r->metadata |= !d || streq(d, NET_LOWER_METADATA);
	}
}

static bool is_six(const char *addr)
{
	return strchr(addr, ':') != NULL;
}

static struct net_prefix host_prefix(const char *addr)
{
	struct net_prefix p = { 0 };

	net_prefix_parse(addr, &p);
	return p;
}

static void add_resolver(struct net *n, const char *inside)
{
	struct net_prefix p = host_prefix(inside);

	if (strv_len(n->nameservers) >= NET_RESOLVERS_MAX || strv_has(n->nameservers, inside))
		return;
	strv_add_copy(&n->nameservers, inside);
	net_filter_allow_dns(&n->filter, &p);
}

/*
 * The host's resolvers, as the container reaches them: directly (its filter then opens port 53 to them), or, when
 * the first one of a family is on the host's loopback, through pasta, which hands that port over and nothing else.
 * pasta takes the first resolver of each family from the host's resolv.conf itself.
 */
static void host_resolvers(struct net *n, const struct net_host *h)
{
	bool seen4 = false, seen6 = false;

	strv_foreach(it, h->resolvers) {
		if (is_six(*it) && n->ipv6) {
			bool loop = streq(*it, "::1");

			if (loop && !seen6) {
				n->forward6 = true;
				add_resolver(n, NET_RESOLVER6);
			} else if (!loop) {
				add_resolver(n, *it);
			}
			seen6 = true;
		} else if (!is_six(*it)) {
			bool loop = str_after(*it, "127.") != NULL;

			if (loop && !seen4) {
				n->forward4 = true;
				add_resolver(n, NET_RESOLVER4);
			} else if (!loop) {
				add_resolver(n, *it);
			}
			seen4 = true;
		}
	}
	if (strv_len(n->nameservers) == 0)
		snprintf(n->note, sizeof(n->note), "the host names no resolver that the container could reach: no DNS (see --dns)");
}

static int plan_dns(const struct net_request *r, struct net *n, const struct net_host *h, struct error *e)
{
	if (strv_len(r->dns) == 0) {
		if (n->kind == SPEC_NET_PRIVATE)
			host_resolvers(n, h);
		return 0;
	}
	strv_foreach(it, r->dns) {
		if (net_address_check(*it, "--dns", e) < 0)
			return -EINVAL;
		/* A resolver of the container's own, on its loopback, needs no opening; one outside is named by this. */
		add_resolver(n, *it);
	}
	if (strv_len(r->dns) > NET_RESOLVERS_MAX)
		return error_set(e, EINVAL, "--dns: resolv.conf takes at most %d resolvers", NET_RESOLVERS_MAX);
	return 0;
}

static void add_port(struct net *n, const struct spec_port *p, const char *addr, uint16_t host_port)
{
	n->ports = xrealloc(n->ports, n->n_ports + 1, sizeof(*n->ports));
	n->ports[n->n_ports++] = (struct spec_port){
		.host_addr = xstrdup(addr), .host_port = host_port, .port = p->port, .udp = p->udp };
}

/* What pasta cannot do, said before it is started. */
static int port_conflict(const struct net *n, const struct spec_port *p, const char *addr, const struct net_pasta *can, struct error *e)
{
	for (size_t i = 0; i < n->n_ports; i++) {
		const struct spec_port *q = &n->ports[i];

		if (p->host_port == 0 || q->host_port != p->host_port || q->udp != p->udp)
			continue;
		if (streq(q->host_addr, addr))
			return error_set(e, EINVAL, "host port %u/%s is published twice", p->host_port, p->udp ? "udp" : "tcp");
		if (q->port != p->port)
			return error_set(e, ENOTSUP, "host port %u cannot lead to port %u on one address and to port %u on another",
					 p->host_port, q->port, p->port);
		if (!can->several) {
			int r = error_set(e, ENOTSUP, "host port %u on %s and on %s: this pasta listens on one address for each port",
					  p->host_port, q->host_addr, addr);

			error_hint(e, "take different host ports, or a newer passt package (June 2023 or later)");
			return r;
		}
	}
	return 0;
}

static int plan_port(struct net *n, const struct spec_port *p, const struct net_pasta *can, struct error *e)
{
	const char *addr = p->host_addr ? p->host_addr : "127.0.0.1";
	const char *also = !p->host_addr && n->ipv6 && can->several ? "::1" : NULL;
	uint16_t port = p->host_port;
	int r;

	if (is_six(addr) && !n->ipv6) {
		r = error_set(e, ENOTSUP, "cannot publish on %s: the host has no IPv6 route to the outside, so pasta has no IPv6", addr);
		error_hint(e, "publish on an IPv4 address");
		return r;
	}
	r = port_conflict(n, p, addr, can, e);
	if (r == 0)
		r = net_host_port(addr, &port, p->udp, also, e);
	if (r < 0)
		return r;
	add_port(n, p, addr, port);
	if (also)
		add_port(n, p, also, port);
	if (!str_after(addr, "127.") && !streq(addr, "::1")) {
		net_filter_answer(&n->filter, p->port, p->udp);
		if (!p->udp && !can->several)
			snprintf(n->note, sizeof(n->note), "connections from other machines may hang where the server speaks first (MySQL, SSH, SMTP): "
				 "this pasta is older than August 2023");
	}
	if (p->udp && p->port < port && !can->udp_lower)
		net_filter_redirect(&n->filter, port, p->port);
	return 0;
}

/* A port that is redirected cannot be another one's destination. */
static int check_redirects(const struct net *n, struct error *e)
{
	for (size_t i = 0; i < n->filter.n_redirect; i++) {
		const struct net_redirect *d = &n->filter.redirect[i];

		for (size_t j = 0; j < n->n_ports; j++) {
			int r;

			if (!n->ports[j].udp || n->ports[j].port != d->from || n->ports[j].host_port == d->from)
				continue;
			r = error_set(e, ENOTSUP, "UDP port %u of the host cannot lead to port %u while port %u of the container is published, too",
				      d->from, d->to, d->from);
			error_hint(e, "take another host port, or a newer passt package (2024 or later)");
			return r;
		}
	}
	return 0;
}

static int plan_private(const struct net_request *r, struct net *n, struct net_host *h, struct error *e)
{
	struct net_prefix gateway4 = host_prefix(NET_GATEWAY4), gateway6 = host_prefix(NET_GATEWAY6);
	struct net_pasta can = { 0 };
	int ret = net_check(r->uid, r->gid, e);

	if (ret < 0)
		return ret;
	net_filter_defaults(&n->filter, r->lan, r->metadata);
	ret = net_host_read(h, r->lan ? NULL : &n->filter, e);
	if (ret < 0)
		return ret;
	n->ipv4 = true;
	n->ipv6 = h->template6[0];
	n->host_loopback = r->host_loopback;
	snprintf(n->template, sizeof(n->template), "%s", n->ipv6 ? h->template6 : "lo");
	n->search = steal_ptr(&h->search);
	if (r->host_loopback) {
		net_filter_allow(&n->filter, &gateway4);
		net_filter_allow(&n->filter, &gateway6);
	}
	if (r->n_ports > 0)
		net_pasta_look(&can);
	for (size_t i = 0; i < r->n_ports; i++) {
		ret = plan_port(n, &r->ports[i], &can, e);
		if (ret < 0)
			return ret;
	}
	if (n->n_ports > 0 && !can.tells_who) {
		n->filter.own4 = NET_ADDRESS4;
		n->filter.own6 = n->ipv6 ? NET_ADDRESS6 : NULL;
	}
	return check_redirects(n, e);
}

static int plan(const struct net_request *r, struct net *n, struct net_host *h, struct error *e)
{
	int ret;

	if (r->kind != SPEC_NET_PRIVATE && r->n_ports > 0) {
		ret = error_set(e, EINVAL, "ports can be published for a private network only");
		error_hint(e, "%s", r->kind == SPEC_NET_HOST ? "with --net host the container listens on the host itself" :
				    r->kind == SPEC_NET_JOIN ? "publish them for the container whose network is joined" :
							       "take --net none away");
		return ret;
	}
	if (r->kind == SPEC_NET_PRIVATE) {
		ret = plan_private(r, n, h, e);
		if (ret < 0)
			return ret;
	}
	return plan_dns(r, n, h, e);
}

int net_plan(const struct net_request *r, struct net *n, struct error *e)
{
	struct net_host h = { 0 };
	int ret;

	memset(n, 0, sizeof(*n));
	n->kind = r->kind;
	n->uid = r->uid;
	n->gid = r->gid;
	n->starter = n->userns_fd = n->netns_fd = n->err_fd = -1;
	snprintf(n->id, sizeof(n->id), "%s", r->id);
	ret = plan(r, n, &h, e);
	net_host_free(&h);
	if (ret < 0)
		net_free(n);
	return ret;
}

void net_free(struct net *n)
{
	strv_free(n->nameservers);
	strv_free(n->search);
	for (size_t i = 0; i < n->n_ports; i++)
		free(n->ports[i].host_addr);
	free(n->ports);
	net_filter_free(&n->filter);
	if (n->err_fd > 0)
		close(n->err_fd);
	memset(n, 0, sizeof(*n));
	n->starter = n->userns_fd = n->netns_fd = n->err_fd = -1;
}

int net_up(struct net *n, int run_fd, int userns_fd, int netns_fd, struct error *e)
{
	int r = net_start(n, run_fd, userns_fd, netns_fd, e);

	return r < 0 ? r : net_finish(n, e);
}
