/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/create.h"

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/seccomp_oci.h"
#include "oci/console.h"
#include "oci/hooks.h"
#include "oci/idmap.h"
#include "oci/netdev.h"
#include "oci/process.h"
#include "oci/spawn.h"
#include "runtime/sync.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct making {
	const struct oci_caller *caller;
	const struct oci_create_options *o;
	struct oci_config cfg;
	struct oci_container *c;
	struct oci_cgroup cg;
	struct oci_init init;
	int *sources;
	int sync; /* our end */
	int pidfd;
	int *tty;     /* where the terminal's outer side goes, NULL: to the console socket */
	int tty_sock; /* it comes by this */
	int pidfd_sock; /* --pidfd-socket, -1: none */
	bool hooks_ran, cgroup_made;
};

/* --- what is asked for ------------------------------------------------------------------------------------------- */

int oci_bundle_open(const char *bundle, const char *config, struct oci_container *c, struct oci_config *cfg, struct error *e)
{
	char path[PATH_MAX], *full = realpath(bundle ? bundle : ".", path);
	_cleanup_free_ char *safe = str_escape(bundle ? bundle : ".");
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t n = 0;
	int r;

	if (!full)
		return error_errno(e, errno, "bundle %s", safe);
	c->bundle = xstrdup(full);
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(e, errno, "bundle %s", safe);
	r = config ? oci_config_read(AT_FDCWD, config, cfg, &text, &n, e) : oci_config_read(fd, "config.json", cfg, &text, &n, e);
	if (r < 0)
		return config ? error_wrap(e, "--config %s", config) : error_wrap(e, "bundle %s", safe);
	/* What was parsed, whatever the bundle has by then. */
	r = file_replace(c->dir_fd, "config.json", text, n, 0600, false);
	if (r < 0)
		return error_errno(e, r, "cannot keep config.json");
	c->rootfs = cfg->rootfs[0] == '/' ? xstrdup(cfg->rootfs) : xasprintf("%s/%s", full, cfg->rootfs);
	c->version = xstrdup(cfg->version);
	c->annotations = json_incref(cfg->annotations);
	c->hooks = 0;
	for (int k = 0; k < OCI_HOOK_COUNT; k++)
		c->hooks |= cfg->n_hooks[k] ? 1 << k : 0;
	return 0;
}

/* What the person who runs this machine adds for all callers. */
int oci_bundle_settings(struct oci_container *c, struct error *e)
{
	struct conf conf;
	int r = conf_load(&conf, e);

	if (r < 0)
		return r;
	c->landlock = streq(conf.oci_landlock, "on");
	conf_free(&conf);
	return 0;
}

/* What this runtime cannot do is said, with the property's name. */
static int check(const struct making *m, struct error *e)
{
	const struct oci_config *c = &m->cfg;

	if (!c->has_process)
		return error_set(e, EINVAL, "config.json: process: is missing");
	if (!oci_ns_new(c, OCI_NS_MOUNT) && c->ns[OCI_NS_USER].set)
		return error_set(e, EINVAL, "config.json: linux.namespaces: a user namespace needs a new mount namespace beside it");
	if (c->process.terminal && !m->o->console_socket && !m->tty)
		return error_set(e, EINVAL, "process.terminal: needs --console-socket");
	if (!c->process.terminal && m->o->console_socket)
		return error_set(e, EINVAL, "--console-socket: config.json asks for no terminal (process.terminal)");
	if (c->has_rdt)
		return error_set(e, EOPNOTSUPP, "linux.intelRdt: %s", access("/sys/fs/resctrl/schemata", F_OK) < 0 ?
				 "this machine has no resctrl file system" : "is not supported");
	return 0;
}

/* --- cgroup ------------------------------------------------------------------------------------------------------ */

static int make_cgroup(struct making *m, struct error *e)
{
	struct oci_cgroup_request rq = { .path = m->cfg.cgroups_path, .id = m->c->id, .systemd = m->caller->systemd_cgroup };
	int r;

	if (m->caller->no_cgroups)
		return 0;
	r = oci_cgroup_plan(&m->cg, &rq, e);
	if (r < 0 || m->cg.version == 0 || oci_cgroup_by_systemd(&m->cg))
		return r;
	r = oci_cgroup_make(&m->cg, e);
	if (r < 0)
		return r;
	m->cgroup_made = true;
	r = oci_cgroup_apply(&m->cg, &m->cfg.resources, e);
	if (r < 0)
		return r;
	r = oci_cgroup_open_joins(&m->cg, 0, oci_cgroup_clone_fd(&m->cg) >= 0, m->init.joins, e);
	if (r < 0)
		return r;
	m->init.n_joins = (size_t)r;
	m->init.cgroup = &m->cg;
	return 0;
}

