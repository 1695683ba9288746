/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <string.h>

enum { WORD_MAX = 40 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance over three rows; words longer than WORD_MAX are never near. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *older = rows[0], *old = rows[1], *now = rows[2];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= lb; j++)
		old[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned d = old[j - 1] + (a[i - 1] != b[j - 1]);

			d = least(d, least(old[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = least(d, older[j - 2] + 1);
			now[j] = d;
		}
		unsigned *spare = older;
		older = old;
		old = now;
		now = spare;
	}
	return old[lb];
}

void cli_nearest_offer(struct cli_nearest *n, const char *candidate)
{
	size_t len = strlen(n->word);
	unsigned limit = len < 4 ? 1 : len < 8 ? 2 : 3;
	unsigned d = distance(n->word, candidate);

	/* The start of a longer word is a likely abbreviation. */
	if (d > limit && len >= 3 && str_after(candidate, n->word))
		d = limit;
	if (d <= limit && (!n->best || d < n->distance)) {
		n->best = candidate;
		n->distance = d;
	}
}
