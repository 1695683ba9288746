/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's network, as a start goes through it:
 *
 *	net_plan	before the clone: what it will be (addresses, resolvers, real host ports, what is refused);
 *			errors that a person can act on come here, before anything was made
 *	net_files_write	/etc/hosts, /etc/resolv.conf, /etc/hostname, which the mounts wall lays over the image's
 *	net_start	once the network namespace exists: starts pasta and returns at once
 *	net_finish	before the container's command runs: waits for pasta, sets up the interface, lays the filter
 *	net_stop	pasta ends; also after a crash, with nothing but the container's run folder
 *
 * pasta (passt.top) moves packets between the container's interface and sockets of the host. It runs as the owner of
 * the container's user namespace, without any capability in the initial user namespace, in namespaces of its own. It
 * watches the link RUN/ID/net/netns and ends when that is removed, so removing the run folder is enough to end it.
 *
 * Inside, every container has the same addresses (RFC 7335's range for translation at the host, which is never
 * routed, and one private IPv6 network): there is no bridge on which they could meet. Addresses of a LAN, of the host
 * and of a cloud's metadata service are refused unless lowered by name: confine/net_filter.h.
 */
#pragma once

#include "base/error.h"
#include "confine/net_filter.h"
#include "spec/spec.h"

#include <sys/types.h>

#define NET_IFNAME "eth0"
#define NET_ADDRESS4 "192.0.0.2"
#define NET_GATEWAY4 "192.0.0.1"
#define NET_RESOLVER4 "192.0.0.3" /* pasta hands its UDP port 53 to the host's resolver on the host's loopback */
#define NET_GATEWAY_MAC "62:72:69:67:00:01" /* locally administered; "brig" */
#define NET_GATEWAY_MAC_BYTES { 0x62, 0x72, 0x69, 0x67, 0x00, 0x01 }
#define NET_ADDRESS6 "fd62:7269:6700::2"
#define NET_GATEWAY6 "fd62:7269:6700::1"
#define NET_RESOLVER6 "fd62:7269:6700::3"

enum { NET_PORTS_MAX = 1024, NET_RESOLVERS_MAX = 3 };

struct net_request {
	enum spec_net kind;
	const char *id;		/* of the container; goes into pasta's name */
	uint32_t uid, gid;	/* host ids of the owner of the user namespace: pasta's */
	const struct spec_port *ports;
	size_t n_ports;
	char *const *dns;	/* resolvers that a person named; empty: the host's */
	bool host_loopback, lan, metadata; /* lowered by name: net_request_lowered() */
};

/* What a start has of its network. Free with net_free() (which ends nothing). */
struct net {
	enum spec_net kind;
	char id[80];
	uint32_t uid, gid;
	bool ipv4, ipv6;	 /* inside */
	bool host_loopback;
	char **nameservers;	 /* for resolv.conf inside */
	char **search;		 /* the host's search domains */
	bool forward4, forward6; /* NET_RESOLVER4 or 6 is among the nameservers */
	struct spec_port *ports; /* with real addresses and host ports, one entry for each listening socket */
	size_t n_ports;
	char template[16];	 /* host interface from which pasta takes its idea of IPv6; "lo" when there is none */
	struct net_filter filter;
	char note[200];		 /* something that a person should know, printable; empty: nothing */
	/* from net_start() on */
	pid_t pid;		 /* pasta; 0: none */
	uint64_t start_time;
	int starter, userns_fd, netns_fd, err_fd;
};

void net_request_lowered(struct net_request *r, const struct spec_lower *lower, size_t n);

int net_plan(const struct net_request *r, struct net *n, struct error *e);

/*
 * `run_fd` is RUN/ID, in which the folder "net" is made (owned by r->uid). The namespaces' descriptors stay the
 * caller's; they are used until net_finish() returned. On failure nothing is left.
 */
int net_start(struct net *n, int run_fd, int userns_fd, int netns_fd, struct error *e);
int net_finish(struct net *n, struct error *e);
/* Both in turn. */
int net_up(struct net *n, int run_fd, int userns_fd, int netns_fd, struct error *e);

