/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brig-oci restore. The cgroup with its limits and device rules stands before anything of the container does;
 * criu works inside of it, in a mount namespace of its own that sees the root as a mount, and leaves every
 * process stopped. Only when the kernel shows that all walls stand do they go on.
 */
#include "oci/criu.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "oci/hooks.h"
#include "oci/process.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PID_FILE "criu.pid"

struct restoring {
	const struct oci_caller *caller;
	const struct oci_create_options *o;
	struct oci_container *c;
	struct oci_config cfg;
	struct oci_cgroup cg;
	struct criu criu;
	int net;   /* the network namespace by path */
	int go[2]; /* criu's process waits for its scope */
	int joins[OCI_CG_HIERARCHIES];
	size_t n_joins;
	bool hooks_ran, cgroup_made;
};

/* --- what criu is told
 * ------------------------------------------------------------------------------------------- */

static int tell_stdio(struct restoring *m, struct error *e)
{
	_cleanup_json_ json_t *stdio = json_read(m->criu.images, CRIU_STDIO, 65536, e);

	if (!stdio)
		return error_wrap(e, "no whole checkpoint");
	if (!json_is_array(stdio) || json_array_size(stdio) != 3)
		return error_set(e, EBADMSG, CRIU_STDIO ": is no list of three");
	for (size_t i = 0; i < 3; i++) {
		const char *key = json_string_value(json_array_get(stdio, i));
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= streq(key, json_string_value(json_array_get(stdio, k)));
		if (!key || again ||
			(!str_after(key, "pipe:[") && !str_after(key, "file[") &&
				!str_after(key, "socket:[")))
			continue;
		criu_arg(&m->criu, "--inherit-fd");
		criu_arg(&m->criu, "fd[%zu]:%s", i, key);
	}
	return 0;
}

static void tell_mount(struct restoring *m, const char *kind, const char *path, const char *source)
{
	criu_arg(&m->criu, "--external");
	criu_arg(&m->criu, "mnt[%s:%s]:%s", kind, path, source);
}

static int tell_mounts(struct restoring *m, struct error *e)
{
	static const char *const devices[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};

	for (size_t i = 0; i < m->cfg.n_mounts; i++) {
		const struct oci_mount *mnt = &m->cfg.mounts[i];
		_cleanup_free_ char *full = NULL;

		if ((!mnt->bind && !mnt->rbind) || !mnt->source)
			continue;
		full = mnt->source[0] == '/' ? xstrdup(mnt->source)
					     : xasprintf("%s/%s", m->c->bundle, mnt->source);
		if (access(full, F_OK) < 0)
			return error_errno(e, errno, "mounts[%zu].source", i);
		tell_mount(m, "to", mnt->destination, full);
	}
	for (char **p = m->cfg.masked; p && *p; p++)
		tell_mount(m, "mask", *p, "/dev/null");
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		tell_mount(m, "dev", devices[i], devices[i]);
	for (size_t i = 0; i < m->cfg.n_devices; i++)
		tell_mount(m, "dev", m->cfg.devices[i].path, m->cfg.devices[i].path);
	return 0;
}

static int tell_net(struct restoring *m, struct error *e)
{
	const char *path = m->cfg.ns[OCI_NS_NETWORK].path;

	if (!path)
		return 0;
	m->net = open(path, O_RDONLY | O_CLOEXEC);
	if (m->net < 0)
		return error_errno(e, errno, "linux.namespaces: %s", path);
	criu_arg(&m->criu, "--inherit-fd");
	criu_arg(&m->criu, "fd[%d]:" CRIU_NET, m->net);
	return 0;
}

static bool below_other(const struct oci_config *cfg, size_t i)
{
	for (size_t k = 0; k < cfg->n_mounts; k++) {
		const char *rest =
			k == i ? NULL : str_after(cfg->mounts[i].destination, cfg->mounts[k].destination);

		if (rest && *rest == '/')
			return true;
	}
	return false;
}

