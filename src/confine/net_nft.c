/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table "brig" in nf_tables' own messages (linux/netfilter/nf_tables.h): table inet brig, sets deny4 and deny6,
 * chain out in the output hook, and its rules. In nft's words:
 *
 *	oif lo accept
 *	tcp sport PORT tcp flags & (syn|ack) != syn accept	answers of a port published beyond the host's loopback
 *	udp sport PORT ct direction reply accept
 *	ip daddr NET [meta l4proto {tcp,udp} th dport 53] accept
 *	ip daddr @deny4 meta l4proto tcp reject with tcp reset	and the same for ip6
 *	ip daddr @deny4 reject with icmpx admin-prohibited
 *
 * and, where UDP ports are redirected, chains in (prerouting) and self (output, for pasta's own sockets inside) of type nat:
 *
 *	udp dport PORT redirect to :PORT
 *
 * and, where pasta hides who connects, chain who (postrouting) of type nat:
 *
 *	oif lo meta skuid PASTA snat ip to ADDRESS
 */
#include "confine/net_nft.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

size_t net_nft_width(int family)
{
	return family == AF_INET ? 4 : 16;
}

struct net_interval net_nft_interval(const struct net_prefix *p)
{
	struct net_interval i;
	unsigned total = p->family == AF_INET ? 32 : 128;

	memcpy(i.first, p->addr, sizeof(i.first));
	memcpy(i.last, p->addr, sizeof(i.last));
	for (unsigned b = p->len; b < total; b++)
		i.last[b / 8] |= (uint8_t)(0x80 >> b % 8);
	return i;
}

/* Adds 1 to a big-endian number; false when it wraps to 0. */
static bool next(uint8_t *addr, size_t n)
{
	while (n-- > 0)
		if (++addr[n])
			return true;
	return false;
}

static int by_first(const void *a, const void *b)
{
	return memcmp(((const struct net_interval *)a)->first, ((const struct net_interval *)b)->first, 16);
}

/* The prefixes of a family as ascending intervals that neither overlap nor touch. The caller frees. */
static struct net_interval *intervals(const struct net_filter *f, int family, size_t *out)
{
	struct net_interval *v = xcalloc(f->n_deny + 1, sizeof(*v));
	size_t n = 0, kept = 0, w = net_nft_width(family);

	for (size_t i = 0; i < f->n_deny; i++)
		if (f->deny[i].family == family)
			v[n++] = net_nft_interval(&f->deny[i]);
	qsort(v, n, sizeof(*v), by_first);
	for (size_t i = 0; i < n; i++) {
		uint8_t after[16];

		if (kept > 0) {
			memcpy(after, v[kept - 1].last, sizeof(after));
			if (!next(after, w) || memcmp(v[i].first, after, w) <= 0) {
				if (memcmp(v[i].last, v[kept - 1].last, w) > 0)
					memcpy(v[kept - 1].last, v[i].last, sizeof(v[i].last));
				continue;
			}
		}
		v[kept++] = v[i];
	}
	*out = kept;
	return v;
}

void net_nft_msg(struct nl *n, uint16_t type, uint16_t flags)
{
	struct nfgenmsg g = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };

	nl_msg(n, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &g, sizeof(g));
}

static void batch(struct nl *n, uint16_t type)
{
	struct nfgenmsg g = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0,
			      .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nl_msg(n, type, 0, &g, sizeof(g));
}

const char *net_nft_set(int family)
{
	return family == AF_INET ? "deny4" : "deny6";
}

