/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as a person knows them, as files below DATA/containers/ID (ID: 64 hex digits) and RUN/ID:
 *
 *	DATA/containers/ID/config.json	what the person asked for; written once at create, replaced by rename and update
 *	DATA/containers/ID/state.json	what happened to it; replaced atomically by whoever holds the lock
 *	DATA/containers/ID/log, log.1..	output, one JSON object a line (see engine/log.h)
 *	DATA/containers/ID/rw/		the writable layer: up/ and work/, owned by the container's ids
 *	DATA/names/NAME			a symbolic link to ID; made with symlinkat, which fails when the name is taken
 *	RUN/ID/lock			flock: held (exclusive) by the monitor while the container runs
 *	RUN/ID/attach			the monitor's socket
 *	RUN/ID/starting			a symbolic link to the cgroup that a start is about to make, until state.json names it
 *
 * A container whose state says "running" and whose lock is free lost its monitor: container_refresh() says so in the state
 * and gives back what it held. So does one that has the link "starting".
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "confine/rlimits.h"
#include "spec/spec.h"

struct relay;

enum { CONTAINER_ID_LEN = 64 };

enum container_status { ST_CREATED, ST_RUNNING, ST_PAUSED, ST_RESTARTING, ST_REMOVING, ST_EXITED, ST_DEAD };

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

struct health_config {
	char **test;	       /* ["CMD", args...], ["CMD-SHELL", "text"], ["NONE"]; NULL: none */
	uint64_t interval_ns, timeout_ns, start_period_ns;
	uint64_t retries;
};

/* One health check that was made. */
struct health_result {
	uint64_t start_ns, end_ns;
	int exit_code;
	char *output; /* its beginning, as text */
};

/* A -v, --mount or --tmpfs as it was asked for. */
struct volume_mount {
	char *type;	/* "bind", "volume", "tmpfs" */
	char *source;	/* host path, volume name (empty: anonymous), or NULL */
	char *target;	/* absolute, inside */
	char *options;	/* tmpfs options, NULL */
	bool read_only;
	bool recursive; /* a bind takes the mounts below its source with it */
	bool anonymous; /* a volume made for this container: goes with it on --rm and `rm -v` */
	bool no_exec;	/* nothing on it can be executed */
	bool no_copy;	/* a new volume stays empty instead of taking what the image has at its target */
};

/* A --secret: a host file, read at each start, shown as /run/secrets/NAME owned by the container's user. */
struct secret_mount {
	char *name, *path;
	uint32_t mode;	/* 0 to 0777 */
};

struct container_config {
	char id[CONTAINER_ID_LEN + 1];
	char *name;
	uint64_t created_ns;
	char *image_name, *image_id, *tree; /* name as given; config digest; chain id */
	/* what trust asks about (trust/trust.h): the store's name or NULL; manifest's digest, NULL: made before brig pulled anything */
	char *image_known, *image_manifest, *image_pulled;
	bool image_local;
	char *rootfs;			    /* --rootfs: a folder in place of an image */

	char **entrypoint, **command; /* resolved: what runs is entrypoint + command */
	char **env, *cwd, *user;      /* user as written, "name:group" */
	uint32_t uid, gid, *groups;   /* resolved at create from the image's passwd and group */
	size_t n_groups;
	uint32_t *more_uids, *more_gids; /* ids inside that it has beside those of its tree: user, groups, its volumes' */
	size_t n_more_uids, n_more_gids;
	char *hostname, *domainname;
	char *apparmor; /* profile that a person named; NULL: none */
	bool tty, interactive, init, read_only, auto_remove, detached;
	char *stop_signal;
	uint64_t stop_timeout_s;
	enum restart_policy restart;
	uint64_t restart_max;	      /* on-failure:N; 0: no bound */
	struct health_config health;
	char **labels, **annotations; /* "key=value" */
	char *cidfile;

	struct volume_mount *mounts;
	size_t n_mounts;
	struct secret_mount *secrets;
	size_t n_secrets;
	uint64_t shm_size, tmp_size;
	uint64_t disk, disk_inodes;   /* size of the writable layer; 0: no limit */
	uint64_t root_tmpfs;	      /* >0: writable layer on tmpfs of this size */

	char *network;		      /* "none", "private", "container:ID", "host" */
	struct spec_port *ports;
	size_t n_ports;
	uint16_t *expose_tcp;
	size_t n_expose_tcp;
	char **dns, **dns_search, **dns_options, **add_host; /* "name:address" */

	struct spec_limits limits;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	uint64_t log_size, log_files;
	char **cap_add, **cap_drop, **sysctl;
	struct spec_lower *lower;
	size_t n_lower;
	char *platform;

	/* the id range, leased at create, given back at rm; see engine/ids.h */
	uint32_t id_first_uid, id_first_gid, id_count;
	char *slot;		      /* tree slot, "raw" when root */
};

struct container_state {
	enum container_status status;
	pid_t pid;		      /* init, as the host numbers it; 0 when it does not run */
	uint64_t pid_start;	      /* proc_start_time */
	pid_t monitor;
	uint64_t monitor_start;
	uint64_t started_ns, finished_ns;
	int exit_code;
	bool oom_killed;
	char *error;		      /* why it did not start, or "monitor was killed" */
	uint64_t restarts;
	bool stopped_by_person;
	char *cgroup;		      /* path, see struct cgroup_plan */
	pid_t net_pid;		      /* pasta */
	uint64_t net_start;
	uint64_t ns[8];		      /* inode numbers: user pid ipc uts cgroup time net mnt */
	char *health;		      /* "starting", "healthy", "unhealthy", NULL */
	char **accepted;	      /* accept_lowered of brig.conf at the last start; restarts may not be able to read it */
	uint64_t health_failing;      /* failures in a row */
	struct health_result *health_log; /* the last checks, oldest first */
	size_t n_health_log;
	struct spec_port *ports;      /* with the host ports that were really taken */
	size_t n_ports;
};

