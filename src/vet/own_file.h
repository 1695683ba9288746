/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the person's that decide what vet says: read only when nobody else could have written them. */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* The text of a file; `shown` names it in errors. -ENOENT: there is none; -EPERM: it belongs to somebody else, or others may write it. */
int own_file_read(int dirfd, const char *name, const char *shown, size_t max, char **out, size_t *n, struct error *e);
/* As proc_share(), or BRIG_SHARE/NAME where that is set (for tests). The caller frees. */
char *share_path(const char *name);
