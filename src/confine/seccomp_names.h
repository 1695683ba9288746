/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of system calls by name, for profiles that come from outside. The table is made at build time from
 * data/syscalls.* (seccomp_names_gen.c) and holds no pointers, so that nothing is relocated when a program starts.
 */
#pragma once

#include <stdint.h>

struct seccomp_name {
	uint16_t text;		  /* offset into seccomp_name_texts; 0: an empty place */
	int16_t native, compat;	  /* -1: this entry into the kernel has no such call */
	int16_t other;		  /* x86_64: x32's number without its bit 30, where it differs from `native` */
};

enum { SECCOMP_NAME_SLOTS = 2048 };

extern const struct seccomp_name seccomp_names[SECCOMP_NAME_SLOTS];
extern const char seccomp_name_texts[];

/* FNV-1a: where a name is looked for first; then in the places that follow, up to an empty one. */
static inline uint32_t seccomp_name_slot(const char *name)
{
	uint32_t h = 0x811c9dc5u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x01000193u;
	return (h ^ h >> 15) % SECCOMP_NAME_SLOTS;
}
