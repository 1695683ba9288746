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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/notify.h"
#include "confine/seccomp.h"
#include "confine/seccomp_table.h"
#include "seccomp_model.c"

#define ABSENT	(SECCOMP_RET_ERRNO | ENOSYS)
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

/* A small generator with a fixed seed: the same inputs on every run. */
static uint64_t seed = 0x9e3779b97f4a7c15u;
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

/* An argument near what the policy looks at, with noise in the half that the kernel does not look at. */
static uint64_t argument(void)
{
	uint64_t low = roll() % 4 ? model_values[roll() % model_n_values] : roll() & 0xffffffff;

	switch (roll() % 8) {
	case 0:
		low ^= 1u << roll() % 32;
		break;
	case 1:
		low = roll() % 64;
		break;
	case 2:
		low |= model_values[roll() % model_n_values];
		break;
	}
	return (low & 0xffffffff) | (roll() % 2 ? roll() << 32 : 0);
}

static const struct seccomp_call *call_of(uint32_t arch, int nr)
{
	const struct seccomp_abi *abi = arch == AUDIT_ARCH_X86_64 ? seccomp_policy.native : seccomp_policy.compat;

	for (unsigned i = 0; i < abi->n_calls; i++)
		if (abi->calls[i].nr == nr)
			return &abi->calls[i];
	return NULL;
}

/* Random arguments, most of them fitting one of the call's lines: the tables serve to choose inputs, never to judge. */
static void choose(struct seccomp_data *d)
{
	const struct seccomp_call *c = call_of(d->arch, d->nr);
	const struct seccomp_line *l;

	for (int k = 0; k < 6; k++)
		d->args[k] = argument();
	if (!c || roll() % 4 == 0)
		return;
	l = &seccomp_policy.lines[c->first + roll() % c->n];
	for (unsigned i = 0; i < l->n; i++) {
		const struct seccomp_cond *cond = &l->cond[i];
		uint32_t low = (uint32_t)argument() & ~cond->mask;

		low |= cond->n ? cond->value[roll() % cond->n] : cond->mask & (uint32_t)roll();
		d->args[cond->arg] = low | (roll() % 2 ? roll() << 32 : 0);
	}
}

static void compare(const struct sock_filter *f, unsigned n, const struct seccomp_data *d, const char *const *lowered,
		    bool notify, unsigned char *covered)
{
	uint32_t found = model_run(f, n, d, covered), wanted = model_decide(d, lowered, notify);

	if (found != wanted)
		fail_msg("arch %x call %d (%llx, %llx, %llx, %llx, %llx): filter 0x%x, policy 0x%x", d->arch, d->nr,
			 (unsigned long long)d->args[0], (unsigned long long)d->args[1],
			 (unsigned long long)d->args[2], (unsigned long long)d->args[3],
			 (unsigned long long)d->args[4], found, wanted);
}

/* Compares filter and policy over all numbers, more often where arguments decide. */
static void compare_all(const struct sock_filter *f, unsigned n, const char *const *lowered, bool notify,
			unsigned rounds, unsigned char *covered)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };
	struct seccomp_data d = { 0 };

	for (size_t a = 0; a < ARRAY_SIZE(archs); a++) {
		for (d.nr = -2; d.nr < 600; d.nr++) {
			d.arch = archs[a];
			for (unsigned i = 0; i < (model_conditional(d.arch, d.nr) ? rounds : 2); i++) {
				choose(&d);
				compare(f, n, &d, lowered, notify, covered);
			}
		}
	}
	for (unsigned i = 0; i < rounds; i++) {
		d.arch = roll() % 4 ? archs[roll() % 2] : (uint32_t)roll();
		d.nr = (int)roll();
		compare(f, n, &d, lowered, notify, covered);
	}
}

static void assert_covered(const struct sock_filter *f, unsigned n, const unsigned char *covered, const char *which)
{
	for (unsigned i = 0; i < n; i++)
		if (!covered[i])
			fail_msg("%s: instruction %u of %u never ran: code 0x%x, k 0x%x", which, i, n, f[i].code,
				 f[i].k);
}

