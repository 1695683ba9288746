/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: the document as a whole, its process and its hooks (runtime-spec, config.md). */
#include "spec/oci_parse.h"

#include "base/capname.h"
#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

const char *const oci_hook_names[OCI_HOOK_COUNT] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
};

/* --- process ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int resource;
} rlimits[] = {
	{ "RLIMIT_AS", RLIMIT_AS },	      { "RLIMIT_CORE", RLIMIT_CORE },	    { "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },	      { "RLIMIT_FSIZE", RLIMIT_FSIZE },	    { "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE }, { "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },   { "RLIMIT_NPROC", RLIMIT_NPROC },	    { "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },   { "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING }, { "RLIMIT_STACK", RLIMIT_STACK },
};

static int rlimit_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_rlimit *l = element;
	const char *type = NULL;
	int r = json_get_str(j, where, "type", &type, e);

	if (r == 0 && !type)
		r = oci_missing(e, where, "type");
	if (r == 0)
		r = oci_get_u64(j, where, "soft", true, &l->soft, e);
	if (r == 0)
		r = oci_get_u64(j, where, "hard", true, &l->hard, e);
	if (r < 0)
		return r;
	l->resource = -1;
	for (size_t i = 0; i < ARRAY_SIZE(rlimits); i++)
		if (streq(rlimits[i].name, type))
			l->resource = rlimits[i].resource;
	if (l->resource < 0) {
		_cleanup_free_ char *safe = str_escape(type);

		return error_set(e, EINVAL, "%s.type: \"%s\" is no resource limit", where, safe);
	}
	return l->soft > l->hard ? error_set(e, EINVAL, "%s: the soft limit is above the hard one", where) : 0;
}

static int rlimits_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e)
{
	void *v = NULL;
	int r = oci_each(j, where, "rlimits", sizeof(struct oci_rlimit), &v, &p->n_rlimits, rlimit_one, e);

	p->rlimits = v;
	for (size_t i = 0; r == 0 && i < p->n_rlimits; i++)
		for (size_t k = 0; k < i; k++)
			if (p->rlimits[i].resource == p->rlimits[k].resource)
				return error_set(e, EINVAL, "%s.rlimits[%zu].type: stands there twice", where, i);
	return r;
}

/* A capability that this kernel does not have is left out, as the specification asks for (with a warning, by the caller). */
static int caps_set(const json_t *j, const char *where, const char *key, uint64_t *out, struct error *e)
{
	_cleanup_strv_ char **names = NULL;
	int r = json_get_strv(j, where, key, &names, e);

	strv_foreach(it, names) {
		int bit = cap_by_name(*it);

		if (bit >= 0)
			*out |= 1ULL << bit;
	}
	return r;
}

static int caps_parse(const json_t *j, const char *where, struct oci_caps *c, struct error *e)
{
	struct oci_path at = oci_at(where, "capabilities");
	json_t *o = NULL;
	int r = json_get_obj(j, where, "capabilities", &o, e);

	if (r < 0 || !o)
		return r;
	c->set = true;
	r = caps_set(o, at.text, "bounding", &c->bounding, e);
	if (r == 0)
		r = caps_set(o, at.text, "effective", &c->effective, e);
	if (r == 0)
		r = caps_set(o, at.text, "inheritable", &c->inheritable, e);
	if (r == 0)
		r = caps_set(o, at.text, "permitted", &c->permitted, e);
	if (r == 0)
		r = caps_set(o, at.text, "ambient", &c->ambient, e);
	return r;
}

static int user_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e)
{
	struct oci_path at = oci_at(where, "user");
	struct oci_num mask = { 0 };
	json_t *o = NULL, *arr = NULL, *item;
	size_t i;
	int r = json_get_obj(j, where, "user", &o, e);

	if (r < 0 || !o)
		return r;
	r = oci_get_u32(o, at.text, "uid", false, &p->uid, e);
	if (r == 0)
		r = oci_get_u32(o, at.text, "gid", false, &p->gid, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "umask", 0, 0777, &mask, e);
	if (r == 0)
		r = json_get_arr(o, at.text, "additionalGids", &arr, e);
	if (r < 0)
		return r;
	if (mask.set)
		p->umask = mask.v;
	p->groups = xcalloc(json_array_size(arr) + 1, sizeof(*p->groups));
	json_array_foreach(arr, i, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0 || json_integer_value(item) > UINT32_MAX)
			return error_set(e, EINVAL, "%s: not a group id", oci_at_index(at.text, "additionalGids", i).text);
		p->groups[p->n_groups++] = (uint32_t)json_integer_value(item);
	}
	return 0;
}

struct name_value {
	const char *name;
	uint64_t value;
};

