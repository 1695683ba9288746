/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the life cycle that its files share; the commands use container.h. */
#pragma once

#include "confine/cgroup.h"
#include "confine/wall.h"
#include "engine/container.h"
#include "engine/monitor.h"
#include "runtime/launch.h"

/* Everything that a start holds. Zero-initialise with started_init(), free with started_free(). */
struct started {
	struct spec spec;
	struct plan plan;
	struct launched launched;
	struct monitor_kit kit;
	int dirs[MONITOR_KEEP_MAX + 8]; /* descriptors made for the kit, closed by started_free() */
	size_t n_dirs;
	char note[200]; /* what a person should know of this start, printable; "": nothing */
	uint16_t rows, cols; /* of the person's terminal; 0: there is none */
	int announce; /* where life_launch() says that the container stands, and waits for a byte; -1 */
};
void started_init(struct started *st);
void started_free(struct started *st);

/* What a restart has from the run before it: its user namespace and, while pasta lives, its network; -1 for a first start. */
struct life_kept {
	int userns_fd, netns_fd;
};

/*
 * Launches the container and lets its program run, in this process, which is then pid 1's parent. The lock is held. Fills the
 * state (saved before the program runs) and the kit for the monitor. On failure the state says why and nothing is left; the
 * error's exit is 126 or 127 for the command itself.
 */
int life_launch(struct container *c, const struct life_kept *from, struct started *st, struct error *e);

/* hosts, hostname and resolv.conf from the container's runtime folder, read-only, added to the mounts. */
int container_spec_files(const struct container *c, struct spec *s, struct error *e);

/* Gives up root for good, for the id that owns the container; an ordinary user stays what it is. */
int life_drop(const struct spec *s, struct error *e);

/*
 * What follows the end of pid 1 (wait status `status`): gives back the cgroup and the network, writes the state, records the
 * event; removes a container that was to go by itself. The lock is held. Returns LIFE_RESTART when its policy wants another
 * start, after `*delay_ns`.
 */
enum { LIFE_DONE = 0, LIFE_RESTART = 1 };
int life_after(struct container *c, int status, enum monitor_reason why, int userns_fd, uint64_t *delay_ns,
	       struct error *e);

/*
 * Called by life_launch() between the raising of the walls and the start of the program: tells whoever listens at
 * started.announce that the container takes visitors, and waits for the word to go on.
 */
int life_announce(struct started *st, struct error *e);

/* Records what brig.conf accepted for this start. */
void life_note_accepted(struct container_state *s, const struct spec *spec);

/* A pidfd of pid 1, checked to be the one that was started and to run with the container's ids; -ESRCH. */
int life_pidfd(const struct container *c, struct error *e);

/*
 * Kills what is left of it and gives back network and cgroup. With `again` the cgroup stays if only root could make it anew,
 * and a network of its own that works stays: its host ports do not change, and root's may be below 1024.
 * The lock is held and nobody else watches it.
 */
void life_clear(struct container *c, bool again);

/* Takes it all away; the lock is held, nothing runs. `userns_fd` as above, -1: made anew. */
int life_remove_locked(struct container *c, bool volumes, int userns_fd, struct error *e);

/*
 * life_kept.c: descriptors that stand for root's rights in the hands of a container's unprivileged owner. kept_fill(): root puts
 * them into the kit; those of `cg` are taken. kept_take(): the owner takes them up, once. kept_refill(): it puts its own into a
 * new kit.
 */
int kept_fill(struct started *st, const struct container *c, struct cgroup *cg, struct error *e);
void kept_take(const struct monitor_kit *kit);
int kept_refill(struct started *st, struct error *e);
bool kept_is_owner(void); /* this process is such an owner */
const int *kept_seen(void); /* for atrest_from_fds(); not to be closed */
int kept_secrets(void);	  /* the memory file of secret.h, -1 for none; not to be closed */
/* The container's cgroup: by the kept descriptors, else by its path. */
int kept_cgroup(const char *path, struct cgroup *cg, struct error *e);
int kept_again(struct launch_again *a, struct error *e); /* for a restart */

/* Keeps `fd` open until started_free(); a negative one becomes an error about `what`. Returns it. */
int life_hold(struct started *st, int fd, const char *what, struct error *e);

/*
 * Starts it again in this process after a delay, with what `st` held, which is freed and filled anew. Returns LIFE_RESTART; or,
 * when a person stopped it meanwhile or it cannot be started, LIFE_DONE or an error, with the state written.
 */
int life_restart(struct container *c, struct started *st, uint64_t delay_ns, struct error *e);

/* The number of config.stop_signal; SIGTERM when it names none. */
int life_stop_signal(const struct container_config *c);

/* RUN/ID/stop: left by a person who stopped it, so that the monitor's end does not start it again. */
int life_note_stop(struct container *c, struct error *e);
void life_forget_stop(struct container *c);
bool life_stop_noted(struct container *c);

/*
 * RUN/ID/starting (container.h): what a start makes before the state names it can be found, and taken back, after a crash.
 * Noted and forgotten under the lock.
 */
int life_note_start(struct container *c, const char *cgroup, struct error *e);
void life_forget_start(struct container *c);

/* Body of the hidden command `brig __after ID WAITSTATUS REASON`; see monitor.h. Returns an exit code. */
int life_after_main(const char *id, const char *status, const char *reason, struct error *e);
