/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the table back from the kernel, as evidence. */
#include "confine/net_nft.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

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
	size_t klen, vlen, flen, w = net_nft_width(l->family);
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
	net_nft_msg(n, type, flags);
	nl_attr_str(n, table_attr, NFT_TABLE);
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
static size_t join(struct look *l, struct net_interval *out)
{
	size_t n = 0, w = net_nft_width(l->family);
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

static bool covered(const struct net_interval *v, size_t n, const struct net_interval *want, size_t w)
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
		    net_nft_set(family), look_elements, &l);
	_cleanup_free_ __attribute__((unused)) struct mark *marks = l.v;
	_cleanup_free_ struct net_interval *v = xcalloc(l.n + 1, sizeof(*v));
	size_t count = join(&l, v);

	out->denied += (unsigned)count;
	for (size_t i = 0; r == 0 && i < f->n_deny; i++) {
		struct net_interval want = net_nft_interval(&f->deny[i]);

		if (f->deny[i].family != family || covered(v, count, &want, net_nft_width(family)))
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
		r = ask(fd, n, NFT_MSG_GETCHAIN, 0, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFT_CHAIN, look_chain, out);
	if (r >= 0)
		r = ask(fd, n, NFT_MSG_GETRULE, NLM_F_DUMP, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFT_CHAIN, look_rule, out);
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
