/* SPDX-License-Identifier: Apache-2.0 */
/* What format.c (walking the template) and format_func.c (its functions and values) share. */
#pragma once

#include "base/str.h"
#include "cli/template.h"

/* A value while the template runs. j NULL: no value. `safe`: text of the template itself, never escaped. */
struct tpl_val {
	json_t *j; /* owned */
	bool safe;
};

struct tpl_variable {
	const char *name;
	struct tpl_val value;
};

struct tpl_run {
	bool escape;	  /* for a terminal */
	unsigned lenient; /* >0: a missing field is no value instead of an error */
	unsigned steps;
	struct tpl_variable vars[64];
	size_t n_vars;
	struct buf *out;
	struct error *e;
};

__attribute__((format(printf, 3, 4))) int tpl_fail(struct tpl_run *run, size_t at, const char *fmt, ...);

/* Calls a function; `*out` is a new value. */
int tpl_call(struct tpl_run *run, const char *name, size_t at, struct tpl_val *args, size_t n, struct tpl_val *out);

/* Appends a value as Go prints it. */
void tpl_print(struct tpl_run *run, const struct tpl_val *v, struct buf *out);

/* Go's truth: not false, 0, "", empty, null or missing. */
bool tpl_true(const json_t *j);

/* "a string", "null", ... */
const char *tpl_type_name(const json_t *j);

/* An object's keys, sorted; strv_free(). */
char **tpl_sorted_keys(const json_t *j);
