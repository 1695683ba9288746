/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics in the shape of runc's `events --stats` (types/events.go of opencontainers/runc tells the names), which tools
 * around runc read. What the machine does not count is left out.
 */
#include "confine/cgroup_oci_internal.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

struct source {
	int fd;
	bool v2;
};

static struct source source(const struct oci_cgroup *cg, const char *controller)
{
	return (struct source){ .fd = oci_hierarchy_fd(cg, controller), .v2 = cg->version == 2 };
}

static void put(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)(v > INT64_MAX ? INT64_MAX : v)));
}

/* A file that holds one number; "max" is the largest. False: no such file. */
static bool number(int fd, const char *file, uint64_t *out)
{
	char text[64], *end;

	if (fd < 0 || file_read_line(fd, file, text, sizeof(text)) < 0)
		return false;
	if (streq(text, "max")) {
		*out = UINT64_MAX;
		return true;
	}
	*out = strtoull(text, &end, 10);
	return end != text;
}

static bool put_number(json_t *o, const char *key, int fd, const char *file)
{
	uint64_t v;

	if (!number(fd, file, &v))
		return false;
	put(o, key, v);
	return true;
}

/* "key value" lines as an object, NULL when there is no such file. */
static json_t *table(int fd, const char *file)
{
	_cleanup_free_ char *text = NULL;
	json_t *o;

	if (fd < 0 || file_read(fd, file, 1 << 20, &text, NULL) < 0)
		return NULL;
	o = json_object();
	for (char *line = text, *next; line && *line; line = next) {
		char *space = strchr(line, ' ');

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (!space)
			continue;
		*space = 0;
		put(o, line, strtoull(space + 1, NULL, 10));
	}
	return o;
}

static uint64_t field(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* The numbers of a line, a CPU each. */
static void put_list(json_t *o, const char *key, int fd, const char *file)
{
	_cleanup_free_ char *text = NULL;
	json_t *list;

	if (fd < 0 || file_read(fd, file, 1 << 20, &text, NULL) < 0)
		return;
	list = json_array();
	for (char *p = text, *end;; p = end) {
		uint64_t v = strtoull(p, &end, 10);

		if (end == p)
			break;
		json_array_append_new(list, json_integer((json_int_t)v));
	}
	json_object_set_new(o, key, list);
}

/* cpuacct.usage_all: a line "CPU user system" each. */
static void put_per_cpu(json_t *usage, int fd)
{
	_cleanup_free_ char *text = NULL;
	json_t *user, *kernel;

	if (fd < 0 || file_read(fd, "cpuacct.usage_all", 1 << 20, &text, NULL) < 0)
		return;
	user = json_array();
	kernel = json_array();
	for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		unsigned long long u, k;

		if (sscanf(line + 1, "%*u %llu %llu", &u, &k) != 2)
			break;
		json_array_append_new(user, json_integer((json_int_t)u));
		json_array_append_new(kernel, json_integer((json_int_t)k));
	}
	json_object_set_new(usage, "percpu_kernel", kernel);
	json_object_set_new(usage, "percpu_user", user);
}

/* Pressure stall information, Documentation/accounting/psi.rst: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". */
static void put_psi(json_t *o, int fd, const char *file)
{
	_cleanup_free_ char *text = NULL;
	json_t *psi;

	if (fd < 0 || file_read(fd, file, 4096, &text, NULL) < 0)
		return;
	psi = json_object();
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char name[8];
		double a, b, c;
		unsigned long long total;
		json_t *one;

		if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", name, &a, &b, &c, &total) != 5)
			continue;
		one = json_object();
		json_object_set_new(one, "avg10", json_real(a));
		json_object_set_new(one, "avg60", json_real(b));
		json_object_set_new(one, "avg300", json_real(c));
		put(one, "total", total);
		json_object_set_new(psi, name, one);
	}
	json_object_set_new(o, "psi", psi);
}