/* A root that is not the one of the checkpoint may lack what create makes: the places of the mounts. */
static int make_places(struct restoring *m, struct error *e)
{
	_cleanup_close_ int root = open(m->c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return error_errno(e, errno, "root.path");
	for (size_t i = 0; i < m->cfg.n_mounts; i++) {
		const struct oci_mount *mnt = &m->cfg.mounts[i];
		_cleanup_close_ int at = path_open_in(root, mnt->destination, O_PATH, 0), made = -1;
		struct stat st;

		if (at >= 0 || below_other(&m->cfg, i))
			continue;
		if ((mnt->bind || mnt->rbind) && mnt->source && stat(mnt->source, &st) == 0 &&
			!S_ISDIR(st.st_mode))
			made = path_mkfile_in(root, mnt->destination, 0644);
		else
			made = path_mkdirs_in(root, mnt->destination, 0755);
		if (made < 0)
			return error_errno(e, made, "mounts[%zu].destination", i);
	}
	return 0;
}

/* v1: the paths in the images are below what was the container's folder then. */
static void tell_cgroups(struct restoring *m)
{
	for (size_t i = 0; m->cg.version == 1 && i < m->cg.n; i++) {
		if (m->cg.h[i].fd < 0)
			continue;
		char top[PATH_MAX], own[PATH_MAX];

		if (!m->cfg.ns[OCI_NS_CGROUP].set && criu_path(m->cg.h[i].top, top) &&
			criu_path(m->cg.h[i].fd, own))
			tell_mount(m, "cgroup", strrchr(top, '/') + 1, own);
		criu_arg(&m->criu, "--cgroup-root");
		criu_arg(&m->criu, "%s%s/%s", m->cg.h[i].names, m->cg.h[i].names[0] ? ":" : "",
			m->cg.h[i].path);
	}
}

/* Processes in a user namespace read the images as its root does: only that one group is let in. */
static int open_images(struct restoring *m, struct error *e)
{
	int64_t gid = spec_host_id(m->cfg.gidmap, m->cfg.n_gidmap, 0);

	if (!m->cfg.ns[OCI_NS_USER].set)
		return 0;
	if (gid < 0 || fchown(m->criu.images, (uid_t)-1, (gid_t)gid) < 0 || fchmod(m->criu.images, 0710) < 0)
		return error_errno(
			e, gid < 0 ? EINVAL : errno, "cannot let the container's root read the images");
	return 0;
}

static int arguments(struct restoring *m, const struct oci_criu_options *o, struct error *e)
{
	int r = criu_begin(&m->criu, "restore", o, false, e);

	if (r < 0)
		return r;
	criu_arg(&m->criu, "--restore-detached");
	criu_arg(&m->criu, "--restore-sibling");
	criu_arg(&m->criu, "--leave-stopped");
	criu_arg(&m->criu, "--evasive-devices");
	criu_arg(&m->criu, "--enable-external-masters");
	criu_arg(&m->criu, "--root");
	criu_arg(&m->criu, "%s", m->c->rootfs);
	criu_arg(&m->criu, "--pidfile");
	criu_arg(&m->criu, "%s/%s/" PID_FILE, m->caller->root, m->c->id);
	if (o->lsm_profile) {
		criu_arg(&m->criu, "--lsm-profile");
		criu_arg(&m->criu, "%s", o->lsm_profile);
	}
	if (o->lsm_mount_context) {
		criu_arg(&m->criu, "--lsm-mount-context");
		criu_arg(&m->criu, "%s", o->lsm_mount_context);
	}
	r = tell_stdio(m, e);
	if (r == 0)
		r = open_images(m, e);
	if (r == 0)
		r = tell_mounts(m, e);
	if (r == 0)
		r = tell_net(m, e);
	return r;
}

/* --- the cgroup, and criu in it
 * ---------------------------------------------------------------------------------- */

static int plan_cgroup(struct restoring *m, struct error *e)
{
	struct oci_cgroup_request rq = {
		.path = m->cfg.cgroups_path, .id = m->c->id, .systemd = m->caller->systemd_cgroup};
	int r = m->caller->no_cgroups ? error_set(e, EINVAL, "restore needs cgroups")
				      : oci_cgroup_plan(&m->cg, &rq, e);

	if (r == 0 && m->cg.version == 0)
		r = error_set(e, EOPNOTSUPP, "restore needs cgroups, and none are mounted");
	if (r < 0 || oci_cgroup_by_systemd(&m->cg))
		return r;
	r = oci_cgroup_make(&m->cg, e);
	if (r < 0)
		return r;
	m->cgroup_made = true;
	r = oci_cgroup_apply(&m->cg, &m->cfg.resources, e);
	if (r == 0)
		r = oci_cgroup_open_joins(&m->cg, 0, false, m->joins, e);
	if (r < 0)
		return r;
	m->n_joins = (size_t)r;
	tell_cgroups(m);
	return 0;
}

static int start_scope(struct restoring *m, pid_t pid, struct error *e)
{
	int r;

	if (!oci_cgroup_by_systemd(&m->cg))
		return 0;
	r = oci_cgroup_start_scope(&m->cg, pid, &m->cfg.resources, e);
	if (r < 0)
		return r;
	m->cgroup_made = true;
	return oci_cgroup_apply(&m->cg, &m->cfg.resources, e);
}

static void __attribute__((noreturn)) child(struct restoring *m)
{
	char *const env[] = {
		(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
	struct error e = {0};
	sigset_t none;
	char byte;
	int r = 0;

	close(m->go[1]);
	if (read(m->go[0], &byte, 1) != 1)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = cgroup_join(m->joins, m->n_joins);
	if (r < 0)
		error_errno(&e, r, "cannot join the cgroup");
	/* What criu makes inherits the session keyring: not the caller's. */
	if (r == 0)
		r = oci_process_keyring(m->c->id, m->cfg.process.selinux, &e);
	if (r == 0 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
			      mount(m->c->rootfs, m->c->rootfs, NULL, MS_BIND | MS_REC, NULL) < 0))
		r = error_errno(&e, errno, "cannot make the root a mount");
	if (r == 0 && m->net >= 0)
		fd_set_cloexec(m->net, false);
	if (r == 0) {
		execve(m->criu.argv[0], m->criu.argv, env);
		error_errno(&e, errno, "%s", m->criu.argv[0]);
	}
	dprintf(2, "brig-oci: %s\n", e.text);
	_exit(126);
}

static int run_criu(struct restoring *m, struct error *e)
{
	pid_t pid;
	int status, r;

	if (pipe2(m->go, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	pid = fork();
	if (pid == 0)
		child(m);
	close(m->go[0]);
	r = pid < 0 ? error_errno(e, errno, "fork") : start_scope(m, pid, e);
	if (r == 0 && write(m->go[1], "", 1) != 1)
		r = error_errno(e, errno, "criu's process is gone");
	close(m->go[1]);
	if (pid < 0)
		return r;
	status = proc_wait(pid);
	if (r == 0 && (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status)))
		r = criu_failed(&m->criu, e);
	return r;
}

static int read_pid(struct restoring *m, struct error *e)
{
	char text[24];
	uint64_t pid;
	int r = file_read_line(m->c->dir_fd, PID_FILE, text, sizeof(text));

	unlinkat(m->c->dir_fd, PID_FILE, 0);
	if (r < 0 || parse_u64(text, 1, INT32_MAX, &pid) < 0)
		return error_set(e, EIO, "criu did not tell the container's process");
	m->c->pid = (pid_t)pid;
	m->c->start_time = proc_start_time(m->c->pid);
	return m->c->start_time ? 0 : error_set(e, ESRCH, "the container's process has ended");
}

/* --- going on
 * ---------------------------------------------------------------------------------------------------- */

static int run_hooks(struct restoring *m, struct error *e)
{
	int r;

	m->hooks_ran = true;
	r = oci_hooks_run(&m->cfg, OCI_HOOK_PRESTART, m->c, "creating", e);
	return r == 0 ? oci_hooks_run(&m->cfg, OCI_HOOK_CREATE_RUNTIME, m->c, "creating", e) : r;
}

static int follow(struct restoring *m, struct error *e)
{
	int r = read_pid(m, e);

	if (r == 0)
		r = oci_walls_prove(m->c->pid, &m->cfg, &m->cg, e);
	if (r == 0)
		r = run_hooks(m, e);
	if (r < 0)
		return r;
	m->c->cgroup = oci_cgroup_record(&m->cg);
	r = oci_container_save(m->c, e);
	if (r == 0 && m->o->pid_file)
		r = oci_pid_file(m->o->pid_file, m->c->pid, e);
	return r == 0 ? oci_cgroup_signal(&m->cg, SIGCONT, e) : r;
}

static void undo(struct restoring *m)
{
	struct error none = {0};

	if (m->hooks_ran)
		oci_hooks_run(&m->cfg, OCI_HOOK_POSTSTOP, m->c, "stopped", &none);
	if (m->cgroup_made) {
		oci_cgroup_kill(&m->cg, 5000, &none);
		while (waitpid(-1, NULL, WNOHANG) > 0) /* ours by --restore-sibling */
			;
		oci_cgroup_remove(&m->cg, &none);
		oci_cgroup_end_scope(&m->cg, &none);
	}
	oci_container_drop(m->c, &none);
}

static int check(const struct restoring *m, struct error *e)
{
	const struct oci_config *c = &m->cfg;

	if (!c->has_process)
		return error_set(e, EINVAL, "config.json: process: is missing");
	if (m->o->console_socket)
		return error_set(
			e, EOPNOTSUPP, "--console-socket: a container with a terminal cannot be restored");
	if (m->o->no_pivot)
		return error_set(e, EOPNOTSUPP, "--no-pivot: criu always does pivot_root(2)");
	if (!c->ns[OCI_NS_MOUNT].set)
		return error_set(e, EINVAL,
			"config.json: linux.namespaces: a new mount namespace is needed for root and mounts");
	return criu_refuse(c, m->c->landlock, e);
}

int oci_restore(const struct oci_caller *caller, const char *id, const struct oci_create_options *o,
	const struct oci_criu_options *criu, struct oci_container *c, struct error *e)
{
	struct restoring m = {.caller = caller, .o = o, .c = c, .net = -1, .criu = {.images = -1}};
	int r = oci_container_make(caller->root, id, c, e);

	if (r < 0)
		return r;
	r = oci_bundle_open(o->bundle, NULL, c, &m.cfg, e);
	if (r == 0)
		r = oci_bundle_settings(c, e);
	if (r == 0)
		r = check(&m, e);
	if (r == 0)
		r = arguments(&m, criu, e);
	if (r == 0)
		r = make_places(&m, e);
	if (r == 0)
		r = plan_cgroup(&m, e);
	if (r == 0)
		r = run_criu(&m, e);
	if (r == 0)
		r = follow(&m, e);
	for (size_t i = 0; i < m.n_joins; i++)
		close(m.joins[i]);
	if (r < 0) {
		undo(&m);
		error_wrap(e, "cannot restore %s", id);
	}
	cleanup_close(&m.net);
	criu_free(&m.criu);
	oci_cgroup_close(&m.cg);
	oci_config_free(&m.cfg);
	return r;
}
