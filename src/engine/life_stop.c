/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping, killing, waiting, removing. */
#include "engine/life.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/signal.h"
#include "confine/cgroup.h"
#include "engine/attach.h"
#include "engine/events.h"
#include "engine/ids.h"
#include "engine/net.h"
#include "engine/volume.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A monitor may take as long for the last output (MOVER_END_MS of monitor_loop.h, and time for what follows). */
enum { MONITOR_END_MS = 35000 };

int life_stop_signal(const struct container_config *c)
{
	int s = c->stop_signal && *c->stop_signal ? signal_number(c->stop_signal) : SIGTERM;

	return s > 0 ? s : SIGTERM;
}

int life_note_stop(struct container *c, struct error *e)
{
	_cleanup_close_ int run = container_run_dir(c, e), fd = -1;

	if (run < 0)
		return run;
	fd = openat(run, "stop", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? error_errno(e, errno, "cannot note the stop") : 0;
}

void life_forget_stop(struct container *c)
{
	_cleanup_close_ int run = container_run_dir(c, NULL);

	if (run >= 0)
		unlinkat(run, "stop", 0);
}

bool life_stop_noted(struct container *c)
{
	_cleanup_close_ int run = container_run_dir(c, NULL);

	return run >= 0 && faccessat(run, "stop", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A start without a cgroup (a lowered wall) still has a network to take back: the link says "-". */
int life_note_start(struct container *c, const char *cgroup, struct error *e)
{
	_cleanup_close_ int run = container_run_dir(c, e);

	if (run < 0)
		return run;
	if (symlinkat(*cgroup ? cgroup : "-", run, "starting") < 0 && errno != EEXIST)
		return error_errno(e, errno, "cannot note the start");
	return 0;
}

void life_forget_start(struct container *c)
{
	_cleanup_close_ int run = container_run_dir(c, NULL);

	if (run >= 0)
		unlinkat(run, "starting", 0);
}

/* Each line of the id map is of the container's range, or is the caller's one id where that was named. 0, -ESRCH, -EPERM. */
static int check_ids(const struct container *c)
{
	const uint64_t first = c->config.id_first_uid, end = first + c->config.id_count;
	const struct spec named = { .lower = c->config.lower, .n_lower = c->config.n_lower };
	const bool caller = spec_lowered(&named, "user", "caller");
	_cleanup_fclose_ FILE *f = NULL;
	char path[48], line[128];
	unsigned inside, host, count;
	bool any = false;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", c->state.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %u %u", &inside, &host, &count) != 3)
			return -ESRCH;
		any = true;
		if ((host < first || (uint64_t)host + count > end) && !(caller && count == 1 && host == geteuid()))
			return -EPERM;
	}
	return any ? 0 : -ESRCH;
}

/*
 * The state is written by the container's owner, which for root's containers is not root: before root signals a process, its
 * id map must be the container's (R34).
 */
int life_pidfd(const struct container *c, struct error *e)
{
	_cleanup_close_ int fd = proc_pidfd_checked(c->state.pid, c->state.pid_start);
	int r = fd < 0 ? -ESRCH : check_ids(c);

	if (r == -EPERM)
		return error_set(e, EPERM, "process %d, recorded for container %s, has not its ids", c->state.pid,
				 c->config.name);
	if (r < 0)
		return error_set(e, ESRCH, "container %s does not run", c->config.name);
	return steal_fd(&fd);
}

void life_clear(struct container *c, bool again)
{
	_cleanup_close_ int fd = -1, run = -1;
	struct cgroup cg;

	if (c->state.pid > 0) {
		fd = life_pidfd(c, NULL);
		if (fd >= 0) {
			/* pid 1's end is the end of its whole pid namespace. */
			proc_pidfd_signal(fd, SIGKILL);
			proc_pidfd_wait(fd, 10000);
		}
	}
	cgroup_init(&cg);
	if (c->state.cgroup && *c->state.cgroup && kept_cgroup(c->state.cgroup, &cg, NULL) == 0) {
		cgroup_kill(&cg, 10000, NULL);
		if (!(again && kept_is_owner()))
			cgroup_remove(&cg, NULL);
		cgroup_close(&cg);
	}
	if (again && c->state.net_pid > 0 && proc_start_time(c->state.net_pid) == c->state.net_start)
		return;
	run = container_run_dir(c, NULL);
	if (run >= 0 && streq(c->config.network, "private"))
		net_stop(run, c->config.id, c->state.net_pid, c->state.net_start, c->state.n_ports > 0, NULL);
	c->state.net_pid = 0;
}