static int lookup(const struct name_value *v, size_t n, const char *name, const char *where, uint64_t *out,
		  struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (streq(v[i].name, name)) {
			*out = v[i].value;
			return 0;
		}
	}
	_cleanup_free_ char *safe = str_escape(name);
	return error_set(e, EINVAL, "%s: \"%s\" is not known", where, safe);
}

static const struct name_value policies[] = {
	{ "SCHED_OTHER", SCHED_OTHER }, { "SCHED_FIFO", SCHED_FIFO }, { "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH }, { "SCHED_ISO", 4 },	      { "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", 6 },
};
static const struct name_value sched_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK }, { "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN }, { "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS }, { "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
};
static const struct name_value io_classes[] = {
	{ "IOPRIO_CLASS_RT", 1 }, { "IOPRIO_CLASS_BE", 2 }, { "IOPRIO_CLASS_IDLE", 3 },
};

static int scheduler_parse(const json_t *j, const char *where, struct oci_scheduler *s, struct error *e)
{
	struct oci_path at = oci_at(where, "scheduler");
	_cleanup_strv_ char **flags = NULL;
	struct oci_num nice = { 0 }, prio = { 0 };
	const char *policy = NULL;
	json_t *o = NULL;
	uint64_t v = 0;
	int r = json_get_obj(j, where, "scheduler", &o, e);

	if (r < 0 || !o)
		return r;
	s->set = true;
	r = json_get_str(o, at.text, "policy", &policy, e);
	if (r == 0 && !policy)
		r = oci_missing(e, at.text, "policy");
	if (r == 0)
		r = lookup(policies, ARRAY_SIZE(policies), policy, oci_at(at.text, "policy").text, &v, e);
	s->policy = (uint32_t)v;
	if (r == 0)
		r = oci_get_num(o, at.text, "nice", -20, 19, &nice, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "priority", 0, 99, &prio, e);
	if (r == 0)
		r = oci_get_u64(o, at.text, "runtime", false, &s->runtime, e);
	if (r == 0)
		r = oci_get_u64(o, at.text, "deadline", false, &s->deadline, e);
	if (r == 0)
		r = oci_get_u64(o, at.text, "period", false, &s->period, e);
	if (r == 0)
		r = json_get_strv(o, at.text, "flags", &flags, e);
	s->nice = (int32_t)nice.v;
	s->priority = (int32_t)prio.v;
	for (size_t i = 0; r == 0 && flags && flags[i]; i++) {
		r = lookup(sched_flags, ARRAY_SIZE(sched_flags), flags[i], oci_at_index(at.text, "flags", i).text, &v, e);
		s->flags |= v;
	}
	return r;
}

static int io_priority_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e)
{
	struct oci_path at = oci_at(where, "ioPriority");
	struct oci_num prio = { 0 };
	const char *class = NULL;
	json_t *o = NULL;
	uint64_t v = 0;
	int r = json_get_obj(j, where, "ioPriority", &o, e);

	if (r < 0 || !o)
		return r;
	r = json_get_str(o, at.text, "class", &class, e);
	if (r == 0 && !class)
		r = oci_missing(e, at.text, "class");
	if (r == 0)
		r = lookup(io_classes, ARRAY_SIZE(io_classes), class, oci_at(at.text, "class").text, &v, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "priority", 0, 7, &prio, e);
	p->io_class = (int)v;
	p->io_priority = (int)prio.v;
	return r;
}

static int affinity_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e)
{
	struct oci_path at = oci_at(where, "execCPUAffinity");
	json_t *o = NULL;
	int r = json_get_obj(j, where, "execCPUAffinity", &o, e);

	if (r < 0 || !o)
		return r;
	r = oci_get_text(o, at.text, "initial", false, &p->cpu_initial, e);
	return r < 0 ? r : oci_get_text(o, at.text, "final", false, &p->cpu_final, e);
}

static int console_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e)
{
	struct oci_path at = oci_at(where, "consoleSize");
	struct oci_num rows = { 0 }, columns = { 0 };
	json_t *o = NULL;
	int r = json_get_obj(j, where, "consoleSize", &o, e);

	if (r == 0 && o)
		r = oci_get_num(o, at.text, "height", 0, UINT16_MAX, &rows, e);
	if (r == 0 && o)
		r = oci_get_num(o, at.text, "width", 0, UINT16_MAX, &columns, e);
	p->rows = (unsigned short)rows.v;
	p->columns = (unsigned short)columns.v;
	return r;
}

/* Law of the record: only NAME=VALUE goes in. */
static int env_check(char *const *env, const char *where, struct error *e)
{
	for (size_t i = 0; env && env[i]; i++)
		if (!strchr(env[i], '=') || env[i][0] == '=')
			return error_set(e, EINVAL, "%s: is not NAME=VALUE", oci_at_index(where, "env", i).text);
	return 0;
}

