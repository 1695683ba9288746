/* SPDX-License-Identifier: Apache-2.0 */
/* This program's own file, which a container must not get at. */
#pragma once

#include "base/error.h"

/*
 * A process of a container that executes /proc/self/exe, or a script whose interpreter that is, becomes this program and leads
 * /proc/PID/exe to its file; as root of the host (no user namespace) it could then write to it (CVE-2019-5736). So this
 * program executes itself again from where nobody can write: a read-only mount of the file that is mounted nowhere; a user
 * who cannot make one and may write to the file, from a sealed copy in memory. Comes back when that is so, or not needed.
 */
int oci_self_protect(char **argv, struct error *e);
