/* SPDX-License-Identifier: Apache-2.0 */
/* The container process between clone3 and exec. */
#pragma once

#include "runtime/launch.h"

/* A new container: waits for GO, raises every wall, tells READY, waits for START, executes. Does not return. */
void child_container(struct launch *l, const struct launch_io *io) __attribute__((noreturn));
/* A process that has joined a container's namespaces: raises the walls marked on_exec and executes at once. */
void child_exec(struct launch *l, const struct launch_io *io) __attribute__((noreturn));
