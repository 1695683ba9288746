// SPDX-License-Identifier: Apache-2.0
/*
 * From the policy's tables to a filter: a binary search over ranges of numbers with the same answer, so that the
 * longest way is some eight comparisons. Instructions are those that the kernel can evaluate when a filter is
 * attached (seccomp_is_const_allow() in kernel/seccomp.c, since 5.11): calls that are always allowed skip the filter.
 */
#include "confine/seccomp_table.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)

/* Numbers from `start` up to the next range's start have the same answer: a constant, or a call's lines. */
struct range {
	uint32_t start, action;
	const struct seccomp_call *call; /* NULL: constant */
};

enum { RANGES_MAX = 1024 };

struct builder {
	const struct seccomp_policy *policy;
	uint64_t lowered;
	bool notify;
	struct range *range;
	unsigned n_ranges;
	struct sock_filter *out;
	unsigned n, max;
};

uint32_t seccomp_line_action(const struct seccomp_line *l, uint64_t lowered, bool notify)
{
	if (l->detail >= 0 && (lowered >> l->detail & 1))
		return SECCOMP_RET_ALLOW;
	if (l->action == SECCOMP_RET_USER_NOTIF && !notify)
		return SECCOMP_RET_ERRNO | EPERM;
	return l->action;
}

static uint32_t line_action(const struct builder *b, const struct seccomp_line *l)
{
	return seccomp_line_action(l, b->lowered, b->notify);
}

static void emit(struct builder *b, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (b->n < b->max)
		b->out[b->n] = (struct sock_filter){ code, jt, jf, k };
	b->n++;
}

static void emit_ret(struct builder *b, uint32_t action)
{
	emit(b, BPF_RET | BPF_K, 0, 0, action);
}

/* Goes `distance` instructions on when A >= k (or A == k); a jump further than 255 takes a second instruction. */
static void emit_branch(struct builder *b, uint16_t op, uint32_t k, unsigned distance)
{
	if (distance <= UINT8_MAX) {
		emit(b, BPF_JMP | op | BPF_K, (uint8_t)distance, 0, k);
	} else {
		emit(b, BPF_JMP | op | BPF_K, 0, 1, k);
		emit(b, BPF_JMP | BPF_JA, 0, 0, distance);
	}
}

static unsigned branch_size(unsigned distance)
{
	return distance <= UINT8_MAX ? 1 : 2;
}

static unsigned cond_size(const struct seccomp_cond *c)
{
	if (c->n == 0)
		return 2;
	return 1u + (c->mask != UINT32_MAX) + c->n;
}

static unsigned line_size(const struct seccomp_line *l)
{
	unsigned size = 1;

	for (unsigned i = 0; i < l->n; i++)
		size += cond_size(&l->cond[i]);
	return size;
}

/* Falls through when the condition holds, else jumps over the `rest` instructions that follow it. */
static void emit_cond(struct builder *b, const struct seccomp_cond *c, unsigned rest)
{
	uint32_t low = (uint32_t)offsetof(struct seccomp_data, args) + 8u * c->arg;

	if (__BYTE_ORDER == __BIG_ENDIAN)
		low += 4;
	emit(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, low);
	if (c->n == 0) {
		emit(b, BPF_JMP | BPF_JSET | BPF_K, 0, (uint8_t)rest, c->mask);
		return;
	}
	if (c->mask != UINT32_MAX)
		emit(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, c->mask);
	for (unsigned i = 0; i < c->n; i++) {
		bool last = i + 1 == c->n;

		emit(b, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(c->n - 1 - i), last ? (uint8_t)rest : 0, c->value[i]);
	}
}

static void emit_line(struct builder *b, const struct seccomp_line *l)
{
	unsigned rest = line_size(l);

	for (unsigned i = 0; i < l->n; i++) {
		rest -= cond_size(&l->cond[i]);
		emit_cond(b, &l->cond[i], rest);
	}
	emit_ret(b, line_action(b, l));
}

