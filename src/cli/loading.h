/* SPDX-License-Identifier: Apache-2.0 */
/* What `brig load` and `brig import` share. */
#pragma once

#include "image/load.h"

/* Opens a file or folder to read, or standard input for "-" (refused when that is a terminal). */
int loading_input(const char *path, struct error *e);

/*
 * Fills in limits and reporting, loads, and prints a line for each name: "WHAT: NAME", or "WHAT ID: sha256:..." where
 * there is none. The exit code, or a negative errno.
 */
int loading_run(struct load_request *r, bool quiet, const char *what, struct error *e);