static json_t *cpu(const struct oci_cgroup *cg)
{
	struct source s = source(cg, "cpu");
	json_t *o = json_object(), *usage = json_object(), *throttling = json_object();
	_cleanup_json_ json_t *stat = table(s.fd, "cpu.stat");

	if (s.v2) {
		put(usage, "total", field(stat, "usage_usec") * 1000);
		put(usage, "kernel", field(stat, "system_usec") * 1000);
		put(usage, "user", field(stat, "user_usec") * 1000);
		put_psi(o, s.fd, "cpu.pressure");
	} else {
		int acct = oci_hierarchy_fd(cg, "cpuacct");
		uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
		_cleanup_json_ json_t *split = table(acct, "cpuacct.stat");

		put_number(usage, "total", acct, "cpuacct.usage");
		put_list(usage, "percpu", acct, "cpuacct.usage_percpu");
		put_per_cpu(usage, acct);
		put(usage, "kernel", field(split, "system") * tick);
		put(usage, "user", field(split, "user") * tick);
	}
	if (field(stat, "nr_periods"))
		put(throttling, "periods", field(stat, "nr_periods"));
	if (field(stat, "nr_throttled"))
		put(throttling, "throttledPeriods", field(stat, "nr_throttled"));
	if (field(stat, s.v2 ? "throttled_usec" : "throttled_time"))
		put(throttling, "throttledTime", s.v2 ? field(stat, "throttled_usec") * 1000 : field(stat, "throttled_time"));
	json_object_set_new(o, "usage", usage);
	json_object_set_new(o, "throttling", throttling);
	return o;
}

/* "0-2,5" as a list of numbers. */
static json_t *numbers(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		char *end;
		unsigned long a = strtoul(text, &end, 10), b = a;

		if (end == text)
			break;
		if (*end == '-')
			b = strtoul(end + 1, &end, 10);
		for (; a <= b && json_array_size(list) < 8192; a++)
			json_array_append_new(list, json_integer((json_int_t)a));
		text = end + (*end == ',');
	}
	return list;
}

static json_t *cpuset(const struct oci_cgroup *cg)
{
	static const char *const flags[] = { "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate",
					     "memory_spread_page", "memory_spread_slab", "memory_pressure",
					     "sched_load_balance", "sched_relax_domain_level" };
	struct source s = source(cg, "cpuset");
	json_t *o = json_object();
	char text[4096];

	if (file_read_line(s.fd, "cpuset.cpus", text, sizeof(text)) == 0 && text[0])
		json_object_set_new(o, "cpus", numbers(text));
	if (file_read_line(s.fd, "cpuset.mems", text, sizeof(text)) == 0 && text[0])
		json_object_set_new(o, "mems", numbers(text));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		_cleanup_free_ char *file = xasprintf("cpuset.%s", flags[i]);

		if (!s.v2 && file_read_line(s.fd, file, text, sizeof(text)) == 0)
			json_object_set_new(o, flags[i], json_integer(strtoll(text, NULL, 10)));
	}
	return o;
}

static json_t *memory_part(int fd, const char *prefix, bool with_usage)
{
	_cleanup_free_ char *limit = xasprintf("%s.limit_in_bytes", prefix), *usage = xasprintf("%s.usage_in_bytes", prefix),
			    *max = xasprintf("%s.max_usage_in_bytes", prefix), *failcnt = xasprintf("%s.failcnt", prefix);
	json_t *o = json_object();

	put_number(o, "limit", fd, limit);
	if (with_usage) {
		put_number(o, "usage", fd, usage);
		put_number(o, "max", fd, max);
	}
	put_number(o, "failcnt", fd, failcnt);
	return o;
}

