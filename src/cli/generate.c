/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A systemd unit for a container. `brig start --attach` stays in the foreground as the container's parent, so that systemd
 * knows the main process (Type=exec), its output and its exit code without a pid file. The container's own restart policy is
 * honoured by that process; systemd restarts only when the process itself was killed, with which the container dies.
 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/signal.h"
#include "engine/container.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct generate_options {
	bool files;
};

static const struct cli_option options[] = {
	CLI_OPT(struct generate_options, files, "files", 'f', CLI_FLAG, NULL,
		"write brig-NAME.service into the current folder and print its path", NULL),
	CLI_END,
};

/* A word of a command line or an assignment, as systemd.syntax(7) quotes it; "%" starts a specifier there, "$" a variable. */
static void put_word(struct buf *b, const char *s, bool command)
{
	buf_puts(b, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '%')
			buf_puts(b, "%%");
		else if (c == '$' && command)
			buf_puts(b, "$$");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else
			buf_add(b, s, 1);
	}
	buf_puts(b, "\"");
}

/* The unit must find the same state as the caller, who may have several. */
static void put_environment(struct buf *b)
{
	static const char *const names[] = { "BRIG_DATA", "BRIG_RUNTIME", "BRIG_CONFIG", "XDG_DATA_HOME", "XDG_CONFIG_HOME" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value) {
			_cleanup_free_ char *both = xasprintf("%s=%s", names[i], value);

			buf_puts(b, "Environment=");
			put_word(b, both, false);
			buf_puts(b, "\n");
		}
	}
}

static int own_path(char out[static PATH_MAX], struct error *e)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	if (n <= 0)
		return error_errno(e, n < 0 ? errno : ENOENT, "cannot find brig's own path");
	out[n] = 0;
	return 0;
}

static void put_command(struct buf *b, const char *key, const char *brig, const char *args, const char *id)
{
	buf_printf(b, "%s=", key);
	put_word(b, brig, true);
	buf_printf(b, " %s %s\n", args, id);
}

static int make_unit(const struct container *c, struct buf *b, struct error *e)
{
	const struct container_config *k = &c->config;
	int stop = k->stop_signal ? signal_number(k->stop_signal) : SIGTERM;
	const char *data = home_data_path(e);
	char brig[PATH_MAX];
	int r = data ? own_path(brig, e) : e->code;

	if (r < 0)
		return r;
	buf_printf(b, "# Made by brig %s for container %s.\n\n[Unit]\nDescription=brig container %s\n", BRIG_VERSION, k->name,
		   k->name);
	if (home_is_root())
		buf_puts(b, "Wants=network-online.target\nAfter=network-online.target local-fs.target\n");
	buf_puts(b, "RequiresMountsFor=");
	put_word(b, data, false);
	buf_puts(b, "\n\n[Service]\nType=exec\n");
	put_environment(b);
	put_command(b, "ExecStart", brig, "start --attach", k->id);
	_cleanup_free_ char *args = xasprintf("stop --time %llu", (unsigned long long)k->stop_timeout_s);
	put_command(b, "ExecStop", brig, args, k->id);
	buf_printf(b, "TimeoutStopSec=%llu\n", (unsigned long long)k->stop_timeout_s + 15);
	/* What ends by its stop signal has ended well. */
	buf_printf(b, "SuccessExitStatus=%d\n", 128 + (stop > 0 ? stop : SIGTERM));
	buf_printf(b, "Restart=%s\n", k->restart == RESTART_NO ? "no" : "on-abnormal");
	buf_puts(b, "KillMode=mixed\nDelegate=yes\n\n[Install]\n");
	buf_printf(b, "WantedBy=%s\n", home_is_root() ? "multi-user.target" : "default.target");
	return 0;
}

static int write_file(const struct container *c, const struct buf *unit, struct error *e)
{
	_cleanup_free_ char *name = xasprintf("brig-%s.service", c->config.name);
	char here[PATH_MAX];
	int r;

	if (!getcwd(here, sizeof(here)))
		return error_errno(e, errno, "current folder");
	r = file_replace(AT_FDCWD, name, unit->data, unit->len, 0644, false);
	if (r < 0)
		return error_errno(e, r, "cannot write %s", name);
	_cleanup_free_ char *path = xasprintf("%s/%s", here, name), *safe = str_escape(path);
	printf("%s\n", cli_on_terminal() ? safe : path);
	return 0;
}

static int run(void *options_, int argc, char **argv, struct error *e)
{
	struct generate_options *o = options_;
	_cleanup_buf_ struct buf unit = { 0 };
	struct container c;
	int r = container_find(argv[0], &c, e);

	(void)argc;
	if (r < 0)
		return r;
	if (c.config.tty)
		r = error_set(e, EINVAL, "container %s has a terminal (-t), which a service has not; make one without",
			      c.config.name);
	else if (c.config.auto_remove)
		r = error_set(e, EINVAL, "container %s goes when it ends (--rm), so a unit could start it only once",
			      c.config.name);
	else
		r = make_unit(&c, &unit, e);
	if (r == 0 && o->files)
		r = write_file(&c, &unit, e);
	else if (r == 0)
		fwrite(unit.data, 1, unit.len, stdout);
	container_free(&c);
	return r;
}

const struct cli_command cmd_generate_systemd = {
	.name = "generate systemd",
	.group = "Containers",
	.args = "[OPTIONS] CONTAINER",
	.summary = "write a systemd unit that starts a container at boot",
	.description =
		"The unit starts the container that exists and stops it; it does not make a new one. As root:\n\n"
		"    brig generate systemd web > /etc/systemd/system/brig-web.service\n"
		"    systemctl daemon-reload; systemctl enable --now brig-web\n\n"
		"As an ordinary user:\n\n"
		"    brig generate systemd web > ~/.config/systemd/user/brig-web.service\n"
		"    systemctl --user daemon-reload; systemctl --user enable --now brig-web; loginctl enable-linger\n\n"
		"The container's own restart policy is kept by brig. With one, systemd starts the container again also when brig itself "
		"was killed.",
	.options = options,
	.options_size = sizeof(struct generate_options),
	.min_args = 1,
	.max_args = 1,
	.complete = "containers",
	.run = run,
};
