/* SPDX-License-Identifier: Apache-2.0 */
/* Work in threads gives the same answer however many there are, and files that are cut while they are mapped end nothing. */
#include "base/cleanup.h"
#include "vet/share.h"
#include "vet/window.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { THINGS = 5000 };

struct count {
	unsigned char done[THINGS];
	uint64_t workers; /* a bit each */
};

/* Some do much, some nothing; the first ones take longest. */
static void one(struct vet *v, size_t i, unsigned worker, void *arg)
{
	struct count *c = arg;
	volatile size_t spin = 0;

	__atomic_fetch_or(&c->workers, UINT64_C(1) << worker, __ATOMIC_RELAXED);
	c->done[i]++;
	for (size_t k = 0; k < (THINGS - i) * 4; k++)
		spin = spin + k;
	for (size_t k = 0; k < i % 4; k++)
		vet_add(v, "c", "r", VET_LOW, NULL, NULL, "w", "%zu.%zu", i, k);
	if (i % 7 == 0)
		vet_not_looked(v, "note %zu", i);
}

static void start(struct vet *v)
{
	vet_add(v, "c", "r", VET_HIGH, NULL, NULL, "w", "before");
	vet_not_looked(v, "a note before");
}

static char *told(struct vet *v)
{
	_cleanup_buf_ struct buf b = { 0 };
	const json_t *note;
	size_t i;

	for (i = 0; i < v->n_findings; i++) {
		struct vet_finding *f = &v->findings[i];

		buf_printf(&b, "%s\n", f->title);
		free((char *)f->check);
		free((char *)f->rule);
		free(f->title);
		free(f->why);
	}
	free(v->findings);
	json_array_foreach(json_object_get(v->facts, "not_looked"), i, note)
		buf_printf(&b, "%s\n", json_string_value(note));
	json_decref(v->facts);
	return buf_steal(&b);
}

static void same_for_any_number(void **state)
{
	static const unsigned jobs[] = { 1, 2, 3, 16, 64 };
	_cleanup_free_ char *first = NULL;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(jobs); k++) {
		struct vet_options options = { .jobs = jobs[k] };
		struct vet v = { .options = &options };
		struct count c = { 0 };
		_cleanup_free_ char *text = NULL;

		assert_int_equal(vet_workers(&v), jobs[k]);
		start(&v);
		vet_share(&v, THINGS, one, &c);
		for (size_t i = 0; i < THINGS; i++)
			assert_int_equal(c.done[i], 1);
		text = told(&v);
		if (!first) {
			assert_int_equal(c.workers, 1);
			assert_int_equal(strncmp(text, "before\n1.0\n2.0\n2.1\n3.0\n", 23), 0);
			assert_non_null(strstr(text, "a note before\nnote 0\nnote 7\n"));
			first = steal_ptr(&text);
		} else {
			assert_string_equal(text, first);
		}
	}
}

static void nothing_to_do(void **state)
{
	struct vet_options options = { .jobs = 4 };
	struct vet v = { .options = &options };
	struct count c = { 0 };

	(void)state;
	vet_share(&v, 0, one, &c);
	assert_int_equal(v.n_findings, 0);
	assert_null(v.facts);
}

static int make_file(size_t n, char fill)
{
	int fd = memfd_create("window", MFD_CLOEXEC);
	_cleanup_free_ char *data = xmalloc(n);

	memset(data, fill, n);
	assert_int_equal(write(fd, data, n), n);
	return fd;
}

static void comes_back(void **state)
{
	size_t n = 3 * WINDOW + 100;
	_cleanup_close_ int fd = make_file(n, 'x');
	char *p = window_map(fd, n), own[1 << 21];

	(void)state;
	assert_non_null(p);
	assert_int_equal(p[n - 1], 'x');
	window_passed(p, n);
	for (size_t i = 0; i < n; i += 512)
		assert_int_equal(p[i], 'x');
	window_unmap(p, n);
	/* Memory of one's own is none of its business. */
	memset(own, 'y', sizeof(own));
	window_passed(own, sizeof(own));
	assert_int_equal(own[1 << 20], 'y');
}

static void is_cut(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 8 * page;
	_cleanup_close_ int fd = make_file(n, 'x');
	unsigned before = window_cut();
	char *p;

	(void)state;
	window_guard();
	p = window_map(fd, n);
	assert_non_null(p);
	assert_int_equal(ftruncate(fd, (off_t)(2 * page)), 0);
	assert_int_equal(p[page], 'x');
	assert_int_equal(p[5 * page], 0);
	assert_int_equal(p[n - 1], 0);
	assert_int_equal(window_cut(), before + 1);
	window_unmap(p, n);
}

/* SIGBUS of another's memory ends the process as ever. */
static void is_not_ours(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		int fd = make_file(page, 'x');
		volatile char *p = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);

		window_guard();
		if (ftruncate(fd, 0) == 0)
			_exit(p[0]);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_for_any_number),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(is_cut),
		cmocka_unit_test(is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
