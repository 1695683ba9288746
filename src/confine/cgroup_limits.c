/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as values in files: one table for starting, updating and proving. */
#include "confine/cgroup_internal.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned cgroup_wanted(const struct spec *s)
{
	const struct spec_limits *l = &s->limits;
	unsigned want = 0;

	if (l->memory || l->memory_low || (l->memory_swap && l->memory_swap != UINT64_MAX))
		want |= CG_BIT(CG_MEMORY);
	if (l->pids)
		want |= CG_BIT(CG_PIDS);
	if (l->cpu_weight || l->cpu_quota_us)
		want |= CG_BIT(CG_CPU);
	if (l->io_weight)
		want |= CG_BIT(CG_IO);
	if (l->cpuset_cpus || l->cpuset_mems)
		want |= CG_BIT(CG_CPUSET);
	return want;
}

struct list {
	const struct spec *spec;
	struct cgroup_setting *out;
	size_t n;
	unsigned controllers;
};

__attribute__((format(printf, 5, 6))) static void add(struct list *l, const char *limit, enum cgroup_controller c,
						      const char *file, const char *fmt, ...)
{
	struct cgroup_setting *s;
	va_list ap;

	if (!(l->controllers & CG_BIT(c)) || l->n == CG_SETTINGS_MAX || spec_lowered(l->spec, "cgroup", limit))
		return;
	s = &l->out[l->n++];
	*s = (struct cgroup_setting){ .limit = limit, .controller = c, .file = file };
	va_start(ap, fmt);
	vsnprintf(s->value, sizeof(s->value), fmt, ap);
	va_end(ap);
}

/* The kernel keeps memory limits in whole pages, rounded down. */
static unsigned long long pages(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return bytes < page ? page : bytes / page * page;
}

static void memory_v2(struct list *l, const struct spec_limits *m)
{
	if (m->memory) {
		add(l, "memory", CG_MEMORY, "memory.max", "%llu", pages(m->memory));
		/* One process killed for lack of memory would leave a container that half works. */
		add(l, "memory", CG_MEMORY, "memory.oom.group", "1");
		if (m->memory_swap != UINT64_MAX)
			add(l, "swap", CG_MEMORY, "memory.swap.max", "%llu",
			    m->memory_swap ? pages(m->memory_swap) : 0ULL);
	}
	if (m->memory_low)
		add(l, "memory", CG_MEMORY, "memory.low", "%llu", pages(m->memory_low));
}

static void memory_v1(struct list *l, const struct spec_limits *m)
{
	uint64_t both;

	if (m->memory) {
		add(l, "memory", CG_MEMORY, "memory.limit_in_bytes", "%llu", pages(m->memory));
		if (m->memory_swap != UINT64_MAX) {
			if (__builtin_add_overflow(m->memory, m->memory_swap, &both))
				both = INT64_MAX;
			add(l, "swap", CG_MEMORY, "memory.memsw.limit_in_bytes", "%llu", pages(both));
		}
	}
	if (m->memory_low)
		add(l, "memory", CG_MEMORY, "memory.soft_limit_in_bytes", "%llu", pages(m->memory_low));
}

/* BFQ's own weight goes from 1 to 1000, io.weight from 1 to 10000: the same proportions where both have a value. */
static unsigned long long bfq_weight(uint64_t weight)
{
	return 1 + (weight - 1) * 999 / 9999;
}

