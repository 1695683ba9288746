/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: files of the host shown below /run/secrets. They are read at each start and live in a small read-only tmpfs of
 * the container: never on disk, and readable for the container's user whatever the host file's owner.
 *
 * On the way there they are in one sealed memory file: for each secret its length (uint64_t) and its bytes. The monitor
 * of a container of root's keeps that for restarts, which cannot read root's files any more.
 */
#pragma once

#include "engine/container.h"

enum { SECRET_MAX = 512 * 1024 }; /* bytes of one, as docker has it (500 KiB) */

/* Adds the mount to a specification. `kept_fd` >= 0: the memory file of an earlier start, used in place of the host's files. */
int secret_mounts(const struct container *c, int kept_fd, struct spec *s, struct error *e);
/* The memory file in a specification, -1 when it has no secrets. Stays the specification's. */
int secret_fd(const struct spec *s);
/* True for such a memory file among other descriptors. */
bool secret_is_fd(int fd);
