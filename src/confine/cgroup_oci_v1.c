/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources on cgroup v1: Documentation/admin-guide/cgroup-v1/, scheduler/sched-bwc.rst and sched-rt-group.rst. */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>

#define MEM "memory"

static bool there(const struct oci_cgroup *cg, const char *controller, const char *file)
{
	int fd = oci_hierarchy_fd(cg, controller);

	return fd >= 0 && faccessat(fd, file, F_OK, 0) == 0;
}

/*
 * Memory alone may never be more than memory and swap: upwards the sum goes first, downwards memory does. The kernel says
 * which it is by EINVAL. 0 is what callers write who mean nothing by it.
 */
static int limits(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	struct oci_num limit = r->memory.limit, both = r->memory.swap;
	struct error first = { 0 };
	int s = 0;

	if (both.set && both.v > 0 && limit.set && limit.v > both.v)
		return error_set(e, EINVAL, "linux.resources.memory.swap: is less than memory.limit, which it includes");
	/* No limit for memory alone makes none for both, where the kernel counts both. */
	if (limit.set && limit.v == -1 && (!both.set || both.v == 0) && there(cg, MEM, "memory.memsw.limit_in_bytes"))
		both = (struct oci_num){ .set = true, .v = -1 };
	if (both.v == 0)
		both.set = false;
	if (limit.v == 0)
		limit.set = false;
	if (limit.set) {
		s = oci_put(cg, MEM, "memory.limit", "memory.limit_in_bytes", &first, "%lld", (long long)limit.v);
		if (s == -EINVAL && both.set) {
			s = oci_put(cg, MEM, "memory.swap", "memory.memsw.limit_in_bytes", e, "%lld", (long long)both.v);
			both.set = false;
			if (s == 0)
				s = oci_put(cg, MEM, "memory.limit", "memory.limit_in_bytes", e, "%lld", (long long)limit.v);
			return s;
		}
		if (s < 0 && e)
			*e = first;
	}
	if (s == 0 && both.set)
		s = oci_put(cg, MEM, "memory.swap", "memory.memsw.limit_in_bytes", e, "%lld", (long long)both.v);
	return s;
}

static int memory(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = limits(cg, r, e);

	if (s == 0 && r->memory.reservation.set && r->memory.reservation.v != 0)
		s = oci_put(cg, MEM, "memory.reservation", "memory.soft_limit_in_bytes", e, "%lld",
			    (long long)r->memory.reservation.v);
	/* Since 5.16 the kernel counts its memory with the rest and takes no limit for it alone. */
	if (s == 0 && r->memory.kernel.set && r->memory.kernel.v > 0)
		s = oci_put(cg, MEM, "memory.kernel", "memory.kmem.limit_in_bytes", e, "%lld",
			    (long long)r->memory.kernel.v);
	if (s == 0 && r->memory.kernel_tcp.set && r->memory.kernel_tcp.v != 0)
		s = oci_put(cg, MEM, "memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", e, "%lld",
			    (long long)r->memory.kernel_tcp.v);
	if (s == 0 && r->memory.swappiness.set)
		s = oci_put(cg, MEM, "memory.swappiness", "memory.swappiness", e, "%lld", (long long)r->memory.swappiness.v);
	if (s == 0 && r->memory.use_hierarchy)
		s = oci_put(cg, MEM, "memory.useHierarchy", "memory.use_hierarchy", e, "1");
	if (s == 0 && r->memory.disable_oom_killer)
		s = oci_put(cg, MEM, "memory.disableOOMKiller", "memory.oom_control", e, "1");
	return s;
}

static int quota(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const struct oci_num *q = &r->cpu.quota, *p = &r->cpu.period, *b = &r->cpu.burst;
	bool period_done = !p->set || p->v == 0, burst_done = !b->set;
	struct error first = { 0 };
	int s = 0;

	/* The kernel checks each against the others: one that does not fit yet waits for the quota. */
	if (!period_done)
		period_done = oci_put(cg, "cpu", "cpu.period", "cpu.cfs_period_us", &first, "%lld", (long long)p->v) == 0;
	if (!period_done && first.code != -EINVAL)
		goto fail;
	if (!burst_done)
		burst_done = oci_put(cg, "cpu", "cpu.burst", "cpu.cfs_burst_us", &first, "%lld", (long long)b->v) == 0;
	if (!burst_done && first.code != -EINVAL)
		goto fail;
	if (q->set && q->v != 0)
		s = oci_put(cg, "cpu", "cpu.quota", "cpu.cfs_quota_us", e, "%lld", (long long)q->v);
	if (s == 0 && !period_done)
		s = oci_put(cg, "cpu", "cpu.period", "cpu.cfs_period_us", e, "%lld", (long long)p->v);
	if (s == 0 && !burst_done)
		s = oci_put(cg, "cpu", "cpu.burst", "cpu.cfs_burst_us", e, "%lld", (long long)b->v);
	return s;
fail:
	if (e)
		*e = first;
	return first.code;
}

