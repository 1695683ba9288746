/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the net wall: what the writer (net_nft.c) and the reader (net_nft_look.c) of the table share. */
#pragma once

#include "base/netlink.h"
#include "confine/net_filter.h"

#define NFT_TABLE "brig"
#define NFT_CHAIN "out"

/* A stretch of addresses, first to last, both inside; network byte order. */
struct net_interval {
	uint8_t first[16], last[16];
};

size_t net_nft_width(int family);	    /* bytes of an address */
const char *net_nft_set(int family);	    /* name of the set of refused addresses */
struct net_interval net_nft_interval(const struct net_prefix *p);
/* Begins a message of nf_tables for the family inet. */
void net_nft_msg(struct nl *n, uint16_t type, uint16_t flags);
