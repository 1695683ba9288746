/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "confine/seccomp_oci.h"
#include "seccomp_model.c"

#define X86_64 AUDIT_ARCH_X86_64
#define I386   AUDIT_ARCH_I386

struct filter {
	struct oci_seccomp profile;
	struct sock_filter *f;
	unsigned n;
};

static uint64_t seed = 0x2545f4914f6cdd1du;
static uint64_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int setup(void **state)
{
	const char *source = getenv("BRIG_SOURCE");
	_cleanup_free_ char *data = xasprintf("%s/data", source ? source : ".");

	(void)state;
	model_load(data);
	return 0;
}

static void drop(struct filter *x)
{
	free(x->f);
	oci_seccomp_free(&x->profile);
	memset(x, 0, sizeof(*x));
}

/* Single quotes stand for double ones. */
static int make(const char *text, struct filter *x, struct error *e)
{
	_cleanup_free_ char *json = xstrdup(text), *numbers = NULL;
	_cleanup_json_ json_t *j = NULL;
	int r;

	memset(x, 0, sizeof(*x));
	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	j = json_parse(json, strlen(json), "profile", e);
	assert_non_null(j);
	r = oci_seccomp_parse(j, "linux.seccomp", &x->profile, e);
	return r < 0 ? r : seccomp_oci_compile(&x->profile, &x->f, &x->n, e);
}

static struct filter filter(const char *text)
{
	struct error e = { 0 };
	struct filter x;

