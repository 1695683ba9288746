/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/json.h"
#include "cli/cli.h"

static void columns(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct cli_table *t = cli_table_new("ID", "A LONG HEAD", "LAST", NULL);

	(void)state;
	cli_table_row(t, "1234567", "x", "end", NULL);
	cli_table_row(t, "1", "", "", NULL);
	cli_table_text(t, true, &out);
	assert_string_equal(out.data, "ID        A LONG HEAD   LAST\n"
				      "1234567   x             end\n"
				      "1\n");
}

static void no_head(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct cli_table *t = cli_table_new("A LONG HEAD", "B", NULL);

	(void)state;
	cli_table_row(t, "1", "2", NULL);
	cli_table_row(t, "10", "20", NULL);
	cli_table_text(t, false, &out);
	assert_string_equal(out.data, "1    2\n10   20\n");
}

static void hostile(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct cli_table *t = cli_table_new("A", "B", NULL);

	(void)state;
	cli_table_row(t, "\033]52;c;x\a", "a\tb\nc", NULL);
	cli_table_text(t, true, &out);
	assert_null(strchr(out.data, '\033'));
	assert_null(strchr(out.data, '\a'));
	assert_null(strchr(out.data, '\t'));
	assert_non_null(strstr(out.data, "\\x1b]52;c;x\\x07   a\\x09b\\x0ac\n"));
}

static void widths(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct cli_table *t;

	(void)state;
	assert_int_equal(cli_text_width(""), 0);
	assert_int_equal(cli_text_width("\xc3\xa4"), 1);
	assert_int_equal(cli_text_width("a\xcc\x88"), 1);
	assert_int_equal(cli_text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(cli_text_width("\xff\xfe"), 2);
	t = cli_table_new("N", "X", NULL);
	cli_table_row(t, "\xe6\x97\xa5", "1", NULL);
	cli_table_row(t, "ab", "2", NULL);
	cli_table_text(t, true, &out);
	assert_string_equal(out.data, "N    X\n\xe6\x97\xa5   1\nab   2\n");
}

static void json_text_escaped(void **state)
{
	_cleanup_json_ json_t *j = json_pack("{s:s}", "k", "a\xc2\x9b\xe2\x80\xae\x7f\xf3\xa0\x81\x81 \xc3\xa4\033\n");
	_cleanup_json_ json_t *back = NULL;
	_cleanup_buf_ struct buf out = { 0 };

	(void)state;
	cli_json_text(j, 0, true, &out);
	assert_string_equal(out.data,
			    "{\"k\":\"a\\u009b\\u202e\\u007f\\udb40\\udc41 \xc3\xa4\\u001B\\n\"}");
	back = json_loads(out.data, 0, NULL);
	assert_true(json_equal(j, back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns), cmocka_unit_test(no_head),		cmocka_unit_test(hostile),
		cmocka_unit_test(widths),  cmocka_unit_test(json_text_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