int oci_process_parse(const json_t *j, const char *where, struct oci_process *p, struct error *e)
{
	int r;

	*p = (struct oci_process){ .umask = -1 };
	r = json_get_bool(j, where, "terminal", &p->terminal, e);
	if (r == 0)
		r = console_parse(j, where, p, e);
	if (r == 0)
		r = user_parse(j, where, p, e);
	if (r == 0)
		r = json_get_strv(j, where, "args", &p->args, e);
	if (r == 0 && strv_len(p->args) == 0)
		r = error_set(e, EINVAL, "%s: names no program", oci_at(where, "args").text);
	if (r == 0)
		r = json_get_strv(j, where, "env", &p->env, e);
	if (r == 0)
		r = env_check(p->env, where, e);
	if (r == 0)
		r = oci_get_text(j, where, "cwd", false, &p->cwd, e);
	if (r == 0 && (!p->cwd || p->cwd[0] != '/'))
		r = error_set(e, EINVAL, "%s: Cwd must be an absolute path", oci_at(where, "cwd").text);
	if (r == 0)
		r = caps_parse(j, where, &p->caps, e);
	if (r == 0)
		r = rlimits_parse(j, where, p, e);
	if (r == 0)
		r = json_get_bool(j, where, "noNewPrivileges", &p->no_new_privs, e);
	if (r == 0)
		r = oci_get_text(j, where, "apparmorProfile", false, &p->apparmor, e);
	if (r == 0)
		r = oci_get_text(j, where, "selinuxLabel", false, &p->selinux, e);
	if (r == 0)
		r = oci_get_num(j, where, "oomScoreAdj", -1000, 1000, &p->oom_score_adj, e);
	if (r == 0)
		r = scheduler_parse(j, where, &p->scheduler, e);
	if (r == 0)
		r = io_priority_parse(j, where, p, e);
	if (r == 0)
		r = affinity_parse(j, where, p, e);
	if (r < 0)
		oci_process_free(p);
	return r;
}

void oci_process_free(struct oci_process *p)
{
	free(p->groups);
	strv_free(p->args);
	strv_free(p->env);
	free(p->cwd);
	free(p->rlimits);
	free(p->apparmor);
	free(p->selinux);
	free(p->cpu_initial);
	free(p->cpu_final);
	*p = (struct oci_process){ .umask = -1 };
}

/* --- hooks ------------------------------------------------------------------------------------------------------- */

static int hook_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_hook *h = element;
	struct oci_num timeout = { 0 };
	int r = oci_get_text(j, where, "path", true, &h->path, e);

	if (r == 0 && !h->path)
		r = oci_missing(e, where, "path");
	if (r == 0 && h->path[0] != '/')
		r = error_set(e, EINVAL, "%s.path: is not absolute", where);
	if (r == 0)
		r = json_get_strv(j, where, "args", &h->args, e);
	if (r == 0)
		r = json_get_strv(j, where, "env", &h->env, e);
	if (r == 0)
		r = oci_get_num(j, where, "timeout", 1, INT32_MAX, &timeout, e);
	h->timeout = timeout.v;
	return r;
}

static int hooks_parse(const json_t *root, struct oci_config *c, struct error *e)
{
	json_t *o = NULL;
	int r = json_get_obj(root, "", "hooks", &o, e);

	for (int k = 0; r == 0 && o && k < OCI_HOOK_COUNT; k++) {
		void *v = NULL;

		r = oci_each(o, "hooks", oci_hook_names[k], sizeof(struct oci_hook), &v, &c->n_hooks[k], hook_one, e);
		c->hooks[k] = v;
	}
	return r;
}

static void hooks_free(struct oci_config *c)
{
	for (int k = 0; k < OCI_HOOK_COUNT; k++) {
		for (size_t i = 0; i < c->n_hooks[k]; i++) {
			free(c->hooks[k][i].path);
			strv_free(c->hooks[k][i].args);
			strv_free(c->hooks[k][i].env);
		}
		free(c->hooks[k]);
	}
}

/* --- the document ------------------------------------------------------------------------------------------------ */

/* SemVer 2.0: any 1.x is read; what a later minor version adds and this parser does not know is ignored. */
static int version_parse(const json_t *j, struct oci_config *c, struct error *e)
{
	int r = oci_get_text(j, "", "ociVersion", true, &c->version, e);
	_cleanup_free_ char *safe = NULL;

	if (r < 0)
		return r;
	if (!c->version)
		return oci_missing(e, "", "ociVersion");
	if (str_after(c->version, "1.") && c->version[2] >= '0' && c->version[2] <= '9')
		return 0;
	safe = str_escape(c->version);
	return error_set(e, EINVAL, "ociVersion: \"%s\" is not supported, only 1.x is", safe);
}

