/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "confine/cgroup_internal.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNER = 0x70001234 };

/* What a test container has: a specification, its plan and, once started, its first process. */
struct box {
	struct spec s;
	struct plan p;
	struct launch l;
	pid_t pid;
	int go[2], done[2];
};

static bool can_run(void)
{
	if (geteuid() == 0 && cgroup_version() != 0 && (cgroup_base_usable("brig/run", CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS)) ==
							(CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS))))
		return true;
	print_message("SKIP: needs root and cgroups with memory and pids\n");
	return false;
}

static void box_init(struct box *b, const char *name)
{
	memset(b, 0, sizeof(*b));
	spec_init(&b->s);
	b->s.id = xasprintf("cgroup-test-%s-%d", name, getpid());
	b->s.owner = OWNER;
	b->s.limits = (struct spec_limits){ .memory = 32 << 20, .pids = 20, .cpu_weight = 50 };
}

static void box_plan(struct box *b)
{
	struct error e = { 0 };

	b->p.spec = &b->s;
	if (wall_cgroup.plan(&b->s, &b->p, &e) < 0)
		fail_msg("%s", e.text);
	b->l.plan = &b->p;
}

/* Starts `fn` in the cgroup; it waits for go. */
static void box_start(struct box *b, int (*fn)(struct box *b))
{
	struct error e = { 0 };
	struct clone_args args = { .exit_signal = SIGCHLD };
	char c;

	if (cgroup_prepare(&b->p, &b->l, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(pipe2(b->go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b->done, O_CLOEXEC), 0);
	if (b->l.cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)b->l.cgroup_fd;
	}
	b->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(b->go[1]);
		close(b->done[0]);
		if (cgroup_enter(&b->l, &e) < 0)
			_exit(99);
		(void)!write(b->done[1], "x", 1);
		if (read(b->go[0], &c, 1) != 1)
			_exit(98);
		_exit(fn(b));
	}
	close(b->go[0]);
	close(b->done[1]);
	cgroup_release(&b->l);
	b->l.pid = b->pid;
	if (wall_cgroup.outside(&b->l, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(read(b->done[0], &c, 1), 1);
}

static void box_go(struct box *b)
{
	assert_int_equal(write(b->go[1], "g", 1), 1);
}

static void box_end(struct box *b)
{
	struct cgroup cg;
	struct error e = { 0 };

	assert_int_equal(cgroup_open(b->p.cgroup.path, &cg, &e), 0);
	if (cgroup_kill(&cg, 5000, &e) < 0)
		fail_msg("%s", e.text);
	if (b->pid > 0)
		proc_wait(b->pid);
	if (cgroup_remove(&cg, &e) < 0)
		fail_msg("%s", e.text);
	cgroup_close(&cg);
	assert_int_equal(cgroup_open(b->p.cgroup.path, &cg, &e), -ENOENT);
	close(b->go[1]);
	close(b->done[0]);
	spec_free(&b->s);
}

static enum verdict box_prove(struct box *b, struct evidence *ev)
{
	struct subject sub = { .pid = b->pid, .spec = &b->s, .cgroup = b->p.cgroup.path };
	char path[32];

	*ev = (struct evidence){ 0 };
	snprintf(path, sizeof(path), "/proc/%d", b->pid);
	sub.proc_fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(sub.proc_fd >= 0);
	wall_cgroup.prove(&b->p, &sub, ev);
	close(sub.proc_fd);
	return ev->verdict;
}

static int sleeps(struct box *b)
{
	(void)b;
	pause();
	return 0;
}

/* In a real container the owner has the right to signal from the user namespace that it owns. */
static int sleeps_as_owner(struct box *b)
{
	if (setresuid(OWNER, OWNER, OWNER) < 0)
		return 1;
	(void)!write(b->done[1], "o", 1);
	pause();
	return 0;
}

static void limits_stand(void **state)
{
	struct box b;
	struct evidence ev;
	struct cgroup cg;
	struct cgroup_stats st;
	struct error e = { 0 };

	(void)state;
	if (!can_run())
		skip();
	box_init(&b, "stand");
	box_plan(&b);
	assert_int_equal(b.p.wall[WALL_CGROUP].intent, INTENT_UP);
	box_start(&b, sleeps);
	if (box_prove(&b, &ev) != VERDICT_STANDS)
		fail_msg("%s / %s", ev.found, ev.why);
	assert_int_equal(cgroup_open(b.p.cgroup.path, &cg, &e), 0);
	cgroup_stats(&cg, &st);
	assert_true(st.memory_limit == 32 << 20);
	assert_true(st.pids == 1 && st.pids_limit == 20);
	assert_true(st.cpu_ns != UINT64_MAX);
	assert_true(st.oom_kills == 0);
	assert_int_equal(cgroup_populated(&cg), 1);

	/* A limit that somebody took away shows. */
	assert_int_equal(file_write(cgroup_fd(&cg, CG_PIDS), "pids.max", "max"), 0);
	assert_int_equal(box_prove(&b, &ev), VERDICT_DOWN);
	assert_non_null(strstr(ev.why, "pids.max is max, planned 20"));
	b.s.limits.pids = 30;
	assert_int_equal(cgroup_update(&cg, &b.s, &e), 0);
	assert_int_equal(box_prove(&b, &ev), VERDICT_STANDS);

	/* A process that left shows. */
	if (cgroup_version() == 1) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", b.pid);
		assert_int_equal(file_write(cgroup_top(CG_PIDS), "cgroup.procs", pid), 0);
		assert_int_equal(box_prove(&b, &ev), VERDICT_DOWN);
		assert_non_null(strstr(ev.why, "it is in /, not in brig/run/"));
	}
	cgroup_close(&cg);
	box_end(&b);
}

static int bombs(struct box *b)
{
	int made = 0;

	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid > 0)
			made++;
	}
	(void)!write(b->done[1], &made, sizeof(made));
	pause();
	return 0;
}

