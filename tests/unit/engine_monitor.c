/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's loop over a plain child in place of a container, in this process and as the real brig-monitor (its path is
 * in BRIG_TEST_MONITOR). For the latter this program is its own front: executed as `brig __after ...` it writes down what it
 * was given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "engine/attach.h"
#include "engine/monitor_loop.h"
#include "engine/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/monitor-unit-XXXXXX";

struct fake {
	struct monitor_kit kit;
	int dir;
	char path[64];
};

static int container_sleep(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

/* Starts `main` with pipes as the container's pid 1 would have them. */
static void start(struct fake *f, int (*body)(void *), void *arg)
{
	int in[2], out[2], err[2];

	snprintf(f->path, sizeof(f->path), "%s/XXXXXX", folder);
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	monitor_kit_init(&f->kit);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		close_range(3, ~0U, 0);
		_exit(body(arg));
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	snprintf(f->kit.id, sizeof(f->kit.id), "%064d", pid);
	f->kit.pid = pid;
	f->kit.pid_start = proc_start_time(pid);
	f->kit.owner = getuid();
	f->kit.log_size = 1 << 20;
	f->kit.log_files = 3;
	f->kit.stop_timeout_s = 1;
	f->kit.fd[MFD_PIDFD] = proc_pidfd(pid);
	f->kit.fd[MFD_DIR] = f->dir;
	f->kit.fd[MFD_STDIN] = in[1];
	f->kit.fd[MFD_STDOUT] = out[0];
	f->kit.fd[MFD_STDERR] = err[0];
	f->kit.fd[MFD_LISTEN] = attach_listen(f->dir, NULL);
	assert_true(f->kit.fd[MFD_LISTEN] >= 0);
}

static void finish(struct fake *f)
{
	for (int i = 0; i < MFD_COUNT; i++)
		if (f->kit.fd[i] >= 0)
			close(f->kit.fd[i]);
}

static char *contents(struct fake *f, const char *name)
{
	char *text = NULL;

	assert_int_equal(file_read(f->dir, name, 1 << 24, &text, NULL), 0);
	return text;
}

static bool exists(struct fake *f, const char *name)
{
	return faccessat(f->dir, name, F_OK, 0) == 0;
}

static int say_and_exit(void *arg)
{
	(void)arg;
	dprintf(1, "to stdout\n");
	dprintf(2, "to stderr\nunfinished");
	return 7;
}

static void test_output_and_status(void **state)
{
	struct monitor_end end = { 0 };
	struct fake f;
	(void)state;

	start(&f, say_and_exit, NULL);
	assert_int_equal(monitor_foreground(&f.kit, NULL, &end, NULL), MONITOR_ENDED);
	assert_true(WIFEXITED(end.status));
	assert_int_equal(WEXITSTATUS(end.status), 7);
	assert_int_equal(end.reason, MONITOR_EXITED);
	_cleanup_free_ char *log = contents(&f, "log");
	assert_non_null(strstr(log, "{\"log\":\"to stdout\\n\",\"stream\":\"stdout\",\"time\":\"20"));
	assert_non_null(strstr(log, "{\"log\":\"to stderr\\n\",\"stream\":\"stderr\""));
	assert_non_null(strstr(log, "{\"log\":\"unfinished\",\"stream\":\"stderr\""));
	finish(&f);
}

static int stubborn(void *arg)
{
	(void)arg;
	signal(SIGTERM, SIG_IGN);
	dprintf(1, "ready\n");
	for (;;)
		pause();
	return 0;
}

/* The container of a monitor that gets SIGTERM ends, even when it ignores the stop signal. */
static void test_stop(void **state)
{
	struct monitor_end end = { 0 };
	struct fake f;
	(void)state;

	start(&f, stubborn, NULL);
	pid_t killer = fork();
	if (killer == 0) {
		usleep(200000);
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	assert_int_equal(monitor_foreground(&f.kit, NULL, &end, NULL), MONITOR_ENDED);
	assert_true(WIFSIGNALED(end.status));
	assert_int_equal(WTERMSIG(end.status), SIGKILL);
	assert_int_equal(end.reason, MONITOR_STOPPED);
	proc_wait(killer);
	finish(&f);
}

/* What the monitor executes: writes its arguments and descriptors down. */
static int front_main(int argc, char **argv)
{
	struct monitor_kit kit;
	struct error e = { 0 };
	char text[512];
	size_t n = 0;

	if (monitor_kit_read(MONITOR_KIT_FD, &kit, &e) < 0)
		return 3;
	for (int i = 1; i < argc; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", argv[i]);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "nnp=%d seccomp=%d lock=%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
			      prctl(PR_GET_SECCOMP, 0, 0, 0, 0), kit.fd[MFD_LOCK]);
	if (file_replace(kit.fd[MFD_DIR], argv[1], text, n, 0600, false) < 0)
		return 4;
	if (!strcmp(argv[1], "__usage")) {
		char over[8];

		return file_read_line(kit.fd[MFD_DIR], "over", over, sizeof(over)) == 0 ? USAGE_OVER : 0;
	}
	return 0;
}

/* A process like the one that starts a detached container. Returns its pid; `f` is closed here but its folder. */
static pid_t detach(struct fake *f, int (*body)(void *), void *arg, void (*change)(struct monitor_kit *))
{
	int ready[2];
	struct error e = { 0 };

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		start(f, body, arg);
		f->kit.fd[MFD_FRONT] = open("/proc/self/exe", O_PATH | O_CLOEXEC);
		f->kit.fd[MFD_LOCK] = openat(f->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		flock(f->kit.fd[MFD_LOCK], LOCK_EX);
		if (change)
			change(&f->kit);
		if (write(ready[1], f, sizeof(*f)) < 0)
			_exit(98);
		setsid();
		monitor_exec_at(getenv("BRIG_TEST_MONITOR"), &f->kit, &e);
		dprintf(2, "%s\n", e.text);
		_exit(99);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], f, sizeof(*f)), sizeof(*f));
	/* End of file: executed. */
	char c;
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	f->dir = open(f->path, O_DIRECTORY | O_CLOEXEC);
	return pid;
}

