/* SPDX-License-Identifier: Apache-2.0 */
/* brig-oci checkpoint and restore, by criu. */
#include "cli/oci.h"

#include "base/cleanup.h"
#include "oci/criu.h"
#include "oci/wait.h"

#include <sys/prctl.h>

struct criu_cli {
	struct oci_criu_options criu;
	char *image_path, *work_path, *parent_path, *cgroups_mode, *lsm_profile, *lsm_mount_context,
		*page_server, *status_fd;
	char *bundle, *console_socket, *pid_file;
	bool lazy_pages, detach, no_pivot, no_subreaper, keep;
};

#define FLAG(member, name, help) CLI_OPT(struct criu_cli, member, name, 0, CLI_FLAG, NULL, help, NULL)
#define SHARED                                                                                       \
	CLI_OPT(struct criu_cli, image_path, "image-path", 0, CLI_STRING, "DIR",                     \
		"of the images (checkpoint)", "dirs"),                                               \
		CLI_OPT(struct criu_cli, work_path, "work-path", 0, CLI_STRING, "DIR",               \
			"of criu's log (that of the images)", "dirs"),                               \
		FLAG(criu.tcp_established, "tcp-established", "keep open TCP connections"),          \
		FLAG(criu.ext_unix_sk, "ext-unix-sk", "keep UNIX sockets that lead outside"),        \
		FLAG(criu.shell_job, "shell-job", "keep a session or terminal of the caller's"),     \
		FLAG(criu.file_locks, "file-locks", "keep file locks"),                              \
		FLAG(criu.auto_dedup, "auto-dedup", "free what a later image has again"),            \
		CLI_OPT(struct criu_cli, cgroups_mode, "manage-cgroups-mode", 0, CLI_STRING, "MODE", \
			"soft, full, strict or ignore", "soft full strict ignore"),                  \
		CLI_OPT(struct criu_cli, criu.empty_ns, "empty-ns", 0, CLI_LIST, "NAME",             \
			"make it, but nothing in it: network", "network"),                           \
		FLAG(lazy_pages, "lazy-pages", NULL)

static const struct cli_option checkpoint_options[] = {
	SHARED,
	CLI_OPT(struct criu_cli, parent_path, "parent-path", 0, CLI_STRING, "DIR",
		"of the images before, from --image-path", "dirs"),
	FLAG(criu.leave_running, "leave-running", "let the container go on"),
	FLAG(criu.pre_dump, "pre-dump", "save its memory only, for --parent-path of the next"),
	CLI_OPT(struct criu_cli, page_server, "page-server", 0, CLI_STRING, "ADDRESS", NULL, NULL),
	CLI_OPT(struct criu_cli, status_fd, "status-fd", 0, CLI_STRING, "FD", NULL, NULL),
	CLI_END,
};

static const struct cli_option restore_options[] = {
	SHARED,
	CLI_OPT(struct criu_cli, bundle, "bundle", 'b', CLI_STRING, "DIR",
		"folder with config.json (the working directory)", "dirs"),
	CLI_OPT(struct criu_cli, pid_file, "pid-file", 0, CLI_STRING, "FILE",
		"write the container's process id there", "files"),
	CLI_OPT(struct criu_cli, detach, "detach", 'd', CLI_FLAG, NULL, "come back once it runs", NULL),
	FLAG(no_subreaper, "no-subreaper", "do not become the parent of its orphans"),
	FLAG(keep, "keep", "do not delete it when it has ended"),
	CLI_OPT(struct criu_cli, lsm_profile, "lsm-profile", 0, CLI_STRING, "TYPE:NAME",
		"another AppArmor or SELinux label", NULL),
	CLI_OPT(struct criu_cli, lsm_mount_context, "lsm-mount-context", 0, CLI_STRING, "LABEL",
		"another SELinux label of its mounts", NULL),
	CLI_OPT(struct criu_cli, console_socket, "console-socket", 0, CLI_STRING, "SOCKET", NULL, NULL),
	FLAG(no_pivot, "no-pivot", NULL),
	CLI_END,
};

static int take(struct criu_cli *o, struct error *e)
{
	if (o->lazy_pages || o->page_server || o->status_fd)
		return error_set(e, EOPNOTSUPP, "%s: pages are only written to --image-path",
			o->lazy_pages    ? "--lazy-pages"
			: o->page_server ? "--page-server"
					 : "--status-fd");
	o->criu.program = oci_global.criu;
	o->criu.image_path = o->image_path;
	o->criu.work_path = o->work_path;
	o->criu.parent_path = o->parent_path;
	o->criu.cgroups_mode = o->cgroups_mode;
	o->criu.lsm_profile = o->lsm_profile;
	o->criu.lsm_mount_context = o->lsm_mount_context;
	return 0;
}

static int checkpoint(void *options, int argc, char **argv, struct error *e)
{
	struct criu_cli *o = options;
	_cleanup_oci_container_ struct oci_container c;
	int r = take(o, e);

	(void)argc;
	oci_container_init(&c);
	if (r == 0)
		r = oci_container_open(oci_global.root, argv[0], true, &c, e);
	return r < 0 ? r : oci_checkpoint(&c, &o->criu, e);
}

static int restore(void *options, int argc, char **argv, struct error *e)
{
	struct criu_cli *o = options;
	struct oci_create_options co = {.bundle = o->bundle,
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.no_pivot = o->no_pivot};
	_cleanup_oci_container_ struct oci_container c;
	struct oci_caller caller = oci_caller();
	int r = take(o, e);

	(void)argc;
	oci_container_init(&c);
	if (r == 0 && !o->no_subreaper && !o->detach && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		r = error_errno(e, errno, "PR_SET_CHILD_SUBREAPER");
	if (r == 0)
		r = oci_restore(&caller, argv[0], &co, &o->criu, &c, e);
	if (r < 0)
		return r;
	oci_container_unlock(&c);
	return o->detach ? 0 : oci_wait_and_delete(&c, -1, o->keep, e);
}

const struct cli_command cmd_oci_checkpoint = {
	.name = "checkpoint",
	.group = "Life cycle",
	.args = "[OPTIONS] ID",
	.summary = "save a running container with its memory, and end it",
	.description = "By criu(8), for root. Nothing is saved of a container whose walls do not all stand, "
		       "nor of one with a terminal, "
		       "a filter that notifies or Landlock, which criu cannot keep.",
	.options = checkpoint_options,
	.options_size = sizeof(struct criu_cli),
	.min_args = 1,
	.max_args = 1,
	.run = checkpoint,
};

const struct cli_command cmd_oci_restore = {
	.name = "restore",
	.group = "Life cycle",
	.args = "[OPTIONS] ID",
	.summary = "make a container from a checkpoint; it goes on where it was",
	.description =
		"Its cgroup, mounts and walls are those of the bundle's config.json: they are read back from "
		"the kernel before "
		"the first of its instructions runs, and where one does not stand the container is ended.",
	.options = restore_options,
	.options_size = sizeof(struct criu_cli),
	.min_args = 1,
	.max_args = 1,
	.run = restore,
};
