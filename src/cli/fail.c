/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Escapes for people: a backslash stays single (the text may have been escaped before), and a line break inside the
 * story is marked, so that no part of it can pass for a hint of ours.
 */
static void put_story(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = 0;

		while (i + len < n && s[i + len] != '\\' && s[i + len] != '\n')
			len++;
		_cleanup_free_ char *safe = str_escape_n(s + i, len);
		buf_puts(out, safe);
		i += len;
		if (i < n)
			buf_puts(out, s[i] == '\n' ? "\n    | " : "\\");
		i++;
	}
}

static void put_hints(struct buf *out, const char *s)
{
	static const char mark[] = "\n  hint: ";

	while (*s) {
		const char *end = strstr(s + 1, mark);
		size_t n = end ? (size_t)(end - s) : strlen(s);
		const char *text = str_after(s, mark);

		if (text) {
			buf_puts(out, mark);
			put_story(out, text, n - (sizeof(mark) - 1));
		} else {
			put_story(out, s, n);
		}
		s += n;
	}
}

int cli_fail(const struct error *e)
{
	_cleanup_buf_ struct buf out = { 0 };
	size_t n = strlen(e->text), story = e->hint && e->hint < n ? e->hint : n;

	fflush(stdout);
	buf_puts(&out, "brig: ");
	if (n == 0)
		buf_puts(&out, e->code ? strerror(e->code < 0 ? -e->code : e->code) : "failed for an unknown reason");
	put_story(&out, e->text, story);
	put_hints(&out, e->text + story);
	buf_puts(&out, "\n");
	fd_write_all(2, out.data, out.len);
	return e->exit ? e->exit : EXIT_ENGINE;
}

void cli_warn(const char *fmt, ...)
{
	_cleanup_buf_ struct buf out = { 0 };
	char text[ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fflush(stdout);
	buf_puts(&out, "brig: warning: ");
	put_story(&out, text, strlen(text));
	buf_puts(&out, "\n");
	fd_write_all(2, out.data, out.len);
}

void cli_say(const char *fmt, ...)
{
	_cleanup_buf_ struct buf out = { 0 };
	char text[ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fflush(stdout);
	put_story(&out, text, strlen(text));
	buf_puts(&out, "\n");
	fd_write_all(2, out.data, out.len);
}

/* Anything but y or yes, an end of input included, is no. */
bool cli_agreed(const char *what)
{
	char line[16];

	fprintf(stderr, "This removes %s.\nGo on? [y/N] ", what);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = 0;
	return streq(line, "y") || streq(line, "Y") || streq(line, "yes");
}

void cli_warn_text(const char *text)
{
	cli_warn("%s", text);
}
