// SPDX-License-Identifier: Apache-2.0
/*
 * OCI seccomp profiles to BPF. Per entry into the kernel, the profile's rules are gathered by call number, ranges of numbers with
 * the same answer are found, and a binary search over them is written, from its last instruction to its first, so that each jump
 * knows how far it goes. Only instructions are used that the kernel can evaluate when a filter is attached (see
 * seccomp_compile.c). libseccomp is not used here: its filters walk through all calls one after the other, and it takes longer
 * to make one than a whole container may take to start.
 */
#include "confine/seccomp_oci.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "confine/seccomp_names.h"

#include <endian.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef __x86_64__
#error "which architectures enter this kernel, and by which numbers?"
#endif

enum {
	NRS = 1024,		      /* numbers of calls are below */
	INSNS = BPF_MAXINSNS,
	NEAR = UINT8_MAX - 40,	      /* one rule's tests and a stone fit behind it */
	X32_BIT = 0x40000000, X32_FIRST = 512, X32_END = 548, /* numbers of its own, without the bit */
	NR_SOCKETCALL = 102, NR_IPC = 117, /* i386 */
};

/* A rule with conditions, for one call. */
struct test {
	uint32_t action;
	const struct oci_seccomp_arg *args;
	size_t n_args;
	struct test *next; /* not stricter */
};

struct call {
	bool constant;	 /* `action` is for all arguments that pass no stricter test */
	uint32_t action;
	struct test *tests, *last;
};

/* Numbers from `start` up to the next range's start: the call at `start` answers for all. */
struct range {
	uint32_t start, action;
	const struct test *tests; /* NULL: `action` always */
};

struct builder {
	const struct oci_seccomp *profile;
	struct call calls[NRS];
	struct range ranges[NRS + 4];
	struct test *pool; /* INSNS of them: each becomes several instructions */
	unsigned n_ranges, n_tests;
	int highest;	   /* number that the profile names, x32's own aside; -1: none */
	bool is_32, x32, too_long;
	unsigned pos;	   /* first instruction that is written; those before it are free */
	struct {
		uint32_t action;
		unsigned at;	   /* 0: not yet */
	} answers[8];		   /* the nearest instruction that gives each answer */
	struct sock_filter out[INSNS];
};

/* --- instructions, the last one first ---------------------------------------------------------------------------- */

static void put(struct builder *b, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (b->pos == 0)
		b->too_long = true;
	else
		b->out[--b->pos] = (struct sock_filter){ code, jt, jf, k };
}

static void put_ret(struct builder *b, uint32_t action)
{
	put(b, BPF_RET | BPF_K, 0, 0, action);
}

/* Both targets are near: within the tests of one rule. */
static void put_jump(struct builder *b, uint16_t op, uint32_t k, unsigned yes, unsigned no)
{
	put(b, BPF_JMP | op | BPF_K, (uint8_t)(yes - b->pos), (uint8_t)(no - b->pos), k);
}

/* A place from which `target` is within a jump's 8 bits, also after the instructions of one rule: itself, or a stone to step on. */
static unsigned near(struct builder *b, unsigned target)
{
	if (target - b->pos > NEAR)
		put(b, BPF_JMP | BPF_JA, 0, 0, target - b->pos);
	return target - b->pos > NEAR ? b->pos : target;
}

/* Answers with one instruction, which those before it share while it is near. Returns where it is. */
static unsigned put_answer(struct builder *b, uint32_t action)
{
	unsigned i = 0;

	while (i < ARRAY_SIZE(b->answers) - 1 && b->answers[i].at && b->answers[i].action != action)
		i++;
	if (b->answers[i].at && b->answers[i].action == action && b->answers[i].at - b->pos <= NEAR)
		return b->answers[i].at;
	put_ret(b, action);
	b->answers[i].action = action;
	b->answers[i].at = b->pos;
	return b->pos;
}

static void put_load(struct builder *b, uint32_t index, bool high)
{
	uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) + 8 * index;

	put(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, at + ((__BYTE_ORDER == __BIG_ENDIAN) != high ? 4 : 0));
}

