/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "confine/rlimits.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void parses(void **state)
{
	struct spec_rlimit r;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(rlimit_parse("nofile=100:200", &r, &e), 0);
	assert_int_equal(r.resource, RLIMIT_NOFILE);
	assert_true(r.soft == 100 && r.hard == 200);
	assert_int_equal(rlimit_parse("core=0", &r, &e), 0);
	assert_true(r.soft == 0 && r.hard == 0);
	assert_int_equal(rlimit_parse("memlock=-1:-1", &r, &e), 0);
	assert_true(r.soft == RLIM_INFINITY && r.hard == RLIM_INFINITY);
	assert_int_equal(rlimit_parse("stack=1:unlimited", &r, &e), 0);
	assert_int_equal(rlimit_parse("nofile=200:100", &r, &e), -EINVAL);
	assert_int_equal(rlimit_parse("nofile", &r, &e), -EINVAL);
	assert_int_equal(rlimit_parse("nofile=", &r, &e), -EINVAL);
	assert_int_equal(rlimit_parse("nofile=1:", &r, &e), -EINVAL);
	assert_int_equal(rlimit_parse("nofile=1:2:3", &r, &e), -EINVAL);
	assert_int_equal(rlimit_parse("nofile=0x10", &r, &e), -EINVAL);
	assert_int_equal(rlimit_parse("files=1", &r, &e), -EINVAL);
	assert_non_null(strstr(e.text, "there are as, core, cpu"));
	for (int i = 0; i < RLIM_NLIMITS; i++)
		assert_int_equal(rlimit_by_name(rlimit_name(i)), i);
}

/* A child with the wall up that waits; its /proc folder in sub->proc_fd. */
static pid_t start(struct plan *p, struct subject *sub, int (*fn)(void), uid_t uid)
{
	struct error e = { 0 };
	char path[32], c;
	int ready[2], go[2];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct launch l = { .plan = p };

		if (read(go[0], &c, 1) != 1)
			_exit(97);
		if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(98);
		if (wall_rlimits.raise(&l, &e) < 0) {
			dprintf(2, "%s\n", e.text);
			_exit(99);
		}
		(void)!write(ready[1], "x", 1);
		_exit(fn());
	}
	struct launch l = { .plan = p, .pid = pid };
	if (wall_rlimits.outside(&l, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	*sub = (struct subject){ .pid = pid, .proc_fd = open(path, O_PATH | O_CLOEXEC) };
	return pid;
}

static int sleeps(void)
{
	pause();
	return 0;
}

static void end(pid_t pid, struct subject *sub)
{
	kill(pid, SIGKILL);
	proc_wait(pid);
	close(sub->proc_fd);
}

static void stands(void **state)
{
	struct plan p = { 0 };
	struct spec s;
	struct error e = { 0 };
	struct subject sub;
	struct evidence ev = { 0 };
	struct rlimit out;
	pid_t pid;

	(void)state;
	spec_init(&s);
	p.spec = &s;
	s.limits.pids = 500;
	spec_add_rlimit(&s, RLIMIT_FSIZE, 1 << 20, 2 << 20);
	assert_int_equal(wall_rlimits.plan(&s, &p, &e), 0);
	assert_int_equal(p.wall[WALL_RLIMITS].intent, INTENT_UP);
	pid = start(&p, &sub, sleeps, 0);
	wall_rlimits.prove(&p, &sub, &ev);
	if (ev.verdict != VERDICT_STANDS)
		fail_msg("%s / %s", ev.found, ev.why);
	assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &out), 0);
	assert_true(out.rlim_cur == 0 && out.rlim_max == 0);
	assert_int_equal(prlimit(pid, RLIMIT_FSIZE, NULL, &out), 0);
	assert_true(out.rlim_cur == 1 << 20 && out.rlim_max == 2 << 20);
	assert_int_equal(prlimit(pid, RLIMIT_NPROC, NULL, &out), 0);
	assert_true(out.rlim_cur == 500);
	assert_int_equal(prlimit(pid, RLIMIT_STACK, NULL, &out), 0);
	assert_true(out.rlim_cur == 8 << 20);
	/* Beside a pids cgroup there is none. */
	p.cgroup.controllers = CG_BIT(CG_PIDS);
	struct spec_rlimit limits[RLIMITS_MAX];
	size_t n = rlimits_make(&p, limits);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(limits[i].resource, RLIMIT_NPROC);
	p.cgroup.controllers = 0;
	if (rlimits_can_raise()) {
		/* somebody loosened one */
		out = (struct rlimit){ 4 << 20, 4 << 20 };
		assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &out, NULL), 0);
		ev = (struct evidence){ 0 };
		wall_rlimits.prove(&p, &sub, &ev);
		assert_int_equal(ev.verdict, VERDICT_DOWN);
		assert_non_null(strstr(ev.why, "fsize is 4194304/4194304, planned 1048576/2097152"));
	}
	end(pid, &sub);
	spec_free(&s);
}

