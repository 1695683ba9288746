/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in YARA's language, through libyara (https://yara.readthedocs.io/en/v4.2.3/capi.html): the only file that speaks to it. Rules are
 * the person's and are compiled before the room is entered; the bytes that they are held against are not trusted, and are scanned inside.
 */
#pragma once

#include "base/error.h"
#include "vet/vet.h"

struct yara;

struct yara_hit {
	const char *rule;	/* its name */
	const char *from;	/* what the file of rules was called */
	const char *title, *why; /* of its meta; NULL: it says nothing */
	enum vet_level level;
};

int yara_new(struct yara **out, struct error *e);
void yara_free(struct yara *y);
/*
 * Compiles one file of rules, called `what` in errors. -EINVAL: "what:LINE: ...". Of a rule's meta "level", "title" (or "description"), "why"
 * and "words" are read; see data/vet-malware.yar.
 */
int yara_add(struct yara *y, const char *text, size_t n, const char *what, struct error *e);
/* To be called once after the last file; `workers` threads may scan afterwards. */
int yara_ready(struct yara *y, unsigned workers, struct error *e);
/* Before that: how long one file may take for the rules of one file; 10 seconds otherwise. */
void yara_limit(struct yara *y, int seconds);
/* Gives every file to YARA, not only those that have a rule's words; for tests, which compare. */
void yara_no_words(struct yara *y);

/*
 * `path` becomes filename, filepath and extension. 0; -ETIMEDOUT: it took too long; -EIO: libyara gave up. Rules for which three
 * files took too long are asked no more: yara_given_up() names them, one a call, with *i from 0 up, and NULL after the last.
 */
typedef void yara_found(void *arg, const struct yara_hit *hit);
int yara_scan(struct yara *y, unsigned worker, const char *path, const void *data, size_t n, yara_found *found, void *arg);
const char *yara_given_up(const struct yara *y, size_t *i);
