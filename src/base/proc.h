/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: identity that survives pid reuse, waiting, and running a helper program. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * The start time of a process in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)). With the pid it names
 * one process for good. 0 when the process is gone.
 */
uint64_t proc_start_time(pid_t pid);

/* pidfd_open(2): descriptor or negative errno. */
int proc_pidfd(pid_t pid);
/* A pidfd of `pid` only if its start time is `start`; -ESRCH otherwise. */
int proc_pidfd_checked(pid_t pid, uint64_t start);
int proc_pidfd_signal(int pidfd, int sig);
/* Waits until the process of `pidfd` ended or `timeout_ms` passed (-1: for ever). 1 ended, 0 timeout, <0 errno. */
int proc_pidfd_wait(int pidfd, int timeout_ms);

/* waitpid through EINTR; the wait status, or a negative errno. */
int proc_wait(pid_t pid);
/* Exit code as a shell gives it: the code, or 128 + signal. */
int proc_exit_code(int wait_status);

/*
 * Runs a helper to its end with a clean environment (PATH and what `env` adds), stdin from /dev/null, every other
 * descriptor closed but `keep` (which becomes number 3, or -1 for none). Its stderr, up to 1 KiB, is put into the
 * error. `path` is absolute: no search path steers brig. 0, or a negative errno when it could not run or ended
 * with another code than 0.
 */
int proc_run(const char *path, char *const argv[], char *const env[], int keep, struct error *e);

/* Finds an executable in the fixed directories /usr/local/{s,}bin, /usr/{s,}bin, /{s,}bin; path in `out` or -ENOENT. */
int proc_find(const char *name, char *out, size_t size);

/* Our own libexec directory with its last slash: beside the running binary in a build tree, else the installed one. */
const char *proc_libexec(void);
/* The path of a file of ours below share/brig/, beside the installed libexec or where the build says. The caller frees. */
char *proc_share(const char *name);
