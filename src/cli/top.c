/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/usage.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>
#include <time.h>

static void tty_name(uint32_t tty, char *out, size_t size)
{
	unsigned ma = (tty >> 8) & 0xfff, mi = (tty & 0xff) | ((tty >> 12) & 0xfff00);

	if (!tty)
		snprintf(out, size, "?");
	else if (ma >= 136 && ma <= 143)
		snprintf(out, size, "pts/%u", (ma - 136) * 256 + mi);
	else if (ma == 4)
		snprintf(out, size, mi < 64 ? "tty%u" : "ttyS%u", mi < 64 ? mi : mi - 64);
	else
		snprintf(out, size, "%u:%u", ma, mi);
}

/* As ps does: the hour today, the day this year, else the year. */
static void start_text(uint64_t ns, char *out, size_t size)
{
	time_t then = (time_t)(ns / 1000000000u), now = time(NULL);
	struct tm t, n;

	localtime_r(&then, &t);
	localtime_r(&now, &n);
	strftime(out, size, t.tm_year != n.tm_year ? "%Y" : t.tm_yday != n.tm_yday ? "%b%d" : "%H:%M", &t);
}

/* CPU time in hundredths of the time since it started, as the C column of ps. */
static unsigned cpu_share(const struct usage_process *p)
{
	uint64_t now = clock_now_ns(), age = now > p->start_ns ? now - p->start_ns : 1;
	double share = 100.0 * (double)p->cpu_ns / (double)age;

	return share > 999 ? 999 : (unsigned)share;
}

static const struct column {
	const char *name, *head;
} columns[] = {
	{ "uid", "UID" },   { "huid", "HUID" }, { "pid", "PID" },   { "nspid", "NSPID" }, { "ppid", "PPID" },
	{ "c", "C" },	    { "stime", "STIME" }, { "tty", "TTY" }, { "time", "TIME" },	  { "stat", "STAT" },
	{ "ni", "NI" },	    { "nlwp", "NLWP" }, { "vsz", "VSZ" },   { "rss", "RSS" },	  { "comm", "COMMAND" },
	{ "args", "CMD" },
};

static void cell(const struct column *c, const struct usage_process *p, struct buf *out)
{
	char text[32];

	if (streq(c->name, "uid"))
		p->uid == UINT32_MAX ? buf_puts(out, "?") : buf_printf(out, "%u", p->uid);
	else if (streq(c->name, "huid"))
		buf_printf(out, "%u", p->host_uid);
	else if (streq(c->name, "pid"))
		buf_printf(out, "%d", p->pid);
	else if (streq(c->name, "nspid"))
		buf_printf(out, "%d", p->nspid);
	else if (streq(c->name, "ppid"))
		buf_printf(out, "%d", p->ppid);
	else if (streq(c->name, "c"))
		buf_printf(out, "%u", cpu_share(p));
	else if (streq(c->name, "stat"))
		buf_printf(out, "%c", p->state);
	else if (streq(c->name, "ni"))
		buf_printf(out, "%d", p->nice);
	else if (streq(c->name, "nlwp"))
		buf_printf(out, "%u", p->threads);
	else if (streq(c->name, "vsz"))
		buf_printf(out, "%llu", (unsigned long long)p->vsz / 1024);
	else if (streq(c->name, "rss"))
		buf_printf(out, "%llu", (unsigned long long)p->rss / 1024);
	else if (streq(c->name, "comm"))
		buf_puts(out, p->comm);
	else if (streq(c->name, "args"))
		buf_puts(out, p->args);
	else if (streq(c->name, "time"))
		buf_printf(out, "%02llu:%02llu:%02llu", (unsigned long long)p->cpu_ns / 3600000000000u,
			   (unsigned long long)p->cpu_ns / 60000000000u % 60,
			   (unsigned long long)p->cpu_ns / 1000000000u % 60);
	else {
		if (streq(c->name, "tty"))
			tty_name(p->tty, text, sizeof(text));
		else
			start_text(p->start_ns, text, sizeof(text));
		buf_puts(out, text);
	}
}

static const struct column *find_column(const char *name, struct error *e)
{
	_cleanup_buf_ struct buf all = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (strcasecmp(columns[i].name, name) == 0)
			return &columns[i];
		buf_printf(&all, "%s%s", i ? " " : "", columns[i].name);
	}
	error_set(e, EINVAL, "\"%s\" is not a column; there are: %s", name, all.data);
	if (*name == '-' || streq(name, "aux"))
		error_hint(e, "brig reads /proc itself and takes column names in place of ps options");
	return NULL;
}

static int choose(int argc, char **argv, const struct column **out, struct error *e)
{
	static const char *const usual[] = { "uid", "pid", "ppid", "c", "stime", "tty", "time", "args" };
	int n = argc ? argc : (int)ARRAY_SIZE(usual);

	for (int i = 0; i < n; i++) {
		out[i] = find_column(argc ? argv[i] : usual[i], e);
		if (!out[i])
			return -EINVAL;
	}
	return n;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	const struct column *chosen[ARRAY_SIZE(columns) + 1];
	_cleanup_strv_ char **heads = NULL;
	struct usage_process *p = NULL;
	struct cli_table *t;
	struct container c;
	size_t n;
	int r, n_columns;

	(void)options_;
	if (argc - 1 > (int)ARRAY_SIZE(columns))
		return error_set(e, EINVAL, "too many columns");
	n_columns = choose(argc - 1, argv + 1, chosen, e);
	if (n_columns < 0)
		return n_columns;
	r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	r = container_processes(&c, &p, &n, e);
	container_free(&c);
	if (r < 0)
		return r;
	for (int k = 0; k < n_columns; k++)
		strv_add_copy(&heads, chosen[k]->head);
	t = cli_table_newv(heads);
	for (size_t i = 0; i < n; i++) {
		_cleanup_strv_ char **cells = NULL;

		for (int k = 0; k < n_columns; k++) {
			struct buf b = { 0 };

			cell(chosen[k], &p[i], &b);
			strv_add(&cells, buf_steal(&b));
		}
		cli_table_rowv(t, cells);
	}
	usage_processes_free(p, n);
	cli_table_print(t, true);
	return 0;
}

const struct cli_command cmd_top = {
	.name = "top",
	.aliases = "container top",
	.group = "Containers",
	.args = "CONTAINER [COLUMN...]",
	.summary = "show the processes of a container",
	.description = "Reads the host's /proc; nothing of the container is run. Pids are the host's, uids the container's "
		       "own. Columns: uid huid pid nspid ppid c stime tty time stat ni nlwp vsz rss comm args; huid is the "
		       "uid on the host, nspid the pid inside.",
	.min_args = 1,
	.max_args = -1,
	.stop_at_first = true,
	.complete = "running",
	.run = run,
};
