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
 */
#include "confine/net_filter.h"

#include "base/cleanup.h"
#include "base/netlink.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

static const char table[] = "brig", chain[] = "out";

/* A stretch of addresses, first to last, both inside. */
struct interval {
	uint8_t first[16], last[16];
};

static size_t width(int family)
{
	return family == AF_INET ? 4 : 16;
}

static struct interval to_interval(const struct net_prefix *p)
{
	struct interval i;
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
	return memcmp(((const struct interval *)a)->first, ((const struct interval *)b)->first, 16);
}

/* The prefixes of a family as ascending intervals that neither overlap nor touch. The caller frees. */
static struct interval *intervals(const struct net_filter *f, int family, size_t *out)
{
	struct interval *v = xcalloc(f->n_deny + 1, sizeof(*v));
	size_t n = 0, kept = 0, w = width(family);

	for (size_t i = 0; i < f->n_deny; i++)
		if (f->deny[i].family == family)
			v[n++] = to_interval(&f->deny[i]);
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

static void nft_msg(struct nl *n, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nfgenmsg g = { .nfgen_family = family, .version = NFNETLINK_V0 };

	nl_msg(n, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &g, sizeof(g));
}

static void batch(struct nl *n, uint16_t type)
{
	struct nfgenmsg g = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0,
			      .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nl_msg(n, type, 0, &g, sizeof(g));
}

static const char *set_name(int family)
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
	_cleanup_free_ struct interval *v = NULL;
	size_t count, w = width(family), list;

	v = intervals(f, family, &count);
	nft_msg(n, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET);
	nl_attr_str(n, NFTA_SET_TABLE, table);
	nl_attr_str(n, NFTA_SET_NAME, set_name(family));
	nl_attr_be32(n, NFTA_SET_FLAGS, NFT_SET_INTERVAL);
	nl_attr_be32(n, NFTA_SET_KEY_TYPE, type);
	nl_attr_be32(n, NFTA_SET_KEY_LEN, (uint32_t)w);
	nl_attr_be32(n, NFTA_SET_ID, type);
	nft_msg(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET);
	nl_attr_str(n, NFTA_SET_ELEM_LIST_TABLE, table);
	nl_attr_str(n, NFTA_SET_ELEM_LIST_SET, set_name(family));
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

