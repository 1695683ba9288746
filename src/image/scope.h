/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes of containers-policy.json(5) and containers-registries.d(5): for an image HOST[:PORT]/PATH:TAG (or @sha256:HEX) from the most
 * specific to the least: the image itself, HOST/PATH, each parent of PATH, HOST[:PORT], then *.DOMAIN for each parent domain of HOST.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Calls `fn` with each, in that order, until it returns true; true when one did. */
bool scope_walk(const char *image, bool (*fn)(void *arg, const char *scope), void *arg);