static void put_masked(struct builder *b, uint32_t index, bool high, uint32_t mask, uint32_t value, unsigned no)
{
	if (mask == 0)
		return;
	put_jump(b, BPF_JEQ, value & mask, b->pos, no);
	if (mask != UINT32_MAX)
		put(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
	put_load(b, index, high);
}

/* Goes on when the argument is greater (or equal), else to `no`; the other way round when `not`. */
static void put_order(struct builder *b, const struct oci_seccomp_arg *a, bool equal_too, bool not, unsigned no)
{
	uint32_t low = (uint32_t)a->value, high = (uint32_t)(a->value >> 32);
	unsigned holds = not ? no : b->pos, fails = not ? b->pos : no;

	put_jump(b, equal_too ? BPF_JGE : BPF_JGT, low, holds, fails);
	put_load(b, a->index, false);
	if (b->is_32)
		return;
	put_jump(b, BPF_JEQ, high, b->pos, fails);
	put_jump(b, BPF_JGT, high, holds, b->pos);
	put_load(b, a->index, true);
}

static void put_not_equal(struct builder *b, const struct oci_seccomp_arg *a, unsigned no)
{
	unsigned yes = b->pos;

	put_jump(b, BPF_JEQ, (uint32_t)a->value, no, yes);
	put_load(b, a->index, false);
	if (b->is_32)
		return;
	put_jump(b, BPF_JEQ, (uint32_t)(a->value >> 32), b->pos, yes);
	put_load(b, a->index, true);
}

/* Goes on when the condition holds, else to `no`. A 32-bit caller has 32 bits to compare, as libseccomp has it. */
static void put_condition(struct builder *b, const struct oci_seccomp_arg *a, unsigned no)
{
	uint64_t mask = a->op == OCI_CMP_MASKED_EQ ? a->value : UINT64_MAX;
	uint64_t value = a->op == OCI_CMP_MASKED_EQ ? a->value_two : a->value;

	switch (a->op) {
	case OCI_CMP_NE:
		put_not_equal(b, a, no);
		break;
	case OCI_CMP_LT:
		put_order(b, a, true, true, no);
		break;
	case OCI_CMP_LE:
		put_order(b, a, false, true, no);
		break;
	case OCI_CMP_GE:
		put_order(b, a, true, false, no);
		break;
	case OCI_CMP_GT:
		put_order(b, a, false, false, no);
		break;
	default: /* EQ, MASKED_EQ */
		put_masked(b, a->index, false, (uint32_t)mask, (uint32_t)value, no);
		if (!b->is_32)
			put_masked(b, a->index, true, (uint32_t)(mask >> 32), (uint32_t)(value >> 32), no);
	}
}

static void put_tests(struct builder *b, const struct test *t, uint32_t otherwise)
{
	unsigned no;

	/* Their order is the list's: what comes after is written first. Not deep: the pool has a few thousand. */
	if (t->next)
		put_tests(b, t->next, otherwise);
	no = t->next ? b->pos : put_answer(b, otherwise);
	put_ret(b, t->action);
	for (size_t i = t->n_args; i-- > 0;)
		put_condition(b, &t->args[i], no);
}

/* Returns where the search begins. */
static unsigned put_tree(struct builder *b, unsigned from, unsigned to)
{
	const struct range *r = &b->ranges[from];
	unsigned middle = (from + to) / 2, upper, lower;

	if (to - from > 1) {
		upper = put_tree(b, middle, to);
		lower = put_tree(b, from, middle);
		upper = near(b, upper);
		lower = near(b, lower);
		put_jump(b, BPF_JGE, b->ranges[middle].start, upper, lower);
	} else if (r->tests) {
		put_tests(b, r->tests, r->action);
	} else {
		return put_answer(b, r->action);
	}
	return b->pos;
}

/* --- from rules to calls, from calls to ranges ------------------------------------------------------------------- */

/* True when `a` is stricter than `b`: the kernel compares the actions as signed numbers, 0x80000000 (KILL_PROCESS) first. */
static bool stricter(uint32_t a, uint32_t b)
{
	return (int32_t)(a & SECCOMP_RET_ACTION_FULL) < (int32_t)(b & SECCOMP_RET_ACTION_FULL);
}

static void add_test(struct builder *b, int nr, uint32_t action, const struct oci_seccomp_arg *args, size_t n)
{
	struct call *c = &b->calls[nr];
	struct test *t, **at = &c->tests;

	if (b->n_tests == INSNS) {
		b->too_long = true;
		return;
	}
	t = &b->pool[b->n_tests++];
	*t = (struct test){ .action = action, .args = args, .n_args = n };
	if (c->last && !stricter(action, c->last->action))
		at = &c->last->next;
	while (*at && !stricter(action, (*at)->action))
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	if (!t->next)
		c->last = t;
}

static bool looks_twice(const struct oci_seccomp_rule *r)
{
	unsigned seen = 0;

	for (size_t i = 0; i < r->n_args; i++) {
		if (seen & 1u << r->args[i].index)
			return true;
		seen |= 1u << r->args[i].index;
	}
	return false;
}

static void add_rule(struct builder *b, int nr, const struct oci_seccomp_rule *r, bool alternatives)
{
	struct call *c;

	if (nr < 0)
		return;
	c = &b->calls[nr];
	if (nr > b->highest && nr < X32_FIRST)
		b->highest = nr;
	if (r->n_args > 0) {
		for (size_t i = 0; alternatives && i < r->n_args; i++)
			add_test(b, nr, r->action, &r->args[i], 1);
		if (!alternatives)
			add_test(b, nr, r->action, r->args, r->n_args);
	} else if (!c->constant || stricter(r->action, c->action)) {
		c->constant = true;
		c->action = r->action;
	}
}

static const struct seccomp_name *name_find(const char *name)
{
	uint32_t at = seccomp_name_slot(name);

	for (; seccomp_names[at].text; at = (at + 1) % SECCOMP_NAME_SLOTS)
		if (strcmp(seccomp_name_texts + seccomp_names[at].text, name) == 0)
			return &seccomp_names[at];
	return NULL;
}

/* i386's numbers of sockets and of System V IPC within socketcall(2) and ipc(2). */
static void add_multiplexed(struct builder *b, const char *name, const struct oci_seccomp_rule *r)
{
#define SOCK(n) { .value = (n), .op = OCI_CMP_EQ }
#define IPC(n)	{ .value = 0xffff, .value_two = (n), .op = OCI_CMP_MASKED_EQ } /* above: the interface's version */
	static const struct {
		const char *name;
		int nr;
		struct oci_seccomp_arg arg;
	} calls[] = {
		{ "socket", NR_SOCKETCALL, SOCK(1) },	   { "bind", NR_SOCKETCALL, SOCK(2) },
		{ "connect", NR_SOCKETCALL, SOCK(3) },	   { "listen", NR_SOCKETCALL, SOCK(4) },
		{ "accept", NR_SOCKETCALL, SOCK(5) },	   { "getsockname", NR_SOCKETCALL, SOCK(6) },
		{ "getpeername", NR_SOCKETCALL, SOCK(7) }, { "socketpair", NR_SOCKETCALL, SOCK(8) },
		{ "send", NR_SOCKETCALL, SOCK(9) },	   { "recv", NR_SOCKETCALL, SOCK(10) },
		{ "sendto", NR_SOCKETCALL, SOCK(11) },	   { "recvfrom", NR_SOCKETCALL, SOCK(12) },
		{ "shutdown", NR_SOCKETCALL, SOCK(13) },   { "setsockopt", NR_SOCKETCALL, SOCK(14) },
		{ "getsockopt", NR_SOCKETCALL, SOCK(15) }, { "sendmsg", NR_SOCKETCALL, SOCK(16) },
		{ "recvmsg", NR_SOCKETCALL, SOCK(17) },	   { "accept4", NR_SOCKETCALL, SOCK(18) },
		{ "recvmmsg", NR_SOCKETCALL, SOCK(19) },   { "sendmmsg", NR_SOCKETCALL, SOCK(20) },
		{ "semop", NR_IPC, IPC(1) },	  { "semget", NR_IPC, IPC(2) }, { "semctl", NR_IPC, IPC(3) },
		{ "semtimedop", NR_IPC, IPC(4) }, { "msgsnd", NR_IPC, IPC(11) }, { "msgrcv", NR_IPC, IPC(12) },
		{ "msgget", NR_IPC, IPC(13) },	  { "msgctl", NR_IPC, IPC(14) }, { "shmat", NR_IPC, IPC(21) },
		{ "shmdt", NR_IPC, IPC(22) },	  { "shmget", NR_IPC, IPC(23) }, { "shmctl", NR_IPC, IPC(24) },
	};
#undef SOCK
#undef IPC

	if (r->n_args > 0 || !strchr("abclmrsg", *name))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			add_test(b, calls[i].nr, r->action, &calls[i].arg, 1);
}

static void gather(struct builder *b)
{
	memset(b->calls, 0, sizeof(b->calls));
	b->n_tests = 0;
	b->highest = -1;
	for (size_t i = 0; i < b->profile->n_rules; i++) {
		const struct oci_seccomp_rule *r = &b->profile->rules[i];
		bool alternatives = looks_twice(r);

		strv_foreach(it, r->names) {
			const struct seccomp_name *n = name_find(*it);

			if (b->is_32) {
				add_multiplexed(b, *it, r);
				add_rule(b, n ? n->compat : -1, r, alternatives);
			} else if (n) {
				add_rule(b, n->native, r, alternatives);
				add_rule(b, b->x32 ? n->other : -1, r, alternatives);
			}
		}
	}
}

/* Cuts off the tests that a stricter answer for all arguments leaves no say. */
static struct test *reachable(struct call *c)
{
	for (struct test **t = &c->tests; c->constant && *t; t = &(*t)->next) {
		if (!stricter((*t)->action, c->action)) {
			*t = NULL;
			break;
		}
	}
	return c->tests;
}

static void add_range(struct builder *b, uint32_t start, uint32_t action, const struct test *tests)
{
	const struct range *last = b->n_ranges ? &b->ranges[b->n_ranges - 1] : NULL;

	if (!last || last->tests || tests || last->action != action)
		b->ranges[b->n_ranges++] = (struct range){ start, action, tests };
}

static void find_ranges(struct builder *b)
{
	uint32_t otherwise = b->profile->default_action, beyond = otherwise;
	int end = b->x32 ? X32_END : b->highest + 1;

	if ((otherwise & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && b->highest >= 0)
		beyond = SECCOMP_RET_ERRNO | ENOSYS;
	b->n_ranges = 0;
	for (int nr = 0; nr < end; nr++) {
		struct call *c = &b->calls[nr];

		if (nr > b->highest && nr < X32_FIRST)
			add_range(b, (uint32_t)nr, beyond, NULL);
		else
			add_range(b, (uint32_t)nr, c->constant ? c->action : otherwise, reachable(c));
	}
	add_range(b, (uint32_t)end, beyond, NULL);
}

/* The filter of one architecture, and the comparison that leads there, or to `other`. */
static void put_abi(struct builder *b, uint32_t arch, bool is_32, bool x32, unsigned other)
{
	unsigned start;
	uint32_t beyond;

	b->is_32 = is_32;
	b->x32 = x32;
	gather(b);
	find_ranges(b);
	beyond = b->ranges[b->n_ranges - 1].action;
	if (!is_32 && !x32) {
		add_range(b, X32_BIT, SECCOMP_RET_KILL_PROCESS, NULL);
		/* A tracer that skips a call leaves -1 in its place. */
		add_range(b, UINT32_MAX, beyond, NULL);
	}
	start = put_tree(b, 0, b->n_ranges);
	if (start != b->pos)
		put(b, BPF_JMP | BPF_JA, 0, 0, start - b->pos);
	/* x32's calls are x86_64's under the same numbers, and some of their own above those. */
	if (x32)
		put(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, ~(uint32_t)X32_BIT);
	put(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	start = b->pos;
	other = near(b, other);
	put_jump(b, BPF_JEQ, arch, start, other);
}

/* --- the document's other parts ---------------------------------------------------------------------------------- */

static int find_archs(const struct oci_seccomp *s, bool *compat, bool *x32, struct error *e)
{
	/* No other machine's programs enter this kernel, so that their names need no filter. */
	static const char *const others[] = {
		"ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC", "PPC64", "PPC64LE",
		"S390", "S390X", "PARISC", "PARISC64", "RISCV64", "LOONGARCH64", "M68K", "SH", "SHEB",
	};

	for (size_t i = 0; s->archs && s->archs[i]; i++) {
		const char *name = strncmp(s->archs[i], "SCMP_ARCH_", 10) == 0 ? s->archs[i] + 10 : "";
		bool known = streq(name, "X86_64");

		*compat |= streq(name, "X86");
		*x32 |= streq(name, "X32");
		known |= streq(name, "X86") || streq(name, "X32");
		for (size_t k = 0; !known && k < ARRAY_SIZE(others); k++)
			known = streq(name, others[k]);
		if (!known) {
			_cleanup_free_ char *safe = str_escape(s->archs[i]);

			return error_set(e, EINVAL, "config.json: linux.seccomp.architectures[%zu]: \"%s\" is not known", i,
					 safe);
		}
	}
	return 0;
}

/* The kernel takes an action that it does not know for KILL_PROCESS: better to tell now. */
static int action_check(uint32_t action, uint32_t *checked, const char *where, size_t i, struct error *e)
{
	uint32_t kind = action & SECCOMP_RET_ACTION_FULL;

	if (kind == *checked)
		return 0;
	*checked = kind;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kind) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return error_set(e, ENOSYS, "config.json: linux.seccomp: this kernel has no seccomp filters (%s)", strerror(errno));
	return error_set(e, EOPNOTSUPP, "config.json: linux.seccomp.%s%s%.0zu%s: this kernel does not have action 0x%x", where,
			 i ? "[" : "", i ? i - 1 : 0, i ? "].action" : "", kind);
}

static int actions_check(const struct oci_seccomp *s, struct error *e)
{
	uint32_t checked = SECCOMP_RET_DATA; /* no action */
	int r = action_check(s->default_action, &checked, "defaultAction", 0, e);

	for (size_t i = 0; r == 0 && i < s->n_rules; i++)
		r = action_check(s->rules[i].action, &checked, "syscalls", i + 1, e);
	return r;
}

int seccomp_oci_compile(const struct oci_seccomp *s, struct sock_filter **f, unsigned *n, struct error *e)
{
	bool compat = false, x32 = false;
	_cleanup_free_ struct builder *b = NULL;
	_cleanup_free_ struct test *pool = NULL;
	unsigned end;
	int r = find_archs(s, &compat, &x32, e);

	if (r == 0)
		r = actions_check(s, e);
	if (r < 0)
		return r;
	b = xmalloc(sizeof(*b)); /* not cleared: most of it is never touched */
	pool = xmalloc(INSNS * sizeof(*pool));
	b->profile = s;
	b->pool = pool;
	b->too_long = false;
	b->pos = INSNS;
	memset(b->answers, 0, sizeof(b->answers));
	end = put_answer(b, SECCOMP_RET_KILL_PROCESS);
	if (compat) {
		put_abi(b, AUDIT_ARCH_I386, true, false, end);
		end = b->pos;
	}
	put_abi(b, AUDIT_ARCH_X86_64, false, x32, end);
	put(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	if (b->too_long)
		return error_set(e, E2BIG, "config.json: linux.seccomp: has more rules than fit into the kernel's %d instructions",
				 INSNS);
	*n = INSNS - b->pos;
	*f = xmalloc(*n * sizeof(**f));
	memcpy(*f, b->out + b->pos, *n * sizeof(**f));
	return 0;
}

int seccomp_oci_install(const struct oci_seccomp *s, const struct sock_filter *f, unsigned n, int *notify_fd,
			struct error *e)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = (struct sock_filter *)f };
	unsigned flags = s->flags;
	long r;

	*notify_fd = -1;
	if (s->notifies) {
		/* One thread is all there is; and the kernel gives either a thread's number or a listener. */
		flags = (flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	} else {
		flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; /* nobody receives, and the kernel refuses it */
	}
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0 && errno == EACCES)
		return error_set(e, EACCES, "linux.seccomp: needs process.noNewPrivileges, or CAP_SYS_ADMIN in the container's "
					    "user namespace");
	if (r < 0 && errno == EBUSY)
		return error_set(e, EBUSY, "linux.seccomp: a filter outside has a listener already, and the kernel allows one");
	if (r < 0 && errno == EINVAL)
		return error_set(e, EINVAL, "linux.seccomp.flags: this kernel does not have one of them");
	if (r < 0)
		return error_errno(e, errno, "linux.seccomp");
	if (s->notifies)
		*notify_fd = (int)r;
	return 0;
}
