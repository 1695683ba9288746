// SPDX-License-Identifier: Apache-2.0
/*
 * The seccomp wall: one filter, made from data/seccomp.policy. With nothing lowered it is the array compiled at build
 * time; what a person lowers is compiled on the spot, which takes less time than reading a file would.
 */
#include "confine/seccomp.h"

#include "base/str.h"
#include "confine/seccomp_table.h"

#include <inttypes.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static int seccomp_call(unsigned op, unsigned flags, void *arg)
{
	return (int)syscall(SYS_seccomp, op, flags, arg);
}

/*
 * Flags that are left out on purpose: LOG would write each refused call into the host's log, SPEC_ALLOW would switch off the
 * protection against speculative store bypass on kernels before 5.16. With WAIT_KILLABLE_RECV a signal does not
 * restart a call that the monitor has in hand; older kernels do without.
 */
int seccomp_install(const struct sock_filter *f, unsigned n, int *notify_fd, struct error *e)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = (struct sock_filter *)f };
	unsigned flags = 0;
	int r;

	if (notify_fd)
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	r = seccomp_call(SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0 && errno == EINVAL && notify_fd)
		r = seccomp_call(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	if (r < 0 && errno == EACCES)
		return error_set(e, EACCES, "no_new_privs is not set and CAP_SYS_ADMIN is missing");
	if (r < 0 && errno == EBUSY)
		return error_set(e, EBUSY, "a filter outside this one has a listener already, and the kernel allows one");
	if (r < 0)
		return error_errno(e, errno, "seccomp");
	if (notify_fd)
		*notify_fd = r;
	return 0;
}

/* Filters that were asked for, kept for the life of the process: few, and plans point into them. */
struct built {
	struct built *next;
	uint64_t lowered;
	bool notify;
	unsigned n;
	struct sock_filter f[];
};

const struct sock_filter *seccomp_filter(uint64_t lowered, bool notify, unsigned *n)
{
	static struct built *all;
	static struct sock_filter work[SECCOMP_INSNS_MAX];
	struct built *b;
	int len;

	if (!lowered && notify) {
		*n = seccomp_default_len;
		return seccomp_default;
	}
	for (b = all; b; b = b->next) {
		if (b->lowered == lowered && b->notify == notify) {
			*n = b->n;
			return b->f;
		}
	}
	len = seccomp_compile(&seccomp_policy, lowered, notify, work, SECCOMP_INSNS_MAX);
	if (len < 0)
		return NULL;
	*n = (unsigned)len;
	b = xmalloc(sizeof(*b) + *n * sizeof(work[0]));
	*b = (struct built){ .next = all, .lowered = lowered, .notify = notify, .n = *n };
	memcpy(b->f, work, *n * sizeof(work[0]));
	all = b;
	return b->f;
}

/* The bits of the lowered details, and their names for the note. */
static uint64_t lowered_details(const struct spec *s, struct buf *names)
{
	uint64_t bits = 0;

	for (unsigned i = 0; seccomp_policy.details[i]; i++) {
		if (!spec_lowered(s, "seccomp", seccomp_policy.details[i]))
			continue;
		bits |= UINT64_C(1) << i;
		buf_printf(names, "%s%s (%s)", names->len ? ", " : "", seccomp_policy.details[i],
			   seccomp_policy.detail_texts[i]);
	}
	return bits;
}

/* Counts the calls of the native table that are always allowed and those that depend on arguments. */
static void count_calls(uint64_t lowered, unsigned *allowed, unsigned *by_args)
{
	const struct seccomp_abi *abi = seccomp_policy.native;

	*allowed = *by_args = 0;
	for (unsigned i = 0; i < abi->n_calls; i++) {
		const struct seccomp_line *l = &seccomp_policy.lines[abi->calls[i].first];

		if (abi->calls[i].n > 1)
			++*by_args;
		else if (seccomp_line_action(l, lowered, true) == SECCOMP_RET_ALLOW)
			++*allowed;
	}
}

