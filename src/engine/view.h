/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look into a container's files with the container's own eyes: a child process in its user and mount namespaces (made anew
 * when it does not run, with the same mounts as a start), root there and nobody outside. It runs none of its programs.
 */
#pragma once

#include "engine/container.h"

struct view {
	pid_t pid;
	int sock;
	struct spec spec; /* of a container that does not run */
	struct container *locked;
};

/*
 * Called in the child. `root_fd` is the container's root folder (O_PATH). The child has all descriptors of ours; what it
 * changes in memory nobody sees but through shared mappings, descriptors and the error.
 */
typedef int (*view_fn)(int root_fd, void *ctx, struct error *e);

/*
 * Starts `fn`. A container that does not run is locked until view_wait(). 0, or a negative errno (-EBUSY: it is being started
 * or stopped). SIGPIPE should be ignored by who passes pipes.
 */
int view_start(struct container *c, view_fn fn, void *ctx, struct view *v, struct error *e);
/* Waits for its end; what fn returned. */
int view_wait(struct view *v, struct error *e);
