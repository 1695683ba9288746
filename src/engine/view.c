/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/view.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "confine/mount.h"
#include "confine/sys.h"
#include "confine/user.h"
#include "engine/life.h"
#include "engine/volume.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct answer {
	int result;
	bool mounted; /* the container's mounts were made here */
	struct error error;
};

/* A detached mount on its way to the child; `index` in launch.sources, -1 behind the last. */
struct source {
	int index, n;
};

static int become_root(struct error *e)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
	    syscall(SYS_setresuid, 0, 0, 0) < 0)
		return error_errno(e, errno, "cannot take the container's ids");
	/* Changed ids have cleared it (prctl(2)). */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return 0;
}

static void __attribute__((noreturn)) tell(int sock, struct answer *a)
{
	(void)!write(sock, a, sizeof(*a));
	_exit(0);
}

/* --- a container that runs: its own namespaces --- */

static void __attribute__((noreturn)) child_joining(int sock, int pidfd, view_fn fn, void *ctx)
{
	struct answer a = { 0 };
	int root = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0)
		a.result = error_errno(&a.error, errno, "cannot enter the container's namespaces");
	if (a.result == 0)
		a.result = become_root(&a.error);
	if (a.result == 0 && (root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		a.result = error_errno(&a.error, errno, "cannot open the container's root");
	if (a.result == 0)
		a.result = fn(root, ctx, &a.error);
	tell(sock, &a);
}

/* --- a container that does not run: the same mounts in namespaces of our own --- */

static int receive_sources(struct launch *l, int sock, struct error *e)
{
	for (;;) {
		struct source s;
		size_t n = 1;
		int fd = -1;

		if (socket_recv(sock, &s, sizeof(s), &fd, &n) != sizeof(s))
			_exit(1); /* the other side has failed and says why itself */
		if (s.index < 0)
			return 0;
		if (n != 1 || s.n <= s.index)
			return error_set(e, EPROTO, "an unexpected message");
		if (!l->sources) {
			l->n_sources = (size_t)s.n;
			l->sources = xmalloc(l->n_sources * sizeof(int));
			memset(l->sources, -1, l->n_sources * sizeof(int));
			l->sources_detached = true;
		}
		l->sources[s.index] = fd;
	}
}

static int mount_here(struct launch *l, int sock, struct error *e)
{
	const struct spec_root *root = &l->plan->spec->root;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int r = l->early ? mount_sources_early(l, e) : 0;

	if (r == 0)
		r = receive_sources(l, sock, e);
	if (r == 0)
		r = become_root(e);
	if (r == 0)
		r = mount_stage(l, e);
	if (r == 0)
		r = mount_root(l, e);
	if (r == 0)
		r = mount_rest(l, e);
	/* Nothing of what would be written to a layer in memory would stay. */
	if (r == 0 && (root->read_only || root->tmpfs_size) &&
	    sys_mount_setattr(l->root_fd, "", AT_EMPTY_PATH, &attr) < 0)
		r = error_errno(e, errno, "cannot make the root read-only");
	return r;
}

static void __attribute__((noreturn)) child_mounting(int sock, struct launch *l, view_fn fn, void *ctx)
{
	struct answer a = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	a.result = mount_here(l, sock, &a.error);
	a.mounted = a.result == 0;
	if (a.result == 0)
		a.result = fn(l->root_fd, ctx, &a.error);
	tell(sock, &a);
}

static int send_sources(struct launch *l, int sock, struct error *e)
{
	struct source s = { .n = (int)l->n_sources };
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_sources; i++) {
		s.index = (int)i;
		if (l->sources[i] >= 0)
			r = socket_send(sock, &s, sizeof(s), &l->sources[i], 1);
	}
	s.index = -1;
	if (r == 0)
		r = socket_send(sock, &s, sizeof(s), NULL, 0);
	for (size_t i = 0; i < l->n_sources; i++)
		cleanup_close(&l->sources[i]);
	free(l->sources);
	return r < 0 ? error_errno(e, r, "the helper process is gone") : 0;
}

