/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp wall's parts that others use: seccomp(2), seccomp_unotify(2). */
#pragma once

#include "base/error.h"
#include "confine/wall.h"

#include <linux/filter.h>

extern const struct wall wall_seccomp;

/*
 * Installs a filter in the calling thread. With `notify_fd`, the filter gets a listener and its close-on-exec descriptor is
 * stored there. Needs no_new_privs or CAP_SYS_ADMIN in the user namespace.
 */
int seccomp_install(const struct sock_filter *f, unsigned n, int *notify_fd, struct error *e);

/*
 * The filter for a set of `--lower seccomp=DETAIL` (bits by the order of wall_seccomp.details); owned by the wall and the same
 * for the same arguments. Without `notify`, calls that would be reported are refused without a record. NULL: out of memory.
 */
const struct sock_filter *seccomp_filter(uint64_t lowered, bool notify, unsigned *n);
