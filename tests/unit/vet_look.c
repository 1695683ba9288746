/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The room in which images are looked at, from inside: this program's own table of checks has one that tries to get out. Each try has a
 * positive control in `prepare`, which runs before the room is entered.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "vet/look.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder;
static struct buf outside;
static int how; /* what the probe does beside */

static void note(struct buf *to, const char *what, long result)
{
	buf_printf(to, "%s=%s\n", what, result < 0 ? error_name(errno) : "ok");
	if (result > 2)
		close((int)result);
}

static void try_all(struct buf *to)
{
	_cleanup_free_ char *file = xasprintf("%s/file", folder), *new = xasprintf("%s/new", folder);
	char *none[] = { NULL };

	note(to, "read-own", open(file, O_RDONLY | O_CLOEXEC));
	note(to, "read-passwd", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	note(to, "write-own", open(file, O_WRONLY | O_CLOEXEC));
	note(to, "make", open(new, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	note(to, "socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	note(to, "unix", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	note(to, "exec", execve("/nothing", none, none));
	note(to, "chmod", chmod(file, 0600));
	unlink(new);
}

static int prepare(struct vet *v, struct error *e)
{
	(void)v;
	(void)e;
	buf_free(&outside);
	try_all(&outside);
	return 0;
}

static int probe(struct vet *v, struct error *e)
{
	struct buf inside = { 0 };

	try_all(&inside);
	vet_add(v, "probe", "P0", VET_HIGH, vet_find(v, "file"), NULL, inside.data, "tried");
	buf_free(&inside);
	if (how == 1)
		return error_set(e, EBADMSG, "it is broken");
	if (how == 2)
		abort();
	return 0;
}

static const struct vet_check check_probe = { "probe", prepare, probe };
const struct vet_check *const vet_checks[] = { &check_probe, NULL };

static void report(const struct vet *v, struct buf *out)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC); /* out of reach too */

	buf_printf(out, "status=%s\n%s", fd < 0 ? error_name(errno) : "ok", v->findings[0].why);
}

static int look(struct vet_verdict *verdict, char **text, struct error *e)
{
	_cleanup_close_ int out = memfd_create("report", MFD_CLOEXEC);
	struct vet_look l = { .report = report, .out = out };
	struct vet_source src;
	size_t n;
	int r;

	vet_source_init(&src);
	assert_int_equal(vet_source_folder(&src, folder, e), 0);
	r = vet_look(&src, &l, verdict, e);
	vet_source_free(&src);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(out, 1 << 20, text, &n), 0);
	return r;
}

static void test_confined(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct vet_verdict verdict = { 0 };
	struct error e = { 0 };

	(void)state;
	how = 0;
	assert_int_equal(look(&verdict, &text, &e), 0);
	assert_string_equal(outside.data, "read-own=ok\nread-passwd=ok\nwrite-own=ok\nmake=ok\nsocket=ok\nunix=ok\nexec=ENOENT\nchmod=ok\n");
	assert_string_equal(text, "status=EACCES\nread-own=ok\nread-passwd=EACCES\nwrite-own=EACCES\nmake=EACCES\nsocket=EPERM\nunix=EPERM\n"
				  "exec=EPERM\nchmod=EPERM\n");
	assert_int_equal(verdict.counts[VET_HIGH], 1);
	assert_string_equal(verdict.first, "tried");
}

static void test_failures(void **state)
{
	_cleanup_free_ char *text = NULL, *none = NULL;
	struct vet_verdict verdict = { 0 };
	struct error e = { 0 };

	(void)state;
	how = 1;
	assert_int_equal(look(&verdict, &text, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "check probe: it is broken"));
	e = (struct error){ 0 };
	how = 2;
	assert_int_equal(look(&verdict, &none, &e), -EIO);
	assert_non_null(strstr(e.text, "ended"));
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *file = NULL;
	int fd;

	(void)state;
	folder = xasprintf("%s/vet-look-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	file = xasprintf("%s/file", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	(void)state;
	path_remove_tree(AT_FDCWD, folder);
	free(folder);
	buf_free(&outside);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
