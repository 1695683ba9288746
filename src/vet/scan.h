/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where do any of some hundred words occur in some bytes? One pass at about the speed of memory: four bytes of each word, the rarest in
 * a row, are its print; words are shared out to eight buckets; sixteen places at a time are looked up by half bytes, which leaves few places
 * at which words are compared. (The idea of the lookup is that of "Teddy" in Hyperscan: Wang et al., NSDI 2019, section 4.2.) Machines
 * without SSSE3 do the same a byte at a time.
 *
 * Read only once made: threads may share it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { SCAN_WORD_MIN = 4, SCAN_WORD_MAX = 64, SCAN_WORDS_MAX = 4096 };

struct scan_word {
	const char *text; /* SCAN_WORD_MIN to SCAN_WORD_MAX bytes; copied */
	size_t len;
	bool nocase;	  /* ASCII letters match in both cases */
};

struct scan;
/* NULL when a word is too short or too long, or there are too many or none. */
struct scan *scan_new(const struct scan_word *words, size_t n);
void scan_free(struct scan *s);

/* A word (its place in the list) begins at `offset`. Offsets need not ascend between different words. */
typedef void scan_hit(void *arg, size_t offset, unsigned word);
void scan_run(const struct scan *s, const void *data, size_t n, scan_hit *hit, void *arg);
/* The same without SSSE3, for tests. */
void scan_run_plain(const struct scan *s, const void *data, size_t n, scan_hit *hit, void *arg);
