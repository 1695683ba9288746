/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "engine/container.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/box-unit-XXXXXX";
static int repaired;

/* The engine's own gives back mounts and ids; here it is enough to see that it is called, with the lock held. */
int container_repair(struct container *c, struct error *e)
{
	repaired++;
	assert_true(c->lock_fd >= 0);
	c->state.status = ST_EXITED;
	c->state.exit_code = 137;
	return container_save_state(c, e);
}

static int setup(void **state)
{
	char path[64];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/data", folder);
	setenv("BRIG_DATA", path, 1);
	snprintf(path, sizeof(path), "%s/run", folder);
	setenv("BRIG_RUNTIME", path, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return path_remove_tree(AT_FDCWD, folder);
}

static void fill(struct container *c, const char *name)
{
	container_init(c);
	c->config.name = xstrdup(name);
	c->config.tree = xstrdup("t");
	c->config.network = xstrdup("none");
}

/* Makes one as container_create() does and lets go of it. Its id goes to `id`. */
static void make(const char *name, char id[static CONTAINER_ID_LEN + 1])
{
	struct container c;
	struct error e = { 0 };

	fill(&c, name);
	assert_int_equal(container_make(&c, &e), 0);
	assert_int_equal(container_name_take(&c, &e), 0);
	assert_int_equal(container_save_config(&c, &e), 0);
	memcpy(id, c.config.id, CONTAINER_ID_LEN + 1);
	container_free(&c);
}

static void unmake(const char *ref)
{
	struct container c;
	struct error e = { 0 };

	assert_int_equal(container_find(ref, &c, &e), 0);
	assert_int_equal(container_lock(&c, false, &e), 0);
	assert_int_equal(container_unmake(&c, &e), 0);
	container_free(&c);
}

static void json_round_trip(void **state)
{
	struct container_config c = { .name = xstrdup("web"), .tree = xstrdup("t"), .network = xstrdup("private"),
				      .uid = 7, .gid = UINT32_MAX - 1, .tty = true, .restart = RESTART_ON_FAILURE,
				      .restart_max = 3, .limits.memory_swap = UINT64_MAX, .limits.cpu_quota_us = 50000 };
	struct container_config d;
	struct error e = { 0 };
	_cleanup_json_ json_t *one = NULL, *two = NULL;

	(void)state;
	memset(c.id, 'a', CONTAINER_ID_LEN);
	strv_add_copy(&c.env, "A=b");
	strv_add_copy(&c.env, "C=");
	strv_add_copy(&c.health.test, "CMD");
	c.groups = xcalloc(2, sizeof(uint32_t));
	c.groups[1] = 4000000000u;
	c.n_groups = 2;
	c.expose_tcp = xcalloc(1, sizeof(uint16_t));
	c.expose_tcp[0] = 65535;
	c.n_expose_tcp = 1;
	c.mounts = xcalloc(1, sizeof(*c.mounts));
	c.mounts[0] = (struct volume_mount){ .type = xstrdup("volume"), .source = xstrdup("v"), .target = xstrdup("/v"),
					     .read_only = true, .anonymous = true, .no_copy = true };
	c.n_mounts = 1;
	c.secrets = xcalloc(1, sizeof(*c.secrets));
	c.secrets[0] = (struct secret_mount){ xstrdup("s"), xstrdup("/s"), 0400 };
	c.n_secrets = 1;
	c.rlimits = xcalloc(1, sizeof(*c.rlimits));
	c.rlimits[0] = (struct spec_rlimit){ RLIMIT_NOFILE, 1024, UINT64_MAX };
	c.n_rlimits = 1;
	c.lower = xcalloc(1, sizeof(*c.lower));
	c.lower[0].wall = xstrdup("seccomp");
	c.n_lower = 1;
	one = container_config_json(&c);
	assert_int_equal(container_config_parse(one, &d, &e), 0);
	two = container_config_json(&d);
	assert_true(json_equal(one, two));
	assert_int_equal(d.uid, 7);
	assert_true(d.gid == UINT32_MAX - 1);
	assert_true(d.groups[1] == 4000000000u);
	assert_true(d.limits.memory_swap == UINT64_MAX);
	assert_true(d.rlimits[0].hard == UINT64_MAX && d.rlimits[0].resource == RLIMIT_NOFILE);
	assert_true(d.mounts[0].read_only && d.mounts[0].anonymous && d.mounts[0].no_copy && !d.mounts[0].recursive);
	assert_null(d.lower[0].detail);
	assert_string_equal(d.env[1], "C=");
	container_config_free(&c);
	container_config_free(&d);
}

static void state_round_trip(void **state)
{
	struct container_state s = { .status = ST_PAUSED, .pid = 42, .pid_start = 1ULL << 40, .exit_code = 137,
				     .oom_killed = true, .error = xstrdup("monitor was killed") }, t;
	struct error e = { 0 };
	_cleanup_json_ json_t *j = NULL;

	(void)state;
	s.ns[7] = 4026531840u;
	s.ports = xcalloc(1, sizeof(*s.ports));
	s.ports[0] = (struct spec_port){ xstrdup("::1"), 65535, 53, true };
	s.n_ports = 1;
	j = container_state_json(&s);
	assert_int_equal(container_state_parse(j, &t, &e), 0);
	assert_int_equal(t.status, ST_PAUSED);
	assert_int_equal(t.pid, 42);
	assert_true(t.pid_start == 1ULL << 40 && t.ns[7] == 4026531840u && t.ns[0] == 0);
	assert_true(t.oom_killed && t.ports[0].udp && t.ports[0].host_port == 65535);
	assert_string_equal(t.error, "monitor was killed");
	container_state_free(&s);
	container_state_free(&t);
}

/* Each is a valid configuration but for one thing; the error names the place. */
static void json_strict(void **state)
{
	static const struct {
		const char *member, *place;
	} bad[] = {
		{ "\"privileged\": true", "config.privileged: unknown key" },
		{ "\"uid\": \"0\"", "config.uid: not a whole number" },
		{ "\"uid\": -1", "config.uid: -1 is outside" },
		{ "\"uid\": 4294967296", "config.uid: 4294967296 is outside" },
		{ "\"tty\": 1", "config.tty: not true or false" },
		{ "\"env\": [\"A=b\", 7]", "config.env[1]: not a string" },
		{ "\"restart\": \"often\"", "config.restart: unknown word" },
		{ "\"groups\": [1, -2]", "config.groups[1]: -2 is outside" },
		{ "\"expose_tcp\": [65536]", "config.expose_tcp[0]: 65536 is outside" },
		{ "\"limits\": {\"memory\": -1}", "config.limits.memory: -1 is outside" },
		{ "\"limits\": {\"memry\": 1}", "config.limits.memry: unknown key" },
		{ "\"mounts\": [{\"type\": \"bind\", \"source\": \"/\", \"target\": \"x\"}]", "config.mounts[0].target" },
		{ "\"mounts\": [{\"type\": \"devtmpfs\", \"target\": \"/x\"}]", "config.mounts[0].type" },
		{ "\"mounts\": [3]", "config.mounts[0]: not an object" },
		{ "\"rlimits\": [{\"resource\": \"files\"}]", "config.rlimits[0].resource: unknown word" },
		{ "\"lower\": [{}]", "config.lower[0].wall: missing" },
		{ "\"health\": []", "config.health: not an object" },
	};
	char id[CONTAINER_ID_LEN + 1] = { 0 };

	(void)state;
	memset(id, '0', CONTAINER_ID_LEN);
	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *text = xasprintf("{\"id\":\"%s\",\"name\":\"a\",\"tree\":\"t\",\"network\":\"none\"%s%s}",
						      id, i < ARRAY_SIZE(bad) ? "," : "",
						      i < ARRAY_SIZE(bad) ? bad[i].member : "");
		_cleanup_json_ json_t *j = json_parse(text, strlen(text), "config.json", NULL);
		struct container_config c;
		struct error e = { 0 };
		int r;

		assert_non_null(j);
		r = container_config_parse(j, &c, &e);
		if (i == ARRAY_SIZE(bad)) { /* positive control */
			assert_int_equal(r, 0);
			container_config_free(&c);
			continue;
		}
		assert_true(r < 0);
		if (!strstr(e.text, bad[i].place))
			fail_msg("%s: said \"%s\"", bad[i].member, e.text);
	}
}