/* v2 in the words of v1: memory.current is usage; memory and swap together are "swap". */
static void memory_v2(json_t *o, int fd, const json_t *raw)
{
	json_t *usage = json_object(), *swap = json_object();
	uint64_t mem = 0, more = 0, limit = UINT64_MAX, swap_limit = UINT64_MAX;
	_cleanup_json_ json_t *events = table(fd, "memory.events");

	number(fd, "memory.current", &mem);
	number(fd, "memory.max", &limit);
	put(usage, "limit", limit);
	put(usage, "usage", mem);
	put_number(usage, "max", fd, "memory.peak");
	put(usage, "failcnt", field(events, "max"));
	if (number(fd, "memory.swap.current", &more)) {
		number(fd, "memory.swap.max", &swap_limit);
		put(swap, "limit", limit == UINT64_MAX || swap_limit == UINT64_MAX ? UINT64_MAX : limit + swap_limit);
		put(swap, "usage", mem + more);
		put(swap, "failcnt", 0);
	}
	put(o, "cache", field(raw, "file"));
	json_object_set_new(o, "usage", usage);
	json_object_set_new(o, "swap", swap);
	json_object_set_new(o, "kernel", json_object());
	json_object_set_new(o, "kernelTCP", json_object());
	put_psi(o, fd, "memory.pressure");
}

static json_t *memory(const struct oci_cgroup *cg)
{
	struct source s = source(cg, "memory");
	json_t *o = json_object(), *raw = table(s.fd, "memory.stat");

	if (!raw)
		return o;
	if (s.v2) {
		memory_v2(o, s.fd, raw);
	} else {
		put(o, "cache", field(raw, "cache"));
		json_object_set_new(o, "usage", memory_part(s.fd, "memory", true));
		json_object_set_new(o, "swap", memory_part(s.fd, "memory.memsw", true));
		json_object_set_new(o, "kernel", memory_part(s.fd, "memory.kmem", true));
		json_object_set_new(o, "kernelTCP", memory_part(s.fd, "memory.kmem.tcp", true));
	}
	json_object_set_new(o, "raw", raw);
	return o;
}

static json_t *pids(const struct oci_cgroup *cg)
{
	struct source s = source(cg, "pids");
	json_t *o = json_object();
	uint64_t v;

	if (number(s.fd, "pids.current", &v) && v)
		put(o, "current", v);
	if (number(s.fd, "pids.max", &v) && v != UINT64_MAX)
		put(o, "limit", v);
	return o;
}

static void add_io(json_t *list, unsigned long long major, unsigned long long minor, const char *op, uint64_t v)
{
	json_t *one = json_object();

	put(one, "major", major);
	put(one, "minor", minor);
	json_object_set_new(one, "op", json_string(op));
	put(one, "value", v);
	json_array_append_new(list, one);
}

/* "8:0 Read 4096". */
static void io_v1(json_t *o, const char *key, int fd, const char *file)
{
	_cleanup_free_ char *text = NULL;
	json_t *list;

	if (fd < 0 || file_read(fd, file, 1 << 20, &text, NULL) < 0)
		return;
	list = json_array();
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		unsigned long long major, minor, v;
		char op[16];

		if (sscanf(line, "%llu:%llu %15s %llu", &major, &minor, op, &v) == 4)
			add_io(list, major, minor, op, v);
	}
	if (json_array_size(list))
		json_object_set_new(o, key, list);
	else
		json_decref(list);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". */
static void io_v2(json_t *o, int fd)
{
	static const struct {
		const char *key, *op;
		int list;
	} keys[] = { { "rbytes", "Read", 0 }, { "wbytes", "Write", 0 }, { "rios", "Read", 1 }, { "wios", "Write", 1 },
		     { "dbytes", "Discard", 0 }, { "dios", "Discard", 1 } };
	_cleanup_free_ char *text = NULL;
	json_t *list[2] = { json_array(), json_array() };

	if (fd >= 0 && file_read(fd, "io.stat", 1 << 20, &text, NULL) < 0)
		text = NULL;
	for (char *line = text, *next; line && *line; line = next) {
		unsigned long long major, minor;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (sscanf(line, "%llu:%llu", &major, &minor) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			_cleanup_free_ char *find = xasprintf(" %s=", keys[i].key);
			const char *at = strstr(line, find);

			if (at)
				add_io(list[keys[i].list], major, minor, keys[i].op, strtoull(at + strlen(find), NULL, 10));
		}
	}
	json_object_set_new(o, "ioServiceBytesRecursive", list[0]);
	json_object_set_new(o, "ioServicedRecursive", list[1]);
	put_psi(o, fd, "io.pressure");
}