static long smaps(pid_t pid, const char *field)
{
	_cleanup_free_ char *text = NULL;
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	if (file_read(AT_FDCWD, path, 1 << 16, &text, NULL) < 0)
		return -1;
	at = strstr(text, field);
	return at ? strtol(at + strlen(field), NULL, 10) : -1;
}

static void no_change(struct monitor_kit *kit)
{
	kit->keep[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	kit->n_keep = 1;
}

static pid_t mover_of(pid_t keeper)
{
	char path[64], line[64], comm[32];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", keeper, keeper);
	for (int i = 0; i < 500; i++, usleep(10000)) {
		char *p = line, *end;
		long pid;

		assert_int_equal(file_read_line(AT_FDCWD, path, line, sizeof(line)), 0);
		for (; (pid = strtol(p, &end, 10)) > 0; p = end) {
			char name[64];

			snprintf(name, sizeof(name), "/proc/%ld/comm", pid);
			if (file_read_line(AT_FDCWD, name, comm, sizeof(comm)) == 0 && !strcmp(comm, "brig-monitor"))
				return (pid_t)pid;
		}
	}
	fail_msg("no mover");
	return 0;
}

static void assert_status(pid_t pid, const char *line)
{
	_cleanup_free_ char *status = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 16, &status, NULL), 0);
	assert_non_null(strstr(status, line));
}

static unsigned count_fds(pid_t pid)
{
	char path[64];
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return n;
}

static void test_detached(void **state)
{
	char path[64], link[128], line[1024];
	struct fake f;
	(void)state;

	if (!getenv("BRIG_TEST_MONITOR"))
		skip();
	pid_t pid = detach(&f, container_sleep, NULL, no_change);
	struct attach_status st;
	assert_int_equal(attach_ping(f.dir, &st, NULL), 0);
	assert_int_equal(st.pid, f.kit.pid);
	usleep(1500000);
	pid_t mover = mover_of(pid);
	static const char *const what[] = { "Pss:", "Private_Dirty:", "Private_Clean:", "Pss_Anon:" };
	for (size_t i = 0; i < ARRAY_SIZE(what); i++)
		print_message("idle: %-14s keeper %ld kB, mover %ld kB\n", what[i], smaps(pid, what[i]), smaps(mover, what[i]));
#ifndef BRIG_SANITIZED
	if (geteuid() == 0) {
		/* The budget of an idle detached container. */
		assert_in_range(smaps(pid, "Pss:") + smaps(mover, "Pss:"), 1, 300);
		assert_in_range(smaps(pid, "Private_Dirty:") + smaps(mover, "Private_Dirty:"), 1, 150);
	}
#endif
	assert_status(mover, "NoNewPrivs:\t1");
	assert_status(mover, "Seccomp:\t2");
	/* Nobody but root looks into the descriptors of a process that cannot be dumped. */
	if (geteuid() == 0) {
		/* The container, the listener, the folder, the log, the keeper's pipe and three times /dev/null. */
		assert_int_equal(count_fds(mover), 3 + 3 + 5 - 1);
		snprintf(path, sizeof(path), "/proc/%d/fd/0", mover);
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		assert_true(n > 0);
		link[n] = 0;
		assert_string_equal(link, "/dev/null");
	}
	/* SIGHUP is nothing to a monitor; SIGTERM stops the container. */
	kill(pid, SIGHUP);
	kill(pid, SIGTERM);
	assert_int_equal(proc_wait(pid), 0);
	assert_int_equal(file_read_line(f.dir, "__after", line, sizeof(line)), 0);
	char want[256];
	/* What runs afterwards has nothing of the mover's confinement. */
	snprintf(want, sizeof(want), "__after %s %d stopped nnp=0 seccomp=0 lock=", f.kit.id, SIGTERM);
	assert_memory_equal(line, want, strlen(want));
	close(f.dir);
}