	if (make(text, &x, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return x;
}

static uint32_t ask(const struct filter *x, uint32_t arch, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_data d = { .nr = nr, .arch = arch, .args = { a0, a1, a2 } };

	return model_run(x->f, x->n, &d, NULL);
}

/* --- a second reading of profiles, which shares nothing with the compiler ------------------------------------------ */

static bool condition_holds(const struct oci_seccomp_arg *a, const struct seccomp_data *d)
{
	uint64_t all = d->arch == I386 ? UINT32_MAX : UINT64_MAX, v = d->args[a->index] & all, w = a->value & all;

	switch (a->op) {
	case OCI_CMP_NE:
		return v != w;
	case OCI_CMP_LT:
		return v < w;
	case OCI_CMP_LE:
		return v <= w;
	case OCI_CMP_EQ:
		return v == w;
	case OCI_CMP_GE:
		return v >= w;
	case OCI_CMP_GT:
		return v > w;
	default:
		return (v & w) == (a->value_two & w);
	}
}

static bool rule_holds(const struct oci_seccomp_rule *r, const struct seccomp_data *d)
{
	unsigned seen = 0, held = 0;
	bool twice = false;

	for (size_t i = 0; i < r->n_args; i++) {
		twice |= seen >> r->args[i].index & 1;
		seen |= 1u << r->args[i].index;
		held += condition_holds(&r->args[i], d);
	}
	return twice ? held > 0 : held == r->n_args;
}

static int strictness(uint32_t action)
{
	static const uint32_t order[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
					  SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE,
					  SECCOMP_RET_LOG, SECCOMP_RET_ALLOW };

	for (int i = 0; i < (int)ARRAY_SIZE(order); i++)
		if ((action & SECCOMP_RET_ACTION_FULL) == order[i])
			return i;
	fail_msg("no action: %x", action);
	return -1;
}

static int number_of(uint32_t arch, const char *name)
{
	for (int nr = 0; nr < 600; nr++) {
		const char *it = model_name(arch, nr);

		if (it && streq(it, name))
			return nr;
	}
	return -1;
}

static uint32_t naive(const struct oci_seccomp *s, const struct seccomp_data *d)
{
	const char *name = model_name(d->arch, d->nr);
	const struct oci_seccomp_rule *best = NULL;
	int highest = -1;

	if (d->arch == X86_64 && (uint32_t)d->nr >= 0x40000000 && d->nr != -1)
		return SECCOMP_RET_KILL_PROCESS; /* x32, which these profiles do not list */
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct oci_seccomp_rule *r = &s->rules[i];

		strv_foreach(it, r->names) {
			int nr = number_of(d->arch, *it);

			highest = nr > highest ? nr : highest;
			if (name && streq(*it, name) && rule_holds(r, d) &&
			    (!best || 2 * strictness(r->action) + (r->n_args > 0) <
					      2 * strictness(best->action) + (best->n_args > 0)))
				best = r;
		}
	}
	if (best)
		return best->action;
	if (highest >= 0 && (uint32_t)d->nr > (uint32_t)highest &&
	    (s->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return s->default_action;
}

static const uint32_t some_actions[] = {
	SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO | 1, SECCOMP_RET_ERRNO | 38,
	SECCOMP_RET_ERRNO | 7,	  SECCOMP_RET_TRACE | 9,   SECCOMP_RET_LOG,  SECCOMP_RET_ALLOW,	    SECCOMP_RET_ALLOW,
};

static uint64_t some_value(void)
{
	static const uint64_t seeds[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x1ffffffff,
					  0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX, 0x7e020000, 0xffff };
	uint64_t v = seeds[roll() % ARRAY_SIZE(seeds)];

	switch (roll() % 4) {
	case 0:
		return v + roll() % 3 - 1;
	case 1:
		return roll();
	case 2:
		return v ^ UINT64_C(1) << roll() % 64;
	default:
		return v;
	}
}

/* Names of sockets and System V IPC are left to a test of their own. */
static const char *const some_names[] = { "read", "openat", "clone", "personality", "ioctl", "prctl", "fcntl", "keyctl",
					  "unshare", "mseal", "bpf", "no_such_call", "arch_prctl", "mmap2", "_llseek" };

static void random_profile(struct oci_seccomp *s)
{
	static const char *const archs[] = { "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64", NULL };

	memset(s, 0, sizeof(*s));
	s->set = true;
	s->default_action = some_actions[roll() % ARRAY_SIZE(some_actions)];
	s->archs = xcalloc(3, sizeof(char *));
	s->archs[0] = xstrdup(archs[0]);
	s->archs[1] = xstrdup(archs[1]);
	s->n_rules = roll() % 12;
	s->rules = xcalloc(s->n_rules + 1, sizeof(*s->rules));
	for (size_t i = 0; i < s->n_rules; i++) {
		struct oci_seccomp_rule *r = &s->rules[i];
		size_t names = 1 + roll() % 3;

		r->names = xcalloc(names + 1, sizeof(char *));
		for (size_t k = 0; k < names; k++)
			r->names[k] = xstrdup(some_names[roll() % ARRAY_SIZE(some_names)]);
		r->action = some_actions[roll() % ARRAY_SIZE(some_actions)];
		r->n_args = roll() % 2 ? roll() % 5 : 0;
		r->args = xcalloc(r->n_args + 1, sizeof(*r->args));
		for (size_t k = 0; k < r->n_args; k++)
			r->args[k] = (struct oci_seccomp_arg){ .index = roll() % (roll() % 3 ? 6 : 2), .value = some_value(),
							       .value_two = some_value(), .op = 1 + roll() % 7 };
	}
}

/* A call that some rule is about, with arguments near what it compares with. */
static struct seccomp_data random_call(const struct oci_seccomp *s)
{
	struct seccomp_data d = { .arch = roll() % 2 ? X86_64 : I386, .nr = (int)(roll() % 500) - 2 };
	uint64_t all = d.arch == I386 ? UINT32_MAX : UINT64_MAX;

	for (int i = 0; i < 6; i++)
		d.args[i] = some_value() & all;
	if (s->n_rules && roll() % 8) {
		const struct oci_seccomp_rule *r = &s->rules[roll() % s->n_rules];

		d.nr = number_of(d.arch, r->names[roll() % strv_len(r->names)]);
		for (size_t k = 0; k < r->n_args; k++) {
			const struct oci_seccomp_arg *a = &r->args[k];
			uint64_t v = a->op == OCI_CMP_MASKED_EQ ? (a->value_two & a->value) | (roll() & ~a->value) : a->value;

			if (roll() % 4)
				d.args[a->index] = (v + (roll() % 3 ? 0 : roll() % 3 - 1)) & all;
		}
	}
	return d;
}

static void random_profiles_mean_what_they_say(void **state)
{
	unsigned answers[8] = { 0 };

	(void)state;
	for (unsigned round = 0; round < 1500; round++) {
		struct filter x = { 0 };
		struct error e = { 0 };

		random_profile(&x.profile);
		if (seccomp_oci_compile(&x.profile, &x.f, &x.n, &e) < 0)
			fail_msg("%s", e.text);
		for (unsigned i = 0; i < 200; i++) {
			struct seccomp_data d = random_call(&x.profile);
			uint32_t found = model_run(x.f, x.n, &d, NULL), wanted = naive(&x.profile, &d);

			answers[strictness(found)]++;
			if (found != wanted)
				fail_msg("profile %u arch %x call %d: filter 0x%x, document 0x%x", round, d.arch, d.nr,
					 found, wanted);
		}
		drop(&x);
	}
	/* the positive control: no answer was left out (nothing notifies here) */
	for (int i = 0; i < 8; i++)
		assert_true(answers[i] > 1000 || i == strictness(SECCOMP_RET_USER_NOTIF));
}

/* --- libseccomp as a third reading --------------------------------------------------------------------------------- */

static struct sock_filter *libseccomp_filter(const struct oci_seccomp *s, unsigned *n)
{
	scmp_filter_ctx ctx = seccomp_init(s->default_action == (SECCOMP_RET_ERRNO | 1) ? SCMP_ACT_ERRNO(1) : SCMP_ACT_KILL);
	int fd = memfd_create("bpf", MFD_CLOEXEC);
	struct sock_filter *f;
	off_t size;

	assert_non_null(ctx);
	assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_X86), 0);
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct oci_seccomp_rule *r = &s->rules[i];
		struct scmp_arg_cmp args[6];

		for (size_t k = 0; k < r->n_args; k++)
			args[k] = (struct scmp_arg_cmp){ r->args[k].index, (enum scmp_compare)r->args[k].op, r->args[k].value,
							 r->args[k].value_two };
		strv_foreach(it, r->names) {
			int nr = seccomp_syscall_resolve_name(*it);

			if (nr != __NR_SCMP_ERROR && r->action != s->default_action)
				assert_int_equal(seccomp_rule_add_array(ctx, r->action, nr, (unsigned)r->n_args, args), 0);
		}
	}
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	size = lseek(fd, 0, SEEK_END);
	f = test_malloc((size_t)size);
	assert_int_equal(pread(fd, f, (size_t)size, 0), size);
	close(fd);
	*n = (unsigned)((size_t)size / sizeof(*f));
	return f;
}

