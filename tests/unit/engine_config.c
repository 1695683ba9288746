/* SPDX-License-Identifier: Apache-2.0 */
/* Images' configurations are hostile (CASES B21); persons' options get errors that name the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "engine/config.h"
#include "engine/envfile.h"
#include "image/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int container_repair(struct container *c, struct error *e)
{
	(void)c;
	(void)e;
	return 0;
}

static int read_image(const char *config, struct image_defaults *d, struct error *e)
{
	_cleanup_free_ char *text = xasprintf("{\"os\":\"linux\",\"config\":%s}", config);
	_cleanup_json_ json_t *j = json_parse(text, strlen(text), "test", e);

	assert_non_null(j);
	return image_defaults_read(j, d, e);
}

static void image_good(void **state)
{
	struct image_defaults d;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(read_image("{\"Entrypoint\":[\"/bin/a\"],\"Cmd\":[\"b\",\"\"],\"Env\":[\"A=1\",\"B=\",\"A=2\"],"
				    "\"User\":\"web:www\",\"WorkingDir\":\"/srv//web/\",\"ExposedPorts\":{\"80\":{},\"53/udp\":{},"
				    "\"8000-8002/tcp\":{}},\"Volumes\":{\"/data/\":{},\"/data\":{}},\"StopSignal\":\"SIGQUIT\","
				    "\"Labels\":{\"a\":\"b\"},\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000000,"
				    "\"Retries\":2}}", &d, &e), 0);
	assert_string_equal(d.entrypoint[0], "/bin/a");
	assert_int_equal(strv_len(d.command), 2);
	assert_int_equal(strv_len(d.env), 2);
	assert_string_equal(d.env[0], "A=2");
	assert_string_equal(d.cwd, "/srv/web");
	assert_int_equal(d.n_ports, 5);
	assert_int_equal(strv_len(d.volumes), 1);
	assert_string_equal(d.volumes[0], "/data");
	assert_string_equal(d.labels[0], "a=b");
	assert_true(d.health.interval_ns == 5000000000u && d.health.retries == 2);
	assert_null(d.notes);
	image_defaults_free(&d);
	assert_int_equal(read_image("null", &d, &e), 0);
	image_defaults_free(&d);
	assert_int_equal(read_image("{}", &d, &e), 0);
	image_defaults_free(&d);
}

/* The host's variables stay out, whatever an image writes; the caller's own -e NAME is the positive control. */
static void image_env(void **state)
{
	struct image_defaults d;
	struct error e = { 0 };
	_cleanup_strv_ char **own = NULL;

	(void)state;
	setenv("SECRET", "nonce-7f3a", 1);
	assert_int_equal(read_image("{\"Env\":[\"SECRET\",\"*\",\"S*\",\"\",\"=x\",\"A\\nB=1\",\"*=y\",\"OK=1\",\"SECRET=mine\"]}",
				    &d, &e), 0);
	strv_foreach(v, d.env) {
		assert_non_null(strchr(*v, '='));
		assert_null(strstr(*v, "nonce-7f3a"));
	}
	assert_string_equal(env_get(d.env, "OK"), "1");
	assert_string_equal(env_get(d.env, "SECRET"), "mine");
	assert_int_equal(strv_len(d.env), 3);
	assert_int_equal(strv_len(d.notes), 6);
	image_defaults_free(&d);
	assert_int_equal(env_argument(&own, "SECRET", false, &e), 0);
	assert_string_equal(own[0], "SECRET=nonce-7f3a");
	assert_int_equal(env_argument(&own, "NO_SUCH_VARIABLE_HERE", false, &e), 0);
	assert_int_equal(env_argument(&own, "*", false, &e), 0);
	assert_int_equal(strv_len(own), 1);
}

