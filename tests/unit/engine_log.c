/* SPDX-License-Identifier: Apache-2.0 */
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
#include "engine/log.h"
#include "engine/monitor_bare.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/monitor-log-XXXXXX";
static struct log_writer w;

/* A fresh folder with an open log. */
static int fresh(uint64_t size, uint32_t files)
{
	char path[64];
	int dir;

	snprintf(path, sizeof(path), "%s/XXXXXX", folder);
	assert_non_null(mkdtemp(path));
	dir = open(path, O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	memset(&w, 0, sizeof(w));
	assert_int_equal(log_open(&w, dir, size, files), 0);
	return dir;
}

struct got {
	struct buf stream[2];
	unsigned entries, starts;
	unsigned stop_after; /* entries; 0: never */
};

static int take(const struct log_entry *en, bool line_start, void *arg)
{
	struct got *g = arg;

	buf_add(&g->stream[en->stream], en->data, en->len);
	g->entries++;
	g->starts += line_start;
	return g->stop_after && g->entries >= g->stop_after ? -ECANCELED : 0;
}

static void read_all(int dir, int64_t tail, struct got *g)
{
	struct log_query q = { .tail = tail, .writer = -1, .entry = take, .arg = g };
	struct error e = { 0 };

	*g = (struct got){ 0 };
	assert_int_equal(log_read(dir, &q, &e), 0);
}

static void free_got(struct got *g)
{
	buf_free(&g->stream[0]);
	buf_free(&g->stream[1]);
}

static void test_format(void **state)
{
	int dir = fresh(1 << 20, 2);
	_cleanup_free_ char *text = NULL;
	(void)state;

	log_write(&w, LOG_STDOUT, "a \"quoted\" \\ line\t\x01\n", 20, 1763967600123456789u);
	log_write(&w, LOG_STDERR, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f\n", 16, 1763967600000000007u);
	log_write(&w, LOG_STDOUT, "na\xefve\x00text\n", 11, 0);
	log_write(&w, LOG_STDOUT, "\xff\x00z\n", 4, 0);
	log_close(&w);
	assert_int_equal(file_read(dir, "log", 4096, &text, NULL), 0);
	assert_string_equal(text,
		"{\"log\":\"a \\\"quoted\\\" \\\\ line\\t\\u0001\\n\",\"stream\":\"stdout\",\"time\":\"2025-11-24T07:00:00.123456789Z\"}\n"
		"{\"log\":\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f\\n\",\"stream\":\"stderr\",\"time\":\"2025-11-24T07:00:00.000000007Z\"}\n"
		"{\"log\":\"na\\ufffdve\\u0000text\\n\",\"b64\":\"bmHvdmUAdGV4dAo=\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00.000000000Z\"}\n"
		"{\"log\":\"\",\"b64\":\"/wB6Cg==\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00.000000000Z\"}\n");
	close(dir);
}

/* Same text as the library function for many moments, leap days among them. */
static void test_time(void **state)
{
	char a[40], b[40];
	(void)state;

	for (uint64_t s = 0; s < 8000000000u; s += 86399 * 7 + 12345) {
		assert_int_equal(bare_time(s * NS_PER_S + s % NS_PER_S, a), 30);
		clock_format(s * NS_PER_S + s % NS_PER_S, b);
		assert_string_equal(a, b);
	}
}

static uint32_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Every line of every file is one JSON object that another parser reads, within the bounds. */
static void check_files(int dir, unsigned files, uint64_t size)
{
	for (unsigned i = 0; i <= files; i++) {
		_cleanup_free_ char *text = NULL;
		char name[32];
		size_t n;

		snprintf(name, sizeof(name), i ? "log.%u" : "log", i);
		if (file_read(dir, name, 1 << 26, &text, &n) < 0) {
			assert_true(i > 0 || errno == ENOENT);
			continue;
		}
		assert_true(i < files);
		assert_true(n <= size);
		for (char *p = text, *nl; p < text + n; p = nl + 1) {
			nl = memchr(p, '\n', (size_t)(text + n - p));
			assert_non_null(nl);
			assert_true(nl + 1 - p <= LOG_ENTRY_MAX);
			json_t *j = json_loadb(p, (size_t)(nl - p), JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
			assert_non_null(j);
			assert_true(json_is_string(json_object_get(j, "log")));
			json_decref(j);
		}
	}
}

/* Whatever is written, in whatever pieces, is what is read. */
static void test_nothing_lost(void **state)
{
	static const char *const kinds[] = { "plain text with words\n", "x", "\n", "\xc3\xa9", "\xe2", "\x82\xac", "\xff", "\0\0\0",
					     "\x1b[31m", "\\\"" };
	(void)state;

	for (int round = 0; round < 40; round++) {
		int dir = fresh(1 << 26, 3);
		struct buf wrote[2] = { 0 };
		struct got g;

		for (int i = 0; i < 300; i++) {
			char piece[40000];
			size_t n = 0, want = rnd(10) ? rnd(200) : rnd(sizeof(piece) - 64);
			enum log_stream s = rnd(2) ? LOG_STDERR : LOG_STDOUT;
			uint32_t kind = rnd(10);

			while (n < want) {
				const char *k = kinds[round % 3 ? kind : rnd(10)];
				size_t len = k[0] ? strlen(k) : 3;

				memcpy(piece + n, k, len);
				n += len;
			}
			buf_add(&wrote[s], piece, n);
			log_write(&w, s, piece, n, bare_now());
			if (rnd(50) == 0)
				log_flush(&w, bare_now());
		}
		log_flush(&w, bare_now());
		log_close(&w);
		assert_int_equal(w.dropped, 0);
		check_files(dir, 3, 1 << 26);
		read_all(dir, -1, &g);
		for (int s = 0; s < 2; s++) {
			assert_int_equal(g.stream[s].len, wrote[s].len);
			if (wrote[s].len > 0)
				assert_memory_equal(g.stream[s].data, wrote[s].data, wrote[s].len);
			buf_free(&wrote[s]);
		}
		free_got(&g);
		close(dir);
	}
}

static void test_rotation_bounds(void **state)
{
	const uint64_t size = 20000;
	int dir = fresh(size, 3);
	struct got g;
	char line[64];
	(void)state;

	for (int i = 0; i < 2000; i++)
		log_write(&w, LOG_STDOUT, line, (size_t)snprintf(line, sizeof(line), "line %d\n", i), bare_now());
	log_close(&w);
	check_files(dir, 3, size);
	read_all(dir, -1, &g);
	/* The last line is there, and what is there is in order. */
	assert_true(g.stream[0].len > 1000);
	assert_non_null(strstr(g.stream[0].data, "line 1998\nline 1999\n"));
	free_got(&g);
	close(dir);

	/* One file only, and one that is smaller than an object. */
	dir = fresh(100, 1);
	memset(line, 'x', sizeof(line));
	line[63] = '\n';
	for (int i = 0; i < 5; i++)
		log_write(&w, LOG_STDOUT, line, 64, bare_now());
	log_close(&w);
	assert_int_equal(faccessat(dir, "log.1", F_OK, 0), -1);
	read_all(dir, -1, &g);
	assert_int_equal(g.stream[0].len, 64);
	free_got(&g);
	close(dir);
}

static void test_tail(void **state)
{
	int dir = fresh(3000, 100);
	struct got g;
	char line[64];
	(void)state;

	for (int i = 0; i < 500; i++)
		log_write(&w, LOG_STDOUT, line, (size_t)snprintf(line, sizeof(line), "%d\n", i), bare_now());
	for (int n = 0; n <= 500; n += n < 60 ? 1 : 37) {
		struct buf want = { 0 };

		for (int i = 500 - n; i < 500; i++)
			buf_printf(&want, "%d\n", i);
		read_all(dir, n, &g);
		assert_int_equal(g.stream[0].len, want.len);
		if (want.len > 0)
			assert_string_equal(g.stream[0].data, want.data);
		assert_int_equal(g.starts, n);
		free_got(&g);
		buf_free(&want);
	}
	/* A long line of many parts is one line; an unfinished one counts. */
	for (int i = 0; i < 5000; i++)
		log_write(&w, LOG_STDOUT, "0123456789", 10, bare_now());
	log_write(&w, LOG_STDOUT, "\nend", 4, bare_now());
	log_flush(&w, bare_now());
	log_close(&w);
	read_all(dir, 2, &g);
	assert_int_equal(g.stream[0].len, 50001 + 3);
	assert_int_equal(g.starts, 2);
	free_got(&g);
	read_all(dir, 3, &g);
	assert_memory_equal(g.stream[0].data, "499\n0123", 8);
	free_got(&g);
	close(dir);
}

static void test_since_until(void **state)
{
	int dir = fresh(1 << 20, 2);
	struct got g = { 0 };
	struct log_query q = { .tail = -1, .writer = -1, .since_ns = 20, .until_ns = 30, .entry = take, .arg = &g };
	(void)state;

	for (uint64_t t = 10; t <= 40; t += 10)
		log_write(&w, LOG_STDOUT, (char[]){ (char)('0' + t / 10), '\n' }, 2, t);
	log_close(&w);
	assert_int_equal(log_read(dir, &q, NULL), 0);
	assert_string_equal(g.stream[0].data, "2\n3\n");
	free_got(&g);
	close(dir);
}

/* A file size limit stands for a full disk: what does not fit is counted, whole lines stay, and later output is logged again. */
static void test_full_disk(void **state)
{
	int dir = fresh(1 << 20, 2);
	struct rlimit old, small = { .rlim_cur = 5000 };
	struct got g;
	char line[200];
	(void)state;

	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	memset(line, 'a', sizeof(line));
	line[199] = '\n';
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 100; i++)
		log_write(&w, LOG_STDOUT, line, sizeof(line), bare_now());
	assert_int_equal(w.error, EFBIG);
	assert_true(w.dropped >= 80 * 200 && w.dropped < 100 * 200);
	assert_int_equal(w.dropped % 200, 0);
	setrlimit(RLIMIT_FSIZE, &old);
	log_write(&w, LOG_STDOUT, "again\n", 6, bare_now());
	assert_int_equal(w.error, 0);
	log_close(&w);
	check_files(dir, 2, 1 << 20);
	read_all(dir, 1, &g);
	assert_string_equal(g.stream[0].data, "again\n");
	free_got(&g);
	close(dir);
}

/* A line cut by a crash of the machine does not spoil the next. */
static void test_cut_line(void **state)
{
	int dir = fresh(1 << 20, 2), fd;
	struct got g;
	(void)state;

	log_write(&w, LOG_STDOUT, "one\n", 4, 1);
	log_close(&w);
	fd = openat(dir, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "{\"log\":\"tw", 10), 10);
	close(fd);
	memset(&w, 0, sizeof(w));
	assert_int_equal(log_open(&w, dir, 1 << 20, 2), 0);
	log_write(&w, LOG_STDOUT, "three\n", 6, 3);
	log_close(&w);
	read_all(dir, -1, &g);
	assert_string_equal(g.stream[0].data, "one\nthree\n");
	free_got(&g);
	close(dir);
}

static void test_decode(void **state)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"log\":\"a\"", "{\"log\":\"a\"}x", "{\"log\":1}", "{\"log\":\"\\ud800\"}", "{\"log\":\"\\x\"}",
		"{\"log\":\"a\",\"stream\":\"stdlog\"}", "{\"b64\":\"AAA\"}", "{\"b64\":\"A=A=\"}", "{\"b64\":\"====\"}",
		"{\"log\":\"a\",\"time\":\"yesterday\"}", "{\"log\":\"a\nb\"}", "{\"log\" \"a\"}", "{\"log\":\"\\u12\"}",
	};
	static struct log_entry en;
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(log_decode(bad[i], strlen(bad[i]), &en), -EINVAL);
	/* As docker writes it, with a pair of surrogates, and members in another order. */
	const char *good = "{\"time\":\"2025-11-24T07:00:00.5Z\",\"stream\":\"stderr\",\"attrs\":\"x\",\"log\":\"\\ud83d\\udc1f\\u003c\\n\"}";
	assert_int_equal(log_decode(good, strlen(good), &en), 0);
	assert_int_equal(en.stream, LOG_STDERR);
	assert_int_equal(en.time_ns, 1763967600500000000u);
	assert_int_equal(en.len, 6);
	assert_memory_equal(en.data, "\xf0\x9f\x90\x9f<\n", 6);
}

