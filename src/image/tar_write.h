/* SPDX-License-Identifier: Apache-2.0 */
/* A writer of tar archives: POSIX ustar, with a pax header where a field is too small. image/tar.h reads them back. */
#pragma once

#include "base/error.h"
#include "image/tar.h"

struct tar_writer {
	/* Writes all of it; 0 or a negative errno with `e` filled. */
	int (*write)(void *arg, const void *data, size_t n, struct error *e);
	void *arg;

	/* private */
	uint64_t left;	  /* data of the current entry that is still to come */
	unsigned padding; /* zero bytes behind it */
};

/*
 * Begins an entry; all data of the one before has been written. Extended attributes are written as SCHILY.xattr records.
 * -EINVAL: a name that is empty or of more than a MiB, or a type that tar does not have.
 */
int tar_write_entry(struct tar_writer *w, const struct tar_entry *entry, struct error *e);

/* The next part of the entry's data; more than entry.size in all is -EINVAL. */
int tar_write_data(struct tar_writer *w, const void *data, size_t n, struct error *e);

/* The closing blocks. */
int tar_write_end(struct tar_writer *w, struct error *e);
