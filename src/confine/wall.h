/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walls. A wall is one kernel mechanism, in one file, behind the same functions:
 *
 *	plan	 from the specification, decide what this wall will be. No side effects; testable alone.
 *	outside	 the part that only the starting process can do (write uid_map, join a cgroup), while the new process
 *		 waits; most walls have none.
 *	raise	 put it up, in the process that becomes the container.
 *	prove	 for a running process, read the evidence back from the kernel and compare it to the plan.
 *
 * walls[] lists them in the order in which they are raised. Adding a mechanism is adding a file and a row.
 */
#pragma once

#include "base/error.h"
#include "spec/spec.h"

enum wall_id {
	WALL_USER,
	WALL_PID,
	WALL_IPC,
	WALL_UTS,
	WALL_CGROUPNS,
	WALL_TIME,
	WALL_NET,
	WALL_CGROUP,
	WALL_MOUNTS,
	WALL_IMAGE,
	WALL_DEVICES,
	WALL_KEYRING,
	WALL_RLIMITS,
	WALL_ENV,
	WALL_FDS,
	WALL_LSM,
	WALL_NNP,
	WALL_LANDLOCK,
	WALL_CAPS,
	WALL_SECCOMP,
	WALL_COUNT,
};

/* What plan decided for one wall. */
enum wall_intent {
	INTENT_UP,	/* will be raised; a start without it fails */
	INTENT_LOWERED, /* lowered by name, wholly or in a detail (see `note`) */
	INTENT_ABSENT,	/* this machine lacks it and a person accepted that (brig.conf accept_lowered, or --lower) */
};

struct wall_plan {
	enum wall_intent intent;
	char text[400]; /* the plan in words, "4 of 41 capabilities: chown, ..."; printable */
	char note[200]; /* for LOWERED and ABSENT: which part, and why; printable */
};

/* The seccomp wall: a compiled filter. */
struct seccomp_plan {
	const void *bpf; /* struct sock_filter[n]; owned by the wall (embedded or mapped from the cache) */
	unsigned n;
	bool notify;	 /* the filter answers some calls by user notification */
};

/* The cgroup wall. */
struct cgroup_plan {
	int version;	   /* 2, 1 (also hybrid), 0: none can be used */
	char path[512];	   /* relative to each hierarchy's mount, "brig/ID"; empty when none */
	unsigned controllers; /* bits of enum cgroup_controller that can be used */
	bool by_systemd;   /* joining takes a request to systemd, from outside */
};

struct plan {
	const struct spec *spec;
	struct wall_plan wall[WALL_COUNT];
	struct seccomp_plan seccomp;
	struct cgroup_plan cgroup;
	uint64_t caps;	    /* kept capabilities */
	bool nnp;
	int landlock_abi;   /* of this kernel; 0: none */
};

/*
 * A start in progress, in the starting process ("outside") or in the new one ("raise"). Both have a copy.
 * `sync` is a SOCK_SEQPACKET pair between them; runtime/launch.h owns its little protocol.
 */
struct launch {
	struct plan *plan;
	int sync;
	bool joining;	/* raise: a second process in a running container (exec) */
	pid_t pid;	/* outside: the new process, as our pid namespace numbers it */
	int pidfd;	/* outside: its pidfd */
	int root_fd;	/* raise: the new root, once it is mounted */
	int proc_fd;	/* raise: a procfs of the new pid namespace (checked) that nobody else reaches, for writes to /proc */
	int notify_fd;	/* raise: the seccomp notification descriptor, once there is one */
	int cgroup_fd;	/* outside: the container's cgroup v2 folder for CLONE_INTO_CGROUP, -1 when v1 or none */
	int cgroup_join[10]; /* v1 hierarchies that the new process joins first of all; see confine/cgroup.h */
	size_t n_cgroup_join;
	int tty_fd;	/* raise: the terminal's inner side */
	int ptmx_fd;	/* raise: its outer side, on the way to the starter */
	int stage_fd;	/* raise: a tmpfs of our own, dropped with the old root */
	int init_fd;	/* raise: the program for --init, -1 without */
	bool early;	/* raise: the new process opens its sources itself */
	/*
	 * What the root is made of: lower, data and rw of spec->root (-1 where there is none), then one for each bind
	 * of spec->mounts in order. Detached mounts when root runs brig, else opened by the new process itself
	 * while it still has the caller's id.
	 */
	int *sources;
	size_t n_sources;
	bool sources_detached; /* they are detached mounts that the starter made */
	bool staging;	       /* the stage is kept for restarts: the root is built in a mount namespace of its own */
	bool staged;	       /* the stage is there already, with the sources on it */
};

