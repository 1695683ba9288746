/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Nanoseconds everywhere; RFC 3339 in files, as docker writes it. */
#pragma once

#include <stdint.h>

uint64_t clock_now_ns(void);	  /* CLOCK_REALTIME since the epoch */
uint64_t clock_monotonic_ns(void); /* CLOCK_BOOTTIME */

/* "2026-11-24T07:00:00.123456789Z" */
void clock_format(uint64_t ns, char out[static 40]);
/* RFC 3339 (with offset), a UNIX time with fraction, or a duration like "10m" meaning that long ago. 0 or -EINVAL. */
int clock_parse(const char *s, uint64_t *ns);
/* "5 minutes", "About an hour", "3 weeks": docker's words for a length of time. */
void clock_words(uint64_t ns, char out[static 40]);
