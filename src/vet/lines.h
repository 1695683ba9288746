/* SPDX-License-Identifier: Apache-2.0 */
/* Walking through the lines of a file of an image. */
#pragma once

#include "vet/vet.h"

struct lines {
	struct vet_bytes bytes;
	const char *next, *end;
	size_t number;	 /* of the line, from 1 */
	char text[4096]; /* the line, without newline; what is longer is cut; NUL bytes become blanks */
};

/* A file of at most `max` bytes. False when it is not there or cannot be read (a finding then). */
bool lines_open(struct lines *l, struct vet *v, const struct vet_file *f, size_t max);
bool lines_next(struct lines *l);
void lines_close(struct lines *l);
#define _cleanup_lines_ __attribute__((cleanup(lines_close)))

/* Takes the first field off `*at`: up to `sep`. NULL: there is none. */
char *lines_field(char **at, char sep);
/* The text behind blanks at its start. */
char *lines_trim(char *s);
