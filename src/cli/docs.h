/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Man pages and shell completions out of command tables, at build time (programs/docgen.c). The tables come as JSON from
 * `PROGRAM __describe`; what the front delegates to other programs is filled in from theirs.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

/*
 * Joins the tables of the front (first) and of the other programs (`all`, an array of tables) into one array of commands,
 * sorted by name, without hidden ones. A command of the front whose program does not have it, or one that is there twice, is an error. A new
 * reference, or NULL with `e` filled.
 */
json_t *docs_merge(const json_t *all, struct error *e);

/* The man page brig-NAME(1) of one command, in man(7). */
void docs_man(const json_t *command, struct buf *out);
/* "brig-image-inspect" of "image inspect" */
char *docs_page_name(const char *command);
/* The list of commands by group, in scdoc(5), for the overview page. */
void docs_scdoc_list(const json_t *commands, struct buf *out);

void docs_bash(const json_t *commands, struct buf *out);
void docs_zsh(const json_t *commands, struct buf *out);
void docs_fish(const json_t *commands, struct buf *out);

/* A member that is a string, or "" */
const char *docs_str(const json_t *obj, const char *key);
/* True for what a completion finds out when it is asked (see `complete` in cli.h); else it is a list of words. */
bool docs_kind(const char *kind);
/* The first words of all names and aliases, or only of those that have two. strv_free(). */
char **docs_first_words(const json_t *commands, bool groups_only);
