/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The size of a writable layer where no quota of the file system bounds it: the monitor has it measured now and then
 * (`brig __usage ID`) and stops a container that outgrew its limit.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct watermark {
	uint64_t bytes;	 /* that the files take on the disk */
	uint64_t inodes; /* files, folders, links; a file with several names counts once in all */
};

/*
 * Sums up the tree below the folder `dir`, in bounded memory and at any depth, while others change it. Ends early when one of
 * the bounds (0: none) is passed. -EAGAIN: a folder was moved away under our feet; what was counted stands in *out.
 */
int watermark_measure(int dir, const struct watermark *bounds, struct watermark *out);

/* Body of the hidden command: returns enum usage_exit (engine/monitor.h) or a negative errno. */
int watermark_main(const char *id, struct error *e);
