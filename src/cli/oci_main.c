/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "oci/self.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

struct oci_global oci_global;
static char **oci_argv;

struct global_options {
	char *root, *log, *log_format, *log_level, *rootless, *cgroup_manager, *criu;
	bool debug, systemd_cgroup, version;
};

static const struct cli_option global_table[] = {
	CLI_OPT(struct global_options, root, "root", 0, CLI_STRING, "DIR", "folder of the states", "dirs"),
	CLI_OPT(struct global_options, log, "log", 0, CLI_STRING, "FILE", "append errors to this file too", "files"),
	CLI_OPT(struct global_options, log_format, "log-format", 0, CLI_STRING, "FORMAT", "of the log: text or json", "text json"),
	CLI_OPT(struct global_options, log_level, "log-level", 0, CLI_STRING, "LEVEL", "debug, warning or error", "debug warning error"),
	CLI_OPT(struct global_options, debug, "debug", 0, CLI_FLAG, NULL, "tell more", NULL),
	CLI_OPT(struct global_options, systemd_cgroup, "systemd-cgroup", 0, CLI_FLAG, NULL,
		"cgroupsPath is SLICE:PREFIX:NAME, made by systemd", NULL),
	CLI_OPT(struct global_options, rootless, "rootless", 0, CLI_STRING, "WORD", "true, false or auto", "true false auto"),
	CLI_OPT(struct global_options, cgroup_manager, "cgroup-manager", 0, CLI_STRING, "NAME", "cgroupfs, systemd or disabled",
		"cgroupfs systemd disabled"),
	CLI_OPT(struct global_options, criu, "criu", 0, CLI_STRING, "FILE", "criu, for checkpoint and restore", "files"),
	CLI_OPT(struct global_options, version, "version", 'v', CLI_FLAG, NULL, "version of brig-oci and of the specification", NULL),
	CLI_END,
};

static const struct cli_command global_command = {
	.name = "[GLOBAL OPTIONS]",
	.args = "COMMAND [OPTIONS] [ARG...]",
	.summary = "Run OCI bundles for podman, containerd, docker and others",
	.options = global_table,
	.options_size = sizeof(struct global_options),
	.max_args = -1,
	.stop_at_first = true,
};

/* --- what is told ------------------------------------------------------------------------------------------------ */

/* One line of the log in the form of logrus, which callers parse. */
static void log_line(const char *level, const char *text)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct buf out = { 0 };
	char time[40];

	if (!oci_global.log)
		return;
	fd = open(oci_global.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return;
	clock_format(clock_now_ns(), time);
	_cleanup_free_ char *safe = str_escape(text);
	json_t *quoted = json_string(safe);
	char *literal = json_dumps(quoted, JSON_ENCODE_ANY);

	if (oci_global.log_json)
		buf_printf(&out, "{\"level\":\"%s\",\"msg\":%s,\"time\":\"%s\"}\n", level, literal, time);
	else
		buf_printf(&out, "time=\"%s\" level=%s msg=%s\n", time, level, literal);
	free(literal);
	json_decref(quoted);
	fd_write_all(fd, out.data, out.len);
}

void oci_debug(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!oci_global.debug)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line("debug", text);
}

void oci_warn(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (oci_global.log)
		log_line("warning", text);
	else
		dprintf(2, "%s: warning: %s\n", cli_program, text);
}

/* Callers show the message to people and match on its words: one line, hints in the same line. */
static int tell(const struct error *e)
{
	_cleanup_free_ char *text = xstrdup(*e->text ? e->text : strerror(e->code ? -e->code : EIO)), *safe = NULL;
	char *hint;

	while ((hint = strstr(text, "\n  hint: "))) {
		memcpy(hint, "; ", 2);
		memmove(hint + 2, hint + 9, strlen(hint + 9) + 1);
	}
	safe = str_escape(text);
	log_line("error", text);
	dprintf(2, "%s: %s\n", cli_program, safe);
	return e->exit ? e->exit : 1;
}

/* --- what is read ------------------------------------------------------------------------------------------------ */

static int say_version(void)
{
	printf("brig-oci version " BRIG_VERSION "\nspec: 1.2.1\n");
	return 0;
}

/* True for an ordinary user, and for root of a user namespace as rootless podman starts us. */
static bool is_rootless(void)
{
	char line[64];
	unsigned inside, outside, count;

	if (geteuid() != 0)
		return true;
	return file_read_line(AT_FDCWD, "/proc/self/uid_map", line, sizeof(line)) == 0 &&
	       sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && (outside != 0 || count != UINT32_MAX);
}

static int read_rootless(const char *word, bool *out, struct error *e)
{
	*out = is_rootless();
	if (!word || streq(word, "auto"))
		return 0;
	if (streq(word, "true") || streq(word, "1"))
		*out = true;
	else if (streq(word, "false") || streq(word, "0"))
		*out = false;
	else
		return error_set(e, EINVAL, "invalid value \"%s\" for --rootless: true, false or auto", word);
	return 0;
}