/* Without its mover a container has nobody who answers for it: it is killed, and what runs afterwards hears why. */
static void test_mover_dies(void **state)
{
	struct fake f;
	(void)state;

	if (!getenv("BRIG_TEST_MONITOR"))
		skip();
	pid_t pid = detach(&f, container_sleep, NULL, NULL);
	kill(mover_of(pid), SIGKILL);
	assert_int_equal(proc_wait(pid), 0);
	_cleanup_free_ char *after = contents(&f, "__after");
	assert_non_null(strstr(after, " 9 broken "));
	_cleanup_free_ char *events = contents(&f, "events");
	assert_non_null(strstr(events, "\"Action\":\"monitor_died\""));
	close(f.dir);
}

/* And a mover does not outlive its keeper. */
static void test_keeper_dies(void **state)
{
	struct fake f;
	(void)state;

	if (!getenv("BRIG_TEST_MONITOR"))
		skip();
	pid_t pid = detach(&f, container_sleep, NULL, NULL), mover = mover_of(pid);
	int pidfd = proc_pidfd(mover);
	kill(pid, SIGKILL);
	proc_wait(pid);
	assert_int_equal(proc_pidfd_wait(pidfd, 5000), 1);
	/* The fake has no parent death signal of its own. */
	kill(f.kit.pid, SIGKILL);
	close(pidfd);
	close(f.dir);
}

static int say_much(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++)
		dprintf(1 + i % 2, "line %d of what a container says\n", i);
	return 3;
}

static void test_detached_output(void **state)
{
	struct fake f;
	(void)state;

	if (!getenv("BRIG_TEST_MONITOR"))
		skip();
	pid_t pid = detach(&f, say_much, NULL, NULL);
	assert_int_equal(proc_wait(pid), 0);
	_cleanup_free_ char *after = contents(&f, "__after");
	assert_non_null(strstr(after, " 768 exited "));
	_cleanup_free_ char *log = contents(&f, "log");
	assert_non_null(strstr(log, "{\"log\":\"line 19999 of what a container says\\n\",\"stream\":\"stderr\""));
	assert_true(exists(&f, "log.1"));
	close(f.dir);
}

static void with_health(struct monitor_kit *kit)
{
	kit->health_interval_ns = 100 * NS_PER_MS;
	kit->health_timeout_ns = NS_PER_S;
}

static void test_health_runs(void **state)
{
	struct fake f;
	(void)state;

	if (!getenv("BRIG_TEST_MONITOR"))
		skip();
	pid_t pid = detach(&f, container_sleep, NULL, with_health);
	for (int i = 0; i < 50 && !exists(&f, "__health"); i++)
		usleep(100000);
	assert_true(exists(&f, "__health"));
	kill(f.kit.pid, SIGKILL);
	assert_int_equal(proc_wait(pid), 0);
	_cleanup_free_ char *after = contents(&f, "__after");
	assert_non_null(strstr(after, " 9 exited "));
	close(f.dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status), cmocka_unit_test(test_stop), cmocka_unit_test(test_detached),
		cmocka_unit_test(test_health_runs), cmocka_unit_test(test_mover_dies), cmocka_unit_test(test_keeper_dies),
		cmocka_unit_test(test_detached_output),
	};
	int r;

	if (argc > 2 && !strncmp(argv[1], "__", 2))
		return front_main(argc, argv);
	if (!mkdtemp(folder))
		return 1;
	r = cmocka_run_group_tests_name("engine_monitor", tests, NULL, NULL);
	path_remove_tree(AT_FDCWD, folder);
	return r;
}