struct container {
	struct container_config config;
	struct container_state state;
	int dir_fd;  /* DATA/containers/ID */
	int lock_fd; /* held exclusively when >= 0 */
	void (*warn)(const char *text); /* called with what a person should know of a start that goes on; NULL: nobody asks */
};

void container_init(struct container *c);
void container_free(struct container *c);

/*
 * Making one, for container_create(). container_make() chooses an id, takes the lock (in that order, so that a folder
 * without config.json whose lock is free is left from a crash: container_list() removes it) and makes the folder. Where
 * no hostname is given it is the first 12 digits of the id; env gets HOSTNAME.
 * Then the name, then container_save_config(); before that nothing of the container may be owned by its ids.
 */
int container_make(struct container *c, struct error *e);
/* Removes the folder, the runtime folder and the name, once rw/ is gone; the lock is held and then given up. */
int container_unmake(struct container *c, struct error *e);

/* [A-Za-z0-9][A-Za-z0-9_.-]{0,127} and not the form of an id. */
int container_name_check(const char *name, struct error *e);
/* Takes config.name, or a random free one when it is NULL. -EEXIST: another container has it. */
int container_name_take(struct container *c, struct error *e);
/* Gives config.name back if it is this container's. */
void container_name_drop(const struct container *c);
/* Takes the new name, saves the configuration, gives the old one back. */
int container_rename(struct container *c, const char *name, struct error *e);

/* RUN/ID, made where missing: a descriptor to close, or a negative errno. */
int container_run_dir(const struct container *c, struct error *e);

/* By name, id, or unique start of an id. Reads config and state and refreshes a lost one. -ENOENT: no such container. */
int container_find(const char *ref, struct container *out, struct error *e);
/* All containers, newest first; each is refreshed. The caller frees. */
int container_list(struct container **out, size_t *n, struct error *e);
/*
 * The lock serialises changes: state is read again after it was taken. With `wait` false, -EBUSY when somebody holds it;
 * a running container's lock is held by its monitor.
 */
int container_lock(struct container *c, bool wait, struct error *e);
void container_unlock(struct container *c);
/* True while somebody holds the lock of the container `id`: it runs, or is being started, stopped or changed. */
bool container_is_held(const char *id);
/* True when a start is under way or was killed half-way; `*cgroup` (may be NULL; the caller frees) is what it may have made. */
bool container_start_noted(const struct container *c, char **cgroup);
int container_save_config(struct container *c, struct error *e);
int container_save_state(struct container *c, struct error *e);
int container_load_state(struct container *c, struct error *e);
/*
 * Looks whether a container that is recorded as running still has its monitor (one that starts: its starter), and calls container_repair() with the
 * lock held when it has not. Called by container_find() and container_list().
 */
int container_refresh(struct container *c, struct error *e);
/* Gives back what a container held whose monitor is gone and writes the truth into its state (engine/life.c). */
int container_repair(struct container *c, struct error *e);

/* JSON of both, as they stand in the files. */
json_t *container_config_json(const struct container_config *c);
int container_config_parse(const json_t *j, struct container_config *c, struct error *e);
json_t *container_state_json(const struct container_state *s);
int container_state_parse(const json_t *j, struct container_state *s, struct error *e);
void container_config_free(struct container_config *c);
void container_state_free(struct container_state *s);

bool container_running(const struct container *c); /* RUNNING or PAUSED */
const char *container_status_name(enum container_status s);

/* Makes the specification for a start from the configuration; opens trees and volumes. */
int container_spec(const struct container *c, struct spec *s, struct error *e);

/*
 * Life cycle (engine/life*.c). All take a container that was found; messages name it.
 *
 * container_create() gets a filled config (but id, created_ns and the ids), leases ids, takes the name and writes the files;
 * the lock is held afterwards (container_unlock()).
 */
int container_create(struct container *c, struct error *e);
/*
 * Starts it; takes the lock if it is not held. `front` NULL: in the background, returns once the program runs. Else the
 * person's side (relay_init() done and its fields set, not opened), and this returns when the container has ended, with its
 * *exit_code, or CONTAINER_DETACHED when the person typed the detach keys. A container without terminal is watched by this
 * very process, which gives up root for it: do nothing that needs root afterwards. The error's exit may be 126 or 127.
 */
struct relay;
enum { CONTAINER_ENDED = 0, CONTAINER_DETACHED = 1 };
int container_start(struct container *c, struct relay *front, int *exit_code, struct error *e);
/* `signal` 0: the container's own; `timeout_s` UINT64_MAX: its own, then SIGKILL. One that does not run is 0. */
int container_stop(struct container *c, int signal, uint64_t timeout_s, struct error *e);
int container_kill(struct container *c, int signal, struct error *e);
/* `force` kills a running one first; `volumes`: its anonymous volumes too. Afterwards only container_free(). */
int container_remove(struct container *c, bool force, bool volumes, struct error *e);
/* Waits until it does not run any more; the exit code. */
int container_wait(struct container *c, int *exit_code, struct error *e);
