/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "confine/landlock.h"

static char top[] = "/tmp/brig-landlock-XXXXXX";
static int abi;

static void put(const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", top, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void folder(const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", top, name);

	assert_int_equal(mkdir(path, 0755), 0);
}

static int setup(void **state)
{
	(void)state;
	abi = landlock_abi();
	if (!mkdtemp(top))
		return -1;
	folder("root");
	folder("root/data");
	folder("root/data/sub");
	folder("root/other");
	folder("root/mounted");
	folder("root/proc");
	folder("root/sys");
	folder("root/dev");
	put("root/file", "before");
	put("root/data/old", "before");
	put("root/other/old", "before");
	put("root/proc/knob", "before");
	put("root/sys/knob", "before");
	put("root/dev/node", "before");
	put("root/mounted/old", "before");
	put("outside", "before");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, top);
}

/* The specification under test: made before the fork, used in the child. */
static struct spec spec;
static bool joining;
static int report_fd, outside_fd;

static void lower(const char *detail)
{
	spec.lower = xrealloc(spec.lower, spec.n_lower + 1, sizeof(*spec.lower));
	spec.lower[spec.n_lower++] = (struct spec_lower){ xstrdup("landlock"), xstrdup(detail) };
}

static void declare(const char *target)
{
	spec_add_mount(&spec, "bind", target, target, NULL, 0)->writable = true;
}

static void expose(uint16_t port)
{
	spec.expose_tcp = xrealloc(spec.expose_tcp, spec.n_expose_tcp + 1, sizeof(uint16_t));
	spec.expose_tcp[spec.n_expose_tcp++] = port;
}

static int begin(void **state)
{
	(void)state;
	spec_init(&spec);
	joining = false;
	return 0;
}

static int end(void **state)
{
	(void)state;
	spec_free(&spec);
	return 0;
}

static void child_expect(const char *what, long found, long wanted)
{
	if (found == wanted)
		return;
	dprintf(report_fd, "%s: %s, expected %s\n", what, found ? error_name((int)-found) : "success",
		wanted ? error_name((int)-wanted) : "success");
	_exit(1);
}
#define expect(call, wanted) child_expect(#call, (call), (wanted))

