/* SPDX-License-Identifier: Apache-2.0 */
/* An index of what was seen lies in the store: whatever stands in it, comparing ends, stays in its folder, and closes what it opens. */
#include "base/cleanup.h"
#include "image/seen.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tree[] = "1d5723df5e43780a4b09539d9f727b710be1f1a27e8e93afb1c119dbfa729463";
static const char last[] = "end 0000000000000000 0000000000000000000000000000000000000000000000000000000000000000\n";

static void need(int ok)
{
	if (!ok)
		abort();
}

static int lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* The input is what stands between the first line and the last, or all of it when it has its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct seen_moved moved = { "" };
	struct seen_line line;
	struct seen s;
	const char *p;
	int r, dir, before;

	need(seen_parse(&s, tree, "raw", (const char *)data, size) <= 0);
	buf_printf(&text, "brig-seen 1 %s raw\n", tree);
	buf_add(&text, data, size);
	if (size && data[size - 1] != '\n')
		buf_puts(&text, "\n");
	buf_puts(&text, last);
	r = seen_parse(&s, tree, "raw", text.data, text.len);
	need(r == 0 && seen_parse(&(struct seen){ 0 }, tree, NULL, text.data, text.len) < 0);
	p = seen_first(&s);
	while ((r = seen_next(&s, &p, &line)) > 0) {
		need(!strchr(line.name, '/') && !streq(line.name, "..") && !streq(line.name, "."));
		need(p <= s.data + s.size);
#ifdef FUZZ_PLANT
		if (line.kind == 'd' && line.name[0] == 'z') {
			fprintf(stderr, "PLANTED BUG reached\n");
			abort();
		}
#endif
	}
	before = lowest_fd();
	dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = seen_check_slot(&s, dir, &moved);
	need(r == 0 || r == -ESTALE || r == -EBADMSG);
	seen_check_objects(&s, dir, &moved);
	seen_check_chain(&s, dir, dir, &moved);
	close(dir);
	need(lowest_fd() == before);
	return 0;
}
