/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn)) child(const struct oci_hook *h, int in)
{
	char *const plain[] = { h->path, NULL }, *const none[] = { NULL };
	sigset_t set;

	if (dup2(in, 0) < 0)
		_exit(126);
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	execve(h->path, h->args ? h->args : plain, h->env ? h->env : none);
	dprintf(2, "%s: %s\n", h->path, strerror(errno));
	_exit(127);
}

static int run_one(const struct oci_hook *h, const char *state, struct error *e)
{
	_cleanup_close_ int in = memfd_sealed("state", state, strlen(state)), pidfd = -1;
	_cleanup_free_ char *safe = str_escape(h->path);
	int status, r;
	pid_t pid;

	if (in < 0)
		return error_errno(e, in, "cannot write the state for a hook");
	lseek(in, 0, SEEK_SET);
	pid = fork();
	if (pid == 0)
		child(h, in);
	if (pid < 0)
		return error_errno(e, errno, "fork");
	pidfd = proc_pidfd(pid);
	r = h->timeout > 0 && pidfd >= 0 ? proc_pidfd_wait(pidfd, h->timeout > 2000000 ? 2000000000 : (int)h->timeout * 1000) : 1;
	if (r != 1)
		kill(pid, SIGKILL);
	status = proc_wait(pid);
	if (r != 1)
		return error_set(e, ETIMEDOUT, "%s: did not end within %lld s", safe, (long long)h->timeout);
	if (status < 0)
		return error_errno(e, status, "%s", safe);
	if (WIFSIGNALED(status))
		return error_set(e, ECANCELED, "%s: was ended by signal %d", safe, WTERMSIG(status));
	return WEXITSTATUS(status) ? error_set(e, ECANCELED, "%s: exit status %d", safe, WEXITSTATUS(status)) : 0;
}

int oci_hooks_run_text(const struct oci_config *cfg, enum oci_hook_kind kind, const char *state, struct error *e)
{
	for (size_t i = 0; i < cfg->n_hooks[kind]; i++) {
		int r = run_one(&cfg->hooks[kind][i], state, e);

		if (r < 0)
			return error_wrap(e, "error running %s hook #%zu", oci_hook_names[kind], i);
	}
	return 0;
}

int oci_hooks_run(const struct oci_config *cfg, enum oci_hook_kind kind, const struct oci_container *c, const char *status,
		  struct error *e)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;

	if (cfg->n_hooks[kind] == 0)
		return 0;
	j = oci_container_json(c, status, false);
	text = json_text(j);
	return oci_hooks_run_text(cfg, kind, text, e);
}