static json_t *block_io(const struct oci_cgroup *cg)
{
	struct source s = source(cg, "blkio");
	json_t *o = json_object();

	if (s.v2) {
		io_v2(o, s.fd);
	} else {
		bool bfq = s.fd >= 0 && faccessat(s.fd, "blkio.bfq.io_service_bytes_recursive", F_OK, 0) == 0;

		io_v1(o, "ioServiceBytesRecursive", s.fd,
		      bfq ? "blkio.bfq.io_service_bytes_recursive" : "blkio.throttle.io_service_bytes_recursive");
		io_v1(o, "ioServicedRecursive", s.fd,
		      bfq ? "blkio.bfq.io_serviced_recursive" : "blkio.throttle.io_serviced_recursive");
	}
	return o;
}

/* By page size, from the names of the files: "hugetlb.2MB.current", "hugetlb.2MB.usage_in_bytes". */
static json_t *hugetlb(const struct oci_cgroup *cg)
{
	struct source s = source(cg, "hugetlb");
	const char *end = s.v2 ? ".current" : ".usage_in_bytes";
	json_t *o = json_object();
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *ent;
	int copy = s.fd < 0 ? -1 : openat(s.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d && copy >= 0)
		close(copy);
	while (d && (ent = readdir(d))) {
		const char *size = str_after(ent->d_name, "hugetlb.");

		if (!size || !str_ends(size, end) || strstr(size, ".rsvd"))
			continue;
		_cleanup_free_ char *page = xstrndup(size, strlen(size) - strlen(end));
		_cleanup_free_ char *peak = xasprintf("hugetlb.%s.max_usage_in_bytes", page);
		_cleanup_free_ char *fail = xasprintf("hugetlb.%s.failcnt", page);
		json_t *one = json_object();

		put_number(one, "usage", s.fd, ent->d_name);
		put_number(one, "max", s.fd, peak);
		put(one, "failcnt", 0);
		put_number(one, "failcnt", s.fd, fail);
		json_object_set_new(o, page, one);
	}
	return o;
}

json_t *oci_cgroup_stats(const struct oci_cgroup *cg)
{
	json_t *o = json_object();

	json_object_set_new(o, "cpu", cpu(cg));
	json_object_set_new(o, "cpuset", cpuset(cg));
	json_object_set_new(o, "memory", memory(cg));
	json_object_set_new(o, "pids", pids(cg));
	json_object_set_new(o, "blkio", block_io(cg));
	json_object_set_new(o, "hugetlb", hugetlb(cg));
	json_object_set_new(o, "intel_rdt", json_object());
	json_object_set_new(o, "network_interfaces", json_null());
	return o;
}

uint64_t oci_cgroup_oom_kills(const struct oci_cgroup *cg)
{
	struct source s = source(cg, "memory");
	_cleanup_json_ json_t *t = table(s.fd, s.v2 ? "memory.events" : "memory.oom_control");

	return field(t, "oom_kill");
}

int oci_cgroup_open_oom(const struct oci_cgroup *cg, int *file, struct error *e)
{
	struct source s = source(cg, "memory");
	_cleanup_close_ int event = -1;
	char line[32];
	int r;

	*file = s.fd < 0 ? -1 : openat(s.fd, s.v2 ? "memory.events" : "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (*file < 0)
		return error_errno(e, s.fd < 0 ? EOPNOTSUPP : errno, "cannot watch the container's memory");
	if (s.v2)
		return *file;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(line, sizeof(line), "%d %d", event, *file);
	r = event < 0 ? -errno : file_write(s.fd, "cgroup.event_control", line);
	if (r < 0) {
		close(*file);
		*file = -1;
		return error_errno(e, r, "cannot watch the container's memory");
	}
	return steal_fd(&event);
}
