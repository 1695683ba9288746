/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/events.h"

#include <stdio.h>
#include <string.h>

struct events_options {
	char *since, *until, *format;
	char **filter;
};

static const struct cli_option options[] = {
	CLI_OPT(struct events_options, filter, "filter", 'f', CLI_LIST, "KEY=VALUE",
		"container, event, image, label, type, volume or network; the same key twice: either", NULL),
	CLI_OPT(struct events_options, format, "format", 0, CLI_STRING, "TEMPLATE", "print by a Go template, or \"json\"", "json"),
	CLI_OPT(struct events_options, since, "since", 0, CLI_STRING, "TIME",
		"begin with what happened then: a time, or a duration like 10m", NULL),
	CLI_OPT(struct events_options, until, "until", 0, CLI_STRING, "TIME", "end then, and do not wait for more", NULL),
	CLI_END,
};

static const char *const keys[] = { "container", "event", "image", "label", "network", "type", "volume" };

static int check_filters(char **filters, struct error *e)
{
	strv_foreach(f, filters) {
		const char *eq = strchr(*f, '=');
		struct cli_nearest near = { 0 };
		_cleanup_free_ char *key = eq ? xstrndup(*f, (size_t)(eq - *f)) : xstrdup(*f);
		bool known = false;

		near.word = key;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			known |= streq(keys[i], key);
			cli_nearest_offer(&near, keys[i]);
		}
		if (!known) {
			error_set(e, EINVAL, "there is no filter \"%s\"", key);
			if (near.best)
				error_hint(e, "did you mean %s=?", near.best);
			return -EINVAL;
		}
		if (!eq || !eq[1])
			return error_set(e, EINVAL, "filter %s needs a value: %s=VALUE", key, key);
	}
	return 0;
}

static const char *member(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

/* `want` is KEY or KEY=VALUE; docker's events have labels among the attributes. */
static bool has_label(const json_t *attrs, const char *want)
{
	const char *eq = strchrnul(want, '=');
	_cleanup_free_ char *key = xstrndup(want, (size_t)(eq - want));
	const char *value = json_string_value(json_object_get(attrs, key));

	return value && (!*eq || streq(value, eq + 1));
}

/* A thing by its name, its id, or a start of the id. */
static bool is_thing(const json_t *event, const char *type, const char *want)
{
	const json_t *actor = json_object_get(event, "Actor");

	return streq(member(event, "Type"), type) &&
	       (streq(member(json_object_get(actor, "Attributes"), "name"), want) || str_after(member(actor, "ID"), want));
}

static bool fits(const json_t *event, const char *key, const char *want)
{
	const json_t *actor = json_object_get(event, "Actor"), *attrs = json_object_get(actor, "Attributes");

	if (streq(key, "container") || streq(key, "volume") || streq(key, "network"))
		return is_thing(event, key, want);
	if (streq(key, "event")) {
		const char *rest = str_after(member(event, "Action"), want);

		/* "health_status" stands for "health_status: healthy" as well. */
		return rest && (!*rest || *rest == ':');
	}
	if (streq(key, "image"))
		return streq(member(attrs, "image"), want) || is_thing(event, "image", want);
	if (streq(key, "label"))
		return has_label(attrs, want);
	return streq(member(event, "Type"), want);
}

/* Every key that is named must fit by one of its values. */
static bool wanted(char **filters, const json_t *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		bool named = false, any = false;

		strv_foreach(f, filters) {
			const char *value = str_after(*f, keys[i]);

			if (!value || *value != '=')
				continue;
			named = true;
			any |= fits(event, keys[i], value + 1);
		}
		if (named && !any)
			return false;
	}
	return true;
}

struct show {
	const struct events_options *o;
	struct error *e;
};

/* 2026-11-24T07:00:00.000000000Z container start ID (image=tiny, name=web) */
static void print_line(const json_t *event, uint64_t time_ns)
{
	const json_t *actor = json_object_get(event, "Actor"), *v;
	_cleanup_buf_ struct buf out = { 0 };
	char time[40];
	const char *key, *sep = " (";
	bool escape = cli_on_terminal();

	clock_format(time_ns, time);
	buf_printf(&out, "%s %s %s %s", time, member(event, "Type"), member(event, "Action"), member(actor, "ID"));
	json_object_foreach((json_t *)json_object_get(actor, "Attributes"), key, v) {
		buf_printf(&out, "%s%s=%s", sep, key, json_string_value(v) ? json_string_value(v) : "");
		sep = ", ";
	}
	if (*sep == ',')
		buf_puts(&out, ")");
	_cleanup_free_ char *safe = escape ? str_escape(out.data) : NULL;
	printf("%s\n", safe ? safe : out.data);
}

static int show(json_t *event, uint64_t time_ns, void *arg)
{
	struct show *s = arg;
	int r = 0;

	if (!wanted(s->o->filter, event))
		return 0;
	if (s->o->format)
		r = cli_print_format(s->o->format, event, s->e);
	else
		print_line(event, time_ns);
	if (r == 0 && fflush(stdout) != 0)
		r = error_errno(s->e, errno, "cannot write");
	return r;
}

static int read_time(const char *name, const char *text, uint64_t *ns, struct error *e)
{
	if (!text || clock_parse(text, ns) == 0)
		return 0;
	return error_set(e, EINVAL, "invalid --%s %s: give a time such as 2026-11-24T07:00:00Z, or a duration such as 10m", name,
			 text);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct events_options *o = options_;
	struct show s = { o, e };
	struct events_query q = { .since_ns = clock_now_ns(), .event = show, .arg = &s };
	int r = check_filters(o->filter, e);

	(void)argc;
	(void)argv;
	if (r == 0)
		r = read_time("since", o->since, &q.since_ns, e);
	if (r == 0)
		r = read_time("until", o->until, &q.until_ns, e);
	/* With an end and no beginning: from the beginning. */
	if (o->until && !o->since)
		q.since_ns = 0;
	return r < 0 ? r : events_read(&q, e);
}

const struct cli_command cmd_events = {
	.name = "events",
	.aliases = "system events",
	.group = "System",
	.args = "[OPTIONS]",
	.summary = "tell what happens to containers, images and volumes",
	.description = "Goes on until it is interrupted, unless --until is given. Beside docker's events there are: refused (the "
		       "container tried a system call that its walls refuse and report), disk_limit, log_failed, monitor_died.",
	.options = options,
	.options_size = sizeof(struct events_options),
	.run = run,
};
