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
	CLI_HEADING, /* no option: the options after it stand under this heading in help and man page (CLI_HEAD) */
};

struct cli_option {
	const char *name;     /* long name, without dashes; NULL ends the table */
	char letter;	      /* 0: none */
	enum cli_type type;
	size_t offset;	      /* of the member in the command's options structure */
	const char *arg;      /* placeholder in help, NULL for flags */
	const char *help;     /* one line; NULL: not shown anywhere */
	/*
	 * What completes it: "containers", "running" (containers), "images", "volumes", "walls", "files", "dirs", "paths"
	 * (files and CONTAINER:), "commands", or words ("always missing never"); NULL: nothing.
	 */
	const char *complete;
};

/* CLI_OPT(struct run_options, detach, "detach", 'd', CLI_FLAG, NULL, "run in the background", NULL) */
#define CLI_OPT(type_, member, ...) CLI_OPT_(offsetof(type_, member), __VA_ARGS__)
#define CLI_OPT_(off, name_, letter_, kind, arg_, help_, complete_)                                        \
	{                                                                                                  \
		.name = name_, .letter = letter_, .type = kind, .offset = off, .arg = arg_, .help = help_, \
		.complete = complete_                                                                      \
	}
#define CLI_HEAD(text_) { .name = "", .type = CLI_HEADING, .help = text_ }
#define CLI_END { .name = NULL }

/*
 * A name may be two words ("image inspect"); the first one is then a group, which help lists.
 * A command that lives in another program has `program` in place of options and run: the front executes
 * libexec/brig/PROGRAM with its own arguments unchanged, and that program's own table has the command in full.
 */
