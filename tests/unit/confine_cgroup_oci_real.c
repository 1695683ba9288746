/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroups of OCI containers on the machine's own hierarchies, below a folder of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "confine/cgroup_oci_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUM(x) ((struct oci_num){ .set = true, .v = (x) })

static void fails(int r, int want, struct error *e, const char *text)
{
	assert_int_equal(r, want);
	if (strncmp(e->text, text, strlen(text)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", e->text, text);
	memset(e, 0, sizeof(*e));
}

struct real {
	struct oci_cgroup cg;
	char path[64];
};

static bool real_make(struct real *b, const char *name)
{
	struct oci_cgroup_request rq = { .path = b->path, .id = "x" };
	struct error e = { 0 };

	struct cgroup_machine m;

	cgroup_look(&m);
	if (geteuid() != 0 || m.version == 0 || faccessat(AT_FDCWD, "/sys/fs/cgroup", W_OK, 0) < 0) {
		print_message("SKIP: needs root and cgroups\n");
		return false;
	}
	snprintf(b->path, sizeof(b->path), "/brig-oci-test-%d/%s", getpid(), name);
	if (oci_cgroup_plan(&b->cg, &rq, &e) < 0)
		fail_msg("%s", e.text);
	if (oci_cgroup_make(&b->cg, &e) < 0)
		fail_msg("%s", e.text);
	return true;
}

/* The folder that holds the test's own folders goes too: it is reached from the one above, which stays. */
static void real_remove(struct oci_cgroup *cg)
{
	int above[OCI_CG_HIERARCHIES];
	struct error e = { 0 };
	char name[32];

	for (size_t i = 0; i < cg->n; i++)
		above[i] = openat(cg->h[i].fd, "../..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (oci_cgroup_remove(cg, &e) < 0)
		fail_msg("%s", e.text);
	snprintf(name, sizeof(name), "brig-oci-test-%d", getpid());
	for (size_t i = 0; i < cg->n; i++) {
		assert_true(above[i] >= 0 && (unlinkat(above[i], name, AT_REMOVEDIR) == 0 || errno == ENOENT));
		close(above[i]);
	}
}

static void real_end(struct real *b)
{
	struct error e = { 0 };

	if (oci_cgroup_kill(&b->cg, 5000, &e) < 0)
		fail_msg("%s", e.text);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	real_remove(&b->cg);
	oci_cgroup_close(&b->cg);
}

/* A child in the cgroup that runs `fn`; it says "x" once it stands there. */
static pid_t start(struct real *b, int (*fn)(void))
{
	int fds[OCI_CG_HIERARCHIES], n, ready[2];
	struct error e = { 0 };
	char c = 0;
	pid_t pid;

	n = oci_cgroup_open_joins(&b->cg, 0, false, fds, &e);
	if (n < 0)
		fail_msg("%s", e.text);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cgroup_join(fds, (size_t)n) < 0)
			_exit(99);
		(void)!write(ready[1], "x", 1);
		_exit(fn());
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	return pid;
}

static int sleeps(void)
{
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			break;
	while (pause() < 0)
		;
	return 0;
}

static void lives_and_dies(void **state)
{
	struct real b;
	struct error e = { 0 };
	struct oci_resources r = { .memory.limit = NUM(64 << 20), .pids = NUM(50), .cpu.shares = NUM(512) };
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;

	(void)state;
	if (!real_make(&b, "lives"))
		skip();
	if (oci_cgroup_apply(&b.cg, &r, &e) < 0)
		fail_msg("%s", e.text);
	start(&b, sleeps);
	for (int i = 0; i < 200 && n < 4; i++) {
		free(pids);
		assert_int_equal(oci_cgroup_pids(&b.cg, &pids, &n, &e), 0);
		usleep(1000);
	}
	assert_int_equal(n, 4);

	/* A folder below, with a process of its own, counts, dies and goes with it. */
	for (size_t i = 0; i < b.cg.n; i++)
		assert_int_equal(mkdirat(b.cg.h[i].fd, "below", 0755), 0);
	const struct oci_hierarchy *h = oci_hierarchy(&b.cg, "pids");
	_cleanup_close_ int below = openat(h->fd, "below", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[64];

	snprintf(text, sizeof(text), "%d", pids[n - 1]);
	if (b.cg.version == 1)
		assert_int_equal(file_write(below, "cgroup.procs", text), 0);
	free(steal_ptr(&pids));
	assert_int_equal(oci_cgroup_pids(&b.cg, &pids, &n, &e), 0);
	assert_int_equal(n, 4);

	assert_int_equal(oci_cgroup_freeze(&b.cg, true, 5000, &e), 0);
	assert_true(oci_cgroup_frozen(&b.cg));
	_cleanup_json_ json_t *st = oci_cgroup_stats(&b.cg);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(st, "pids"), "current")), 4);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(st, "pids"), "limit")), 50);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json_object_get(st, "memory"), "usage"), "limit")),
			 64 << 20);
	assert_true(json_integer_value(json_object_get(json_object_get(json_object_get(st, "cpu"), "usage"), "total")) > 0);

	/* A limit that somebody changes back and forth; memory and swap in the order that the kernel wants. */
	r = (struct oci_resources){ .memory.limit = NUM(32 << 20), .memory.swap = NUM(40 << 20) };
	if (oci_cgroup_update(&b.cg, &r, &e) < 0)
		fail_msg("%s", e.text);
	r = (struct oci_resources){ .memory.limit = NUM(128 << 20), .memory.swap = NUM(256 << 20) };
	if (oci_cgroup_update(&b.cg, &r, &e) < 0)
		fail_msg("%s", e.text);
	r = (struct oci_resources){ .memory.limit = NUM(4096), .memory.check_before_update = true };
	fails(oci_cgroup_update(&b.cg, &r, &e), -EBUSY, &e, "linux.resources.memory.limit: 4096 bytes are less");
	/* No limit at all for memory takes the one for swap away as well. */
	r = (struct oci_resources){ .memory.limit = NUM(-1) };
	if (oci_cgroup_update(&b.cg, &r, &e) < 0)
		fail_msg("%s", e.text);

	/* Somebody else is not let in, not even when it is frozen. */
	struct oci_cgroup other;
	struct oci_cgroup_request rq = { .path = b.path, .id = "y" };
	assert_int_equal(oci_cgroup_plan(&other, &rq, &e), 0);
	fails(oci_cgroup_make(&other, &e), -EBUSY, &e, "linux.cgroupsPath: the cgroup");
	oci_cgroup_close(&other);

	/* Frozen processes die too. */
	if (oci_cgroup_kill(&b.cg, 5000, &e) < 0)
		fail_msg("%s", e.text);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	real_end(&b);
	struct oci_cgroup gone;
	_cleanup_json_ json_t *rec = oci_cgroup_record(&b.cg);
	assert_int_equal(oci_cgroup_open(&gone, rec, &e), 0);
	assert_int_equal(oci_cgroup_kill(&gone, 100, &e), 0);
	assert_int_equal(oci_cgroup_remove(&gone, &e), 0);
	oci_cgroup_close(&gone);
}

