/* SPDX-License-Identifier: Apache-2.0 */
/* Making a child of this process in namespaces that this process does not enter itself. */
#pragma once

#include "base/error.h"

#include <linux/sched.h>
#include <sys/types.h>

/*
 * Forks a helper that enters the namespaces of `fd` (setns(2): a namespace descriptor, or a pidfd with several CLONE_NEW*
 * bits in `enter`) and clones there with `args` and CLONE_PARENT, so that the new process is our child. `netns_fd` and
 * `mntns_fd` >= 0: enters these as well. Returns twice as fork does: 0 in the new process, its pid (as we number it) here with *pidfd opened; or a negative errno.
 */
pid_t join_clone(int fd, int enter, int netns_fd, int mntns_fd, struct clone_args *args, int *pidfd, struct error *e);

/*
 * The same, and in the helper, before it enters anything, `first` with `ctx`: what the new process shall inherit and only
 * somebody outside can set. Its error becomes ours.
 */
pid_t join_clone_after(int (*first)(void *ctx, struct error *e), void *ctx, int fd, int enter, struct clone_args *args, int *pidfd,
		       struct error *e);

/*
 * For a process with a user namespace of its own below that of `fd`: once it is there the helper, which has every right in `fd`'s,
 * calls `map` with its pid to write its id maps. Its error becomes ours, and the process is killed.
 */
pid_t join_clone_mapped(int fd, int netns_fd, int (*map)(void *ctx, pid_t pid, struct error *e), void *ctx, struct clone_args *args,
			int *pidfd, struct error *e);
