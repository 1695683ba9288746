/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp policy as tables. data/seccomp.policy is their source, seccomp_gen.c writes them at build time,
 * seccomp_compile.c makes a filter of them.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

enum { SECCOMP_VALUES_MAX = 16, SECCOMP_CONDS_MAX = 3, SECCOMP_INSNS_MAX = 4096 };

/* Looks at the low 32 bits of one argument. */
struct seccomp_cond {
	uint32_t mask;	/* applied first; ~0: none */
	uint8_t arg;	/* 0 to 5 */
	uint8_t n;	/* values; 0: true when any bit of the mask is set */
	uint32_t value[SECCOMP_VALUES_MAX];
};

/* True conditions (or none) give the action; with its detail lowered, SECCOMP_RET_ALLOW instead. */
struct seccomp_line {
	uint32_t action; /* SECCOMP_RET_* with its errno, as the kernel reads it */
	int8_t detail;	 /* index into the policy's details, -1: none */
	uint8_t n;	 /* conditions, all of which must hold */
	struct seccomp_cond cond[SECCOMP_CONDS_MAX];
};

struct seccomp_call {
	uint16_t nr;
	uint16_t first; /* index of its first line */
	uint16_t n;	/* lines; the last one has no condition */
};

/* One entry into the kernel: an architecture's numbers, sorted. */
struct seccomp_abi {
	const char *name;
	uint32_t arch;	   /* AUDIT_ARCH_* */
	const struct seccomp_call *calls;
	unsigned n_calls;
	const char *names; /* of the calls in order, each with its NUL */
};

struct seccomp_policy {
	const struct seccomp_line *lines;
	const char *const *details;	 /* NULL-terminated */
	const char *const *detail_texts; /* what each opens */
	const struct seccomp_abi *native;
	const struct seccomp_abi *compat; /* 32-bit programs; NULL: this architecture has none */
	int compat_detail;		  /* the detail that opens `compat` */
};

extern const struct seccomp_policy seccomp_policy;
extern const char *const seccomp_details[];	 /* seccomp_policy.details */
extern const char *const seccomp_detail_texts[]; /* seccomp_policy.detail_texts */

/* The filter with nothing lowered. */
extern const struct sock_filter seccomp_default[];
extern const unsigned seccomp_default_len;

/*
 * Makes the filter with the details of the bit mask `lowered` opened. Without `notify`, what would be reported gets EPERM
 * without a record. Returns the number of instructions, or -E2BIG when `max` is too small. Pure.
 */
int seccomp_compile(const struct seccomp_policy *p, uint64_t lowered, bool notify, struct sock_filter *out,
		    unsigned max);

/* What a line answers under these details. */
uint32_t seccomp_line_action(const struct seccomp_line *l, uint64_t lowered, bool notify);

/* FNV-1a of the instructions: names a filter in posture and logs; protects against nothing. */
uint64_t seccomp_fingerprint(const struct sock_filter *f, unsigned n);
