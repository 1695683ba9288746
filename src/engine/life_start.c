/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, and making a container run; in which process: life_run.c. */
#include "engine/life.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "engine/atrest.h"
#include "engine/attach.h"
#include "engine/events.h"
#include "engine/ids.h"
#include "engine/net.h"
#include "engine/volume.h"
#include "engine/vouch.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void started_init(struct started *st)
{
	memset(st, 0, sizeof(*st));
	spec_init(&st->spec);
	launched_init(&st->launched);
	monitor_kit_init(&st->kit);
	st->announce = -1;
}

void started_free(struct started *st)
{
	for (size_t i = 0; i < st->n_dirs; i++)
		close(st->dirs[i]);
	launch_free(&st->launched);
	spec_free(&st->spec);
	started_init(st);
}

int container_create(struct container *c, struct error *e)
{
	_cleanup_close_ int store = -1;
	struct tree_ids tree = { 0 };
	const char *vouched;
	int r = vouch(c, &vouched, e);

	if (r < 0)
		return r;
	/* From here until config.json names the tree, nobody may collect it: no removal sees that it is used. */
	if (c->config.tree) {
		store = store_lock(false, true, e);
		if (store < 0)
			return store;
	}
	r = container_make(c, e);
	if (r < 0)
		return r;
	if (c->config.tree)
		r = tree_ids_read(c->config.tree, &tree, e);
	if (r == 0)
		r = container_name_take(c, e);
	if (r == 0)
		r = ids_lease(c, &tree, e);
	tree_ids_free(&tree);
	if (r == 0)
		r = container_save_config(c, e);
	if (r < 0) {
		ids_release(c);
		container_unmake(c, NULL);
		return r;
	}
	if (!c->config.auto_remove || !c->config.detached)
		event_record("container", c->config.id, c->config.name, "create",
			     (struct event_attr[]){ { "image", c->config.image_name ? c->config.image_name : "" },
						    { "trust", vouched } }, 2, NULL);
	return 0;
}

/* --- privileges -------------------------------------------------------------------------------------------------- */

/*
 * What the container's owner must be able to change once root is given up. config.json stays root's: it is trusted. The state of
 * this start follows when it is written.
 */
