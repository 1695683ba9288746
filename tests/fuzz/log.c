/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's two ends. Reading: any line is refused or gives bytes within bounds. Writing: any bytes become objects that another
 * JSON parser reads, no longer than they may be, and that read back as the same bytes.
 */
#include "engine/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void write_and_read(const uint8_t *data, size_t size)
{
	static const char time[] = "2026-11-24T07:00:00.000000001Z";
	static char line[LOG_ENTRY_MAX];
	static struct log_entry en;

	while (size > 0) {
		enum log_stream s = data[0] & 1 ? LOG_STDERR : LOG_STDOUT;
		size_t used = 0, len = log_encode(s, data, size, time, line, &used);
		json_t *j;

		check(used > 0 && used <= size && len > 0 && len <= sizeof(line) && line[len - 1] == '\n');
		check(!memchr(line, '\n', len - 1));
		j = json_loadb(line, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
		check(j && json_is_string(json_object_get(j, "log")) && json_is_string(json_object_get(j, "time")));
		json_decref(j);
		check(log_decode(line, len - 1, &en) == 0 && en.stream == s && en.len == used && !memcmp(en.data, data, used));
		data += used;
		size -= used;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log_entry en;

	if (log_decode((const char *)data, size, &en) == 0) {
		check(en.len <= sizeof(en.data));
#ifdef FUZZ_PLANT
		/* The planted bug of plant.c, for code without struct error: the seeds have 3, 5 and 7 bytes. */
		if (en.len > 0 && en.len % 2 == 0) {
			fprintf(stderr, "PLANTED BUG reached\n");
			abort();
		}
#endif
	}
	/* A line begins with a brace; the fuzzer need not learn both ways from one input. */
	if (size > 0 && data[0] != '{')
		write_and_read(data, size);
	return 0;
}
