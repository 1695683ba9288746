/* SPDX-License-Identifier: Apache-2.0 */
/* Making a child of this process in namespaces that this process does not enter itself. */
#pragma once

#include "base/error.h"

#include <linux/sched.h>
#include <sys/types.h>

/*
 * Forks a helper that enters the namespaces of `fd` (setns(2): a namespace descriptor, or a pidfd with several CLONE_NEW*
 * bits in `enter`) and clones there with `args` and CLONE_PARENT, so that the new process is our child. `mntns_fd` >= 0: enters
 * that mount namespace as well. Returns twice as fork does: 0 in the new process, its pid (as we number it) here with *pidfd opened; or a negative errno.
 */
pid_t join_clone(int fd, int enter, int mntns_fd, struct clone_args *args, int *pidfd, struct error *e);
