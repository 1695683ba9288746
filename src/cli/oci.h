/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of brig-oci, in the spelling of runc and crun: GLOBAL OPTIONS, a command, its own options and an id. It is
 * one table as brig's own is; what stands before the command is read here.
 */
#pragma once

#include "cli/cli.h"
#include "oci/create.h"

struct oci_global {
	char *root;		/* folder of the states, made when it is not there */
	char *log;		/* file to which errors are appended too; NULL: stderr only */
	char *criu;		/* --criu; NULL: the one in the usual folders */
	bool log_json;
	bool debug;
	bool systemd_cgroup;	/* cgroupsPath is SLICE:PREFIX:NAME */
	bool no_cgroup;		/* --cgroup-manager=disabled */
	bool rootless;		/* the caller lacks root's rights: what needs them is left out where runc and crun leave it out */
};
extern struct oci_global oci_global;

/* Reads the global options, runs the command, tells its error on stderr and in the log. Returns the exit code. */
int oci_main(const struct cli_command *const *commands, int argc, char **argv);

/* A line for the log when --debug was given. */
__attribute__((format(printf, 1, 2))) void oci_debug(const char *fmt, ...);
/* A warning: to the log, or to stderr without one. */
__attribute__((format(printf, 1, 2))) void oci_warn(const char *fmt, ...);

/* Every command of brig-oci, NULL-terminated. */
extern const struct cli_command *const oci_commands[];
extern const struct cli_command cmd_oci_checkpoint, cmd_oci_restore;
extern const struct cli_command cmd_oci_create, cmd_oci_delete, cmd_oci_events, cmd_oci_exec, cmd_oci_features, cmd_oci_kill,
	cmd_oci_list, cmd_oci_pause, cmd_oci_ps, cmd_oci_resume, cmd_oci_run, cmd_oci_spec, cmd_oci_start, cmd_oci_state,
	cmd_oci_update;

/* The global options as src/oci takes them. */
struct oci_caller oci_caller(void);
/* --preserve-fds: the descriptors must be open now, before one of ours could be taken for them. */
int oci_preserve(uint64_t n, unsigned *out, struct error *e);
/* Waits for the end of one that is open and not locked, then deletes it unless `keep`. Its exit code or a negative errno. */
int oci_wait_and_delete(struct oci_container *c, int tty, bool keep, struct error *e);
