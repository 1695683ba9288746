/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands on this machine: each thing that a wall or the engine needs, whether it is there for the caller, and what
 * a missing one would take. For `brig info` and `brig setup`; nothing here changes the machine but host_setup*() and host_undo().
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum host_state {
	HOST_STANDS,
	HOST_PARTLY,  /* brig runs, with less: `take` says what is lost and what it would take */
	HOST_MISSING, /* containers do not start without it, or without a person accepting that */
};
const char *host_state_name(enum host_state s); /* "stands", "partly", "missing" */

struct host_piece {
	const char *name; /* a wall's name, or "ids", "overlay", "helpers" ... */
	enum host_state state;
	char found[200];
	char take[400]; /* empty when it stands */
};
enum { HOST_PIECES_MAX = 32 };

/* Returns the number of pieces. */
size_t host_look(struct host_piece out[static HOST_PIECES_MAX]);

/* A person of /etc/passwd, by name or number. NSS is not asked: its modules are foreign code in a static program. */
struct host_user {
	char name[64]; /* the number itself for one that /etc/passwd does not know */
	uid_t uid;
	gid_t gid;
};
int host_user_find(const char *name_or_uid, struct host_user *u, struct error *e);

/* One range of /etc/subuid or /etc/subgid (subuid(5)). */
struct host_range {
	uint64_t first, count;
	bool own; /* of the user asked for */
};
/*
 * Ranges of `text`, the content of such a file; `u` may be NULL. Returns the number, at most `max`. Lines that are not
 * "OWNER:FIRST:COUNT" are skipped, as shadow does.
 */
size_t host_ranges(const char *text, const struct host_user *u, struct host_range *out, size_t max);
/* Ids of the user in the file "subuid" or "subgid" below /etc. */
uint64_t host_subids(const char *file, const struct host_user *u);
/* A free range of `count` ids from 100000 up and below root's own containers, in both texts. 0: there is none. */
uint64_t host_ranges_free(const char *subuid, const char *subgid, uint64_t count);

/*
 * Root, once for a user: subordinate ids, a delegated cgroup, lingering under systemd. `check` only looks. Lines for the
 * person: `done` what was made (with `check`: what would be), `lacks` what somebody else has to do. The caller frees both.
 */
struct host_setup {
	char **done, **lacks;
};
/*
 * Root, once for the machine, also part of each user's setup: /dev/net/tun for all where no udev made it so, and where AppArmor is
 * active the profile that every container without one of its own gets (confine/lsm.h).
 */
int host_setup_machine(bool check, struct host_setup *out, struct error *e);
int host_setup(const struct host_user *u, bool check, struct host_setup *out, struct error *e);
/*
 * Takes back what host_setup() made for the user, whom /etc/passwd need not know any more: cgroups (-EBUSY while a container
 * runs in them), and what its notes in DATA/setup name. /dev/net/tun stays as it is: other users may need it.
 */
int host_undo(const struct host_user *u, struct host_setup *out, struct error *e);
