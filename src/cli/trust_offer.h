/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "engine/container.h"
#include "image/store.h"

/* Shows who and what on stderr, with what brig vet finds. */
void trust_tell(const struct image *img, const char *name, const char *hex);
/* The same, and asks on the terminal; true when the person wrote "yes". */
bool trust_ask(const struct image *img, const char *name, const char *hex);

/* What brig vet finds in the image `id` (hex) as `name`, on stderr. */
void trust_show_vetted(const char *id, const char *name);

/*
 * For `run` and `create`, as ssh does with a host it does not know: when the image that `c` names may not run only because nobody
 * pinned it, the person is asked on a terminal, and yes pins it. Whoever says no, or has no terminal, gets container_create()'s refusal.
 */
int trust_offer(const struct container *c, struct error *e);

/* Pins, and records it in the events first. */
int trust_pin(const char *name, const char *hex, bool replace, struct error *e);
