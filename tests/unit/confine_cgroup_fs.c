/* SPDX-License-Identifier: Apache-2.0 */
/* What of a cgroup needs none: where it is, what is written into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "confine/cgroup.h"
#include "confine/cgroup_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void paths(void **state)
{
	(void)state;
	assert_true(cgroup_path_ok("brig/run/0123"));
	assert_true(cgroup_path_ok("brig-user-1000/0123"));
	assert_true(cgroup_path_ok("user.slice/user-1000.slice/user@1000.service/brig-user-1000/0123"));
	assert_true(cgroup_path_ok("user.slice/user-1000.slice/user@1000.service/brig-0123.scope"));
	assert_false(cgroup_path_ok(NULL));
	assert_false(cgroup_path_ok(""));
	assert_false(cgroup_path_ok("/"));
	assert_false(cgroup_path_ok("brig"));
	assert_false(cgroup_path_ok("brig/run"));
	assert_false(cgroup_path_ok("brig-user-1000"));
	assert_false(cgroup_path_ok("x/brig-user-1000"));
	assert_false(cgroup_path_ok("brig/run/.."));
	assert_false(cgroup_path_ok("brig/run/../../x"));
	assert_false(cgroup_path_ok("brig/run/x/y"));
	assert_false(cgroup_path_ok("brig/run//"));
	assert_false(cgroup_path_ok("/brig/run/x"));
	assert_false(cgroup_path_ok("brig-user-1x/0123"));
	assert_false(cgroup_path_ok("system.slice/sshd.service"));
	assert_false(cgroup_path_ok("system.slice/brig-"));
}

static void places(void **state)
{
	static const char text[] = "12:cpu,cpuacct:/a\n4:memory:/process_api/x y\n1:name=systemd:/s\n0::/u/v\n";
	char out[64];

	(void)state;
	if (cgroup_version() == 2) {
		assert_int_equal(cgroup_place(text, CG_V2, out, sizeof(out)), 0);
		return;
	}
	assert_int_equal(cgroup_place(text, CG_CPU, out, sizeof(out)), 0);
	assert_string_equal(out, "/a");
	assert_int_equal(cgroup_place(text, CG_CPUACCT, out, sizeof(out)), 0);
	assert_string_equal(out, "/a");
	assert_int_equal(cgroup_place(text, CG_MEMORY, out, sizeof(out)), 0);
	assert_string_equal(out, "/process_api/x y");
	assert_int_equal(cgroup_place(text, CG_V2, out, sizeof(out)), 0);
	assert_string_equal(out, "/u/v");
	assert_int_equal(cgroup_place(text, CG_PIDS, out, sizeof(out)), -ENOENT);
	assert_int_equal(cgroup_place("", CG_PIDS, out, sizeof(out)), -ENOENT);
	assert_int_equal(cgroup_place("garbage", CG_V2, out, sizeof(out)), -ENOENT);
	assert_int_equal(cgroup_place("4:memory:/long", CG_MEMORY, out, 3), -ENAMETOOLONG);
}

static void values(void **state)
{
	(void)state;
	assert_true(cgroup_value_equal("cpuset.cpus", "0,1,2", "0-2"));
	assert_false(cgroup_value_equal("cpuset.cpus", "0", "0-1"));
	assert_false(cgroup_value_equal("cpuset.cpus", "0-x", "0-1"));
	assert_true(cgroup_value_equal("io.weight", "default 50", "default 50\n8:0 100"));
	assert_false(cgroup_value_equal("io.weight", "default 5", "default 50\n8:0 100"));
	assert_false(cgroup_value_equal("pids.max", "10", "max"));
}

static void settings(void **state)
{
	struct cgroup_setting set[CG_SETTINGS_MAX];
	struct spec s;
	size_t n;

	(void)state;
	spec_init(&s);
	s.limits = (struct spec_limits){ .memory = (64 << 20) + 17, .pids = 5, .cpu_weight = 100,
					 .cpu_quota_us = 50000, .io_weight = 10000 };
	n = cgroup_settings(&s, true, CG_V1_ALL, set);
	assert_int_equal(n, 7);
	assert_string_equal(set[0].file, "memory.max");
	assert_string_equal(set[0].value, "67108864");
	assert_string_equal(set[2].file, "memory.swap.max");
	assert_string_equal(set[2].value, "0");
	assert_string_equal(set[5].value, "50000 100000");
	assert_string_equal(set[6].value, "default 10000");
	n = cgroup_settings(&s, false, CG_V1_ALL, set);
	assert_int_equal(n, 7);
	assert_string_equal(set[1].file, "memory.memsw.limit_in_bytes");
	assert_string_equal(set[1].value, "67108864");
	assert_string_equal(set[3].file, "cpu.shares");
	assert_string_equal(set[3].value, "1024");
	assert_string_equal(set[6].value, "1000");
	n = cgroup_settings(&s, false, CG_BIT(CG_PIDS), set);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths), cmocka_unit_test(places), cmocka_unit_test(values), cmocka_unit_test(settings),
	};

	return cmocka_run_group_tests_name("confine_cgroup_fs", tests, NULL, NULL);
}
