/* SPDX-License-Identifier: Apache-2.0 */
/* `--filter KEY=VALUE` over containers, docker's keys. Used by ps and prune. */
#pragma once

#include "engine/container.h"

#include <regex.h>

struct ps_filter {
	char **list;	 /* the arguments, checked */
	regex_t *names;	 /* of each name= in order */
	size_t n_names;
	bool any_status; /* status= or exited= was given: containers in every state are meant */
};

/* Unknown keys and values that cannot be are errors. Free with ps_filter_free() in either case. */
int ps_filter_parse(struct ps_filter *f, char *const *args, struct error *e);
void ps_filter_free(struct ps_filter *f);

/* `all`, newest first, are looked at for before= and since=. */
bool ps_filter_fits(const struct ps_filter *f, const struct container *c, const struct container *all, size_t n);