static int start_scope(struct making *m, struct error *e)
{
	int r;

	if (m->caller->no_cgroups || !oci_cgroup_by_systemd(&m->cg))
		return 0;
	r = oci_cgroup_start_scope(&m->cg, m->c->pid, &m->cfg.resources, e);
	if (r < 0)
		return r;
	m->cgroup_made = true;
	return oci_cgroup_apply(&m->cg, &m->cfg.resources, e);
}

/* --- start socket ------------------------------------------------------------------------------------------------ */

static void start_address(const struct oci_container *c, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/start", c->dir_fd);
}

static int listen_start(struct making *m, struct error *e)
{
	struct sockaddr_un a;

	start_address(m->c, &a);
	m->init.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (m->init.listener < 0 || bind(m->init.listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(m->init.listener, 4) < 0)
		return error_errno(e, errno, "cannot make the start socket");
	return 0;
}

static int connect_sockets(struct making *m, struct error *e)
{
	int pair[2];

	if (m->tty && m->cfg.process.terminal) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return error_errno(e, errno, "socketpair");
		m->tty_sock = pair[0];
		m->init.console = pair[1];
	} else if (m->o->console_socket) {
		m->init.console = oci_socket_connect(m->o->console_socket, "console socket", e);
		if (m->init.console < 0)
			return m->init.console;
	}
	if (m->o->pidfd_socket) {
		m->pidfd_sock = oci_socket_connect(m->o->pidfd_socket, "--pidfd-socket", e);
		if (m->pidfd_sock < 0)
			return m->pidfd_sock;
	}
	if (m->cfg.seccomp.notifies) {
		m->init.notify = oci_socket_connect(m->cfg.seccomp.listener_path, "linux.seccomp.listenerPath", e);
		if (m->init.notify < 0)
			return m->init.notify;
	}
	return 0;
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static int prepare(struct making *m, struct error *e)
{
	int r = oci_process_label_check(&m->cfg.process, m->cfg.mount_label, e);

	if (r == 0)
		r = connect_sockets(m, e);
	if (r == 0)
		r = listen_start(m, e);
	if (r == 0 && m->cfg.seccomp.set)
		r = seccomp_oci_compile(&m->cfg.seccomp, &m->init.filter, &m->init.n_filter, e);
	if (r == 0) {
		m->sources = xcalloc(m->cfg.n_mounts + 1, sizeof(int));
		r = oci_sources_open(&m->cfg, m->sources, e);
		m->init.sources = m->sources;
	}
	return r == 0 ? make_cgroup(m, e) : r;
}

static int write_maps(struct making *m, struct error *e)
{
	const struct oci_config *c = &m->cfg;
	int r;

	if (!c->ns[OCI_NS_USER].set || c->ns[OCI_NS_USER].path)
		return 0;
	r = oci_idmap_write(m->c->pid, c->uidmap, c->n_uidmap, c->gidmap, c->n_gidmap, e);
	return r < 0 ? error_wrap(e, "linux.uidMappings and gidMappings") : 0;
}

static int run_hooks(struct making *m, struct error *e)
{
	int r = oci_netdevs_move(&m->cfg, m->c->pid, e);

	m->hooks_ran = true;
	if (r == 0)
		r = oci_hooks_run(&m->cfg, OCI_HOOK_PRESTART, m->c, "creating", e);
	if (r == 0)
		r = oci_hooks_run(&m->cfg, OCI_HOOK_CREATE_RUNTIME, m->c, "creating", e);
	return r;
}

static int go(struct making *m, struct error *e)
{
	int r = sync_send(m->sync, SYNC_GO, NULL, 0, NULL, 0);

	return r < 0 ? error_errno(e, r, "the container's process is gone") : 0;
}

static int take_tty(struct making *m, struct error *e)
{
	char name[64];
	size_t n = FD_PASS_MAX;
	int fds[FD_PASS_MAX];
	ssize_t r;

	if (m->tty_sock < 0)
		return 0;
	r = socket_recv(m->tty_sock, name, sizeof(name), fds, &n);
	if (r <= 0 || n != 1)
		return error_set(e, EPROTO, "the terminal did not come");
	*m->tty = fds[0];
	return 0;
}

int oci_pid_file(const char *path, pid_t pid, struct error *e)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = NULL;
	_cleanup_close_ int fd = -1;
	char text[16];
	int n, r;

	dir = slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = snprintf(text, sizeof(text), "%d", pid);
	r = fd < 0 ? -errno : file_replace(fd, slash ? slash + 1 : path, text, (size_t)n, 0644, false);
	return r < 0 ? error_errno(e, r, "pid file %s", path) : 0;
}