/* A process to judge. */
struct subject {
	pid_t pid;
	int pidfd;
	int proc_fd;	     /* O_PATH of /proc/PID */
	const struct spec *spec; /* NULL for a process that brig did not start */
	const char *cgroup;  /* recorded path, NULL when unknown */
};

enum verdict {
	VERDICT_STANDS,
	VERDICT_LOWERED, /* as planned, but the plan is lowered by name */
	VERDICT_ABSENT,	 /* this machine lacks it, as accepted */
	VERDICT_DOWN,	 /* not as planned, or (for a foreign process) not there */
	VERDICT_UNKNOWN, /* could not be read; counts as down */
};

struct evidence {
	enum verdict verdict;
	char found[1200]; /* what the kernel says, printable, "Seccomp: 2 (filter), Seccomp_filters: 1" */
	char why[400];	  /* for anything but STANDS: the difference */
};

struct wall {
	enum wall_id id;
	const char *name;
	const char *what;	     /* one line for help and documentation */
	const char *const *details; /* what --lower NAME=DETAIL takes, NULL-terminated; NULL: only the whole wall */
	const char *const *texts;   /* what each detail opens, in the same order; NULL without details */
	bool can_lower;		     /* false: this wall has no --lower at all */
	bool prove_inside;	     /* its evidence belongs to the container's ids: an ordinary user proves it as root inside */
	bool on_exec;		     /* raised again for each process that joins (brig exec, health checks) */
	int (*plan)(const struct spec *s, struct plan *p, struct error *e);
	int (*outside)(struct launch *l, struct error *e);
	int (*raise)(struct launch *l, struct error *e);
	/* `p` is the plan made again from the recorded specification; NULL for a foreign process. */
	void (*prove)(const struct plan *p, const struct subject *s, struct evidence *ev);
};

extern const struct wall *const walls[WALL_COUNT];

/* Makes the whole plan: every wall in order. On failure the error names the wall and, where there is one, the flag. */
int plan_make(const struct spec *s, struct plan *p, struct error *e);

/* Checks that a `--lower` argument names a wall and a detail that exist, and splits it. */
int lower_parse(const char *arg, struct spec_lower *out, struct error *e);

/* For plan functions: sets intent and text. LOWERED and ABSENT take a note as well. */
__attribute__((format(printf, 3, 4))) void wall_up(struct plan *p, enum wall_id id, const char *fmt, ...);
__attribute__((format(printf, 5, 6))) void wall_not_up(struct plan *p, enum wall_id id, enum wall_intent intent,
						       const char *note, const char *fmt, ...);

/* For prove functions. */
__attribute__((format(printf, 3, 4))) void evidence_add(struct evidence *ev, enum verdict v, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void evidence_why(struct evidence *ev, const char *fmt, ...);
/* STANDS becomes LOWERED or ABSENT when the plan says so (p may be NULL). Call last. */
void evidence_settle(struct evidence *ev, const struct plan *p, enum wall_id id);

/* Reads a field of /proc/PID/status: the text after "Name:\t". 0 or negative errno. */
int subject_status(const struct subject *s, const char *field, char *out, size_t size);
/* The inode number of /proc/PID/ns/NAME; 0 when it cannot be read. */
uint64_t subject_ns(const struct subject *s, const char *name);
