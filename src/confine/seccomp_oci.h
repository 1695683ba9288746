/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp of an OCI config.json as a filter (runtime-spec, config-linux.md, "Seccomp"; seccomp(2)).
 *
 * What the specification leaves open:
 * - Several rules hold for one call: the strictest answer wins, in the kernel's own order for several filters (KILL_PROCESS,
 *   KILL_THREAD, TRAP, ERRNO, NOTIFY, TRACE, LOG, ALLOW); between two errnos the one without
 *   conditions, then the first in the document.
 * - `args` that look at one argument more than once are alternatives, otherwise all must hold (as runc and crun have it).
 * - The machine's own architecture is always in; the 32-bit and x32 entries are in when they are listed, and whoever comes
 *   through one that is not listed is killed.
 * - Under a default of SCMP_ACT_ERRNO, calls with a higher number than any that the profile names get ENOSYS, so that
 *   programs fall back to older calls instead of failing on a profile that was written before the call.
 * - Names that no table of this build knows are passed over: profiles name the calls of all architectures.
 * - Of i386's socketcall(2) and ipc(2), what a rule without conditions says of bind, shmat, ... holds for their numbers too;
 *   conditions cannot be looked at there, since the arguments are in memory.
 */
#pragma once

#include "base/error.h"
#include "spec/oci.h"

#include <linux/filter.h>

/*
 * *f is the caller's to free(). Errors: EINVAL (an unknown architecture), E2BIG (more than the kernel's 4096 instructions),
 * EOPNOTSUPP (an action that this kernel does not have), each with the JSON path.
 */
int seccomp_oci_compile(const struct oci_seccomp *s, struct sock_filter **f, unsigned *n, struct error *e);

/*
 * Installs the filter with the profile's flags in the calling thread. When the profile notifies, *notify_fd gets the
 * close-on-exec listener, else -1. Needs no_new_privs or CAP_SYS_ADMIN in the user namespace.
 */
int seccomp_oci_install(const struct oci_seccomp *s, const struct sock_filter *f, unsigned n, int *notify_fd,
			struct error *e);