static void put_element(struct nl *n, const uint8_t *key, size_t w, bool end)
{
	size_t elem = nl_nest(n, NFTA_LIST_ELEM), k;

	if (end)
		nl_attr_be32(n, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	k = nl_nest(n, NFTA_SET_ELEM_KEY);
	nl_attr(n, NFTA_DATA_VALUE, key, w);
	nl_nest_end(n, k);
	nl_nest_end(n, elem);
}

/* An interval is two elements: its start, and an end mark at the first address behind it (none at the very end). */
static void put_set(struct nl *n, const struct net_filter *f, int family)
{
	/* The types of nft's command line, so that `nft list ruleset` prints addresses. */
	const uint32_t type = family == AF_INET ? 7 : 8;
	_cleanup_free_ struct net_interval *v = NULL;
	size_t count, w = net_nft_width(family), list;

	v = intervals(f, family, &count);
	net_nft_msg(n, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_ACK);
	nl_attr_str(n, NFTA_SET_TABLE, NFT_TABLE);
	nl_attr_str(n, NFTA_SET_NAME, net_nft_set(family));
	nl_attr_be32(n, NFTA_SET_FLAGS, NFT_SET_INTERVAL);
	nl_attr_be32(n, NFTA_SET_KEY_TYPE, type);
	nl_attr_be32(n, NFTA_SET_KEY_LEN, (uint32_t)w);
	nl_attr_be32(n, NFTA_SET_ID, type);
	net_nft_msg(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK);
	nl_attr_str(n, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	nl_attr_str(n, NFTA_SET_ELEM_LIST_SET, net_nft_set(family));
	nl_attr_be32(n, NFTA_SET_ELEM_LIST_SET_ID, type);
	list = nl_nest(n, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < count; i++) {
		put_element(n, v[i].first, w, false);
		if (next(v[i].last, w))
			put_element(n, v[i].last, w, true);
	}
	nl_nest_end(n, list);
}

/* The expressions of a rule. Each opens with expr() and closes with expr_end(). */
struct marks {
	size_t elem, data;
};

static struct marks expr(struct nl *n, const char *name)
{
	struct marks m;

	m.elem = nl_nest(n, NFTA_LIST_ELEM);
	nl_attr_str(n, NFTA_EXPR_NAME, name);
	m.data = nl_nest(n, NFTA_EXPR_DATA);
	return m;
}

static void expr_end(struct nl *n, struct marks m)
{
	nl_nest_end(n, m.data);
	nl_nest_end(n, m.elem);
}

static void put_meta(struct nl *n, uint32_t key)
{
	struct marks m = expr(n, "meta");

	nl_attr_be32(n, NFTA_META_KEY, key);
	nl_attr_be32(n, NFTA_META_DREG, NFT_REG_1);
	expr_end(n, m);
}

static void put_value(struct nl *n, uint16_t attr, const void *data, size_t len)
{
	size_t d = nl_nest(n, attr);

	nl_attr(n, NFTA_DATA_VALUE, data, len);
	nl_nest_end(n, d);
}

static void put_cmp(struct nl *n, uint32_t op, const void *data, size_t len)
{
	struct marks m = expr(n, "cmp");

	nl_attr_be32(n, NFTA_CMP_SREG, NFT_REG_1);
	nl_attr_be32(n, NFTA_CMP_OP, op);
	put_value(n, NFTA_CMP_DATA, data, len);
	expr_end(n, m);
}

static void put_payload(struct nl *n, uint32_t base, uint32_t offset, uint32_t len)
{
	struct marks m = expr(n, "payload");

	nl_attr_be32(n, NFTA_PAYLOAD_DREG, NFT_REG_1);
	nl_attr_be32(n, NFTA_PAYLOAD_BASE, base);
	nl_attr_be32(n, NFTA_PAYLOAD_OFFSET, offset);
	nl_attr_be32(n, NFTA_PAYLOAD_LEN, len);
	expr_end(n, m);
}

static void put_bitwise(struct nl *n, const uint8_t *mask, size_t len)
{
	static const uint8_t zero[16];
	struct marks m = expr(n, "bitwise");

	nl_attr_be32(n, NFTA_BITWISE_SREG, NFT_REG_1);
	nl_attr_be32(n, NFTA_BITWISE_DREG, NFT_REG_1);
	nl_attr_be32(n, NFTA_BITWISE_LEN, (uint32_t)len);
	put_value(n, NFTA_BITWISE_MASK, mask, len);
	put_value(n, NFTA_BITWISE_XOR, zero, len);
	expr_end(n, m);
}

static void put_lookup(struct nl *n, int family)
{
	struct marks m = expr(n, "lookup");

	nl_attr_str(n, NFTA_LOOKUP_SET, net_nft_set(family));
	nl_attr_be32(n, NFTA_LOOKUP_SREG, NFT_REG_1);
	nl_attr_be32(n, NFTA_LOOKUP_SET_ID, family == AF_INET ? 7 : 8);
	expr_end(n, m);
}

static void put_verdict(struct nl *n, uint32_t code)
{
	struct marks m = expr(n, "immediate");
	size_t data, verdict;

	nl_attr_be32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nl_nest(n, NFTA_IMMEDIATE_DATA);
	verdict = nl_nest(n, NFTA_DATA_VERDICT);
	nl_attr_be32(n, NFTA_VERDICT_CODE, code);
	nl_nest_end(n, verdict);
	nl_nest_end(n, data);
	expr_end(n, m);
}

static void put_reject(struct nl *n, uint32_t type, uint8_t code)
{
	struct marks m = expr(n, "reject");

	nl_attr_be32(n, NFTA_REJECT_TYPE, type);
	nl_attr_u8(n, NFTA_REJECT_ICMP_CODE, code);
	expr_end(n, m);
}

static size_t rule_in(struct nl *n, const char *chain)
{
	net_nft_msg(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	nl_attr_str(n, NFTA_RULE_TABLE, NFT_TABLE);
	nl_attr_str(n, NFTA_RULE_CHAIN, chain);
	return nl_nest(n, NFTA_RULE_EXPRESSIONS);
}

static size_t rule(struct nl *n)
{
	return rule_in(n, NFT_CHAIN);
}

static void match_u8(struct nl *n, uint32_t key, uint8_t v)
{
	put_meta(n, key);
	put_cmp(n, NFT_CMP_EQ, &v, sizeof(v));
}

/* The family, then the destination address in register 1. */
static void load_daddr(struct nl *n, int family)
{
	match_u8(n, NFT_META_NFPROTO, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	put_payload(n, NFT_PAYLOAD_NETWORK_HEADER, family == AF_INET ? 16 : 24, (uint32_t)net_nft_width(family));
}

static void match_prefix(struct nl *n, const struct net_prefix *p)
{
	uint8_t mask[16] = { 0 };
	size_t w = net_nft_width(p->family);

	for (unsigned b = 0; b < p->len; b++)
		mask[b / 8] |= (uint8_t)(0x80 >> b % 8);
	load_daddr(n, p->family);
	if (p->len < w * 8)
		put_bitwise(n, mask, w);
	put_cmp(n, NFT_CMP_EQ, p->addr, w);
}

/* 0: source port, 2: destination port; TCP and UDP have them at the same place. */
static void match_port(struct nl *n, uint32_t offset, uint16_t port)
{
	uint16_t be = htons(port);

	put_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2);
	put_cmp(n, NFT_CMP_EQ, &be, sizeof(be));
}

static void rule_loopback(struct nl *n)
{
	uint32_t lo = 1; /* always, in every network namespace */
	size_t r = rule(n);

	put_meta(n, NFT_META_OIF);
	put_cmp(n, NFT_CMP_EQ, &lo, sizeof(lo));
	put_verdict(n, NF_ACCEPT);
	nl_nest_end(n, r);
}

/* Without a SYN of its own no connection begins, so whoever sends from this port can only answer. */
static void rule_tcp_answer(struct nl *n, uint16_t port)
{
	const uint8_t mask = 0x12, syn = 0x02;
	size_t r = rule(n);

	match_u8(n, NFT_META_L4PROTO, IPPROTO_TCP);
	match_port(n, 0, port);
	put_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1);
	put_bitwise(n, &mask, 1);
	put_cmp(n, NFT_CMP_NEQ, &syn, sizeof(syn));
	put_verdict(n, NF_ACCEPT);
	nl_nest_end(n, r);
}

static void rule_udp_answer(struct nl *n, uint16_t port)
{
	const uint8_t reply = 1;
	size_t r = rule(n);
	struct marks m;

	match_u8(n, NFT_META_L4PROTO, IPPROTO_UDP);
	match_port(n, 0, port);
	m = expr(n, "ct");
	nl_attr_be32(n, NFTA_CT_DREG, NFT_REG_1);
	nl_attr_be32(n, NFTA_CT_KEY, NFT_CT_DIRECTION);
	expr_end(n, m);
	put_cmp(n, NFT_CMP_EQ, &reply, sizeof(reply));
	put_verdict(n, NF_ACCEPT);
	nl_nest_end(n, r);
}

/* proto 0: every packet to the prefix. */
static void rule_allow(struct nl *n, const struct net_prefix *p, uint8_t proto, uint16_t port)
{
	size_t r = rule(n);

	match_prefix(n, p);
	if (proto) {
		match_u8(n, NFT_META_L4PROTO, proto);
		match_port(n, 2, port);
	}
	put_verdict(n, NF_ACCEPT);
	nl_nest_end(n, r);
}

static void rules_deny(struct nl *n, int family, bool reject)
{
	size_t r;

	if (reject) {
		r = rule(n);
		load_daddr(n, family);
		put_lookup(n, family);
		match_u8(n, NFT_META_L4PROTO, IPPROTO_TCP);
		put_reject(n, NFT_REJECT_TCP_RST, 0);
		nl_nest_end(n, r);
	}
	r = rule(n);
	load_daddr(n, family);
	put_lookup(n, family);
	if (reject)
		put_reject(n, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	else
		put_verdict(n, NF_DROP);
	nl_nest_end(n, r);
}

static void put_table(struct nl *n)
{
	net_nft_msg(n, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
	nl_attr_str(n, NFTA_TABLE_NAME, NFT_TABLE);
}

static void put_chain(struct nl *n, const char *name, const char *type, uint32_t hooknum, int32_t priority)
{
	size_t hook;

	net_nft_msg(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK);
	nl_attr_str(n, NFTA_CHAIN_TABLE, NFT_TABLE);
	nl_attr_str(n, NFTA_CHAIN_NAME, name);
	hook = nl_nest(n, NFTA_CHAIN_HOOK);
	nl_attr_be32(n, NFTA_HOOK_HOOKNUM, hooknum);
	nl_attr_be32(n, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nl_nest_end(n, hook);
	nl_attr_be32(n, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_attr_str(n, NFTA_CHAIN_TYPE, type);
}

static void rule_redirect(struct nl *n, const char *chain, const struct net_redirect *d)
{
	uint16_t to = htons(d->to);
	size_t r = rule_in(n, chain);
	struct marks m;

	match_u8(n, NFT_META_L4PROTO, IPPROTO_UDP);
	match_port(n, 2, d->from);
	m = expr(n, "immediate");
	nl_attr_be32(n, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(n, NFTA_IMMEDIATE_DATA, &to, sizeof(to));
	expr_end(n, m);
	m = expr(n, "redir");
	nl_attr_be32(n, NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1);
	expr_end(n, m);
	nl_nest_end(n, r);
}

/* Packets from the wire, and those that pasta's sockets inside send to the loopback. */
static void put_redirects(struct nl *n, const struct net_filter *f)
{
	const uint32_t lo = 1;
	size_t r;

	put_chain(n, "in", "nat", NF_INET_PRE_ROUTING, -100);
	put_chain(n, "self", "nat", NF_INET_LOCAL_OUT, -100);
	r = rule_in(n, "self");
	put_meta(n, NFT_META_OIF);
	put_cmp(n, NFT_CMP_NEQ, &lo, sizeof(lo));
	put_verdict(n, NF_ACCEPT);
	nl_nest_end(n, r);
	for (size_t i = 0; i < f->n_redirect; i++) {
		rule_redirect(n, "in", &f->redirect[i]);
		rule_redirect(n, "self", &f->redirect[i]);
	}
}

static void rule_source(struct nl *n, int family, const char *address, uint32_t uid)
{
	const uint32_t lo = 1;
	size_t r = rule_in(n, "who");
	uint8_t addr[16];
	struct marks m;

	inet_pton(family, address, addr);
	match_u8(n, NFT_META_NFPROTO, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	put_meta(n, NFT_META_OIF);
	put_cmp(n, NFT_CMP_EQ, &lo, sizeof(lo));
	put_meta(n, NFT_META_SKUID);
	put_cmp(n, NFT_CMP_EQ, &uid, sizeof(uid));
	m = expr(n, "immediate");
	nl_attr_be32(n, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(n, NFTA_IMMEDIATE_DATA, addr, net_nft_width(family));
	expr_end(n, m);
	m = expr(n, "nat");
	nl_attr_be32(n, NFTA_NAT_TYPE, NFT_NAT_SNAT);
	nl_attr_be32(n, NFTA_NAT_FAMILY, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nl_attr_be32(n, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	expr_end(n, m);
	nl_nest_end(n, r);
}

static void put_sources(struct nl *n, const struct net_filter *f)
{
	put_chain(n, "who", "nat", NF_INET_POST_ROUTING, 100);
	if (f->own4)
		rule_source(n, AF_INET, f->own4, f->pasta_uid);
	if (f->own6)
		rule_source(n, AF_INET6, f->own6, f->pasta_uid);
}

static void put_all(struct nl *n, const struct net_filter *f, bool reject)
{
	nl_init(n);
	batch(n, NFNL_MSG_BATCH_BEGIN);
	put_table(n);
	put_set(n, f, AF_INET);
	put_set(n, f, AF_INET6);
	put_chain(n, NFT_CHAIN, "filter", NF_INET_LOCAL_OUT, 0);
	rule_loopback(n);
	for (size_t i = 0; i < f->n_tcp; i++)
		rule_tcp_answer(n, f->tcp[i]);
	for (size_t i = 0; i < f->n_udp; i++)
		rule_udp_answer(n, f->udp[i]);
	for (size_t i = 0; i < f->n_dns; i++) {
		rule_allow(n, &f->dns[i], IPPROTO_UDP, 53);
		rule_allow(n, &f->dns[i], IPPROTO_TCP, 53);
	}
	for (size_t i = 0; i < f->n_allow; i++)
		rule_allow(n, &f->allow[i], 0, 0);
	rules_deny(n, AF_INET, reject);
	rules_deny(n, AF_INET6, reject);
	if (f->n_redirect > 0)
		put_redirects(n, f);
	if (f->own4 || f->own6)
		put_sources(n, f);
	batch(n, NFNL_MSG_BATCH_END);
}

int net_filter_lay(const struct net_filter *f, struct error *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ struct nl *n = xmalloc(sizeof(*n));
	uint32_t failed;
	int r;

	if (f->n_deny > NET_FILTER_MAX)
		return error_set(e, E2BIG, "more than %d networks to keep from the container", NET_FILTER_MAX);
	fd = nl_open(NETLINK_NETFILTER);
	if (fd < 0)
		return error_errno(e, fd, "this kernel has no netfilter sockets");
	put_all(n, f, true);
	r = nl_talk(fd, n, &failed);
	if (r == -ENOENT) {
		/* Without the reject expression (nft_reject_inet): the packets are dropped, connections time out. */
		put_all(n, f, false);
		r = nl_talk(fd, n, &failed);
	}
	if (r == -EINVAL && failed == 1)
		r = -EOPNOTSUPP;
	if (r < 0)
		return error_errno(e, r, "nf_tables refused the container's filter (message %u)", failed);
	return 0;
}