static int plan(const struct spec *s, struct plan *p, struct error *e)
{
	uint32_t notif = SECCOMP_RET_USER_NOTIF;
	bool whole = spec_lowered(s, "seccomp", NULL);
	_cleanup_buf_ struct buf names = { 0 };
	unsigned allowed, by_args;
	uint64_t lowered, print;

	p->seccomp = (struct seccomp_plan){ 0 };
	if (seccomp_call(SECCOMP_GET_ACTION_AVAIL, 0, &notif) < 0) {
		if (!whole)
			return error_set(e, ENOSYS, "this kernel has no seccomp with user notification "
						    "(Linux 5.0); --lower seccomp starts without it");
		wall_not_up(p, WALL_SECCOMP, INTENT_ABSENT, "the kernel has no seccomp with user notification", "no filter");
		return 0;
	}
	if (whole) {
		wall_not_up(p, WALL_SECCOMP, INTENT_LOWERED, "every system call reaches the kernel", "no filter");
		return 0;
	}
	lowered = lowered_details(s, &names);
	p->seccomp.notify = true;
	p->seccomp.bpf = seccomp_filter(lowered, true, &p->seccomp.n);
	if (!p->seccomp.bpf)
		return error_set(e, E2BIG, "the filter is too long");
	count_calls(lowered, &allowed, &by_args);
	print = seccomp_fingerprint(p->seccomp.bpf, p->seccomp.n);
	if (!lowered)
		wall_up(p, WALL_SECCOMP,
			"%s only: %u of %u calls allowed, %u by their arguments, others refused, rare ones reported; "
			"filter %016" PRIx64 ", %u instructions",
			seccomp_policy.native->name, allowed, seccomp_policy.native->n_calls, by_args, print,
			p->seccomp.n);
	else
		wall_not_up(p, WALL_SECCOMP, INTENT_LOWERED, names.data,
			    "%u of %u calls allowed, %u by their arguments; filter %016" PRIx64 ", %u instructions",
			    allowed, seccomp_policy.native->n_calls, by_args, print, p->seccomp.n);
	return 0;
}

static int raise_wall(struct launch *l, struct error *e)
{
	const struct seccomp_plan *sp = &l->plan->seccomp;

	return sp->n > 0 ? seccomp_install(sp->bpf, sp->n, sp->notify ? &l->notify_fd : NULL, e) : 0;
}

static void prove(const struct plan *p, const struct subject *s, struct evidence *ev)
{
	char mode[16], count[16] = "?";
	bool filtered;

	if (subject_status(s, "Seccomp", mode, sizeof(mode)) < 0) {
		evidence_add(ev, VERDICT_UNKNOWN, "no Seccomp line in /proc/%d/status", (int)s->pid);
		evidence_why(ev, "the process is gone, or the kernel has no seccomp");
		return;
	}
	subject_status(s, "Seccomp_filters", count, sizeof(count)); /* since 5.9 */
	filtered = streq(mode, "2") && !streq(count, "0");
	evidence_add(ev, VERDICT_STANDS, "Seccomp: %s (%s), Seccomp_filters: %s", mode,
		     streq(mode, "0") ? "none" : streq(mode, "1") ? "strict" : "filter", count);
	if (!p) {
		if (streq(mode, "0")) {
			evidence_add(ev, VERDICT_DOWN, "no filter");
			evidence_why(ev, "every system call reaches the kernel");
		} else {
			evidence_add(ev, VERDICT_STANDS, "content not readable");
		}
		return;
	}
	if (p->seccomp.n == 0 && p->wall[WALL_SECCOMP].intent != INTENT_UP) {
		evidence_settle(ev, p, WALL_SECCOMP);
		return;
	}
	if (!filtered) {
		evidence_add(ev, VERDICT_DOWN, "planned: a filter");
		evidence_why(ev, "the process runs without the planned filter");
		return;
	}
	evidence_add(ev, VERDICT_STANDS, "planned filter %016" PRIx64,
		     seccomp_fingerprint(p->seccomp.bpf, p->seccomp.n));
	evidence_settle(ev, p, WALL_SECCOMP);
}

const struct wall wall_seccomp = {
	.on_exec = true,
	.id = WALL_SECCOMP,
	.name = "seccomp",
	.what = "system calls: an allow list for one architecture; rare and suspicious calls are reported",
	.details = seccomp_details,
	.texts = seccomp_detail_texts,
	.can_lower = true,
	.plan = plan,
	.raise = raise_wall,
	.prove = prove,
};
