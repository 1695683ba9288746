/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { GAP = 3 };

struct cli_table {
	size_t columns, rows;
	bool escaped;	 /* cells come escaped */
	unsigned *width; /* of each column */
	char **cells;	 /* rows times columns; the head is row 0 */
};

bool cli_on_terminal(void)
{
	static int known = -1;

	if (known < 0)
		known = isatty(1);
	return known;
}

unsigned cli_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	uint64_t n;

	if (ioctl(1, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	if (columns && parse_u64(columns, 20, 1000, &n) == 0)
		return (unsigned)n;
	return 80;
}

/* The few ranges that matter in names; brig has no locale and therefore no wcwidth(3). */
static unsigned char_width(uint32_t c)
{
	static const struct {
		uint32_t from, to;
		unsigned width;
	} ranges[] = {
		{ 0x0300, 0x036f, 0 },	 { 0x0483, 0x0489, 0 },	  { 0x0591, 0x05bd, 0 },   { 0x1100, 0x115f, 2 },
		{ 0x1ab0, 0x1aff, 0 },	 { 0x1dc0, 0x1dff, 0 },	  { 0x20d0, 0x20ff, 0 },   { 0x2e80, 0x303e, 2 },
		{ 0x3041, 0xa4cf, 2 },	 { 0xac00, 0xd7a3, 2 },	  { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },
		{ 0xfe20, 0xfe2f, 0 },	 { 0xfe30, 0xfe6f, 2 },	  { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
		{ 0x1f300, 0x1f64f, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 }, { 0xe0100, 0xe01ef, 0 },
	};

	if (c < 0x300)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return ranges[i].width;
	return 1;
}

unsigned cli_text_width(const char *s)
{
	size_t n = strlen(s);
	unsigned width = 0;

	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		size_t len = utf8_decode(s + i, n - i, &c);

		width += len ? char_width(c) : 1;
		i += len ? len : 1;
	}
	return width;
}

/* Takes room for a row and returns it, with all cells NULL. */
static char **new_row(struct cli_table *t)
{
	t->cells = xrealloc(t->cells, (t->rows + 1) * t->columns, sizeof(char *));
	char **row = t->cells + t->rows * t->columns;
	memset(row, 0, t->columns * sizeof(char *));
	t->rows++;
	return row;
}

static void set_cell(struct cli_table *t, char **row, size_t i, const char *text)
{
	row[i] = t->escaped ? xstrdup(text) : str_escape(text);
	unsigned w = cli_text_width(row[i]);
	if (w > t->width[i])
		t->width[i] = w;
}

struct cli_table *cli_table_newv(char *const *heads)
{
	struct cli_table *t = xcalloc(1, sizeof(*t));

	t->columns = strv_len(heads);
	t->width = xcalloc(t->columns, sizeof(unsigned));
	cli_table_rowv(t, heads);
	return t;
}

void cli_table_rowv(struct cli_table *t, char *const *cells)
{
	char **row = new_row(t);

	for (size_t i = 0; i < t->columns && cells[i]; i++)
		set_cell(t, row, i, cells[i]);
}

struct cli_table *cli_table_new(const char *first, ...)
{
	const char *heads[64] = { first };
	size_t n = 1;
	va_list ap;

	va_start(ap, first);
	while (n < ARRAY_SIZE(heads) - 1 && (heads[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	heads[n] = NULL;
	return cli_table_newv((char *const *)heads);
}

void cli_table_row(struct cli_table *t, const char *first, ...)
{
	char **row = new_row(t);
	const char *text = first;
	va_list ap;

	va_start(ap, first);
	for (size_t i = 0; i < t->columns && text; i++) {
		set_cell(t, row, i, text);
		text = va_arg(ap, const char *);
	}
	va_end(ap);
}

void cli_table_escaped(struct cli_table *t)
{
	t->escaped = true;
}

void cli_table_free(struct cli_table *t)
{
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->width);
	free(t);
}

void cli_table_text(struct cli_table *t, bool head, struct buf *out)
{
	/* Without a head its widths do not count. */
	for (size_t i = 0; !head && i < t->columns; i++) {
		t->width[i] = 0;
		for (size_t r = 1; r < t->rows; r++) {
			const char *cell = t->cells[r * t->columns + i];
			unsigned w = cell ? cli_text_width(cell) : 0;

			if (w > t->width[i])
				t->width[i] = w;
		}
	}
	for (size_t r = head ? 0 : 1; r < t->rows; r++) {
		char **row = t->cells + r * t->columns;
		unsigned pad = 0;

		for (size_t i = 0; i < t->columns; i++) {
			const char *cell = row[i] ? row[i] : "";

			/* Blanks are owed until something follows, so that no line ends with them. */
			if (*cell && pad)
				buf_printf(out, "%*s", (int)pad, "");
			buf_puts(out, cell);
			pad = (*cell ? 0 : pad) + t->width[i] - cli_text_width(cell) + GAP;
		}
		buf_puts(out, "\n");
	}
	cli_table_free(t);
}

void cli_table_print(struct cli_table *t, bool head)
{
	_cleanup_buf_ struct buf out = { 0 };

	cli_table_text(t, head, &out);
	if (out.len)
		fwrite(out.data, 1, out.len, stdout);
}
