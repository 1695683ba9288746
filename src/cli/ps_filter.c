/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps_filter.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"

#include <string.h>

static const char *const keys[] = { "ancestor", "before", "exited", "health", "id",    "label",
				    "name",	"network", "since", "status", "until", "volume" };

static const char *const statuses[] = { "created", "running", "paused", "restarting", "removing", "exited", "dead" };
static const char *const healths[] = { "starting", "healthy", "unhealthy", "none" };

static int one_of(const char *key, const char *value, const char *const *words, size_t n, struct error *e)
{
	_cleanup_buf_ struct buf all = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (streq(value, words[i]))
			return 0;
		buf_printf(&all, "%s%s", i ? ", " : "", words[i]);
	}
	return error_set(e, EINVAL, "invalid --filter %s=%s: give one of %s", key, value, all.data);
}

static int add_name(struct ps_filter *f, const char *value, struct error *e)
{
	/* Docker's names begin with a slash, and scripts write ^/web$. */
	const char *anchored = str_after(value, "^/");
	_cleanup_free_ char *text = anchored ? xasprintf("^%s", anchored) : xstrdup(*value == '/' ? value + 1 : value);
	regex_t re;
	int r = regcomp(&re, text, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		char why[100];

		regerror(r, &re, why, sizeof(why));
		return error_set(e, EINVAL, "invalid --filter name=%s: %s", value, why);
	}
	f->names = xrealloc(f->names, f->n_names + 1, sizeof(*f->names));
	f->names[f->n_names++] = re;
	return 0;
}

static int check(struct ps_filter *f, const char *key, const char *value, struct error *e)
{
	int64_t code;
	uint64_t ns;

	if (streq(key, "name"))
		return add_name(f, value, e);
	if (streq(key, "status")) {
		f->any_status = true;
		return one_of(key, value, statuses, ARRAY_SIZE(statuses), e);
	}
	if (streq(key, "health"))
		return one_of(key, value, healths, ARRAY_SIZE(healths), e);
	if (streq(key, "exited")) {
		f->any_status = true;
		if (parse_i64(value, 0, 255, &code) < 0)
			return error_set(e, EINVAL, "invalid --filter exited=%s: give an exit code, 0 to 255", value);
	}
	if (streq(key, "until") && clock_parse(value, &ns) < 0)
		return error_set(e, EINVAL, "invalid --filter until=%s: give a time such as 24h or 2026-11-24T07:00:00Z",
				 value);
	return 0;
}

int ps_filter_parse(struct ps_filter *f, char *const *args, struct error *e)
{
	strv_foreach(a, args) {
		const char *eq = strchr(*a, '=');
		_cleanup_free_ char *key = eq ? xstrndup(*a, (size_t)(eq - *a)) : xstrdup(*a);
		struct cli_nearest near = { .word = key };
		bool known = false;
		int r;

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			known = known || streq(keys[i], key);
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
		r = check(f, key, eq + 1, e);
		if (r < 0)
			return r;
		strv_add_copy(&f->list, *a);
	}
	return 0;
}

void ps_filter_free(struct ps_filter *f)
{
	for (size_t i = 0; i < f->n_names; i++)
		regfree(&f->names[i]);
	free(f->names);
	strv_free(f->list);
	*f = (struct ps_filter){ 0 };
}

/* KEY: some label has it; KEY=VALUE: the last label of that key has that value. */
static bool has_label(const struct container *c, const char *want)
{
	const char *eq = strchrnul(want, '='), *value = NULL;
	size_t n = (size_t)(eq - want);

	strv_foreach(l, c->config.labels)
		if (strncmp(*l, want, n) == 0 && ((*l)[n] == '=' || (*l)[n] == 0))
			value = (*l)[n] ? *l + n + 1 : "";
	return value && (!*eq || streq(value, eq + 1));
}

static bool uses_volume(const struct container *c, const char *want)
{
	for (size_t i = 0; i < c->config.n_mounts; i++)
		if (streq(c->config.mounts[i].source, want) || streq(c->config.mounts[i].target, want))
			return true;
	return false;
}

/* By name, or by id or the start of one. */
static bool has_image(const struct container *c, const char *want)
{
	const char *name = c->config.image_name, *id = c->config.image_id, *hex = str_after(want, "sha256:");
	const char *rest = name ? str_after(name, want) : NULL;

	if (rest && (!*rest || *rest == ':' || *rest == '@'))
		return true;
	if (name && str_after(name, "localhost/")) {
		rest = str_after(name + strlen("localhost/"), want);
		if (rest && (!*rest || *rest == ':' || *rest == '@'))
			return true;
	}
	if (!hex)
		hex = want;
	return id && strlen(hex) >= 4 && str_after(id, hex);
}

static bool is_ref(const struct container *c, const char *ref)
{
	return streq(c->config.name, ref) || (*ref && str_after(c->config.id, ref));
}

static bool older(const struct container *a, const struct container *b)
{
	return a->config.created_ns < b->config.created_ns;
}

struct question {
	const struct ps_filter *f;
	const struct container *c, *all;
	size_t n;
};

static bool beside(const struct question *q, const char *ref, bool before)
{
	for (size_t i = 0; i < q->n; i++)
		if (is_ref(&q->all[i], ref))
			return before ? older(q->c, &q->all[i]) : older(&q->all[i], q->c);
	return false;
}

static bool fits(const struct question *q, const char *key, const char *value, size_t nth_name)
{
	const struct container *c = q->c;
	uint64_t ns;

	switch (key[0]) {
	case 'a':
		return has_image(c, value);
	case 'b':
		return beside(q, value, true);
	case 'e':
		return c->state.status == ST_EXITED && c->state.exit_code == atoi(value);
	case 'h':
		return streq(value, c->state.health ? c->state.health : "none");
	case 'i':
		return str_after(c->config.id, value) != NULL;
	case 'l':
		return has_label(c, value);
	case 'n':
		if (streq(key, "network"))
			return streq(c->config.network, value);
		return c->config.name && regexec(&q->f->names[nth_name], c->config.name, 0, NULL, 0) == 0;
	case 'u':
		return clock_parse(value, &ns) == 0 && c->config.created_ns < ns;
	case 'v':
		return uses_volume(c, value);
	default:
		if (streq(key, "since"))
			return beside(q, value, false);
		return streq(container_status_name(c->state.status), value);
	}
}

bool ps_filter_fits(const struct ps_filter *f, const struct container *c, const struct container *all, size_t n)
{
	struct question q = { f, c, all, n };

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		bool asked = false, good = false, every = streq(keys[k], "label");
		size_t nth_name = 0;

		strv_foreach(a, f->list) {
			const char *value = str_after(*a, keys[k]);

			if (!value || *value != '=')
				continue;
			bool one = fits(&q, keys[k], value + 1, nth_name++);
			good = !asked ? one : every ? good && one : good || one;
			asked = true;
		}
		if (asked && !good)
			return false;
	}
	return true;
}
