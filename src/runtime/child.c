/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/child.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine/cgroup.h"
#include "confine/mount.h"
#include "runtime/program.h"
#include "runtime/sync.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

struct outer {
	int fd[3]; /* pipe ends that go to the starter */
};

static void __attribute__((noreturn)) give_up(struct launch *l, struct error *e)
{
	sync_send_error(l->sync, e);
	_exit(EXIT_ENGINE);
}

/* Detached mounts from the starter, up to FD_PASS_MAX a message, until GO. */
static int receive_sources(struct launch *l, struct error *e)
{
	size_t have = 0;

	for (;;) {
		int fds[FD_PASS_MAX];
		size_t n = FD_PASS_MAX;
		int r = sync_recv_any(l->sync, NULL, 0, fds, &n, e);

		if (r < 0)
			return r;
		if (r == 0)
			_exit(EXIT_ENGINE); /* the starter is gone and wants nothing more */
		if (r == SYNC_GO)
			return 0;
		if (r != SYNC_SOURCES)
			return error_set(e, EPROTO, "an unexpected message");
		l->sources = xrealloc(l->sources, have + n, sizeof(int));
		memcpy(l->sources + have, fds, n * sizeof(int));
		have += n;
		l->n_sources = have;
		l->sources_detached = true;
	}
}

/*
 * Holes in the list (a root without a data layer, say) are known from the specification, so that only real descriptors
 * travel; here they are put back at their places.
 */
static void spread_sources(struct launch *l)
{
	const struct spec_root *root = &l->plan->spec->root;
	const int have[3] = { root->lower_fd >= 0, root->data_fd >= 0, root->rw_fd >= 0 };
	size_t holes = (size_t)(3 - have[0] - have[1] - have[2]), from = 0;
	int *all;

	if (!l->sources_detached)
		return;
	all = xcalloc(l->n_sources + holes, sizeof(int));
	for (size_t i = 0; i < l->n_sources + holes; i++)
		all[i] = i < 3 && !have[i] ? -1 : l->sources[from++];
	free(l->sources);
	l->sources = all;
	l->n_sources += holes;
}

/*
 * Pipes are made here, by container root, and given to the container's user: a program may open /dev/stdout again only
 * if the pipe is its own.
 */
static int make_pipe(int ends[2], uint32_t uid, uint32_t gid, struct error *e)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	if (fchown(ends[0], uid, gid) < 0)
		return error_errno(e, errno, "cannot give a pipe to uid %u", uid);
	return 0;
}

static int set_up_stdio(struct launch *l, const struct launch_io *io, struct outer *outer, int inner[3],
			struct error *e)
{
	const struct spec *s = l->plan->spec;

	for (int i = 0; i < 3; i++)
		outer->fd[i] = inner[i] = -1;
	if (s->terminal || io->inherit) {
		for (int i = 0; i < 3; i++)
			inner[i] = s->terminal ? l->tty_fd : io->fd[i];
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		int ends[2], r;

		if (i == 0 && !io->stdin_open) {
			inner[0] = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
			if (inner[0] < 0)
				return error_errno(e, errno, "/dev/null");
			continue;
		}
		r = make_pipe(ends, s->uid, s->gid, e);
		if (r < 0)
			return r;
		inner[i] = i == 0 ? ends[0] : ends[1];
		outer->fd[i] = i == 0 ? ends[1] : ends[0];
	}
	return 0;
}

static int take_stdio(struct launch *l, const struct launch_io *io, int inner[3], struct error *e)
{
	struct winsize size = { .ws_row = io->rows, .ws_col = io->cols };

	if (setsid() < 0)
		return error_errno(e, errno, "setsid");
	if (l->plan->spec->terminal && ioctl(l->tty_fd, TIOCSCTTY, 0) < 0)
		return error_errno(e, errno, "cannot take the terminal");
	if (l->plan->spec->terminal && io->rows && ioctl(l->tty_fd, TIOCSWINSZ, &size) < 0)
		return error_errno(e, errno, "cannot set the size of the terminal");
	for (int i = 0; i < 3; i++) {
		if (inner[i] == i) {
			fd_set_cloexec(i, false);
			continue;
		}
		if (dup2(inner[i], i) < 0)
			return error_errno(e, errno, "dup2");
	}
	return 0;
}

