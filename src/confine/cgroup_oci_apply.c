/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources in files: what both versions of cgroups share. */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

int oci_refuse(struct error *e, const char *field, const char *why)
{
	return error_set(e, EOPNOTSUPP, "linux.resources.%s: %s", field, why);
}

int oci_put(const struct oci_cgroup *cg, const char *controller, const char *field, const char *file, struct error *e,
	    const char *fmt, ...)
{
	const struct oci_hierarchy *h = oci_hierarchy(cg, controller);
	_cleanup_free_ char *value = NULL;
	va_list ap;
	int r;

	if (!h || h->fd < 0) {
		error_set(e, EOPNOTSUPP, "linux.resources.%s: %s", field,
			  !cg->n ? "no cgroup hierarchy is mounted" :
			  h	 ? "this user has no cgroup to limit" :
				   "the machine has no such controller mounted");
		if (h && oci_cgroup_user() != 0)
			error_hint(e, "once, as root: brig setup --user %u", oci_cgroup_user());
		return -EOPNOTSUPP;
	}
	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		value = NULL;
	va_end(ap);
	if (!value)
		return error_set(e, ENOMEM, "out of memory");
	r = file_write(h->fd, file, value);
	if (r == -ENOENT && cg->version == 2) {
		oci_cgroup_enable(h);
		r = file_write(h->fd, file, value);
	}
	if (r == -ENOENT || (r == -EACCES && faccessat(h->fd, file, F_OK, 0) < 0))
		return error_set(e, EOPNOTSUPP, "linux.resources.%s: the kernel has no %s in cgroup %s", field, file, h->path);
	if (r < 0)
		return error_errno(e, r, "linux.resources.%s: cannot write \"%s\" to %s", field, value, file);
	return 0;
}