/* In the shape of the profiles that docker and podman ship. */
static const char engine_profile[] =
	"{'defaultAction': 'SCMP_ACT_ERRNO', 'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], 'syscalls': ["
	"{'names': ['accept', 'accept4', 'access', 'bind', 'brk', 'capset', 'chdir', 'close', 'connect', 'dup', 'epoll_pwait',"
	" 'execve', 'exit', 'exit_group', 'fcntl', 'fork', 'futex', 'getpid', 'ioctl', 'ipc', 'listen', 'lseek', '_llseek', 'mmap',"
	" 'mmap2', 'openat', 'pipe2', 'poll', 'prctl', 'read', 'readv', 'recvmsg', 'rt_sigaction', 'sendmsg', 'setgroups',"
	" 'setresuid', 'shmat', 'socketcall', 'stat', 'stat64', 'time', 'waitpid', 'wait4', 'write', 'writev', 'memfd_secret'],"
	" 'action': 'SCMP_ACT_ALLOW'},"
	"{'names': ['personality'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 0, 'op': 'SCMP_CMP_EQ'}]},"
	"{'names': ['personality'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 8, 'op': 'SCMP_CMP_EQ'}]},"
	"{'names': ['personality'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 4294967295, 'op': 'SCMP_CMP_EQ'}]},"
	"{'names': ['clone'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 2114060288, 'valueTwo': 0, 'op':"
	" 'SCMP_CMP_MASKED_EQ'}]},"
	"{'names': ['clone3'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 38},"
	"{'names': ['socket'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 22, 'args': [{'index': 0, 'value': 16, 'op': 'SCMP_CMP_EQ'},"
	" {'index': 2, 'value': 9, 'op': 'SCMP_CMP_EQ'}]},"
	"{'names': ['socket'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 2, 'value': 9, 'op': 'SCMP_CMP_NE'}]},"
	"{'names': ['socket'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 16, 'op': 'SCMP_CMP_NE'}]},"
	"{'names': ['setrlimit'], 'action': 'SCMP_ACT_TRAP', 'args': [{'index': 0, 'value': 7, 'op': 'SCMP_CMP_GE'}]},"
	"{'names': ['setrlimit'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 7, 'op': 'SCMP_CMP_LT'}]},"
	"{'names': ['getpriority'], 'action': 'SCMP_ACT_LOG', 'args': [{'index': 0, 'value': 4294967296, 'op': 'SCMP_CMP_GT'}]},"
	"{'names': ['getpriority'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 4294967296, 'op': 'SCMP_CMP_LE'}]}"
	"]}";

