/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/proc.h"
#include "engine/container.h"
#include "engine/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct logs_options {
	bool follow, timestamps;
	char *tail, *since, *until;
};

static const struct cli_option options[] = {
	CLI_OPT(struct logs_options, follow, "follow", 'f', CLI_FLAG, NULL, "go on with what it writes until it ends", NULL),
	CLI_OPT(struct logs_options, since, "since", 0, CLI_STRING, "TIME",
		"leave out what is older: a time, or a duration like 10m", NULL),
	CLI_OPT(struct logs_options, tail, "tail", 'n', CLI_STRING, "N", "only the last N lines, or \"all\"", NULL),
	CLI_OPT(struct logs_options, timestamps, "timestamps", 't', CLI_FLAG, NULL, "begin each line with its time", NULL),
	CLI_OPT(struct logs_options, until, "until", 0, CLI_STRING, "TIME", "leave out what is newer", NULL),
	CLI_END,
};

struct print {
	bool timestamps;
	FILE *last; /* where the last bytes went */
};

/* Bytes as the program wrote them: they are its own, on a terminal too. */
static int print(const struct log_entry *en, bool line_start, void *arg)
{
	struct print *p = arg;
	FILE *to = en->stream == LOG_STDERR ? stderr : stdout;

	/* What goes to one place (2>&1) keeps its order. */
	if (p->last && p->last != to)
		fflush(p->last);
	p->last = to;
	if (line_start && p->timestamps) {
		char time[40];

		clock_format(en->time_ns, time);
		fprintf(to, "%s ", time);
	}
	fwrite(en->data, 1, en->len, to);
	return ferror(to) ? -EIO : 0;
}

static int flush(void *arg)
{
	(void)arg;
	return fflush(stdout) || fflush(stderr) ? -errno : 0;
}

static int read_time(const char *name, const char *text, uint64_t *ns, struct error *e)
{
	if (!text || clock_parse(text, ns) == 0)
		return 0;
	return error_set(e, EINVAL, "invalid --%s %s: give a time such as 2026-11-24T07:00:00Z, or a duration such as 10m", name,
			 text);
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct logs_options *o = options_;
	struct print p = { .timestamps = o->timestamps };
	struct log_query q = { .tail = -1, .writer = -1, .entry = print, .pause = flush, .arg = &p };
	_cleanup_close_ int monitor = -1;
	struct container c;
	int r;

	(void)argc;
	if (o->tail && !streq(o->tail, "all") && parse_i64(o->tail, -1, INT64_MAX, &q.tail) < 0)
		return error_set(e, EINVAL, "invalid --tail %s: give a number of lines or \"all\"", o->tail);
	r = read_time("since", o->since, &q.since_ns, e);
	if (r == 0)
		r = read_time("until", o->until, &q.until_ns, e);
	if (r == 0)
		r = container_find(argv[0], &c, e);
	if (r < 0)
		return r;
	if (o->follow && (container_running(&c) || c.state.status == ST_RESTARTING)) {
		monitor = proc_pidfd_checked(c.state.monitor, c.state.monitor_start);
		q.follow = monitor >= 0;
		q.writer = monitor;
	}
	/* stderr is unbuffered otherwise, a system call for each part of a line. */
	setvbuf(stderr, NULL, _IOFBF, BUFSIZ);
	if (c.config.log_size == 0)
		r = error_set(e, ENOENT, "container %s keeps no log (--log-driver none)", c.config.name);
	else
		r = log_read(c.dir_fd, &q, e);
	fflush(stderr);
	setvbuf(stderr, NULL, _IONBF, 0);
	container_free(&c);
	return r;
}

const struct cli_command cmd_logs = {
	.name = "logs",
	.aliases = "container logs",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER",
	.summary = "print what a container wrote",
	.description = "What the container wrote to its standard output goes to standard output, what it wrote to standard error to "
		       "standard error, byte for byte. The log is kept until the container is removed; its oldest parts go when "
		       "it grows over log_size times log_files of brig.conf.",
	.options = options,
	.options_size = sizeof(struct logs_options),
	.min_args = 1,
	.max_args = 1,
	.complete = "containers",
	.run = run,
};
