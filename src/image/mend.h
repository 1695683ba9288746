/* SPDX-License-Identifier: Apache-2.0 */
/* Making an image whole again: what is broken is made from blobs that are right, and those that are not are fetched. */
#pragma once

#include "base/conf.h"
#include "image/index.h"
#include "image/registry.h"

struct mend_request {
	const struct index_entry *entry;
	int input;	  /* an archive or layout of the same image, for what no registry has; -1: none. Borrowed */
	const char *what; /* of `input`, for messages */
	const struct conf *conf;
	struct registry_report report;
};

struct mended {
	size_t blobs, objects; /* that were wrong */
	bool tables;
	bool fetched; /* something came from a registry */
};

/*
 * Verifies everything of the image, replaces what is wrong file by file (each by rename), and verifies again. 0 also when nothing was
 * wrong. What is not right is never used: the registry's, the archive's and the store's bytes are all hashed anew. Containers that
 * run on the image are the caller's to look for, and slots to drop.
 */
int image_mend(const struct mend_request *r, struct mended *out, struct error *e);