/* Runs `inside` in a child behind the wall, with the test's root as its root when that is asked for. */
static void behind(bool in_root, void (*inside)(void))
{
	static struct plan p;
	struct launch l = { .plan = &p, .root_fd = -1, .notify_fd = -1, .proc_fd = -1, .joining = joining };
	_cleanup_free_ char *root = xasprintf("%s/root", top);
	struct error e = { 0 };
	char text[1024] = "";
	int out[2];
	pid_t pid;

	if (abi < 6) {
		print_message("SKIP: Landlock ABI %d, these tests need 6\n", abi);
		skip();
	}
	if (in_root && geteuid() != 0) {
		print_message("SKIP: needs root for chroot\n");
		skip();
	}
	assert_int_equal(pipe(out), 0);
	/* Without a root of its own the self-test's /proc would lie below a writable /. */
	spec.root.read_only |= !in_root;
	p.spec = &spec;
	assert_int_equal(wall_landlock.plan(&spec, &p, &e), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_IGN);
		signal(SIGSEGV, SIG_DFL);
		report_fd = out[1];
		outside_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
		l.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || (in_root && (chroot(root) < 0 || chdir("/") < 0)))
			child_expect("setup", -errno, 0);
		if (wall_landlock.raise(&l, &e) < 0) {
			dprintf(report_fd, "raise: %s\n", e.text);
			_exit(2);
		}
		inside();
		_exit(0);
	}
	close(out[1]);
	if (read(out[0], text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(out[0]);
	if (proc_exit_code(proc_wait(pid)) != 0)
		fail_msg("in the child: %s", text[0] ? text : "died");
}

static int do_open(const char *path, int flags)
{
	_cleanup_close_ int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : 0;
}

static int sys(int r)
{
	return r < 0 ? -errno : 0;
}

static int do_bind(uint16_t port)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sys(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static void assert_file(const char *name, const char *wanted)
{
	_cleanup_free_ char *path = xasprintf("%s/root/%s", top, name);
	char text[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	assert_string_equal(text, wanted);
}

static void inside_read_only_root(void)
{
	expect(do_open("/data/new", O_WRONLY | O_CREAT), 0);
	expect(do_open("/data/old", O_WRONLY), 0);
	expect(sys(rename("/data/new", "/data/sub/new")), 0);
	expect(sys(truncate("/data/sub/new", 3)), 0);
	expect(sys(unlink("/data/sub/new")), 0);
	expect(sys(mkfifo("/data/fifo", 0600)), 0);
	expect(sys(unlink("/data/fifo")), 0);
	expect(sys(symlink("/other/old", "/data/link")), 0);
	expect(do_open("/data/link", O_WRONLY | O_TRUNC), -EACCES);
	expect(sys(unlink("/data/link")), 0);
	/* no device, not even where all else may be made */
	expect(sys(mknod("/data/null", S_IFCHR | 0600, makedev(1, 3))), -EACCES);
	expect(sys(mknod("/data/disk", S_IFBLK | 0600, makedev(8, 0))), -EACCES);
	/* elsewhere: reading only */
	expect(do_open("/other/old", O_RDONLY), 0);
	expect(do_open("/other/old", O_WRONLY), -EACCES);
	expect(do_open("/other/old", O_RDONLY | O_TRUNC), -EACCES);
	expect(sys(truncate("/other/old", 0)), -EACCES);
	expect(do_open("/other/new", O_WRONLY | O_CREAT), -EACCES);
	expect(sys(unlink("/other/old")), -EACCES);
	expect(sys(mkdir("/other/folder", 0755)), -EACCES);
	expect(sys(rename("/data/old", "/other/moved")), -EACCES);
	expect(sys(link("/data/old", "/other/linked")), -EACCES);
	expect(do_open("/file", O_WRONLY), -EACCES);
	expect(do_open("/proc/knob", O_WRONLY), -EACCES);
	expect(do_open("/sys/knob", O_WRONLY), -EACCES);
	expect(do_open("/dev/node", O_WRONLY), 0);
	expect(do_open("/dev/new", O_WRONLY | O_CREAT), -EACCES);
}

static void read_only_root(void **state)
{
	(void)state;
	spec.root.read_only = true;
	declare("/data");
	behind(true, inside_read_only_root);
	assert_file("other/old", "before");
	assert_file("file", "before");
	assert_file("proc/knob", "before");
}

static void inside_writable_root(void)
{
	expect(do_open("/data/a", O_WRONLY | O_CREAT), 0);
	expect(sys(rename("/data/a", "/other/a")), 0);
	expect(sys(unlink("/other/a")), 0);
	expect(do_open("/file", O_WRONLY), 0);
	expect(do_open("/new", O_WRONLY | O_CREAT), 0);
	expect(sys(unlink("/new")), 0);
	/* A folder of the host that leaked in: no rule leads to it, so it can be read and not written. */
	expect(sys(openat(outside_fd, "outside", O_WRONLY | O_CLOEXEC)), -EACCES);
	expect(sys(openat(outside_fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), -EACCES);
	expect(sys(unlinkat(outside_fd, "outside", 0)), -EACCES);
	expect(sys(openat(outside_fd, "outside", O_RDONLY | O_CLOEXEC)) >= 0 ? 0 : -1, 0);
}

static void writable_root(void **state)
{
	(void)state;
	spec_add_mount(&spec, "bind", "/x", "/mounted", NULL, 0);
	behind(true, inside_writable_root);
	assert_file("../outside", "before");
}

static void inside_proc(void)
{
	expect(do_open("/proc/knob", O_WRONLY), 0);
	expect(do_open("/sys/knob", O_WRONLY), -EACCES);
}

static void proc_by_name(void **state)
{
	(void)state;
	spec.root.read_only = true;
	lower("proc");
	behind(true, inside_proc);
}

static void inside_fs_lowered(void)
{
	expect(do_open("/sys/knob", O_WRONLY), 0);
	expect(do_bind(23456), -EACCES);
}

static void fs_by_name(void **state)
{
	(void)state;
	lower("fs");
	behind(true, inside_fs_lowered);
}

static void inside_ports(void)
{
	expect(do_bind(23456), 0);
	expect(do_bind(23457), -EACCES);
	expect(do_bind(0), -EACCES);
}

static void declared_ports(void **state)
{
	(void)state;
	/* The self-test must find a port that is not declared. */
	expose(65535);
	expose(23456);
	expose(65534);
	behind(false, inside_ports);
}

static void inside_ephemeral(void)
{
	expect(do_bind(0), 0);
	expect(do_bind(23457), -EACCES);
}

static void ephemeral_by_name(void **state)
{
	(void)state;
	lower("ephemeral");
	behind(false, inside_ephemeral);
}

static void inside_any_port(void)
{
	expect(do_bind(0), 0);
	expect(do_bind(23457), 0);
	expect(do_open("/proc/self/comm", O_WRONLY), -EACCES);
}

static void bind_by_name(void **state)
{
	(void)state;
	lower("bind");
	behind(false, inside_any_port);
}

static int listener = -1;
static struct sockaddr_un listener_name;
static socklen_t listener_len = sizeof(listener_name);

static int do_connect(void)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return sys(connect(fd, (struct sockaddr *)&listener_name, listener_len));
}

static void listen_outside(void)
{
	listener_name.sun_family = AF_UNIX;
	listener_len = sizeof(listener_name);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&listener_name, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&listener_name, &listener_len), 0);
	assert_int_equal(listen(listener, 5), 0);
}

static void inside_scoped(void)
{
	expect(sys(kill(getppid(), 0)), -EPERM);
	expect(do_connect(), -EPERM);
	expect(sys(kill(getpid(), 0)), 0);
}

static void inside_not_scoped(void)
{
	expect(sys(kill(getppid(), 0)), 0);
	expect(do_connect(), 0);
}

static void scopes(void **state)
{
	(void)state;
	listen_outside();
	behind(false, inside_scoped);
	joining = true;
	behind(false, inside_not_scoped);
	joining = false;
	lower("scope");
	behind(false, inside_not_scoped);
	close(listener);
}

static void inside_stdout(void)
{
	_cleanup_free_ char *path = xasprintf("%s/outside", top);

	expect(do_open("/proc/self/fd/1", O_WRONLY), 0);
	expect(do_open(path, O_RDONLY), 0);
	expect(do_open("/proc/self/comm", O_WRONLY), -EACCES);
}

/* A file as stdout can be opened again, as images do with /dev/stdout. */
static void stdout_can_be_reopened(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/outside", top);
	int saved = dup(1), fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)state;
	fflush(stdout);
	spec.root.read_only = true;
	assert_int_equal(dup2(fd, 1), 1);
	behind(false, inside_stdout);
	dup2(saved, 1);
	close(saved);
	close(fd);
}

