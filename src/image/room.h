/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small room in which untrusted bytes are parsed (law 3): a process without network, without programs to run, that
 * can write only below the folders it was given and read only those. Landlock and seccomp hold it, rlimits bound it.
 *
 * The process that speaks with a registry lives in such a room with one window: sockets of the Internet families that it
 * connects; it can have threads, but no children.
 *
 * A third kind is a program that is not brig's (gpgv): it is executed in the room, may run itself and its loader alone, and has neither
 * children, sockets nor a way to write but what it was started with.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct room {
	const int *write_dirs; /* everything below may be made, written and removed */
	size_t n_write;
	const int *read_dirs;  /* files and folders below may be read */
	size_t n_read;
	const int *read_files; /* these files may be read (O_PATH descriptors will do) */
	size_t n_read_files;
	bool look;	       /* it looks into images: threads, extended attributes, links; no child of another program */
	const int *run_files;  /* an inhabitant of the third kind: these may be executed, and nothing else */
	size_t n_run;
	bool network;	       /* an inhabitant of the other kind: it speaks with the network and reads no image */
	uint64_t memory;       /* address space in bytes */
	uint64_t file_size;    /* the largest file that can be written, in bytes */
	bool keep_reading;     /* root may go on reading other people's files below read_dirs (CAP_DAC_READ_SEARCH) */
	bool accept_no_landlock; /* a person said (brig.conf accept_lowered) that this machine has none */
};

/*
 * Locks the calling process in. There is no way back. Open descriptors stay usable. -ENOSYS or -EOPNOTSUPP when the
 * kernel has no Landlock, with `e` saying what to do.
 */
int room_enter(const struct room *r, struct error *e);

/* The tighter one inside, for the child that decompresses: read, write, memory and exit; no file can be opened. */
int room_enter_pipe(uint64_t memory, struct error *e);