/*
 * Ends pasta and waits until it is gone (at most 2 s, then it is killed); without `wholly`, which suffices where it holds no port
 * of the host's, only until it runs no more. `pid` and `start_time` as recorded, 0 when
 * a crash came before: then the processes are searched for the container's. May be called again. 0 or negative errno.
 */
int net_stop(int run_fd, const char *id, pid_t pid, uint64_t start_time, bool wholly, struct error *e);
/* Takes back what net_start() and net_finish() did, however far they came. */
void net_undo(struct net *n, int run_fd);
void net_free(struct net *n);

/* Is pasta there, and can it have /dev/net/tun as this uid (root shows it to its pasta)? The error says what to do. */
int net_check(uint32_t uid, uint32_t gid, struct error *e);
/*
 * Opens /dev/net/tun to all, as udev does on most systems; root only; with `check` nothing is changed. For `brig setup`.
 * 1: done, or it would be; 0: it is open already; -ENOENT: there is none.
 */
int net_tun_share(bool check, struct error *e);

/* Files that stand over the image's. `dirfd`: a folder of the container; existing files are replaced. */
struct net_names {
	const char *hostname, *domainname; /* domainname may be NULL */
	char *const *add_host;		   /* as net_host_parse() takes them */
	char *const *dns_search;	   /* {".", NULL}: none, not even the host's */
	char *const *dns_options;
};
int net_files_write(int dirfd, const struct net *n, const struct net_names *names, struct error *e);

/*
 * docker's -p: [ADDRESS:][[HOSTPORT]:]PORT[/tcp|/udp]; ports may be ranges A-B of equal length; an IPv6 address stands
 * in brackets; no host port (or 0) means a free one. Adds to *ports (the caller frees the strings and the array; spec_free
 * does). The error names the text and what is wrong with it.
 */
int net_port_parse(const char *text, struct spec_port **ports, size_t *n, struct error *e);
/* --expose and an image's ExposedPorts: PORT[-PORT][/tcp|/udp]. Appends first and last. */
int net_expose_parse(const char *text, uint16_t *first, uint16_t *last, bool *udp, struct error *e);
/* "127.0.0.1:8080", "[::1]:8080"; host_addr NULL prints as 127.0.0.1 */
void net_port_format(const struct spec_port *p, char out[static 64]);

/* "NAME:ADDRESS" or "NAME=ADDRESS"; the address may stand in brackets, or be the word host-gateway. The caller frees. */
int net_host_parse(const char *text, char **name, char **address, struct error *e);
bool net_name_valid(const char *name, size_t max); /* letters, digits, '-', '_' and '.' between */
/* An IPv4 or IPv6 address without zone. */
int net_address_check(const char *text, const char *what, struct error *e);

/* The host's side, for net_plan (net_host.c). */
struct net_host {
	char template6[16];	  /* an interface with IPv6 to the outside; empty: none */
	char **resolvers, **search; /* of resolv.conf */
};
/* Reads routes, addresses and resolv.conf; with `f`, the host's own networks are denied there. */
int net_host_read(struct net_host *h, struct net_filter *f, struct error *e);
void net_host_free(struct net_host *h);
/* Reads the text of a resolv.conf. */
void net_resolv_parse(const char *text, char ***resolvers, char ***search);
/* Picks a free port for host_port 0, and looks whether the port can be had. */
int net_host_port(const char *addr, uint16_t *port, bool udp, const char *also, struct error *e);

/* Inside the namespace, by net_inside(): `arg` is the struct net (net_link.c). */
int net_link_setup(void *arg, void *out, struct error *e);

/* What the installed pasta can (net_pasta.c). */
struct net_pasta {
	bool several;	/* listen on several addresses with the same port */
	bool udp_lower; /* lead a UDP port to a lower one */
	bool tells_who; /* keep the host's loopback apart from the container's */
};
void net_pasta_look(struct net_pasta *p);
