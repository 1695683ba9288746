/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes and durations of options and brig.conf: what is accepted has the value that it says. */
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* A plain number is the same in every one of them. */
static void plain(const char *text, uint64_t v)
{
	char *end;
	uint64_t other;

	errno = 0;
	check(strtoull(text, &end, 10) == v && errno == 0 && !*end);
	if (v < 1u << 30) {
		check(parse_size(text, &other) == 0 && other == v);
		check(parse_duration(text, &other) == 0 && other == v * 1000000000u);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	uint64_t v;
	int64_t i;

	if (parse_u64(text, 3, 1ULL << 60, &v) == 0) {
		check(v >= 3 && v <= 1ULL << 60);
		plain(text, v);
	}
	if (parse_i64(text, -5, 5, &i) == 0)
		check(i >= -5 && i <= 5);
	if (parse_size(text, &v) == 0) {
		check(text[0] >= '0' && text[0] <= '9');
#ifdef FUZZ_PLANT
		/* The planted bug of plant.c, for code without struct error: no seed has a size of petabytes. */
		if (v >= 1ULL << 50) {
			fprintf(stderr, "PLANTED BUG reached\n");
			abort();
		}
#endif
	}
	if (parse_duration(text, &v) == 0)
		check(!strchr(text, '-'));
	return 0;
}
