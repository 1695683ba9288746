/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci create, start, state, kill, delete: the operations of runtime-spec, runtime.md. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "oci/create.h"

#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct oci_caller oci_caller(void)
{
	return (struct oci_caller){ .root = oci_global.root, .systemd_cgroup = oci_global.systemd_cgroup,
				    .no_cgroups = oci_global.no_cgroup };
}

/* --- create ------------------------------------------------------------------------------------------------------ */

struct create_cli {
	char *bundle, *config, *console_socket, *pid_file, *pidfd_socket;
	uint64_t preserve;
	bool no_pivot, no_new_keyring;
};

static const struct cli_option create_options[] = {
	CLI_OPT(struct create_cli, bundle, "bundle", 'b', CLI_STRING, "DIR", "folder with config.json (the working directory)", "dirs"),
	CLI_OPT(struct create_cli, config, "config", 0, CLI_STRING, "FILE", "in place of the bundle's config.json", "files"),
	CLI_OPT(struct create_cli, console_socket, "console-socket", 0, CLI_STRING, "SOCKET",
		"UNIX socket that gets the terminal's outer side", "files"),
	CLI_OPT(struct create_cli, pid_file, "pid-file", 0, CLI_STRING, "FILE", "write the container's process id there", "files"),
	CLI_OPT(struct create_cli, pidfd_socket, "pidfd-socket", 0, CLI_STRING, "SOCKET", "UNIX socket that gets a pidfd of the process", "files"),
	CLI_OPT(struct create_cli, preserve, "preserve-fds", 0, CLI_U64, "N", "pass descriptors 3 to 2 + N on", NULL),
	CLI_OPT(struct create_cli, no_pivot, "no-pivot", 0, CLI_FLAG, NULL, "move the root instead of pivot_root(2)", NULL),
	CLI_OPT(struct create_cli, no_new_keyring, "no-new-keyring", 0, CLI_FLAG, NULL, "keep the caller's session keyring", NULL),
	CLI_END,
};

int oci_preserve(uint64_t n, unsigned *out, struct error *e)
{
	if (n > 1024)
		return error_set(e, ERANGE, "--preserve-fds: at most 1024");
	for (int i = 0; i < (int)n; i++)
		if (fcntl(3 + i, F_GETFD) < 0)
			return error_set(e, EBADF, "--preserve-fds: descriptor %d is not open", 3 + i);
	*out = (unsigned)n;
	return 0;
}

static int create(void *opts, int argc, char **argv, struct error *e)
{
	const struct create_cli *o = opts;
	struct oci_create_options co = { .bundle = o->bundle, .config = o->config, .console_socket = o->console_socket, .pid_file = o->pid_file,
					 .pidfd_socket = o->pidfd_socket,
					 .no_pivot = o->no_pivot, .no_new_keyring = o->no_new_keyring };
	_cleanup_oci_container_ struct oci_container c;
	struct oci_caller caller = oci_caller();
	int r;

	(void)argc;
	oci_container_init(&c);
	r = oci_preserve(o->preserve, &co.preserve_fds, e);
	return r < 0 ? r : oci_create(&caller, argv[0], &co, &c, NULL, e);
}

const struct cli_command cmd_oci_create = {
	.name = "create",
	.group = "Life cycle",
	.args = "[OPTIONS] ID",
	.summary = "make a container from a bundle; its program waits for start",
	.options = create_options,
	.options_size = sizeof(struct create_cli),
	.min_args = 1,
	.max_args = 1,
	.run = create,
};

/* --- start, state ------------------------------------------------------------------------------------------------ */

static int start(void *opts, int argc, char **argv, struct error *e)
{
	_cleanup_oci_container_ struct oci_container c;
	int r;

	(void)opts;
	(void)argc;
	oci_container_init(&c);
	r = oci_container_open(oci_global.root, argv[0], true, &c, e);
	return r < 0 ? r : oci_start(&c, e);
}

const struct cli_command cmd_oci_start = {
	.name = "start",
	.group = "Life cycle",
	.args = "ID",
	.summary = "run the program of a created container",
	.min_args = 1,
	.max_args = 1,
	.run = start,
};

static int state(void *opts, int argc, char **argv, struct error *e)
{
	_cleanup_oci_container_ struct oci_container c;
	_cleanup_json_ json_t *j = NULL;
	int r;

	(void)opts;
	(void)argc;
	oci_container_init(&c);
	r = oci_container_open(oci_global.root, argv[0], false, &c, e);
	if (r < 0)
		return r;
	if (c.pid == 0)
		return error_set(e, ENOENT, "container \"%s\" does not exist (it is being made, or its making was cut off)", c.id);
	j = oci_container_json(&c, oci_status_names[oci_container_status(&c)], true);
	cli_print_json(j, 2);
	return 0;
}

const struct cli_command cmd_oci_state = {
	.name = "state",
	.group = "Life cycle",
	.args = "ID",
	.summary = "print a container's state as JSON",
	.min_args = 1,
	.max_args = 1,
	.run = state,
};