static int eats(void)
{
	for (int i = 0; i < 1000; i++) {
		char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 1;
		memset(p, 1, 4 << 20);
	}
	return 0;
}

static void memory_is_bounded_and_told(void **state)
{
	struct oci_resources r = { .memory.limit = NUM(16 << 20), .memory.swap = NUM(16 << 20) };
	_cleanup_close_ int file = -1, event = -1;
	struct error e = { 0 };
	struct real b;
	pid_t pid;
	int status;

	(void)state;
	if (!real_make(&b, "eats"))
		skip();
	if (oci_cgroup_apply(&b.cg, &r, &e) < 0)
		fail_msg("%s", e.text);
	event = oci_cgroup_open_oom(&b.cg, &file, &e);
	if (event < 0)
		fail_msg("%s", e.text);
	pid = start(&b, eats);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	struct pollfd p = { .fd = event, .events = POLLIN | POLLPRI };
	assert_int_equal(poll(&p, 1, 2000), 1);
	assert_true(oci_cgroup_oom_kills(&b.cg) >= 1);
	real_end(&b);
	if (event == file)
		event = -1;
}

static char node[64]; /* a node of /dev/kmsg, which is no standard device */

/* 1: /dev/null could be opened, 2: the node for reading, 4: for writing. */
static int opens(void)
{
	int got = 0;

	if (open("/dev/null", O_RDWR | O_CLOEXEC) >= 0)
		got |= 1;
	if (open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
		got |= 2;
	if (open(node, O_WRONLY | O_CLOEXEC) >= 0)
		got |= 4;
	return got;
}

static int code_of(struct real *b)
{
	int status;
	pid_t pid = start(b, opens);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Leaves a hybrid machine's v2 tree alone, as if it were all there is. */
static bool only_v2(struct real *b)
{
	size_t k = 0;

	for (size_t i = 0; i < b->cg.n; i++) {
		struct oci_cgroup one = { .version = 1, .n = 1, .h = { b->cg.h[i] } };

		if (!b->cg.h[i].names[0]) {
			b->cg.h[k++] = b->cg.h[i];
			continue;
		}
		real_remove(&one);
		oci_cgroup_close(&one);
	}
	b->cg.n = k;
	b->cg.version = 2;
	return k > 0;
}

static void apply_rules(struct real *b, struct oci_device_rule *rules, size_t n, bool fresh)
{
	struct oci_resources r = { .devices = rules, .n_devices = n };
	struct error e = { 0 };

	if (oci_devices_apply(&b->cg, &r, fresh, &e) < 0)
		fail_msg("%s", e.text);
}

/* The kernel obeys: v1's lists, and v2's program, also where v2 stands beside v1. */
static void devices_are_refused(bool v2)
{
	struct oci_device_rule deny_all = { false, 'a', -1, -1, "rwm" }, may_read[] = { deny_all, { true, 'c', 1, 11, "r" } },
			       all = { true, 'a', -1, -1, "rwm" }, but[] = { all, { false, 'c', 1, 11, "w" } };
	char dir[] = "/var/tmp/brig-cgroup-oci-XXXXXX";
	struct real b;

	if (!real_make(&b, v2 ? "bpf" : "list"))
		skip();
	if (v2 && b.cg.version == 1 && !only_v2(&b))
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(node, sizeof(node), "%s/kmsg", dir);
	assert_int_equal(mknod(node, S_IFCHR | 0666, makedev(1, 11)), 0);
	assert_int_equal(code_of(&b), 7);
	apply_rules(&b, NULL, 0, true);
	assert_int_equal(code_of(&b), 1);
	apply_rules(&b, may_read, 2, false);
	assert_int_equal(code_of(&b), 3);
	apply_rules(&b, &all, 1, false);
	assert_int_equal(code_of(&b), 7);
	apply_rules(&b, but, 2, false);
	assert_int_equal(code_of(&b), 3);
	apply_rules(&b, &deny_all, 1, false);
	assert_int_equal(code_of(&b), 1);
	path_remove_tree(AT_FDCWD, dir);
	real_end(&b);
}

static void v1_lists(void **state)
{
	(void)state;
	devices_are_refused(false);
}

static void v2_programs(void **state)
{
	(void)state;
	devices_are_refused(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives_and_dies),
		cmocka_unit_test(memory_is_bounded_and_told),
		cmocka_unit_test(v1_lists),
		cmocka_unit_test(v2_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
