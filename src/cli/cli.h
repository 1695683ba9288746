/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. A command is one file in src/cli/ with one `struct cli_command`; its option table is the only
 * place where an option is written down: parsing, --help, man page and shell completion are made from it.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stddef.h>

enum cli_type {
	CLI_FLAG,   /* bool; --name, --name=true|false */
	CLI_STRING, /* char *: the last one counts; points into argv */
	CLI_LIST,   /* char **: each occurrence adds; owned by the parser */
	CLI_U64,    /* uint64_t, decimal */
	CLI_SIZE,   /* uint64_t, bytes with suffix */
	CLI_SECONDS, /* uint64_t nanoseconds, from a duration or seconds */
};

struct cli_option {
	const char *name;     /* long name, without dashes; NULL ends the table */
	char letter;	      /* 0: none */
	enum cli_type type;
	size_t offset;	      /* of the member in the command's options structure */
	const char *arg;      /* placeholder in help, NULL for flags */
	const char *help;     /* one line */
	const char *complete; /* "containers", "images", "walls", "files", "dirs", "a b c" (words); NULL: nothing */
};

/* CLI_OPT(struct run_options, detach, "detach", 'd', CLI_FLAG, NULL, "run in the background", NULL) */
#define CLI_OPT(type_, member, ...) CLI_OPT_(offsetof(type_, member), __VA_ARGS__)
#define CLI_OPT_(off, name_, letter_, kind, arg_, help_, complete_)                                        \
	{                                                                                                  \
		.name = name_, .letter = letter_, .type = kind, .offset = off, .arg = arg_, .help = help_, \
		.complete = complete_                                                                      \
	}
#define CLI_END { .name = NULL }

struct cli_command {
	const char *name;
	const char *group;	 /* "Containers", "Images", "Walls", "System" */
	const char *args;	 /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
	const char *summary;	 /* one line, imperative, no full stop */
	const char *description; /* for --help and the man page, may be NULL; plain text, paragraphs */
	const struct cli_option *options;
	size_t options_size;	 /* sizeof the options structure; it is zeroed, then filled */
	void (*defaults)(void *options); /* may be NULL: values before parsing */
	int min_args, max_args;	 /* positionals; max -1: any number */
	bool stop_at_first;	 /* options end at the first positional (run, exec) */
	const char *complete;	 /* of positionals, as in cli_option */
	bool hidden;
	/*
	 * Does it. `argv` holds the positionals, NULL-terminated. Returns the exit code, or a negative errno with `e`
	 * filled, which cli_main prints ("brig: ...", escaped for the terminal) and turns into 125 or e->exit.
	 */
	int (*run)(void *options, int argc, char **argv, struct error *e);
};

/*
 * Runs the command line over a NULL-terminated table. Unknown commands and options are errors that suggest the
 * nearest name. Returns the exit code.
 */
int cli_main(const struct cli_command *const *commands, int argc, char **argv);

/* Prints an error as brig does: to stderr, escaped, with its hint; returns the exit code. */
int cli_fail(const struct error *e);
__attribute__((format(printf, 1, 2))) void cli_warn(const char *fmt, ...);

/* A table on stdout with aligned columns; cells are escaped. Every row has as many cells as the head. */
struct cli_table;
struct cli_table *cli_table_new(const char *first, ...) __attribute__((sentinel));
void cli_table_row(struct cli_table *t, const char *first, ...) __attribute__((sentinel));
void cli_table_print(struct cli_table *t, bool head); /* and frees */

/*
 * Go-template subset for --format, over a JSON document: {{.A.B}}, {{json .X}}, {{range .X}}..{{end}}, {{if}}..{{else}},
 * {{index .X "k"}}, {{len .X}}, {{join .X ","}}, {{upper|lower|println}}, pipelines, "\t" and "\n" in the text.
 * Appends to `out`.
 */
struct json_t;
int cli_format(const char *template, const struct json_t *data, struct buf *out, struct error *e);

/* A progress bar on stderr: drawn on a terminal, a plain line at start and end elsewhere. total 0: unknown. */
struct cli_progress {
	const char *what;
	uint64_t total, done, drawn_ns;
	bool terminal;
};
void cli_progress_start(struct cli_progress *p, const char *what, uint64_t total);
void cli_progress_set(struct cli_progress *p, uint64_t done);
void cli_progress_end(struct cli_progress *p);
