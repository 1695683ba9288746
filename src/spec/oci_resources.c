/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: linux.resources (runtime-spec, config-linux.md, "Control groups"). */
#include "spec/oci_parse.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* A missing number is every number; so is -1, as runc has it. */
static int device_number(const json_t *j, const char *where, const char *key, int64_t max, int64_t *out, struct error *e)
{
	struct oci_num n = { .v = -1 };
	int r = oci_get_num(j, where, key, -1, max, &n, e);

	*out = n.v;
	return r;
}

static int rule_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_device_rule *d = element;
	const char *type = NULL, *access = NULL;
	const json_t *allow = json_object_get(j, "allow");
	int r = json_get_bool(j, where, "allow", &d->allow, e);

	if (r == 0 && (!allow || json_is_null(allow)))
		r = oci_missing(e, where, "allow");
	if (r == 0)
		r = json_get_str(j, where, "type", &type, e);
	if (r == 0)
		r = json_get_str(j, where, "access", &access, e);
	if (r == 0)
		r = device_number(j, where, "major", 0xfff, &d->major, e);
	if (r == 0)
		r = device_number(j, where, "minor", 0xfffff, &d->minor, e);
	if (r < 0)
		return r;
	d->type = type && *type ? type[0] : 'a';
	if ((type && strlen(type) > 1) || !strchr("abcu", d->type))
		return error_set(e, EINVAL, "%s.type: is none of a, b and c", where);
	if (d->type == 'u')
		d->type = 'c';
	if (!access || !*access)
		access = "rwm";
	if (strlen(access) > 3 || strspn(access, "rwm") != strlen(access))
		return error_set(e, EINVAL, "%s.access: is not made of r, w and m", where);
	snprintf(d->access, sizeof(d->access), "%s", access);
	return 0;
}

static int memory_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	struct oci_path at = oci_at(parent, "memory");
	json_t *o = NULL;
	int r = json_get_obj(j, parent, "memory", &o, e);

	if (r < 0 || !o)
		return r;
	r = oci_get_num(o, at.text, "limit", -1, INT64_MAX, &r_->memory.limit, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "reservation", -1, INT64_MAX, &r_->memory.reservation, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "swap", -1, INT64_MAX, &r_->memory.swap, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "kernel", -1, INT64_MAX, &r_->memory.kernel, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "kernelTCP", -1, INT64_MAX, &r_->memory.kernel_tcp, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "swappiness", 0, 200, &r_->memory.swappiness, e);
	if (r == 0)
		r = json_get_bool(o, at.text, "disableOOMKiller", &r_->memory.disable_oom_killer, e);
	if (r == 0)
		r = json_get_bool(o, at.text, "useHierarchy", &r_->memory.use_hierarchy, e);
	return r < 0 ? r : json_get_bool(o, at.text, "checkBeforeUpdate", &r_->memory.check_before_update, e);
}

static int cpu_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	struct oci_path at = oci_at(parent, "cpu");
	json_t *o = NULL;
	int r = json_get_obj(j, parent, "cpu", &o, e);

	if (r < 0 || !o)
		return r;
	r = oci_get_num(o, at.text, "shares", 0, INT64_MAX, &r_->cpu.shares, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "quota", -1, INT64_MAX, &r_->cpu.quota, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "burst", 0, INT64_MAX, &r_->cpu.burst, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "period", 0, INT64_MAX, &r_->cpu.period, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "realtimeRuntime", -1, INT64_MAX, &r_->cpu.realtime_runtime, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "realtimePeriod", 0, INT64_MAX, &r_->cpu.realtime_period, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "idle", 0, 1, &r_->cpu.idle, e);
	if (r == 0)
		r = oci_get_text(o, at.text, "cpus", false, &r_->cpu.cpus, e);
	return r < 0 ? r : oci_get_text(o, at.text, "mems", false, &r_->cpu.mems, e);
}

