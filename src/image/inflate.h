/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression in a process of its own: it holds two pipe ends and can call nothing but read, write and exit, so a flaw
 * in zlib or zstd meets nothing. It also keeps a second processor busy.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum compression { PLAIN, GZIP, ZSTD };

/* By the first bytes. -EOPNOTSUPP with `e` naming it for xz, bzip2 and lz4. */
int compression_of(const void *data, size_t n, struct error *e);

struct inflate {
	pid_t pid;  /* 0: none */
	int out;    /* read end: the plain bytes; -1: none */
	int report; /* read end: a struct error when it failed */
};

/* Starts it; reads `fd` from its current offset on. gzip: exactly one member. zstd: windows up to 128 MiB. */
int inflate_start(struct inflate *i, int fd, enum compression how, struct error *e);

/*
 * To be called once the output was read or is of no more interest: waits. A failure to decompress is told in `e`; a
 * decompressor that was stopped by a reader who gave up is none.
 */
int inflate_end(struct inflate *i, struct error *e);
