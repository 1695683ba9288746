/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci run: create, start and, without --detach, wait and delete. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "oci/create.h"
#include "oci/wait.h"

#include <sys/prctl.h>

struct run_cli {
	char *bundle, *config, *console_socket, *pid_file, *pidfd_socket;
	uint64_t preserve;
	bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
};

static const struct cli_option options[] = {
	CLI_OPT(struct run_cli, bundle, "bundle", 'b', CLI_STRING, "DIR", "folder with config.json (the working directory)", "dirs"),
	CLI_OPT(struct run_cli, config, "config", 0, CLI_STRING, "FILE", "in place of the bundle's config.json", "files"),
	CLI_OPT(struct run_cli, console_socket, "console-socket", 0, CLI_STRING, "SOCKET",
		"UNIX socket that gets the terminal's outer side", "files"),
	CLI_OPT(struct run_cli, pid_file, "pid-file", 0, CLI_STRING, "FILE", "write the container's process id there", "files"),
	CLI_OPT(struct run_cli, pidfd_socket, "pidfd-socket", 0, CLI_STRING, "SOCKET", "UNIX socket that gets a pidfd of the process", "files"),
	CLI_OPT(struct run_cli, preserve, "preserve-fds", 0, CLI_U64, "N", "pass descriptors 3 to 2 + N on", NULL),
	CLI_OPT(struct run_cli, no_pivot, "no-pivot", 0, CLI_FLAG, NULL, "move the root instead of pivot_root(2)", NULL),
	CLI_OPT(struct run_cli, no_new_keyring, "no-new-keyring", 0, CLI_FLAG, NULL, "keep the caller's session keyring", NULL),
	CLI_OPT(struct run_cli, detach, "detach", 'd', CLI_FLAG, NULL, "come back once it runs", NULL),
	CLI_OPT(struct run_cli, keep, "keep", 0, CLI_FLAG, NULL, "do not delete it when it has ended", NULL),
	CLI_OPT(struct run_cli, no_subreaper, "no-subreaper", 0, CLI_FLAG, NULL, "do not become the parent of its orphans", NULL),
	CLI_END,
};

int oci_wait_and_delete(struct oci_container *c, int tty, bool keep, struct error *e)
{
	struct error none = { 0 };
	int code = 0, r = oci_wait(c->pid, tty, &code, e);

	if (!keep || r < 0) {
		int d = oci_container_lock(c, &none);

		d = d < 0 ? d : oci_delete(c, true, r < 0 ? &none : e);
		r = r < 0 ? r : d;
	}
	return r < 0 ? r : code;
}

static int run(void *opts, int argc, char **argv, struct error *e)
{
	const struct run_cli *o = opts;
	struct oci_create_options co = { .bundle = o->bundle, .config = o->config, .console_socket = o->console_socket, .pid_file = o->pid_file,
					 .pidfd_socket = o->pidfd_socket,
					 .no_pivot = o->no_pivot, .no_new_keyring = o->no_new_keyring, .starts_now = true };
	_cleanup_oci_container_ struct oci_container c;
	struct oci_caller caller = oci_caller();
	_cleanup_close_ int tty = -1;
	int r;

	(void)argc;
	oci_container_init(&c);
	r = oci_preserve(o->preserve, &co.preserve_fds, e);
	if (r == 0 && !o->no_subreaper && !o->detach && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		r = error_errno(e, errno, "PR_SET_CHILD_SUBREAPER");
	if (r == 0)
		r = oci_create(&caller, argv[0], &co, &c, o->detach || o->console_socket ? NULL : &tty, e);
	if (r < 0)
		return r;
	r = oci_start(&c, e);
	if (r < 0) {
		struct error none = { 0 };

		oci_delete(&c, true, &none);
		return r;
	}
	oci_container_unlock(&c);
	return o->detach ? 0 : oci_wait_and_delete(&c, tty, o->keep, e);
}

const struct cli_command cmd_oci_run = {
	.name = "run",
	.group = "Life cycle",
	.args = "[OPTIONS] ID",
	.summary = "create a container, start it, wait for its end and delete it",
	.options = options,
	.options_size = sizeof(struct run_cli),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
