/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"

#include <string.h>
#include <time.h>

enum { SHORT_ID = 12, SHORT_COMMAND = 20, SHORT_MOUNT = 15 };

char *show_address(const char *addr, uint16_t port)
{
	return xasprintf(strchr(addr, ':') ? "[%s]:%u" : "%s:%u", addr, port);
}

void show_each_port(const struct container *c, show_port_fn fn, void *arg)
{
	bool live = container_running(c);
	const struct spec_port *p = live ? c->state.ports : c->config.ports;
	size_t n = live ? c->state.n_ports : c->config.n_ports;

	for (size_t i = 0; i < n; i++) {
		if (p[i].host_addr) {
			fn(p[i].host_addr, p[i].host_port, p[i].port, p[i].udp, arg);
		} else {
			fn("127.0.0.1", p[i].host_port, p[i].port, p[i].udp, arg);
			fn("::1", p[i].host_port, p[i].port, p[i].udp, arg);
		}
	}
}

static void add_port(const char *addr, uint16_t host_port, uint16_t port, bool udp, void *arg)
{
	_cleanup_free_ char *address = show_address(addr, host_port);
	struct buf *b = arg;

	buf_printf(b, "%s%s->%u/%s", b->len ? ", " : "", address, port, udp ? "udp" : "tcp");
}

static bool published(const struct container *c, uint16_t port)
{
	for (size_t i = 0; i < c->state.n_ports; i++)
		if (c->state.ports[i].port == port && !c->state.ports[i].udp)
			return true;
	return false;
}

static char *ports(const struct container *c)
{
	struct buf b = { 0 };

	if (!container_running(c))
		return xstrdup("");
	show_each_port(c, add_port, &b);
	for (size_t i = 0; i < c->config.n_expose_tcp; i++)
		if (!published(c, c->config.expose_tcp[i]))
			buf_printf(&b, "%s%u/tcp", b.len ? ", " : "", c->config.expose_tcp[i]);
	return buf_steal(&b);
}

static char *ago(uint64_t since_ns, uint64_t now_ns)
{
	char words[40];

	clock_words(now_ns > since_ns ? now_ns - since_ns : 0, words);
	return xasprintf("%s ago", words);
}

char *show_status(const struct container *c, uint64_t now_ns)
{
	const struct container_state *s = &c->state;
	_cleanup_free_ char *ended = ago(s->finished_ns, now_ns);
	const char *health = s->health;
	char up[40];

	switch (s->status) {
	case ST_CREATED:
		return xstrdup("Created");
	case ST_RUNNING:
	case ST_PAUSED:
		clock_words(now_ns > s->started_ns ? now_ns - s->started_ns : 0, up);
		if (s->status == ST_PAUSED)
			return xasprintf("Up %s (Paused)", up);
		if (!health)
			return xasprintf("Up %s", up);
		return xasprintf(streq(health, "starting") ? "Up %s (health: %s)" : "Up %s (%s)", up, health);
	case ST_RESTARTING:
		return xasprintf("Restarting (%d) %s", s->exit_code, ended);
	case ST_EXITED:
		return xasprintf("Exited (%d) %s", s->exit_code, ended);
	case ST_REMOVING:
		return xstrdup("Removal In Progress");
	case ST_DEAD:
		break;
	}
	return xstrdup("Dead");
}

/* At most `max` characters, the last of them an ellipsis when something was cut. */
static char *shorten(const char *s, size_t max, bool trunc)
{
	size_t n = strlen(s), i = 0, cut = 0, count = 0;

	while (i < n) {
		uint32_t c;
		size_t len = utf8_decode(s + i, n - i, &c);

		if (count == max - 1)
			cut = i;
		count++;
		i += len ? len : 1;
	}
	return trunc && count > max ? xasprintf("%.*s\u2026", (int)cut, s) : xstrdup(s);
}

static char *join(char *const *a, char *const *b, const char *sep)
{
	struct buf out = { 0 };

	strv_foreach(s, a)
		buf_printf(&out, "%s%s", out.len ? sep : "", *s);
	strv_foreach(s, b)
		buf_printf(&out, "%s%s", out.len ? sep : "", *s);
	return buf_steal(&out);
}

static char *command(const struct container_config *k, bool trunc)
{
	_cleanup_free_ char *all = join(k->entrypoint, k->command, " ");
	_cleanup_free_ char *cut = shorten(all, SHORT_COMMAND, trunc);

	return xasprintf("\"%s\"", cut);
}

static char *mounts(const struct container_config *k, bool trunc, size_t *n_volumes)
{
	struct buf b = { 0 };

	*n_volumes = 0;
	for (size_t i = 0; i < k->n_mounts; i++) {
		const struct volume_mount *m = &k->mounts[i];
		_cleanup_free_ char *source = shorten(m->source ? m->source : "", SHORT_MOUNT, trunc);

		*n_volumes += streq(m->type, "volume");
		if (*source)
			buf_printf(&b, "%s%s", b.len ? "," : "", source);
	}
	return buf_steal(&b);
}

json_t *show_pairs(char *const *list)
{
	json_t *obj = json_object();

	strv_foreach(s, list) {
		const char *eq = strchrnul(*s, '=');
		_cleanup_free_ char *key = xstrndup(*s, (size_t)(eq - *s));

		json_object_set_new(obj, key, json_string(*eq ? eq + 1 : ""));
	}
	return obj;
}

/* Text of a container that is not UTF-8 is shown with its bytes spelled out. */
static void put(json_t *row, const char *key, const char *s)
{
	json_t *j = json_string(s);

	if (!j) {
		_cleanup_free_ char *safe = str_escape(s);

		j = json_string(safe);
	}
	json_object_set_new(row, key, j);
}

static void put_new(json_t *row, const char *key, char *s)
{
	put(row, key, s);
	free(s);
}

/* "2026-11-24 07:00:00 +0000 UTC", Go's way to print a time. */
static char *go_time(uint64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[40];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	return xstrdup(text);
}

json_t *show_container_row(const struct container *c, bool trunc)
{
	const struct container_config *k = &c->config;
	uint64_t now = clock_now_ns();
	json_t *row = json_object();
	size_t n_volumes;

	put_new(row, "ID", xstrndup(k->id, trunc ? SHORT_ID : CONTAINER_ID_LEN));
	put(row, "Image", k->image_name ? k->image_name : k->rootfs ? k->rootfs : "");
	put_new(row, "Command", command(k, trunc));
	put_new(row, "CreatedAt", go_time(k->created_ns));
	put_new(row, "RunningFor", ago(k->created_ns, now));
	put_new(row, "Ports", ports(c));
	put(row, "State", container_status_name(c->state.status));
	put_new(row, "Status", show_status(c, now));
	put(row, "Size", "");
	put(row, "Names", k->name ? k->name : "");
	put_new(row, "Labels", join(k->labels, NULL, ","));
	put_new(row, "Mounts", mounts(k, trunc, &n_volumes));
	put_new(row, "LocalVolumes", xasprintf("%zu", n_volumes));
	put(row, "Networks", k->network ? k->network : "");
	json_object_set_new(row, ".Label", show_pairs(k->labels));
	return row;
}
