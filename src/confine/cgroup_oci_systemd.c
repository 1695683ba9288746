/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --systemd-cgroup: the container's cgroup is a transient unit. org.freedesktop.systemd1(5), StartTransientUnit;
 * systemd.resource-control(5); systemd's CGROUP_DELEGATION.md: with Delegate=yes what is below is ours, while the limits of
 * the unit itself are also told to systemd, which would undo them at its next reload.
 */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "confine/cgroup_bus.h"
#include "confine/cgroup_internal.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

enum { MOVE_TIMEOUT_MS = 10000 };

/* (sv): a property's name and the signature of its value, which follows. */
static void property(struct buf *b, const char *name, const char *signature)
{
	unsigned char n = (unsigned char)strlen(signature);

	bus_pad(b, 8);
	bus_put_string(b, name);
	buf_add(b, &n, 1);
	buf_add(b, signature, n + 1u);
}

static void property_bool(struct buf *b, const char *name, bool v)
{
	property(b, name, "b");
	bus_put_u32(b, v);
}

static void property_string(struct buf *b, const char *name, const char *v)
{
	property(b, name, "s");
	bus_put_string(b, v);
}

static void property_u64(struct buf *b, const char *name, uint64_t v)
{
	property(b, name, "t");
	bus_pad(b, 8);
	v = htole64(v);
	buf_add(b, &v, 8);
}

/* No limit is the largest number. */
static void property_limit(struct buf *b, const char *name, const struct oci_num *v)
{
	if (v->set && v->v != 0)
		property_u64(b, name, v->v < 0 ? UINT64_MAX : (uint64_t)v->v);
}

static void resources(struct buf *b, const struct oci_resources *r, int version)
{
	uint64_t period = r->cpu.period.set && r->cpu.period.v > 0 ? (uint64_t)r->cpu.period.v : 100000;
	struct oci_num tasks = r->pids;
	int64_t swap;

	property_limit(b, version == 2 ? "MemoryMax" : "MemoryLimit", &r->memory.limit);
	if (version == 2) {
		property_limit(b, "MemoryLow", &r->memory.reservation);
		if (oci_swap_v2(r, &swap, NULL) == 0 && swap != -2)
			property_u64(b, "MemorySwapMax", swap < 0 ? UINT64_MAX : (uint64_t)swap);
	}
	if (tasks.set && tasks.v == 0)
		tasks.v = -1;
	property_limit(b, "TasksMax", &tasks);
	if (r->cpu.shares.set && r->cpu.shares.v > 0)
		property_u64(b, version == 2 ? "CPUWeight" : "CPUShares",
			     version == 2 ? oci_cpu_weight((uint64_t)r->cpu.shares.v) : (uint64_t)r->cpu.shares.v);
	if (r->cpu.quota.set && r->cpu.quota.v != 0) {
		property_u64(b, "CPUQuotaPeriodUSec", period);
		/* In microseconds of CPU time for each second, in steps of 10 ms (systemd's own rounding, up). */
		property_u64(b, "CPUQuotaPerSecUSec", r->cpu.quota.v < 0 ? UINT64_MAX :
			     ((uint64_t)r->cpu.quota.v * 1000000 / period + 9999) / 10000 * 10000);
	}
}

static bool is_slice(const struct oci_cgroup *cg)
{
	return str_ends(cg->unit, ".slice");
}

/* An array a(sv): its length, which is known at the end, counts from the first element, at a multiple of 8. */
static size_t array_begin(struct buf *b, size_t *start)
{
	size_t at;

	bus_put_u32(b, 0);
	at = b->len - 4;
	bus_pad(b, 8);
	*start = b->len;
	return at;
}

static void array_end(struct buf *b, size_t at, size_t start)
{
	uint32_t n = htole32((uint32_t)(b->len - start));

	memcpy(b->data + at, &n, 4);
}

static void request(struct buf *b, const struct oci_cgroup *cg, pid_t pid, const struct oci_resources *r)
{
	_cleanup_free_ char *text = xasprintf("container %s", cg->unit);
	size_t at, start;

	bus_put_string(b, cg->unit);
	bus_put_string(b, "replace");
	at = array_begin(b, &start);
	property_string(b, "Description", text);
	if (is_slice(cg)) {
		property(b, "Wants", "as");
		bus_put_u32(b, (uint32_t)strlen(cg->slice) + 5);
		bus_put_string(b, cg->slice);
	} else {
		property_string(b, "Slice", cg->slice);
		property_bool(b, "Delegate", true);
		property(b, "PIDs", "au");
		bus_put_u32(b, 4);
		bus_put_u32(b, (uint32_t)pid);
		property_string(b, "CollectMode", "inactive-or-failed");
	}
	property_bool(b, "DefaultDependencies", false);
	property_bool(b, "MemoryAccounting", true);
	property_bool(b, "CPUAccounting", true);
	property_bool(b, "TasksAccounting", true);
	property_bool(b, "IOAccounting", true);
	if (r)
		resources(b, r, cg->version);
	array_end(b, at, start);
	bus_put_u32(b, 0); /* no further units */
	bus_pad(b, 8);
}

