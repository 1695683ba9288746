/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of tar archives: POSIX ustar and pax (IEEE Std 1003.1 "pax"), and GNU's long names.
 *
 * Two programs that read an archive differently can be made to see two different images, one that is checked and one
 * that runs. So this reader takes what docker, podman, skopeo, umoci, buildah, GNU tar, bsdtar and Python write, and
 * refuses whatever readers are known to disagree about: sizes or names that a pax record changes although the header could
 * hold them, a pax path beside a GNU long name, sparse files, several volumes, numbers with rubbish behind them, bytes in
 * fields that only some readers look at, records that are not in an entry's grammar, data behind the end.
 *
 * It does not judge names beyond their bytes: that is for whoever builds something from them (image/layer.c).
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

enum {
	TAR_PAX_MAX = 1024 * 1024,  /* bytes of one pax header */
	TAR_XATTRS_MAX = 64,	    /* attributes of one entry */
	TAR_BUFFER = 256 * 1024,
};

struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

struct tar_entry {
	char type;	   /* f d l h p c (character or block device) */
	const char *path;  /* as it stands, no NUL inside, not empty */
	const char *link;  /* target of l and h, not empty; else NULL */
	uint16_t mode;	   /* 07777 */
	uint32_t uid, gid; /* not (uid_t)-1 */
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t size;	   /* 0 for all but f */
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
	size_t n_xattrs;
};

struct tar {
	/* Reads up to `n` bytes; 0 at the end, or a negative errno with `e` filled. */
	ssize_t (*read)(void *arg, void *data, size_t n, struct error *e);
	void *arg;
	bool need_end; /* an archive that stops without its closing blocks is an error */

	/* private */
	char *buffer;
	size_t at, filled;
	uint64_t left, padding; /* of the current entry's data */
	uint64_t offset;	/* of the current header, for messages */
	uint64_t consumed;
	bool ended;
	struct tar_entry entry;
	struct buf pax, long_name, long_link;
	char name[257], link[101];
};

/* Takes a zero-initialised structure with `read` and `arg` set. */
void tar_open(struct tar *t);
void tar_close(struct tar *t);

/*
 * The next entry: 1, 0 at the end of a well-formed archive, or a negative errno with `e` naming the place (-EBADMSG for
 * everything that is refused). *out is valid until the next call. Data that was not read is skipped.
 */
int tar_next(struct tar *t, const struct tar_entry **out, struct error *e);

/* The next piece of the entry's data: its length, 0 behind the last; *p points into the reader. */
ssize_t tar_data(struct tar *t, const void **p, struct error *e);
