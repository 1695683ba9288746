/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"

#include <string.h>

enum { WIDTH_MIN = 50, WIDTH_MAX = 100 };

static unsigned fit(unsigned width)
{
	if (width == 0)
		width = cli_width();
	return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

/*
 * Prints words from column `at`, where the cursor is, breaking lines so that the next ones begin at `indent`. A line that
 * begins with a blank is an example and stays as it is.
 */
static void wrap(const char *text, unsigned at, unsigned indent, unsigned width)
{
	bool fresh = true;

	while (*text) {
		size_t n = strcspn(text, fresh && *text == ' ' ? "\n" : " \n");

		if (n && !fresh && at + 1 + n > width) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (n && !fresh) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)n, text);
		at += (unsigned)n;
		fresh = fresh && n == 0;
		text += n;
		if (*text == '\n') {
			printf("\n%*s", text[1] && text[1] != '\n' ? (int)indent : 0, "");
			at = indent;
			fresh = true;
		}
		if (*text)
			text++;
	}
	putchar('\n');
}

/* The summary as a sentence. */
static void sentence(const char *summary, unsigned width)
{
	_cleanup_free_ char *text = xasprintf("%s.", summary);

	if (*text >= 'a' && *text <= 'z')
		*text = (char)(*text - 32);
	wrap(text, 0, 0, width);
}

/* A term at two blanks and its explanation at column `col`. */
static void item(const char *term, const char *text, unsigned col, unsigned width)
{
	unsigned at = 2 + (unsigned)strlen(term);

	printf("  %s", term);
	if (at + 2 > col)
		printf("\n%*s", (int)col, "");
	else
		printf("%*s", (int)(col - at), "");
	wrap(text, col, col, width);
}

bool cli_named(const struct cli_command *c, const char *name)
{
	const char *s = c->aliases;
	size_t n = strlen(name);

	if (streq(c->name, name))
		return true;
	while (s) {
		const char *end = strchrnul(s, '|');

		if ((size_t)(end - s) == n && memcmp(s, name, n) == 0)
			return true;
		s = *end ? end + 1 : NULL;
	}
	return false;
}

/* The groups in the order in which help shows them; others follow. */
static const char *const groups[] = { "Containers", "Images", "Walls", "Volumes", "System" };

static bool known_group(const char *group)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (streq(groups[i], group))
			return true;
	return false;
}

static void list_group(const struct cli_command *const *commands, const char *group, unsigned col, unsigned width)
{
	bool head = false;

	for (; *commands; commands++) {
		const struct cli_command *c = *commands;

		if (c->hidden || !streq(c->group, group))
			continue;
		if (!head)
			printf("\n%s:\n", group);
		head = true;
		item(c->name, c->summary, col, width);
	}
}

void cli_help_text(const char *text)
{
	wrap(text, 0, 0, fit(0));
}

void cli_help_item(const char *term, const char *text, unsigned col)
{
	item(term, text, col, fit(0));
}

void cli_help_all(const struct cli_command *const *commands, unsigned width)
{
	unsigned col = 0;

	width = fit(width);
	printf("Usage: brig COMMAND\n\nRun containers behind walls that are proven.\n");
	for (const struct cli_command *const *c = commands; *c; c++)
		if (!(*c)->hidden && strlen((*c)->name) + 4 > col)
			col = (unsigned)strlen((*c)->name) + 4;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		list_group(commands, groups[i], col, width);
	for (const struct cli_command *const *c = commands; *c; c++) {
		bool first = !(*c)->hidden && !known_group((*c)->group);

		for (const struct cli_command *const *d = commands; first && d < c; d++)
			first = (*d)->hidden || !streq((*d)->group, (*c)->group);
		if (first)
			list_group(commands, (*c)->group, col, width);
	}
	printf("\n'brig COMMAND --help' explains a command.\n");
}

/* The alias or name of `c` that begins with `group` and a blank, or NULL; *len is its length. */
static const char *name_in_group(const struct cli_command *c, const char *group, size_t *len)
{
	const char *rest = str_after(c->name, group), *s = c->aliases;

	if (rest && *rest == ' ') {
		*len = strlen(c->name);
		return c->name;
	}
	while (s) {
		const char *end = strchrnul(s, '|');

		rest = str_after(s, group);
		if (rest && *rest == ' ') {
			*len = (size_t)(end - s);
			return s;
		}
		s = *end ? end + 1 : NULL;
	}
	return NULL;
}

void cli_help_group(const struct cli_command *const *commands, const char *group, unsigned width)
{
	width = fit(width);
	printf("Usage: brig %s COMMAND\n\nCommands:\n", group);
	for (; *commands; commands++) {
		size_t n, skip = strlen(group) + 1;
		const char *name = (*commands)->hidden ? NULL : name_in_group(*commands, group, &n);

		if (name) {
			_cleanup_free_ char *word = xstrndup(name + skip, n - skip);

			item(word, (*commands)->summary, 18, width);
		}
	}
}

static char *option_term(const struct cli_option *o)
{
	const char *arg = o->arg ? o->arg : o->type == CLI_FLAG ? "" : "VALUE";
	char letter[5] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return xasprintf("%s--%s%s%s", letter, o->name, *arg ? " " : "", arg);
}

static void options(const struct cli_command *c, unsigned width)
{
	enum { COLUMN_MAX = 34 };
	unsigned col = 16;

	if (!c->options || !c->options->name)
		return;
	for (const struct cli_option *o = c->options; o->name; o++) {
		_cleanup_free_ char *term = o->type == CLI_HEADING || !o->help ? NULL : option_term(o);
		unsigned n = term ? (unsigned)strlen(term) + 4 : 0;

		if (n > col && n <= COLUMN_MAX)
			col = n;
	}
	if (c->options->type != CLI_HEADING)
		printf("\nOptions:\n");
	for (const struct cli_option *o = c->options; o->name; o++) {
		if (o->type == CLI_HEADING) {
			printf("\n%s:\n", o->help);
		} else if (o->help) {
			_cleanup_free_ char *term = option_term(o);

			item(term, o->help, col, width);
		}
	}
}

void cli_help_command(const struct cli_command *c, unsigned width)
{
	_cleanup_strv_ char **aliases = c->aliases ? strv_split(c->aliases, '|') : NULL;

	width = fit(width);
	printf("Usage: %s %s %s\n\n", cli_program, c->name, c->args ? c->args : "");
	sentence(c->summary, width);
	if (c->description) {
		putchar('\n');
		wrap(c->description, 0, 0, width);
	}
	options(c, width);
	if (aliases) {
		_cleanup_buf_ struct buf line = { 0 };

		strv_foreach(a, aliases)
			buf_printf(&line, "%s%s %s", line.len ? ", " : "Also: ", cli_program, *a);
		putchar('\n');
		wrap(line.data, 0, 6, width);
	}
}