static int root_parse(const json_t *j, struct oci_config *c, struct error *e)
{
	json_t *o = NULL;
	int r = json_get_obj(j, "", "root", &o, e);

	if (r == 0 && !o)
		r = oci_missing(e, "", "root");
	if (r == 0)
		r = oci_get_text(o, "root", "path", true, &c->rootfs, e);
	if (r == 0 && !c->rootfs)
		r = oci_missing(e, "root", "path");
	return r < 0 ? r : json_get_bool(o, "root", "readonly", &c->root_readonly, e);
}

static int annotations_parse(const json_t *j, struct oci_config *c, struct error *e)
{
	json_t *o = NULL, *v;
	const char *name;
	int r = json_get_obj(j, "", "annotations", &o, e);

	if (r < 0 || !o)
		return r;
	json_object_foreach(o, name, v) {
		_cleanup_free_ char *safe = str_escape(name);

		if (!json_is_string(v))
			return error_set(e, EBADMSG, "annotations[\"%s\"]: not a string", safe);
		if (!*name)
			return error_set(e, EINVAL, "annotations: has an empty name");
	}
	c->annotations = json_incref(o);
	return 0;
}

static int parse(const json_t *j, struct oci_config *c, struct error *e)
{
	json_t *o = NULL;
	int r;

	if (!json_is_object(j))
		return error_set(e, EBADMSG, "not an object");
	r = version_parse(j, c, e);
	if (r == 0)
		r = root_parse(j, c, e);
	if (r == 0)
		r = json_get_obj(j, "", "process", &o, e);
	if (r == 0 && o) {
		c->has_process = true;
		r = oci_process_parse(o, "process", &c->process, e);
	}
	if (r == 0)
		r = oci_get_text(j, "", "hostname", false, &c->hostname, e);
	if (r == 0)
		r = oci_get_text(j, "", "domainname", false, &c->domainname, e);
	if (r == 0)
		r = oci_mounts_parse(j, c, e);
	if (r == 0)
		r = hooks_parse(j, c, e);
	if (r == 0)
		r = annotations_parse(j, c, e);
	if (r == 0)
		r = oci_linux_parse(j, c, e);
	return r;
}

int oci_config_parse(const json_t *j, struct oci_config *c, struct error *e)
{
	int r;

	*c = (struct oci_config){ .process.umask = -1 };
	r = parse(j, c, e);
	if (r == 0)
		return 0;
	oci_config_free(c);
	return error_wrap(e, "config.json");
}

int oci_config_read(int at, const char *path, struct oci_config *c, char **text, size_t *size, struct error *e)
{
	_cleanup_free_ char *data = NULL, *longer = NULL;
	_cleanup_json_ json_t *j = NULL;
	size_t n;
	int r = file_read(at, path, OCI_CONFIG_MAX, &data, &n);

	*c = (struct oci_config){ .process.umask = -1 };
	if (r == -EFBIG)
		return error_set(e, EFBIG, "config.json: is larger than %d MiB", OCI_CONFIG_MAX >> 20);
	if (r < 0)
		return error_errno(e, r, "config.json");
	longer = oci_long_numbers(data, n);
	j = json_parse(longer ? longer : data, longer ? strlen(longer) : n, "config.json", e);
	if (!j)
		return e ? e->code : -EBADMSG;
	r = oci_config_parse(j, c, e);
	if (r == 0 && text) {
		*size = n;
		*text = steal_ptr(&data);
	}
	return r;
}

void oci_config_free(struct oci_config *c)
{
	free(c->version);
	free(c->rootfs);
	oci_process_free(&c->process);
	free(c->hostname);
	free(c->domainname);
	oci_mounts_free(c);
	hooks_free(c);
	json_decref(c->annotations);
	for (int i = 0; i < OCI_NS_COUNT; i++)
		free(c->ns[i].path);
	free(c->uidmap);
	free(c->gidmap);
	for (size_t i = 0; i < c->n_devices; i++)
		free(c->devices[i].path);
	free(c->devices);
	free(c->cgroups_path);
	oci_resources_free(&c->resources);
	strv_free(c->masked);
	strv_free(c->readonly_paths);
	free(c->mount_label);
	oci_pairs_free(c->sysctl, c->n_sysctl);
	oci_seccomp_free(&c->seccomp);
	for (size_t i = 0; i < c->n_netdevs; i++) {
		free(c->netdevs[i].name);
		free(c->netdevs[i].new_name);
	}
	free(c->netdevs);
	free(c->rdt.clos_id);
	free(c->rdt.l3);
	free(c->rdt.mb);
	strv_free(c->rdt.schemata);
	free(c->memory_policy.nodes);
	*c = (struct oci_config){ .process.umask = -1 };
}