/* The filter that is built in is the policy, and each of its instructions serves something. */
static void default_is_the_policy(void **state)
{
	unsigned char *covered = test_calloc(seccomp_default_len, 1);

	(void)state;
	assert_in_range(seccomp_default_len, 50, 1000);
	compare_all(seccomp_default, seccomp_default_len, NULL, true, 4000, covered);
	assert_covered(seccomp_default, seccomp_default_len, covered, "default");
	test_free(covered);
}

/* Each detail alone, and all together: as the policy says, and never narrower than the default. */
static void details_are_the_policy(void **state)
{
	const char *const *details = seccomp_policy.details;
	uint64_t all = 0;

	(void)state;
	for (unsigned i = 0; details[i]; i++) {
		const char *lowered[] = { details[i], NULL };
		unsigned n, opened = 0;
		const struct sock_filter *f = seccomp_filter(UINT64_C(1) << i, true, &n);
		unsigned char *covered = test_calloc(n, 1);

		all |= UINT64_C(1) << i;
		assert_non_null(f);
		compare_all(f, n, lowered, true, 400, covered);
		assert_covered(f, n, covered, details[i]);
		test_free(covered);
		for (unsigned k = 0; k < 20000; k++) {
			struct seccomp_data d = { .nr = (int)(roll() % 480), .arch = AUDIT_ARCH_X86_64 };
			uint32_t before, after;

			d.arch = roll() % 4 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386;
			choose(&d);
			before = model_run(seccomp_default, seccomp_default_len, &d, NULL);
			after = model_run(f, n, &d, NULL);
			if (before == after)
				continue;
			opened++;
			if (d.arch == AUDIT_ARCH_X86_64)
				assert_int_equal(after, SECCOMP_RET_ALLOW);
		}
		if (opened == 0)
			fail_msg("--lower seccomp=%s opens nothing", details[i]);
	}
	{
		unsigned n;
		const struct sock_filter *f = seccomp_filter(all, true, &n);
		unsigned char *covered = test_calloc(n, 1);

		compare_all(f, n, details, true, 1000, covered);
		assert_covered(f, n, covered, "all lowered");
		test_free(covered);
	}
}

/* Without a monitor nothing waits for one. */
static void unwatched_reports_nothing(void **state)
{
	unsigned n;
	const struct sock_filter *f = seccomp_filter(0, false, &n);

	(void)state;
	compare_all(f, n, NULL, false, 500, NULL);
	for (unsigned i = 0; i < n; i++)
		assert_false(f[i].code == (BPF_RET | BPF_K) && f[i].k == SECCOMP_RET_USER_NOTIF);
}

static uint32_t ask(uint32_t arch, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_data d = { .nr = nr, .arch = arch, .args = { a0, a1, a2 } };

	return model_run(seccomp_default, seccomp_default_len, &d, NULL);
}

