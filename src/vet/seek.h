/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many strings sought in one pass (Aho and Corasick, "Efficient string matching", CACM 18.6, 1975), as a table of transitions: time does not
 * depend on how many strings there are, nor on what the bytes are made to look like.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seek;

/* Two texts that are equal are one. The number of the string, from 0 up; -E2BIG: no room for more (some 60,000 bytes in all), -EINVAL: empty. */
struct seek *seek_new(void);
int seek_add(struct seek *m, const void *text, size_t n);
/* Once all are added. */
void seek_compile(struct seek *m);
size_t seek_count(const struct seek *m);
/* Sets seen[i] for every string i that occurs; the caller has cleared it. Returns how many were set anew. */
size_t seek_scan(const struct seek *m, const void *data, size_t n, bool *seen);
void seek_free(struct seek **m);
#define _cleanup_seek_ __attribute__((cleanup(seek_free)))
