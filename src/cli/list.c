/* SPDX-License-Identifier: Apache-2.0 */
/* What list commands and inspect print: JSON, templates, tables. */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

void cli_json_text(const json_t *j, unsigned indent, bool escape, struct buf *out)
{
	_cleanup_free_ char *text = json_dumps(j ? j : json_null(), JSON_ENCODE_ANY | (indent ? JSON_INDENT(indent) :
										       JSON_COMPACT));
	size_t n = text ? strlen(text) : 0;

	/* Outside strings JSON has only ASCII, so a hostile character stands inside one, where \u is its spelling. */
	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		size_t len = utf8_decode(text + i, n - i, &c);

		if (len == 0)
			len = 1;
		if (!escape || c == '\n' || !str_hostile_char(c))
			buf_add(out, text + i, len);
		else if (c < 0x10000)
			buf_printf(out, "\\u%04x", c);
		else
			buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
				   0xdc00 + ((c - 0x10000) & 0x3ff));
		i += len;
	}
}

static void put(const struct buf *out)
{
	if (out->len)
		fwrite(out->data, 1, out->len, stdout);
}

void cli_print_json(const json_t *j, unsigned indent)
{
	_cleanup_buf_ struct buf out = { 0 };

	cli_json_text(j, indent, cli_on_terminal(), &out);
	buf_puts(&out, "\n");
	put(&out);
}

int cli_print_format(const char *format, const json_t *j, struct error *e)
{
	_cleanup_buf_ struct buf out = { 0 };
	int r = cli_format(streq(format, "json") ? "{{json .}}" : format, j, cli_on_terminal(), &out, e);

	if (r < 0)
		return r;
	buf_puts(&out, "\n");
	put(&out);
	return 0;
}

static json_t *heads(const struct cli_column *columns)
{
	json_t *row = json_object();

	for (; columns->field; columns++)
		json_object_set_new(row, columns->field, json_string(columns->head));
	/* `.Label "x"` in the row of heads: any value that is no object gives "x". */
	json_object_set_new(row, ".Label", json_true());
	return row;
}

/* The template of the default table. */
static char *default_template(const struct cli_column *columns)
{
	struct buf b = { 0 };

	for (; columns->field; columns++)
		if (columns->shown)
			buf_printf(&b, "%s{{.%s}}", b.len ? "\t" : "", columns->field);
	return buf_steal(&b);
}

static int cells(const char *template, const json_t *row, char ***out, struct error *e)
{
	_cleanup_buf_ struct buf line = { 0 };
	int r = cli_format(template, row, true, &line, e);

	if (r == 0)
		*out = strv_split(line.data, '\t');
	return r;
}

static int print_table(const char *template, const struct cli_column *columns, const json_t *rows, struct error *e)
{
	_cleanup_json_ json_t *head = heads(columns);
	_cleanup_strv_ char **first = NULL;
	struct cli_table *t;
	size_t i;
	json_t *row;
	int r = cells(template, head, &first, e);

	if (r < 0)
		return r;
	t = cli_table_newv(first);
	cli_table_escaped(t);
	json_array_foreach(rows, i, row) {
		_cleanup_strv_ char **line = NULL;

		r = cells(template, row, &line, e);
		if (r < 0)
			break;
		cli_table_rowv(t, line);
	}
	if (r < 0)
		cli_table_free(t);
	else
		cli_table_print(t, true);
	return r;
}

int cli_list(const char *format, const struct cli_column *columns, const json_t *rows, struct error *e)
{
	const char *table = format ? str_after(format, "table") : "";
	size_t i;
	json_t *row;

	if (table && (!*table || *table == ' ')) {
		_cleanup_free_ char *standard = default_template(columns);

		while (*table == ' ')
			table++;
		return print_table(*table ? table : standard, columns, rows, e);
	}
	/* Told even when there are no rows. */
	if (json_array_size(rows) == 0) {
		_cleanup_json_ json_t *head = heads(columns);
		_cleanup_buf_ struct buf unused = { 0 };

		return cli_format(streq(format, "json") ? "" : format, head, false, &unused, e);
	}
	json_array_foreach(rows, i, row) {
		int r = cli_print_format(format, row, e);

		if (r < 0)
			return r;
	}
	return 0;
}
