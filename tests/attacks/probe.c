/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char **wanted;

bool probe_wanted(const char *id, const char *name)
{
	if (!wanted || !*wanted)
		return true;
	for (char **w = wanted; *w; w++)
		if (strcmp(*w, id) == 0 || strcmp(*w, name) == 0)
			return true;
	return false;
}

void probe_line(const char *id, const char *name, const char *verdict, const char *fmt, ...)
{
	va_list ap;

	printf("%s\t%s\t%s\t", id, name, verdict);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static bool killed(const char *id, const char *name, long result)
{
	if (result < PROBE_KILLED)
		return false;
	probe_line(id, name, "stopped", "SIG%s", sigabbrev_np((int)(result - PROBE_KILLED)));
	return true;
}

void probe_result(const char *id, const char *name, long result)
{
	if (killed(id, name, result))
		return;
	if (result >= 0)
		probe_line(id, name, "reached", "ok");
	else
		probe_line(id, name, "stopped", "%s", error_name((int)-result));
}

void probe_reach(const char *id, const char *name, long result)
{
	if (result >= 0 || result == -EPERM || result == -ENOSYS || result == -EACCES)
		probe_result(id, name, result);
	else
		probe_line(id, name, "reached", "%s", error_name((int)-result));
}

long probe_isolated(probe_fn *fn, void *arg)
{
	long result = -EIO;
	int p[2], status;

	fflush(stdout);
	if (pipe(p) < 0)
		return -errno;
	pid_t pid = fork();

	if (pid < 0) {
		result = -errno;
		close(p[0]);
		close(p[1]);
		return result;
	}
	if (pid == 0) {
		struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		close(p[0]);
		alarm(10);
		result = fn(arg);
		_exit(write(p[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
	}
	close(p[1]);
	if (read(p[0], &result, sizeof(result)) != sizeof(result))
		result = -EIO;
	close(p[0]);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		return PROBE_KILLED + WTERMSIG(status);
	return result;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "walk", probe_walk },	  { "path", probe_path }, { "watch", probe_watch }, { "hog", probe_hog },
	{ "net", probe_net },	  { "tty", probe_tty },	  { "swap", probe_swap },   { "other", probe_other },
};

int main(int argc, char **argv)
{
	if (argc > 1)
		for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
			if (strcmp(argv[1], commands[i].name) == 0)
				return commands[i].run(argc - 2, argv + 2);
	wanted = argv + 1;
	probe_self();
	probe_calls();
	probe_abi();
	probe_sockets();
	probe_files();
	return 0;
}