static int hand_over(struct container *c, const struct spec *s, struct error *e)
{
	_cleanup_close_ int run = -1, names = -1, ids = -1;
	uid_t u = s->owner;
	char lease[32];

	if (geteuid() != 0 || u == 0)
		return 0;
	run = container_run_dir(c, e);
	if (run < 0)
		return run;
	names = home_data_dir("names", e);
	ids = home_data_dir("ids", e);
	if (names < 0 || ids < 0)
		return -EIO;
	snprintf(lease, sizeof(lease), "%u-%u", c->config.id_first_uid - (uint32_t)IDS_ROOT_BASE, c->config.id_count);
	if (fchownat(c->dir_fd, ".", u, u, 0) < 0 || fchown(run, u, u) < 0 ||
	    (fchownat(run, "lock", u, u, AT_SYMLINK_NOFOLLOW) < 0) ||
	    (fchownat(names, c->config.name, u, u, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) ||
	    (fchownat(ids, lease, u, u, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT))
		return error_errno(e, errno, "cannot hand the container to its owner");
	/* Its owner may read what it was made of, and not change it. */
	if (fchownat(c->dir_fd, "config.json", 0, u, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(c->dir_fd, "config.json", 0640, 0) < 0)
		return error_errno(e, errno, "config.json");
	static const char *const files[] = { "log", "events" };
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (fchownat(c->dir_fd, files[i], u, u, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return error_errno(e, errno, "%s", files[i]);
	if (s->root.rw_fd >= 0 && fchown(s->root.rw_fd, u, u) < 0)
		return error_errno(e, errno, "rw");
	return 0;
}

static int hand_over_state(const struct container *c, const struct spec *s, struct error *e)
{
	if (geteuid() == 0 && s->owner != 0 &&
	    fchownat(c->dir_fd, "state.json", s->owner, s->owner, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, errno, "state.json");
	return 0;
}

int life_drop(const struct spec *s, struct error *e)
{
	if (geteuid() != 0 || s->owner == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(s->owner, s->owner, s->owner) < 0 ||
	    setresuid(s->owner, s->owner, s->owner) < 0)
		return error_errno(e, errno, "cannot give up root");
	return 0;
}

/* --- launching --------------------------------------------------------------------------------------------------- */

struct net_start {
	struct net net;
	int run_fd;
	bool kept; /* it stands since an earlier start */
};

static int plan_net(struct container *c, const struct spec *s, struct net_start *n, struct error *e)
{
	const struct container_config *k = &c->config;
	struct net_request r = { .kind = s->net, .id = k->id, .uid = s->owner, .gid = geteuid() ? getegid() : s->owner,
				 .ports = k->ports, .n_ports = k->n_ports, .dns = k->dns };
	struct net_names names = { .hostname = s->hostname, .domainname = s->domainname, .add_host = k->add_host,
				   .dns_search = k->dns_search, .dns_options = k->dns_options };
	int err;

	/* It stands, with everything that was planned for it; files and ports as well. */
	if (n->kept)
		return 0;
	net_request_lowered(&r, s->lower, s->n_lower);
	n->run_fd = container_run_dir(c, e);
	if (n->run_fd < 0)
		return n->run_fd;
	err = net_plan(&r, &n->net, e);
	/* The kept mounts show the files of the first start; every start writes the same. */
	if (err < 0 || kept_is_owner())
		return err;
	/* Every start writes them anew, so that they need not be on the disk. */
	return net_files_write(n->run_fd, &n->net, &names, e);
}

static void free_net(struct net_start *n)
{
	net_free(&n->net);
	cleanup_close(&n->run_fd);
	n->run_fd = -1;
}

/* Once it has changed its ids the new process shows its namespaces to root only: a restart without root holds two of them. */
static void record_namespaces(struct container_state *s, const struct launched *l)
{
	static const char *const names[8] = { "user", "pid", "ipc", "uts", "cgroup", "time", "net", "mnt" };

	struct stat st;

	for (int i = 0; i < 8; i++) {
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", l->pid, names[i]);
		s->ns[i] = stat(path, &st) == 0 ? st.st_ino : 0;
	}
	if (s->ns[0] == 0 && fstat(l->userns_fd, &st) == 0)
		s->ns[0] = st.st_ino;
	if (s->ns[6] == 0 && fstat(l->netns_fd, &st) == 0)
		s->ns[6] = st.st_ino;
}

static void fill_net(struct container_state *s, const struct net *net)
{
	s->net_pid = net->pid;
	s->net_start = net->start_time;
	for (size_t i = 0; i < s->n_ports; i++)
		free(s->ports[i].host_addr);
	free(s->ports);
	s->n_ports = net->n_ports;
	s->ports = xcalloc(net->n_ports, sizeof(*s->ports));
	for (size_t i = 0; i < net->n_ports; i++) {
		s->ports[i] = net->ports[i];
		s->ports[i].host_addr = xstrdup(net->ports[i].host_addr);
	}
}

/* `net` NULL: it has the network from before. */
static void fill_state(struct container *c, const struct started *st, const struct net *net)
{
	struct container_state *s = &c->state;

	s->status = ST_RUNNING;
	s->pid = st->launched.pid;
	s->pid_start = st->launched.start_time;
	s->monitor = getpid();
	s->monitor_start = proc_start_time(getpid());
	s->started_ns = clock_now_ns();
	s->finished_ns = 0;
	s->exit_code = 0;
	s->oom_killed = false;
	s->stopped_by_person = false;
	free(s->error);
	s->error = NULL;
	free(s->cgroup);
	s->cgroup = xstrdup(st->plan.cgroup.path);
	free(s->health);
	s->health = c->config.health.test ? xstrdup("starting") : NULL;
	s->health_failing = 0;
	if (net)
		fill_net(s, net);
	record_namespaces(s, &st->launched);
}

int life_hold(struct started *st, int fd, const char *what, struct error *e)
{
	if (fd < 0)
		return error_errno(e, fd == -1 ? errno : fd, "%s", what);
	if (st->n_dirs == ARRAY_SIZE(st->dirs)) {
		close(fd);
		return error_set(e, E2BIG, "too many descriptors to keep");
	}
	st->dirs[st->n_dirs++] = fd;
	return fd;
}

/* Without a cgroup nobody counts, and the container ends all the same. */
static void watch_oom(struct started *st, const struct cgroup *cg)
{
	int file, event;

	cgroup_open_oom(cg, &file, &event);
	if (file >= 0)
		st->kit.fd[MFD_OOM] = life_hold(st, file, "memory.events", NULL);
	if (event >= 0)
		st->kit.fd[MFD_OOM_EVENT] = life_hold(st, event, "eventfd", NULL);
}

/* All but the descriptors that the new process sends when its walls stand; see kit_streams(). */
static int fill_kit(struct container *c, struct started *st, struct error *e)
{
	struct monitor_kit *k = &st->kit;
	const struct container_config *g = &c->config;
	_cleanup_cgroup_ struct cgroup cg;
	int run, fd;

	cgroup_init(&cg);
	monitor_kit_init(k);
	snprintf(k->id, sizeof(k->id), "%s", g->id);
	k->pid = st->launched.pid;
	k->pid_start = st->launched.start_time;
	k->owner = geteuid() == 0 ? st->spec.owner : geteuid();
	k->stop_signal = life_stop_signal(g);
	k->stop_timeout_s = (uint32_t)g->stop_timeout_s;
	k->log_size = g->log_size;
	k->log_files = (uint32_t)g->log_files;
	k->health_interval_ns = g->health.test ? g->health.interval_ns : 0;
	k->health_timeout_ns = g->health.timeout_ns;
	k->disk = st->spec.root.rw_fd >= 0 ? g->disk : 0;
	k->disk_inodes = st->spec.root.rw_fd >= 0 ? g->disk_inodes : 0;
	k->stdin_once = !g->tty;
	run = life_hold(st, container_run_dir(c, e), "runtime folder", e);
	if (run < 0)
		return run;
	k->fd[MFD_FRONT] = fd = life_hold(st, open("/proc/self/exe", O_PATH | O_CLOEXEC), "/proc/self/exe", e);
	if (fd < 0)
		return fd;
	k->fd[MFD_LOCK] = c->lock_fd;
	k->fd[MFD_DIR] = c->dir_fd;
	k->fd[MFD_RUN] = run;
	k->fd[MFD_LISTEN] = fd = life_hold(st, attach_listen(run, e), "attach socket", e);
	if (fd < 0)
		return fd;
	k->fd[MFD_PIDFD] = st->launched.pidfd;
	k->fd[MFD_USERNS] = st->launched.userns_fd;
	k->fd[MFD_NETNS] = st->launched.netns_fd;
	if (st->plan.cgroup.path[0] && kept_cgroup(st->plan.cgroup.path, &cg, NULL) == 0)
		watch_oom(st, &cg);
	if (kept_is_owner())
		return kept_refill(st, e);
	return geteuid() == 0 ? kept_fill(st, c, &cg, e) : 0;
}

static void kit_streams(struct started *st)
{
	struct monitor_kit *k = &st->kit;

	/* The monitor closes each when its stream ends. */
	k->fd[MFD_STDIN] = steal_fd(&st->launched.stdio[0]);
	k->fd[MFD_STDOUT] = steal_fd(&st->launched.stdio[1]);
	k->fd[MFD_STDERR] = steal_fd(&st->launched.stdio[2]);
	k->fd[MFD_TTY] = st->launched.tty_fd;
	k->fd[MFD_NOTIFY] = st->launched.notify_fd;
}

/* What launch_create() calls back with: work of the starter while the new process raises its walls. */
struct meanwhile {
	struct container *c;
	struct started *st;
	struct net_start *net;
};

static int work_meanwhile(void *ctx, const struct launched *l, struct error *e)
{
	struct meanwhile *m = ctx;
	int r = 0;

	/* First, since others work for it then. */
	if (!m->net->kept)
		r = net_start(&m->net->net, m->net->run_fd, l->userns_fd, l->netns_fd, e);
	if (r == 0)
		r = atrest_meanwhile(&m->st->spec, e);
	if (r == 0)
		r = hand_over(m->c, &m->st->spec, e);
	return r < 0 ? r : fill_kit(m->c, m->st, e);
}

/* Without a person behind it the process ends; its descriptors end with it. */
static int undo(struct container *c, struct started *st, struct net_start *net, struct error *e)
{
	struct error why = e ? *e : (struct error){ 0 };
	int code = why.exit ? why.exit : EXIT_ENGINE;

	launch_free(&st->launched);
	net_undo(&net->net, net->run_fd);
	life_clear(c, false);
	c->state.status = ST_EXITED;
	c->state.exit_code = code;
	c->state.pid = 0;
	c->state.finished_ns = clock_now_ns();
	free(c->state.error);
	c->state.error = xstrdup(why.text);
	container_save_state(c, NULL);
	if (e)
		*e = why;
	return why.code < 0 ? why.code : -EIO;
}

static int run_program(struct container *c, struct started *st, struct error *e)
{
	int r = hand_over_state(c, &st->spec, e);

	kit_streams(st);
	if (r == 0)
		r = life_announce(st, e);
	if (r == 0)
		r = launch_start(&st->launched, e);
	return r;
}

/* A start that failed before anything ran: the container is what it was, "created" or "exited". */
static int plan_all(struct container *c, struct started *st, struct net_start *net, struct error *e)
{
	int r = container_spec(c, &st->spec, e);

	if (r == 0)
		r = kept_is_owner() ? atrest_from_fds(c, kept_seen(), &st->spec, e) : atrest_ready(c, &st->spec, e);
	if (kept_is_owner() && c->state.cgroup && *c->state.cgroup)
		st->spec.cgroup_stands = xstrdup(c->state.cgroup);
	if (r == 0)
		life_note_accepted(&c->state, &st->spec);
	if (r == 0)
		r = plan_make(&st->spec, &st->plan, e);
	if (r == 0)
		r = plan_net(c, &st->spec, net, e);
	if (r == 0) /* the files that plan_net() wrote are mounted as well */
		r = container_spec_files(c, &st->spec, e);
	return r;
}

static bool is_own(int userns_fd)
{
	struct stat a, b;

	return fstat(userns_fd, &a) < 0 || stat("/proc/self/ns/user", &b) < 0 || a.st_ino == b.st_ino;
}

/*
 * setns(2) into a network takes CAP_SYS_ADMIN in the user namespace that owns it and in one's own. An ordinary user has both only in
 * a namespace of its own above the container's (user_namespaces(7), "Capabilities"): each container whose network others may join
 * is made below one, and whoever joins goes there too. As root the host's is above all.
 */
static int parent_namespace(struct spec *s, struct error *e)
{
	_cleanup_close_ int owner = -1;

	if (geteuid() == 0 || s->n_uidmap == 0 || (s->net != SPEC_NET_PRIVATE && s->net != SPEC_NET_JOIN))
		return 0;
	if (s->net == SPEC_NET_PRIVATE) {
		s->parent_fd = ids_parent(e);
		return s->parent_fd < 0 ? s->parent_fd : 0;
	}
	owner = ioctl(s->net_fd, NS_GET_USERNS);
	s->parent_fd = owner < 0 ? -1 : ioctl(owner, NS_GET_PARENT);
	if (s->parent_fd >= 0 && (fcntl(owner, F_SETFD, FD_CLOEXEC) < 0 || fcntl(s->parent_fd, F_SETFD, FD_CLOEXEC) < 0))
		return error_errno(e, errno, "FD_CLOEXEC");
	if (s->parent_fd < 0)
		return error_errno(e, errno, "cannot find what is above the other container's user namespace");
	if (is_own(s->parent_fd)) {
		error_set(e, EPERM, "the other container's network cannot be joined by an ordinary user: it was started with --net none");
		error_hint(e, "start that one with a network of its own");
		return -EPERM;
	}
	return 0;
}

static int launch_all(struct container *c, const struct life_kept *from, struct started *st, struct net_start *net,
		      struct error *e)
{
	struct meanwhile m = { c, st, net };
	struct launch_hook hook = { work_meanwhile, &m };
	struct launch_io io = { .stdin_open = c->config.interactive, .fd = { -1, -1, -1 }, .rows = st->rows,
				.cols = st->cols };
	struct launch_again again = { .userns_fd = from->userns_fd, .netns_fd = from->netns_fd, .mntns_fd = -1 };
	int r = kept_again(&again, e);

	again.keep = geteuid() == 0 && c->config.restart != RESTART_NO;
	/* From the user namespace of before, below the same parent as the other's, no network can be entered. */
	if (geteuid() != 0 && !kept_is_owner() && st->spec.net == SPEC_NET_JOIN)
		again.userns_fd = -1;
	if (r == 0 && again.userns_fd < 0 && !kept_is_owner())
		r = parent_namespace(&st->spec, e);
	if (r == 0)
		r = life_note_start(c, st->plan.cgroup.path, e);
	if (r == 0)
		r = launch_create(&st->plan, &io, &again, &hook, &st->launched, e);
	if (r < 0) {
		net_undo(&net->net, net->run_fd);
		life_forget_start(c);
		return r;
	}
	snprintf(st->note, sizeof(st->note), "%s", net->net.note);
	r = net->kept ? 0 : net_finish(&net->net, e);
	fill_state(c, st, net->kept ? NULL : &net->net);
	if (r == 0)
		r = container_save_state(c, e);
	life_forget_start(c);
	if (r == 0)
		r = run_program(c, st, e);
	return r < 0 ? undo(c, st, net, e) : 0;
}

/* A wall that came down by name is in the record. */
static void record_start(const struct container *c)
{
	_cleanup_buf_ struct buf lower = { 0 };

	for (size_t i = 0; i < c->config.n_lower; i++) {
		const struct spec_lower *l = &c->config.lower[i];

		if (!l->accept)
			buf_printf(&lower, "%s%s%s%s", lower.len ? "," : "", l->wall, l->detail ? "=" : "",
				   l->detail ? l->detail : "");
	}
	event_record("container", c->config.id, c->config.name, "start", &(struct event_attr){ "lower", lower.data },
		     lower.len > 0, NULL);
}

static int launch_once(struct container *c, const struct life_kept *from, struct started *st, struct error *e)
{
	struct net_start net = { .run_fd = -1, .kept = from->netns_fd >= 0 };
	int r = plan_all(c, st, &net, e);

	if (r == 0)
		r = launch_all(c, from, st, &net, e);
	if (r == 0)
		r = volumes_filled(c, e);
	free_net(&net);
	return r;
}

int life_launch(struct container *c, const struct life_kept *from, struct started *st, struct error *e)
{
	struct error own = { 0 };
	int r = launch_once(c, from, st, &own);

	/* A file of the image moved. If its content is what it was (a backup was played back, say), that is no reason to stop. */
	if (r == -EUCLEAN && st->spec.root.check && !kept_is_owner()) {
		struct started again;

		started_init(&again);
		again.rows = st->rows;
		again.cols = st->cols;
		again.announce = st->announce;
		started_free(st);
		*st = again;
		own = (struct error){ 0 };
		atrest_doubt(c);
		r = launch_once(c, from, st, &own);
	}
	if (r < 0 && e)
		*e = own;
	if (r < 0)
		return error_wrap(e, "cannot start %s", c->config.name);
	record_start(c);
	return 0;
}
