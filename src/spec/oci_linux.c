/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: the "linux" object but for resources and seccomp (runtime-spec, config-linux.md). */
#include "spec/oci_parse.h"

#include "base/cleanup.h"

#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

static const char *const ns_names[OCI_NS_COUNT] = {
	[OCI_NS_USER] = "user", [OCI_NS_PID] = "pid", [OCI_NS_NETWORK] = "network", [OCI_NS_IPC] = "ipc",
	[OCI_NS_UTS] = "uts", [OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time", [OCI_NS_MOUNT] = "mount",
};

static int namespaces_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	json_t *arr = NULL, *item;
	size_t i;
	int r = json_get_arr(linux_, "linux", "namespaces", &arr, e);

	if (r < 0)
		return r;
	json_array_foreach(arr, i, item) {
		struct oci_path at = oci_at_index("linux", "namespaces", i);
		const char *type = NULL;
		int kind = -1;

		if (!json_is_object(item))
			return error_set(e, EBADMSG, "%s: not an object", at.text);
		r = json_get_str(item, at.text, "type", &type, e);
		if (r < 0)
			return r;
		if (!type)
			return oci_missing(e, at.text, "type");
		for (int k = 0; k < OCI_NS_COUNT; k++)
			if (streq(type, ns_names[k]))
				kind = k;
		if (kind < 0) {
			_cleanup_free_ char *safe = str_escape(type);

			return error_set(e, EINVAL, "%s.type: \"%s\" is no namespace", at.text, safe);
		}
		if (c->ns[kind].set)
			return error_set(e, EINVAL, "%s.type: %s stands there twice", at.text, type);
		c->ns[kind].set = true;
		r = oci_get_text(item, at.text, "path", false, &c->ns[kind].path, e);
		if (r < 0)
			return r;
		if (c->ns[kind].path && !*c->ns[kind].path) {
			free(c->ns[kind].path);
			c->ns[kind].path = NULL;
		}
		if (c->ns[kind].path && c->ns[kind].path[0] != '/')
			return error_set(e, EINVAL, "%s.path: is not absolute", at.text);
	}
	return 0;
}

static int offsets_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	json_t *o = NULL;
	int r = json_get_obj(linux_, "linux", "timeOffsets", &o, e);
	static const char *const names[] = { "monotonic", "boottime" };

	for (int i = 0; r == 0 && o && i < 2; i++) {
		struct oci_path at = oci_at("linux.timeOffsets", names[i]);
		struct oci_num secs = { 0 };
		uint32_t nanos = 0;
		json_t *one = NULL;

		r = json_get_obj(o, "linux.timeOffsets", names[i], &one, e);
		if (r < 0 || !one)
			continue;
		r = oci_get_num(one, at.text, "secs", INT64_MIN, INT64_MAX, &secs, e);
		if (r == 0)
			r = oci_get_u32(one, at.text, "nanosecs", false, &nanos, e);
		if (r == 0 && nanos > 999999999)
			r = error_set(e, ERANGE, "%s.nanosecs: is a second or more", at.text);
		if (i == 0) {
			c->monotonic.set = true;
			c->monotonic.secs = secs.v;
			c->monotonic.nanosecs = nanos;
		} else {
			c->boottime.set = true;
			c->boottime.secs = secs.v;
			c->boottime.nanosecs = nanos;
		}
	}
	if (r == 0 && (c->monotonic.set || c->boottime.set) && (!c->ns[OCI_NS_TIME].set || c->ns[OCI_NS_TIME].path))
		return error_set(e, EINVAL, "linux.timeOffsets: needs a new time namespace");
	return r;
}

