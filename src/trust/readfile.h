/* SPDX-License-Identifier: Apache-2.0 */
/* Files that decide what runs: they must belong to this user or root, and nobody else may write them. */
#pragma once

#include "base/error.h"

#include <stddef.h>

/*
 * Reads `path` (below `dirfd` or absolute); `what` names it in errors. The caller frees *out. -ENOENT is returned without words; -EPERM
 * with the command that mends it.
 */
int trust_read_file(int dirfd, const char *path, const char *what, size_t max, char **out, size_t *n, struct error *e);
