/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process of an OCI container becomes before it executes its program: the same for the first one (create) and for those
 * that join it (exec). In the order in which they are called; all run in that process. Errors name the property.
 */
#pragma once

#include "spec/oci.h"

#include <sys/types.h>

/* In the host's view, before ids change: oomScoreAdj, scheduler, ioPriority, affinity, memory policy, rlimits of `p`. */
int oci_process_limits(const struct oci_process *p, struct error *e);

/* A new session keyring named after the container; ENOSYS is fine. */
int oci_process_keyring(const char *id, const char *selinux, struct error *e);

/*
 * stdin, stdout and stderr: the terminal, or what they are; a new session. Given descriptors: the program gets 3 to
 * 2 + `preserve`, all above are close-on-exec.
 */
int oci_process_stdio(int tty_fd, struct error *e);
int oci_process_fds(unsigned preserve, struct error *e);

/* Before the container's process is made: an error when this machine has no such module. `mount_label` may be NULL. */
int oci_process_label_check(const struct oci_process *p, const char *mount_label, struct error *e);
/* The AppArmor profile or SELinux label for the next exec, through the procfs `proc_fd`. */
int oci_process_label(const struct oci_process *p, int proc_fd, struct error *e);

/*
 * Bounding set, groups, ids, the other sets, no_new_privs. When a seccomp filter is to come (`filtered`) and no_new_privs is not
 * set, CAP_SYS_ADMIN stays permitted, though not effective, until oci_process_after_filter(): so that the filter is the last thing
 * before the program, and a profile need allow no call of ours but capset(2) and execve(2). What the sets lend is in no bounding,
 * inheritable or ambient set, hence goes to no other program.
 */
int oci_process_become(const struct oci_process *p, bool filtered, struct error *e);
/* Around seccomp_oci_install(). */
int oci_process_before_filter(const struct oci_process *p, struct error *e);
int oci_process_after_filter(const struct oci_process *p, struct error *e);
/*
 * Landlock for what `cfg` declares, in its root and before ids change: a ruleset, or a negative errno. It goes with the filter.
 */
int oci_process_landlock(const struct oci_config *cfg, bool first, struct error *e);
int oci_process_cwd(const struct oci_process *p, struct error *e);

/* Adds HOME to the environment when it has none: as the container's passwd(5) says, or "/". In its root, with rights to read it. */
void oci_process_home(struct oci_process *p);

/* Executes what program_find() of runtime/program.h found; comes back only with an error. */
int oci_process_exec(const struct oci_process *p, const char *program, struct error *e);