/* Both conversions are rounded up. */
unsigned oci_cpu_weight(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	return (unsigned)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

unsigned oci_io_weight(uint64_t weight)
{
	return weight <= 10 ? 1 : (unsigned)(1 + (weight - 10) * 9999 / 990);
}

int oci_swap_v2(const struct oci_resources *r, int64_t *swap, struct error *e)
{
	const struct oci_num *both = &r->memory.swap, *limit = &r->memory.limit;

	*swap = -2;
	if (!both->set || both->v == 0) {
		/* As v1 has it: without a limit for memory there is none for both. */
		if (limit->set && limit->v == -1)
			*swap = -1;
		return 0;
	}
	if (both->v < 0) {
		*swap = -1;
		return 0;
	}
	if (!limit->set || limit->v == 0)
		return error_set(e, EINVAL, "linux.resources.memory.swap: is memory and swap together, and needs memory.limit");
	if (limit->v < 0)
		return error_set(e, EINVAL, "linux.resources.memory.swap: is limited, while memory.limit is not");
	if (both->v < limit->v)
		return error_set(e, EINVAL, "linux.resources.memory.swap: is less than memory.limit, which it includes");
	*swap = both->v - limit->v;
	return 0;
}

static uint64_t read_number(int fd, const char *file)
{
	char text[64];
	uint64_t v;

	return fd < 0 || file_read_line(fd, file, text, sizeof(text)) < 0 || parse_u64(text, 0, UINT64_MAX, &v) < 0 ? 0 : v;
}

/* v1's kernel refuses a limit below what is in use; v2's would kill. checkBeforeUpdate asks for the former. */
static int check_usage(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	uint64_t used;

	if (!r->memory.check_before_update || !r->memory.limit.set || r->memory.limit.v <= 0)
		return 0;
	used = read_number(oci_hierarchy_fd(cg, "memory"), cg->version == 2 ? "memory.current" : "memory.usage_in_bytes");
	if (used <= (uint64_t)r->memory.limit.v)
		return 0;
	return error_set(e, EBUSY, "linux.resources.memory.limit: %lld bytes are less than the %llu in use (checkBeforeUpdate)",
			 (long long)r->memory.limit.v, (unsigned long long)used);
}

static int pids(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	if (!r->pids.set)
		return 0;
	/* 0 as well: podman writes it for "no limit", and a limit of 0 is none of use. */
	if (r->pids.v <= 0) {
		const struct oci_hierarchy *h = oci_hierarchy(cg, "pids");

		return !h || h->fd < 0 ? 0 : oci_put(cg, "pids", "pids.limit", "pids.max", e, "max");
	}
	return oci_put(cg, "pids", "pids.limit", "pids.max", e, "%lld", (long long)r->pids.v);
}

/* Reservations where the kernel counts them (5.7), and page faults always: config-linux.md, "Huge page limits". */
static int hugepages(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const char *end = cg->version == 2 ? "max" : "limit_in_bytes";

	for (size_t i = 0; i < r->n_hugepages; i++) {
		_cleanup_free_ char *field = xasprintf("hugepageLimits[%zu]", i);
		_cleanup_free_ char *rsvd = xasprintf("hugetlb.%s.rsvd.%s", r->hugepages[i].name, end);
		_cleanup_free_ char *plain = xasprintf("hugetlb.%s.%s", r->hugepages[i].name, end);
		int fd, s = oci_put(cg, "hugetlb", field, plain, e, "%s", r->hugepages[i].value);

		if (s < 0)
			return s;
		fd = oci_hierarchy_fd(cg, "hugetlb");
		if (faccessat(fd, rsvd, F_OK, 0) == 0)
			s = oci_put(cg, "hugetlb", field, rsvd, e, "%s", r->hugepages[i].value);
		if (s < 0)
			return s;
	}
	return 0;
}

/* Documentation/admin-guide/cgroup-v2.rst, "RDMA Interface Files"; the same words on v1. */
static int rdma(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	for (size_t i = 0; i < r->n_rdma; i++) {
		_cleanup_buf_ struct buf line = { 0 };
		_cleanup_free_ char *safe = str_escape(r->rdma[i].device), *field = xasprintf("rdma[\"%s\"]", safe);
		int s;

		buf_puts(&line, r->rdma[i].device);
		if (r->rdma[i].handles.set)
			buf_printf(&line, " hca_handle=%lld", (long long)r->rdma[i].handles.v);
		if (r->rdma[i].objects.set)
			buf_printf(&line, " hca_object=%lld", (long long)r->rdma[i].objects.v);
		if (strpbrk(r->rdma[i].device, " \n"))
			return error_set(e, EINVAL, "linux.resources.%s: is no name of a device", field);
		if (!r->rdma[i].handles.set && !r->rdma[i].objects.set)
			return error_set(e, EINVAL, "linux.resources.%s: neither hcaHandles nor hcaObjects is given", field);
		s = oci_put(cg, "rdma", field, "rdma.max", e, "%s", line.data);
		if (s < 0)
			return s;
	}
	return 0;
}

/* As they are, after everything else. On a hybrid machine into its v2 tree, which has what few controllers v1 left it. */
static int unified(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	const struct oci_hierarchy *h = oci_hierarchy(cg, NULL);

	for (size_t i = 0; i < r->n_unified; i++) {
		const char *name = r->unified[i].name;
		_cleanup_free_ char *safe = str_escape(name);
		int s;

		if (!*name || *name == '.' || strchr(name, '/'))
			return error_set(e, EINVAL, "linux.resources.unified[\"%s\"]: is no file of a cgroup", safe);
		if (!h || h->fd < 0)
			return error_set(e, EOPNOTSUPP, "linux.resources.unified[\"%s\"]: there is no cgroup v2 here", safe);
		s = file_write(h->fd, name, r->unified[i].value);
		if (s == -ENOENT) {
			oci_cgroup_enable(h);
			s = file_write(h->fd, name, r->unified[i].value);
		}
		if (s == -ENOENT)
			return error_set(e, EOPNOTSUPP, "linux.resources.unified[\"%s\"]: the kernel has no such file in cgroup "
					 "%s: its controller is missing or cannot be given", safe, h->path);
		if (s < 0) {
			_cleanup_free_ char *value = str_escape(r->unified[i].value);

			return error_errno(e, s, "linux.resources.unified[\"%s\"]: cannot write \"%s\"", safe, value);
		}
	}
	return 0;
}

static int apply(const struct oci_cgroup *cg, const struct oci_resources *r, bool fresh, struct error *e)
{
	int s = 0;

	if (fresh || r->n_devices)
		s = oci_devices_apply(cg, r, fresh, e);
	if (s == 0)
		s = check_usage(cg, r, e);
	if (s == 0)
		s = cg->version == 2 ? oci_apply_v2(cg, r, e) : oci_apply_v1(cg, r, e);
	if (s == 0)
		s = pids(cg, r, e);
	if (s == 0)
		s = hugepages(cg, r, e);
	if (s == 0)
		s = rdma(cg, r, e);
	return s == 0 ? unified(cg, r, e) : s;
}

int oci_cgroup_apply(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	return apply(cg, r, true, e);
}

int oci_cgroup_update(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	int s = oci_cgroup_by_systemd(cg) ? oci_cgroup_tell_systemd(cg, r, e) : 0;

	return s == 0 ? apply(cg, r, false, e) : s;
}
