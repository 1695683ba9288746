/* SPDX-License-Identifier: Apache-2.0 */
/* linux.netDevices: interfaces of the host that go into the container's network namespace (config-linux.md, 1.3). */
#pragma once

#include "spec/oci.h"

#include <sys/types.h>

/* Moves them into the network namespace of `pid` under their new names. */
int oci_netdevs_move(const struct oci_config *c, pid_t pid, struct error *e);
