/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/usage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

struct stats_options {
	bool all, no_stream, no_trunc;
	char *format;
};

static const struct cli_option options[] = {
	CLI_OPT(struct stats_options, all, "all", 'a', CLI_FLAG, NULL, "also containers that do not run", NULL),
	CLI_OPT(struct stats_options, no_stream, "no-stream", 0, CLI_FLAG, NULL, "once, in place of every second", NULL),
	CLI_OPT(struct stats_options, no_trunc, "no-trunc", 0, CLI_FLAG, NULL, "whole ids", NULL),
	CLI_OPT(struct stats_options, format, "format", 'f', CLI_STRING, "TEMPLATE",
		"\"table TEMPLATE\", \"json\", or a Go template a line", "table json"),
	CLI_END,
};

static const struct cli_column columns[] = {
	{ "Container", "CONTAINER", false }, { "ID", "CONTAINER ID", true },
	{ "Name", "NAME", true },	     { "CPUPerc", "CPU %", true },
	{ "MemUsage", "MEM USAGE / LIMIT", true }, { "MemPerc", "MEM %", true },
	{ "NetIO", "NET I/O", true },	     { "BlockIO", "BLOCK I/O", true },
	{ "PIDs", "PIDS", true },	     { NULL, NULL, false },
};

enum { INTERVAL_NS = 1000000000, FIRST_NS = 200000000 };

/* One container through the rounds. */
struct row {
	char id[CONTAINER_ID_LEN + 1];
	char *name, *asked;
	bool running;
	struct usage before, now; /* at_ns 0: no sample */
};

static void rows_free(struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].name);
		free(rows[i].asked);
	}
	free(rows);
}

static struct row *find_row(struct row *rows, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (streq(rows[i].id, id))
			return &rows[i];
	return NULL;
}

static void sample(struct row *row, const struct container *c)
{
	struct error e = { 0 };

	row->before = row->now;
	row->running = container_running(c) && container_usage(c, &row->now, &e) == 0;
	if (!row->running)
		row->now.at_ns = 0;
}

static void add(struct row **rows, size_t *n, const struct container *c, const char *asked, const struct row *old,
		size_t n_old)
{
	const struct row *was = find_row((struct row *)old, n_old, c->config.id);
	struct row *row;

	*rows = xrealloc(*rows, *n + 1, sizeof(**rows));
	row = &(*rows)[(*n)++];
	*row = (struct row){ .name = xstrdup(c->config.name), .asked = xstrdup(asked) };
	strcpy(row->id, c->config.id);
	if (was)
		row->now = was->now;
	sample(row, c);
}

/* The containers of this round, with what the last one saw. */
static int gather(const struct stats_options *o, int argc, char **argv, struct row **rows, size_t *n, struct error *e)
{
	struct row *old = *rows;
	size_t n_old = *n, n_all = 0;
	struct container *list = NULL;
	int r = 0;

	*rows = NULL;
	*n = 0;
	if (argc == 0) {
		r = container_list(&list, &n_all, e);
		for (size_t i = 0; i < n_all; i++) {
			if (o->all || container_running(&list[i]))
				add(rows, n, &list[i], list[i].config.name, old, n_old);
			container_free(&list[i]);
		}
		free(list);
	}
	for (int i = 0; r == 0 && i < argc; i++) {
		struct container c;

		r = container_find(argv[i], &c, e);
		if (r == 0) {
			add(rows, n, &c, argv[i], old, n_old);
			container_free(&c);
		}
	}
	rows_free(old, n_old);
	return r;
}

static void put(json_t *row, const char *key, struct buf *b)
{
	json_object_set_new(row, key, json_string(b->len ? b->data : "--"));
	buf_free(b);
}

static void put_pair(json_t *row, const char *key, uint64_t a, uint64_t b, bool binary)
{
	struct buf out = { 0 };
	char x[24] = "--", y[24] = "--";

	if (a != UINT64_MAX)
		format_size(a, binary, x);
	if (b != UINT64_MAX)
		format_size(b, binary, y);
	buf_printf(&out, "%s / %s", x, y);
	put(row, key, &out);
}