/* Killed before its program ran: it is what it was before. */
static int repair_start(struct container *c, struct error *e)
{
	free(c->state.error);
	c->state.error = xstrdup("its start was killed");
	int r = container_save_state(c, e);
	if (r == 0)
		life_forget_start(c);
	return r;
}

int container_repair(struct container *c, struct error *e)
{
	_cleanup_free_ char *cgroup = NULL;
	bool starting = container_start_noted(c, &cgroup), ran = container_running(c) || c->state.status == ST_RESTARTING;

	/* cgroup_open() takes no path but one of brig's. */
	if (starting && !ran) {
		free(c->state.cgroup);
		c->state.cgroup = steal_ptr(&cgroup);
	}
	life_clear(c, false);
	if (c->state.status == ST_REMOVING || c->config.auto_remove) {
		int r = life_remove_locked(c, c->config.auto_remove, -1, e);

		return r < 0 ? r : error_set(e, ENOENT, "no such container: %s (it was being removed)", c->config.name);
	}
	if (starting && !ran)
		return repair_start(c, e);
	life_forget_start(c);
	c->state.status = ST_EXITED;
	c->state.pid = 0;
	c->state.exit_code = 137;
	c->state.finished_ns = clock_now_ns();
	free(c->state.error);
	c->state.error = xstrdup("its monitor was killed");
	event_record("container", c->config.id, c->config.name, "die",
		     &(struct event_attr){ "exitCode", "137" }, 1, NULL);
	return container_save_state(c, e);
}

int container_kill(struct container *c, int signal, struct error *e)
{
	_cleanup_close_ int fd = -1;
	char text[16];
	int r;

	if (!container_running(c))
		return error_set(e, ESRCH, "container %s is not running", c->config.name);
	fd = life_pidfd(c, e);
	if (fd < 0)
		return fd;
	if (signal == SIGKILL) {
		r = life_note_stop(c, e);
		if (r < 0)
			return r;
	}
	snprintf(text, sizeof(text), "%d", signal);
	event_record("container", c->config.id, c->config.name, "kill", &(struct event_attr){ "signal", text }, 1, NULL);
	r = proc_pidfd_signal(fd, signal);
	return r < 0 ? error_errno(e, r, "cannot send signal %d to container %s", signal, c->config.name) : 0;
}

/* The monitor runs as the container's owner; what else the state names is not killed (R34). */
static bool is_owners(const struct container *c, pid_t pid)
{
	_cleanup_free_ char *status = NULL;
	char path[48];
	unsigned uid;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read(AT_FDCWD, path, 1 << 16, &status, NULL) < 0 || !(at = strstr(status, "\nUid:\t")) ||
	    sscanf(at + 6, "%u", &uid) != 1)
		return false;
	return geteuid() == 0 ? uid - c->config.id_first_uid < c->config.id_count : uid == geteuid();
}

/*
 * Waits until the run that `c` tells of is over: its monitor has written the state and let go of the lock. 0: so it is, and the
 * lock is ours. 1: somebody else started it meanwhile, which holds the lock for as long as that run lasts; `c` tells of that one.
 */
static int wait_for_end(struct container *c, struct error *e)
{
	const uint64_t was = c->state.pid_start;
	const pid_t pid = c->state.pid;
	long pause_ns = 500000;

	for (;;) {
		struct error busy = { 0 };
		int r = container_lock(c, false, &busy);

		if (r != -EBUSY) {
			if (r < 0 && e)
				*e = busy;
			return r;
		}
		r = container_load_state(c, e);
		if (r < 0)
			return r;
		if (container_running(c) && (c->state.pid != pid || c->state.pid_start != was))
			return 1;
		nanosleep(&(struct timespec){ .tv_nsec = pause_ns }, NULL);
		if (pause_ns < 10000000)
			pause_ns *= 2;
	}
}

/*
 * After pid 1's end. With `limit_ms` >= 0 a monitor that does not end in that time is killed, and the next that has the lock finds
 * a container without monitor. 1 as above.
 */
