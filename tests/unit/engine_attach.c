/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the attach socket, good and bad, at a monitor that runs in a child with a plain process as its container. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "engine/attach.h"
#include "engine/monitor.h"
#include "engine/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/monitor-attach-XXXXXX";

struct served {
	int dir;
	pid_t monitor;
};

static struct served serve(int (*body)(void), bool tty)
{
	char path[64];
	struct served s;
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, master = -1, slave = -1;

	snprintf(path, sizeof(path), "%s/XXXXXX", folder);
	assert_non_null(mkdtemp(path));
	chmod(path, 0755);
	s.dir = open(path, O_DIRECTORY | O_CLOEXEC);
	int listen = attach_listen(s.dir, NULL);
	assert_true(listen >= 0);
	s.monitor = fork();
	if (s.monitor > 0) {
		close(listen);
		return s;
	}
	struct monitor_kit kit;
	struct monitor_end end = { 0 };
	monitor_kit_init(&kit);
	if (tty) {
		master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		grantpt(master);
		unlockpt(master);
		slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	} else if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
		_exit(1);
	}
	pid_t pid = fork();
	if (pid == 0) {
		dup2(tty ? slave : in[0], 0);
		dup2(tty ? slave : out[1], 1);
		close_range(3, ~0U, 0);
		_exit(body());
	}
	close(tty ? slave : in[0]);
	close(out[1]);
	snprintf(kit.id, sizeof(kit.id), "test");
	kit.pid = pid;
	kit.owner = getuid();
	kit.stdin_once = 1;
	kit.fd[MFD_PIDFD] = proc_pidfd(pid);
	kit.fd[MFD_DIR] = s.dir;
	kit.fd[MFD_LISTEN] = listen;
	kit.fd[MFD_STDIN] = in[1];
	kit.fd[MFD_STDOUT] = out[0];
	kit.fd[MFD_TTY] = master;
	int r = monitor_foreground(&kit, NULL, &end, NULL);
	_exit(r == MONITOR_ENDED ? proc_exit_code(end.status) : 99);
}

static void end(struct served *s, int code)
{
	assert_int_equal(proc_exit_code(proc_wait(s->monitor)), code);
	close(s->dir);
}

static int echo(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) != n)
			return 2;
	return 5;
}

static int hello(int dir, uint32_t want)
{
	struct attach_hello h = { want };
	char msg[1 + sizeof(h)] = { ATTACH_HELLO };
	int fd = attach_connect(dir, NULL);

	assert_true(fd >= 0);
	memcpy(msg + 1, &h, sizeof(h));
	assert_int_equal(socket_send(fd, msg, sizeof(msg), NULL, 0), 0);
	assert_int_equal(recv(fd, msg, sizeof(msg), 0), 1);
	assert_int_equal(msg[0], ATTACH_READY);
	return fd;
}

/* The next message within five seconds; 0: end of file. */
static ssize_t next(int fd, char msg[ATTACH_MAX])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 5000), 1);
	ssize_t n = recv(fd, msg, ATTACH_MAX, 0);
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

static void test_echo_and_exit(void **state)
{
	struct served s = serve(echo, false);
	int fd = hello(s.dir, ATTACH_WANT_STDIN | ATTACH_WANT_STDOUT), watcher = hello(s.dir, ATTACH_WANT_STDOUT),
	    waiter = hello(s.dir, 0);
	char msg[ATTACH_MAX];
	struct attach_status st;
	int32_t status;
	(void)state;

	assert_int_equal(attach_ping(s.dir, &st, NULL), 0);
	assert_int_equal(st.clients, 3);
	assert_int_equal(socket_send(fd, "ihello", 6, NULL, 0), 0);
	assert_int_equal(next(fd, msg), 6);
	assert_memory_equal(msg, "Ohello", 6);
	assert_int_equal(next(watcher, msg), 6);
	assert_memory_equal(msg, "Ohello", 6);
	assert_int_equal(socket_send(fd, "e", 1, NULL, 0), 0);
	int all[] = { fd, watcher, waiter };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(next(all[i], msg), 1 + sizeof(status));
		assert_int_equal(msg[0], ATTACH_EXIT);
		memcpy(&status, msg + 1, sizeof(status));
		assert_int_equal(WEXITSTATUS(status), 5);
		close(all[i]);
	}
	end(&s, 5);
}

