/* SPDX-License-Identifier: Apache-2.0 */
#include "vet/policy.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <fnmatch.h>
#include <string.h>

enum { LIST_MAX = 10000 };

static const char *const requirements[] = { "non-root", "claim", "packages", "complete" };

void vet_policy_free(struct vet_policy *p)
{
	for (size_t i = 0; i < p->n_exceptions; i++) {
		free(p->exceptions[i].rule);
		free(p->exceptions[i].image);
		free(p->exceptions[i].path);
		free(p->exceptions[i].reason);
	}
	free(p->exceptions);
	strv_free(p->forbidden);
	strv_free(p->required);
	*p = (struct vet_policy){ .fail_on = VET_HIGH };
}

/* Members that nobody knows are mistakes. */
static int only(const json_t *obj, const char *where, const char *const *names, size_t n, struct error *e)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)obj, key, value) {
		size_t i = 0;

		while (i < n && !streq(key, names[i]))
			i++;
		if (i == n)
			return error_set(e, EBADMSG, "%s%s%.40s: means nothing", where, *where ? "." : "", key);
	}
	return 0;
}

/* The end of the day that is written YYYY-MM-DD. */
static int parse_day(const char *text, uint64_t *out)
{
	_cleanup_free_ char *whole = xasprintf("%sT00:00:00Z", text);
	char back[40];

	/* Nanoseconds have to fit into JSON's integers. */
	if (strlen(text) != 10 || strncmp(text, "2200", 4) >= 0 || clock_parse(whole, out) < 0)
		return -EINVAL;
	/* 30 February is no day. */
	clock_format(*out, back);
	if (strncmp(back, text, 10) != 0)
		return -EINVAL;
	*out += 24ULL * 3600 * 1000000000;
	return 0;
}

static int read_exception(struct vet_policy *p, const json_t *item, const char *where, struct error *e)
{
	static const char *const names[] = { "rule", "image", "path", "reason", "expires" };
	const char *rule = NULL, *image = NULL, *path = NULL, *reason = NULL, *expires = NULL;
	struct vet_exception *x;
	uint64_t until = 0;
	int r = json_is_object(item) ? only(item, where, names, ARRAY_SIZE(names), e) : error_set(e, EBADMSG, "%s: not an object", where);

	if (r == 0)
		r = json_get_str(item, where, "rule", &rule, e);
	if (r == 0)
		r = json_get_str(item, where, "image", &image, e);
	if (r == 0)
		r = json_get_str(item, where, "path", &path, e);
	if (r == 0)
		r = json_get_str(item, where, "reason", &reason, e);
	if (r == 0)
		r = json_get_str(item, where, "expires", &expires, e);
	if (r < 0)
		return r;
	if (!rule || !*rule)
		return error_set(e, EBADMSG, "%s: no rule", where);
	if (!reason || !*reason)
		return error_set(e, EBADMSG, "%s: no reason", where);
	if (expires && parse_day(expires, &until) < 0)
		return error_set(e, EBADMSG, "%s.expires: a day is written YYYY-MM-DD, before the year 2200", where);
	p->exceptions = xrealloc(p->exceptions, p->n_exceptions + 1, sizeof(*p->exceptions));
	x = &p->exceptions[p->n_exceptions++];
	while (path && *path == '/')
		path++;
	*x = (struct vet_exception){ xstrdup(rule), xstrdup(image), xstrdup(path), xstrdup(reason), until };
	return 0;
}

static int read_required(struct vet_policy *p, struct error *e)
{
	strv_foreach(word, p->required) {
		size_t i = 0;

		while (i < ARRAY_SIZE(requirements) && !streq(*word, requirements[i]))
			i++;
		if (i == ARRAY_SIZE(requirements))
			return error_set(e, EBADMSG, "required: \"%.40s\" is none of non-root, claim, packages, complete", *word);
	}
	return 0;
}

static int read_policy(struct vet_policy *p, const json_t *j, struct error *e)
{
	static const char *const names[] = { "fail_on", "forbidden", "required", "exceptions", "rootfs" };
	const char *fail_on = NULL, *rootfs = NULL;
	json_t *list = NULL, *item;
	size_t i;
	int r = json_is_object(j) ? only(j, "", names, ARRAY_SIZE(names), e) : error_set(e, EBADMSG, "not an object");

	if (r == 0)
		r = json_get_str(j, "", "fail_on", &fail_on, e);
	p->never = streq(fail_on, "never");
	if (r == 0 && fail_on && !p->never && vet_level_parse(fail_on, &p->fail_on) < 0)
		r = error_set(e, EBADMSG, "fail_on: critical, high, medium, low, info or never");
	if (r == 0)
		r = json_get_str(j, "", "rootfs", &rootfs, e);
	p->skip_folders = streq(rootfs, "skip");
	if (r == 0 && rootfs && !p->skip_folders && !streq(rootfs, "look"))
		r = error_set(e, EBADMSG, "rootfs: look or skip");
	if (r == 0)
		r = json_get_strv(j, "", "forbidden", &p->forbidden, e);
	if (r == 0)
		r = json_get_strv(j, "", "required", &p->required, e);
	if (r == 0)
		r = read_required(p, e);
	if (r == 0)
		r = json_get_arr(j, "", "exceptions", &list, e);
	if (r == 0 && json_array_size(list) > LIST_MAX)
		r = error_set(e, E2BIG, "exceptions: more than %d", LIST_MAX);
	json_array_foreach(list, i, item) {
		char where[48];

		snprintf(where, sizeof(where), "exceptions[%zu]", i);
		if (r == 0)
			r = read_exception(p, item, where, e);
	}
	return r;
}

