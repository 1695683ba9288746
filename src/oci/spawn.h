/* SPDX-License-Identifier: Apache-2.0 */
/* clone3(2) into new namespaces and into those that are given by path. */
#pragma once

#include "oci/init.h"

/*
 * Makes the first process. Twice as fork does: 0 in it, with i->ns holding what it has to enter itself; its pid here, with
 * *pidfd; or a negative errno. `cgroup_fd`: for CLONE_INTO_CGROUP, -1 for none.
 */
pid_t oci_spawn(struct oci_init *i, int cgroup_fd, int *pidfd, struct error *e);
