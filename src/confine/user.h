/* SPDX-License-Identifier: Apache-2.0 */
/* Id maps, for whoever makes a user namespace: containers, and helpers that touch files of a container's ids. */
#pragma once

#include "base/error.h"
#include "spec/spec.h"

/*
 * Writes /proc/PID/gid_map and uid_map (user_namespaces(7)): directly as root, else through newgidmap(1) and newuidmap(1),
 * which check /etc/subuid and /etc/subgid. 0, or a negative errno with a hint.
 */
int user_write_maps(pid_t pid, const struct spec_idmap *uids, size_t n_uids, const struct spec_idmap *gids,
		    size_t n_gids, struct error *e);
/* The same where the caller has CAP_SETUID and CAP_SETGID in the parent of that user namespace: no other program is asked. */
int user_write_maps_directly(pid_t pid, const struct spec *s, struct error *e);