static void image_bad(void **state)
{
	static const struct {
		const char *config, *place;
	} bad[] = {
		{ "{\"Env\":\"A=1\"}", "config.Env" },
		{ "{\"Env\":[1]}", "config.Env[0]" },
		{ "{\"Cmd\":\"sh\"}", "config.Cmd" },
		{ "{\"Entrypoint\":{}}", "config.Entrypoint" },
		{ "{\"User\":7}", "config.User" },
		{ "{\"WorkingDir\":\"srv\"}", "config.WorkingDir" },
		{ "{\"WorkingDir\":\"/a/../../b\"}", "config.WorkingDir" },
		{ "{\"Volumes\":[\"/a\"]}", "config.Volumes" },
		{ "{\"Volumes\":{\"data\":{}}}", "config.Volumes" },
		{ "{\"Volumes\":{\"/\":{}}}", "config.Volumes" },
		{ "{\"Volumes\":{\"/../etc\":{}}}", "config.Volumes" },
		{ "{\"Volumes\":{\"/proc/self\":{}}}", "config.Volumes" },
		{ "{\"Volumes\":{\"/sys\":{}}}", "config.Volumes" },
		{ "{\"Volumes\":{\"/dev\":{}}}", "config.Volumes" },
		{ "{\"Volumes\":{\"/a\\nb\":{}}}", "config.Volumes" },
		{ "{\"StopSignal\":\"65\"}", "config.StopSignal" },
		{ "{\"StopSignal\":\"SIGNOPE\"}", "config.StopSignal" },
		{ "{\"StopSignal\":9}", "config.StopSignal" },
		{ "{\"Healthcheck\":{\"Test\":[\"SH\",\"x\"]}}", "config.Healthcheck.Test[0]" },
		{ "{\"Healthcheck\":{\"Test\":[\"CMD\"]}}", "config.Healthcheck.Test" },
		{ "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":-1}}", "config.Healthcheck.Interval" },
		{ "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Retries\":1e9}}", "config.Healthcheck.Retries" },
		{ "{\"Labels\":[]}", "config.Labels" },
		{ "{\"ExposedPorts\":[80]}", "config.ExposedPorts" },
		{ "7", "config" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image_defaults d;
		struct error e = { 0 };

		if (read_image(bad[i].config, &d, &e) >= 0)
			fail_msg("%s was taken", bad[i].config);
		if (!strstr(e.text, bad[i].place))
			fail_msg("%s: \"%s\" does not name %s", bad[i].config, e.text, bad[i].place);
	}
}

static void image_ports(void **state)
{
	struct image_defaults d;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(read_image("{\"ExposedPorts\":{\"0\":{},\"65536\":{},\"80/sctp\":{},\"-1\":{},\"10-5\":{},"
				    "\"60000-70000\":{},\" 80\":{},\"80/tcp/x\":{},\"443/tcp\":{}}}", &d, &e), 0);
	assert_int_equal(d.n_ports, 1);
	assert_int_equal(d.ports[0].port, 443);
	assert_int_equal(strv_len(d.notes), 8);
	image_defaults_free(&d);
	/* An image may not open the wall by declaring every port. */
	assert_int_equal(read_image("{\"ExposedPorts\":{\"1-65535\":{}}}", &d, &e), 0);
	assert_int_equal(d.n_ports, 0);
	assert_true(strv_len(d.notes) > 0);
	image_defaults_free(&d);
	/* Checks of an image come once a second at most. */
	assert_int_equal(read_image("{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":1}}", &d, &e), 0);
	assert_true(d.health.interval_ns == 1000000000u);
	image_defaults_free(&d);
}

