/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine's containers-registries.conf(5) says of names: which registries a short name may mean, its aliases, and
 * what is blocked, lies elsewhere or has mirrors. brig reads the part of TOML that such files use, and does not follow `insecure`: that
 * is said in brig.conf, by registry.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum mirror_for { MIRROR_ALL, MIRROR_DIGESTS, MIRROR_TAGS };

struct registry_mirror {
	char *location;
	bool insecure; /* as it says; see above */
	enum mirror_for pulls; /* pull-from-mirror */
};

struct registry_rule {
	char *prefix, *location; /* location NULL: as it is */
	bool blocked, insecure;
	bool by_digest_only; /* mirror-by-digest-only */
	struct registry_mirror *mirrors; /* in the order in which they are asked, all before the registry itself */
	size_t n_mirrors;
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
/* NAME with what the rule's prefix stands for replaced by `location` (a mirror's, or the rule's own); to free. */
char *registries_rewrite(const struct registry_rule *rule, const char *location, const char *name);
/* The mirror is asked for what is named by a digest or by a tag. */
bool registries_mirror_for(const struct registry_rule *rule, const struct registry_mirror *m, bool by_digest);
/* What a short name ("app/web", without tag) is an alias of, or NULL. */
const char *registries_alias(const struct registries *r, const char *name);
