/* SPDX-License-Identifier: Apache-2.0 */
/* Changing names: tag, and removal of names and images. */
#pragma once

#include "base/error.h"
#include "image/store.h"

/* Gives the image that `ref` means another name; one that another image bears moves over. */
int image_tag(const char *ref, const char *name, struct error *e);

struct image_removed {
	char **names;	       /* taken away */
	char id[DIGEST_SIZE];  /* of the image when it went altogether, else empty */
	bool moved_off;	       /* it stays without a name: containers use it */
};

/*
 * Removes a name; with its last name goes the image. By id, all names go, which takes `force` when there are several. An
 * image that containers use is not removed; with `force` its names are. The data goes with store_collect().
 */
int image_remove(const char *ref, bool force, struct image_removed *out, struct error *e);
void image_removed_free(struct image_removed *r);

/* Removes images without a name, with `all` every one that no container uses. `labels`: only those with all of them. */
int image_prune(bool all, char *const *labels, char ***ids, struct error *e);
