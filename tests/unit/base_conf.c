/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void reads(void **state)
{
	struct error e = { 0 };
	struct conf c;

	(void)state;
	conf_defaults(&c);
	assert_int_equal(conf_parse(&c,
				    "# a comment\n"
				    "\n"
				    "  memory = 1.5g \r\n"
				    "pids=100\n"
				    "\tstop_timeout = 1m30s\n"
				    "network = none\n"
				    "accept_lowered = cgroup=memory, cgroup=cpu,lsm\n",
				    "x", &e),
			 0);
	assert_true(c.memory == 3ULL << 29);
	assert_true(conf_memory(&c) == 3ULL << 29);
	assert_true(c.pids == 100);
	assert_true(c.stop_timeout == 90);
	assert_string_equal(c.network, "none");
	assert_int_equal(strv_len(c.accept_lowered), 3);
	assert_string_equal(c.accept_lowered[1], "cgroup=cpu");
	assert_true(c.nofile == 65536);
	/* A later file has the last word on a list, also to empty it. */
	assert_int_equal(conf_parse(&c, "accept_lowered =", "y", &e), 0);
	assert_int_equal(strv_len(c.accept_lowered), 0);
	conf_free(&c);
}

static void half_the_memory(void **state)
{
	struct conf c;

	(void)state;
	conf_defaults(&c);
	assert_true(c.memory == 0);
	uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	assert_true(conf_memory(&c) > total / 4 && conf_memory(&c) <= total);
	conf_free(&c);
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *error;
		int code;
	} cases[] = {
		{ "\nmemroy = 1g", "f:2: unknown key \"memroy\"\n  hint: the nearest is \"memory\"", -EINVAL },
		{ "zzzzzzzzzzzzzz = 1", "f:1: unknown key \"zzzzzzzzzzzzzz\"", -EINVAL },
		{ "memory 1g", "f:1: not a line \"key = value\"", -EINVAL },
		{ "memory = 1x", "f:1: memory = 1x: not a size", -EINVAL },
		{ "memory = -1", "f:1: memory = -1: not a size", -EINVAL },
		{ "memory = 99999999t", "f:1: memory = 99999999t: ", -ERANGE },
		{ "pids = 0", "f:1: pids = 0: must be from 1 to 4194304", -ERANGE },
		{ "pids = 12 13", "f:1: pids = 12 13: not a number", -EINVAL },
		{ "pids =", "f:1: pids = : not a number", -EINVAL },
		{ "cpu_weight = 10001", "f:1: cpu_weight = 10001: must be from 1 to 10000", -ERANGE },
		{ "pids = 5\npids = 6", "f:2: pids is set a second time", -EINVAL },
		{ "network = host", "f:1: network = host: must be one of: private none", -EINVAL },
		{ "accept_lowered = a,,b", "f:1: accept_lowered has an empty part", -EINVAL },
		{ "accept_lowered = a;b", "f:1: accept_lowered: \"a;b\" is not", -EINVAL },
		{ "= 5", "f:1: unknown key \"\"", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = { 0 };
		struct conf c;

		conf_defaults(&c);
		assert_int_equal(conf_parse(&c, cases[i].text, "f", &e), cases[i].code);
		if (!str_after(e.text, cases[i].error))
			fail_msg("\"%s\" gave \"%s\", not \"%s\"", cases[i].text, e.text, cases[i].error);
		conf_free(&c);
	}
}

