/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp profile of config.json as a filter, through libseccomp (seccomp_rule_add(3)). */
#pragma once

#include "base/error.h"
#include "spec/oci.h"

#include <linux/filter.h>

/*
 * Compiles it. Calls and architectures that libseccomp does not know are left out, as other runtimes do: the default action meets
 * them. *out is owned by the caller (free()), *n instructions.
 */
int seccomp_oci_compile(const struct oci_seccomp *s, struct sock_filter **out, unsigned *n, struct error *e);

/*
 * Installs it in the calling, single-threaded process with the profile's flags. *listener: the close-on-exec descriptor of
 * seccomp_unotify(2) when the profile notifies, else -1. Needs no_new_privs or CAP_SYS_ADMIN.
 */
int seccomp_oci_install(const struct oci_seccomp *s, const struct sock_filter *f, unsigned n, int *listener, struct error *e);
