/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci exec: another process in a container. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "confine/caps.h"
#include "oci/exec.h"
#include "oci/wait.h"

#include <fcntl.h>
#include <string.h>

struct exec_options {
	char *console_socket, *pidfd_socket, *cwd, *user, *process, *pid_file, *label, *apparmor;
	char **env, **groups, **caps, **cgroups;
	uint64_t preserve_fds;
	bool tty, detach, no_new_privs, ignore_paused, no_subreaper;
};

static const struct cli_option exec_table[] = {
	CLI_OPT(struct exec_options, process, "process", 'p', CLI_STRING, "FILE", "with the process object, in place of the options", "files"),
	CLI_OPT(struct exec_options, detach, "detach", 'd', CLI_FLAG, NULL, "come back once the program runs", NULL),
	CLI_OPT(struct exec_options, pid_file, "pid-file", 0, CLI_STRING, "FILE", "gets the pid of the new process", "files"),
	CLI_OPT(struct exec_options, tty, "tty", 't', CLI_FLAG, NULL, "with a terminal", NULL),
	CLI_OPT(struct exec_options, console_socket, "console-socket", 0, CLI_STRING, "SOCKET", "UNIX socket to which the terminal goes", "files"),
	CLI_OPT(struct exec_options, pidfd_socket, "pidfd-socket", 0, CLI_STRING, "SOCKET", "UNIX socket that gets a pidfd of the process", "files"),
	CLI_OPT(struct exec_options, cwd, "cwd", 0, CLI_STRING, "DIR", "working directory", NULL),
	CLI_OPT(struct exec_options, env, "env", 'e', CLI_LIST, "NAME=VALUE", "add to the environment", NULL),
	CLI_OPT(struct exec_options, user, "user", 'u', CLI_STRING, "UID[:GID]", "who it runs as", NULL),
	CLI_OPT(struct exec_options, groups, "additional-gids", 'g', CLI_LIST, "GID", "supplementary group", NULL),
	CLI_OPT(struct exec_options, label, "process-label", 0, CLI_STRING, "LABEL", "SELinux label", NULL),
	CLI_OPT(struct exec_options, apparmor, "apparmor", 0, CLI_STRING, "PROFILE", "AppArmor profile", NULL),
	CLI_OPT(struct exec_options, no_new_privs, "no-new-privs", 0, CLI_FLAG, NULL, "set no_new_privs", NULL),
	CLI_OPT(struct exec_options, caps, "cap", 'c', CLI_LIST, "NAME", "add a capability", NULL),
	CLI_OPT(struct exec_options, preserve_fds, "preserve-fds", 0, CLI_U64, "N", "pass descriptors 3 to 2 + N on", NULL),
	CLI_OPT(struct exec_options, cgroups, "cgroup", 0, CLI_LIST, "[CONTROLLER,...:]PATH", "below the container's cgroup", NULL),
	CLI_OPT(struct exec_options, ignore_paused, "ignore-paused", 0, CLI_FLAG, NULL, "in a paused container too", NULL),
	CLI_OPT(struct exec_options, no_subreaper, "no-subreaper", 0, CLI_FLAG, NULL, NULL, NULL),
	CLI_END,
};

/* --- the process object ------------------------------------------------------------------------------------------ */

static int set_user(struct oci_process *p, const char *text, struct error *e)
{
	_cleanup_strv_ char **parts = strv_split(text, ':');
	uint64_t uid, gid = p->gid;
	size_t n = strv_len(parts);

	if (n > 2 || parse_u64(parts[0], 0, UINT32_MAX - 1, &uid) < 0 ||
	    (n == 2 && parse_u64(parts[1], 0, UINT32_MAX - 1, &gid) < 0))
		return error_set(e, EINVAL, "--user %s: give UID or UID:GID", text);
	p->uid = (uint32_t)uid;
	p->gid = (uint32_t)gid;
	return 0;
}

static int add_groups(struct oci_process *p, char *const *list, struct error *e)
{
	strv_foreach(it, list) {
		uint64_t gid;

		if (parse_u64(*it, 0, UINT32_MAX - 1, &gid) < 0)
			return error_set(e, EINVAL, "--additional-gids %s: not a group id", *it);
		p->groups = xrealloc(p->groups, p->n_groups + 1, sizeof(uint32_t));
		p->groups[p->n_groups++] = (uint32_t)gid;
	}
	return 0;
}

