/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys that a person names, and their passphrases. */
#pragma once

#include "trust/privkey.h"

/* A line from the terminal without echo; wiped and freed by the caller. -ENOTTY: there is none. */
int key_ask_terminal(const char *what, char **out, struct error *e);
/* The first line of a file. */
int key_read_passphrase(const char *path, char **out, struct error *e);
/* The key in `path` (NULL: an error that says how to make one); `passphrase_file` NULL: a terminal is asked when it must be. */
int key_read(const char *path, const char *passphrase_file, struct privkey *out, struct error *e);
