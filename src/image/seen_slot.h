/* SPDX-License-Identifier: Apache-2.0 */
/* A slot against its tree's table, entry by entry: types, modes, owners, times, attributes, links, and that nothing is too much. */
#pragma once

#include "base/error.h"

#include <stdio.h>

/*
 * To be called where tree_prepare() would be: in a process that has the slot's ids. `objects` is for full trees, whose bytes are
 * compared. The index of what was found goes to `out` (not closed; NULL: none). -EUCLEAN with the path and what is wrong with it; 1:
 * all is well, but something changed so lately that the index may not be used (see seen_settle()). The table is believed.
 */
int slot_compare(int tree_dir, int objects, const char *tree, const char *slot, FILE *out, struct error *e);