static int follow(struct making *m, struct error *e)
{
	int r = write_maps(m, e);

	if (r == 0)
		r = start_scope(m, e);
	/* Hooks inside and the seccomp listener are told the pid as it is here, which the process itself cannot see. */
	if (r == 0 && (r = sync_send(m->sync, SYNC_GO, &m->c->pid, sizeof(pid_t), NULL, 0)) < 0)
		error_errno(e, r, "the container's process is gone");
	if (r < 0)
		return r;
	for (;;) {
		r = sync_recv_any(m->sync, NULL, 0, NULL, NULL, e);
		if (r == 0)
			return error_set(e, EPIPE, "the container's process died before it was created");
		if (r < 0 || r == SYNC_READY)
			break;
		r = r == SYNC_MOUNTED ? run_hooks(m, e) : error_set(e, EPROTO, "an unexpected message");
		if (r == 0)
			r = go(m, e);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (!m->caller->no_cgroups && m->cgroup_made)
		m->c->cgroup = oci_cgroup_record(&m->cg);
	r = take_tty(m, e);
	if (r == 0)
		r = oci_container_save(m->c, e);
	if (r == 0 && m->o->pid_file)
		r = oci_pid_file(m->o->pid_file, m->c->pid, e);
	if (r == 0 && m->pidfd_sock >= 0)
		r = oci_pidfd_send(m->pidfd_sock, m->pidfd, e);
	if (r == 0)
		r = go(m, e);
	/* Its end of the socket closes once it no longer dies with us. */
	if (r == 0)
		r = sync_recv_any(m->sync, NULL, 0, NULL, NULL, e);
	return r > 0 ? error_set(e, EPROTO, "an unexpected message") : r;
}

static int spawn(struct making *m, struct error *e)
{
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	m->sync = pair[0];
	m->init.sync = pair[1];
	pid = oci_spawn(&m->init, m->caller->no_cgroups || oci_cgroup_by_systemd(&m->cg) ? -1 : oci_cgroup_clone_fd(&m->cg),
			&m->pidfd, e);
	if (pid == 0) {
		close(m->sync);
		oci_init_main(&m->init);
	}
	close(pair[1]);
	if (pid < 0)
		return pid;
	m->c->pid = pid;
	m->c->start_time = proc_start_time(pid);
	r = follow(m, e);
	if (r < 0) {
		struct error said = { 0 };

		proc_pidfd_signal(m->pidfd, SIGKILL);
		proc_wait(pid);
		/* What it said itself counts more than what we saw of its end. */
		if (e->code == -EPIPE && sync_recv_any(m->sync, NULL, 0, NULL, NULL, &said) < 0)
			*e = said;
	}
	return r;
}

static void undo(struct making *m)
{
	struct error none = { 0 };

	if (m->hooks_ran)
		oci_hooks_run(&m->cfg, OCI_HOOK_POSTSTOP, m->c, "stopped", &none);
	if (m->cgroup_made) {
		oci_cgroup_kill(&m->cg, 5000, &none);
		oci_cgroup_remove(&m->cg, &none);
		oci_cgroup_end_scope(&m->cg, &none);
	}
	oci_container_drop(m->c, &none);
}

static unsigned listen_fds(void)
{
	const char *text = getenv("LISTEN_FDS"); /* sd_listen_fds(3) */
	uint64_t n = 0;

	return text && parse_u64(text, 1, 1024, &n) == 0 ? (unsigned)n : 0;
}

static void pass_listen_fds(struct making *m)
{
	unsigned n = listen_fds();

	m->init.preserve = m->o->preserve_fds + n;
	if (!n)
		return;
	strv_add(&m->cfg.process.env, xasprintf("LISTEN_FDS=%u", n));
	strv_add_copy(&m->cfg.process.env, "LISTEN_PID=1");
	if (getenv("LISTEN_FDNAMES"))
		strv_add(&m->cfg.process.env, xasprintf("LISTEN_FDNAMES=%s", getenv("LISTEN_FDNAMES")));
}

/*
 * sd_notify(3) from inside: the caller's socket is shown at a fixed place. Who is told by it is the caller's affair; the
 * kernel tells the receiver which process it was.
 */
static void pass_notify_socket(struct making *m)
{
	static const char inside[] = "/run/notify/notify.sock";
	const char *path = getenv("NOTIFY_SOCKET");
	struct oci_mount *mounts;

	if (!path || path[0] != '/')
		return;
	mounts = xrealloc(m->cfg.mounts, m->cfg.n_mounts + 1, sizeof(*mounts));
	mounts[m->cfg.n_mounts] = (struct oci_mount){ .destination = xstrdup(inside), .type = xstrdup("bind"),
						      .source = xstrdup(path), .bind = true };
	m->cfg.mounts = mounts;
	m->cfg.n_mounts++;
	strv_add(&m->cfg.process.env, xasprintf("NOTIFY_SOCKET=%s", inside));
}

int oci_create(const struct oci_caller *caller, const char *id, const struct oci_create_options *o, struct oci_container *c,
	       int *tty, struct error *e)
{
	struct making m = { .caller = caller, .o = o, .c = c, .sync = -1, .pidfd = -1, .tty = tty, .tty_sock = -1, .pidfd_sock = -1,
			    .init = { .listener = -1, .console = -1,
			    .notify = -1, .sync = -1, .no_pivot = o->no_pivot, .no_keyring = o->no_new_keyring, .starts_now = o->starts_now } };
	int r;

	oci_container_init(c);
	r = oci_id_check(id, e);
	if (r == 0)
		r = oci_container_make(caller->root, id, c, e);
	if (r < 0)
		return r;
	m.init.cfg = &m.cfg;
	m.init.container = c;
	r = oci_bundle_open(o->bundle, o->config, c, &m.cfg, e);
	if (r == 0)
		r = check(&m, e);
	if (r == 0)
		r = oci_bundle_settings(c, e);
	if (r == 0) {
		pass_listen_fds(&m);
		pass_notify_socket(&m);
		r = prepare(&m, e);
	}
	if (r == 0)
		r = spawn(&m, e);
	if (r < 0)
		undo(&m);
	oci_sources_close(&m.cfg, m.sources);
	free(m.sources);
	free(m.init.filter);
	oci_cgroup_close(&m.cg);
	oci_config_free(&m.cfg);
	cleanup_close(&m.sync);
	cleanup_close(&m.pidfd);
	cleanup_close(&m.tty_sock);
	cleanup_close(&m.pidfd_sock);
	cleanup_close(&m.init.listener);
	cleanup_close(&m.init.console);
	cleanup_close(&m.init.notify);
	return r;
}

/* Hooks that run when config.json was read long ago: it is read again only where it has such. 1: read, 0: no such hooks. */
static int read_later(const struct oci_container *c, enum oci_hook_kind kind, struct oci_config *cfg, struct error *e)
{
	int r = 0;

	if (c->hooks < 0 || c->hooks & 1 << kind)
		r = oci_container_config(c, cfg, e);
	return r < 0 ? r : cfg->n_hooks[kind] > 0;
}

/* --- start ------------------------------------------------------------------------------------------------------- */

static int send_start(const struct oci_container *c, struct error *e)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	int r;

	start_address(c, &a);
	if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_errno(e, errno, "cannot reach the container's process");
	r = sync_send(sock, SYNC_START, NULL, 0, NULL, 0);
	if (r < 0)
		return error_errno(e, r, "the container's process is gone");
	r = sync_recv_any(sock, NULL, 0, NULL, NULL, e);
	return r > 0 ? error_set(e, EPROTO, "an unexpected message") : r;
}

