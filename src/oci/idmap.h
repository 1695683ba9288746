/* SPDX-License-Identifier: Apache-2.0 */
/* Id maps of user namespaces (user_namespaces(7)): written for a process, or for a namespace that only maps a mount. */
#pragma once

#include "base/error.h"
#include "spec/spec.h"

#include <sys/types.h>

/*
 * Writes both maps of a process in a new user namespace. By itself where the caller has the rights; else through
 * newuidmap(1) and newgidmap(1); a single id of the caller's own needs neither (setgroups is denied then).
 */
int oci_idmap_write(pid_t pid, const struct spec_idmap *uid, size_t n_uid, const struct spec_idmap *gid, size_t n_gid,
		    struct error *e);
/* A descriptor of a user namespace with these maps and no process in it, or a negative errno. */
int oci_userns_new(const struct spec_idmap *uid, size_t n_uid, const struct spec_idmap *gid, size_t n_gid, struct error *e);
