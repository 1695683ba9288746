/* SPDX-License-Identifier: Apache-2.0 */
/* A process in the foreground: signals go to it, its terminal is relayed to ours. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/*
 * Waits for the child `pid` and passes signals on to it; with `tty` (outer side of its terminal, -1 without) moves bytes between that
 * and descriptors 0 and 1, in raw mode where these are a terminal, and follows its size. Orphans that become our children are
 * reaped. *code: the exit code, or 128 and the signal.
 */
int oci_wait(pid_t pid, int tty, int *code, struct error *e);
