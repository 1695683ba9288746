/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and filters of ps, and the document of inspect, over containers made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/ps_filter.h"
#include "cli/show.h"

#define HOUR (3600ULL * 1000000000)
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct container make(const char *id, const char *name, uint64_t created)
{
	struct container c;

	container_init(&c);
	memcpy(c.config.id, id, CONTAINER_ID_LEN + 1);
	c.config.name = xstrdup(name);
	c.config.created_ns = created;
	c.config.image_name = xstrdup("localhost/web:1.0");
	c.config.image_id = xstrdup("1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef");
	c.config.network = xstrdup("private");
	strv_add_copy(&c.config.entrypoint, "/usr/bin/server");
	strv_add_copy(&c.config.command, "--with-a-long-option");
	strv_add_copy(&c.config.command, "x");
	strv_add_copy(&c.config.labels, "tier=front");
	strv_add_copy(&c.config.labels, "plain=");
	return c;
}

static void status_is(struct container *c, enum container_status s, const char *health, const char *want)
{
	_cleanup_free_ char *text = NULL;

	c->state.status = s;
	free(c->state.health);
	c->state.health = xstrdup(health);
	text = show_status(c, 100 * HOUR);
	assert_string_equal(text, want);
}

static void statuses(void **state)
{
	struct container c = make(ID_A, "web", HOUR);

	(void)state;
	c.state.started_ns = 97 * HOUR;
	c.state.finished_ns = 98 * HOUR;
	c.state.exit_code = 3;
	status_is(&c, ST_CREATED, NULL, "Created");
	status_is(&c, ST_RUNNING, NULL, "Up 3 hours");
	status_is(&c, ST_RUNNING, "healthy", "Up 3 hours (healthy)");
	status_is(&c, ST_RUNNING, "starting", "Up 3 hours (health: starting)");
	status_is(&c, ST_PAUSED, "healthy", "Up 3 hours (Paused)");
	status_is(&c, ST_RESTARTING, NULL, "Restarting (3) 2 hours ago");
	status_is(&c, ST_EXITED, NULL, "Exited (3) 2 hours ago");
	status_is(&c, ST_REMOVING, NULL, "Removal In Progress");
	status_is(&c, ST_DEAD, NULL, "Dead");
	container_free(&c);
}

static void add_port(struct container *c, const char *addr, uint16_t host, uint16_t port, bool udp)
{
	struct container_state *s = &c->state;

	s->ports = xrealloc(s->ports, s->n_ports + 1, sizeof(*s->ports));
	s->ports[s->n_ports++] = (struct spec_port){ xstrdup(addr), host, port, udp };
}

static const char *cell(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static void rows(void **state)
{
	struct container c = make(ID_A, "web", HOUR);
	_cleanup_json_ json_t *shorter = NULL, *whole = NULL, *stopped = NULL;

	(void)state;
	c.state.status = ST_RUNNING;
	add_port(&c, NULL, 8080, 80, false);
	add_port(&c, "192.0.2.1", 53, 53, true);
	c.config.expose_tcp = xcalloc(2, sizeof(uint16_t));
	c.config.expose_tcp[0] = 80;
	c.config.expose_tcp[1] = 443;
	c.config.n_expose_tcp = 2;
	shorter = show_container_row(&c, true);
	whole = show_container_row(&c, false);
	c.state.status = ST_EXITED;
	stopped = show_container_row(&c, true);
	assert_string_equal(cell(shorter, "ID"), "aaaaaaaaaaaa");
	assert_string_equal(cell(whole, "ID"), ID_A);
	assert_string_equal(cell(shorter, "Command"), "\"/usr/bin/server --w\u2026\"");
	assert_string_equal(cell(whole, "Command"), "\"/usr/bin/server --with-a-long-option x\"");
	assert_string_equal(cell(shorter, "Ports"),
			    "127.0.0.1:8080->80/tcp, [::1]:8080->80/tcp, 192.0.2.1:53->53/udp, 443/tcp");
	assert_string_equal(cell(stopped, "Ports"), "");
	assert_string_equal(cell(shorter, "Labels"), "tier=front,plain=");
	assert_string_equal(cell(shorter, "CreatedAt"), "1970-01-01 01:00:00 +0000 UTC");
	container_free(&c);
}

static bool fits(const char *filter, const struct container *c, const struct container *all, size_t n)
{
	_cleanup_(ps_filter_free) struct ps_filter f = { 0 };
	_cleanup_strv_ char **args = strv_split(filter, ' ');
	struct error e = { 0 };

	if (ps_filter_parse(&f, args, &e) < 0)
		fail_msg("%s: %s", filter, e.text);
	return ps_filter_fits(&f, c, all, n);
}

static void filters(void **state)
{
	static const struct {
		const char *filter;
		bool a, b;
	} cases[] = {
		{ "name=web", true, true },
		{ "name=^web$", true, false },
		{ "name=^/web$", true, false },
		{ "name=db name=2$", false, true },
		{ "id=aaaa", true, false },
		{ "id=bb id=aa", true, true },
		{ "label=tier", true, true },
		{ "label=tier=front label=plain", true, true },
		{ "label=tier=front label=other", false, false },
		{ "label=tier=back", false, false },
		{ "label=tie", false, false },
		{ "status=running", true, false },
		{ "status=exited status=running", true, true },
		{ "exited=7", false, true },
		{ "exited=0", false, false },
		{ "ancestor=web", true, true },
		{ "ancestor=localhost/web:1.0", true, true },
		{ "ancestor=we", false, false },
		{ "ancestor=1234567890ab", true, true },
		{ "ancestor=sha256:1234", true, true },
		{ "health=none", false, true },
		{ "health=healthy", true, false },
		{ "network=private", true, true },
		{ "network=none", false, false },
		{ "volume=data", true, false },
		{ "volume=/srv", true, false },
		{ "before=web", false, true },
		{ "since=web2", true, false },
		{ "since=nobody", false, false },
		{ "status=running name=web2", false, false },
	};
	struct container all[2] = { make(ID_A, "web", 2 * HOUR), make(ID_B, "web2", HOUR) };

	(void)state;
	all[0].state.status = ST_RUNNING;
	all[0].state.health = xstrdup("healthy");
	all[0].config.mounts = xcalloc(1, sizeof(*all[0].config.mounts));
	all[0].config.mounts[0] = (struct volume_mount){ .type = xstrdup("volume"), .source = xstrdup("data"),
							 .target = xstrdup("/srv") };
	all[0].config.n_mounts = 1;
	all[1].state.status = ST_EXITED;
	all[1].state.exit_code = 7;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (fits(cases[i].filter, &all[0], all, 2) != cases[i].a)
			fail_msg("%s for the first", cases[i].filter);
		if (fits(cases[i].filter, &all[1], all, 2) != cases[i].b)
			fail_msg("%s for the second", cases[i].filter);
	}
	container_free(&all[0]);
	container_free(&all[1]);
}