static void targets(void **state)
{
	static const char *const good[][2] = { { "/a", "/a" }, { "//a//b/", "/a/b" }, { "/dev/shm", "/dev/shm" },
					       { "/device", "/device" }, { "/process", "/process" } };
	static const char *const bad[] = { "", "a", "/", "///", "/.", "/..", "/a/../b", "/a/./b", "/proc", "/proc/1", "//proc",
					   "/sys/fs", "/dev/null", "/dev", "/a\001" };
	char *out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(config_target(good[i][0], true, &out, NULL), 0);
		assert_string_equal(out, good[i][1]);
		free(out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(config_target(bad[i], true, &out, NULL) < 0);
}

static void volumes(void **state)
{
	static const char *const bad[] = { "", ":", "a:", ":/a", "a:b", "a:/b:c", "a:/b:ro:x", "/nonexistent/x:/a", "-a:/b", "a/b:/c",
					   "v:/proc/x", "v:/", "v:/b:shared", "/tmp:/b:rslave", "/tmp:/b:nocopy", "/tmp:/..:ro" };
	struct container_config c = { .tmp_size = 1 << 20 };
	struct error e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (config_add_volume(&c, bad[i], &e) >= 0)
			fail_msg("-v %s was taken", bad[i]);
		assert_non_null(strstr(e.text, "--volume"));
	}
	assert_int_equal(c.n_mounts, 0);
	assert_int_equal(config_add_volume(&c, "/anon", &e), 0);
	assert_int_equal(config_add_volume(&c, "named:/n:ro,z,noexec,nocopy", &e), 0);
	assert_int_equal(config_add_volume(&c, "/tmp:/t:ro", &e), 0);
	assert_int_equal(config_add_volume(&c, "other:/n/", &e), -EEXIST);
	assert_int_equal(c.n_mounts, 3);
	assert_true(c.mounts[0].anonymous && strlen(c.mounts[0].source) == 64);
	assert_string_equal(c.mounts[1].type, "volume");
	assert_true(c.mounts[1].read_only && c.mounts[1].no_exec && c.mounts[1].no_copy && !c.mounts[1].anonymous);
	assert_string_equal(c.mounts[2].type, "bind");
	assert_string_equal(c.mounts[2].source, "/tmp");
	assert_true(c.mounts[2].read_only && c.mounts[2].recursive);
	/* The person's mount stands where the image wants a volume. */
	char *image[] = { (char[]){ "/n" }, (char[]){ "/more" }, NULL };
	assert_int_equal(config_add_image_volumes(&c, image, &e), 0);
	assert_int_equal(c.n_mounts, 4);
	assert_true(c.mounts[3].anonymous);
	assert_string_equal(c.mounts[3].target, "/more");
	container_config_free(&c);
}

static void mounts(void **state)
{
	static const char *const bad[] = { "", "type=bind", "type=bind,source=x,target=/a", "type=volume,source=v",
		"type=foo,target=/a", "type=tmpfs,source=x,target=/a", "type=volume,target=/a,tmpfs-size=1m",
		"type=bind,source=/tmp,target=/a,volume-nocopy", "target=/a,x=y", "target=/a,readonly=maybe",
		"type=bind,source=/tmp,target=/a,bind-propagation=shared", "\"target=/a", "\"target=/a\"x",
		"type=tmpfs,target=/a,tmpfs-size=-1", "type=tmpfs,target=/a,tmpfs-mode=999",
		"type=tmpfs,target=/a,tmpfs-mode=177777", "target=/a,volume-driver=nfs", "target=/a,volume-opt=o=x" };
	struct container_config c = { .tmp_size = 1 << 20 };
	struct error e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (config_add_mount(&c, bad[i], &e) >= 0)
			fail_msg("--mount %s was taken", bad[i]);
	assert_int_equal(c.n_mounts, 0);
	assert_int_equal(config_add_mount(&c, "type=bind,src=/tmp,dst=/b,ro,bind-recursive=disabled", &e), 0);
	assert_true(c.mounts[0].read_only && !c.mounts[0].recursive);
	assert_int_equal(config_add_mount(&c, "source=v,destination=/v,readonly=false", &e), 0);
	assert_string_equal(c.mounts[1].type, "volume");
	assert_false(c.mounts[1].read_only);
	assert_int_equal(config_add_mount(&c, "type=tmpfs,\"target=/a,b\",tmpfs-size=64m,tmpfs-mode=4755", &e), 0);
	assert_string_equal(c.mounts[2].target, "/a,b");
	assert_string_equal(c.mounts[2].options, "size=67108864,mode=755");
	assert_true(c.mounts[2].no_exec);
	assert_int_equal(config_add_tmpfs(&c, "/x:exec,size=1k,uid=5", &e), 0);
	assert_false(c.mounts[3].no_exec);
	assert_string_equal(c.mounts[3].options, "size=1024,uid=5,mode=1777");
	assert_int_equal(config_add_tmpfs(&c, "/y", &e), 0);
	assert_string_equal(c.mounts[4].options, "size=1048576,mode=1777");
	assert_true(config_add_tmpfs(&c, "/z:huge=always", &e) < 0);
	assert_true(config_add_tmpfs(&c, "/z:suid", &e) < 0);
	assert_true(config_add_tmpfs(&c, "/z:size=0", &e) < 0);
	container_config_free(&c);
}

