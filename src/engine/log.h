/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's output: files log (newest), log.1, log.2, ... in its folder, one JSON object a line as docker's json-file
 * driver writes them:
 *
 *	{"log":"text\n","stream":"stdout","time":"2026-11-24T07:00:00.123456789Z"}
 *
 * A line of output that is longer than LOG_LINE_MAX, or does not fit into LOG_ENTRY_MAX, or rests for LOG_REST_MS before
 * its end comes, is written in parts: all but the last have no "\n". Output that is not UTF-8 is not lost: each bad byte
 * shows as U+FFFD in "log", and the exact bytes stand beside it; what is hardly text at all has the bytes only:
 *
 *	{"log":"\ufffdx\n","b64":"/3gK","stream":"stdout","time":...}
 *	{"log":"","b64":"AAAAAAAA","stream":"stdout","time":...}
 *
 * The writer (log_write.c) never grows: neither memory nor, beyond `size` * `files` bytes, the disk. When a write fails
 * (full disk) that output is dropped and counted; the file keeps whole lines only.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	LOG_LINE_MAX = 16384,  /* bytes of output in one object */
	LOG_REST_MS = 200,
	LOG_ENTRY_MAX = 24576, /* bytes of one object with its newline */
	LOG_OUT = 65536,       /* bytes gathered before they are written */
};

enum log_stream { LOG_STDOUT, LOG_STDERR };

/* Zero-initialise, then log_open(). No pointers, no heap: it may be static. */
struct log_writer {
	int dir, fd;
	uint64_t size;	   /* bytes of one file before it is rotated */
	uint32_t files;
	uint64_t length;   /* of the current file */
	uint64_t bytes, dropped; /* output taken, and of it not written */
	int error;	   /* errno of the last failed write, 0 after a good one */
	size_t held[2];	   /* bytes of an unfinished line, per stream */
	size_t out_len, out_bytes; /* gathered in `out`, and the output that it stands for */
	char line[2][LOG_LINE_MAX];
	char out[LOG_OUT];
};

/* Opens or makes "log" in `dir` (kept, not owned), after a cut-off last line if there is one. 0 or negative errno. */
int log_open(struct log_writer *w, int dir, uint64_t size, uint32_t files);
/* Takes output; `now` is clock_now_ns(). Never fails: see `dropped`. */
void log_write(struct log_writer *w, enum log_stream s, const void *data, size_t n, uint64_t now);
/* Writes unfinished lines as parts (the rest timer, or the end). */
void log_flush(struct log_writer *w, uint64_t now);
static inline bool log_holds(const struct log_writer *w)
{
	return w->held[0] > 0 || w->held[1] > 0;
}
void log_close(struct log_writer *w);

/*
 * Writes one object into `out`, which has room for LOG_ENTRY_MAX, for as much of the `n` bytes as fits: *used. At least one
 * byte, if there is one. `time` as bare_time() gives it. The length. For log_write and the fuzzer.
 */
size_t log_encode(enum log_stream s, const void *data, size_t n, const char *time, char *out, size_t *used);

/* One object read back. */
struct log_entry {
	enum log_stream stream;
	uint64_t time_ns;
	size_t len;
	char data[LOG_LINE_MAX];
};

/* Reads one line (without its newline) as log_encode writes it, or as docker does. 0 or -EINVAL. */
int log_decode(const char *line, size_t n, struct log_entry *out);

/* Which part of a log a person wants. */
struct log_query {
	int64_t tail;		     /* last N lines; -1: all */
	uint64_t since_ns, until_ns; /* 0: no bound */
	bool follow;		     /* go on until `writer` ended, or for ever */
	int writer;		     /* pidfd of the monitor, -1: none */
	/* `line_start`: not a further part of a line of its stream. Negative ends the reading, which returns it. */
	int (*entry)(const struct log_entry *en, bool line_start, void *arg);
	/* There is nothing more for now: what is buffered can go out. */
	int (*pause)(void *arg);
	void *arg;
};

/*
 * Reads log.N ... log.1, log below `dir` in order, and further through any number of rotations. What is no log line (a cut
 * one after a crash) is left out. 0 or negative errno; no log at all is an empty one.
 */
int log_read(int dir, const struct log_query *q, struct error *e);
