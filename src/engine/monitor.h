/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: parent of a container's pid 1 from its start to its end. It moves output into the log and to attached
 * clients, answers refused system calls, runs health checks and watches the size of the writable layer.
 *
 * The same loop runs in two places:
 *	foreground	in the front itself (`brig run`): monitor_foreground()
 *	detached	in brig-monitor, which a process that has just launched the container becomes by monitor_exec():
 *			same pid, so still pid 1's parent, and next to no memory
 *
 * What the loop needs comes as a kit: plain data and open descriptors. The detached monitor opens nothing by an absolute
 * path. When pid 1 has ended, brig-monitor executes the front again, same pid, with the kit still at MONITOR_KIT_FD and its
 * descriptors still open, but for those that carried the container's bytes (stdio, terminal, notifications):
 *
 *	brig __after ID WAITSTATUS REASON	(decimal wait status, see wait(2); REASON: monitor_reason_name())
 *
 * and while it runs, as children, with the same descriptors:
 *
 *	brig __health ID	one health check; exit code: enum health_exit (engine/health.h)
 *	brig __usage ID		measures the writable layer; exit code: enum usage_exit
 *
 * A detached monitor is two processes. The keeper, M, is pid 1's parent: it waits, stops, runs the front, and handles no
 * byte that a container wrote. Its child, the mover, handles all of them, and is confined to that (monitor_harden.c): filters
 * outlive exec, so that one process for both would have to let the mover do whatever the front needs, and a restarted
 * container would start with a filter that hides its refused calls. Either one's death ends the container.
 *
 * Signals to a detached monitor: SIGTERM stops the container properly (stop signal, then SIGKILL after the stop timeout);
 * SIGINT, SIGHUP and SIGQUIT are ignored.
 *
 * The loop uses no heap, no stdio, no locale: everything in monitor*.c (but monitor_kit.c), log_write.c and events_write.c
 * also links into a program without a C library.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct relay;

enum {
	MONITOR_KIT_FD = 3, /* where monitor_exec() leaves the kit, a sealed memfd */
	MONITOR_KIT_VERSION = 1,
	MONITOR_KEEP_MAX = 32,
	MONITOR_ID_MAX = 128,
};

/* What a descriptor of the kit is for; kit.fd[] holds its number, or -1 for none. */
enum monitor_fd {
	MFD_FRONT,	/* O_PATH of the brig binary: what the monitor executes (execveat(2)). Needed when detached. */
	MFD_LOCK,	/* RUN/ID/lock, flocked; only kept open */
	MFD_DIR,	/* container's folder, O_PATH or O_RDONLY: log, log.1, ..., events are made in it */
	MFD_RUN,	/* RUN/ID; only kept open */
	MFD_LISTEN,	/* listening attach socket, from attach_listen(); -1: nobody can attach */
	MFD_STDIN,	/* write end of the container's stdin pipe */
	MFD_STDOUT,	/* read ends of its output pipes */
	MFD_STDERR,
	MFD_TTY,	/* outer side of its terminal; the three above are -1 then */
	MFD_NOTIFY,	/* seccomp notifications */
	MFD_PIDFD,	/* pidfd of pid 1; needed */
	MFD_USERNS,	/* only kept open */
	MFD_NETNS,	/* only kept open */
	MFD_OOM,	/* cgroup v2 memory.events, or v1 memory.oom_control: its "oom_kill N" is read */
	MFD_OOM_EVENT,	/* v1: eventfd registered for oom_control; -1 on v2, where MFD_OOM itself is polled */
	MFD_COUNT,
};

/* Plain data: no pointers, so that it can be passed in a memfd. Set up with monitor_kit_init(). */
struct monitor_kit {
	uint32_t version, size;	     /* MONITOR_KIT_VERSION and sizeof(struct monitor_kit) */
	char id[MONITOR_ID_MAX];
	int32_t pid;		     /* pid 1 of the container: a child of the process that runs the loop */
	uint64_t pid_start;	     /* proc_start_time() of it */
	uint32_t owner;		     /* uid whose clients may attach; root may always */
	int32_t stop_signal;	     /* 0: SIGTERM */
	uint32_t stop_timeout_s;     /* between the stop signal and SIGKILL */
	uint64_t log_size;	     /* bytes of one log file before it is rotated; 0: nothing is logged */
	uint32_t log_files;	     /* number of log files kept, at least 1 */
	uint8_t stdin_once;	     /* the container's stdin is closed when the client that feeds it says end of file */
	uint64_t health_interval_ns; /* 0: no health check */
	uint64_t health_timeout_ns;
	uint64_t disk, disk_inodes;  /* limits of the writable layer that the monitor watches; 0: not watched */
	int32_t fd[MFD_COUNT];
	uint32_t n_keep;
	int32_t keep[MONITOR_KEEP_MAX]; /* opaque descriptors, kept open for `__after` */
};

enum monitor_reason {
	MONITOR_EXITED,	 /* by itself, or by a signal from elsewhere */
	MONITOR_STOPPED, /* SIGTERM to the monitor */
	MONITOR_DISK,	 /* the writable layer outgrew its limit */
	MONITOR_BROKEN,	 /* the mover died: the container was killed */
	MONITOR_OOM,	 /* the kernel killed something of it for lack of memory, and pid 1 ended by SIGKILL */
};
const char *monitor_reason_name(enum monitor_reason r); /* "exited", "stopped", "disk", "broken", "oom" */
int monitor_reason_parse(const char *name, enum monitor_reason *r); /* 0 or -EINVAL */

struct monitor_end {
	int status; /* wait status of pid 1 */
	enum monitor_reason reason;
};

/* Zeros, every descriptor -1, version and size filled. */
void monitor_kit_init(struct monitor_kit *kit);

/*
 * Runs the loop in this process until pid 1 ended and its output was passed on. `front` (engine/relay.h) is this process's
 * own stdin, stdout, stderr or terminal, opened with relay_open(); NULL: none. MFD_FRONT may be -1: then no health checks
 * and no size watch. The container's pipes are closed as their streams end, at the latest when it has ended, and are -1 in
 * the kit then; other descriptors stay the caller's.
 * MONITOR_DETACHED: the person typed the detach keys; the container runs on, its child of ours, and the caller goes on with
 * monitor_exec() (after having let go of the terminal), or calls this again with `front` NULL.
 */
enum { MONITOR_ENDED = 0, MONITOR_DETACHED = 1 };
int monitor_foreground(struct monitor_kit *kit, struct relay *front, struct monitor_end *end, struct error *e);

/*
 * Becomes brig-monitor: moves the kit's descriptors (each may be close-on-exec before) to the lowest numbers above
 * MONITOR_KIT_FD, closes everything else, gives 0, 1 and 2 /dev/null and executes. Returns only on failure. The caller has
 * dropped its privileges and called setsid() before, and lets no signal but the default ones be blocked or ignored.
 */
int monitor_exec(struct monitor_kit *kit, struct error *e);

/* Reads the kit at `fd` (MONITOR_KIT_FD in `__after`, `__health`, `__usage`) and checks that it is sealed and sound. */
int monitor_kit_read(int fd, struct monitor_kit *kit, struct error *e);

/* The body of brig-monitor: loop, then the front again. Returns an exit code when even that failed. */
int monitor_main(char **env);

/* Up to 100: per cent of the limit that is used (of the one of which more is). */
enum usage_exit {
	USAGE_OVER = 101, /* over a limit: the container is stopped */
	USAGE_FAR_OVER,	  /* twice a limit: it is killed */
};