static void exposed(void **state)
{
	struct container_config c = { 0 };
	struct config_port *list = NULL;
	struct error e = { 0 };
	size_t n = 0;

	(void)state;
	assert_int_equal(config_expose_parse("90-92", &list, &n, &e), 0);
	assert_int_equal(config_expose_parse("53/udp", &list, &n, &e), 0);
	assert_int_equal(config_expose_parse("91/tcp", &list, &n, &e), 0);
	assert_int_equal(n, 4);
	assert_int_equal(config_add_port(&c, "8080:90", &e), 0);
	assert_int_equal(config_add_port(&c, "80", &e), 0);
	assert_int_equal(config_set_exposed(&c, list, n, true, &e), 0);
	assert_int_equal(c.n_expose_tcp, 4);
	assert_int_equal(c.expose_tcp[0], 80);
	assert_int_equal(c.expose_tcp[3], 92);
	assert_int_equal(c.n_ports, 5); /* 90 and 80 by hand; 91, 92 and 53/udp by -P */
	free(list);
	container_config_free(&c);
}

static void resources(void **state)
{
	static const struct config_resources bad[] = {
		{ .memory = 1024 }, { .memory = 64 << 20, .memory_swap = "32m" }, { .memory_swap = "1g" }, { .memory_swap = "x" },
		{ .memory = 64 << 20, .memory_reservation = 128 << 20 }, { .cpus = "0" }, { .cpus = "99999" }, { .cpus = "1,5" },
		{ .cpus = "-1" }, { .cpus = "1", .cpu_quota_us = 5000 }, { .cpu_period_us = 10 }, { .cpu_quota_us = 1 },
		{ .cpu_shares = 1 }, { .cpu_shares = 300000 }, { .cpu_weight = 10001 }, { .cpu_weight = 5, .cpu_shares = 5 },
		{ .cpuset_cpus = "" }, { .cpuset_cpus = "0-" }, { .cpuset_cpus = "3-1" }, { .cpuset_cpus = "a" },
		{ .cpuset_mems = "0,,1" }, { .pids_limit = "-2" }, { .pids_limit = "x" },
	};
	struct container_config c = { .limits.memory = 1 << 30 };
	struct error e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct container_config d = { .limits.memory = 1 << 30 };

		if (config_set_resources(&d, &bad[i], &e) >= 0)
			fail_msg("resources %zu were taken", i);
		container_config_free(&d);
	}
	const struct config_resources good = { .memory = 64 << 20, .memory_swap = "96m", .cpus = "0.5", .cpu_shares = 1024,
					       .cpuset_cpus = "0-3,7", .pids_limit = "50", .memory_reservation = 32 << 20 };
	assert_int_equal(config_set_resources(&c, &good, &e), 0);
	assert_true(c.limits.memory == 64 << 20 && c.limits.memory_swap == 32 << 20 && c.limits.memory_low == 32 << 20);
	assert_true(c.limits.cpu_quota_us == 50000 && c.limits.cpu_period_us == 100000);
	assert_int_equal(c.limits.cpu_weight, 100);
	assert_int_equal(c.limits.pids, 50);
	assert_string_equal(c.limits.cpuset_cpus, "0-3,7");
	const struct config_resources none = { .memory_swap = "-1", .pids_limit = "-1" };
	assert_int_equal(config_set_resources(&c, &none, &e), 0);
	assert_true(c.limits.memory_swap == UINT64_MAX && c.limits.pids == 0);
	container_config_free(&c);
}

