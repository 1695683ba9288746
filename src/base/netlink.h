/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages (netlink(7), rtnetlink(7), linux/netfilter/nfnetlink.h): a writer for a batch of requests, and a
 * reader of the kernel's answers. No library: brig sends few messages, from programs that link little.
 */
#pragma once

#include "base/error.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NL_CAPACITY = 96 * 1024 };

/* Requests that are sent together. Zero-initialise the members before `data` (nl_init). About 96 KiB: mind the stack. */
struct nl {
	size_t len;	 /* bytes in `data` */
	size_t msg;	 /* offset of the message that is being written */
	uint32_t seq;	 /* sequence number of the last message; the first one has 1 */
	bool open;	 /* a message is being written */
	bool full;	 /* something did not fit; nl_talk then fails with -EMSGSIZE */
	uint8_t data[NL_CAPACITY] __attribute__((aligned(4)));
};

void nl_init(struct nl *n);
/* Begins a message (and ends the one before). NLM_F_REQUEST is added to `flags`. `body` is the family's fixed header. */
void nl_msg(struct nl *n, uint16_t type, uint16_t flags, const void *body, size_t len);
void nl_attr(struct nl *n, uint16_t type, const void *data, size_t len);
void nl_attr_str(struct nl *n, uint16_t type, const char *s); /* with its NUL */
void nl_attr_u8(struct nl *n, uint16_t type, uint8_t v);
void nl_attr_u32(struct nl *n, uint16_t type, uint32_t v);
void nl_attr_be32(struct nl *n, uint16_t type, uint32_t v);
/* Begins a nested attribute; the returned mark goes to nl_nest_end(). */
size_t nl_nest(struct nl *n, uint16_t type);
void nl_nest_end(struct nl *n, size_t mark);

/* A netlink socket of a protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in the current network namespace, or <0. */
int nl_open(int protocol);

/*
 * Sends the batch and reads the answer to every message that has NLM_F_ACK. 0, or the first negative errno that the
 * kernel gave; *failed (may be NULL) is then the sequence number of that message, 0 when the talk itself failed.
 */
int nl_talk(int fd, struct nl *n, uint32_t *failed);

/*
 * Sends the one request in `n` and hands every answer to `each` until the kernel is done. `each` returns 0 to go on
 * or a negative errno, which ends it. 0 or a negative errno.
 */
typedef int nl_each(const struct nlmsghdr *m, void *arg);
int nl_dump(int fd, struct nl *n, nl_each *each, void *arg);

/*
 * The attribute `type` of an answer whose fixed header has `skip` bytes, or inside the `len` bytes at `attrs`.
 * Payload and its length; NULL when it is not there.
 */
const void *nl_find(const struct nlmsghdr *m, size_t skip, uint16_t type, size_t *len);
const void *nl_find_in(const void *attrs, size_t len, uint16_t type, size_t *out_len);
