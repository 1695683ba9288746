/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of advisories become part of the index DATA/vet/advisories.db. The files may be compressed (gzip, bzip2, xz, zstd) and
 * may be zip or tar archives of documents. A process without network that can open no file reads them from descriptors and
 * writes the new index to another; then the new one takes the old one's place, at once and as a whole: one damaged file, and
 * everything stays as it was.
 */
#pragma once

#include "vet/advisory.h"

struct import_request {
	char *const *files;
	bool accept_no_landlock;
	/* May be NULL. Bytes of all files, compressed; `file` is the one that is being read. */
	void (*progress)(void *arg, const char *file, uint64_t done, uint64_t total);
	/* After each file: statements that were taken and left out. */
	void (*done)(void *arg, const char *file, uint64_t taken, uint64_t left_out);
	void *arg;
};
/* SIGINT, SIGTERM and SIGHUP, which the caller has blocked, end it (-EINTR). */
int advisory_import(const struct import_request *r, struct error *e);

/* The documents in a file's bytes, one after the other. `step` (may be NULL) is called between them with the bytes read so far. */
int advisory_unpack(const char *what, const void *data, size_t n, struct advisory_sink *sink,
	void (*step)(void *arg, size_t at), void *arg, struct error *e);

/* The index as it is: an open descriptor, or -ENOENT when nothing was ever imported. */
int advisory_index_open(struct error *e);
#define ADVISORY_INDEX "advisories.db"