/* The specification of a start, but without what only a running one has: the namespace of a joined network. */
static int make_spec(struct container *c, struct view *v, struct error *e)
{
	char none[] = "none", *network = c->config.network;
	int r = container_lock(c, false, e);

	if (r < 0)
		return r;
	if (container_running(c) || c->state.status == ST_RESTARTING || c->state.status == ST_REMOVING) {
		container_unlock(c);
		return error_set(e, EBUSY, "container %s is being started or removed", c->config.name);
	}
	v->locked = c;
	c->config.network = none;
	r = container_spec(c, &v->spec, e);
	c->config.network = network;
	return r;
}

static int start_mounting(struct container *c, view_fn fn, void *ctx, struct view *v, int inner, struct error *e)
{
	struct plan plan = { .spec = &v->spec };
	struct launch l = { .plan = &plan, .sync = -1, .pidfd = -1, .root_fd = -1, .proc_fd = -1, .notify_fd = -1,
			    .cgroup_fd = -1, .tty_fd = -1, .ptmx_fd = -1, .stage_fd = -1, .init_fd = -1,
			    .early = geteuid() != 0 };
	int r = make_spec(c, v, e);

	if (r < 0)
		return r;
	v->pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER | CLONE_NEWNS, 0, 0, 0, 0);
	if (v->pid < 0)
		return error_errno(e, errno, "clone");
	if (v->pid == 0) {
		close(v->sock);
		child_mounting(inner, &l, fn, ctx);
	}
	l.pid = v->pid;
	r = user_write_maps(v->pid, v->spec.uidmap, v->spec.n_uidmap, v->spec.gidmap, v->spec.n_gidmap, e);
	if (r == 0 && !l.early)
		r = mount_sources_outside(&l, e);
	return r == 0 ? send_sources(&l, v->sock, e) : r;
}

static int start_joining(struct container *c, view_fn fn, void *ctx, struct view *v, int inner, struct error *e)
{
	_cleanup_close_ int pidfd = life_pidfd(c, e);

	if (pidfd < 0)
		return pidfd;
	v->pid = fork();
	if (v->pid < 0)
		return error_errno(e, errno, "fork");
	if (v->pid == 0) {
		close(v->sock);
		child_joining(inner, pidfd, fn, ctx);
	}
	return 0;
}

int view_start(struct container *c, view_fn fn, void *ctx, struct view *v, struct error *e)
{
	int pair[2], r;

	*v = (struct view){ .pid = -1, .sock = -1 };
	spec_init(&v->spec);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "socketpair");
	v->sock = pair[0];
	r = container_running(c) ? start_joining(c, fn, ctx, v, pair[1], e) :
				   start_mounting(c, fn, ctx, v, pair[1], e);
	close(pair[1]);
	if (r < 0) {
		/* The child, when there is one, waits for a message: it ends when our side closes. */
		struct error dropped = { 0 };

		view_wait(v, &dropped);
	}
	return r;
}

int view_wait(struct view *v, struct error *e)
{
	struct answer a = { 0 };
	ssize_t n = 0;
	int r;

	if (v->pid > 0 && v->sock >= 0) {
		shutdown(v->sock, SHUT_WR);
		do
			n = read(v->sock, &a, sizeof(a));
		while (n < 0 && errno == EINTR);
	}
	r = n == sizeof(a) ? a.result : error_set(e, EIO, "the helper process died");
	if (n == sizeof(a) && r < 0 && e)
		*e = a.error;
	cleanup_close(&v->sock);
	v->sock = -1;
	if (v->pid > 0)
		proc_wait(v->pid);
	if (v->locked && a.mounted && r == 0)
		r = volumes_filled(v->locked, e);
	if (v->locked)
		container_unlock(v->locked);
	spec_free(&v->spec);
	v->locked = NULL;
	return r;
}