size_t cgroup_settings(const struct spec *s, bool v2, unsigned controllers, struct cgroup_setting *out)
{
	const struct spec_limits *m = &s->limits;
	struct list l = { .spec = s, .out = out, .controllers = controllers };
	unsigned long long period = m->cpu_period_us ? m->cpu_period_us : 100000;

	/* cpuset first: a v1 cpuset without CPUs and memory nodes takes no process. */
	if (m->cpuset_cpus)
		add(&l, "cpuset", CG_CPUSET, "cpuset.cpus", "%s", m->cpuset_cpus);
	if (m->cpuset_mems)
		add(&l, "cpuset", CG_CPUSET, "cpuset.mems", "%s", m->cpuset_mems);
	if (v2)
		memory_v2(&l, m);
	else
		memory_v1(&l, m);
	if (m->pids)
		add(&l, "pids", CG_PIDS, "pids.max", "%llu", (unsigned long long)m->pids);
	if (v2) {
		if (m->cpu_weight)
			add(&l, "cpu", CG_CPU, "cpu.weight", "%llu", (unsigned long long)m->cpu_weight);
		if (m->cpu_quota_us)
			add(&l, "cpu", CG_CPU, "cpu.max", "%llu %llu", (unsigned long long)m->cpu_quota_us, period);
		if (m->io_weight)
			add(&l, "io", CG_IO, "io.weight", "default %llu", (unsigned long long)m->io_weight);
		return l.n;
	}
	/* The kernel's own conversion of weights: 100 is 1024 shares. */
	if (m->cpu_weight)
		add(&l, "cpu", CG_CPU, "cpu.shares", "%llu", ((unsigned long long)m->cpu_weight * 1024 + 50) / 100);
	if (m->cpu_quota_us) {
		add(&l, "cpu", CG_CPU, "cpu.cfs_period_us", "%llu", period);
		add(&l, "cpu", CG_CPU, "cpu.cfs_quota_us", "%llu", (unsigned long long)m->cpu_quota_us);
	}
	if (m->io_weight)
		add(&l, "io", CG_IO, "blkio.bfq.weight", "%llu", bfq_weight(m->io_weight));
	return l.n;
}

/* A list like "0-3,7" as a set. */
struct set {
	uint64_t bits[128];
};

static bool set_parse(const char *s, struct set *set)
{
	memset(set, 0, sizeof(*set));
	while (*s) {
		unsigned long a, b;
		char *end;

		a = b = strtoul(s, &end, 10);
		if (end == s)
			return false;
		if (*end == '-') {
			s = end + 1;
			b = strtoul(s, &end, 10);
			if (end == s)
				return false;
		}
		if (b < a || b >= 64 * 128)
			return false;
		for (; a <= b; a++)
			set->bits[a / 64] |= 1ULL << (a % 64);
		if (*end == ',')
			end++;
		else if (*end)
			return false;
		s = end;
	}
	return true;
}

bool cgroup_value_equal(const char *file, const char *written, const char *got)
{
	struct set a, b;

	if (strcmp(written, got) == 0)
		return true;
	if (strncmp(file, "cpuset.", 7) == 0)
		return set_parse(written, &a) && set_parse(got, &b) && memcmp(&a, &b, sizeof(a)) == 0;
	if (strcmp(file, "io.weight") == 0) /* one line a device follows */
		return strncmp(written, got, strlen(written)) == 0 && got[strlen(written)] == '\n';
	return false;
}

bool cgroup_machine_has_swap(void)
{
	char text[256];

	return file_read_line(AT_FDCWD, "/proc/swaps", text, sizeof(text)) < 0 || strchr(text, '\n') != NULL;
}

int cgroup_set(int fd, const struct cgroup_setting *set, struct error *e)
{
	int r = file_write(fd, set->file, set->value);

	if (r == 0)
		return 0;
	/* Where there is no swap, there is nothing of it to use. With swap, the plan has looked for the file. */
	if (r == -ENOENT && streq(set->limit, "swap") && !cgroup_machine_has_swap())
		return 0;
	/* Linux before 4.19 kills single processes only. */
	if (r == -ENOENT && streq(set->file, "memory.oom.group"))
		return 0;
	if (r == -ENOENT)
		return error_set(e, r, "limit %s: controller %s has no %s here (--lower cgroup=%s runs without it)",
				 set->limit, cgroup_controller_name(set->controller), set->file, set->limit);
	return error_errno(e, r, "limit %s: cannot write \"%s\" to %s (controller %s)", set->limit, set->value,
			   set->file, cgroup_controller_name(set->controller));
}
