/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pull_for.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "image/name.h"
#include "image/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 4096 };

/* What loads large libraries and speaks with others is a program of its own; its progress and questions are the person's. */
static int run_pull(const char *ref, bool always, const char *platform, bool quiet, char **out, struct error *e)
{
	_cleanup_free_ char *path = xasprintf("%sbrig-image", proc_libexec());
	/* named: a literal of a branch would end with it */
	char word_quiet[] = "--quiet", word_platform[] = "--platform";
	char *argv[9] = { (char[]){ "brig" }, (char[]){ "pull" }, (char[]){ "--for-run" } };
	_cleanup_close_ int from = -1, to = -1;
	int pipes[2], r, status;
	size_t n = 3, len;
	pid_t pid;

	if (quiet)
		argv[n++] = word_quiet;
	if (platform) {
		argv[n++] = word_platform;
		argv[n++] = (char *)platform;
	}
	argv[n++] = (char[]){ "--" };
	argv[n++] = (char *)ref;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe2");
	from = pipes[0];
	to = pipes[1];
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (dup2(to, 1) == 1)
			execv(path, argv);
		_exit(127);
	}
	cleanup_close(&to);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	r = fd_read_all(from, NAME_MAX_BYTES, out, &len);
	status = proc_wait(pid);
	if (status == 0 && r == 0 && len > 1) {
		(*out)[len - 1] = 0;
		return 0;
	}
	error_set(e, ENOENT, always ? "%s was not fetched" : "no such image: %s (it is not here, and it was not fetched)", ref);
	error_hint(e, "from a file: brig load -i FILE");
	if (proc_exit_code(status) == 127)
		error_hint(e, "%s cannot be run: install brig as a whole", path);
	return -ENOENT;
}

int pull_for(const char *ref, const char *when, const char *platform, bool quiet, char **name, struct error *e)
{
	bool always = streq(when, "always"), never = streq(when, "never");
	struct image img;
	int r;

	*name = NULL;
	if (when && !always && !never && !streq(when, "missing")) {
		_cleanup_free_ char *safe = str_escape(when);

		error_set(e, EINVAL, "--pull %s: give missing, always or never", safe);
		return -EINVAL;
	}
	if (never)
		return 0;
	if (!always) {
		r = image_find(ref, &img, e);
		if (r == 0)
			image_free(&img);
		if (r != -ENOENT)
			return r;
		/* What lies below localhost/ is in no registry, and a digest alone says no place. */
		if (str_after(ref, "localhost/") || digest_hex(ref))
			return r;
		if (e)
			*e = (struct error){ 0 };
	}
	return run_pull(ref, always, platform, quiet, name, e);
}