static int device_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_num major = { 0 }, minor = { 0 }, mode = { .v = 0666 };
	struct oci_device *d = element;
	const char *type = NULL;
	int r = oci_get_text(j, where, "path", true, &d->path, e);

	if (r == 0 && !d->path)
		r = oci_missing(e, where, "path");
	if (r == 0 && d->path[0] != '/')
		r = error_set(e, EINVAL, "%s.path: is not absolute", where);
	if (r == 0)
		r = json_get_str(j, where, "type", &type, e);
	if (r == 0 && !type)
		r = oci_missing(e, where, "type");
	if (r == 0)
		r = oci_get_num(j, where, "major", 0, 0xfff, &major, e);
	if (r == 0)
		r = oci_get_num(j, where, "minor", 0, 0xfffff, &minor, e);
	if (r == 0)
		r = oci_get_num(j, where, "fileMode", 0, 07777777, &mode, e);
	if (r == 0)
		r = oci_get_u32(j, where, "uid", false, &d->uid, e);
	if (r == 0)
		r = oci_get_u32(j, where, "gid", false, &d->gid, e);
	if (r < 0)
		return r;
	d->type = streq(type, "c") || streq(type, "u") ? S_IFCHR : streq(type, "b") ? S_IFBLK : streq(type, "p") ? S_IFIFO : 0;
	if (!d->type)
		return error_set(e, EINVAL, "%s.type: is none of c, b, u and p", where);
	if (d->type != S_IFIFO && (!major.set || !minor.set))
		return oci_missing(e, where, major.set ? "minor" : "major");
	d->major = major.v;
	d->minor = minor.v;
	d->mode = (mode_t)mode.v & 07777;
	return 0;
}

static int paths_parse(const json_t *linux_, const char *key, char ***out, struct error *e)
{
	int r = json_get_strv(linux_, "linux", key, out, e);

	for (size_t i = 0; r == 0 && *out && (*out)[i]; i++)
		if ((*out)[i][0] != '/')
			return error_set(e, EINVAL, "%s: is not absolute", oci_at_index("linux", key, i).text);
	return r;
}

static int propagation_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} known[] = {
		{ "private", MS_PRIVATE },   { "rprivate", MS_PRIVATE | MS_REC },
		{ "slave", MS_SLAVE },	     { "rslave", MS_SLAVE | MS_REC },
		{ "shared", MS_SHARED },     { "rshared", MS_SHARED | MS_REC },
		{ "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
	};
	const char *s = NULL;
	int r = json_get_str(linux_, "linux", "rootfsPropagation", &s, e);

	if (r < 0 || !s || !*s)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(known[i].name, s))
			c->rootfs_propagation = known[i].flags;
	if (c->rootfs_propagation)
		return 0;
	_cleanup_free_ char *safe = str_escape(s);
	return error_set(e, EINVAL, "linux.rootfsPropagation: \"%s\" is not known", safe);
}

static int personality_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	_cleanup_strv_ char **flags = NULL;
	const char *domain = NULL;
	json_t *o = NULL;
	int r = json_get_obj(linux_, "linux", "personality", &o, e);

	if (r < 0 || !o)
		return r;
	r = json_get_str(o, "linux.personality", "domain", &domain, e);
	if (r == 0)
		r = json_get_strv(o, "linux.personality", "flags", &flags, e);
	if (r < 0)
		return r;
	if (strv_len(flags) > 0)
		return error_set(e, EINVAL, "linux.personality.flags: none is defined");
	if (!streq(domain, "LINUX") && !streq(domain, "LINUX32"))
		return error_set(e, EINVAL, "linux.personality.domain: is neither LINUX nor LINUX32");
	c->has_personality = true;
	c->personality = streq(domain, "LINUX32") ? PER_LINUX32 : PER_LINUX;
	return 0;
}

static int rdt_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	json_t *o = NULL;
	int r = json_get_obj(linux_, "linux", "intelRdt", &o, e);

	if (r < 0 || !o)
		return r;
	c->has_rdt = true;
	r = oci_get_text(o, "linux.intelRdt", "closID", false, &c->rdt.clos_id, e);
	if (r == 0)
		r = oci_get_text(o, "linux.intelRdt", "l3CacheSchema", false, &c->rdt.l3, e);
	if (r == 0)
		r = oci_get_text(o, "linux.intelRdt", "memBwSchema", false, &c->rdt.mb, e);
	if (r == 0)
		r = json_get_strv(o, "linux.intelRdt", "schemata", &c->rdt.schemata, e);
	if (r == 0)
		r = json_get_bool(o, "linux.intelRdt", "enableMonitoring", &c->rdt.monitoring, e);
	if (r == 0 && c->rdt.clos_id && (strchr(c->rdt.clos_id, '/') || streq(c->rdt.clos_id, "..") || streq(c->rdt.clos_id, ".")))
		r = error_set(e, EINVAL, "linux.intelRdt.closID: is not one name");
	return r;
}