static void words(void **state)
{
	struct container_config c = { 0 };
	struct error e = { 0 };
	char file[] = "/tmp/box-secret-XXXXXX";
	_cleanup_close_ int fd = mkstemp(file);
	_cleanup_free_ char *good = xasprintf("id=key,source=%s,mode=0440", file);
	_cleanup_free_ char *again = xasprintf("id=key,src=%s", file), *up = xasprintf("id=../x,src=%s", file);
	_cleanup_free_ char *wide = xasprintf("id=k,src=%s,mode=4755", file);

	(void)state;
	assert_int_equal(config_set_restart(&c, "on-failure:5", &e), 0);
	assert_true(c.restart == RESTART_ON_FAILURE && c.restart_max == 5);
	assert_true(config_set_restart(&c, "on-failure:", &e) < 0);
	assert_true(config_set_restart(&c, "on-failure:-1", &e) < 0);
	assert_true(config_set_restart(&c, "sometimes", &e) < 0);
	assert_int_equal(config_add_secret(&c, good, &e), 0);
	assert_int_equal(c.secrets[0].mode, 0440);
	assert_true(config_add_secret(&c, again, &e) < 0);
	assert_true(config_add_secret(&c, up, &e) < 0);
	assert_true(config_add_secret(&c, wide, &e) < 0);
	assert_true(config_add_secret(&c, "id=x,src=/dev/null", &e) < 0);
	assert_true(config_add_secret(&c, "id=x", &e) < 0);
	assert_int_equal(c.n_secrets, 1);
	assert_int_equal(config_add_cap(&c, true, "NET_RAW", &e), 0);
	assert_true(config_add_cap(&c, true, "ALL", &e) < 0);
	assert_int_equal(config_add_cap(&c, false, "ALL", &e), 0);
	assert_true(config_add_cap(&c, true, "NOPE", &e) < 0);
	assert_int_equal(config_add_ulimit(&c, "nofile=10:20", &e), 0);
	assert_int_equal(config_add_ulimit(&c, "nofile=11:20", &e), 0);
	assert_int_equal(c.n_rlimits, 1);
	assert_true(c.rlimits[0].resource == RLIMIT_NOFILE && c.rlimits[0].soft == 11);
	assert_int_equal(config_add_sysctl(&c, "net.core.somaxconn=10", &e), 0);
	assert_true(config_add_sysctl(&c, "../x=1", &e) < 0);
	assert_true(config_add_sysctl(&c, "net.x", &e) < 0);
	char *opts[] = { (char[]){ "max-size=1m" }, (char[]){ "max-file=2" }, NULL };
	assert_int_equal(config_set_log(&c, NULL, opts, &e), 0);
	assert_true(c.log_size == 1 << 20 && c.log_files == 2);
	assert_true(config_set_log(&c, "syslog", NULL, &e) < 0);
	assert_true(config_set_log(&c, "binary:///bin/sh", NULL, &e) < 0);
	assert_int_equal(config_set_storage(&c, "size=2g", &e), 0);
	assert_true(c.disk == 2ull << 30);
	assert_true(config_set_storage(&c, "quota=1", &e) < 0);
	assert_true(config_set_signal(&c, "SIGFOO", &e) < 0);
	assert_int_equal(config_set_hostname(&c, "a.b-c", &e), 0);
	assert_true(config_set_hostname(&c, "a b", &e) < 0);
	assert_int_equal(config_set_network(&c, "bridge", &e), 0);
	assert_string_equal(c.network, "private");
	assert_true(config_set_network(&c, "mynet", &e) < 0);
	assert_int_equal(config_add_dns(&c, "::1", &e), 0);
	assert_true(config_add_dns(&c, "dns.example", &e) < 0);
	assert_true(config_add_dns_option(&c, "ndots:2\nnameserver 1.1.1.1", &e) < 0);
	assert_true(config_add_host(&c, "a:1.2.3.4\n5.6.7.8 b", &e) < 0);
	container_config_free(&c);
	unlink(file);
}

