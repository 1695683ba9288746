/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a parsed --format template (Go's text/template, the subset of cli_format()). Only format_parse.c and
 * format.c use this. Everything hangs on the template's list of allocations.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum tpl_operand_kind {
	TPL_DOT,    /* ".A.B": fields from the current value */
	TPL_VAR,    /* "$x.A.B"; `name` without the dollar, "" is the root */
	TPL_FUNC,   /* a function's name */
	TPL_VALUE,  /* a literal; `value`, NULL for nil */
	TPL_PARENS, /* "(pipeline).A.B" */
};

struct tpl_operand {
	enum tpl_operand_kind kind;
	size_t at; /* byte offset in the template, for errors */
	char *name;
	json_t *value;
	struct tpl_pipe *pipe;
	char **fields;
	size_t n_fields;
};

struct tpl_command { /* "f a b", or a single operand */
	struct tpl_operand *args;
	size_t n;
	struct tpl_command *next;
};

struct tpl_pipe { /* "$k, $v := a | b" */
	size_t at;
	char *vars[2];
	unsigned n_vars;
	bool assign; /* "=" to a variable that exists, not ":=" */
	struct tpl_command *first;
};

enum tpl_node_kind { TPL_TEXT, TPL_PRINT, TPL_IF, TPL_RANGE, TPL_WITH };

struct tpl_node {
	enum tpl_node_kind kind;
	size_t at;
	char *text;
	struct tpl_pipe *pipe;
	struct tpl_node *body, *otherwise, *next;
};

struct tpl {
	struct tpl_node *first;
	void **owned;
	size_t n_owned, cap_owned;
	json_t *literals; /* an array that keeps the values of literals alive */
};

enum { TPL_DEPTH_MAX = 60, TPL_SIZE_MAX = 64 * 1024 };

/* 0, or -EINVAL with `e` naming the column. tpl_free() in either case. */
int tpl_parse(struct tpl *t, const char *text, struct error *e);
void tpl_free(struct tpl *t);

/* True when `name` is a function that format.c knows. */
bool tpl_has_function(const char *name);
/* The function nearest to a name that does not exist, or NULL. */
const char *tpl_near_function(const char *name);