static int wait_for_monitor(struct container *c, int limit_ms, struct error *e)
{
	_cleanup_close_ int fd = limit_ms < 0 ? -1 : proc_pidfd_checked(c->state.monitor, c->state.monitor_start);
	int r;

	if (fd >= 0 && is_owners(c, c->state.monitor) && proc_pidfd_wait(fd, limit_ms) == 0)
		proc_pidfd_signal(fd, SIGKILL);
	r = wait_for_end(c, e);
	if (r == 0)
		container_unlock(c);
	return r == -ENOENT ? 0 : r;
}

/*
 * It waits to be started again, or is being started just now. Its monitor looks for the noted stop before it starts it: either it
 * lets go of the lock, or the container runs and has to be stopped. 1 for that.
 */
static int wait_for_restart(struct container *c, struct error *e)
{
	for (;;) {
		struct timespec t = { .tv_nsec = 10000000 };
		struct error busy = { 0 };
		int r = container_lock(c, false, &busy);

		if (r == 0)
			container_unlock(c);
		if (r != -EBUSY) {
			if (r < 0 && r != -ENOENT && e)
				*e = busy;
			return r == -ENOENT ? 0 : r;
		}
		r = container_load_state(c, e);
		if (r < 0 || container_running(c))
			return r < 0 ? r : 1;
		nanosleep(&t, NULL);
	}
}

static void thaw(const struct container *c)
{
	struct cgroup cg;

	cgroup_init(&cg);
	if (c->state.cgroup && *c->state.cgroup && cgroup_open(c->state.cgroup, &cg, NULL) == 0) {
		cgroup_freeze(&cg, false, 5000, NULL);
		cgroup_close(&cg);
	}
}

/* Stops the run that `c` tells of. 1: that one has ended, but somebody started the container again; `c` tells of that run. */
static int stop_run(struct container *c, int signal, uint64_t timeout_s, int monitor_ms, struct error *e)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!container_running(c) && c->state.status != ST_RESTARTING)
		return 0;
	r = life_note_stop(c, e);
	if (r < 0)
		return r;
	r = c->state.status == ST_RESTARTING ? wait_for_restart(c, e) : 1;
	if (r <= 0)
		return r;
	fd = life_pidfd(c, e);
	if (fd < 0)
		return fd == -ESRCH ? wait_for_monitor(c, monitor_ms, e) : fd;
	if (signal == 0)
		signal = life_stop_signal(&c->config);
	if (timeout_s == UINT64_MAX)
		timeout_s = c->config.stop_timeout_s;
	proc_pidfd_signal(fd, signal);
	thaw(c); /* a paused one can follow no signal */
	r = proc_pidfd_wait(fd, timeout_s > INT32_MAX / 1000 ? -1 : (int)timeout_s * 1000);
	if (r == 0) {
		proc_pidfd_signal(fd, SIGKILL);
		r = proc_pidfd_wait(fd, 10000);
		if (r == 0)
			return error_set(e, ETIMEDOUT, "container %s does not end on SIGKILL (a process waits in the kernel)",
					 c->config.name);
	}
	if (r < 0)
		return error_errno(e, r, "cannot wait for container %s", c->config.name);
	event_record("container", c->config.id, c->config.name, "stop", NULL, 0, NULL);
	return wait_for_monitor(c, monitor_ms, e);
}

/* A start at the same time may win the lock that the ended run let go of: whoever stops a container wants that one stopped too. */
static int stop(struct container *c, int signal, uint64_t timeout_s, int monitor_ms, struct error *e)
{
	int r;

	do
		r = stop_run(c, signal, timeout_s, monitor_ms, e);
	while (r > 0);
	return r;
}

int container_stop(struct container *c, int signal, uint64_t timeout_s, struct error *e)
{
	return stop(c, signal, timeout_s, -1, e);
}