static int throttle_one(const json_t *j, const char *where, void *element, struct error *e)
{
	struct oci_throttle *t = element;
	struct oci_num major = { 0 }, minor = { 0 };
	int r = oci_get_num(j, where, "major", 0, 0xfff, &major, e);

	if (r == 0)
		r = oci_get_num(j, where, "minor", 0, 0xfffff, &minor, e);
	if (r == 0 && !(major.set && minor.set))
		r = oci_missing(e, where, major.set ? "minor" : "major");
	if (r == 0)
		r = oci_get_u64(j, where, json_object_get(j, "weight") ? "weight" : "rate", false, &t->rate, e);
	if (r == 0)
		r = oci_get_num(j, where, "leafWeight", 0, 1000, &t->leaf, e);
	t->major = major.v;
	t->minor = minor.v;
	return r;
}

static int throttles(const json_t *o, const char *where, const char *key, struct oci_throttles *t, struct error *e)
{
	void *v = NULL;
	int r = oci_each(o, where, key, sizeof(struct oci_throttle), &v, &t->n, throttle_one, e);

	t->v = v;
	return r;
}

static int block_io_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	struct oci_path at = oci_at(parent, "blockIO");
	json_t *o = NULL;
	int r = json_get_obj(j, parent, "blockIO", &o, e);

	if (r < 0 || !o)
		return r;
	r = oci_get_num(o, at.text, "weight", 0, 1000, &r_->block_io.weight, e);
	if (r == 0)
		r = oci_get_num(o, at.text, "leafWeight", 0, 1000, &r_->block_io.leaf_weight, e);
	if (r == 0)
		r = throttles(o, at.text, "weightDevice", &r_->block_io.weight_device, e);
	if (r == 0)
		r = throttles(o, at.text, "throttleReadBpsDevice", &r_->block_io.read_bps, e);
	if (r == 0)
		r = throttles(o, at.text, "throttleWriteBpsDevice", &r_->block_io.write_bps, e);
	if (r == 0)
		r = throttles(o, at.text, "throttleReadIOPSDevice", &r_->block_io.read_iops, e);
	return r < 0 ? r : throttles(o, at.text, "throttleWriteIOPSDevice", &r_->block_io.write_iops, e);
}

static int hugepages_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	json_t *arr = NULL, *item;
	size_t i;
	int r = json_get_arr(j, parent, "hugepageLimits", &arr, e);

	if (r < 0 || !arr)
		return r;
	r_->hugepages = xcalloc(json_array_size(arr) + 1, sizeof(*r_->hugepages));
	json_array_foreach(arr, i, item) {
		struct oci_path at = oci_at_index(parent, "hugepageLimits", i);
		struct oci_pair *p = &r_->hugepages[r_->n_hugepages];
		uint64_t limit = 0;

		if (!json_is_object(item))
			return error_set(e, EBADMSG, "%s: not an object", at.text);
		r_->n_hugepages++;
		r = oci_get_text(item, at.text, "pageSize", true, &p->name, e);
		if (r == 0 && !p->name)
			r = oci_missing(e, at.text, "pageSize");
		if (r == 0)
			r = oci_get_u64(item, at.text, "limit", true, &limit, e);
		if (r < 0)
			return r;
		size_t digits = strspn(p->name, "0123456789");
		if (!digits || !(streq(p->name + digits, "KB") || streq(p->name + digits, "MB") || streq(p->name + digits, "GB")))
			return error_set(e, EINVAL, "%s.pageSize: is no size like 2MB", at.text);
		p->value = xasprintf("%llu", (unsigned long long)limit);
	}
	return 0;
}

static int network_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	struct oci_path at = oci_at(parent, "network");
	json_t *o = NULL, *arr = NULL, *item;
	size_t i;
	int r = json_get_obj(j, parent, "network", &o, e);

	if (r < 0 || !o)
		return r;
	r = oci_get_num(o, at.text, "classID", 0, UINT32_MAX, &r_->net_class, e);
	if (r == 0)
		r = json_get_arr(o, at.text, "priorities", &arr, e);
	if (r < 0 || !arr)
		return r;
	r_->net_prios = xcalloc(json_array_size(arr) + 1, sizeof(*r_->net_prios));
	json_array_foreach(arr, i, item) {
		struct oci_path one = oci_at_index(at.text, "priorities", i);
		struct oci_pair *p = &r_->net_prios[r_->n_net_prios++];
		uint32_t prio = 0;

		r = json_is_object(item) ? oci_get_text(item, one.text, "name", true, &p->name, e) :
					   error_set(e, EBADMSG, "%s: not an object", one.text);
		if (r == 0 && !p->name)
			r = oci_missing(e, one.text, "name");
		if (r == 0)
			r = oci_get_u32(item, one.text, "priority", true, &prio, e);
		if (r < 0)
			return r;
		p->value = xasprintf("%u", prio);
	}
	return 0;
}