static void fork_bomb_is_bounded(void **state)
{
	struct box b;
	struct cgroup cg;
	struct cgroup_stats st;
	struct error e = { 0 };
	_cleanup_free_ pid_t *pids = NULL;
	size_t n;
	int made;

	(void)state;
	if (!can_run())
		skip();
	box_init(&b, "bomb");
	b.s.limits.memory = 512 << 20; /* tasks are what runs out here; with a sanitizer in each, 32 MiB may run out first */
	box_plan(&b);
	box_start(&b, bombs);
	box_go(&b);
	assert_int_equal(read(b.done[0], &made, sizeof(made)), sizeof(made));
	assert_int_equal(made, 19);
	assert_int_equal(cgroup_open(b.p.cgroup.path, &cg, &e), 0);
	cgroup_stats(&cg, &st);
	assert_true(st.pids == 20);
	assert_int_equal(cgroup_procs(&cg, &pids, &n, &e), 0);
	assert_int_equal(n, 20);
	cgroup_close(&cg);
	box_end(&b); /* kills all twenty */
}

static int hogs(struct box *b)
{
	(void)b;
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(3);
		memset(p, 1, 1 << 20);
	}
}

static void memory_hog_dies_alone(void **state)
{
	struct box b;
	struct cgroup cg;
	struct cgroup_stats st;
	struct error e = { 0 };
	int status;

	(void)state;
	if (!can_run())
		skip();
	box_init(&b, "hog");
	box_plan(&b);
	box_start(&b, hogs);
	box_go(&b);
	status = proc_wait(b.pid);
	b.pid = 0;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_open(b.p.cgroup.path, &cg, &e), 0);
	cgroup_stats(&cg, &st);
	assert_true(st.oom_kills >= 1);
	assert_true(st.memory_peak <= 32 << 20);
	cgroup_close(&cg);
	box_end(&b);
}

static int counts(struct box *b)
{
	for (uint64_t i = 0;; i++)
		if (write(b->done[1], "c", 1) < 0)
			return 0;
}

