/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying files between the host and a container, as tar streams (law 4, CASES C11, C12). One side packs, the other unpacks,
 * each in a process that has only its own side's rights: the container's side runs in the container's user and mount
 * namespaces (engine/view.h) on a descriptor of its root. Neither executes anything.
 *
 * Names are resolved once, by the kernel, inside the root that they belong to; from then on there are descriptors. Below the
 * place that was named no link is followed, neither while packing nor while unpacking.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A path on one side. `root` >= 0: resolved inside that folder, as if it were "/". -1: the host's own paths. */
struct copy_place {
	int root;
	const char *path;
};

struct copy_pack {
	struct copy_place from;
	bool follow;	 /* a link that is named itself is followed */
	const char *top; /* name of the first entry; NULL: the last part of the path */
};

/*
 * Writes a tar of a file or folder to `fd`. A folder whose path ends in "/." (or has no last part) is called "." and its
 * entries "./NAME", which unpacking takes as "its contents". Sockets and devices are left out and counted.
 */
int copy_pack(const struct copy_pack *p, int fd, uint64_t *left_out, struct error *e);

struct copy_unpack {
	struct copy_place to;
	/*
	 * `into`: the path is a folder that exists, entries keep their names (`cp -`). Else docker's rules: into a folder that
	 * exists under the source's own name; otherwise the path is the new name.
	 */
	bool into;
	bool owners;	  /* give files the owners in the stream; else those of this process */
	bool keep_setid;  /* keep set-user-id and set-group-id bits */
};

/* Reads a tar from `fd`. On failure what was unpacked so far stays; the error names the entry. */
int copy_unpack(const struct copy_unpack *u, int fd, struct error *e);
