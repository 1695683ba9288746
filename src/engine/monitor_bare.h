/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the monitor, the log writer and the event writer share. They also link into brig-monitor, which has no C library
 * (programs/bare.c): no heap, no stdio, no locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

static inline uint64_t bare_clock(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline uint64_t bare_now(void) /* since the epoch */
{
	return bare_clock(CLOCK_REALTIME);
}

static inline uint64_t bare_ticks(void) /* for intervals; runs on while the machine sleeps */
{
	return bare_clock(CLOCK_BOOTTIME);
}

/* Decimal digits with a final NUL into `out`, at least `width` of them (zero-filled). The length. */
size_t bare_decimal(uint64_t v, unsigned width, char out[static 24]);

/* As clock_format(): "2026-11-24T07:00:00.123456789Z". The length, 30. */
size_t bare_time(uint64_t ns, char out[static 40]);

/*
 * Length of the UTF-8 character at `p` (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF): 1 to 4; 0 when it
 * is none; -1 when the `n` bytes end within one that may become good.
 */
int bare_utf8(const unsigned char *p, size_t n);

/*
 * Escapes text for a JSON string (RFC 8259) into `out`, stopping before an output of `room` bytes would be exceeded. Bytes
 * that are not UTF-8 become \ufffd and set *bad. The length; *used tells how much input was taken.
 */
size_t bare_escape(const void *text, size_t n, char *out, size_t room, size_t *used, bool *bad);

/* Finds "KEY N" at the start of a line of a small kernel file (cgroup v2 memory.events) read at offset 0. 0 when absent. */
uint64_t bare_field(int fd, const char *key);