struct cli_command {
	const char *name;
	const char *aliases;	 /* other names, "container ls|container list"; NULL: none */
	const char *program;	 /* "brig-image"; NULL: here */
	const char *group;	 /* "Containers", "Images", "Walls", "Volumes", "System" */
	const char *args;	 /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
	const char *summary;	 /* one line, imperative, no full stop */
	const char *description; /* for --help and the man page, may be NULL; paragraphs, examples begin with blanks */
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

/* A row of a command table for a command of another program. */
#define CLI_EXTERNAL(name_, program_, group_, summary_, aliases_)                               \
	(&(const struct cli_command){ .name = name_, .program = program_, .group = group_,      \
				      .summary = summary_, .aliases = aliases_, .max_args = -1 })

/*
 * Runs the command line over a NULL-terminated table. Unknown commands and options are errors that suggest the
 * nearest name. Returns the exit code.
 */
int cli_main(const struct cli_command *const *commands, int argc, char **argv);

/* The front's table (commands.c). */
extern const struct cli_command *const brig_commands[];
/* The table that cli_main was called with, for help, __describe and __complete. */
extern const struct cli_command *const *cli_commands;
/* What help and errors call the program: "brig", "brig-oci". */
extern const char *cli_program;

/*
 * Parses `argv` (without program and command) into `options`, which holds the defaults, and the positionals into
 * *args (NULL-terminated, free(); the strings are argv's). 0, 1 when help was asked for, or -EINVAL with `e` filled.
 * cli_options_free() frees the lists.
 */
int cli_parse(const struct cli_command *c, int argc, char **argv, void *options, char ***args, struct error *e);
void cli_options_free(const struct cli_command *c, void *options);

/* Help on stdout: of everything, of one command, of a group of two-word commands. `width`: columns, 0: the terminal's. */
void cli_help_all(const struct cli_command *const *commands, unsigned width);
void cli_help_command(const struct cli_command *c, unsigned width);
void cli_help_group(const struct cli_command *const *commands, const char *group, unsigned width);
/* For help on what is no command, as wide as the terminal: a paragraph; a term and its explanation from column `col` on. */
void cli_help_text(const char *text);
void cli_help_item(const char *term, const char *text, unsigned col);

/* The table as JSON on stdout; every program answers it to the hidden command __describe. */
void cli_describe(const struct cli_command *const *commands);

/* True when `name` is one of the command's names, its own or an alias. */
bool cli_named(const struct cli_command *c, const char *name);

/*
 * "did you mean ...": zero-initialise with `word` set, offer every candidate; `best` is the nearest one, NULL when
 * none is near enough. Distance: insertions, deletions, substitutions and swaps of neighbours.
 */
struct cli_nearest {
	const char *word, *best;
	unsigned distance;
};
void cli_nearest_offer(struct cli_nearest *n, const char *candidate);

/* Prints an error as brig does: to stderr, escaped, with its hint; returns the exit code. */
int cli_fail(const struct error *e);
void cli_warn_text(const char *text); /* for container.warn */
__attribute__((format(printf, 1, 2))) void cli_warn(const char *fmt, ...);
/* A line on stderr for the person, escaped. */
__attribute__((format(printf, 1, 2))) void cli_say(const char *fmt, ...);
/* Asks on stderr before `what` is removed; true for y or yes. */
bool cli_agreed(const char *what);

/* True when stdout is a terminal: text that others wrote must then be escaped. Asked once. */
bool cli_on_terminal(void);
/* The terminal's columns (stdout's, else $COLUMNS, else 80). */
unsigned cli_width(void);
/* Columns that UTF-8 text takes on a terminal; every byte of invalid UTF-8 counts one. */
unsigned cli_text_width(const char *s);

/* A table on stdout with aligned columns; cells are escaped. Every row has as many cells as the head. */
struct cli_table;
struct cli_table *cli_table_new(const char *first, ...) __attribute__((sentinel));
void cli_table_row(struct cli_table *t, const char *first, ...) __attribute__((sentinel));
/* The same from a list: `heads` and `cells` are NULL-terminated; missing cells are empty. */
struct cli_table *cli_table_newv(char *const *heads);
void cli_table_rowv(struct cli_table *t, char *const *cells);
void cli_table_print(struct cli_table *t, bool head); /* and frees */
void cli_table_text(struct cli_table *t, bool head, struct buf *out); /* the same into a buffer; and frees */

/* Cells of rows that are added from now on are printed as they are: the caller has escaped them. */
void cli_table_escaped(struct cli_table *t);
void cli_table_free(struct cli_table *t); /* without printing */

/*
 * Go's text/template over a JSON document, the subset that scripts use: {{.A.B}}, {{$x := .A}}, {{if}} {{else if}} {{else}},
 * {{range}}, {{with}}, {{end}}, pipelines, parentheses, comments, trim markers; the functions json, index, len, join,
 * split, upper, lower, title, truncate, pad, print, println, printf, eq, ne, lt, le, gt, ge, and, or, not; "\t" and "\n"
 * in the text. A field that does not exist is an error with its column, but nothing in a condition. Appends to `out`, or
 * leaves it as it was on failure. `escape`: strings of `data` are escaped for a terminal; the template's own text never is.
 */
struct json_t;
int cli_format(const char *template, const struct json_t *data, bool escape, struct buf *out, struct error *e);

/* JSON text; with `escape` what could harm a terminal is spelled \uNNNN, which changes no value. indent 0: compact. */
void cli_json_text(const struct json_t *j, unsigned indent, bool escape, struct buf *out);
/* The same on stdout with a newline, escaped on a terminal. */
void cli_print_json(const struct json_t *j, unsigned indent);
/* --format for one document, with a newline: "json" or a template. Escaped on a terminal. */
int cli_print_format(const char *format, const struct json_t *j, struct error *e);

/*
 * The output of a list command. `rows` is an array of objects that have every field; a field of a name with a leading
 * dot (".Label", an object) answers `{{.Label "key"}}` and is not shown by json. format NULL or "table": the columns
 * that are `shown`; "table TEMPLATE"; "json": an object a line; else the template and a newline for each row.
 */
struct cli_column {
	const char *field; /* NULL ends the list */
	const char *head;
	bool shown;
};
int cli_list(const char *format, const struct cli_column *columns, const struct json_t *rows, struct error *e);

/* A progress bar on stderr: drawn on a terminal, a plain line at start and end elsewhere. total 0: unknown. */
struct cli_progress {
	const char *what;
	uint64_t total, done, drawn_ns;
	bool terminal;
};
void cli_progress_start(struct cli_progress *p, const char *what, uint64_t total);
void cli_progress_set(struct cli_progress *p, uint64_t done);
void cli_progress_end(struct cli_progress *p);
/* For requests that take functions: progress in bytes (`progress` is a struct cli_progress), and what is told as a warning. */
void cli_progress_tell(void *progress, uint64_t done, uint64_t total);
void cli_note_tell(void *unused, const char *text);