static void names(void **state)
{
	static const char *const good[] = { "a", "A9_.-", "web-1", "0", "deadbeef" };
	static const char *const bad[] = { "", ".", "..", "-x", "_x", "a/b", "a b", "a\n", "\xc3\xa4", "../x",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(container_name_check(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(container_name_check(bad[i], NULL), -EINVAL);
}

static void find(void **state)
{
	char one[CONTAINER_ID_LEN + 1], two[CONTAINER_ID_LEN + 1], part[CONTAINER_ID_LEN + 1];
	struct container c;
	struct error e = { 0 };
	size_t same = 0;

	(void)state;
	make("one", one);
	make("two", two);
	assert_int_equal(container_find("one", &c, &e), 0);
	assert_string_equal(c.config.id, one);
	assert_int_equal(c.state.status, ST_CREATED);
	container_free(&c);
	assert_int_equal(container_find(two, &c, &e), 0);
	assert_string_equal(c.config.name, "two");
	container_free(&c);
	while (one[same] == two[same])
		same++;
	memcpy(part, two, sizeof(part));
	part[same + 1] = 0;
	assert_int_equal(container_find(part, &c, &e), 0);
	assert_string_equal(c.config.id, two);
	container_free(&c);
	assert_int_equal(container_find("", &c, &e), -ENOENT);
	assert_int_equal(container_find("three", &c, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no such container: three"));
	assert_int_equal(container_find("../names/one", &c, &e), -ENOENT);
	unmake("one");
	unmake("two");
	assert_int_equal(container_find(one, &c, &e), -ENOENT);
}

/* 17 containers: two begin with the same digit for sure. */
static void ambiguous(void **state)
{
	char id[17][CONTAINER_ID_LEN + 1];
	bool seen[256] = { false };
	struct container *list, c;
	struct error e = { 0 };
	char twice[2] = { 0 };
	size_t n;

	(void)state;
	for (int i = 0; i < 17; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%d", i);
		make(name, id[i]);
		if (seen[(unsigned char)id[i][0]])
			twice[0] = id[i][0];
		seen[(unsigned char)id[i][0]] = true;
	}
	assert_int_equal(container_find(twice, &c, &e), -EEXIST);
	assert_int_equal(container_list(&list, &n, &e), 0);
	assert_int_equal(n, 17);
	assert_string_equal(list[0].config.name, "c16");
	assert_string_equal(list[16].config.name, "c0");
	for (size_t i = 0; i < n; i++)
		container_free(&list[i]);
	free(list);
	for (int i = 0; i < 17; i++)
		unmake(id[i]);
}

static void name_taken(void **state)
{
	char id[CONTAINER_ID_LEN + 1];
	struct container c;
	struct error e = { 0 };

	(void)state;
	make("taken", id);
	fill(&c, "taken");
	assert_int_equal(container_make(&c, &e), 0);
	assert_int_equal(container_name_take(&c, &e), -EEXIST);
	/* Giving up must not take the other's name away. */
	assert_int_equal(container_unmake(&c, &e), 0);
	container_free(&c);
	assert_int_equal(container_find("taken", &c, &e), 0);
	assert_string_equal(c.config.id, id);
	assert_int_equal(container_rename(&c, "other", &e), 0);
	container_free(&c);
	assert_int_equal(container_find("taken", &c, &e), -ENOENT);
	unmake("other");
	fill(&c, "other");
	assert_int_equal(container_make(&c, &e), 0);
	free(c.config.name);
	c.config.name = NULL;
	assert_int_equal(container_name_take(&c, &e), 0);
	assert_non_null(strchr(c.config.name, '_'));
	assert_int_equal(container_unmake(&c, &e), 0);
	container_free(&c);
}

/* A maker that died before config.json: its name and folder are free again, but not while it is alive. */
static void half_made(void **state)
{
	struct container c, d, *list;
	struct error e = { 0 };
	struct stat st;
	size_t n;

	(void)state;
	fill(&c, "half");
	assert_int_equal(container_make(&c, &e), 0);
	assert_int_equal(container_name_take(&c, &e), 0);
	fill(&d, "half");
	assert_int_equal(container_make(&d, &e), 0);
	assert_int_equal(container_name_take(&d, &e), -EEXIST);
	assert_int_equal(container_list(&list, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fstat(c.dir_fd, &st), 0);
	assert_true(st.st_nlink > 0);
	container_unlock(&c); /* as a kill does */
	assert_int_equal(container_name_take(&d, &e), 0);
	assert_int_equal(container_save_config(&d, &e), 0);
	assert_int_equal(container_list(&list, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].config.id, d.config.id);
	container_free(&list[0]);
	free(list);
	assert_int_equal(fstat(c.dir_fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(container_unmake(&d, &e), 0);
	container_free(&c);
	container_free(&d);
}

static void locks(void **state)
{
	char id[CONTAINER_ID_LEN + 1];
	struct container a, b;
	struct error e = { 0 };

	(void)state;
	make("lock", id);
	assert_int_equal(container_find("lock", &a, &e), 0);
	assert_int_equal(container_find("lock", &b, &e), 0);
	assert_int_equal(container_lock(&a, false, &e), 0);
	assert_int_equal(container_lock(&b, false, &e), -EBUSY);
	a.state.status = ST_EXITED;
	a.state.exit_code = 9;
	assert_int_equal(container_save_state(&a, &e), 0);
	container_unlock(&a);
	assert_int_equal(container_lock(&b, false, &e), 0);
	assert_int_equal(b.state.exit_code, 9); /* read again under the lock */
	assert_int_equal(container_unmake(&b, &e), 0);
	assert_int_equal(container_lock(&a, false, &e), -ENOENT);
	container_free(&a);
	container_free(&b);
}

static void lost_monitor(void **state)
{
	char id[CONTAINER_ID_LEN + 1];
	struct container a, b;
	struct error e = { 0 };

	(void)state;
	make("lost", id);
	assert_int_equal(container_find("lost", &a, &e), 0);
	assert_int_equal(container_lock(&a, false, &e), 0);
	a.state.status = ST_RUNNING;
	assert_int_equal(container_save_state(&a, &e), 0);
	repaired = 0;
	assert_int_equal(container_find("lost", &b, &e), 0);
	assert_int_equal(repaired, 0); /* the lock is held: it has its monitor */
	assert_true(container_running(&b));
	container_free(&b);
	container_unlock(&a);
	assert_int_equal(container_find("lost", &b, &e), 0);
	assert_int_equal(repaired, 1);
	assert_false(container_running(&b));
	container_free(&b);
	assert_int_equal(container_find("lost", &b, &e), 0);
	assert_int_equal(repaired, 1);
	assert_int_equal(b.state.exit_code, 137);
	container_free(&b);
	container_free(&a);
	unmake("lost");
}

static void unreadable(void **state)
{
	char id[CONTAINER_ID_LEN + 1];
	struct container c, *list;
	struct error e = { 0 };
	size_t n;

	(void)state;
	make("broken", id);
	assert_int_equal(container_find("broken", &c, &e), 0);
	assert_int_equal(file_replace(c.dir_fd, "config.json", "{]", 2, 0600, false), 0);
	container_free(&c);
	assert_true(container_find("broken", &c, &e) < 0);
	assert_non_null(strstr(e.text, "config.json:1:"));
	assert_int_equal(container_list(&list, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].config.id, id);
	assert_int_equal(list[0].state.status, ST_DEAD);
	assert_non_null(strstr(list[0].state.error, "config.json:1:"));
	container_free(&list[0]);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_round_trip), cmocka_unit_test(state_round_trip), cmocka_unit_test(json_strict),
		cmocka_unit_test(names),	   cmocka_unit_test(find),	       cmocka_unit_test(ambiguous),
		cmocka_unit_test(name_taken),	   cmocka_unit_test(half_made),	       cmocka_unit_test(locks),
		cmocka_unit_test(lost_monitor),	   cmocka_unit_test(unreadable),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