static void libseccomp_agrees(void **state)
{
	struct filter x = filter(engine_profile);
	unsigned n, compared = 0, allowed = 0;
	struct sock_filter *f = libseccomp_filter(&x.profile, &n);
	unsigned char *covered = test_calloc(x.n, 1);
	static const uint64_t values[] = { 0, 8, 9, 16, 7, 6, 0xffffffff, 0x7e020000, 0x10000000, 0x100000000, 0x100000001,
					   0x100000010, UINT64_MAX };

	(void)state;
	print_message("%u instructions, libseccomp's %u\n", x.n, n);
	for (int nr = 0; nr < 512; nr++) {
		for (unsigned i = 0; i < 600; i++) {
			struct seccomp_data d = { .arch = i % 2 ? X86_64 : I386, .nr = nr };
			uint32_t mine, theirs;

			for (int k = 0; k < 3; k++) {
				d.args[k] = values[roll() % ARRAY_SIZE(values)];
				d.args[k] &= d.arch == I386 ? UINT32_MAX : UINT64_MAX;
			}
			mine = model_run(x.f, x.n, &d, covered);
			theirs = model_run(f, n, &d, NULL);
			compared++;
			allowed += mine == SECCOMP_RET_ALLOW;
			/* the one difference on purpose: calls newer than the profile */
			if (mine == (SECCOMP_RET_ERRNO | ENOSYS) && theirs == (SECCOMP_RET_ERRNO | EPERM) &&
			    nr > number_of(d.arch, "memfd_secret"))
				continue;
			if (mine != theirs)
				fail_msg("arch %x call %d (%llx, %llx, %llx): 0x%x, libseccomp 0x%x", d.arch, nr,
					 (unsigned long long)d.args[0], (unsigned long long)d.args[1],
					 (unsigned long long)d.args[2], mine, theirs);
		}
	}
	assert_true(allowed > compared / 50 && allowed < compared / 2);
	for (uint32_t arch = 0; arch < 3; arch++) {
		struct seccomp_data d = { .arch = arch == 2 ? X86_64 : arch, .nr = arch == 2 ? 0x40000001 : 0 };

		assert_int_equal(model_run(x.f, x.n, &d, covered), SECCOMP_RET_KILL_PROCESS);
	}
	for (int nr = 512; nr < 600; nr++) {
		struct seccomp_data d = { .arch = X86_64, .nr = nr };

		assert_int_equal(model_run(x.f, x.n, &d, covered), SECCOMP_RET_ERRNO | ENOSYS);
	}
	for (unsigned i = 0; i < x.n; i++)
		if (!covered[i])
			fail_msg("instruction %u of %u never ran: code 0x%x, k 0x%x", i, x.n, x.f[i].code, x.f[i].k);
	test_free(covered);
	test_free(f);
	drop(&x);
}

/* --- single properties --------------------------------------------------------------------------------------------- */

static void strictest_rule_wins(void **state)
{
	struct filter x = filter("{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': ["
				 "{'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'args': [{'index': 0, 'value': 5, 'op': 'SCMP_CMP_EQ'}]},"
				 "{'names': ['read'], 'action': 'SCMP_ACT_ALLOW'},"
				 "{'names': ['write'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 7},"
				 "{'names': ['write'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 8},"
				 "{'names': ['write'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 1, 'op': 'SCMP_CMP_EQ'}]}]}");

	(void)state;
	assert_int_equal(ask(&x, X86_64, SYS_read, 5, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&x, X86_64, SYS_read, 6, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, X86_64, SYS_write, 1, 0, 0), SECCOMP_RET_ERRNO | 7);
	assert_int_equal(ask(&x, X86_64, SYS_write, 2, 0, 0), SECCOMP_RET_ERRNO | 7);
	assert_int_equal(ask(&x, X86_64, 5000, 0, 0, 0), SECCOMP_RET_ALLOW);
	drop(&x);
}