static void only_from_safe_files(void **state)
{
	char dir[] = "/tmp/brig-cgroup-conf-XXXXXX", path[128];
	struct error e = { 0 };
	struct conf c;
	int fd;

	(void)state;
	if (access("/etc/brig/brig.conf", F_OK) == 0) {
		print_message("SKIP: this machine has its own /etc/brig/brig.conf\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	setenv("BRIG_CONFIG", dir, 1);
	/* none is fine */
	assert_int_equal(conf_load(&c, &e), 0);
	assert_true(c.pids == 2048);
	conf_free(&c);

	snprintf(path, sizeof(path), "%s/brig.conf", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, "pids = 7\n", 9), 0);
	assert_int_equal(conf_load(&c, &e), 0);
	assert_true(c.pids == 7);
	conf_free(&c);

	assert_int_equal(fchmod(fd, 0620), 0);
	assert_int_equal(conf_load(&c, &e), -EPERM);
	assert_non_null(strstr(e.text, "may be written by others (mode 0620)"));
	assert_non_null(strstr(e.text, "chmod go-w"));
	assert_int_equal(fchmod(fd, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchown(fd, 65534, 65534), 0);
		assert_int_equal(conf_load(&c, &e), -EPERM);
		assert_non_null(strstr(e.text, "belongs to uid 65534"));
		assert_int_equal(fchown(fd, 0, 0), 0);
	}
	assert_int_equal(pwrite(fd, "a\0", 2, 0), 2);
	assert_int_equal(conf_load(&c, &e), -EINVAL);
	close(fd);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(conf_load(&c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "not a regular file"));
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(conf_load(&c, &e), -EINVAL); /* and does not wait for a writer */
	unlink(path);
	rmdir(dir);
}

/* The example that is installed says what is built in. */
static void example_is_true(void **state)
{
	const char *source = getenv("BRIG_SOURCE");
	_cleanup_free_ char *path = xasprintf("%s/data/brig.conf", source ? source : "."), *text = NULL;
	struct conf built_in, read;
	struct error e = { 0 };
	int keys = 0;

	(void)state;
	if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0) {
		print_message("SKIP: %s is not there (set BRIG_SOURCE)\n", path);
		skip();
	}
	/* uncomment */
	for (char *p = text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (p[0] == '#' && p[1] >= 'a' && p[1] <= 'z') {
			*p = ' ';
			keys++;
		}
	}
	conf_defaults(&built_in);
	conf_defaults(&read);
	if (conf_parse(&read, text, path, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(keys, 25);
	assert_int_equal(strv_len(read.accept_lowered), 2);
	strv_free(read.accept_lowered);
	read.accept_lowered = NULL;
	/* Examples: nothing is insecure by itself. */
	assert_int_equal(strv_len(built_in.insecure_registries) + strv_len(built_in.token_servers), 0);
	strv_free(read.insecure_registries);
	strv_free(read.token_servers);
	assert_int_equal(strv_len(read.advisories), 1);
	strv_free(read.advisories);
	read.advisories = NULL;
	read.insecure_registries = read.token_servers = NULL;
	assert_string_equal(read.network, built_in.network);
	free(read.network);
	read.network = built_in.network;
	assert_string_equal(read.oci_landlock, built_in.oci_landlock);
	free(read.oci_landlock);
	read.oci_landlock = built_in.oci_landlock;
	assert_memory_equal(&read, &built_in, sizeof(read));
	conf_free(&built_in);
}

/* Every key stands in the manual page as a head of its own, and in the example. */
static void written_about(void **state)
{
	const char *source = getenv("BRIG_SOURCE");
	_cleanup_free_ char *page = xasprintf("%s/man/brig.conf.5.scd", source ? source : "."), *man = NULL;
	_cleanup_free_ char *file = xasprintf("%s/data/brig.conf", source ? source : "."), *example = NULL;
	const char *key;

	(void)state;
	if (file_read(AT_FDCWD, page, 65536, &man, NULL) < 0 || file_read(AT_FDCWD, file, 65536, &example, NULL) < 0) {
		print_message("SKIP: %s is not there (set BRIG_SOURCE)\n", page);
		skip();
	}
	for (size_t i = 0; (key = conf_key_name(i)); i++) {
		_cleanup_free_ char *head = xasprintf("\n*%s* (", key), *line = xasprintf("\n#%s = ", key);

		if (!strstr(man, head))
			fail_msg("%s is not in brig.conf(5)", key);
		if (!strstr(example, line))
			fail_msg("%s is not in data/brig.conf", key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(half_the_memory),
		cmocka_unit_test(refuses),
		cmocka_unit_test(only_from_safe_files),
		cmocka_unit_test(example_is_true),
		cmocka_unit_test(written_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