static int mempolicy_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{ "MPOL_DEFAULT", MPOL_DEFAULT }, { "MPOL_PREFERRED", MPOL_PREFERRED }, { "MPOL_BIND", MPOL_BIND },
		{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE }, { "MPOL_LOCAL", MPOL_LOCAL },
		{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY }, { "MPOL_WEIGHTED_INTERLEAVE", 6 },
	}, flags[] = {
		{ "MPOL_F_NUMA_BALANCING", (int)(1u << 13) }, { "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
		{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
	};
	static const char where[] = "linux.memoryPolicy";
	_cleanup_strv_ char **names = NULL;
	const char *mode = NULL;
	json_t *o = NULL;
	int r = json_get_obj(linux_, "linux", "memoryPolicy", &o, e);

	if (r < 0 || !o)
		return r;
	r = json_get_str(o, where, "mode", &mode, e);
	if (r == 0)
		r = oci_get_text(o, where, "nodes", false, &c->memory_policy.nodes, e);
	if (r == 0)
		r = json_get_strv(o, where, "flags", &names, e);
	c->memory_policy.mode = -1;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(modes); i++)
		if (streq(modes[i].name, mode))
			c->memory_policy.mode = modes[i].mode;
	if (r == 0 && c->memory_policy.mode < 0)
		return error_set(e, EINVAL, "%s.mode: is not known", where);
	for (size_t i = 0; r == 0 && names && names[i]; i++) {
		unsigned bit = 0;

		for (size_t k = 0; k < ARRAY_SIZE(flags); k++)
			if (streq(flags[k].name, names[i]))
				bit = (unsigned)flags[k].mode;
		if (!bit)
			return error_set(e, EINVAL, "%s: is not known", oci_at_index(where, "flags", i).text);
		c->memory_policy.flags |= bit;
	}
	c->memory_policy.set = r == 0;
	return r;
}

/* As the kernel's dev_valid_name() has it. */
static bool is_interface(const char *name)
{
	return *name && strlen(name) < 16 && !streq(name, ".") && !streq(name, "..") && !strpbrk(name, "/: \t\n\v\f\r");
}

static int netdevs_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	json_t *o = NULL, *v;
	const char *name;
	int r = json_get_obj(linux_, "linux", "netDevices", &o, e);

	if (r < 0 || !o)
		return r;
	if (!c->ns[OCI_NS_NETWORK].set)
		return error_set(e, EINVAL, "linux.netDevices: needs a network namespace");
	c->netdevs = xcalloc(json_object_size(o) + 1, sizeof(*c->netdevs));
	json_object_foreach(o, name, v) {
		_cleanup_free_ char *safe = str_escape(name), *where = xasprintf("linux.netDevices[\"%s\"]", safe);
		struct oci_netdev *d = &c->netdevs[c->n_netdevs++];

		d->name = xstrdup(name);
		if (!json_is_object(v))
			return error_set(e, EBADMSG, "%s: not an object", where);
		r = oci_get_text(v, where, "name", false, &d->new_name, e);
		if (r < 0)
			return r;
		if (!is_interface(name) || (d->new_name && *d->new_name && !is_interface(d->new_name)))
			return error_set(e, EINVAL, "%s: is no name of an interface", where);
	}
	return 0;
}

