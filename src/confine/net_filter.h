/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container may not reach, and the packet filter that holds it back.
 *
 * pasta opens the container's connections as sockets of the host, so whatever the host reaches the container would
 * reach: services of the host, of its LAN, and a cloud's metadata address. An nftables table "brig" inside the
 * container's network namespace refuses those destinations. It hangs in the output hook, which sees every packet that
 * a process of the namespace sends. Routes of type "prohibit" would not do: a socket that is bound to the interface
 * (SO_BINDTODEVICE, IP_UNICAST_IF; no capability needed) goes past them (ip_route_output_key_hash_rcu in the kernel's
 * net/ipv4/route.c takes such a destination as on link when the lookup fails). The seccomp wall keeps netfilter
 * sockets and packet sockets from the container, so the table stays as it was laid.
 */
#pragma once

#include "base/error.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wall;
extern const struct wall wall_net; /* net.c */

enum { NET_FILTER_MAX = 1024 }; /* prefixes of one family */

/* Names of --lower net=DETAIL. */
#define NET_LOWER_HOST "host-loopback" /* the host's loopback, at the gateway's address */
#define NET_LOWER_LAN "lan"	       /* private ranges, networks that the host is connected to, the host itself */
#define NET_LOWER_METADATA "metadata"  /* the addresses at which clouds hand out secrets */
#define NET_LOWER_ADMIN "admin"	       /* CAP_NET_ADMIN: the container changes its network as it likes */

struct net_prefix {
	int family;	  /* AF_INET, AF_INET6 */
	uint8_t addr[16]; /* network byte order; 4 bytes are used for AF_INET; bits beyond `len` are 0 */
	uint8_t len;	  /* bits */
};

struct net_filter {
	struct net_prefix *deny;
	size_t n_deny;
	struct net_prefix *allow; /* goes before deny */
	size_t n_allow;
	struct net_prefix *dns;	  /* as allow, port 53 of UDP and TCP only */
	size_t n_dns;
	/* Ports of the container that are published beyond the host's loopback: answers to them may go anywhere. */
	uint16_t *tcp, *udp;
	size_t n_tcp, n_udp;
	/*
	 * UDP ports at which packets arrive and where they belong: pasta before 2024 cannot lead a UDP port of the host to a
	 * lower one (its table of the way back overflows), so the namespace does it.
	 */
	struct net_redirect {
		uint16_t from, to;
	} *redirect;
	size_t n_redirect;
	/*
	 * pasta before October 2024 hands connections from the host's loopback over as connections from the container's
	 * loopback, which many servers trust (PostgreSQL's images let them in without a password). With `own4` or `own6`
	 * they come from that address of the container instead. pasta's sockets are told by their user.
	 */
	const char *own4, *own6;
	uint32_t pasta_uid; /* as the user namespace numbers it, or the overflow id */
};

void net_filter_free(struct net_filter *f);

/* "10.0.0.0/8", "::1", "fe80::/10": 0 or -EINVAL. Bits beyond the length must be 0. */
int net_prefix_parse(const char *text, struct net_prefix *out);
void net_prefix_format(const struct net_prefix *p, char out[static 64]);
/* True when `a` covers all of `b`. */
bool net_prefix_covers(const struct net_prefix *a, const struct net_prefix *b);

void net_filter_deny(struct net_filter *f, const struct net_prefix *p);
void net_filter_allow(struct net_filter *f, const struct net_prefix *p);
void net_filter_allow_dns(struct net_filter *f, const struct net_prefix *p);
void net_filter_answer(struct net_filter *f, uint16_t port, bool udp);
void net_filter_redirect(struct net_filter *f, uint16_t from, uint16_t to);

/* The addresses that brig refuses by itself, without what the specification lowers by name. */
void net_filter_defaults(struct net_filter *f, bool lan, bool metadata);

/*
 * Lays the table in the current network namespace, in one transaction; the caller has CAP_NET_ADMIN there.
 * -EOPNOTSUPP: the kernel has no nf_tables. -E2BIG: too many prefixes.
 */
int net_filter_lay(const struct net_filter *f, struct error *e);

/* What is found in a namespace. Plain memory: it is sent over a pipe. */
struct net_filter_found {
	bool readable; /* the kernel answered; else `error` says why not */
	int error;     /* negative errno */
	bool hook;     /* the chain exists and hangs in the output hook */
	unsigned rules; /* rules in it */
	unsigned denied; /* intervals in both sets */
	bool whole;    /* everything that was expected is denied */
	char missing[64]; /* the first prefix that is not */
};

/* Compares the table in the current network namespace with f->deny. */
void net_filter_look(const struct net_filter *f, struct net_filter_found *out);

/*
 * Runs `fn` in a child process inside the two namespaces (userns_fd may be -1) and brings back `out_size` bytes that it
 * wrote to `out`. The caller is the owner of the user namespace, or root. `fn` returns 0 or a negative errno with `e`
 * filled.
 */
int net_inside(int userns_fd, int netns_fd, int (*fn)(void *arg, void *out, struct error *e), void *arg, void *out,
	       size_t out_size, struct error *e);

/* Sets the loopback interface of the current network namespace up. 0 or a negative errno. */
int net_loopback_up(void);
