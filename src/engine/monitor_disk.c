/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When is the writable layer measured? A measurement costs a process and a walk; the file system's free space costs one call
 * (statfs(2)) and falls by all that is written, by whomever and in whatever way (write, mmap, O_DIRECT: file systems count
 * what they owe to the disk). So the monitor adds up by how much it falls, and has the layer measured when a good part of what
 * the layer may still take is gone. It looks so often that nobody can write the whole rest between two looks, and less
 * often while nothing is written at all.
 */
#include "engine/monitor_loop.h"

#include <sys/statfs.h>

enum {
	NS_PER_INODE = 5000, /* nobody makes files faster */
	NS_PER_MIB = 500000, /* nobody writes faster: 2 GiB/s */
	LOOK_MIN_MS = 10,    /* while somebody writes */
	LOOK_QUIET_MS = 250,
	LOOK_MAX_MS = 5000,
	SHARE = 20,	     /* a measurement may take a twentieth of the time, */
	SHARE_CLOSE = 4,     /* and a quarter when the limit may have been passed */
};

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Adds what a count of free units fell by since the last look. What somebody frees meanwhile is no credit. */
static bool fell(struct disk_gauge *g, uint64_t free)
{
	uint64_t before = g->free;

	g->free = free;
	if (free >= before)
		return false;
	g->taken += before - free;
	return before - free > g->room / 32;
}

static bool look(struct monitor *m)
{
	struct statfs fs;
	bool much;

	if (fstatfs(m->kit->fd[MFD_DIR], &fs) < 0)
		return false;
	much = fell(&m->disk.bytes, (uint64_t)fs.f_bfree * (uint64_t)fs.f_bsize);
	return fell(&m->disk.inodes, fs.f_ffree) || much;
}

static bool passed(const struct disk_gauge *g, uint64_t limit)
{
	return limit && g->taken >= g->room;
}

static bool close_to(const struct disk_gauge *g, uint64_t limit)
{
	return limit && g->taken >= max(g->room / 2, limit / 32);
}

/* Whether to measure now. */
static bool due(const struct monitor *m, uint64_t now)
{
	const struct monitor_kit *k = m->kit;
	bool beyond = passed(&m->disk.bytes, k->disk) || passed(&m->disk.inodes, k->disk_inodes);

	if (!beyond && !close_to(&m->disk.bytes, k->disk) && !close_to(&m->disk.inodes, k->disk_inodes))
		return false;
	return now >= m->usage.started + m->disk.took * (1 + (beyond ? SHARE_CLOSE : SHARE));
}

static uint64_t rest(const struct disk_gauge *g)
{
	return g->taken < g->room ? g->room - g->taken : 0;
}

static uint64_t interval(const struct monitor *m, bool busy)
{
	uint64_t t = (uint64_t)LOOK_MAX_MS * NS_PER_MS, v;

	if (m->kit->disk && (v = (rest(&m->disk.bytes) >> 20) * NS_PER_MIB) < t)
		t = v;
	if (m->kit->disk_inodes && (v = rest(&m->disk.inodes) * NS_PER_INODE) < t)
		t = v;
	return max(t, (uint64_t)(busy ? LOOK_MIN_MS : LOOK_QUIET_MS) * NS_PER_MS);
}

static void may_take(struct monitor *m, uint64_t percent)
{
	m->disk.bytes.room = m->kit->disk / 100 * percent;
	m->disk.inodes.room = m->kit->disk_inodes * percent / 100;
}

void disk_start(struct monitor *m, uint64_t now)
{
	if (!m->kit->disk && !m->kit->disk_inodes)
		return;
	look(m);
	m->disk.bytes.taken = m->disk.inodes.taken = 0;
	/* What it has from before is not known yet. */
	may_take(m, 25);
	m->disk.at = now + interval(m, true);
}

void disk_measuring(struct monitor *m)
{
	look(m);
	m->disk.bytes.taken = m->disk.inodes.taken = 0;
}

void disk_measured(struct monitor *m, int code, uint64_t took)
{
	m->disk.took = took;
	if (code >= 0 && code <= 100)
		may_take(m, 100 - (unsigned)code);
	/* While it ends: an eighth more, and it is killed. */
	if (code == USAGE_OVER) {
		m->disk.bytes.taken = m->disk.inodes.taken = 0;
		may_take(m, 12);
	}
	m->disk.at = bare_ticks();
}

bool disk_timers(struct monitor *m, uint64_t now, uint64_t *next)
{
	bool busy, measure = false;

	if (!m->disk.at)
		return false;
	if (now >= m->disk.at) {
		busy = look(m);
		if (!m->stopping || m->reason != MONITOR_DISK)
			measure = !m->usage.pid && due(m, now);
		else if (passed(&m->disk.bytes, m->kit->disk) || passed(&m->disk.inodes, m->kit->disk_inodes))
			m->kill_at = now;
		m->disk.at = now + interval(m, busy);
	}
	sooner(next, m->disk.at);
	return measure;
}