static void env_files(void **state)
{
	static const char text[] = "\xef\xbb\xbf# comment\n\n  A=1\r\nB=\"two words\"\nNO_SUCH_VARIABLE_HERE\nC==\n";
	_cleanup_strv_ char **env = NULL, **labels = NULL;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(env_file_parse(&env, text, sizeof(text) - 1, "f", false, &e), 0);
	assert_int_equal(strv_len(env), 3);
	assert_string_equal(env[0], "A=1");
	assert_string_equal(env[1], "B=\"two words\"");
	assert_string_equal(env[2], "C==");
	assert_int_equal(env_file_parse(&labels, "a\nb=c", 5, "f", true, &e), 0);
	assert_string_equal(labels[0], "a=");
	assert_true(env_file_parse(&env, "X=1\nA B=2\n", 10, "f", false, &e) < 0);
	assert_non_null(strstr(e.text, "f:2"));
	assert_true(env_file_parse(&env, "=2\n", 3, "f", false, &e) < 0);
	assert_true(env_file_parse(&env, "A=\0B\n", 5, "f", false, &e) < 0);
	assert_true(env_file_parse(&env, "A=\xff\n", 4, "f", false, &e) < 0);
}

/* Folders of brig's own are not for containers. */
static void own_folders(void **state)
{
	char dir[] = "/tmp/box-own-XXXXXX";
	struct container_config c = { 0 };
	_cleanup_strv_ char **notes = NULL;
	struct error e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	_cleanup_free_ char *data = xasprintf("%s/data", dir), *inner = xasprintf("%s/data/images", dir),
			    *arg = xasprintf("%s/data/images:/x", dir), *above = xasprintf("%s:/y", dir),
			    *run = xasprintf("%s/run", dir);
	setenv("BRIG_DATA", data, 1);
	setenv("BRIG_RUNTIME", run, 1);
	assert_int_equal(mkdir(data, 0700), 0);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(config_add_volume(&c, arg, &e), 0);
	assert_int_equal(config_check_binds(&c, &notes, &e), -EPERM);
	container_config_free(&c);
	/* The folder above is only nobody's to read: a hint. With the caller's id inside it is refused. */
	assert_int_equal(config_add_volume(&c, above, &e), 0);
	assert_int_equal(config_check_binds(&c, &notes, &e), 0);
	assert_int_equal(strv_len(notes), 1);
	c.lower = xcalloc(1, sizeof(*c.lower));
	c.lower[0] = (struct spec_lower){ .wall = xstrdup("user"), .detail = xstrdup("caller") };
	c.n_lower = 1;
	assert_int_equal(config_check_binds(&c, &notes, &e), -EPERM);
	container_config_free(&c);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_good), cmocka_unit_test(image_env), cmocka_unit_test(image_bad),
		cmocka_unit_test(image_ports), cmocka_unit_test(targets),  cmocka_unit_test(volumes),
		cmocka_unit_test(mounts),     cmocka_unit_test(exposed),   cmocka_unit_test(resources),
		cmocka_unit_test(words),      cmocka_unit_test(env_files), cmocka_unit_test(own_folders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