/* Names of sysctl(8) with dots or slashes, none of them leading out. */
static int sysctl_parse(const json_t *linux_, struct oci_config *c, struct error *e)
{
	int r = oci_get_pairs(linux_, "linux", "sysctl", &c->sysctl, &c->n_sysctl, e);

	for (size_t i = 0; r == 0 && i < c->n_sysctl; i++) {
		const char *n = c->sysctl[i].name;
		_cleanup_free_ char *safe = str_escape(n);

		if (!*n || *n == '/' || *n == '.' || strstr(n, "..") || strstr(n, "//") || strchr(c->sysctl[i].value, '\n'))
			return error_set(e, EINVAL, "linux.sysctl[\"%s\"]: is no kernel parameter", safe);
	}
	return r;
}

/* What one object demands of another. */
static int agree(const struct oci_config *c, struct error *e)
{
	bool user = c->ns[OCI_NS_USER].set;

	if ((c->n_uidmap || c->n_gidmap) && !user)
		return error_set(e, EINVAL, "linux.uidMappings: need a user namespace in linux.namespaces");
	if (user && !c->ns[OCI_NS_USER].path && (!c->n_uidmap || !c->n_gidmap))
		return error_set(e, EINVAL, "linux.%s: is missing, a new user namespace has no ids without it",
				 c->n_uidmap ? "gidMappings" : "uidMappings");
	if (c->hostname && *c->hostname && !c->ns[OCI_NS_UTS].set)
		return error_set(e, EINVAL, "hostname: needs a uts namespace in linux.namespaces");
	if (c->domainname && *c->domainname && !c->ns[OCI_NS_UTS].set)
		return error_set(e, EINVAL, "domainname: needs a uts namespace in linux.namespaces");
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].idmap && c->mounts[i].n_uidmap == 0 && !user)
			return error_set(e, EINVAL, "mounts[%zu]: an idmapped mount needs uidMappings, or a user namespace", i);
	return 0;
}

int oci_linux_parse(const json_t *root, struct oci_config *c, struct error *e)
{
	json_t *o = NULL, *sub = NULL;
	void *v = NULL;
	int r = json_get_obj(root, "", "linux", &o, e);

	if (r < 0 || !o)
		return r < 0 ? r : agree(c, e);
	r = namespaces_parse(o, c, e);
	if (r == 0)
		r = oci_idmap_parse(o, "linux", "uidMappings", &c->uidmap, &c->n_uidmap, e);
	if (r == 0)
		r = oci_idmap_parse(o, "linux", "gidMappings", &c->gidmap, &c->n_gidmap, e);
	if (r == 0)
		r = offsets_parse(o, c, e);
	if (r == 0) {
		r = oci_each(o, "linux", "devices", sizeof(struct oci_device), &v, &c->n_devices, device_one, e);
		c->devices = v;
	}
	if (r == 0)
		r = oci_get_text(o, "linux", "cgroupsPath", false, &c->cgroups_path, e);
	if (r == 0)
		r = json_get_obj(o, "linux", "resources", &sub, e);
	if (r == 0 && sub)
		r = oci_resources_parse(sub, "linux.resources", &c->resources, e);
	if (r == 0)
		r = propagation_parse(o, c, e);
	if (r == 0)
		r = paths_parse(o, "maskedPaths", &c->masked, e);
	if (r == 0)
		r = paths_parse(o, "readonlyPaths", &c->readonly_paths, e);
	if (r == 0)
		r = oci_get_text(o, "linux", "mountLabel", false, &c->mount_label, e);
	if (r == 0)
		r = sysctl_parse(o, c, e);
	sub = NULL;
	if (r == 0)
		r = json_get_obj(o, "linux", "seccomp", &sub, e);
	if (r == 0 && sub)
		r = oci_seccomp_parse(sub, "linux.seccomp", &c->seccomp, e);
	if (r == 0)
		r = netdevs_parse(o, c, e);
	if (r == 0)
		r = rdt_parse(o, c, e);
	if (r == 0)
		r = personality_parse(o, c, e);
	if (r == 0)
		r = mempolicy_parse(o, c, e);
	return r < 0 ? r : agree(c, e);
}
