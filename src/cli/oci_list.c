/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci list and ps. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "confine/cgroup_oci.h"
#include "oci/state.h"

#include <pwd.h>
#include <string.h>
#include <sys/wait.h>

static int check_format(const char *format, struct error *e)
{
	if (format && !streq(format, "table") && !streq(format, "json"))
		return error_set(e, EINVAL, "invalid format \"%s\": table or json", format);
	return 0;
}

/* --- list -------------------------------------------------------------------------------------------------------- */

struct list_options {
	char *format;
	bool quiet, all;
};

static const struct cli_option list_table[] = {
	CLI_OPT(struct list_options, format, "format", 'f', CLI_STRING, "FORMAT", "table or json", "table json"),
	CLI_OPT(struct list_options, quiet, "quiet", 'q', CLI_FLAG, NULL, "ids only", NULL),
	CLI_OPT(struct list_options, all, "all", 0, CLI_FLAG, NULL, NULL, NULL),
	CLI_END,
};

/* One that is being made, or was deleted meanwhile, is not in the list. */
static json_t *row(const char *id)
{
	_cleanup_oci_container_ struct oci_container c;
	struct error none = { 0 };

	if (oci_container_open(oci_global.root, id, false, &c, &none) < 0 || c.pid == 0)
		return NULL;
	return oci_container_json(&c, oci_status_names[oci_container_status(&c)], true);
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void print_table(const json_t *rows)
{
	struct cli_table *t = cli_table_new("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", NULL);
	const json_t *j;
	size_t i;

	json_array_foreach(rows, i, j) {
		char pid[24];

		snprintf(pid, sizeof(pid), "%lld", (long long)json_integer_value(json_object_get(j, "pid")));
		cli_table_row(t, text(j, "id"), pid, text(j, "status"), text(j, "bundle"), text(j, "created"), text(j, "owner"), NULL);
	}
	cli_table_print(t, true);
}

static int run_list(void *options, int argc, char **argv, struct error *e)
{
	struct list_options *o = options;
	_cleanup_strv_ char **ids = NULL;
	_cleanup_json_ json_t *rows = json_array();
	int r = check_format(o->format, e);

	(void)argc;
	(void)argv;
	if (r == 0)
		r = oci_container_list(oci_global.root, &ids, e);
	if (r < 0)
		return r;
	strv_foreach(it, ids) {
		json_t *j = row(*it);

		if (j)
			json_array_append_new(rows, j);
	}
	if (o->quiet) {
		const json_t *j;
		size_t i;

		json_array_foreach(rows, i, j)
			printf("%s\n", text(j, "id"));
	} else if (streq(o->format, "json")) {
		_cleanup_free_ char *all = json_text(rows);

		printf("%s\n", all);
	} else {
		print_table(rows);
	}
	return 0;
}

const struct cli_command cmd_oci_list = {
	.name = "list", .group = "Life cycle", .args = "[OPTIONS]", .summary = "List the containers below the root", .options = list_table,
	.options_size = sizeof(struct list_options), .run = run_list,
};

/* --- ps ---------------------------------------------------------------------------------------------------------- */

struct ps_options {
	char *format;
};

static const struct cli_option ps_table[] = {
	CLI_OPT(struct ps_options, format, "format", 'f', CLI_STRING, "FORMAT", "table or json", "table json"),
	CLI_END,
};

static bool is_one(const char *line, unsigned column, const pid_t *pids, size_t n)
{
	for (unsigned i = 0;; i++) {
		line += strspn(line, " ");
		if (!*line)
			return false;
		if (i == column)
			break;
		line += strcspn(line, " ");
	}
	for (size_t i = 0; i < n; i++)
		if ((pid_t)strtol(line, NULL, 10) == pids[i])
			return true;
	return false;
}

static int pid_column(const char *head)
{
	_cleanup_free_ char *copy = xstrdup(head);
	char *p = copy, *word;
	int i = 0;

	while ((word = strsep(&p, " \n"))) {
		if (!*word)
			continue;
		if (streq(word, "PID"))
			return i;
		i++;
	}
	return -1;
}

/* The host's own ps(1) with the caller's options; its lines about others are left out. */
static int print_ps(char **args, const pid_t *pids, size_t n, struct error *e)
{
	char *plain[] = { (char[]){ "ps" }, (char[]){ "-ef" }, NULL };
	_cleanup_strv_ char **argv = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int p[2], status, column = -1;
	ssize_t len;
	pid_t pid;

	strv_add_copy(&argv, "ps");
	for (char **it = args; *it; it++)
		strv_add_copy(&argv, *it);
	if (pipe(p) < 0)
		return error_errno(e, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		execvp("ps", *args ? argv : plain);
		_exit(127);
	}
	close(p[1]);
	FILE *f = fdopen(p[0], "r");
	while (f && (len = getline(&line, &size, f)) > 0) {
		if (column == -1) {
			column = pid_column(line);
			if (column < 0)
				break;
			printf("%s", line);
		} else if (is_one(line, (unsigned)column, pids, n)) {
			printf("%s", line);
		}
	}
	if (f)
		fclose(f);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || (column >= 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)))
		return error_set(e, ECHILD, "ps failed");
	return column < 0 ? error_set(e, EINVAL, "ps shows no column PID with these options") : 0;
}

static int run_ps(void *options, int argc, char **argv, struct error *e)
{
	struct ps_options *o = options;
	_cleanup_oci_container_ struct oci_container c;
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;
	int r;

	(void)argc;
	oci_container_init(&c);
	r = check_format(o->format, e);
	if (r == 0)
		r = oci_container_open(oci_global.root, argv[0], false, &c, e);
	if (r == 0 && c.pid == 0)
		r = error_set(e, EINVAL, "container is being made");
	if (r == 0 && c.cgroup)
		r = oci_cgroup_open(&cg, c.cgroup, e);
	if (r == 0 && (!c.cgroup || !oci_cgroup_has_members(&cg)))
		r = error_set(e, EOPNOTSUPP, "container has no cgroup: which processes are its own is not known");
	if (r == 0)
		r = oci_cgroup_pids(&cg, &pids, &n, e);
	if (r < 0)
		return r;
	if (streq(o->format, "json")) {
		printf("[");
		for (size_t i = 0; i < n; i++)
			printf("%s%d", i ? "," : "", pids[i]);
		printf("]\n");
		return 0;
	}
	fflush(stdout);
	return print_ps(argv + 1, pids, n, e);
}

const struct cli_command cmd_oci_ps = {
	.name = "ps", .group = "Life cycle", .args = "[OPTIONS] ID [PS OPTION...]", .summary = "List the processes of a container", .options = ps_table,
	.options_size = sizeof(struct ps_options), .min_args = 1, .max_args = -1, .stop_at_first = true, .run = run_ps,
};
