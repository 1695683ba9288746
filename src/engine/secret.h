/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: files of the host shown below /run/secrets. They are read at each start and live in a small read-only tmpfs of
 * the container: never on disk, and readable for the container's user whatever the host file's owner.
 */
#pragma once

#include "engine/container.h"

enum { SECRET_MAX = 512 * 1024 }; /* bytes of one, as docker has it (500 KiB) */

int secret_mounts(const struct container *c, struct spec *s, struct error *e);
