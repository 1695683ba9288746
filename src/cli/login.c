/* SPDX-License-Identifier: Apache-2.0 */
/* `brig login` and `brig logout` */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/credentials.h"
#include "image/registry.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_MAX = 16 * 1024 };

struct login_options {
	char *user;
	bool password_stdin;
};

static const struct cli_option options[] = {
	CLI_OPT(struct login_options, user, "username", 'u', CLI_STRING, "NAME", "user; asked for on a terminal", NULL),
	CLI_OPT(struct login_options, password_stdin, "password-stdin", 0, CLI_FLAG, NULL,
		"read the password from standard input", NULL),
	CLI_END,
};

/* One line from the terminal, with or without echo. */
static int ask(const char *what, bool echo, char **out, struct error *e)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	char line[1024];
	ssize_t n;

	if (tty < 0 || tcgetattr(tty, &before) < 0) {
		error_set(e, ENOTTY, "no terminal to ask for user and password");
		error_hint(e, "brig login -u NAME --password-stdin HOST < FILE");
		return -ENOTTY;
	}
	dprintf(tty, "%s: ", what);
	quiet = before;
	if (!echo)
		quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	n = read(tty, line, sizeof(line) - 1);
	tcsetattr(tty, TCSAFLUSH, &before);
	if (!echo)
		dprintf(tty, "\n");
	if (n <= 1 || line[n - 1] != '\n')
		return error_set(e, ECANCELED, "no %s was given", what);
	line[n - 1] = 0;
	*out = xstrdup(line);
	explicit_bzero(line, sizeof(line));
	return 0;
}

static int read_credentials(const struct login_options *o, struct credentials *c, struct error *e)
{
	size_t n;
	int r = 0;

	if (o->user)
		c->user = xstrdup(o->user);
	else if (o->password_stdin)
		r = error_set(e, EINVAL, "--password-stdin needs --username");
	else
		r = ask("Username", true, &c->user, e);
	if (r < 0)
		return r;
	if (strchr(c->user, ':') || !*c->user)
		return error_set(e, EINVAL, "a user's name is not empty and has no colon");
	if (!o->password_stdin)
		return ask("Password", false, &c->password, e);
	r = fd_read_all(0, PASSWORD_MAX, &c->password, &n);
	if (r < 0)
		return error_errno(e, r, "standard input");
	if (strlen(c->password) != n)
		return error_set(e, EINVAL, "a NUL byte in the password");
	while (n > 0 && (c->password[n - 1] == '\n' || c->password[n - 1] == '\r'))
		c->password[--n] = 0;
	return n ? 0 : error_set(e, EINVAL, "the password is empty");
}

/* A host as registries have it; docker's old spellings mean docker.io. */
static int read_host(const char *arg, char **out, struct error *e)
{
	_cleanup_reference_ struct reference ref = { 0 };
	const char *host = str_after(arg, "https://");
	_cleanup_free_ char *name = NULL, *plain = xstrndup(host ? host : arg, strcspn(host ? host : arg, "/"));
	int r;

	name = xasprintf("%s/x/y", plain);
	r = reference_parse(name, &ref, e);
	if (r < 0) {
		error_set(e, EINVAL, "\"%s\" is no registry: HOST[:PORT], like quay.io or reg.example:5000", arg);
		return -EINVAL;
	}
	*out = steal_ptr(&ref.host);
	return 0;
}

static int login(void *options_, int argc, char **argv, struct error *e)
{
	_cleanup_credentials_ struct credentials c = { 0 };
	_cleanup_free_ char *host = NULL, *where = NULL;
	int r = read_host(argv[0], &host, e);

	(void)argc;
	if (r == 0)
		r = read_credentials(options_, &c, e);
	if (r == 0)
		r = registry_login(host, c.user, c.password, e);
	if (r == 0)
		r = credentials_keep(host, &c, &where, e);
	if (r < 0)
		return error_wrap(e, "%s", host ? host : argv[0]);
	printf("Login Succeeded\n");
	cli_say("kept in %s", where);
	return 0;
}

static int logout(void *options_, int argc, char **argv, struct error *e)
{
	_cleanup_free_ char *host = NULL, *where = NULL;
	int r = read_host(argv[0], &host, e);

	(void)options_;
	(void)argc;
	if (r == 0)
		r = credentials_forget(host, &where, e);
	if (r < 0)
		return r;
	if (r == 0)
		return error_set(e, ENOENT, "nothing is kept of %s", host);
	printf("Removed login credentials for %s\n", host);
	return 0;
}

const struct cli_command cmd_login = {
	.name = "login",
	.group = "Images",
	.args = "[OPTIONS] HOST[:PORT]",
	.summary = "keep user and password of a registry",
	.description = "The registry is asked first whether it takes them. They are kept where podman and skopeo look too: "
		       "$REGISTRY_AUTH_FILE, else containers/auth.json in $XDG_RUNTIME_DIR (for root /run/containers/0/auth.json), or "
		       "by the credential helper that this file names.",
	.options = options,
	.options_size = sizeof(struct login_options),
	.min_args = 1,
	.max_args = 1,
	.run = login,
};

static const struct cli_option no_options[] = { CLI_END };

const struct cli_command cmd_logout = {
	.name = "logout",
	.group = "Images",
	.args = "HOST[:PORT]",
	.summary = "forget user and password of a registry",
	.description = "In every file in which brig looks for them.",
	.options = no_options,
	.options_size = 1,
	.min_args = 1,
	.max_args = 1,
	.run = logout,
};
