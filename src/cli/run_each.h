/* SPDX-License-Identifier: Apache-2.0 */
/* A command that takes several containers: each is done, whatever becomes of the others. */
#pragma once

#include "engine/container.h"

/*
 * Finds each container that `argv` names and calls `fn`; prints what was given when it returns 0, the error when not.
 * With `missing_ok` one that does not exist is no error and prints nothing. Returns 0, or 1 when one failed (docker's code).
 */
int run_each(char **argv, bool missing_ok, int (*fn)(struct container *c, void *arg, struct error *e), void *arg);