static uint64_t machine_memory(void)
{
	struct sysinfo si;

	return sysinfo(&si) < 0 ? UINT64_MAX : (uint64_t)si.totalram * si.mem_unit;
}

static json_t *row_json(const struct row *r, bool whole)
{
	const struct cgroup_stats *cg = &r->now.cg;
	json_t *j = json_object();
	uint64_t limit = cg->memory_limit;
	struct buf b = { 0 };

	json_object_set_new(j, "Container", json_string(r->asked));
	json_object_set_new(j, "Name", json_string(r->name));
	json_object_set_new(j, "ID", json_stringn(r->id, whole ? CONTAINER_ID_LEN : 12));
	if (!r->running) {
		static const char *const none[] = { "CPUPerc", "MemPerc", "MemUsage", "NetIO", "BlockIO", "PIDs" };

		for (size_t i = 0; i < ARRAY_SIZE(none); i++)
			json_object_set_new(j, none[i], json_string(i < 2 || i == 5 ? "--" : "-- / --"));
		return j;
	}
	if (limit == UINT64_MAX || limit > machine_memory())
		limit = machine_memory();
	if (r->before.at_ns && r->before.at_ns != UINT64_MAX && cg->cpu_ns != UINT64_MAX &&
	    cg->cpu_ns >= r->before.cg.cpu_ns && r->now.at_ns > r->before.at_ns)
		buf_printf(&b, "%.2f%%", 100.0 * (double)(cg->cpu_ns - r->before.cg.cpu_ns) /
						 (double)(r->now.at_ns - r->before.at_ns));
	put(j, "CPUPerc", &b);
	if (cg->memory != UINT64_MAX)
		buf_printf(&b, "%.2f%%", 100.0 * (double)cg->memory / (double)limit);
	put(j, "MemPerc", &b);
	put_pair(j, "MemUsage", cg->memory, limit, true);
	put_pair(j, "NetIO", r->now.net_rx, r->now.net_tx, false);
	put_pair(j, "BlockIO", cg->io_read, cg->io_write, false);
	if (cg->pids != UINT64_MAX)
		buf_printf(&b, "%llu", (unsigned long long)cg->pids);
	put(j, "PIDs", &b);
	return j;
}

static int print_rows(const struct stats_options *o, const struct row *rows, size_t n, struct error *e)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, row_json(&rows[i], o->no_trunc));
	return cli_list(o->format, columns, list, e);
}

static void wait_ns(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

	nanosleep(&ts, NULL);
}

static bool any_running(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].running)
			return true;
	return false;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct stats_options *o = options_;
	struct row *rows = NULL;
	size_t n = 0;
	int r = gather(o, argc, argv, &rows, &n, e);

	/* CPU use is a difference: the first line waits for a second sample. */
	if (r == 0 && any_running(rows, n))
		wait_ns(FIRST_NS);
	while (r == 0) {
		r = gather(o, argc, argv, &rows, &n, e);
		if (r < 0)
			break;
		if (!o->no_stream && cli_on_terminal())
			printf("\033[H\033[2J");
		r = print_rows(o, rows, n, e);
		if (fflush(stdout) != 0 || o->no_stream || r < 0)
			break;
		/* Named ones that have all ended have nothing more to tell. */
		if (argc > 0 && !o->all && !any_running(rows, n))
			break;
		wait_ns(INTERVAL_NS);
	}
	rows_free(rows, n);
	return r;
}

const struct cli_command cmd_stats = {
	.name = "stats",
	.aliases = "container stats",
	.group = "Containers",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "show what running containers use",
	.description = "CPU 100% is one CPU. Memory is without the page cache that can be dropped at once. What this machine "
		       "does not count for containers is shown as --.",
	.options = options,
	.options_size = sizeof(struct stats_options),
	.max_args = -1,
	.complete = "running",
	.run = run,
};
