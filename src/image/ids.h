/* SPDX-License-Identifier: Apache-2.0 */
/* Which ids a tree needs mapped: those of its owners, of its passwd and group, 0, and 65534 (nobody). */
#pragma once

#include "image/tree.h"

/*
 * Writes the file "ids" into `dir`: {"uids":[0,...],"gids":[0,...]}. `m` is the table of the tree, `objects` two folders
 * where bytes of passwd and group may lie. Files that are missing, links to nowhere, too large or no text of that kind
 * name no ids: that is the image's own business.
 */
int ids_write(struct tree *t, const struct table_map *m, const int objects[2], int dir, struct error *e);