/* The user's own manager, where a user runs brig. */
static void bus_path(char *out, size_t size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR"), *system = getenv("DBUS_SYSTEM_BUS_ADDRESS"), *path;

	path = system && geteuid() == 0 ? str_after(system, "unix:path=") : NULL;
	if (geteuid() == 0 || !dir)
		snprintf(out, size, "%s", path ? path : "/run/dbus/system_bus_socket");
	else
		snprintf(out, size, "%s/bus", dir);
}

/* Fills the real paths: systemd says by where it put the process. A slice has none: its path is known. */
static int find_place(struct oci_cgroup *cg, pid_t pid, struct error *e)
{
	uint64_t end = clock_monotonic_ns() + MOVE_TIMEOUT_MS * 1000000ull;
	struct timespec ts = { .tv_nsec = 100000 };
	char path[48], place[OCI_CG_PATH];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	for (;;) {
		_cleanup_free_ char *text = NULL;
		int r = file_read(AT_FDCWD, path, 65536, &text, NULL);
		const char *named = r == 0 ? strstr(text, ":name=systemd:/") : NULL;

		if (r < 0)
			return error_errno(e, r, "systemd: the process is gone");
		if (cg->version == 2)
			r = cgroup_place(text, CG_V2, place, sizeof(place));
		else
			snprintf(place, sizeof(place), "%.*s", named ? (int)strcspn(named + 14, "\n") : 0, named ? named + 14 : "");
		if (r == 0 && str_ends(place, cg->unit)) {
			for (size_t i = 0; i < cg->n; i++)
				snprintf(cg->h[i].path, sizeof(cg->h[i].path), "%s", place + 1);
			return 0;
		}
		if (clock_monotonic_ns() >= end)
			return error_set(e, ETIMEDOUT, "systemd did not put the process into %s", cg->unit);
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < 20000000)
			ts.tv_nsec *= 2;
	}
}

int oci_cgroup_start_scope(struct oci_cgroup *cg, pid_t pid, const struct oci_resources *r, struct error *e)
{
	_cleanup_bus_ struct bus bus = { .fd = -1 };
	_cleanup_buf_ struct buf body = { 0 }, name = { 0 };
	struct bus_reply reply = { 0 };
	char path[256];
	int s;

	bus_path(path, sizeof(path));
	s = bus_open(&bus, path, e);
	if (s < 0)
		return error_wrap(e, "--systemd-cgroup");
	request(&body, cg, pid, r);
	s = bus_call(&bus, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, &reply, e);
	/* A unit that failed before is in the way until it is forgotten. */
	if (s == -EREMOTEIO && streq(reply.name, "org.freedesktop.systemd1.UnitExists") && !is_slice(cg)) {
		bus_put_string(&name, cg->unit);
		s = bus_call(&bus, MANAGER, "ResetFailedUnit", "s", &name, NULL, e);
		if (s == 0)
			s = bus_call(&bus, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, &reply, e);
	}
	if (s < 0)
		return error_wrap(e, "systemd does not start %s", cg->unit);
	s = is_slice(cg) ? 0 : find_place(cg, pid, e);
	if (s == 0)
		s = oci_cgroup_make(cg, e);
	return s == 0 ? oci_cgroup_attach(cg, pid, e) : s;
}

int oci_cgroup_end_scope(const struct oci_cgroup *cg, struct error *e)
{
	_cleanup_bus_ struct bus bus = { .fd = -1 };
	_cleanup_buf_ struct buf body = { 0 };
	struct bus_reply reply = { 0 };
	char path[256];
	int s;

	if (!oci_cgroup_by_systemd(cg) || is_slice(cg))
		return 0;
	bus_path(path, sizeof(path));
	s = bus_open(&bus, path, e);
	if (s == -ENOENT || s == -ECONNREFUSED)
		return 0; /* no systemd, no unit */
	bus_put_string(&body, cg->unit);
	bus_put_string(&body, "replace");
	if (s == 0)
		s = bus_call(&bus, MANAGER, "StopUnit", "ss", &body, &reply, e);
	/* Mostly it has seen by itself that nobody is left, and forgotten it. */
	if (s == -EREMOTEIO && streq(reply.name, "org.freedesktop.systemd1.NoSuchUnit"))
		return 0;
	return s < 0 ? error_wrap(e, "systemd does not end %s", cg->unit) : 0;
}

int oci_cgroup_tell_systemd(const struct oci_cgroup *cg, const struct oci_resources *r, struct error *e)
{
	_cleanup_bus_ struct bus bus = { .fd = -1 };
	_cleanup_buf_ struct buf body = { 0 };
	size_t at, start;
	char path[256];
	int s;

	bus_path(path, sizeof(path));
	bus_put_string(&body, cg->unit);
	bus_put_u32(&body, true); /* until the next boot */
	at = array_begin(&body, &start);
	resources(&body, r, cg->version);
	array_end(&body, at, start);
	s = bus_open(&bus, path, e);
	if (s == 0)
		s = bus_call(&bus, MANAGER, "SetUnitProperties", "sba(sv)", &body, NULL, e);
	return s < 0 ? error_wrap(e, "systemd does not change %s", cg->unit) : 0;
}