static void unlisted_entries_kill(void **state)
{
	struct filter x = filter("{'defaultAction': 'SCMP_ACT_ALLOW'}");

	(void)state;
	assert_int_equal(ask(&x, X86_64, SYS_read, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, X86_64, -1, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, I386, 3, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	for (int nr = 0; nr < 600; nr++)
		assert_int_equal(ask(&x, X86_64, 0x40000000 | nr, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	drop(&x);
	/* a foreign architecture's name opens nothing */
	x = filter("{'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_AARCH64']}");
	assert_int_equal(ask(&x, X86_64, SYS_read, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, AUDIT_ARCH_AARCH64, SYS_read, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	drop(&x);
}

static void x32_has_its_own_numbers(void **state)
{
	struct filter x = filter("{'defaultAction': 'SCMP_ACT_ERRNO', 'architectures': ['SCMP_ARCH_X32'], 'syscalls': ["
				 "{'names': ['read', 'readv'], 'action': 'SCMP_ACT_ALLOW'}]}");

	(void)state;
	assert_int_equal(ask(&x, X86_64, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, X86_64, 0x40000000, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, X86_64, 0x40000000 | 515, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, X86_64, 0x40000000 | 516, 0, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&x, X86_64, 0x40000000 | 1, 0, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&x, X86_64, 400, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	drop(&x);
}

/* What i386's programs reach through two doors is open at both, and shut at both. */
static void socketcall_follows_the_calls(void **state)
{
	struct filter x = filter("{'defaultAction': 'SCMP_ACT_ERRNO', 'architectures': ['SCMP_ARCH_X86'], 'syscalls': ["
				 "{'names': ['connect', 'shmat'], 'action': 'SCMP_ACT_ALLOW'},"
				 "{'names': ['bind'], 'action': 'SCMP_ACT_KILL_PROCESS'},"
				 "{'names': ['socket'], 'action': 'SCMP_ACT_ALLOW', 'args': [{'index': 0, 'value': 1, 'op': 'SCMP_CMP_EQ'}]}]}");

	(void)state;
	assert_int_equal(ask(&x, I386, 102, 3, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, I386, 102, 2, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&x, I386, 102, 4, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&x, I386, 102, 1, 0, 0), SECCOMP_RET_ERRNO | EPERM); /* the family is in memory */
	assert_int_equal(ask(&x, I386, 359, 1, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, I386, 359, 2, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&x, I386, 117, 21, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, I386, 117, 0x10015, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&x, I386, 117, 22, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	drop(&x);
}

static void expect_error(const char *text, const char *part)
{
	struct error e = { 0 };
	struct filter x;

	if (make(text, &x, &e) == 0)
		fail_msg("accepted: %s", text);
	if (!strstr(e.text, part))
		fail_msg("\"%s\" does not say \"%s\"", e.text, part);
	drop(&x);
}

static void bad_profiles_are_named(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	(void)state;
	expect_error("{'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_X86', 'SCMP_ARCH_VAX']}",
		     "linux.seccomp.architectures[1]: \"SCMP_ARCH_VAX\"");
	expect_error("{'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['x86']}", "linux.seccomp.architectures[0]");
	buf_puts(&b, "{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [");
	for (int i = 0; i < 3000; i++)
		buf_printf(&b, "%s{'names': ['read'], 'action': 'SCMP_ACT_ERRNO', 'args': [{'index': 0, 'value': %d, 'op': "
			       "'SCMP_CMP_EQ'}]}", i ? "," : "", i);
	buf_puts(&b, "]}");
	expect_error(b.data, "linux.seccomp: has more rules than fit");
}

/* --- the kernel's word --------------------------------------------------------------------------------------------- */

static int trapped;
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	trapped = info->si_syscall;
}

static void *thread_killed(void *arg)
{
	syscall(SYS_sync_file_range, -1, 0, 0, 0);
	*(int *)arg = 1;
	return NULL;
}

static void in_child(const struct filter *x)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	struct error e = { 0 };
	pthread_t t;
	int fd, lived = 0;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sigaction(SIGSYS, &sa, NULL);
	if (seccomp_oci_install(&x->profile, x->f, x->n, &fd, &e) < 0 || fd != -1)
		_exit(10);
	if (syscall(SYS_getppid) <= 1) /* logged and done */
		_exit(11);
	if (syscall(SYS_getpgid, 0) != -1 || errno != ENOTTY)
		_exit(12);
	if (syscall(SYS_getsid, 0) != -1 || errno != ENOSYS) /* traced, and there is no tracer */
		_exit(13);
	syscall(SYS_getpriority, 0, 0);
	if (trapped != SYS_getpriority)
		_exit(14);
	if (syscall(SYS_fsync, -1) != -1 || errno != EBADF || syscall(SYS_fsync, 77777) != -1 || errno != EXDEV)
		_exit(15);
	if (syscall(SYS_fsync, 0x100000000 | 77777) != -1 || errno != EBADF)
		_exit(16);
	if (pthread_create(&t, NULL, thread_killed, &lived) == 0) {
		usleep(100000);
		if (lived)
			_exit(17);
	}
	syscall(SYS_acct, NULL);
	_exit(18);
}

static void the_kernel_obeys(void **state)
{
	struct filter x = filter(
		"{'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW',"
		" 'SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'], 'syscalls': ["
		"{'names': ['getppid'], 'action': 'SCMP_ACT_LOG'},"
		"{'names': ['getpgid'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 25},"
		"{'names': ['getsid'], 'action': 'SCMP_ACT_TRACE', 'errnoRet': 1},"
		"{'names': ['getpriority'], 'action': 'SCMP_ACT_TRAP'},"
		"{'names': ['fsync'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 18, 'args': [{'index': 0, 'value': 77777, 'op':"
		" 'SCMP_CMP_EQ'}]},"
		"{'names': ['sync_file_range'], 'action': 'SCMP_ACT_KILL_THREAD'},"
		"{'names': ['acct'], 'action': 'SCMP_ACT_KILL_PROCESS'}]}");
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		in_child(&x);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		fail_msg("the child ended with %d", WEXITSTATUS(status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	drop(&x);
}

static void a_listener_answers(void **state)
{
	struct filter x = filter("{'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '/run/agent', 'flags': "
				 "['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],"
				 "'syscalls': [{'names': ['getpgid'], 'action': 'SCMP_ACT_NOTIFY'}]}");
	struct seccomp_notif *got = calloc(1, 4096);
	struct seccomp_notif_resp answer = { .val = 4711 };
	int *fd = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
	int mine, pidfd;
	pid_t pid;

	(void)state;
	*fd = -1;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct error e = { 0 };
		int listener = -1;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_oci_install(&x.profile, x.f, x.n, &listener, &e) < 0 || listener < 0 ||
		    !(fcntl(listener, F_GETFD) & FD_CLOEXEC))
			_exit(10);
		__atomic_store_n(fd, listener, __ATOMIC_SEQ_CST);
		_exit(syscall(SYS_getpgid, 0) == 4711 ? 0 : 11);
	}
	for (int i = 0; i < 500 && __atomic_load_n(fd, __ATOMIC_SEQ_CST) < 0; i++)
		usleep(10000);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	mine = (int)syscall(SYS_pidfd_getfd, pidfd, *fd, 0);
	if (mine >= 0) {
		assert_int_equal(ioctl(mine, SECCOMP_IOCTL_NOTIF_RECV, got), 0);
		assert_int_equal(got->data.nr, SYS_getpgid);
		assert_int_equal(got->pid, pid);
		answer.id = got->id;
		assert_int_equal(ioctl(mine, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
	} else {
		kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(mine >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(pidfd);
	close(mine);
	munmap(fd, 4096);
	free(got);
	drop(&x);
}

/* Without no_new_privs and without rights, the reason is told. */
static void rights_are_named(void **state)
{
	struct filter x = filter("{'defaultAction': 'SCMP_ACT_ALLOW'}");
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct error e = { 0 };
		int fd;

		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(9);
		if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
			_exit(0);
		_exit(seccomp_oci_install(&x.profile, x.f, x.n, &fd, &e) == -EACCES &&
				      strstr(e.text, "noNewPrivileges") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	drop(&x);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_profiles_mean_what_they_say), cmocka_unit_test(libseccomp_agrees),
		cmocka_unit_test(strictest_rule_wins),	    cmocka_unit_test(unlisted_entries_kill),
		cmocka_unit_test(x32_has_its_own_numbers),  cmocka_unit_test(socketcall_follows_the_calls),
		cmocka_unit_test(bad_profiles_are_named),   cmocka_unit_test(the_kernel_obeys),
		cmocka_unit_test(a_listener_answers),	    cmocka_unit_test(rights_are_named),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
