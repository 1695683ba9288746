/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine's containers-registries.conf(5) says of names: which registries a short name may mean, its aliases, and
 * what is blocked or lies elsewhere. brig reads the part of TOML that such files use, and does not follow `insecure`: that
 * is said in brig.conf. Mirrors are not used yet.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct registry_rule {
	char *prefix, *location; /* location NULL: as it is */
	bool blocked;
};

struct registries {
	char **search;		     /* unqualified-search-registries */
	char **alias_from, **alias_to; /* pairs */
	struct registry_rule *rules;
	size_t n_rules;
};

/* The user's file or else the machine's, and what lies in registries.conf.d. Missing files say nothing. */
int registries_load(struct registries *r, struct error *e);
void registries_free(struct registries *r);

/* One file's text over what is there; for tests and the fuzzer. -EINVAL names the line. */
int registries_parse(struct registries *r, const char *text, const char *what, struct error *e);

/* The longest prefix that fits NAME (HOST/PATH), or NULL. */
const struct registry_rule *registries_rule(const struct registries *r, const char *name);
/* What a short name ("app/web", without tag) is an alias of, or NULL. */
const char *registries_alias(const struct registries *r, const char *name);