static int realtime(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const struct oci_num *run = &r->cpu.realtime_runtime, *p = &r->cpu.realtime_period;
	struct error first = { 0 };
	bool late = false;
	int s = 0;

	if (p->set && p->v != 0) {
		s = oci_put(cg, "cpu", "cpu.realtimePeriod", "cpu.rt_period_us", &first, "%lld", (long long)p->v);
		late = s == -EINVAL && run->set;
		if (s < 0 && !late) {
			if (e)
				*e = first;
			return s;
		}
		s = 0;
	}
	if (run->set && run->v != 0)
		s = oci_put(cg, "cpu", "cpu.realtimeRuntime", "cpu.rt_runtime_us", e, "%lld", (long long)run->v);
	if (s == 0 && late)
		s = oci_put(cg, "cpu", "cpu.realtimePeriod", "cpu.rt_period_us", e, "%lld", (long long)p->v);
	return s;
}

static int cpu(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = 0;

	/* The weight cannot be changed while idle is set, nor idle be what shares are for. */
	if (r->cpu.idle.set && (r->cpu.idle.v || there(cg, "cpu", "cpu.idle")))
		s = oci_put(cg, "cpu", "cpu.idle", "cpu.idle", e, "%lld", (long long)r->cpu.idle.v);
	if (s == 0 && r->cpu.shares.set && r->cpu.shares.v != 0 && !(r->cpu.idle.set && r->cpu.idle.v))
		s = oci_put(cg, "cpu", "cpu.shares", "cpu.shares", e, "%lld", (long long)r->cpu.shares.v);
	if (s == 0)
		s = quota(cg, r, e);
	if (s == 0)
		s = realtime(cg, r, e);
	if (s == 0 && r->cpu.cpus && *r->cpu.cpus)
		s = oci_put(cg, "cpuset", "cpu.cpus", "cpuset.cpus", e, "%s", r->cpu.cpus);
	if (s == 0 && r->cpu.mems && *r->cpu.mems)
		s = oci_put(cg, "cpuset", "cpu.mems", "cpuset.mems", e, "%s", r->cpu.mems);
	return s;
}

/* CFQ (gone in 5.0) had the plain names, BFQ has its own and no leaf weights. */
static const char *weight_file(const struct oci_cgroup *cg, bool device)
{
	if (there(cg, "blkio", "blkio.weight"))
		return device ? "blkio.weight_device" : "blkio.weight";
	return device ? "blkio.bfq.weight_device" : "blkio.bfq.weight";
}

static int throttle(const struct oci_cgroup *cg, const struct oci_throttles *t, const char *field, const char *file,
		    struct error *e)
{
	for (size_t i = 0; i < t->n; i++) {
		_cleanup_free_ char *f = xasprintf("blockIO.%s[%zu]", field, i);
		int s = oci_put(cg, "blkio", f, file, e, "%lld:%lld %llu", (long long)t->v[i].major,
				(long long)t->v[i].minor, (unsigned long long)t->v[i].rate);

		if (s < 0)
			return s;
	}
	return 0;
}

static int block_io(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const struct oci_throttles *w = &r->block_io.weight_device;
	int s = 0;

	if (r->block_io.weight.set && r->block_io.weight.v != 0)
		s = oci_put(cg, "blkio", "blockIO.weight", weight_file(cg, false), e, "%lld",
			    (long long)r->block_io.weight.v);
	if (s == 0 && r->block_io.leaf_weight.set && r->block_io.leaf_weight.v != 0)
		s = oci_put(cg, "blkio", "blockIO.leafWeight", "blkio.leaf_weight", e, "%lld",
			    (long long)r->block_io.leaf_weight.v);
	for (size_t i = 0; s == 0 && i < w->n; i++) {
		_cleanup_free_ char *f = xasprintf("blockIO.weightDevice[%zu]", i);
		long long major = w->v[i].major, minor = w->v[i].minor;

		if (w->v[i].rate)
			s = oci_put(cg, "blkio", f, weight_file(cg, true), e, "%lld:%lld %llu", major, minor,
				    (unsigned long long)w->v[i].rate);
		if (s == 0 && w->v[i].leaf.set)
			s = oci_put(cg, "blkio", f, "blkio.leaf_weight_device", e, "%lld:%lld %lld", major, minor,
				    (long long)w->v[i].leaf.v);
	}
	if (s == 0)
		s = throttle(cg, &r->block_io.read_bps, "throttleReadBpsDevice", "blkio.throttle.read_bps_device", e);
	if (s == 0)
		s = throttle(cg, &r->block_io.write_bps, "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", e);
	if (s == 0)
		s = throttle(cg, &r->block_io.read_iops, "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", e);
	if (s == 0)
		s = throttle(cg, &r->block_io.write_iops, "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", e);
	return s;
}

static int network(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = 0;

	if (r->net_class.set && r->net_class.v != 0)
		s = oci_put(cg, "net_cls", "network.classID", "net_cls.classid", e, "%lld", (long long)r->net_class.v);
	for (size_t i = 0; s == 0 && i < r->n_net_prios; i++) {
		_cleanup_free_ char *f = xasprintf("network.priorities[%zu]", i);

		s = oci_put(cg, "net_prio", f, "net_prio.ifpriomap", e, "%s %s", r->net_prios[i].name, r->net_prios[i].value);
	}
	return s;
}

int oci_apply_v1(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = memory(cg, r, e);

	if (s == 0)
		s = cpu(cg, r, e);
	if (s == 0)
		s = block_io(cg, r, e);
	return s == 0 ? network(cg, r, e) : s;
}