/* A follower sees everything through rotations and ends when the writer has. */
static void test_follow(void **state)
{
	int dir = fresh(4000, 50);
	struct got g = { 0 };
	struct log_query q = { .tail = -1, .follow = true, .entry = take, .arg = &g };
	struct buf want = { 0 };
	(void)state;

	log_write(&w, LOG_STDOUT, "first\n", 6, bare_now());
	buf_puts(&want, "first\n");
	pid_t pid = fork();
	if (pid == 0) {
		char line[64];

		for (int i = 0; i < 600; i++) {
			log_write(&w, LOG_STDOUT, line, (size_t)snprintf(line, sizeof(line), "line %d\n", i), bare_now());
			if (i % 50 == 0)
				usleep(20000);
		}
		_exit(0);
	}
	for (int i = 0; i < 600; i++)
		buf_printf(&want, "line %d\n", i);
	q.writer = proc_pidfd(pid);
	assert_int_equal(log_read(dir, &q, NULL), 0);
	assert_string_equal(g.stream[0].data, want.data);
	proc_wait(pid);
	close(q.writer);
	log_close(&w);
	free_got(&g);
	buf_free(&want);
	close(dir);
}

static void speed(const char *what, const char *chunk, size_t n)
{
	int dir = fresh(10 << 20, 3);
	uint64_t start = clock_monotonic_ns(), took;

	for (size_t done = 0; done < 16 << 20; done += n)
		log_write(&w, LOG_STDOUT, chunk, n, bare_now());
	took = clock_monotonic_ns() - start;
	print_message("log of %s: %.0f MB/s\n", what, (16 << 20) / 1e6 / ((double)took / 1e9));
	log_close(&w);
	close(dir);
}

/* Not a test of speed; the figures are for whoever changes the encoder. */
static void test_throughput(void **state)
{
	static char chunk[32768];
	(void)state;

	speed("zeros", chunk, sizeof(chunk));
	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = i % 80 == 79 ? '\n' : (char)('a' + i % 26);
	speed("lines", chunk, sizeof(chunk));
	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = (char)rnd(256);
	speed("noise", chunk, sizeof(chunk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format), cmocka_unit_test(test_time), cmocka_unit_test(test_nothing_lost),
		cmocka_unit_test(test_rotation_bounds), cmocka_unit_test(test_tail), cmocka_unit_test(test_since_until),
		cmocka_unit_test(test_full_disk), cmocka_unit_test(test_cut_line), cmocka_unit_test(test_decode),
		cmocka_unit_test(test_follow), cmocka_unit_test(test_throughput),
	};
	int r;

	if (!mkdtemp(folder))
		return 1;
	r = cmocka_run_group_tests_name("engine_log", tests, NULL, NULL);
	path_remove_tree(AT_FDCWD, folder);
	return r;
}