int vet_policy_parse(struct vet_policy *p, const char *text, size_t n, const char *what, struct error *e)
{
	_cleanup_json_ json_t *j = json_parse(text, n, what, e);
	int r;

	*p = (struct vet_policy){ .fail_on = VET_HIGH };
	if (!j)
		return e && e->code < 0 ? e->code : -EBADMSG;
	r = read_policy(p, j, e);
	if (r < 0) {
		vet_policy_free(p);
		return error_wrap(e, "%s", what);
	}
	return 0;
}

static bool rule_fits(const char *pattern, const char *rule)
{
	size_t n = strlen(pattern);

	return streq(pattern, rule) || (n && pattern[n - 1] == '*' && strncmp(pattern, rule, n - 1) == 0);
}

/* An exception that fits and has not ended; the earliest end of those that were needed is remembered. */
static bool excepted(const struct vet_policy *p, const struct vet *v, const char *rule, const char *path, uint64_t now, uint64_t *until)
{
	for (size_t i = 0; i < p->n_exceptions; i++) {
		const struct vet_exception *x = &p->exceptions[i];

		if (!rule_fits(x->rule, rule) || (x->until_ns && x->until_ns <= now))
			continue;
		if (x->image && fnmatch(x->image, v->image ? v->image : v->name ? v->name : "", 0) != 0)
			continue;
		if (x->path && (!path || fnmatch(x->path, path, 0) != 0))
			continue;
		if (x->until_ns && (!*until || x->until_ns < *until))
			*until = x->until_ns;
		return true;
	}
	return false;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
			return true;
	return false;
}

static void refuse(struct vet_ruling *out, const char *rule, const char *title, const char *path)
{
	size_t have = strlen(out->rules);

	if (!out->refused) {
		snprintf(out->rule, sizeof(out->rule), "%s", rule);
		snprintf(out->title, sizeof(out->title), "%s", title);
		snprintf(out->path, sizeof(out->path), "%s", path ? path : "");
	}
	out->refused = true;
	if (has_word(out->rules, rule) || has_word(out->rules, "..."))
		return;
	if (have + strlen(rule) + 6 > sizeof(out->rules))
		rule = "...";
	snprintf(out->rules + have, sizeof(out->rules) - have, "%s%s", have ? " " : "", rule);
}

static bool forbidden(const struct vet_policy *p, const char *rule)
{
	strv_foreach(pattern, p->forbidden)
		if (rule_fits(*pattern, rule))
			return true;
	return false;
}

static bool non_root(const struct vet *v)
{
	const char *user = json_string_value(json_object_get(json_object_get(v->config, "config"), "User"));
	size_t n = user ? strcspn(user, ":") : 0;

	return n && strspn(user, "0") != n && !(n == 4 && strncmp(user, "root", 4) == 0);
}

static void judge_required(const struct vet_policy *p, const struct vet *v, uint64_t now, struct vet_ruling *out)
{
	const json_t *claims = json_object_get(v->facts, "claims");
	struct {
		const char *word, *rule, *title;
		bool met;
	} all[] = {
		{ "non-root", "required-non-root", "the policy wants a user that is not root", non_root(v) },
		{ "claim", "required-claim", "the policy wants an image that says what it is for", json_is_string(json_object_get(claims, "is")) },
		{ "packages", "required-packages", "the policy wants a package database", json_array_size(v->packages) > 0 },
		{ "complete", "required-complete", "the policy wants that everything was looked at",
		  json_array_size(json_object_get(v->facts, "not_looked")) == 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!all[i].met && strv_has(p->required, all[i].word) && !excepted(p, v, all[i].rule, NULL, now, &out->until_ns))
			refuse(out, all[i].rule, all[i].title, NULL);
}

void vet_policy_judge(const struct vet_policy *p, const struct vet *v, uint64_t now, struct vet_ruling *out)
{
	*out = (struct vet_ruling){ 0 };
	for (size_t i = 0; i < v->n_findings; i++) {
		const struct vet_finding *f = &v->findings[i];

		if (!forbidden(p, f->rule) && (p->never || f->level > p->fail_on))
			continue;
		if (!excepted(p, v, f->rule, f->path, now, &out->until_ns))
			refuse(out, f->rule, f->title, f->path);
	}
	judge_required(p, v, now, out);
}

void vet_ruling_end(struct vet_ruling *r)
{
	r->rules[sizeof(r->rules) - 1] = 0;
	r->rule[sizeof(r->rule) - 1] = 0;
	r->title[sizeof(r->title) - 1] = 0;
	r->path[sizeof(r->path) - 1] = 0;
}
