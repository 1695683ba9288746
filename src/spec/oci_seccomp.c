/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: linux.seccomp (runtime-spec, config-linux.md, "Seccomp"; seccomp(2)). */
#include "spec/oci_parse.h"

#include "base/cleanup.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const struct {
	const char *name;
	uint32_t action;
	bool errnum; /* takes errnoRet */
} actions[] = {
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true },
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG, false },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, false },
};

static const char *const ops[] = {
	NULL, "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
};

static int action_parse(const json_t *j, const char *where, const char *key, const char *errno_key, uint32_t *out,
			struct error *e)
{
	struct oci_num num = { 0 };
	const char *name = NULL;
	int r = json_get_str(j, where, key, &name, e);

	if (r == 0 && !name)
		r = oci_missing(e, where, key);
	if (r == 0)
		r = oci_get_num(j, where, errno_key, 0, 65535, &num, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!streq(actions[i].name, name))
			continue;
		*out = actions[i].action;
		if (actions[i].errnum)
			*out |= num.set ? (uint32_t)num.v & SECCOMP_RET_DATA : EPERM;
		else if (num.set && num.v != 0)
			return error_set(e, EINVAL, "%s: %s takes no errno", oci_at(where, errno_key).text, name);
		return 0;
	}
	_cleanup_free_ char *safe = str_escape(name);
	return error_set(e, EINVAL, "%s: \"%s\" is no action", oci_at(where, key).text, safe);
}

static int arg_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_seccomp_arg *a = element;
	const char *op = NULL;
	int r = oci_get_u32(j, where, "index", true, &a->index, e);

	if (r == 0 && a->index > 5)
		r = error_set(e, ERANGE, "%s.index: a call has arguments 0 to 5", where);
	if (r == 0)
		r = oci_get_u64(j, where, "value", true, &a->value, e);
	if (r == 0)
		r = oci_get_u64(j, where, "valueTwo", false, &a->value_two, e);
	if (r == 0)
		r = json_get_str(j, where, "op", &op, e);
	if (r == 0 && !op)
		r = oci_missing(e, where, "op");
	if (r < 0)
		return r;
	for (uint32_t i = 1; i < ARRAY_SIZE(ops); i++)
		if (streq(ops[i], op))
			a->op = i;
	return a->op ? 0 : error_set(e, EINVAL, "%s.op: is not known", where);
}

static int rule_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_seccomp_rule *s = element;
	void *v = NULL;
	int r = json_get_strv(j, where, "names", &s->names, e);

	if (r == 0 && strv_len(s->names) == 0)
		r = error_set(e, EINVAL, "%s.names: names no call", where);
	if (r == 0)
		r = action_parse(j, where, "action", "errnoRet", &s->action, e);
	if (r == 0) {
		r = oci_each(j, where, "args", sizeof(struct oci_seccomp_arg), &v, &s->n_args, arg_one, e);
		s->args = v;
	}
	return r;
}

static int flags_parse(const json_t *j, const char *where, struct oci_seccomp *s, struct error *e)
{
	static const struct {
		const char *name;
		unsigned flag;
	} known[] = {
		{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
		{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
		{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
		{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
	};
	_cleanup_strv_ char **flags = NULL;
	int r = json_get_strv(j, where, "flags", &flags, e);

	for (size_t i = 0; r == 0 && flags && flags[i]; i++) {
		unsigned flag = 0;

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			if (streq(known[k].name, flags[i]))
				flag = known[k].flag;
		if (!flag)
			return error_set(e, EINVAL, "%s: is not known", oci_at_index(where, "flags", i).text);
		s->flags |= flag;
	}
	return r;
}

int oci_seccomp_parse(const json_t *j, const char *where, struct oci_seccomp *s, struct error *e)
{
	void *v = NULL;
	int r;

	memset(s, 0, sizeof(*s));
	s->set = true;
	r = action_parse(j, where, "defaultAction", "defaultErrnoRet", &s->default_action, e);
	if (r == 0)
		r = json_get_strv(j, where, "architectures", &s->archs, e);
	if (r == 0)
		r = flags_parse(j, where, s, e);
	if (r == 0)
		r = oci_get_text(j, where, "listenerPath", true, &s->listener_path, e);
	if (r == 0)
		r = oci_get_text(j, where, "listenerMetadata", false, &s->listener_metadata, e);
	if (r == 0) {
		r = oci_each(j, where, "syscalls", sizeof(struct oci_seccomp_rule), &v, &s->n_rules, rule_one, e);
		s->rules = v;
	}
	s->notifies = s->default_action == SECCOMP_RET_USER_NOTIF;
	for (size_t i = 0; r == 0 && i < s->n_rules; i++)
		s->notifies |= s->rules[i].action == SECCOMP_RET_USER_NOTIF;
	if (r == 0 && s->default_action == SECCOMP_RET_USER_NOTIF)
		r = error_set(e, EINVAL, "%s.defaultAction: SCMP_ACT_NOTIFY would stop the container itself", where);
	if (r == 0 && s->notifies && !s->listener_path)
		r = error_set(e, EINVAL, "%s.listenerPath: is missing, and SCMP_ACT_NOTIFY needs it", where);
	if (r < 0)
		oci_seccomp_free(s);
	return r;
}

void oci_seccomp_free(struct oci_seccomp *s)
{
	strv_free(s->archs);
	free(s->listener_path);
	free(s->listener_metadata);
	for (size_t i = 0; i < s->n_rules; i++) {
		strv_free(s->rules[i].names);
		free(s->rules[i].args);
	}
	free(s->rules);
	memset(s, 0, sizeof(*s));
}