static void freezes(void **state)
{
	struct box b;
	struct cgroup cg;
	struct error e = { 0 };
	char buf[65536];
	uint64_t before, after;
	struct cgroup_stats st;

	(void)state;
	if (!can_run())
		skip();
	box_init(&b, "freeze");
	box_plan(&b);
	box_start(&b, counts);
	box_go(&b);
	fcntl(b.done[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(cgroup_open(b.p.cgroup.path, &cg, &e), 0);
	assert_false(cgroup_frozen(&cg));
	if (cgroup_freeze(&cg, true, 2000, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(cgroup_frozen(&cg));
	while (read(b.done[0], buf, sizeof(buf)) > 0)
		;
	cgroup_stats(&cg, &st);
	before = st.cpu_ns;
	usleep(20000);
	assert_int_equal(read(b.done[0], buf, sizeof(buf)), -1);
	assert_int_equal(errno, EAGAIN);
	cgroup_stats(&cg, &st);
	after = st.cpu_ns;
	assert_true(after == before);
	assert_int_equal(cgroup_freeze(&cg, false, 2000, &e), 0);
	for (int i = 0; i < 200 && read(b.done[0], buf, sizeof(buf)) <= 0; i++)
		usleep(5000);
	assert_false(cgroup_frozen(&cg));
	/* A frozen one dies as well. */
	assert_int_equal(cgroup_freeze(&cg, true, 2000, &e), 0);
	cgroup_close(&cg);
	box_end(&b);
}

static int opens_device(struct box *b)
{
	dev_t dev = makedev(1, 11); /* kmsg: harmless to open, not in the list */
	char path[64];
	int fd, r = 0;

	snprintf(path, sizeof(path), "/tmp/brig-cgroup-test-dev-%d", getpid());
	if (mknod(path, S_IFCHR | 0600, dev) == 0)
		r |= 1;
	fd = open("/dev/kmsg", O_RDONLY);
	if (fd >= 0 || errno != EPERM)
		r |= 2;
	if (open("/dev/null", O_RDWR) < 0)
		r |= 4;
	if (open("/dev/urandom", O_RDONLY) < 0)
		r |= 8;
	unlink(path);
	(void)b;
	return r;
}

static void devices_are_listed(void **state)
{
	struct box b;
	int fd;

	(void)state;
	if (!can_run())
		skip();
	/* The control: without the wall it opens. */
	fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("SKIP: /dev/kmsg does not open here\n");
		skip();
	}
	close(fd);
	box_init(&b, "dev");
	box_plan(&b);
	assert_true(b.p.cgroup.controllers & CG_BIT(CG_DEVICES));
	box_start(&b, opens_device);
	box_go(&b);
	int status = proc_wait(b.pid);
	b.pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	box_end(&b);
}

/* The parts of a test that run as a user in a child: a failed check ends it. */
#define CHECK(x)                                                                   \
	do {                                                                       \
		if (!(x)) {                                                        \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #x, e.text); \
			_exit(1);                                                  \
		}                                                                  \
	} while (0)

/* As the owner, without root: `fds` are folders of `a`, ours; `b` is the neighbour's. Both run. */
static void __attribute__((noreturn)) as_owner(struct box *a, struct box *b, const struct cgroup *cb, const int *fds,
					       size_t n, const int *root_joins, size_t n_joins)
{
	int joins[CG_COUNT];
	struct cgroup cg, path;
	struct cgroup_stats st;
	struct error e = { 0 };
	pid_t again;
	int go[2];
	char c;

	CHECK(setresgid(OWNER, OWNER, OWNER) == 0 && setresuid(OWNER, OWNER, OWNER) == 0);
	CHECK(cgroup_from_fds(&cg, a->p.cgroup.path, fds, n, &e) == 0);
	/* The neighbour's: no way by path, and none through a descriptor of its folder. */
	CHECK(cgroup_open(b->p.cgroup.path, &path, &e) == -EACCES);
	CHECK(cgroup_kill(cb, 50, &e) < 0 && cgroup_remove(cb, &e) < 0 && cgroup_freeze(cb, true, 50, &e) < 0);
	CHECK(cgroup_open_procs(cb, joins, &e) < 0);
	/* Limits are not its to change. */
	CHECK(file_write(cgroup_fd(&cg, CG_PIDS), "pids.max", "max") == -EACCES);
	CHECK(file_write(cgroup_fd(&cg, CG_MEMORY), cg.v2 ? "memory.max" : "memory.limit_in_bytes", "-1") == -EACCES);
	cgroup_stats(&cg, &st);
	CHECK(st.pids == 1 && st.memory != UINT64_MAX && st.cpu_ns != UINT64_MAX);
	CHECK(cgroup_freeze(&cg, true, 1000, &e) == 0 && cgroup_freeze(&cg, false, 1000, &e) == 0);
	CHECK(cgroup_kill(&cg, 5000, &e) == 0);
	CHECK(cgroup_populated(&cg) == 0);

	/* A restart: another process joins the same folders, under root's limits. */
	if (cgroup_owner_joins(&cg)) {
		int opened = cgroup_open_procs(&cg, joins, &e);

		CHECK(opened > 0);
		root_joins = joins;
		n_joins = (size_t)opened;
	}
	CHECK(pipe(go) == 0);
	again = fork();
	if (again == 0) {
		c = cgroup_join(root_joins, n_joins) == 0 ? 'y' : 'n';
		(void)!write(go[1], &c, 1);
		pause();
	}
	CHECK(read(go[0], &c, 1) == 1 && c == 'y');
	CHECK(cgroup_populated(&cg) == 1);
	cgroup_stats(&cg, &st);
	CHECK(st.pids_limit == 20);
	/* On v1, somebody else's process cannot be put there. */
	if (cgroup_owner_joins(&cg)) {
		char pid[16];
		int n_pid = snprintf(pid, sizeof(pid), "%d", b->pid);

		CHECK(write(joins[0], pid, (size_t)n_pid) < 0 && errno == EACCES);
	}
	CHECK(cgroup_kill(&cg, 5000, &e) == 0);
	CHECK(proc_wait(again) == SIGKILL);
	CHECK(cgroup_remove(&cg, &e) == 0);
	_exit(0);
}

/* The owner, an unprivileged id, ends, restarts and removes its own container's cgroup through descriptors. */
static void owner_goes_on_without_root(void **state)
{
	int fds[CG_COUNT], joins[CG_COUNT], status, n_joins;
	struct box a, b;
	struct cgroup ca, cb;
	struct error e = { 0 };
	size_t n;
	pid_t pid;
	char c;

	(void)state;
	if (!can_run())
		skip();
	box_init(&a, "own-a");
	box_init(&b, "own-b");
	b.s.owner = OWNER + 1;
	box_plan(&a);
	box_plan(&b);
	box_start(&b, sleeps);
	box_start(&a, sleeps_as_owner);
	box_go(&a);
	assert_int_equal(read(a.done[0], &c, 1), 1);
	assert_int_equal(cgroup_open(a.p.cgroup.path, &ca, &e), 0);
	assert_int_equal(cgroup_open(b.p.cgroup.path, &cb, &e), 0);
	n = cgroup_fds(&ca, fds);
	n_joins = cgroup_open_procs(&ca, joins, &e);
	assert_true(n_joins > 0);
	pid = fork();
	if (pid == 0)
		as_owner(&a, &b, &cb, fds, n, joins, (size_t)n_joins);
	status = proc_wait(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	while (n_joins > 0)
		close(joins[--n_joins]);
	cgroup_close(&ca);
	assert_int_equal(cgroup_open(a.p.cgroup.path, &ca, &e), -ENOENT);
	/* a's process was killed; its parent reaps it. b still runs. */
	assert_int_equal(proc_wait(a.pid), SIGKILL);
	assert_int_equal(cgroup_populated(&cb), 1);
	cgroup_close(&cb);
	spec_free(&a.s);
	close(a.go[1]);
	close(a.done[0]);
	box_end(&b);
}

static void missing_limits_stop_the_start(void **state)
{
	struct error e = { 0 };
	struct plan p = { 0 };
	struct spec s;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("SKIP: needs root to become a user without delegation\n");
		skip();
	}
	spec_init(&s);
	s.id = xstrdup("x");
	s.limits.memory = 1 << 20;
	s.limits.pids = 10;
	p.spec = &s;
	pid = fork();
	if (pid == 0) {
		if (setresuid(OWNER, OWNER, OWNER) < 0)
			_exit(1);
		if (wall_cgroup.plan(&s, &p, &e) != -EACCES || !strstr(e.text, "memory") ||
		    !strstr(e.text, "brig setup --user"))
			_exit(2);
		/* by name */
		s.lower = xcalloc(1, sizeof(*s.lower));
		s.n_lower = 1;
		s.lower[0] = (struct spec_lower){ xstrdup("cgroup"), xstrdup("memory"), false };
		if (wall_cgroup.plan(&s, &p, &e) != 0 || p.wall[WALL_CGROUP].intent != INTENT_LOWERED)
			_exit(3);
		/* once for all */
		s.lower[0].accept = true;
		if (wall_cgroup.plan(&s, &p, &e) != 0 || p.wall[WALL_CGROUP].intent != INTENT_ABSENT)
			_exit(4);
		if (!strstr(p.wall[WALL_CGROUP].note, "memory") ||
		    !strstr(p.wall[WALL_CGROUP].text, "RLIMIT_NPROC"))
			_exit(5);
		_exit(0);
	}
	status = proc_wait(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* Root has them: what was accepted for another machine lowers nothing here. */
	if (can_run()) {
		s.lower = xcalloc(1, sizeof(*s.lower));
		s.n_lower = 1;
		s.lower[0] = (struct spec_lower){ xstrdup("cgroup"), xstrdup("memory"), true };
		assert_int_equal(wall_cgroup.plan(&s, &p, &e), 0);
		assert_int_equal(p.wall[WALL_CGROUP].intent, INTENT_UP);
	}
	spec_free(&s);
}

static void lowered_details(void **state)
{
	struct box b;
	struct evidence ev;

	(void)state;
	if (!can_run())
		skip();
	box_init(&b, "lower");
	b.s.lower = xcalloc(1, sizeof(*b.s.lower));
	b.s.n_lower = 1;
	b.s.lower[0] = (struct spec_lower){ xstrdup("cgroup"), xstrdup("memory"), false };
	box_plan(&b);
	assert_int_equal(b.p.wall[WALL_CGROUP].intent, INTENT_LOWERED);
	box_start(&b, sleeps);
	assert_int_equal(box_prove(&b, &ev), VERDICT_LOWERED);
	assert_non_null(strstr(ev.why, "memory"));
	box_end(&b);
}

static void __attribute__((noreturn)) as_user(uid_t uid)
{
	struct box b;
	struct evidence ev;
	struct cgroup cg;
	struct error e = { 0 };

	if (geteuid() != uid)
		CHECK(setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
	box_init(&b, "user");
	b.s.owner = uid;
	b.p.spec = &b.s;
	b.l.plan = &b.p;
	CHECK(wall_cgroup.plan(&b.s, &b.p, &e) == 0);
	print_message("%s%s\n", b.p.wall[WALL_CGROUP].text, b.p.cgroup.by_systemd ? ", joined by systemd" : "");
	CHECK(b.p.wall[WALL_CGROUP].intent == INTENT_UP);
	box_start(&b, sleeps);
	CHECK(box_prove(&b, &ev) == VERDICT_STANDS);
	CHECK(cgroup_open(b.p.cgroup.path, &cg, &e) == 0);
	CHECK(cgroup_freeze(&cg, true, 2000, &e) == 0 && cgroup_frozen(&cg));
	CHECK(cgroup_kill(&cg, 5000, &e) == 0);
	CHECK(proc_wait(b.pid) == SIGKILL);
	CHECK(cgroup_populated(&cg) == 0);
	CHECK(cgroup_remove(&cg, &e) == 0);
	_exit(0);
}

static void user_with_delegation(void **state)
{
	enum { USER = 0x70004321 };
	_cleanup_strv_ char **done = NULL;
	struct error e = { 0 };
	char name[64];
	int made;
	pid_t pid;

	(void)state;
	if (!can_run())
		skip();
	if (cgroup_version() == 2) {
		print_message("SKIP: on v2 a user must stand in its own part already\n");
		skip();
	}
	made = cgroup_delegate(USER, USER, true, &done, &e);
	assert_true(made > 3);
	assert_int_equal(cgroup_delegate(USER, USER, false, &done, &e), made);
	assert_int_equal(strv_len(done), 2);
	assert_non_null(strstr(done[0], "memory"));
	/* again: nothing to do */
	assert_int_equal(cgroup_delegate(USER, USER, true, &done, &e), 0);
	assert_int_equal(cgroup_delegate(USER, USER, false, &done, &e), 0);
	pid = fork();
	if (pid == 0)
		as_user(USER);
	int status = proc_wait(pid);
	snprintf(name, sizeof(name), "brig-user-%u", USER);
	for (enum cgroup_controller c = 0; c < CG_COUNT; c++)
		if (cgroup_top(c) >= 0 && !cgroup_shared(c))
			assert_int_equal(unlinkat(cgroup_top(c), name, AT_REMOVEDIR), 0);
	assert_int_equal(status, 0);
}

/* As the user that runs the test, with what it was given by `brig setup` or by systemd. */
static void user_as_it_is(void **state)
{
	struct cgroup_machine m;
	unsigned need = CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS) | CG_BIT(CG_CPU);
	pid_t pid;

	(void)state;
	cgroup_look(&m);
	if (geteuid() == 0 || (m.usable & need) != need) {
		print_message("SKIP: for a user with a delegated cgroup\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		as_user(geteuid());
	assert_int_equal(proc_wait(pid), 0);
}

static void own_namespace(void **state)
{
	struct plan p = { 0 };
	struct spec s;
	struct error e = { 0 };
	struct launch l = { .plan = &p };
	struct evidence ev = { 0 };
	int sync[2];
	char c, path[32];
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("SKIP: needs root\n");
		skip();
	}
	spec_init(&s);
	p.spec = &s;
	assert_int_equal(wall_cgroupns.plan(&s, &p, &e), 0);
	assert_int_equal(pipe(sync), 0);
	pid = fork();
	if (pid == 0) {
		c = wall_cgroupns.raise(&l, &e) == 0 ? 'y' : 'n';
		(void)!write(sync[1], &c, 1);
		pause();
	}
	assert_int_equal(read(sync[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	snprintf(path, sizeof(path), "/proc/%d", pid);
	struct subject sub = { .pid = pid, .proc_fd = open(path, O_PATH | O_CLOEXEC) };
	wall_cgroupns.prove(&p, &sub, &ev);
	assert_int_equal(ev.verdict, VERDICT_STANDS);
	close(sub.proc_fd);
	kill(pid, SIGKILL);
	proc_wait(pid);
	/* the control: ourselves */
	ev = (struct evidence){ 0 };
	sub.proc_fd = open("/proc/self", O_PATH | O_CLOEXEC);
	wall_cgroupns.prove(&p, &sub, &ev);
	assert_int_equal(ev.verdict, VERDICT_DOWN);
	close(sub.proc_fd);
	close(sync[0]);
	close(sync[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_stand),
		cmocka_unit_test(fork_bomb_is_bounded),
		cmocka_unit_test(memory_hog_dies_alone),
		cmocka_unit_test(freezes),
		cmocka_unit_test(devices_are_listed),
		cmocka_unit_test(owner_goes_on_without_root),
		cmocka_unit_test(missing_limits_stop_the_start),
		cmocka_unit_test(lowered_details),
		cmocka_unit_test(user_with_delegation),
		cmocka_unit_test(user_as_it_is),
		cmocka_unit_test(own_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
