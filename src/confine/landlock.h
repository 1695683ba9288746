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
