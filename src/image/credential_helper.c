/* SPDX-License-Identifier: Apache-2.0 */
#include "image/credentials.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024 };

static void __attribute__((noreturn)) run(const char *path, const char *action, int in, int out)
{
	/* What the known helpers need: a keyring's bus, gpg's home, pass. Nothing else of the caller goes there. */
	static const char *const names[] = { "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
					     "GNUPGHOME", "PASSWORD_STORE_DIR", "LANG", "USER", NULL };
	char *env[ARRAY_SIZE(names) + 1], *argv[] = { (char *)path, (char *)action, NULL };
	size_t n = 0;
	sigset_t none;

	env[n++] = (char[]){ "PATH=/usr/local/bin:/usr/bin:/bin" };
	for (size_t i = 0; names[i]; i++)
		if (getenv(names[i]))
			env[n++] = xasprintf("%s=%s", names[i], getenv(names[i]));
	env[n] = NULL;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1)
		execve(path, argv, env);
	_exit(127);
}

int credential_helper(const char *name, const char *action, const char *input, char **out, struct error *e)
{
	_cleanup_close_ int in = memfd_sealed("credential", input, strlen(input)), answer = -1, write_end = -1;
	_cleanup_free_ char *program = NULL;
	char path[256];
	int pipes[2], r, status;
	size_t n;
	pid_t pid;

	*out = NULL;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(name) || !*name ||
	    strlen(name) > 60)
		return error_set(e, EINVAL, "\"%.60s\" cannot be the name of a credential helper", name);
	program = xasprintf("docker-credential-%s", name);
	r = proc_find(program, path, sizeof(path));
	if (r < 0) {
		error_set(e, ENOPKG, "%s is not installed", program);
		error_hint(e, "it is looked for in /usr/local/bin, /usr/bin and /bin");
		return -ENOPKG;
	}
	if (in < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(e, in < 0 ? in : errno, "%s", program);
	answer = pipes[0];
	write_end = pipes[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run(path, action, in, write_end);
	cleanup_close(&write_end);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = fd_read_all(answer, ANSWER_MAX, out, &n);
	if (r < 0)
		kill(pid, SIGKILL);
	status = proc_wait(pid);
	if (r < 0)
		return error_errno(e, r, "%s", program);
	if (status == 0)
		return 0;
	/* docker-credential-helpers: this sentence means that it has none for the server. */
	r = strstr(*out, "credentials not found") ? -ENOENT : -EIO;
	if (r == -EIO) {
		_cleanup_free_ char *shown = str_escape_n(*out, strnlen(*out, 200));

		error_set(e, EIO, "%s %s failed: %s", program, action, shown);
	}
	free(*out);
	*out = NULL;
	return r;
}