/* A container that goes when it ends leaves no state behind: its exit code comes over the attach socket. */
static int wait_attached(struct container *c, int *exit_code)
{
	_cleanup_close_ int run = container_run_dir(c, NULL), sock = -1;
	struct { char type; struct attach_hello hello; } __attribute__((packed)) hello = { ATTACH_HELLO, { 0 } };

	if (run < 0 || (sock = attach_connect(run, NULL)) < 0)
		return -ENOENT;
	if (send(sock, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return -EPIPE;
	for (;;) {
		char msg[ATTACH_MAX];
		ssize_t n = recv(sock, msg, sizeof(msg), 0);
		int32_t status;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		if (msg[0] != ATTACH_EXIT || (size_t)n < 1 + sizeof(status))
			continue;
		memcpy(&status, msg + 1, sizeof(status));
		*exit_code = proc_exit_code(status);
		return 0;
	}
}

int container_wait(struct container *c, int *exit_code, struct error *e)
{
	int seen = -1, r;

	if (!container_running(c) && c->state.status != ST_RESTARTING) {
		*exit_code = c->state.exit_code;
		return 0;
	}
	r = wait_attached(c, &seen);
	if (r == 0)
		*exit_code = seen;
	r = wait_for_end(c, e);
	if (r == -ENOENT && seen >= 0)
		return 0; /* removed after it ended */
	if (r < 0)
		return r;
	if (r > 0) {
		/* Started anew before we looked: what came over the socket is the answer to the question. */
		*exit_code = seen >= 0 ? seen : c->state.exit_code;
		return 0;
	}
	*exit_code = c->state.exit_code;
	container_unlock(c);
	return 0;
}

/* The container's root may not walk to its layer; it gets it opened. */
static int empty_layer(void *ctx, struct error *e)
{
	int rw = *(int *)ctx, r;

	r = path_remove_tree(rw, "up");
	if (r == 0)
		r = path_remove_tree(rw, "work");
	return r < 0 ? error_errno(e, r, "cannot remove the writable layer") : 0;
}

static int remove_layer(struct container *c, int userns_fd, struct error *e)
{
	_cleanup_close_ int rw = openat(c->dir_fd, "rw", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (rw < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open the writable layer");
	if (faccessat(rw, "up", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && faccessat(rw, "work", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return userns_fd >= 0 ? ids_run_near(userns_fd, empty_layer, &rw, e) : ids_run_as(c, empty_layer, &rw, e);
}

/*
 * The order lets a crash be mended: REMOVING says what was wanted; the layer goes while its ids are still leased; the lease
 * goes before the folder, but a container that is being removed is never started again.
 */
int life_remove_locked(struct container *c, bool volumes, int userns_fd, struct error *e)
{
	int r;

	/* One that is to go when it ends and is recorded as running says the same already: whoever finds it so takes it away. */
	bool said = c->config.auto_remove && c->state.status == ST_RUNNING;

	c->state.status = ST_REMOVING;
	c->state.pid = 0;
	r = said ? 0 : container_save_state(c, e);
	if (r == 0)
		r = remove_layer(c, userns_fd, e);
	if (r == 0 && volumes)
		r = volume_drop_anonymous(&c->config, e);
	if (r < 0)
		return r;
	event_record("container", c->config.id, c->config.name, "destroy", NULL, 0, NULL);
	events_fold(c->dir_fd, c->config.id, NULL);
	ids_release(c);
	return container_unmake(c, e);
}

int container_remove(struct container *c, bool force, bool volumes, struct error *e)
{
	int r;

	if (container_running(c) || c->state.status == ST_RESTARTING) {
		if (!force) {
			error_set(e, EBUSY, "container %s is running", c->config.name);
			error_hint(e, "brig stop %s first, or brig rm -f %s", c->config.name, c->config.name);
			return -EBUSY;
		}
		r = stop(c, SIGKILL, 0, MONITOR_END_MS, e);
		if (r < 0)
			return r;
	}
	while (c->lock_fd < 0) {
		r = wait_for_end(c, e);
		if (r == -ENOENT)
			return 0; /* it has gone by itself */
		if (r > 0)
			r = force ? stop(c, SIGKILL, 0, MONITOR_END_MS, e)
				  : error_set(e, EBUSY, "container %s was started meanwhile", c->config.name);
		if (r < 0)
			return r;
	}
	/* With the lock in our hands nobody watches it: its monitor was killed. */
	if (container_running(c) || c->state.status == ST_RESTARTING)
		life_clear(c, false);
	/* One that was to go by itself takes them along, whoever removes what a crash left of it. */
	return life_remove_locked(c, volumes || c->config.auto_remove, -1, e);
}
