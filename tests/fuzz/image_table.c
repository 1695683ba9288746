/* SPDX-License-Identifier: Apache-2.0 */
/* Tables lie on a disk that somebody may have changed: what is read must be sound, or is refused. */
#include "base/cleanup.h"
#include "image/tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(table_line_free) struct table_line line = { 0 };
	const struct table_map map = { (const char *)data, size };
	_cleanup_free_ char *text = NULL, *out = NULL;
	_cleanup_tree_ struct tree t = { 0 }, again = { 0 };
	struct error e = { 0 };
	size_t n;
	FILE *f;
	int r;

	if (size == 0)
		return 0;
	/* Lookups in an unsorted or damaged table end, with whatever answer. */
	table_find(map.data, map.size, "etc/passwd", &line);
	if (table_read_file(&map, -1, "/etc/passwd", 100, &text, &n) == 0)
		need(n == 0);
	tree_init(&t);
	r = table_read(&t, map.data, map.size, "table", &e);
	need(r <= 0 && (r == 0 || e.text[0]));
	if (r < 0)
		return 0;
	f = open_memstream(&out, &n);
	r = table_write(&t, f, NULL, NULL);
	fclose(f);
	if (r < 0)
		return 0;
	tree_init(&again);
	need(table_read(&again, out, n, "table", NULL) == 0);
	tree_apply(&t, &again, NULL);
	return 0;
}
