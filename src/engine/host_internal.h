/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of brig setup share. */
#pragma once

#include "engine/host.h"

enum { HOST_SUBIDS = 65536 }; /* subordinate ids that a user gets */

/* The content of a file below /etc, "" where it cannot be read; the caller frees. */
char *host_subids_text(const char *file);
/* Adds HOST_SUBIDS ids from `first` on to /etc/subuid and /etc/subgid. */
int host_ids_add(const struct host_user *u, bool uids, bool gids, uint64_t first, struct error *e);
/* Takes exactly that line out of "subuid" or "subgid". 1, or 0 when there is none; or a negative errno. */
int host_ids_drop(const char *file, const struct host_user *u, uint64_t first, uint64_t count, struct error *e);

int host_run_tool(const char *name, const char *a, const char *b, struct error *e);

/*
 * DATA/setup/UID remembers what a setup made, a line each, so that it can be undone and nothing else: "subuid FIRST COUNT",
 * "subgid FIRST COUNT", "linger", "dropin". Cgroups have brig's name and need no note.
 */
__attribute__((format(printf, 3, 4))) int host_note(const struct host_user *u, struct error *e, const char *fmt, ...);