/* What is no sound message ends that client and nobody else. */
static void test_bad_messages(void **state)
{
	static const struct {
		const char *msg;
		size_t n;
	} bad[] = { { "X", 1 }, { "H", 1 }, { "H\x08\0\0\0", 5 }, { "ino hello", 9 }, { "e", 1 }, { "s\1\0", 3 }, { "pp", 2 },
		    { "H\1\0\0\0\0", 6 } };
	struct served s = serve(echo, false);
	int good = hello(s.dir, ATTACH_WANT_STDIN | ATTACH_WANT_STDOUT);
	char msg[ATTACH_MAX];
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = attach_connect(s.dir, NULL);

		assert_true(fd >= 0);
		assert_int_equal(socket_send(fd, bad[i].msg, bad[i].n, NULL, 0), 0);
		assert_int_equal(next(fd, msg), 0);
		close(fd);
	}
	assert_int_equal(socket_send(good, "istill", 6, NULL, 0), 0);
	assert_int_equal(next(good, msg), 6);
	assert_int_equal(socket_send(good, "e", 1, NULL, 0), 0);
	close(good);
	end(&s, 5);
}

/* CASES C07: many clients that never read. They are dropped in time, the rest is served, the monitor does not grow. */
static void test_never_read(void **state)
{
	struct served s = serve(echo, false);
	int good = hello(s.dir, ATTACH_WANT_STDIN | ATTACH_WANT_STDOUT), lazy[40];
	static char chunk[ATTACH_MAX], msg[ATTACH_MAX];
	uint64_t start = clock_monotonic_ns(), got = 0, sent = 0;
	char path[64], before[256], after[256];
	(void)state;

	snprintf(path, sizeof(path), "/proc/%d/statm", s.monitor);
	for (size_t i = 0; i < ARRAY_SIZE(lazy); i++)
		lazy[i] = hello(s.dir, ATTACH_WANT_STDOUT);
	assert_int_equal(file_read_line(AT_FDCWD, path, before, sizeof(before)), 0);
	memset(chunk, 'x', sizeof(chunk));
	chunk[0] = ATTACH_STDIN;
	while (got < 2 << 20) {
		struct pollfd p = { .fd = good, .events = (short)(POLLIN | (sent < 2 << 20 ? POLLOUT : 0)) };
		ssize_t n;

		if (sent < 2 << 20 && send(good, chunk, 8193, MSG_DONTWAIT) == 8193)
			sent += 8192;
		while ((n = recv(good, msg, sizeof(msg), MSG_DONTWAIT)) > 1)
			got += (uint64_t)n - 1;
		assert_true(poll(&p, 1, 15000) > 0 || got == 2 << 20);
		if (clock_monotonic_ns() - start > 60000000000u)
			fail_msg("not served");
	}
	struct attach_status st;
	assert_int_equal(attach_ping(s.dir, &st, NULL), 0);
	assert_int_equal(st.clients, 1);
	assert_int_equal(file_read_line(AT_FDCWD, path, after, sizeof(after)), 0);
	assert_in_range(strtol(strchr(after, ' '), NULL, 10), 0, strtol(strchr(before, ' '), NULL, 10) + 64);
	for (size_t i = 0; i < ARRAY_SIZE(lazy); i++)
		close(lazy[i]);
	assert_int_equal(socket_send(good, "e", 1, NULL, 0), 0);
	close(good);
	end(&s, 5);
}

/* There is room for so many; others are refused until one leaves. */
static void test_too_many(void **state)
{
	struct served s = serve(echo, false);
	int fd[ATTACH_CLIENTS], more;
	char msg[ATTACH_MAX];
	(void)state;

	for (int i = 0; i < ATTACH_CLIENTS; i++)
		fd[i] = hello(s.dir, i ? 0 : ATTACH_WANT_STDIN);
	more = attach_connect(s.dir, NULL);
	assert_true(more >= 0);
	assert_int_equal(next(more, msg), 0);
	close(more);
	close(fd[1]);
	usleep(100000);
	fd[1] = hello(s.dir, 0);
	assert_int_equal(socket_send(fd[0], "e", 1, NULL, 0), 0);
	for (int i = 0; i < ATTACH_CLIENTS; i++)
		close(fd[i]);
	end(&s, 5);
}

/* Another user is turned away even where the socket's mode would let it in. */
static void test_other_user(void **state)
{
	struct served s;
	(void)state;

	if (geteuid() != 0) {
		print_message("SKIP: needs root\n");
		skip();
	}
	s = serve(echo, false);
	int fd = hello(s.dir, ATTACH_WANT_STDIN);
	chmod(folder, 0755);
	assert_int_equal(fchmodat(s.dir, "attach", 0666, 0), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct attach_status st;

		if (setresuid(54321, 54321, 54321) < 0)
			_exit(3);
		_exit(attach_ping(s.dir, &st, NULL) == 0 ? 1 : 0);
	}
	assert_int_equal(proc_wait(pid), 0);
	assert_int_equal(socket_send(fd, "e", 1, NULL, 0), 0);
	close(fd);
	end(&s, 5);
}

