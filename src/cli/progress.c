/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#include <string.h>

enum { REDRAW_NS = 100000000, BAR = 24 };

static void draw(struct cli_progress *p, const char *end)
{
	_cleanup_free_ char *what = str_escape(p->what);
	_cleanup_buf_ struct buf out = { 0 };
	char done[24], total[24];

	format_size(p->done, false, done);
	if (p->terminal)
		buf_puts(&out, "\r\033[K");
	buf_puts(&out, what);
	if (p->total) {
		uint64_t part = p->done < p->total ? p->done : p->total;
		unsigned percent = (unsigned)((unsigned __int128)part * 100 / p->total);

		if (p->terminal) {
			unsigned filled = percent * BAR / 100;

			buf_printf(&out, "  [%.*s%*s]", (int)filled, "########################",
				   (int)(BAR - filled), "");
		}
		format_size(p->total, false, total);
		buf_printf(&out, "  %u%%  %s of %s", percent, done, total);
	} else {
		buf_printf(&out, "  %s", done);
	}
	buf_puts(&out, end);
	fd_write_all(2, out.data, out.len);
}

void cli_progress_start(struct cli_progress *p, const char *what, uint64_t total)
{
	*p = (struct cli_progress){ .what = what, .total = total, .terminal = isatty(2) };
	if (p->terminal) {
		draw(p, "");
		p->drawn_ns = clock_monotonic_ns();
	} else {
		_cleanup_free_ char *safe = str_escape(what);
		_cleanup_free_ char *line = xasprintf("%s ...\n", safe);

		fd_write_all(2, line, strlen(line));
	}
}

void cli_progress_set(struct cli_progress *p, uint64_t done)
{
	uint64_t now;

	p->done = done;
	if (!p->terminal)
		return;
	now = clock_monotonic_ns();
	if (now - p->drawn_ns < REDRAW_NS)
		return;
	p->drawn_ns = now;
	draw(p, "");
}

void cli_progress_end(struct cli_progress *p)
{
	draw(p, "\n");
}

void cli_progress_tell(void *progress, uint64_t done, uint64_t total)
{
	struct cli_progress *p = progress;

	p->total = total;
	cli_progress_set(p, done);
}

void cli_note_tell(void *unused, const char *text)
{
	(void)unused;
	cli_warn("%s", text);
}
