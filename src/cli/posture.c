/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/posture.h"

#include <stdio.h>
#include <string.h>

struct options {
	char *pid, *format;
	bool plan;
};

static void print_text(const struct posture *p, bool plan)
{
	struct cli_table *t = plan ? cli_table_new("WALL", "VERDICT", "PLAN", NULL) :
				     cli_table_new("WALL", "VERDICT", "EVIDENCE", NULL);
	unsigned stand = 0;

	for (int i = 0; i < WALL_COUNT; i++) {
		const struct evidence *ev = &p->found[i];

		stand += ev->verdict == VERDICT_STANDS;
		cli_table_row(t, walls[i]->name, posture_verdict(ev->verdict), plan ? p->plan[i].text : ev->found, NULL);
		if (ev->why[0])
			cli_table_row(t, "", "", xasprintf("why: %s", ev->why), NULL);
	}
	_cleanup_free_ char *safe = str_escape(p->name);
	printf("%s (pid %d): %u of %d walls stand\n", safe, p->pid, stand, WALL_COUNT);
	cli_table_print(t, true);
}

static int show(const struct posture *p, const struct options *o, struct error *e)
{
	if (o->format) {
		_cleanup_json_ json_t *j = posture_json(p);

		return cli_print_format(o->format, j, e);
	}
	print_text(p, o->plan && !p->foreign);
	return 0;
}

static int one_pid(const struct options *o, struct error *e)
{
	struct posture p;
	uint64_t pid;
	int r = parse_u64(o->pid, 1, 1 << 22, &pid);

	if (r < 0)
		return error_set(e, EINVAL, "--pid %s: not a process id", o->pid);
	r = posture_pid((pid_t)pid, &p, e);
	if (r < 0)
		return r;
	r = show(&p, o, e);
	bool whole = posture_whole(&p);
	posture_free(&p);
	return r < 0 ? r : !whole;
}

static int one_container(const struct container *c, const struct options *o, bool *whole, struct error *e)
{
	struct posture p;
	int r = posture_container(c, &p, e);

	if (r < 0)
		return r;
	*whole &= posture_whole(&p);
	r = show(&p, o, e);
	posture_free(&p);
	return r;
}

static int all_running(const struct options *o, struct error *e)
{
	struct container *list = NULL;
	bool whole = true;
	size_t n = 0, shown = 0;
	int r = container_list(&list, &n, e);

	for (size_t i = 0; i < n; i++) {
		if (r == 0 && container_running(&list[i])) {
			if (shown++ && !o->format)
				putchar('\n');
			r = one_container(&list[i], o, &whole, e);
			if (r == -ESRCH) /* it ended while we looked at others */
				r = 0;
		}
		container_free(&list[i]);
	}
	free(list);
	if (r == 0 && shown == 0)
		fputs("no container runs; `brig info` tells which walls can stand on this machine\n", stderr);
	return r < 0 ? r : !whole;
}

static int run(void *options, int argc, char **argv, struct error *e)
{
	const struct options *o = options;
	bool whole = true;
	int r = 0;

	if (o->pid) {
		if (argc > 0)
			return error_set(e, EINVAL, "--pid goes without containers");
		return one_pid(o, e);
	}
	if (argc == 0)
		return all_running(o, e);
	for (int i = 0; r == 0 && i < argc; i++) {
		struct container c;

		r = container_find(argv[i], &c, e);
		if (r < 0)
			return r;
		if (i > 0 && !o->format)
			putchar('\n');
		r = one_container(&c, o, &whole, e);
		container_free(&c);
	}
	return r < 0 ? r : !whole;
}

static const struct cli_option options[] = {
	CLI_OPT(struct options, format, "format", 'f', CLI_STRING, "FORMAT", "json, or a template", NULL),
	CLI_OPT(struct options, pid, "pid", 0, CLI_STRING, "PID", "judge any process of the host instead", NULL),
	CLI_OPT(struct options, plan, "plan", 0, CLI_FLAG, NULL, "show what was planned in place of the evidence", NULL),
	CLI_END,
};

const struct cli_command cmd_posture = {
	.name = "posture",
	.group = "Walls",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "show what confines a container, proven from the kernel's own records",
	.description =
		"For each wall: the plan, the evidence read back from the kernel, and the verdict. A wall stands, is lowered by "
		"name, is absent (this machine lacks it and a person accepted that), is down (not as planned) or unknown (could not be "
		"read).\n\n"
		"Without a container, all that run. The exit code is 0 when every wall stands, 1 otherwise.\n\n"
		"--pid judges any process by the same walls, so that containers of other engines can be laid beside brig's.",
	.options = options,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.complete = "containers",
	.run = run,
};
