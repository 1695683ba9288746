/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: a static program that stands where an attacker would stand, inside a container, and asks the kernel what it
 * may do. Every probe is harmless, also where nothing stops it: files are opened for writing without O_TRUNC or O_CREAT
 * and closed, calls get arguments that do nothing, and what is changed is the state of a child that ends at once.
 *
 * Each prints one line, parted by tabs:
 *
 *	ID  NAME  VERDICT  DETAIL
 *
 * ID is a row of the catalogue of attacks (R27, A18, D1). VERDICT is "stopped" (DETAIL: the errno or signal), "reached"
 * (DETAIL: "ok", or the errno with which the kernel itself, not a wall, refused the arguments), or "fact" (DETAIL: a value).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* True when the person asked for this probe: no names on the command line mean all of them. */
bool probe_wanted(const char *id, const char *name);

__attribute__((format(printf, 4, 5))) void probe_line(const char *id, const char *name, const char *verdict,
						       const char *fmt, ...);
/* The line for a result: 0 or positive is "reached ok", a negative errno "stopped", unless `args_only` ... */
void probe_result(const char *id, const char *name, long result);
/* ... where any errno but EPERM, ENOSYS and EACCES comes from code behind the walls: "reached". */
void probe_reach(const char *id, const char *name, long result);

/*
 * Runs fn(arg) in a child: what it does to itself ends with it. Its result (a negative errno or a number), or
 * PROBE_KILLED + signal when it was killed.
 */
enum { PROBE_KILLED = 1 << 20 };
typedef long probe_fn(void *arg);
long probe_isolated(probe_fn *fn, void *arg);

/* Classes: each prints the lines of its probes. */
void probe_calls(void);	  /* system calls with arguments that do nothing */
void probe_abi(void);	  /* the same through the doors of other architectures */
void probe_sockets(void); /* socket families and protocols */
void probe_files(void);	  /* files of the kernel and of the host, devices */
void probe_self(void);	  /* facts: identity, capabilities, descriptors, mounts, limits */

/* Commands with arguments; each returns the exit code. */
int probe_walk(int argc, char **argv);	  /* every file of /proc and /sys; never outside of a container */
int probe_path(int argc, char **argv);	  /* PATH...: can a path of the host be reached by any way? */
int probe_watch(int argc, char **argv);	  /* SECONDS [all]: attack processes that enter */
int probe_hog(int argc, char **argv);	  /* WHAT [MAX [PATH [HOLD]]]: take until refused, keep for HOLD seconds */
int probe_net(int argc, char **argv);	  /* connect|bind|abstract ... */
int probe_tty(int argc, char **argv);	  /* BYTE: push it into the terminal */
int probe_swap(int argc, char **argv);	  /* A B SECONDS: exchange two names all the time */
int probe_other(int argc, char **argv);	  /* pid PID | shm ID: things of the host by number */