/* The working directory, made where the image has none, as docker does; entered by descriptor, inside the root (R21). */
static int enter_cwd(const char *cwd, bool make, struct error *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	char where[PATH_MAX];

	if (root < 0)
		return error_errno(e, errno, "/");
	fd = make ? path_mkdirs_in(root, cwd, 0755) : path_open_in(root, cwd, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return error_errno(e, fd, "working directory %s", cwd);
	if (fchdir(fd) < 0)
		return error_errno(e, errno, "working directory %s", cwd);
	if (syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/')
		return error_set(e, EPERM, "working directory %s lies outside of the container (R2)", cwd);
	return 0;
}

static int raise_one(struct launch *l, const struct wall *w, struct error *e)
{
	int r;

	if (!w->raise || (l->joining && !w->on_exec))
		return 0;
	r = w->raise(l, e);
	return r < 0 ? error_wrap(e, "%s wall", w->name) : 0;
}

static int raise_range(struct launch *l, int from, int to, struct error *e)
{
	int r = 0;

	for (int i = from; r == 0 && i <= to; i++)
		r = raise_one(l, walls[i], e);
	return r;
}

static int tell_ready(struct launch *l, struct outer *outer, struct error *e)
{
	struct sync_ready ready = { 0 };
	int fds[5], r;
	size_t n = 0;

	if (l->ptmx_fd >= 0) {
		ready.tty = 1;
		fds[n++] = l->ptmx_fd;
	}
	for (int i = 0; i < 3; i++) {
		if (outer->fd[i] >= 0) {
			ready.pipes |= (uint8_t)(1 << i);
			fds[n++] = outer->fd[i];
		}
	}
	if (l->notify_fd >= 0) {
		ready.notify = 1;
		fds[n++] = l->notify_fd;
	}
	r = sync_send(l->sync, SYNC_READY, &ready, sizeof(ready), fds, n);
	if (r < 0)
		return error_errno(e, r, "cannot tell the starter");
	/* What was sent must not live on in the program (its own listener above all). */
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return 0;
}

static void __attribute__((noreturn)) execute(struct launch *l, const char *program, int init_fd)
{
	const struct spec *s = l->plan->spec;
	char *const none[] = { NULL };
	char *const *env = s->env ? s->env : none;
	struct error e = { 0 };
	int err;

	if (init_fd >= 0)
		syscall(SYS_execveat, init_fd, "", s->args, env, AT_EMPTY_PATH);
	else
		execve(program, s->args, env);
	err = errno;
	_cleanup_free_ char *safe = str_escape(program);
	e.exit = err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	/* The program exists: ENOENT now means that its interpreter does not. */
	if (err == ENOENT)
		error_set(&e, err, "exec %s: no such file or directory (its interpreter is missing)", safe);
	else if (err == ENOEXEC)
		error_set(&e, err, "exec %s: exec format error", safe);
	else
		error_set(&e, err, "exec %s: %s", safe, err == EACCES ? "permission denied" : strerror(err));
	give_up(l, &e);
}

/* The last walls, whose order depends on whether no_new_privs stands: without it seccomp needs what caps gives up. */
static int raise_last(struct launch *l, struct error *e)
{
	int r = raise_range(l, WALL_KEYRING, WALL_LANDLOCK, e);

	if (r == 0 && !l->plan->nnp)
		r = raise_one(l, walls[WALL_SECCOMP], e);
	if (r == 0)
		r = raise_one(l, walls[WALL_CAPS], e);
	/* A change of ids clears the death signal. */
	if (r == 0 && !l->joining && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = error_errno(e, errno, "PR_SET_PDEATHSIG");
	return r;
}

static int run_up(struct launch *l, const struct launch_io *io, struct outer *outer, char *program, size_t size,
		  struct error *e)
{
	const struct spec *s = l->plan->spec;
	int inner[3], r;

	r = set_up_stdio(l, io, outer, inner, e);
	if (r == 0 && !l->joining)
		r = enter_cwd(s->cwd ? s->cwd : "/", true, e);
	if (r == 0)
		r = take_stdio(l, io, inner, e);
	if (r == 0)
		r = raise_last(l, e);
	if (r == 0) /* again as the container's user, who may not be allowed where root is */
		r = enter_cwd(s->cwd ? s->cwd : "/", false, e);
	if (r == 0)
		r = program_find(s->args[0], s->env, program, size, e);
	umask(s->umask == UINT64_MAX ? 0022 : (mode_t)s->umask);
	program_signals();
	if (r == 0 && l->plan->nnp)
		r = raise_one(l, walls[WALL_SECCOMP], e);
	return r;
}

static void close_leftovers(struct launch *l)
{
	cleanup_close(&l->root_fd);
	cleanup_close(&l->proc_fd);
	cleanup_close(&l->stage_fd);
}

/*
 * Where the root is put together. With `staging` the sources are mounted there first, the starter holds on to the mount
 * namespace, and the root is built in a copy of it; a restart begins in such a copy.
 */
static int stage(struct launch *l, struct error *e)
{
	int r = mount_stage(l, e);

	if (r < 0 || !l->staging)
		return r;
	r = mount_keep_sources(l, e);
	if (r == 0)
		r = sync_send(l->sync, SYNC_STAGED, NULL, 0, NULL, 0);
	if (r == 0)
		r = sync_recv(l->sync, SYNC_GO, NULL, 0, NULL, NULL, "the starter is gone", e);
	if (r == 0 && unshare(CLONE_NEWNS) < 0)
		return error_errno(e, errno, "unshare");
	return r < 0 ? r : mount_stage_again(l, e);
}

void child_container(struct launch *l, const struct launch_io *io)
{
	struct error e = { 0 };
	struct outer outer = { { -1, -1, -1 } };
	char program[PATH_MAX];
	int r = 0;

	/* Dies with its parent from the first moment; a parent that is already gone shows as end of file below. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	umask(0);
	r = cgroup_enter(l, &e);
	if (r == 0 && l->early)
		r = mount_sources_early(l, &e);
	if (r == 0)
		r = receive_sources(l, &e);
	if (r < 0)
		give_up(l, &e);
	spread_sources(l);
	r = raise_range(l, 0, WALL_CGROUP, &e);
	if (r == 0)
		r = stage(l, &e);
	if (r == 0)
		r = raise_range(l, WALL_CGROUP + 1, WALL_DEVICES, &e);
	if (r == 0)
		r = run_up(l, io, &outer, program, sizeof(program), &e);
	if (r < 0)
		give_up(l, &e);
	close_leftovers(l);
	if (tell_ready(l, &outer, &e) < 0)
		give_up(l, &e);
	r = sync_recv_any(l->sync, NULL, 0, NULL, NULL, &e);
	if (r != SYNC_START)
		_exit(EXIT_ENGINE);
	execute(l, program, l->init_fd);
}

/*
 * A terminal of the container's own devpts. Its mount is checked to be one, and the node is the one in it: /dev belongs to
 * the container, and a link there leads nowhere (R4).
 */
static int join_terminal(struct launch *l, struct error *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), pts = -1;
	struct statfs fs;

	if (root < 0)
		return error_errno(e, errno, "/");
	pts = path_open_beneath(root, "dev/pts", O_PATH | O_DIRECTORY, 0);
	if (pts < 0 || fstatfs(pts, &fs) < 0)
		return error_errno(e, pts < 0 ? pts : errno, "/dev/pts of the container");
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return error_set(e, ENOTTY, "/dev/pts of the container is no devpts");
	return mount_terminal(l, pts, e);
}

void child_exec(struct launch *l, const struct launch_io *io)
{
	struct error e = { 0 };
	struct outer outer = { { -1, -1, -1 } };
	char program[PATH_MAX];
	int r;

	umask(0);
	/* First of all into the container's cgroup: nothing of this runs unlimited. */
	r = cgroup_enter(l, &e);
	if (r == 0)
		r = raise_range(l, 0, WALL_DEVICES, &e);
	if (r == 0 && l->plan->spec->terminal)
		r = join_terminal(l, &e);
	if (r == 0)
		r = run_up(l, io, &outer, program, sizeof(program), &e);
	if (r == 0)
		r = tell_ready(l, &outer, &e);
	if (r < 0)
		give_up(l, &e);
	execute(l, program, -1);
}
