/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "image/reference.h"

/*
 * What a person typed becomes a reference. A short name ("alpine") is never guessed at: an alias of registries.conf is what its
 * file says; else the person chooses among its unqualified-search-registries on a terminal, or is told what to write.
 */
int remote_name(const char *typed, struct reference *out, struct error *e);