/* --- one, or all whose id matches -------------------------------------------------------------------------------- */

/* crun's --regex: each container of which `pattern` (regex(7)) matches a part of the id. All are tried, the first error counts. */
static int each_matching(const char *pattern, int (*act)(const char *id, const void *ctx, struct error *e), const void *ctx, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(pattern);
	_cleanup_strv_ char **ids = NULL;
	regex_t re;
	int r = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);

	if (r != 0)
		return error_set(e, EINVAL, "--regex: \"%s\" is no regular expression", safe);
	r = oci_container_list(oci_global.root, &ids, e);
	strv_foreach(id, ids) {
		struct error own = { 0 };
		int one = regexec(&re, *id, 0, NULL, 0) == 0 ? act(*id, ctx, &own) : 0;

		if (one < 0 && r == 0) {
			*e = own;
			r = one;
		}
	}
	regfree(&re);
	return r;
}

/* --- kill -------------------------------------------------------------------------------------------------------- */

struct kill_cli {
	bool all, regex;
};

static const struct cli_option kill_options[] = {
	CLI_OPT(struct kill_cli, all, "all", 'a', CLI_FLAG, NULL, "to all processes of the container", NULL),
	CLI_OPT(struct kill_cli, regex, "regex", 'r', CLI_FLAG, NULL, "to each container whose id the expression ID matches", NULL),
	CLI_END,
};

static int signal_number(const char *word, int *sig, struct error *e)
{
	_cleanup_free_ char *safe = str_escape(word);
	uint64_t n;

	if (parse_u64(word, 0, 64, &n) == 0) {
		*sig = (int)n;
		return 0;
	}
	if (strncasecmp(word, "SIG", 3) == 0)
		word += 3;
	if (strncasecmp(word, "RTMIN+", 6) == 0 && parse_u64(word + 6, 0, 30, &n) == 0) {
		*sig = SIGRTMIN + (int)n;
		return 0;
	}
	for (int s = 1; s < 32; s++) {
		const char *name = sigabbrev_np(s);

		if (name && strcasecmp(name, word) == 0) {
			*sig = s;
			return 0;
		}
	}
	return error_set(e, EINVAL, "unknown signal \"%s\"", safe);
}

struct killing {
	int sig;
	bool all;
};

static int kill_one(const char *id, const void *ctx, struct error *e)
{
	const struct killing *k = ctx;
	_cleanup_oci_container_ struct oci_container c;
	int r;

	oci_container_init(&c);
	r = oci_container_open(oci_global.root, id, true, &c, e);
	return r < 0 ? r : oci_kill(&c, k->sig, k->all, e);
}

static int kill_(void *opts, int argc, char **argv, struct error *e)
{
	const struct kill_cli *o = opts;
	struct killing k = { SIGTERM, o->all };
	int r = argc > 1 ? signal_number(argv[1], &k.sig, e) : 0;

	if (r < 0)
		return r;
	return o->regex ? each_matching(argv[0], kill_one, &k, e) : kill_one(argv[0], &k, e);
}

const struct cli_command cmd_oci_kill = {
	.name = "kill",
	.group = "Life cycle",
	.args = "[OPTIONS] ID [SIGNAL]",
	.summary = "send a signal (TERM) to a container's first process",
	.options = kill_options,
	.options_size = sizeof(struct kill_cli),
	.min_args = 1,
	.max_args = 2,
	.run = kill_,
};

/* --- delete ------------------------------------------------------------------------------------------------------ */

struct delete_cli {
	bool force, regex;
};

static const struct cli_option delete_options[] = {
	CLI_OPT(struct delete_cli, force, "force", 'f', CLI_FLAG, NULL, "end it first, if it runs; one that does not exist is fine", NULL),
	CLI_OPT(struct delete_cli, regex, "regex", 'r', CLI_FLAG, NULL, "each container whose id the expression ID matches", NULL),
	CLI_END,
};

static int delete_one(const char *id, const void *ctx, struct error *e)
{
	const struct delete_cli *o = ctx;
	_cleanup_oci_container_ struct oci_container c;
	int r;

	oci_container_init(&c);
	r = oci_container_open(oci_global.root, id, true, &c, e);
	if (r == -ENOENT && o->force)
		return 0;
	return r < 0 ? r : oci_delete(&c, o->force, e);
}

static int delete_(void *opts, int argc, char **argv, struct error *e)
{
	const struct delete_cli *o = opts;

	(void)argc;
	return o->regex ? each_matching(argv[0], delete_one, o, e) : delete_one(argv[0], o, e);
}

const struct cli_command cmd_oci_delete = {
	.name = "delete",
	.group = "Life cycle",
	.args = "[OPTIONS] ID",
	.summary = "remove a stopped container",
	.options = delete_options,
	.options_size = sizeof(struct delete_cli),
	.min_args = 1,
	.max_args = 1,
	.run = delete_,
};
