/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container mounts is what its image's digests say (law 6): checked at every start. image/seen.h says how that costs little
 * and what it can and cannot see.
 *
 * Before the start the engine sees to it that somebody vouches for an index of the tree and of the container's slot: if not,
 * brig-image verifies the chain from manifest to bytes, and the slot is compared with the table. Then the container process itself
 * compares each entry of the slot with the index, through the mount that becomes its root, right before it is joined with the
 * objects; those the starting process compares meanwhile. One that moved ends
 * that start with -EUCLEAN; the engine verifies anew, and starts again, or says what is wrong.
 */
#pragma once

#include "engine/container.h"
#include "image/verify.h"
#include "spec/spec.h"

/* Fills spec.root.check for a start. -EUCLEAN: something is wrong, the error names the path and the way to repair it. */
int atrest_ready(const struct container *c, struct spec *s, struct error *e);
/* The starting process's half of the work, while the container process does the other. -EUCLEAN: see above. */
int atrest_meanwhile(const struct spec *s, struct error *e);
/* After a start that ended with -EUCLEAN: forgets what was vouched for, so that the next atrest_ready() looks itself. */
void atrest_doubt(const struct container *c);

/*
 * For a restart by an owner who is not root and reaches neither store nor brig-image: the indexes as descriptors. What moved since
 * then ends such a restart, whatever its content is.
 */
enum { ATREST_FDS = 2 };
int atrest_fds(const struct container *c, int fds[static ATREST_FDS], struct error *e); /* to close; -1 without an image */
int atrest_from_fds(const struct container *c, const int fds[static ATREST_FDS], struct spec *s, struct error *e);

/*
 * Runs brig-image for one tree. `heard` for each message but VERIFY_ERROR. 0; -EUCLEAN: VERIFY_BAD was told; other errors.
 */
typedef void (*atrest_heard)(void *arg, const struct verify_message *m);
int atrest_run(const char *tree, const char *manifest, const char *config, bool deep, bool all, atrest_heard heard, void *arg,
	       struct error *e);