static int rdma_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	struct oci_path at = oci_at(parent, "rdma");
	json_t *o = NULL, *v;
	const char *name;
	int r = json_get_obj(j, parent, "rdma", &o, e);

	if (r < 0 || !o)
		return r;
	r_->rdma = xcalloc(json_object_size(o) + 1, sizeof(*r_->rdma));
	json_object_foreach(o, name, v) {
		_cleanup_free_ char *safe = str_escape(name), *where = xasprintf("%s[\"%s\"]", at.text, safe);

		if (!json_is_object(v))
			return error_set(e, EBADMSG, "%s: not an object", where);
		r_->rdma[r_->n_rdma].device = xstrdup(name);
		r_->n_rdma++;
		r = oci_get_num(v, where, "hcaHandles", 0, UINT32_MAX, &r_->rdma[r_->n_rdma - 1].handles, e);
		if (r == 0)
			r = oci_get_num(v, where, "hcaObjects", 0, UINT32_MAX, &r_->rdma[r_->n_rdma - 1].objects, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int unified_parse(const json_t *j, const char *parent, struct oci_resources *r_, struct error *e)
{
	int r = oci_get_pairs(j, parent, "unified", &r_->unified, &r_->n_unified, e);

	for (size_t i = 0; r == 0 && i < r_->n_unified; i++) {
		const char *n = r_->unified[i].name;
		_cleanup_free_ char *safe = str_escape(n);

		if (!*n || strchr(n, '/') || *n == '.')
			return error_set(e, EINVAL, "%s.unified[\"%s\"]: is no file of a cgroup", parent, safe);
	}
	return r;
}

int oci_resources_parse(const json_t *j, const char *where, struct oci_resources *out, struct error *e)
{
	struct oci_num pids = { 0 };
	json_t *o = NULL;
	void *v = NULL;
	int r;

	memset(out, 0, sizeof(*out));
	r = oci_each(j, where, "devices", sizeof(struct oci_device_rule), &v, &out->n_devices, rule_one, e);
	out->devices = v;
	if (r == 0)
		r = memory_parse(j, where, out, e);
	if (r == 0)
		r = cpu_parse(j, where, out, e);
	if (r == 0)
		r = json_get_obj(j, where, "pids", &o, e);
	if (r == 0 && o)
		r = oci_get_num(o, oci_at(where, "pids").text, "limit", INT64_MIN, INT64_MAX, &pids, e);
	out->pids = pids;
	if (r == 0)
		r = block_io_parse(j, where, out, e);
	if (r == 0)
		r = hugepages_parse(j, where, out, e);
	if (r == 0)
		r = network_parse(j, where, out, e);
	if (r == 0)
		r = rdma_parse(j, where, out, e);
	if (r == 0)
		r = unified_parse(j, where, out, e);
	if (r < 0)
		oci_resources_free(out);
	return r;
}

void oci_resources_free(struct oci_resources *r)
{
	free(r->devices);
	free(r->cpu.cpus);
	free(r->cpu.mems);
	free(r->block_io.weight_device.v);
	free(r->block_io.read_bps.v);
	free(r->block_io.write_bps.v);
	free(r->block_io.read_iops.v);
	free(r->block_io.write_iops.v);
	oci_pairs_free(r->hugepages, r->n_hugepages);
	oci_pairs_free(r->net_prios, r->n_net_prios);
	for (size_t i = 0; i < r->n_rdma; i++)
		free(r->rdma[i].device);
	free(r->rdma);
	oci_pairs_free(r->unified, r->n_unified);
	memset(r, 0, sizeof(*r));
}