/* A default never raises what the caller has; what was asked for and is above it is an error. */
static void callers_limits_bound(void **state)
{
	struct plan p = { 0 };
	struct spec s;
	struct error e = { 0 };
	struct subject sub;
	struct evidence ev = { 0 };
	struct rlimit low = { 256, 256 }, out;
	int status;
	pid_t pid, inner;

	(void)state;
	spec_init(&s);
	p.spec = &s;
	pid = fork();
	if (pid == 0) {
		if (setrlimit(RLIMIT_NOFILE, &low) < 0 || wall_rlimits.plan(&s, &p, &e) < 0)
			_exit(1);
		inner = start(&p, &sub, sleeps, 0);
		if (prlimit(inner, RLIMIT_NOFILE, NULL, &out) < 0 || out.rlim_cur != 256 || out.rlim_max != 256)
			_exit(2);
		wall_rlimits.prove(&p, &sub, &ev);
		end(inner, &sub);
		if (ev.verdict != VERDICT_STANDS)
			_exit(3);
		spec_add_rlimit(&s, RLIMIT_NOFILE, 300, 400);
		if (rlimits_can_raise()) {
			/* from outside, though the process itself could not */
			inner = start(&p, &sub, sleeps, 65533);
			if (prlimit(inner, RLIMIT_NOFILE, NULL, &out) < 0 || out.rlim_cur != 300 ||
			    out.rlim_max != 400)
				_exit(4);
			end(inner, &sub);
			if (setresuid(65533, 65533, 65533) < 0)
				_exit(5);
		}
		if (wall_rlimits.plan(&s, &p, &e) != -EPERM ||
		    !strstr(e.text, "ulimit nofile: 400 is more than the caller's own hard limit of 256"))
			_exit(6);
		_exit(0);
	}
	status = proc_wait(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	spec_free(&s);
}

static int bomb(void)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return errno == EAGAIN ? i : 101;
		if (pid == 0) {
			pause();
			_exit(0);
		}
	}
	return 100;
}

/* Without any cgroup: the tasks of one user in a user namespace of its own (Linux 5.14). */
static void fork_bomb_without_cgroup(void **state)
{
	struct plan p = { 0 };
	struct spec s;
	struct error e = { 0 };
	int status;
	pid_t pid, made;

	(void)state;
	spec_init(&s);
	p.spec = &s;
	s.limits.pids = 20;
	assert_int_equal(wall_rlimits.plan(&s, &p, &e), 0);
	pid = fork();
	if (pid == 0) {
		/* a pid namespace takes all of them with it */
		if (geteuid() == 0 && setresuid(65532, 65532, 65532) < 0)
			_exit(96);
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
			_exit(97);
		made = fork();
		if (made == 0) {
			struct launch l = { .plan = &p };

			if (wall_rlimits.raise(&l, &e) < 0)
				_exit(99);
			_exit(bomb());
		}
		status = proc_wait(made);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
	}
	status = proc_wait(pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 97) {
		print_message("SKIP: no user namespaces for users here\n");
		skip();
	}
	/* 20 with the two that stand outside of the pid namespace's own: its parent has the same user in the namespace */
	assert_true(WEXITSTATUS(status) >= 15 && WEXITSTATUS(status) <= 20);
	spec_free(&s);
}

static void lowered(void **state)
{
	struct plan p = { 0 };
	struct spec s;
	struct error e = { 0 };
	struct rlimit set = { 4096, 8192 }, out;
	struct subject sub;
	struct evidence ev = { 0 };
	pid_t pid;

	(void)state;
	spec_init(&s);
	p.spec = &s;
	s.lower = xcalloc(1, sizeof(*s.lower));
	s.n_lower = 1;
	s.lower[0] = (struct spec_lower){ xstrdup("rlimits"), xstrdup("core"), false };
	if (getrlimit(RLIMIT_CORE, &out) < 0 || out.rlim_max < 8192) {
		print_message("SKIP: core files are off here\n");
		skip();
	}
	assert_int_equal(setrlimit(RLIMIT_CORE, &set), 0);
	assert_int_equal(wall_rlimits.plan(&s, &p, &e), 0);
	assert_int_equal(p.wall[WALL_RLIMITS].intent, INTENT_LOWERED);
	pid = start(&p, &sub, sleeps, 0);
	assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &out), 0);
	assert_true(out.rlim_cur == 4096 && out.rlim_max == 8192);
	assert_int_equal(prlimit(pid, RLIMIT_RTPRIO, NULL, &out), 0);
	assert_true(out.rlim_max == 0);
	wall_rlimits.prove(&p, &sub, &ev);
	assert_int_equal(ev.verdict, VERDICT_LOWERED);
	/* a foreign process with core files is told apart */
	ev = (struct evidence){ 0 };
	wall_rlimits.prove(NULL, &sub, &ev);
	assert_int_equal(ev.verdict, VERDICT_DOWN);
	end(pid, &sub);
	spec_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(stands),
		cmocka_unit_test(callers_limits_bound),
		cmocka_unit_test(fork_bomb_without_cgroup),
		cmocka_unit_test(lowered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
