/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: what went wrong, told from the inside out.
 *
 * Every function of brig that can fail returns 0 (or a non-negative result) or a negative errno, and fills a
 * `struct error` that its caller owns. The innermost function writes the fact ("no such file: x"), each caller
 * that knows more puts its part in front ("landlock wall: ..."). One place prints: cli_fail() in src/cli.
 *
 * A struct error is plain memory: zero-initialise it ({ 0 }), copy it, send it over a pipe; nothing to free.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

enum { ERROR_TEXT_MAX = 2048 };

/* Exit codes that docker, podman and brig share. */
enum {
	EXIT_ENGINE = 125,	  /* brig itself failed */
	EXIT_NOT_EXECUTABLE = 126, /* the command of the container may not be run */
	EXIT_NOT_FOUND = 127,	  /* the command of the container does not exist */
};

struct error {
	int code;		   /* negative errno of the innermost failure, 0 when there is none */
	int exit;		   /* exit code to end with, 0 for the usual one (EXIT_ENGINE) */
	unsigned hint;		   /* where the first hint begins in `text`, 0 when there is none */
	char text[ERROR_TEXT_MAX]; /* NUL-terminated, cut with "..." where it is too long; not escaped */
};

/*
 * Starts the story. `err` is an errno, negative or positive; returns it negative. `e` may be NULL.
 * error_set() tells `fmt` alone; error_errno() adds ": " and strerror's text for `err`.
 */
__attribute__((format(printf, 3, 4))) int error_set(struct error *e, int err, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) int error_errno(struct error *e, int err, const char *fmt, ...);

/* Puts "fmt: " before the story so far; returns e->code (or -EINVAL when there is no story or no `e`). */
__attribute__((format(printf, 2, 3))) int error_wrap(struct error *e, const char *fmt, ...);

/* Adds "\n  hint: fmt" after the story: what the person can do next. */
__attribute__((format(printf, 2, 3))) void error_hint(struct error *e, const char *fmt, ...);

/* The constant name of an errno, "EPERM"; "E?" when unknown. Static storage. */
const char *error_name(int err);
