/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the impostor check: what images claim to be, and what makes a container able to do something. Data, not code:
 * PREFIX/share/brig/vet.rules, then CONFIG/vet.rules.d/NAME.rules in the order of names, then --rules FILE. brig-vet-rules(5) describes the
 * format for people. Blocks begin in the first column, their lines are indented:
 *
 *	capability NAME
 *		title TEXT			"an SSH server"
 *		why TEXT
 *		level LEVEL			of a finding; words of vet_level_name()
 *		entry				lets somebody in: only a name, or an entrypoint that is nothing else, claims it
 *		port NUMBER...			TCP or UDP, what it opens by itself
 *		name WORD...			names of its programs
 *		anyname				its strings are found in programs of any name (libraries, languages)
 *		package WORD...			names of packages; a trailing * is any rest
 *		unit WORD...			systemd units
 *		elf "TEXT"...			all of these are in one ELF file
 *		script "TEXT"...		all of these are in one line of a script, in this order
 *		listen PATH KEYWORD		a configuration file with lines "KEYWORD NUMBER"
 *	claim NAME
 *		is TEXT				"a MariaDB or MySQL database"
 *		word WORD...			parts of an image's name or title
 *		program WORD...			what entrypoint or command starts
 *		package WORD...			of the program that is started
 *		port NUMBER...	volume PATH...
 *		covers CAPABILITY...
 *
 * A block of a name that is there already adds to it; title, why, is and level replace.
 */
#pragma once

#include "base/error.h"
#include "vet/vet.h"

enum { RULES_FILE_MAX = 1024 * 1024, RULES_BLOCKS_MAX = 2000 };

struct rule_text {
	char *data; /* may hold any bytes but NUL */
	int id;	    /* in the seeker; -1 before */
};

/* A line of `elf` or `script`. */
struct rule_line {
	struct rule_text *texts;
	size_t n;
};

struct rule_listen {
	char *path, *keyword;
};

struct capability {
	char *name, *title, *why;
	enum vet_level level;
	bool entry, anyname;
	char **ports, **names, **packages, **units;
	struct rule_line *elf, *script;
	size_t n_elf, n_script;
	struct rule_listen *listen;
	size_t n_listen;
};

struct claim {
	char *name, *is;
	char **words, **programs, **packages, **ports, **volumes, **covers;
};

struct rules {
	struct capability *capabilities;
	size_t n_capabilities;
	struct claim *claims;
	size_t n_claims;
};

/* Adds one file's text; `what` goes into errors with the line. -EBADMSG, -E2BIG. After an error the rules are good for rules_free() only. */
int rules_parse(struct rules *r, const char *text, size_t n, const char *what, struct error *e);
/* Names that `covers` uses exist, every capability has a title: asked once all files are read. */
int rules_check(const struct rules *r, struct error *e);
void rules_free(struct rules *r);

const struct capability *rules_capability(const struct rules *r, const char *name);
/* Word, or word with a trailing * that is any rest. */
bool rules_word(char *const *words, const char *word);