int oci_start(struct oci_container *c, struct error *e)
{
	enum oci_status s = oci_container_status(c);
	_cleanup_oci_config_ struct oci_config cfg = { 0 };
	int hooks, r;

	if (s != OCI_CREATED)
		return error_set(e, EINVAL, "cannot start a container that is %s: it must be created", oci_status_names[s]);
	hooks = read_later(c, OCI_HOOK_POSTSTART, &cfg, e);
	r = hooks < 0 ? hooks : send_start(c, e);
	unlinkat(c->dir_fd, "start", 0);
	if (r < 0)
		return r;
	/* Since 1.3 a poststart hook that fails fails the start; the container's process runs already and is ended. */
	r = hooks ? oci_hooks_run(&cfg, OCI_HOOK_POSTSTART, c, "running", e) : 0;
	if (r < 0) {
		struct error none = { 0 };

		oci_kill(c, SIGKILL, true, &none);
	}
	return r;
}

/* --- kill and delete --------------------------------------------------------------------------------------------- */

static int open_cgroup(const struct oci_container *c, struct oci_cgroup *cg, struct error *e)
{
	if (!c->cgroup)
		return 0;
	return oci_cgroup_open(cg, c->cgroup, e);
}

int oci_kill(struct oci_container *c, int sig, bool all, struct error *e)
{
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	enum oci_status s = oci_container_status(c);
	_cleanup_close_ int pidfd = -1;
	int r = open_cgroup(c, &cg, e);

	if (r < 0)
		return r;
	if (all && c->cgroup && s != OCI_CREATING) {
		r = oci_cgroup_signal(&cg, sig, e);
		return r;
	}
	if (s == OCI_STOPPED || s == OCI_CREATING)
		return error_set(e, ESRCH, "container not running");
	pidfd = proc_pidfd_checked(c->pid, c->start_time);
	if (pidfd < 0)
		return error_set(e, ESRCH, "container not running");
	r = proc_pidfd_signal(pidfd, sig);
	if (r < 0)
		return error_errno(e, r, "cannot signal process %d", c->pid);
	/* A frozen process takes SIGKILL only once it is thawed (v1). */
	if (sig == SIGKILL && s == OCI_PAUSED)
		oci_cgroup_freeze(&cg, false, 1000, e);
	return 0;
}

