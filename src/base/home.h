/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where brig keeps its files.
 *
 *	            root                 an ordinary user
 *	data        /var/lib/brig        $XDG_DATA_HOME/brig       (~/.local/share/brig)
 *	runtime     /run/brig/c          $XDG_RUNTIME_DIR/brig     (else DATA/run)
 *	config      /etc/brig            $XDG_CONFIG_HOME/brig     (~/.config/brig)
 *
 * BRIG_DATA, BRIG_RUNTIME and BRIG_CONFIG override each (for tests, and for an operator who keeps several). A folder
 * that belongs to somebody else, that others may write, or that is a link is refused (CASES C13).
 *
 * When root runs brig, the monitor of each container is an unprivileged id of its own, which must be able to take its own things
 * away at the end. So the runtime folder and DATA/{containers,names,ids} have the sticky bit and are open to all, below
 * a folder that only root enters: a monitor reaches them by a descriptor that root gave it, and changes only what is its own.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* True when brig runs as root in the sense of having other people's files: effective uid 0. */
bool home_is_root(void);

/* Open O_PATH descriptors, made with mode 0700 where missing; kept open and shared: do not close. <0: errno. */
int home_data(struct error *e);
int home_run(struct error *e);

/* The paths of the same, for messages and for programs that we start. Static storage; NULL with `e` filled. */
const char *home_data_path(struct error *e);
/*
 * Another data folder (absolute, there), for this process and those that it starts, until it is called with NULL. What was asked for before
 * does not stick to it; descriptors that home_data() gave are closed.
 */
int home_data_use(const char *path, struct error *e);
const char *home_run_path(struct error *e);
const char *home_config_path(struct error *e);

/* The folder of the configuration, a descriptor to close. It need not be there: -ENOENT without a word, or with `make` it is made. */
int home_config(bool make, struct error *e);

/*
 * For a process that may not walk to these folders any more (the monitor of a container of root's): from now on
 * home_data_dir(name) is this descriptor, and with name "run" so is home_run(). Takes `fd`.
 */
void home_preset(const char *name, int fd);
bool home_is_preset(const char *name);

/* A folder below the data folder ("images", "containers", ...), made where missing. A descriptor to close, or <0. */
int home_data_dir(const char *name, struct error *e);
