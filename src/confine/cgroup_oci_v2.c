/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources on cgroup v2: Documentation/admin-guide/cgroup-v2.rst; runtime-spec, config-linux.md, "Unified". */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>

enum { MAX_NONE = 24 };

/* "max" for none. */
static const char *limit(int64_t v, char out[static MAX_NONE])
{
	if (v < 0)
		return "max";
	snprintf(out, MAX_NONE, "%lld", (long long)v);
	return out;
}

static bool there(const struct oci_cgroup *cg, const char *file)
{
	int fd = oci_hierarchy_fd(cg, NULL);

	return fd >= 0 && faccessat(fd, file, F_OK, 0) == 0;
}

static int memory_refused(const struct oci_resources *r, struct error *e)
{
	if (r->memory.kernel.set && r->memory.kernel.v > 0)
		return oci_refuse(e, "memory.kernel", "cgroup v2 has no limit for the kernel's memory alone");
	if (r->memory.kernel_tcp.set && r->memory.kernel_tcp.v > 0)
		return oci_refuse(e, "memory.kernelTCP", "cgroup v2 has no limit for TCP's memory alone");
	if (r->memory.swappiness.set)
		return oci_refuse(e, "memory.swappiness", "cgroup v2 has none for a cgroup");
	if (r->memory.disable_oom_killer)
		return oci_refuse(e, "memory.disableOOMKiller", "cgroup v2 cannot do without the OOM killer");
	return 0;
}

/* Where nothing counts swap, and there is none or none is to be limited, nothing is missed. */
static int swap(const struct oci_cgroup *cg, int64_t v, struct error *e)
{
	char num[MAX_NONE];

	if (v == -2)
		return 0;
	if (v <= 0 && !there(cg, "memory.swap.max") && there(cg, "memory.max")) {
		char text[256];

		if (v == -1 || (file_read_line(AT_FDCWD, "/proc/swaps", text, sizeof(text)) == 0 && !strchr(text, '\n')))
			return 0;
	}
	return oci_put(cg, NULL, "memory.swap", "memory.swap.max", e, "%s", limit(v, num));
}

static int memory(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	char num[MAX_NONE];
	int64_t alone;
	int s = memory_refused(r, e);

	if (s == 0)
		s = oci_swap_v2(r, &alone, e);
	if (s == 0)
		s = swap(cg, alone, e);
	if (s == 0 && r->memory.limit.set && r->memory.limit.v != 0)
		s = oci_put(cg, NULL, "memory.limit", "memory.max", e, "%s", limit(r->memory.limit.v, num));
	if (s == 0 && r->memory.reservation.set && r->memory.reservation.v != 0)
		s = oci_put(cg, NULL, "memory.reservation", "memory.low", e, "%s", limit(r->memory.reservation.v, num));
	return s;
}

/* cpu.max holds both: what is not given stays as it is. */
static int quota(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const struct oci_num *q = &r->cpu.quota, *p = &r->cpu.period, *b = &r->cpu.burst;
	bool burst_done = !b->set;
	char had[64] = "max 100000", num[MAX_NONE], *period;
	struct error first = { 0 };
	int s = 0;

	if ((q->set && q->v != 0) || (p->set && p->v != 0)) {
		int fd = oci_hierarchy_fd(cg, NULL);

		if (fd < 0 || file_read_line(fd, "cpu.max", had, sizeof(had)) < 0 || !strchr(had, ' '))
			strcpy(had, "max 100000");
		period = strchr(had, ' ');
		*period++ = 0;
		if (p->set && p->v != 0)
			snprintf(period, sizeof(had) - (size_t)(period - had), "%lld", (long long)p->v);
		/* Downwards, the kernel wants a burst that fits into the quota first. */
		if (!burst_done)
			burst_done = oci_put(cg, NULL, "cpu.burst", "cpu.max.burst", &first, "%lld", (long long)b->v) == 0;
		if (!burst_done && first.code != -EINVAL) {
			if (e)
				*e = first;
			return first.code;
		}
		s = oci_put(cg, NULL, q->set && q->v ? "cpu.quota" : "cpu.period", "cpu.max", e, "%s %s",
			    q->set && q->v != 0 ? limit(q->v, num) : had, period);
	}
	if (s == 0 && !burst_done)
		s = oci_put(cg, NULL, "cpu.burst", "cpu.max.burst", e, "%lld", (long long)b->v);
	return s;
}