static int terminal_size(void)
{
	struct winsize w = { 0 };

	for (int i = 0; i < 500; i++, usleep(10000))
		if (ioctl(0, TIOCGWINSZ, &w) == 0 && w.ws_row == 33 && w.ws_col == 111)
			return 7;
	return 1;
}

static void test_resize(void **state)
{
	struct served s = serve(terminal_size, true);
	(void)state;

	assert_int_equal(attach_resize(s.dir, 33, 111, NULL), 0);
	end(&s, 7);
}

static void test_keys(void **state)
{
	struct relay r;
	(void)state;

	relay_init(&r);
	assert_int_equal(r.n_keys, 2);
	assert_int_equal(relay_parse_keys(&r, "ctrl-a,x,ctrl-@", NULL), 0);
	assert_int_equal(r.n_keys, 3);
	assert_memory_equal(r.keys, "\x01x\0", 3);
	assert_int_equal(relay_parse_keys(&r, "", NULL), 0);
	assert_int_equal(r.n_keys, 0);
	assert_int_equal(relay_parse_keys(&r, "ctrl-", NULL), -EINVAL);
	assert_int_equal(relay_parse_keys(&r, "xy", NULL), -EINVAL);
	assert_int_equal(relay_parse_keys(&r, "a,a,a,a,a,a,a,a,a", NULL), -EINVAL);
}

/* Bytes of any kind through relay_run() and back, with a half-closed stdin, are the same bytes. */
static void test_relay_bytes(void **state)
{
	int in[2], out[2], from, to, status = -1;
	char path[64];
	static char sent[300000], back[sizeof(sent) + 1];
	struct relay r;
	(void)state;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7 + i / 251);
	snprintf(path, sizeof(path), "%s/from", folder);
	from = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(from, sent, sizeof(sent)), 0);
	lseek(from, 0, SEEK_SET);
	snprintf(path, sizeof(path), "%s/to", folder);
	to = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close_range(3, ~0U, 0);
		_exit(echo());
	}
	close(in[0]);
	close(out[1]);
	relay_init(&r);
	r.in = from;
	r.out = to;
	assert_int_equal(relay_open(&r, NULL), 0);
	struct relay_process p = { .pid = pid, .pidfd = proc_pidfd(pid), .in = in[1], .out = out[0], .err = -1, .tty = -1,
				   .notify = -1, .dir = -1 };
	assert_int_equal(relay_run(&r, &p, &status, NULL), RELAY_ENDED);
	relay_close(&r);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(pread(to, back, sizeof(back), 0), sizeof(sent));
	assert_memory_equal(back, sent, sizeof(sent));
	close(p.pidfd);
	close(from);
	close(to);
}

/* A monitor that ended with a message of ours unread resets the connection; the exit status it sent still counts. */
static void test_relay_reset(void **state)
{
	int pair[2], status = -1;
	const int32_t sent = 3 << 8;
	char msg[1 + sizeof(sent)] = { ATTACH_EXIT };
	struct relay r;
	(void)state;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	relay_init(&r);
	r.in = r.out = r.err = -1;
	assert_int_equal(relay_open(&r, NULL), 0);
	assert_int_equal(relay_hello(&r, pair[0], NULL), 0);
	memcpy(msg + 1, &sent, sizeof(sent));
	assert_int_equal(send(pair[1], msg, sizeof(msg), 0), sizeof(msg));
	close(pair[1]);
	assert_int_equal(relay_attach(&r, pair[0], -1, &status, NULL), RELAY_ENDED);
	assert_int_equal(status, sent);
	relay_close(&r);
	close(pair[0]);

	/* Without one it is an error. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	relay_init(&r);
	r.in = r.out = r.err = -1;
	assert_int_equal(relay_open(&r, NULL), 0);
	assert_int_equal(relay_hello(&r, pair[0], NULL), 0);
	close(pair[1]);
	assert_int_equal(relay_attach(&r, pair[0], -1, &status, NULL), -ECONNRESET);
	relay_close(&r);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_and_exit), cmocka_unit_test(test_bad_messages), cmocka_unit_test(test_never_read),
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_other_user), cmocka_unit_test(test_resize),
		cmocka_unit_test(test_keys), cmocka_unit_test(test_relay_bytes),
		cmocka_unit_test(test_relay_reset),
	};
	int r;

	if (!mkdtemp(folder))
		return 1;
	r = cmocka_run_group_tests_name("engine_attach", tests, NULL, NULL);
	path_remove_tree(AT_FDCWD, folder);
	return r;
}
