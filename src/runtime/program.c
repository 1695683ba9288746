/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/program.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not through a magic link: /proc/self/exe as a command would be brig itself, run inside (R1). */
static int is_program(const char *path)
{
	_cleanup_close_ int fd = path_open_plain(AT_FDCWD, path, O_PATH);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

int program_find(const char *name, char *const *env, char *out, size_t size, struct error *e)
{
	const char *path = NULL;
	int r, seen = -ENOENT;

	if (!*name) {
		e->exit = EXIT_NOT_FOUND;
		return error_set(e, ENOENT, "the command is an empty string");
	}
	if (strchr(name, '/')) {
		r = is_program(name);
		snprintf(out, size, "%s", name);
		if (r == 0)
			return 0;
		e->exit = r == -ENOENT || r == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
		_cleanup_free_ char *safe = str_escape(name);
		return r == -EISDIR ? error_set(e, EISDIR, "exec %s: is a directory: permission denied", safe) :
		       r == -ENOENT ? error_set(e, ENOENT, "exec %s: no such file or directory", safe) :
		       r == -EACCES ? error_set(e, EACCES, "exec %s: permission denied", safe) :
				      error_errno(e, r, "exec %s", safe);
	}
	strv_foreach(it, env)
		if (str_after(*it, "PATH="))
			path = *it + 5;
	if (!path)
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (const char *p = path; p;) {
		const char *end = strchrnul(p, ':');

		if (end > p && (size_t)snprintf(out, size, "%.*s/%s", (int)(end - p), p, name) < size) {
			r = is_program(out);
			if (r == 0)
				return 0;
			if (r == -EACCES)
				seen = r;
		}
		p = *end ? end + 1 : NULL;
	}
	_cleanup_free_ char *safe = str_escape(name);
	if (seen == -EACCES) {
		e->exit = EXIT_NOT_EXECUTABLE;
		return error_set(e, EACCES, "exec: \"%s\": permission denied", safe);
	}
	e->exit = EXIT_NOT_FOUND;
	return error_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", safe);
}

void program_signals(void)
{
	sigset_t none;

	for (int s = 1; s < 65; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
