/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_file.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MAX = 1024 };

/* A line from the terminal without echo. */
int key_ask_terminal(const char *what, char **out, struct error *e)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	char line[PASSPHRASE_MAX];
	ssize_t n;

	if (tty < 0 || tcgetattr(tty, &before) < 0) {
		error_set(e, ENOTTY, "the private key needs a passphrase, and there is no terminal to ask for it");
		error_hint(e, "--passphrase-file FILE");
		return -ENOTTY;
	}
	dprintf(tty, "%s: ", what);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	n = read(tty, line, sizeof(line));
	tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	if (n < 1 || line[n - 1] != '\n')
		return error_set(e, ECANCELED, "no passphrase was given");
	line[n - 1] = 0;
	*out = xstrdup(line);
	explicit_bzero(line, sizeof(line));
	return 0;
}

int key_read_passphrase(const char *path, char **out, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = file_read(AT_FDCWD, path, PASSPHRASE_MAX, &text, &n);

	if (r < 0)
		return error_errno(e, r, "%s", path);
	if (strlen(text) != n)
		return error_set(e, EINVAL, "%s: a NUL byte in the passphrase", path);
	*out = xstrndup(text, strcspn(text, "\r\n"));
	explicit_bzero(text, n);
	return 0;
}

static int ask(void *passphrase_file, char **out, struct error *e)
{
	return passphrase_file ? key_read_passphrase(passphrase_file, out, e) : key_ask_terminal("Passphrase of the private key", out, e);
}

/* Whoever can read the key can sign in its owner's name. */
static void warn_readable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 077))
		cli_say("%s can be read by others (mode %03o): chmod 600", path, (unsigned)st.st_mode & 0777);
}

int key_read(const char *path, const char *passphrase_file, struct privkey *out, struct error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	if (!path) {
		error_set(e, EINVAL, "--key FILE is missing");
		error_hint(e, "brig trust key PREFIX makes PREFIX.private and PREFIX.pub");
		return -EINVAL;
	}
	r = file_read(AT_FDCWD, path, PRIVKEY_FILE_MAX, &text, &n);
	if (r < 0)
		return error_errno(e, r, "%s", path);
	r = privkey_parse(text, n, ask, (void *)(uintptr_t)passphrase_file, out, e);
	explicit_bzero(text, n);
	if (r < 0)
		return error_wrap(e, "%s", path);
	warn_readable(path);
	return 0;
}