static unsigned range_size(const struct builder *b, const struct range *r)
{
	unsigned size = 0;

	if (!r->call)
		return 1;
	for (unsigned i = 0; i < r->call->n; i++)
		size += line_size(&b->policy->lines[r->call->first + i]);
	return size;
}

static unsigned tree_size(const struct builder *b, unsigned from, unsigned to)
{
	unsigned middle = (from + to) / 2, left;

	if (to - from == 1)
		return range_size(b, &b->range[from]);
	left = tree_size(b, from, middle);
	return branch_size(left) + left + tree_size(b, middle, to);
}

static void emit_tree(struct builder *b, unsigned from, unsigned to)
{
	const struct range *r = &b->range[from];
	unsigned middle = (from + to) / 2;

	if (to - from > 1) {
		emit_branch(b, BPF_JGE, b->range[middle].start, tree_size(b, from, middle));
		emit_tree(b, from, middle);
		emit_tree(b, middle, to);
	} else if (!r->call) {
		emit_ret(b, r->action);
	} else {
		for (unsigned i = 0; i < r->call->n; i++)
			emit_line(b, &b->policy->lines[r->call->first + i]);
	}
}

static void add_range(struct builder *b, uint32_t start, uint32_t action, const struct seccomp_call *call)
{
	struct range *last = b->n_ranges ? &b->range[b->n_ranges - 1] : NULL;

	if (last && !last->call && !call && last->action == action)
		return;
	if (b->n_ranges < RANGES_MAX)
		b->range[b->n_ranges++] = (struct range){ start, action, call };
}

/* True when every line gives the same answer, so that no argument needs a look. */
static bool call_is_constant(const struct builder *b, const struct seccomp_call *c)
{
	const struct seccomp_line *l = &b->policy->lines[c->first];

	for (unsigned i = 1; i < c->n; i++)
		if (line_action(b, &l[i]) != line_action(b, &l[0]))
			return false;
	return true;
}

static void abi_ranges(struct builder *b, const struct seccomp_abi *abi)
{
	uint32_t next = 0;

	b->n_ranges = 0;
	for (unsigned i = 0; i < abi->n_calls; i++) {
		const struct seccomp_call *c = &abi->calls[i];

		if (c->nr > next)
			add_range(b, next, ABSENT, NULL);
		if (call_is_constant(b, c))
			add_range(b, c->nr, line_action(b, &b->policy->lines[c->first]), NULL);
		else
			add_range(b, c->nr, 0, c);
		next = c->nr + 1u;
	}
	add_range(b, next, ABSENT, NULL);
}

static void emit_abi(struct builder *b, const struct seccomp_abi *abi)
{
	unsigned size;

	abi_ranges(b, abi);
	size = tree_size(b, 0, b->n_ranges) + 1;
	emit_branch(b, BPF_JEQ, abi->arch, 1);
	emit(b, BPF_JMP | BPF_JA, 0, 0, size);
	emit(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit_tree(b, 0, b->n_ranges);
}

int seccomp_compile(const struct seccomp_policy *p, uint64_t lowered, bool notify, struct sock_filter *out,
		    unsigned max)
{
	/* Not cleared: 16 KiB, of which a few are used. */
	struct range ranges[RANGES_MAX] __attribute__((uninitialized));
	struct builder b = {
		.policy = p, .lowered = lowered, .notify = notify, .range = ranges, .out = out, .max = max,
	};

	emit(&b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit_abi(&b, p->native);
	if (p->compat && p->compat_detail >= 0 && (lowered >> p->compat_detail & 1))
		emit_abi(&b, p->compat);
	emit_ret(&b, SECCOMP_RET_KILL_PROCESS);
	return b.n <= max ? (int)b.n : -E2BIG;
}

uint64_t seccomp_fingerprint(const struct sock_filter *f, unsigned n)
{
	const unsigned char *byte = (const unsigned char *)f;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n * sizeof(*f); i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash;
}