static void wrong_filters(void **state)
{
	static const struct {
		const char *filter, *error;
	} cases[] = {
		{ "nmae=x", "there is no filter \"nmae\"" }, { "nmae=x", "did you mean name=?" },
		{ "name", "needs a value" },		     { "status=gone", "created, running" },
		{ "exited=x", "exit code" },		     { "exited=256", "exit code" },
		{ "health=fine", "starting, healthy" },	     { "name=(", "invalid --filter name=(" },
		{ "until=yesterday", "24h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(ps_filter_free) struct ps_filter f = { 0 };
		char *args[] = { (char *)cases[i].filter, NULL };
		struct error e = { 0 };

		assert_int_equal(ps_filter_parse(&f, args, &e), -EINVAL);
		if (!strstr(e.text, cases[i].error))
			fail_msg("%s: %s", cases[i].filter, e.text);
	}
}

static const char *ask(const json_t *doc, const char *template)
{
	static struct buf out;
	struct error e = { 0 };

	out.len = 0;
	if (cli_format(template, doc, false, &out, &e) < 0)
		fail_msg("%s: %s", template, e.text);
	return out.data;
}

static void document(void **state)
{
	struct container c = make(ID_A, "web", HOUR);
	_cleanup_json_ json_t *doc = NULL;

	(void)state;
	c.state.status = ST_RUNNING;
	c.state.pid = 42;
	c.state.started_ns = 2 * HOUR;
	c.config.limits.memory = 64 << 20;
	c.config.limits.cpu_quota_us = 50000;
	c.config.limits.cpu_period_us = 100000;
	c.config.stop_signal = xstrdup("SIGQUIT");
	strv_add_copy(&c.config.env, "A=\xff");
	add_port(&c, NULL, 8080, 80, false);
	doc = show_container(&c);
	assert_string_equal(ask(doc, "{{.Id}} {{.Name}} {{.Path}} {{.Args}}"),
			    ID_A " /web /usr/bin/server [--with-a-long-option x]");
	assert_string_equal(ask(doc, "{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.StartedAt}} "
				     "{{.State.FinishedAt}}"),
			    "running true 42 1970-01-01T02:00:00.000000000Z 0001-01-01T00:00:00Z");
	assert_string_equal(ask(doc, "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"), "none");
	assert_string_equal(ask(doc, "{{(index .NetworkSettings.Ports \"80/tcp\" 1).HostIp}}"), "::1");
	assert_string_equal(ask(doc, "{{index .Config.Labels \"tier\"}} {{.Config.StopSignal}}"), "front SIGQUIT");
	assert_string_equal(ask(doc, "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}"),
			    "67108864 67108864 500000000");
	assert_string_equal(ask(doc, "{{index .Config.Env 0}}"), "A=\\xff");
	assert_string_equal(ask(doc, "{{.HostConfig.RestartPolicy.Name}} {{.Brig.Limits.Memory}}"), "no 67108864");
	container_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses), cmocka_unit_test(rows),	cmocka_unit_test(filters),
		cmocka_unit_test(wrong_filters), cmocka_unit_test(document),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
