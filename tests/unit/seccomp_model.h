/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two readings of the seccomp policy, to be laid side by side (CASES G1): an interpreter of compiled filters, and a naive
 * evaluator that reads data/seccomp.policy as text, line by line, and shares no code with the compiler.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Runs a filter as the kernel would (bpf(2), Documentation/userspace-api/seccomp_filter.rst). `covered`, when not NULL, gets a
 * 1 for each instruction that ran. Returns the action; aborts on an instruction that a seccomp filter may not have,
 * that the kernel's own evaluation at attach does not know, or that jumps out.
 */
uint32_t model_run(const struct sock_filter *f, unsigned n, const struct seccomp_data *d, unsigned char *covered);

/* Reads the policy and the tables of numbers below `folder`; aborts when they do not make sense. */
void model_load(const char *folder);

/*
 * What the policy's text says about a call. `lowered` names the opened details (NULL-terminated); with `notify` false,
 * reported means refused.
 */
uint32_t model_decide(const struct seccomp_data *d, const char *const *lowered, bool notify);

/* The name that a table gives a number, or NULL. */
const char *model_name(uint32_t arch, int nr);

/* True when the policy decides this call by its arguments. */
bool model_conditional(uint32_t arch, int nr);

/* Every number that stands in a condition of the policy, for tests to choose arguments from. */
extern uint32_t model_values[512];
extern unsigned model_n_values;