/* What must hold whatever the policy's text says. */
static void walls_that_do_not_move(void **state)
{
	static const uint32_t foreign[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_AARCH64, 0 };
	const uint32_t x = AUDIT_ARCH_X86_64;

	(void)state;
	for (int nr = -1; nr < 2000; nr++)
		for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
			assert_int_equal(ask(foreign[i], nr, roll(), roll(), roll()), SECCOMP_RET_KILL_PROCESS);
	/* x32 numbers, numbers beyond the table, and the number that tracers use for "none" */
	for (int nr = 0; nr < 1024; nr++)
		assert_int_equal(ask(x, 0x40000000 | nr, 0, 0, 0), ABSENT);
	for (int nr = 471; nr < 100000; nr++)
		assert_int_equal(ask(x, nr, 0, 0, 0), ABSENT);
	assert_int_equal(ask(x, -1, 0, 0, 0), ABSENT);
	assert_int_equal(ask(x, 435 /* clone3 */, 0, 0, 0), ABSENT);
	/* bits in the high half of an argument change nothing */
	for (uint64_t high = 0; high < 64; high++) {
		uint64_t noise = high << 32 | high << 58;

		assert_int_equal(ask(x, SYS_ioctl, 0, 0x5412 | noise, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(x, SYS_ioctl, 0, 0x541c | noise, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(x, SYS_socket, 38 | noise, 5, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(x, SYS_socket, 2 | noise, 1 | noise, 6 | noise), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(x, SYS_clone, 0x10000011 | noise, 0, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(x, SYS_clone, 0x3d0f00 | noise, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(x, SYS_personality, 0x0040000 | noise, 0, 0), REFUSED);
	}
	/* packet sockets by the old name, and listeners that Landlock does not see */
	assert_int_equal(ask(x, SYS_socket, 2, 10 | 02000000, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_not_equal(ask(x, SYS_socket, 2, 1, 262), SECCOMP_RET_ALLOW);
	assert_int_not_equal(ask(x, SYS_socket, 10, 1, 256), SECCOMP_RET_ALLOW);
	assert_int_not_equal(ask(x, SYS_socket, 2, 5, 132), SECCOMP_RET_ALLOW);
	/* each namespace flag alone */
	for (int bit = 0; bit < 32; bit++) {
		uint64_t flag = UINT64_C(1) << bit, news = 0x7e020000;

		assert_int_equal(ask(x, SYS_clone, flag | SIGCHLD, 0, 0),
				 flag & news ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
		assert_int_equal(ask(x, SYS_unshare, flag, 0, 0),
				 flag & (news | 0x80) ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
	}
}

/* What a start needs after the filter stands. */
static void a_start_passes(void **state)
{
	static const int needed[] = { SYS_sendmsg,  SYS_recvmsg,   SYS_close,	  SYS_execve,	 SYS_execveat,
				      SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset,	 SYS_capget,
				      SYS_prctl,    SYS_write,	   SYS_exit_group, SYS_chdir,	 SYS_close_range,
				      SYS_seccomp,  SYS_umask,	   SYS_fchdir,	  SYS_rt_sigaction, SYS_rt_sigprocmask };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		assert_int_equal(ask(AUDIT_ARCH_X86_64, needed[i], 0, 0, 0), SECCOMP_RET_ALLOW);
}

/* What the child below found, written to memory that both share. */
struct probe {
	int mount, stdin_push, clone3, unknown, x32, getppid, keyctl, packet, second;
};

#ifdef __x86_64__
static int call32(int nr)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(nr) : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#endif

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static void probe_run(struct probe *p)
{
	static const struct sock_filter notify_all[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF } };
	struct error e = { 0 };
	int fd;

	p->mount = result(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
	p->stdin_push = result(syscall(SYS_ioctl, -1, 0x100005412ul, ""));
	p->clone3 = result(syscall(SYS_clone3, NULL, 0));
	p->unknown = result(syscall(900));
	p->x32 = result(syscall(0x40000000 | SYS_getpid));
	p->getppid = result(syscall(SYS_getppid));
	p->keyctl = result(syscall(SYS_keyctl, 0, -3, 0));
	p->packet = result(socket(17, SOCK_RAW, 0));
	/* A second listener could answer "go on" for the first one. */
	p->second = -seccomp_install(notify_all, 1, &fd, &e);
}

/* Starts `child` behind the default filter; the listener comes back. */
static pid_t start(int *notify_fd, void (*child)(struct probe *), struct probe *p)
{
	struct error e = { 0 };
	int pair[2];
	size_t n = 1;
	char byte;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_DUMPABLE, 0);
		if (seccomp_install(seccomp_default, seccomp_default_len, &fd, &e) < 0 ||
		    socket_send(pair[1], "n", 1, &fd, 1) < 0)
			_exit(99);
		close(fd);
		child(p);
		_exit(0);
	}
	close(pair[1]);
	assert_int_equal(socket_recv(pair[0], &byte, 1, notify_fd, &n), 1);
	assert_int_equal(n, 1);
	close(pair[0]);
	return pid;
}

static struct probe *shared_probe(void)
{
	struct probe *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 0xff, sizeof(*p));
	return p;
}

/* In a real process: refused calls get their errno, reported ones reach the listener with what was asked. */
static void it_stands(void **state)
{
	struct probe *p = shared_probe();
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct notify_event ev, seen[16];
	unsigned n = 0;
	char words[96];
	pid_t pid;

	(void)state;
	pid = start(&fds[0].fd, probe_run, p);
	fds[1].fd = proc_pidfd(pid);
	assert_true(fds[1].fd >= 0);
	while (poll(fds, 2, 10000) > 0 && ((fds[0].revents & POLLIN) || !fds[1].revents))
		if ((fds[0].revents & POLLIN) && notify_answer(fds[0].fd, &ev) == 1 && n < 16)
			seen[n++] = ev;
	close(fds[1].fd);
	assert_int_equal(proc_exit_code(proc_wait(pid)), 0);
	/* Before 6.11 a filter stays in use until its last process was waited for. */
	assert_int_equal(poll(fds, 1, 10000), 1);
	assert_true(fds[0].revents & POLLHUP);
	assert_int_equal(p->mount, EPERM);
	assert_int_equal(p->stdin_push, EPERM);
	assert_int_equal(p->clone3, ENOSYS);
	assert_int_equal(p->unknown, ENOSYS);
	assert_int_equal(p->x32, ENOSYS);
	assert_int_equal(p->getppid, 0);
	assert_int_equal(p->keyctl, EPERM);
	assert_int_equal(p->packet, EPERM);
	assert_int_equal(p->second, EBUSY);
	assert_int_equal(n, 3);
	assert_int_equal(seen[0].pid, pid);
	assert_int_equal(seen[0].arch, AUDIT_ARCH_X86_64);
	assert_string_equal(notify_name(seen[0].arch, seen[0].nr), "mount");
	assert_non_null(strstr(seen[0].comm, "test_confine_se"));
	notify_words(&seen[1], words);
	assert_string_equal(words, "ioctl(0xffffffff, 0x5412)");
	notify_words(&seen[2], words);
	assert_string_equal(words, "socket(AF_PACKET, 0x3, 0x0)");
	close(fds[0].fd);
	munmap(p, sizeof(*p));
}

static void call_i386(struct probe *p)
{
	signal(SIGSEGV, SIG_DFL); /* what a kernel without the entry sends; cmocka has a handler */
	p->getppid = 0;
#ifdef __x86_64__
	p->x32 = call32(20); /* getpid */
#endif
}

/* int 0x80 ends the process before the call is carried out. */
static void other_architecture_dies(void **state)
{
	struct probe *p = shared_probe();
	int notify_fd, status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		call_i386(p);
		_exit(0);
	}
	if (proc_exit_code(proc_wait(pid)) != 0 || p->x32 <= 0) {
		print_message("SKIP: this kernel takes no 32-bit calls\n");
		skip();
	}
	memset(p, 0xff, sizeof(*p));
	pid = start(&notify_fd, call_i386, p);
	close(notify_fd);
	status = proc_wait(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_int_equal(p->getppid, 0); /* it came as far as the call */
	assert_int_equal(p->x32, -1);	 /* and no further */
	munmap(p, sizeof(*p));
}

static void call_mount_only(struct probe *p)
{
	p->mount = result(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
}

/* A monitor that is gone opens nothing. */
static void listener_gone_still_refuses(void **state)
{
	struct probe *p = shared_probe();
	int notify_fd;
	pid_t pid;

	(void)state;
	pid = start(&notify_fd, call_mount_only, p);
	close(notify_fd);
	assert_int_equal(proc_exit_code(proc_wait(pid)), 0);
	assert_true(p->mount == ENOSYS || p->mount == EPERM);
	munmap(p, sizeof(*p));
}

static void lower(struct spec *s, const char *wall, const char *detail)
{
	s->lower = xrealloc(s->lower, s->n_lower + 1, sizeof(*s->lower));
	s->lower[s->n_lower++] = (struct spec_lower){ xstrdup(wall), xstrdup(detail) };
}

static void plans(void **state)
{
	struct plan *p = test_calloc(1, sizeof(*p));
	struct error e = { 0 };
	struct spec s;

	(void)state;
	spec_init(&s);
	assert_int_equal(wall_seccomp.plan(&s, p, &e), 0);
	assert_int_equal(p->wall[WALL_SECCOMP].intent, INTENT_UP);
	assert_ptr_equal(p->seccomp.bpf, seccomp_default);
	assert_true(p->seccomp.notify);
	lower(&s, "seccomp", "ptrace");
	lower(&s, "seccomp", "bpf");
	assert_int_equal(wall_seccomp.plan(&s, p, &e), 0);
	assert_int_equal(p->wall[WALL_SECCOMP].intent, INTENT_LOWERED);
	assert_non_null(strstr(p->wall[WALL_SECCOMP].note, "ptrace"));
	assert_non_null(strstr(p->wall[WALL_SECCOMP].note, "bpf"));
	assert_null(strstr(p->wall[WALL_SECCOMP].note, "userns"));
	assert_ptr_not_equal(p->seccomp.bpf, seccomp_default);
	lower(&s, "seccomp", NULL);
	assert_int_equal(wall_seccomp.plan(&s, p, &e), 0);
	assert_int_equal(p->wall[WALL_SECCOMP].intent, INTENT_LOWERED);
	assert_int_equal(p->seccomp.n, 0);
	spec_free(&s);
	test_free(p);
}

static void wait_for_end(struct probe *p)
{
	(void)p;
	pause();
}

static enum verdict prove(const struct plan *p, const struct spec *s, pid_t pid)
{
	struct evidence ev = { 0 };
	char path[32];
	struct subject subject = { .pid = pid, .pidfd = -1, .spec = s };

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	subject.proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(subject.proc_fd >= 0);
	wall_seccomp.prove(p, &subject, &ev);
	close(subject.proc_fd);
	assert_true(ev.found[0] != 0);
	return ev.verdict;
}

static void proves(void **state)
{
	struct plan *p = test_calloc(1, sizeof(*p));
	struct error e = { 0 };
	pid_t filtered, bare;
	struct spec s;
	int notify_fd;

	(void)state;
	spec_init(&s);
	filtered = start(&notify_fd, wait_for_end, NULL);
	bare = fork();
	if (bare == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	assert_int_equal(wall_seccomp.plan(&s, p, &e), 0);
	p->spec = &s;
	assert_int_equal(prove(p, &s, filtered), VERDICT_STANDS);
	assert_int_equal(prove(NULL, NULL, filtered), VERDICT_STANDS);
	/* A control only where the test itself runs without a filter. */
	if (prctl(PR_GET_SECCOMP) == 0) {
		assert_int_equal(prove(p, &s, bare), VERDICT_DOWN);
		assert_int_equal(prove(NULL, NULL, bare), VERDICT_DOWN);
	}
	lower(&s, "seccomp", "ptrace");
	assert_int_equal(wall_seccomp.plan(&s, p, &e), 0);
	assert_int_equal(prove(p, &s, filtered), VERDICT_LOWERED);
	lower(&s, "seccomp", NULL);
	assert_int_equal(wall_seccomp.plan(&s, p, &e), 0);
	assert_int_equal(prove(p, &s, bare), VERDICT_LOWERED);
	kill(filtered, SIGKILL);
	kill(bare, SIGKILL);
	proc_wait(filtered);
	proc_wait(bare);
	close(notify_fd);
	spec_free(&s);
	test_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_is_the_policy),   cmocka_unit_test(details_are_the_policy),
		cmocka_unit_test(unwatched_reports_nothing), cmocka_unit_test(walls_that_do_not_move),
		cmocka_unit_test(a_start_passes),	   cmocka_unit_test(it_stands),
		cmocka_unit_test(other_architecture_dies), cmocka_unit_test(listener_gone_still_refuses),
		cmocka_unit_test(plans),		   cmocka_unit_test(proves),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
