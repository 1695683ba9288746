/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a container runs: found, and its signals. */
#pragma once

#include "base/error.h"

#include <stddef.h>

/*
 * As execvpe(3) looks for it, in PATH of `env` (or the usual one), in the current root. The words of the errors are those that
 * podman, dockerd and containerd know; e->exit is 126 or 127. Never a magic link such as /proc/self/exe.
 */
int program_find(const char *name, char *const *env, char *out, size_t size, struct error *e);

/* Signals as a new program expects them: nothing blocked, nothing ignored by us. */
void program_signals(void);
