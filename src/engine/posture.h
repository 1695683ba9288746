/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posture: for each wall the plan, the evidence read back from the kernel, and the verdict. Nothing that brig wrote down is
 * evidence; only the plan comes from brig's files.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "confine/wall.h"
#include "engine/container.h"

struct posture {
	char *name;		     /* container name; of a foreign process the name of its program (proc_pid_comm(5)) */
	char *id;		     /* NULL for a foreign process */
	pid_t pid;
	bool foreign;
	struct wall_plan plan[WALL_COUNT];
	struct evidence found[WALL_COUNT];
};

/* Judges a running container; -ESRCH when it does not run. */
int posture_container(const struct container *c, struct posture *out, struct error *e);
/* Judges any process, by absolute standards: what brig did not start has no plan. */
int posture_pid(pid_t pid, struct posture *out, struct error *e);
void posture_free(struct posture *p);

/* "stands", "lowered", "absent", "down", "unknown". */
const char *posture_verdict(enum verdict v);
/* True when every wall stands as high as it can: none lowered, absent, down or unknown. */
bool posture_whole(const struct posture *p);
json_t *posture_json(const struct posture *p);
