/* SPDX-License-Identifier: Apache-2.0 */
/* Which cgroups a process joins that is added to a container. */
#pragma once

#include "confine/cgroup_oci.h"

/*
 * Descriptors for cgroup_join(): the container's own cgroups, or with `places` ("PATH" or "CONTROLLER,...:PATH", as `exec
 * --cgroup` takes them) folders below them. `fds` has room for OCI_CG_HIERARCHIES; the number, or a negative errno.
 */
int oci_exec_joins(const struct oci_cgroup *cg, pid_t init, char *const *places, int *fds, struct error *e);
