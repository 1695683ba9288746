/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the monitor: the loop's state and its parts. For what the monitor is, see engine/monitor.h. */
#pragma once

#include "confine/notify.h"
#include "engine/attach.h"
#include "engine/events.h"
#include "engine/log.h"
#include "engine/monitor.h"
#include "engine/monitor_bare.h"

#include <poll.h>
#include <signal.h>

enum {
	OUTPUT_RATE = 32 * 1024 * 1024, /* bytes of output a second that a detached monitor takes; more waits in the pipe */
	TTY_DRAIN_MS = 500,		/* how long a terminal may still deliver after the end */
	IDLE_MS = 1000,			/* without output for this long: buffers are given back */
	CHILD_GRACE_MS = 10000,		/* for a health check beyond its own timeout */
	USAGE_FIRST_MS = 5000,		/* after the start */
	USAGE_FINE_MS = 300000,		/* the writable layer is measured at least this often */
	USAGE_AGAIN_MS = 10000,		/* after one that failed */
	USAGE_LIMIT_MS = 600000,	/* one measurement may take no longer */
	MOVER_END_MS = 30000,		/* a mover has this long for the last output after pid 1's end */
	DISK_STOP_S = 3,		/* stop timeout of a container that outgrew its limit */
};

struct client {
	int fd; /* -1: free */
	bool greeted;	 /* its hello was taken */
	uint8_t want;	 /* ATTACH_WANT_* of the hello */
	bool due;	 /* the chunk is still to be sent to it */
	bool stalled;	 /* has input for the container, which takes none now */
};

/* A helper process: the front with an internal command. */
struct task {
	pid_t pid;	/* 0: none runs */
	uint64_t started, next, kill_at; /* bare_ticks(); 0: never */
};

/* What a layer may still take of something, by the last measurement, and what anybody took since. */
struct disk_gauge {
	uint64_t free, taken, room;
};

struct disk_watch {
	uint64_t at;   /* next look at the file system; 0: never */
	uint64_t took; /* last measurement, ns */
	struct disk_gauge bytes, inodes;
};

struct monitor {
	struct monitor_kit *kit;
	struct relay *front;
	enum role {
		ROLE_WHOLE,	/* foreground: one process does it all */
		ROLE_KEEPER,	/* brig-monitor: pid 1's parent; sees no byte of the container */
		ROLE_MOVER,	/* its child, confined: moves bytes, answers refused calls */
	} role;
	int peer;		/* a pipe in which the keeper gives the mover pid 1's wait status; -1: none */
	pid_t mover;		/* keeper: 0 when it has ended */
	char **env;
	void (*prepare_child)(struct monitor *m); /* NULL: descriptors already stand as the kit says */
	int signals;		/* signalfd */
	sigset_t mask;		/* signal mask before */
	struct sigaction pipe;	/* SIGPIPE's action before */

	int out[2], in;		/* container's side; -1: closed. A terminal is in out[0] and in. */
	int notify, oom, listen;
	int joined[ATTACH_LISTENERS]; /* listeners of processes that joined; -1: free */
	bool tty, logging, log_failed;
	struct client client[ATTACH_CLIENTS];

	/* output on its way to all who want it; chunk[0] is the attach type */
	size_t chunk_len, front_done;
	bool front_due;
	uint64_t chunk_since;
	/* input on its way to the container */
	size_t in_len, in_off;
	bool in_end;

	uint64_t rate_start, rate_bytes, pause_until;
	uint64_t rest_at, idle_at;
	struct task health, usage;
	struct disk_watch disk;
	uint64_t kill_at;	/* SIGKILL after a stop signal; keeper: of a mover that does not end */
	enum monitor_reason reason;
	bool stopping, ended, detach;
	int status;
	uint64_t ended_at, oom_first, oom_seen; /* oom_kill counts */
	uint64_t refused, notify_at; /* not before then: too many calls */
	struct notify_meter meter;

	struct log_writer log;
	char chunk[ATTACH_MAX] __attribute__((aligned(4096)));
	char input[ATTACH_MAX];
};

/* poll(2)'s slots: the fixed ones, then a slot for each client. */
enum slot {
	SLOT_SIGNALS,
	SLOT_PID,
	SLOT_OUT,
	SLOT_ERR,
	SLOT_IN,
	SLOT_NOTIFY,
	SLOT_OOM,
	SLOT_LISTEN,
	SLOT_PEER,
	SLOT_FRONT_SIGNALS,
	SLOT_FRONT_IN,
	SLOT_FRONT_OUT,
	SLOT_JOINED,
	SLOT_CLIENTS = SLOT_JOINED + ATTACH_LISTENERS,
	SLOT_COUNT = SLOT_CLIENTS + ATTACH_CLIENTS,
};

/* monitor.c */
int monitor_run(struct monitor *m);
void monitor_event(struct monitor *m, const char *action, const struct event_attr *attrs, size_t n);
static inline void sooner(uint64_t *at, uint64_t when)
{
	if (when && (!*at || when < *at))
		*at = when;
}

/* monitor_io.c: output and input. output_read() tells whether there was any. */
bool output_busy(const struct monitor *m);
bool output_read(struct monitor *m, int stream);
void output_deliver(struct monitor *m);
void output_close(struct monitor *m, int stream);
void output_timers(struct monitor *m, uint64_t now, uint64_t *next);
void input_front(struct monitor *m);
void input_write(struct monitor *m);
void input_close(struct monitor *m);

/* monitor_client.c: the attach socket */
void client_accept(struct monitor *m);
void client_read(struct monitor *m, struct client *c);
void client_send(struct monitor *m, struct client *c);
void client_drop(struct client *c);
void client_farewell(struct monitor *m);

/* monitor_task.c: children, stopping, limits */
void task_start(struct monitor *m);
void task_reap(struct monitor *m);
void task_timers(struct monitor *m, uint64_t now, uint64_t *next);
void task_end(struct monitor *m);
void monitor_stop(struct monitor *m, enum monitor_reason why, uint64_t timeout_s);
void monitor_oom(struct monitor *m);
/* Arguments of an internal command; `after` adds wait status and reason. Replaces the process; returns on failure only. */
void monitor_exec_front(struct monitor *m, const char *command, bool after);

/* monitor_disk.c: when to measure the writable layer. disk_timers() tells that it is time; disk_measured() takes the exit code. */
void disk_start(struct monitor *m, uint64_t now);
void disk_measuring(struct monitor *m);
void disk_measured(struct monitor *m, int code, uint64_t took);
bool disk_timers(struct monitor *m, uint64_t now, uint64_t *next);

/* monitor_notify.c: refused calls */
void monitor_notify(struct monitor *m, int *listener, short revents);
/* Takes the listener of a process that joined. False: there are too many; the descriptor is closed then. */
bool monitor_notify_add(struct monitor *m, int fd);

/* monitor_kit.c: monitor_exec() with the program's path, for tests */
int monitor_exec_at(const char *path, struct monitor_kit *kit, struct error *e);

/* monitor_main.c and monitor_harden.c */
int monitor_kit_load(int fd, struct monitor_kit *kit);
/* For the mover: nothing is left to this process but its work. 0 or negative errno. */
int monitor_harden(int dir);
