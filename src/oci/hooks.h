/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks (runtime-spec, config.md, "POSIX-platform Hooks"). */
#pragma once

#include "oci/state.h"

/*
 * Runs the hooks of a kind in order, each with the state (status `status`) on its stdin, its own environment and nothing else
 * of ours. The first that fails, or outlives its timeout and is killed, ends it: a negative errno that names it.
 */
int oci_hooks_run(const struct oci_config *cfg, enum oci_hook_kind kind, const struct oci_container *c, const char *status,
		  struct error *e);
/* The state as text when a process without these files has to run them. The same. */
int oci_hooks_run_text(const struct oci_config *cfg, enum oci_hook_kind kind, const char *state, struct error *e);
