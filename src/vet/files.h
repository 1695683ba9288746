/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the check "files" share: names, places and modes (check_files.c), and what loads code into programs (check_loader.c). */
#pragma once

#include "vet/vet.h"

/* Is `path` below the folder `dir` (both without leading slash)? */
bool files_below(const char *path, const char *dir);
/* Can others than root fill the folder of that path, made or not made yet: it or one above it is theirs or open to all? *why tells. */
bool files_writable(const struct vet *v, const char *path, const char **why);
/* Does a package of the distribution own it? True as well when the image has no such packages: then that says nothing. */
bool files_owned(const struct vet *v, const char *path);

/* ld.so.preload, ld.so.conf, the environment, PAM, NSS, Python's start. */
void files_look_loader(struct vet *v);

/* Is there something wrong with a file's name, and what? NULL: no. Exposed for tests. */
const char *files_odd_name(const char *name);