	nl_attr_str(n, NFTA_LOOKUP_SET, set_name(family));
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

static size_t rule(struct nl *n)
{
	nft_msg(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, NFPROTO_INET);
	nl_attr_str(n, NFTA_RULE_TABLE, table);
	nl_attr_str(n, NFTA_RULE_CHAIN, chain);
	return nl_nest(n, NFTA_RULE_EXPRESSIONS);
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
	put_payload(n, NFT_PAYLOAD_NETWORK_HEADER, family == AF_INET ? 16 : 24, (uint32_t)width(family));
}

static void match_prefix(struct nl *n, const struct net_prefix *p)
{
	uint8_t mask[16] = { 0 };
	size_t w = width(p->family);

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
	nft_msg(n, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_INET);
	nl_attr_str(n, NFTA_TABLE_NAME, table);
}

static void put_chain(struct nl *n)
{
	size_t hook;

	nft_msg(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET);
	nl_attr_str(n, NFTA_CHAIN_TABLE, table);
	nl_attr_str(n, NFTA_CHAIN_NAME, chain);
	hook = nl_nest(n, NFTA_CHAIN_HOOK);
	nl_attr_be32(n, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
	nl_attr_be32(n, NFTA_HOOK_PRIORITY, 0);
	nl_nest_end(n, hook);
	nl_attr_be32(n, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_attr_str(n, NFTA_CHAIN_TYPE, "filter");
}

static void put_all(struct nl *n, const struct net_filter *f, bool reject)
{
	nl_init(n);
	batch(n, NFNL_MSG_BATCH_BEGIN);
	put_table(n);
	put_set(n, f, AF_INET);
	put_set(n, f, AF_INET6);
	put_chain(n);
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

/* One element of a set as the kernel hands it out: the start of an interval, or the first address behind one. */
struct mark {
	uint8_t key[16];
	bool end;
};

struct look {
	struct mark *v;
	size_t n;
	int family;
};

static int look_chain(const struct nlmsghdr *m, void *arg)
{
	struct net_filter_found *found = arg;
	size_t len, hlen;
	const void *hook = nl_find(m, sizeof(struct nfgenmsg), NFTA_CHAIN_HOOK, &len);
	const uint32_t *num = hook ? nl_find_in(hook, len, NFTA_HOOK_HOOKNUM, &hlen) : NULL;

	if (num && hlen == sizeof(*num) && ntohl(*num) == NF_INET_LOCAL_OUT)
		found->hook = true;
	return 0;
}

static int look_rule(const struct nlmsghdr *m, void *arg)
{
	struct net_filter_found *found = arg;

	(void)m;
	found->rules++;
	return 0;
}

static void look_element(struct look *l, const void *elem, size_t len)
{
	size_t klen, vlen, flen, w = width(l->family);
	const void *key = nl_find_in(elem, len, NFTA_SET_ELEM_KEY, &klen);
	const void *value = key ? nl_find_in(key, klen, NFTA_DATA_VALUE, &vlen) : NULL;
	const uint32_t *flags = nl_find_in(elem, len, NFTA_SET_ELEM_FLAGS, &flen);
	struct mark *m;

	if (!value || vlen != w)
		return;
	l->v = xrealloc(l->v, l->n + 1, sizeof(*l->v));
	m = &l->v[l->n++];
	memset(m, 0, sizeof(*m));
	memcpy(m->key, value, w);
	m->end = flags && flen == sizeof(*flags) && ntohl(*flags) & NFT_SET_ELEM_INTERVAL_END;
}

static int look_elements(const struct nlmsghdr *m, void *arg)
{
	size_t len;
	const uint8_t *list = nl_find(m, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS, &len);

	while (list && len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)list;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			break;
		look_element(arg, list + NLA_HDRLEN, a->nla_len - (size_t)NLA_HDRLEN);
		if (step >= len)
			break;
		list += step;
		len -= step;
	}
	return 0;
}

static int ask(int fd, struct nl *n, uint16_t type, uint16_t flags, uint16_t table_attr, uint16_t name_attr,
	       const char *name, nl_each *each, void *arg)
{
	nl_init(n);
	nft_msg(n, type, flags, NFPROTO_INET);
	nl_attr_str(n, table_attr, table);
	nl_attr_str(n, name_attr, name);
	return nl_dump(fd, n, each, arg);
}

static int by_key(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	return r ? r : (int)y->end - (int)x->end;
}

static void before(uint8_t *addr, size_t n)
{
	while (n-- > 0)
		if (addr[n]-- != 0)
			return;
}

/* The marks, ascending, as intervals. The last start may have no end: it reaches to the last address. */
static size_t join(struct look *l, struct interval *out)
{
	size_t n = 0, w = width(l->family);
	bool open = false;

	qsort(l->v, l->n, sizeof(*l->v), by_key);
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].end && open) {
			memcpy(out[n - 1].last, l->v[i].key, w);
			before(out[n - 1].last, w);
			open = false;
		} else if (!l->v[i].end && !open) {
			memcpy(out[n].first, l->v[i].key, w);
			memset(out[n++].last, 0xff, w);
			open = true;
		}
	}
	return n;
}

static bool covered(const struct interval *v, size_t n, const struct interval *want, size_t w)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(v[i].first, want->first, w) <= 0 && memcmp(v[i].last, want->last, w) >= 0)
			return true;
	return false;
}

static int look_set(int fd, struct nl *n, const struct net_filter *f, int family, struct net_filter_found *out)
{
	struct look l = { .family = family };
	int r = ask(fd, n, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET,
		    set_name(family), look_elements, &l);
	_cleanup_free_ struct mark *marks = l.v;
	_cleanup_free_ struct interval *v = xcalloc(l.n + 1, sizeof(*v));
	size_t count = join(&l, v);

	out->denied += (unsigned)count;
	for (size_t i = 0; r == 0 && i < f->n_deny; i++) {
		struct interval want = to_interval(&f->deny[i]);

		if (f->deny[i].family != family || covered(v, count, &want, width(family)))
			continue;
		if (out->whole)
			net_prefix_format(&f->deny[i], out->missing);
		out->whole = false;
	}
	return r;
}

void net_filter_look(const struct net_filter *f, struct net_filter_found *out)
{
	_cleanup_close_ int fd = nl_open(NETLINK_NETFILTER);
	_cleanup_free_ struct nl *n = xmalloc(sizeof(*n));
	int r = fd;

	memset(out, 0, sizeof(*out));
	out->whole = true;
	if (r >= 0)
		r = ask(fd, n, NFT_MSG_GETCHAIN, 0, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, chain, look_chain, out);
	if (r >= 0)
		r = ask(fd, n, NFT_MSG_GETRULE, NLM_F_DUMP, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, chain, look_rule, out);
	if (r >= 0)
		r = look_set(fd, n, f, AF_INET, out);
	if (r >= 0)
		r = look_set(fd, n, f, AF_INET6, out);
	/* Asked and told that there is no such table: that is an answer. */
	if (r == -ENOENT)
		out->whole = false;
	out->readable = r == 0 || r == -ENOENT;
	out->error = r < 0 ? r : 0;
}