/* As runc has it: who became root in a container of its own (USER=root) means that container's /run. */
static char *default_root(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");

	if (!is_rootless() || (geteuid() == 0 && (streq(user, "root") || !dir)))
		return xstrdup("/run/brig-oci");
	return dir && *dir == '/' ? xasprintf("%s/brig-oci", dir) : xasprintf("/tmp/brig-oci-%u", geteuid());
}

static char *absolute(const char *path)
{
	_cleanup_free_ char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);

	return cwd ? xasprintf("%s/%s", cwd, path) : xstrdup(path);
}

static int set_globals(const struct global_options *o, struct error *e)
{
	const char *log = o->log, *manager = o->cgroup_manager;
	int r = read_rootless(o->rootless, &oci_global.rootless, e);

	if (r < 0)
		return r;
	if (o->log_format && !streq(o->log_format, "text") && !streq(o->log_format, "json"))
		return error_set(e, EINVAL, "unknown log-format \"%s\": text or json", o->log_format);
	if (manager && !streq(manager, "cgroupfs") && !streq(manager, "systemd") && !streq(manager, "disabled"))
		return error_set(e, EINVAL, "unknown cgroup-manager \"%s\": cgroupfs, systemd or disabled", manager);
	if (log && str_after(log, "file:"))
		log = str_after(log, "file:");
	if (log && (str_after(log, "journald:") || str_after(log, "syslog:")))
		return error_set(e, EINVAL, "--log %s: only a file can be written", log);
	oci_global.criu = o->criu;
	oci_global.log = log && *log ? absolute(log) : NULL;
	oci_global.log_json = streq(o->log_format, "json");
	oci_global.debug = o->debug || streq(o->log_level, "debug");
	oci_global.systemd_cgroup = o->systemd_cgroup || streq(manager, "systemd");
	oci_global.no_cgroup = streq(manager, "disabled");
	oci_global.root = o->root && *o->root ? absolute(o->root) : default_root();
	return 0;
}

static void help(const struct cli_command *const *commands)
{
	cli_help_command(&global_command, 0);
	printf("\nCommands:\n");
	for (; *commands; commands++)
		if (!(*commands)->hidden)
			printf("  %-12s %s\n", (*commands)->name, (*commands)->summary);
}

static int run_command(const struct cli_command *c, int argc, char **argv, struct error *e)
{
	_cleanup_free_ void *options = xcalloc(1, c->options_size ? c->options_size : 1);
	_cleanup_free_ char **args = NULL;
	int r;

	if (c->defaults)
		c->defaults(options);
	r = cli_parse(c, argc, argv, options, &args, e);
	if (r > 0) {
		cli_help_command(c, 0);
		r = 0;
	} else if (r == 0) {
		r = c->run(options, (int)strv_len(args), args, e);
		if (r < 0 && e->code == 0)
			error_errno(e, r, "%s", c->name);
	}
	cli_options_free(c, options);
	return r;
}

static int dispatch(const struct cli_command *const *commands, char **args, struct error *e)
{
	const char *name = args[0];

	if (!name || streq(name, "help") || streq(name, "h")) {
		help(commands);
		return 0;
	}
	if (streq(name, "__describe")) {
		cli_describe(commands);
		return 0;
	}
	if (streq(name, "create") || streq(name, "run") || streq(name, "exec") || streq(name, "restore")) {
		int r = oci_self_protect(oci_argv, e);

		if (r < 0)
			return r;
	}
	for (; *commands; commands++)
		if (cli_named(*commands, name))
			return run_command(*commands, (int)strv_len(args) - 1, args + 1, e);
	return error_set(e, EINVAL, "unknown command \"%s\"", name);
}

/* A caller may have closed one of the three; a file opened later must not become the container's stdout. */
static void open_stdio(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

int oci_main(const struct cli_command *const *commands, int argc, char **argv)
{
	struct global_options o = { 0 };
	_cleanup_free_ char **args = NULL;
	struct error e = { 0 };
	int r;

	open_stdio();
	oci_argv = argv;
	cli_program = "brig-oci";
	cli_commands = commands;
	r = cli_parse(&global_command, argc - 1, argv + 1, &o, &args, &e);
	if (r > 0) {
		help(commands);
		r = 0;
	} else if (r == 0 && o.version) {
		r = say_version();
	} else if (r == 0) {
		r = set_globals(&o, &e);
		if (r == 0)
			r = dispatch(commands, args, &e);
	}
	if (r < 0)
		return tell(&e);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		error_errno(&e, errno ? errno : EIO, "cannot write to standard output");
		return tell(&e);
	}
	return r;
}