static int raise_fails(const char *wanted)
{
	static struct plan p;
	struct launch l = { .plan = &p, .root_fd = -1, .notify_fd = -1, .proc_fd = -1 };
	_cleanup_free_ char *root = xasprintf("%s/root", top);
	struct error e = { 0 };
	pid_t pid;

	if (abi < 6 || geteuid() != 0) {
		print_message("SKIP: needs root and Landlock ABI 6\n");
		skip();
	}
	p.spec = &spec;
	assert_int_equal(wall_landlock.plan(&spec, &p, &e), 0);
	pid = fork();
	if (pid == 0) {
		outside_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
		l.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || chroot(root) < 0 || chdir("/") < 0)
			_exit(9);
		if (wall_landlock.raise(&l, &e) == 0)
			_exit(8);
		_exit(strstr(e.text, wanted) ? 0 : 7);
	}
	return proc_exit_code(proc_wait(pid));
}

static void missing_place(void **state)
{
	(void)state;
	declare("/nowhere");
	assert_int_equal(raise_fails("/nowhere"), 0);
}

/* Law 2 on older kernels: the missing part and its flag are named, and accepting it by name is enough. */
static void older_kernels(void **state)
{
	static const struct {
		int abi;
		const char *details[4];
		const char *missing;
	} cases[] = {
		{ 0, { NULL }, "landlock=fs" },
		{ 0, { "fs", NULL }, "landlock=bind" },
		{ 0, { "fs", "bind", NULL }, "landlock=scope" },
		{ 0, { "fs", "bind", "scope", NULL }, NULL },
		{ 2, { NULL }, "landlock=bind" },
		{ 4, { NULL }, "landlock=scope" },
		{ 5, { "scope", NULL }, NULL },
	};
	static struct plan p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = { 0 };
		int r;

		spec_free(&spec);
		for (int k = 0; cases[i].details[k]; k++)
			lower(cases[i].details[k]);
		r = landlock_plan(&spec, cases[i].abi, &p, &e);
		if (cases[i].missing) {
			assert_true(r < 0);
			assert_non_null(strstr(e.text, cases[i].missing));
		} else {
			assert_int_equal(r, 0);
			assert_int_equal(p.wall[WALL_LANDLOCK].intent, INTENT_ABSENT);
		}
	}
	spec_free(&spec);
	{
		/* What brig.conf accepts counts where the kernel lacks it, and lowers nothing where it does not. */
		struct error e = { 0 };

		lower("bind");
		lower("scope");
		spec.lower[0].accept = spec.lower[1].accept = true;
		assert_int_equal(landlock_plan(&spec, 2, &p, &e), 0);
		assert_int_equal(p.wall[WALL_LANDLOCK].intent, INTENT_ABSENT);
		assert_null(strstr(p.wall[WALL_LANDLOCK].text, "scoped; "));
		assert_int_equal(landlock_plan(&spec, 7, &p, &e), 0);
		assert_int_equal(p.wall[WALL_LANDLOCK].intent, INTENT_UP);
		spec_free(&spec);
	}
	{
		struct error e = { 0 };
		struct landlock_scope h;

		assert_int_equal(landlock_plan(&spec, 7, &p, &e), 0);
		assert_int_equal(p.wall[WALL_LANDLOCK].intent, INTENT_UP);
		landlock_handled(&spec, 1, &h);
		assert_true(h.fs != 0 && !(h.fs >> 13) && !h.net && !h.scoped);
		landlock_handled(&spec, 3, &h);
		assert_true(h.fs >> 13 == 3 && !h.net);
		landlock_handled(&spec, 9, &h);
		assert_true(h.fs >> 13 == 7 && h.net == 1 && h.scoped == 3);
	}
	lower("bind");
	{
		struct error e = { 0 };

		assert_int_equal(landlock_plan(&spec, 7, &p, &e), 0);
		assert_int_equal(p.wall[WALL_LANDLOCK].intent, INTENT_LOWERED);
		assert_non_null(strstr(p.wall[WALL_LANDLOCK].note, "bind"));
	}
}

static void proves(void **state)
{
	static struct plan p;
	struct subject self = { .pid = getpid(), .pidfd = -1, .proc_fd = -1 };
	struct evidence ev = { 0 };
	struct error e = { 0 };

	(void)state;
	p.spec = &spec;
	assert_int_equal(landlock_plan(&spec, 7, &p, &e), 0);
	wall_landlock.prove(NULL, &self, &ev);
	assert_int_equal(ev.verdict, VERDICT_UNKNOWN);
	memset(&ev, 0, sizeof(ev));
	lower("fs");
	lower("bind");
	lower("scope");
	assert_int_equal(landlock_plan(&spec, 7, &p, &e), 0);
	wall_landlock.prove(&p, &self, &ev);
	assert_int_equal(ev.verdict, VERDICT_LOWERED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(read_only_root),	  TEST(writable_root), TEST(proc_by_name),
		TEST(fs_by_name),	  TEST(declared_ports), TEST(ephemeral_by_name),  TEST(bind_by_name),
		TEST(scopes),		  TEST(stdout_can_be_reopened), TEST(missing_place),
		TEST(older_kernels),	  TEST(proves),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