static int add_caps(struct oci_process *p, char *const *list, struct error *e)
{
	strv_foreach(it, list) {
		uint64_t bits;
		int r = caps_parse(*it, &bits, e);

		if (r < 0)
			return error_wrap(e, "--cap");
		p->caps.set = true;
		p->caps.bounding |= bits;
		p->caps.effective |= bits;
		p->caps.permitted |= bits;
		/* As runc has it: what is inheritable already, or would be lost to a user, is ambient too. */
		if (p->caps.inheritable | p->caps.ambient) {
			p->caps.inheritable |= bits;
			p->caps.ambient |= bits;
		}
	}
	return 0;
}

static void set_text(char **to, const char *value)
{
	if (!value)
		return;
	free(*to);
	*to = xstrdup(value);
}

/* A later one of the same name takes the earlier one's place. */
static void set_env(struct oci_process *p, const char *entry)
{
	const char *eq = strchr(entry, '=');
	size_t n = eq ? (size_t)(eq - entry) + 1 : strlen(entry);

	for (char **it = p->env; it && *it; it++) {
		if (strncmp(*it, entry, n) == 0) {
			free(*it);
			*it = xstrdup(entry);
			return;
		}
	}
	strv_add_copy(&p->env, entry);
}

/* The container's own process with what the options change. */
static int from_options(struct oci_process *p, const struct exec_options *o, char **argv, struct error *e)
{
	int r = o->user ? set_user(p, o->user, e) : 0;

	strv_free(p->args);
	p->args = strv_copy(argv);
	p->terminal = o->tty;
	p->rows = p->columns = 0;
	set_text(&p->cwd, o->cwd);
	set_text(&p->selinux, o->label);
	set_text(&p->apparmor, o->apparmor);
	p->no_new_privs |= o->no_new_privs;
	strv_foreach(it, o->env)
		set_env(p, *it);
	if (r == 0)
		r = add_groups(p, o->groups, e);
	return r == 0 ? add_caps(p, o->caps, e) : r;
}

static int from_file(struct oci_process *p, const struct exec_options *o, struct error *e)
{
	_cleanup_json_ json_t *j = json_read(AT_FDCWD, o->process, OCI_CONFIG_MAX, e);
	int r;

	if (!j)
		return e->code;
	oci_process_free(p);
	*p = (struct oci_process){ 0 };
	r = oci_process_parse(j, "process", p, e);
	if (r < 0)
		return error_wrap(e, "%s", o->process);
	/* As runc does: an option beside the file decides. */
	p->terminal |= o->tty;
	return 0;
}

static int read_process(struct oci_process *p, const struct exec_options *o, int argc, char **argv, struct error *e)
{
	if (o->process)
		return from_file(p, o, e);
	if (argc == 0)
		return error_set(e, EINVAL, "process args cannot be empty: give a command or --process FILE");
	return from_options(p, o, argv, e);
}

static int run_exec(void *options, int argc, char **argv, struct error *e)
{
	struct exec_options *o = options;
	_cleanup_oci_container_ struct oci_container c;
	_cleanup_oci_config_ struct oci_config cfg = { 0 };
	_cleanup_close_ int pidfd = -1, tty = -1;
	struct oci_started s;
	struct oci_exec x = { .process = &cfg.process, .console_socket = o->console_socket, .pid_file = o->pid_file, .pidfd_socket = o->pidfd_socket,
			      .cgroups = o->cgroups, .ignore_paused = o->ignore_paused };
	int code = 0, r;

	e->exit = 255; /* as runc, which callers know */
	oci_container_init(&c);
	r = oci_preserve(o->preserve_fds, &x.preserve, e);
	if (r == 0)
		r = oci_container_open(oci_global.root, argv[0], false, &c, e);
	if (r == 0)
		r = oci_container_config(&c, &cfg, e);
	if (r == 0)
		r = read_process(&cfg.process, o, argc - 1, argv + 1, e);
	if (r == 0 && cfg.process.terminal && o->detach && !o->console_socket)
		r = error_set(e, EINVAL, "cannot allocate tty if %s will detach without setting console socket", cli_program);
	if (r == 0 && !cfg.process.terminal && o->console_socket)
		r = error_set(e, EINVAL, "cannot use console socket if %s will not detach or allocate tty", cli_program);
	if (r == 0)
		r = oci_exec(&c, &cfg, &x, &s, e);
	if (r < 0)
		return r;
	pidfd = s.pidfd;
	tty = s.tty;
	r = o->detach ? 0 : oci_wait(s.pid, tty, &code, e);
	return r < 0 ? r : code;
}

const struct cli_command cmd_oci_exec = {
	.name = "exec", .group = "Life cycle", .args = "[OPTIONS] ID [COMMAND [ARG...]]", .summary = "Run another process in a container", .options = exec_table,
	.options_size = sizeof(struct exec_options), .min_args = 1, .max_args = -1, .stop_at_first = true, .run = run_exec,
};
