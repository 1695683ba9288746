/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environments and labels as people and images write them. Lists hold "KEY=value" only, each key once, the last one
 * counts. Nothing of the caller's own environment comes in but what a person named (-e NAME, a line NAME of --env-file).
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

enum {
	ENV_ENTRY_MAX = 128 * 1024 - 1, /* bytes of one entry: execve(2)'s MAX_ARG_STRLEN with the NUL */
	ENV_COUNT_MAX = 4096,
	ENV_FILE_MAX = 1 << 20,
};

/* True for UTF-8 of at most ENV_ENTRY_MAX bytes; what does not fit cannot be kept in config.json or passed to execve. */
bool env_text_ok(const char *s);

/* Sets "KEY=value" (copied). -EINVAL: no key, a control character in the key, too long or not UTF-8; -E2BIG: too many. */
int env_set(char ***env, const char *entry, struct error *e);

/* The value of KEY in a list, or NULL. */
const char *env_get(char *const *env, const char *key);

/*
 * A -e argument or a line of a file: "KEY=value", or "KEY", which takes the caller's value when it has one and else is
 * nothing. With `labels`, "KEY" means "KEY=" and the caller's environment is not looked at.
 */
int env_argument(char ***env, const char *arg, bool labels, struct error *e);

/*
 * A file of such lines, as docker reads them: lines that begin with '#' and empty lines are skipped, white space before
 * a key too; the value is taken as it stands, quotes included. `name` goes into errors with the line.
 */
int env_file_parse(char ***env, const char *text, size_t len, const char *name, bool labels, struct error *e);
int env_file_read(char ***env, const char *path, bool labels, struct error *e);