static int cpu(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = 0;

	if (r->cpu.realtime_runtime.set && r->cpu.realtime_runtime.v > 0)
		return oci_refuse(e, "cpu.realtimeRuntime", "cgroup v2 cannot bound realtime processes");
	if (r->cpu.realtime_period.set && r->cpu.realtime_period.v > 0)
		return oci_refuse(e, "cpu.realtimePeriod", "cgroup v2 cannot bound realtime processes");
	if (r->cpu.idle.set && (r->cpu.idle.v || there(cg, "cpu.idle")))
		s = oci_put(cg, NULL, "cpu.idle", "cpu.idle", e, "%lld", (long long)r->cpu.idle.v);
	if (s == 0 && r->cpu.shares.set && r->cpu.shares.v != 0 && !(r->cpu.idle.set && r->cpu.idle.v))
		s = oci_put(cg, NULL, "cpu.shares", "cpu.weight", e, "%u", oci_cpu_weight((uint64_t)r->cpu.shares.v));
	if (s == 0)
		s = quota(cg, r, e);
	if (s == 0 && r->cpu.cpus && *r->cpu.cpus)
		s = oci_put(cg, NULL, "cpu.cpus", "cpuset.cpus", e, "%s", r->cpu.cpus);
	if (s == 0 && r->cpu.mems && *r->cpu.mems)
		s = oci_put(cg, NULL, "cpu.mems", "cpuset.mems", e, "%s", r->cpu.mems);
	return s;
}

/* BFQ takes the number as it is; io.cost's scale is ten times as long. */
static int weights(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const struct oci_throttles *w = &r->block_io.weight_device;
	bool bfq = there(cg, "io.bfq.weight");
	int s = 0;

	if (r->block_io.leaf_weight.set && r->block_io.leaf_weight.v != 0)
		return oci_refuse(e, "blockIO.leafWeight", "cgroup v2 has no leaf weights");
	if (r->block_io.weight.set && r->block_io.weight.v != 0)
		s = bfq ? oci_put(cg, NULL, "blockIO.weight", "io.bfq.weight", e, "%lld", (long long)r->block_io.weight.v) :
			  oci_put(cg, NULL, "blockIO.weight", "io.weight", e, "default %u",
				  oci_io_weight((uint64_t)r->block_io.weight.v));
	for (size_t i = 0; s == 0 && i < w->n; i++) {
		_cleanup_free_ char *f = xasprintf("blockIO.weightDevice[%zu]", i);

		if (w->v[i].leaf.set)
			return oci_refuse(e, f, "cgroup v2 has no leaf weights");
		if (w->v[i].rate)
			s = oci_put(cg, NULL, f, bfq ? "io.bfq.weight" : "io.weight", e, "%lld:%lld %llu",
				    (long long)w->v[i].major, (long long)w->v[i].minor,
				    bfq ? (unsigned long long)w->v[i].rate : oci_io_weight(w->v[i].rate));
	}
	return s;
}

static int throttle(const struct oci_cgroup *cg, const struct oci_throttles *t, const char *field, const char *key,
		    struct error *e)
{
	for (size_t i = 0; i < t->n; i++) {
		_cleanup_free_ char *f = xasprintf("blockIO.%s[%zu]", field, i);
		long long major = t->v[i].major, minor = t->v[i].minor;
		/* 0 takes a limit away on v1. */
		int s = t->v[i].rate ? oci_put(cg, NULL, f, "io.max", e, "%lld:%lld %s=%llu", major, minor, key,
					       (unsigned long long)t->v[i].rate) :
				       oci_put(cg, NULL, f, "io.max", e, "%lld:%lld %s=max", major, minor, key);

		if (s < 0)
			return s;
	}
	return 0;
}

static int block_io(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = weights(cg, r, e);

	if (s == 0)
		s = throttle(cg, &r->block_io.read_bps, "throttleReadBpsDevice", "rbps", e);
	if (s == 0)
		s = throttle(cg, &r->block_io.write_bps, "throttleWriteBpsDevice", "wbps", e);
	if (s == 0)
		s = throttle(cg, &r->block_io.read_iops, "throttleReadIOPSDevice", "riops", e);
	return s == 0 ? throttle(cg, &r->block_io.write_iops, "throttleWriteIOPSDevice", "wiops", e) : s;
}

int oci_apply_v2(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = memory(cg, r, e);

	if (s == 0)
		s = cpu(cg, r, e);
	if (s == 0)
		s = block_io(cg, r, e);
	if (s == 0 && r->net_class.set && r->net_class.v != 0)
		s = oci_refuse(e, "network.classID", "cgroup v2 has none");
	if (s == 0 && r->n_net_prios)
		s = oci_refuse(e, "network.priorities", "cgroup v2 has none");
	return s;
}