static int end_all(struct oci_container *c, struct oci_cgroup *cg, struct error *e)
{
	_cleanup_close_ int pidfd = c->pid > 0 ? proc_pidfd_checked(c->pid, c->start_time) : -1;
	int r = 0;

	if (pidfd >= 0)
		proc_pidfd_signal(pidfd, SIGKILL);
	if (c->cgroup)
		r = oci_cgroup_kill(cg, 10000, e);
	if (r == 0 && pidfd >= 0 && proc_pidfd_wait(pidfd, 10000) == 0)
		r = error_set(e, ETIMEDOUT, "process %d does not end", c->pid);
	return r;
}

int oci_delete(struct oci_container *c, bool force, struct error *e)
{
	_cleanup_oci_cgroup_ struct oci_cgroup cg = { 0 };
	_cleanup_oci_config_ struct oci_config cfg = { 0 };
	enum oci_status s = oci_container_status(c);
	struct error said = { 0 };
	int r;

	if (s != OCI_STOPPED && s != OCI_CREATING && !force && s != OCI_CREATED)
		return error_set(e, EBUSY, "cannot delete container %s that is not stopped: %s", c->id, oci_status_names[s]);
	r = open_cgroup(c, &cg, e);
	if (r == 0)
		r = end_all(c, &cg, e);
	if (r == 0 && c->cgroup)
		r = oci_cgroup_remove(&cg, e);
	if (r < 0 && !force)
		return r;
	int ended = c->cgroup ? oci_cgroup_end_scope(&cg, &said) : 0;
	/* Poststop hooks run after the container is gone; one that fails is told and changes nothing. */
	int hooks = c->pid > 0 ? read_later(c, OCI_HOOK_POSTSTOP, &cfg, &said) : -1;
	if (hooks >= 0)
		r = hooks == 0 ? 0 : oci_hooks_run(&cfg, OCI_HOOK_POSTSTOP, c, "stopped", &said);
	if (r == 0)
		r = ended;
	int d = oci_container_drop(c, e);
	if (d == 0 && r < 0 && said.code < 0)
		*e = said;
	return d < 0 ? d : r;
}
