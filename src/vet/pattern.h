/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of the secrets rules: a small part of regular expressions, matched in one step forward each, so that no input makes them slow.
 *
 *	text		itself; \x takes any character x that is no letter or digit literally
 *	[a-z0-9_]	one of these; [^...] none of these and no line end; escapes count inside as well
 *	\d \h \w	digit, hex digit, letter or digit or underscore
 *	\s \S		blank or tab; any printable character but the blank
 *	.		anything but newline, carriage return and NUL
 *	{n} {n,} {n,m} ? * +	how often the one before; takes as many as there are and never gives one back
 *	( )		once, around what is secret; without, all of it is
 *
 * A pattern begins with at least SCAN_WORD_MIN characters of plain text, by which it is found.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_PARTS_MAX = 64, PATTERN_REPEAT_MAX = 65535 };

struct pattern_part {
	uint8_t set[32]; /* bit c: the byte c */
	uint32_t min, max;
};

struct pattern {
	char word[64];	   /* the plain text it begins with; not NUL-terminated */
	size_t word_len;
	bool nocase;
	struct pattern_part parts[PATTERN_PARTS_MAX]; /* what follows the word */
	size_t n_parts, from, to; /* the secret begins before part `from` and ends before part `to`; from SIZE_MAX: it begins with the word */
};

/* -EINVAL: `e` says what is wrong, without the pattern. */
int pattern_parse(const char *text, bool nocase, struct pattern *out, struct error *e);

/* `data + offset` is where the word begins (the caller has found it). The whole match is [offset, *end). */
bool pattern_match(const struct pattern *p, const unsigned char *data, size_t n, size_t offset, size_t *end, size_t *secret,
		   size_t *secret_len);
