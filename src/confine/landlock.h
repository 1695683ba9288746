/* SPDX-License-Identifier: Apache-2.0 */
/* The Landlock wall (landlock(7), Documentation/userspace-api/landlock.rst). */
#pragma once

#include "base/error.h"
#include "confine/wall.h"

#include <stdint.h>

extern const struct wall wall_landlock;

/* The ABI of the running kernel, 1 and up; 0 when it has no Landlock or it is switched off. */
int landlock_abi(void);

/* What the wall handles under a plan, by ABI and lowered details. */
struct landlock_scope {
	uint64_t fs;	/* LANDLOCK_ACCESS_FS_* */
	uint64_t net;	/* LANDLOCK_ACCESS_NET_* */
	uint64_t scoped; /* LANDLOCK_SCOPE_* */
};
void landlock_handled(const struct spec *s, int abi, struct landlock_scope *out);

/* The wall's plan on a kernel of this ABI; the wall itself asks the running one. */
int landlock_plan(const struct spec *s, int abi, struct plan *p, struct error *e);

/*
 * For a container of another engine (oci_landlock in brig.conf), in the container's root: writing below "/" (`root`) and below
 * `places`, into /dev's nodes and to stdio; no devices are made and nothing is mounted; `scoped`: signals and abstract
 * sockets stay inside. A ruleset, close-on-exec, or -EOPNOTSUPP; landlock_bundle_restrict() needs no_new_privs or CAP_SYS_ADMIN.
 */
int landlock_bundle(bool root, char *const *places, bool scoped, struct error *e);
int landlock_bundle_restrict(int ruleset, struct error *e);
