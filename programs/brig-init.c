/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pid 1 of a container that was started with --init: starts the command, passes signals on to it, reaps every orphan, and
 * ends as the command does. It is executed from sealed memory behind all walls (see runtime/launch.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static void __attribute__((noreturn)) become(char **argv, const sigset_t *before)
{
	static const char what[] = "brig-init: cannot execute ";
	int err;

	/* A process group of its own, in the foreground of the terminal if there is one: job control works inside. */
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(0, getpid());
	signal(SIGTTOU, SIG_DFL);
	sigprocmask(SIG_SETMASK, before, NULL);
	execvp(argv[0], argv);
	err = errno;
	(void)!write(2, what, sizeof(what) - 1);
	(void)!write(2, argv[0], strlen(argv[0]));
	(void)!write(2, "\n", 1);
	_exit(err == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

/* Reaps all that has ended; the command's wait status, or -1 while it runs. */
static int reap(pid_t command)
{
	int status, found = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			found = status;
	return found;
}

int main(int argc, char **argv)
{
	sigset_t all, before;
	pid_t command;

	(void)argc;
	if (!argv[0])
		return NOT_FOUND;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	command = fork();
	if (command < 0)
		return CANNOT_RUN;
	if (command == 0)
		become(argv, &before);
	prctl(PR_SET_NAME, "brig-init");
	for (;;) {
		int sig, status;

		if (sigwait(&all, &sig) != 0)
			continue;
		if (sig != SIGCHLD) {
			kill(command, sig);
			continue;
		}
		status = reap(command);
		if (status >= 0)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}
