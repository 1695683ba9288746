/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/*
 * --pull WHEN for `run` and `create`: "missing" (and NULL), "always" or "never". Fetches `ref` when it is to be fetched, by brig-image;
 * *name (to free) is then its whole name, else NULL. A short name that nothing local fits is asked for as `brig pull` does.
 */
int pull_for(const char *ref, const char *when, const char *platform, bool quiet, char **name, struct error *e);
