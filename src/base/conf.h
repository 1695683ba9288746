/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brig.conf: the person's defaults. Lines `key = value`, `#` comments; /etc/brig/brig.conf first, then the user's own
 * (which may tighten and loosen its own containers: it is the user who runs them). An unknown key, a value out of
 * range or a file that others may write is an error with its line, never ignored.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf {
	/* limits of a container that names none; bytes unless said */
	uint64_t memory;	 /* memory.max; 0: half of the machine's memory */
	uint64_t memory_swap;	 /* swap on top of memory; 0: none */
	uint64_t pids;		 /* tasks */
	uint64_t cpu_weight;	 /* cgroup v2 cpu.weight, 1 to 10000 */
	uint64_t io_weight;	 /* cgroup v2 io.weight, 1 to 10000; 0: not set, the kernel's 100 */
	uint64_t nofile;	 /* open files, soft and hard */
	uint64_t shm_size;	 /* /dev/shm */
	uint64_t tmp_size;	 /* /tmp and /run, each */
	uint64_t disk;		 /* writable layer */
	uint64_t disk_inodes;	 /* writable layer, number of inodes */
	uint64_t log_size;	 /* one log file */
	uint64_t log_files;	 /* number of log files kept */
	uint64_t stop_timeout;	 /* seconds between the stop signal and SIGKILL */
	/* what an image may cost before it is refused */
	uint64_t image_size;	 /* bytes of all its layers' archives, uncompressed */
	uint64_t image_file_size; /* bytes of one file */
	uint64_t image_entries;	 /* files, folders and links */
	uint64_t image_layers;
	uint64_t image_ratio;	 /* uncompressed to compressed bytes of a layer beyond 256 MiB */
	/* registries: lists of HOST[:PORT] */
	char **insecure_registries; /* may be spoken to without TLS, or with a certificate that nobody vouches for */
	char **token_servers;	    /* may be sent a registry's password though they are in another domain */
	uint64_t registry_timeout;  /* seconds without a byte after which a registry is given up */
	char **advisories;	    /* https URLs of files that brig vet db update fetches */
	/* what a person accepts once: comma-separated "WALL" or "WALL=DETAIL", as --lower takes them */
	char **accept_lowered;
	/* network of a container that names none: "private" or "none" */
	char *network;
	/* whether brig-oci adds Landlock to what its callers ask for: "on" or "off" */
	char *oci_landlock;
};

/* Loads both files over the built-in defaults. Free with conf_free. */
int conf_load(struct conf *c, struct error *e);
void conf_free(struct conf *c);

/* Reads one file's text over `c`; `name` goes into errors. For tests and the fuzzer. */
int conf_parse(struct conf *c, const char *text, const char *name, struct error *e);

/* c->memory in bytes: half of the machine's where it is 0. */
uint64_t conf_memory(const struct conf *c);

/* Writes the built-in defaults, for `brig info` and the man page. */
void conf_defaults(struct conf *c);

/* The name of the n-th key, NULL after the last: for tests of what is written about them. */
const char *conf_key_name(size_t n);
