/* SPDX-License-Identifier: Apache-2.0 */
/* A compressed or plain file as a stream of plain bytes, counted and bounded, for the tar reader. Runs in the room. */
#pragma once

#include "base/error.h"
#include "image/inflate.h"
#include "image/source.h"

struct stream {
	struct staging *st;
	int fd;			 /* borrowed */
	int copy;		 /* of a compressed pipe, else -1 */
	enum compression how;
	struct inflate inflate;
	char head[8];		 /* read to see what it is, and not yet given out (plain pipes) */
	size_t head_len, head_at;
	uint64_t bytes;		 /* given out */
	uint64_t compressed;	 /* size of the file, 0 when unknown (a pipe) */
	struct hash *hash;	 /* of the plain bytes; NULL: not wanted. Owned by the caller */
};

/*
 * Starts at the current offset of `fd`, which may be a pipe. A compressed pipe is first copied into the staging folder,
 * since its first bytes, which tell what it is, cannot be read twice.
 */
int stream_open(struct stream *s, struct staging *st, int fd, struct error *e);
ssize_t stream_read(void *stream, void *data, size_t n, struct error *e);
/* Ends the decompressor. `r` is how reading ended: a failure to decompress explains it better. */
int stream_end(struct stream *s, int r, struct error *e);
void stream_close(struct stream *s);
