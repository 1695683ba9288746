/* SPDX-License-Identifier: Apache-2.0 */
#include "base/netlink.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void nl_init(struct nl *n)
{
	n->len = n->msg = 0;
	n->seq = 0;
	n->open = n->full = false;
}

/* Room for `len` bytes, padded to the alignment of messages and attributes; NULL when there is none. */
static void *room(struct nl *n, size_t len)
{
	size_t padded = NLMSG_ALIGN(len);
	void *at = n->data + n->len;

	if (n->full || padded > sizeof(n->data) - n->len) {
		n->full = true;
		return NULL;
	}
	memset(at, 0, padded);
	n->len += padded;
	return at;
}

static void end_msg(struct nl *n)
{
	if (n->open && !n->full)
		((struct nlmsghdr *)(void *)(n->data + n->msg))->nlmsg_len = (uint32_t)(n->len - n->msg);
	n->open = false;
}

void nl_msg(struct nl *n, uint16_t type, uint16_t flags, const void *body, size_t len)
{
	struct nlmsghdr *h;
	void *b;

	end_msg(n);
	n->msg = n->len;
	n->open = true;
	n->seq++;
	h = room(n, sizeof(*h));
	b = room(n, len);
	if (!h || !b)
		return;
	h->nlmsg_type = type;
	h->nlmsg_flags = flags | NLM_F_REQUEST;
	h->nlmsg_seq = n->seq;
	memcpy(b, body, len);
}

void nl_attr(struct nl *n, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a;

	if (len > UINT16_MAX - NLA_HDRLEN) {
		n->full = true;
		return;
	}
	a = room(n, NLA_HDRLEN + len);
	if (!a)
		return;
	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len > 0)
		memcpy((uint8_t *)a + NLA_HDRLEN, data, len);
}

void nl_attr_str(struct nl *n, uint16_t type, const char *s)
{
	nl_attr(n, type, s, strlen(s) + 1);
}

void nl_attr_u8(struct nl *n, uint16_t type, uint8_t v)
{
	nl_attr(n, type, &v, sizeof(v));
}

void nl_attr_u32(struct nl *n, uint16_t type, uint32_t v)
{
	nl_attr(n, type, &v, sizeof(v));
}

void nl_attr_be32(struct nl *n, uint16_t type, uint32_t v)
{
	nl_attr_u32(n, type, htonl(v));
}

size_t nl_nest(struct nl *n, uint16_t type)
{
	size_t mark = n->len;

	nl_attr(n, type | NLA_F_NESTED, NULL, 0);
	return mark;
}

void nl_nest_end(struct nl *n, size_t mark)
{
	size_t len = n->len - mark;

	if (n->full)
		return;
	if (len > UINT16_MAX)
		n->full = true;
	else
		((struct nlattr *)(void *)(n->data + mark))->nla_len = (uint16_t)len;
}

int nl_open(int protocol)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int on = 1, size = 1 << 20;

	if (fd < 0)
		return -errno;
	/* An answer that carries an error need not bring the whole request back. */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return steal_fd(&fd);
}

static int send_batch(int fd, struct nl *n)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t r;

	end_msg(n);
	if (n->full)
		return -EMSGSIZE;
	do {
		r = sendto(fd, n->data, n->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* One datagram, from the kernel and nobody else. Its length, or a negative errno. */
static ssize_t receive(int fd, void *buf, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t r = recvfrom(fd, buf, size, MSG_TRUNC, (struct sockaddr *)&from, &len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if ((size_t)r > size)
			return -EMSGSIZE;
		if (from.nl_pid == 0)
			return r;
	}
}

static unsigned count_acks(const struct nl *n)
{
	unsigned acks = 0;

	for (size_t at = 0; at < n->len;) {
		const struct nlmsghdr *h = (const void *)(n->data + at);

		if (h->nlmsg_flags & NLM_F_ACK)
			acks++;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return acks;
}

int nl_talk(int fd, struct nl *n, uint32_t *failed)
{
	uint8_t buf[16384] __attribute__((aligned(4)));
	unsigned waiting;
	int first = 0, r;

	if (failed)
		*failed = 0;
	r = send_batch(fd, n);
	if (r < 0)
		return r;
	waiting = count_acks(n);
	while (waiting > 0) {
		ssize_t got = receive(fd, buf, sizeof(buf));
		size_t left = got < 0 ? 0 : (size_t)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *err = NLMSG_DATA(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*err)))
				continue;
			if (err->error < 0 && first == 0) {
				first = err->error;
				if (failed)
					*failed = h->nlmsg_seq;
			}
			/*
			 * nfnetlink answers a batch that it cannot begin with one error for all of it: nothing
			 * else will come.
			 */
			if (err->error < 0 && h->nlmsg_seq == 1)
				return first;
			if (waiting > 0)
				waiting--;
		}
	}
	return first;
}

int nl_dump(int fd, struct nl *n, nl_each *each, void *arg)
{
	uint8_t buf[65536] __attribute__((aligned(4)));
	int r = send_batch(fd, n);

	if (r < 0)
		return r;
	for (;;) {
		ssize_t got = receive(fd, buf, sizeof(buf));
		size_t left = got < 0 ? 0 : (size_t)got;

		if (got < 0)
			return (int)got;
		for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR) {
				const struct nlmsgerr *err = NLMSG_DATA(h);

				return h->nlmsg_len < NLMSG_LENGTH(sizeof(*err)) ? -EBADMSG : err->error;
			}
			r = each(h, arg);
			if (r < 0)
				return r;
			if (!(h->nlmsg_flags & NLM_F_MULTI))
				return 0;
		}
	}
}

const void *nl_find_in(const void *attrs, size_t len, uint16_t type, size_t *out_len)
{
	const uint8_t *p = attrs;

	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type) {
			*out_len = a->nla_len - (size_t)NLA_HDRLEN;
			return p + NLA_HDRLEN;
		}
		if (step >= len)
			return NULL;
		p += step;
		len -= step;
	}
	return NULL;
}

const void *nl_find(const struct nlmsghdr *m, size_t skip, uint16_t type, size_t *len)
{
	size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(skip);

	if (m->nlmsg_len < head)
		return NULL;
	return nl_find_in((const uint8_t *)m + head, m->nlmsg_len - head, type, len);
}
