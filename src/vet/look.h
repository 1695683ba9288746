/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look itself. The person's process opens (vet_source_*), lets checks prepare, and forks; the child enters the room (image/room.h: no
 * network, no writable path, no program), reads the subject, runs the checks and writes the report to a descriptor that was open before. The
 * parent hears messages of fixed size: progress, then the verdict.
 */
#pragma once

#include "vet/policy.h"
#include "vet/source.h"

struct vet_verdict {
	uint32_t counts[VET_LEVELS];
	uint32_t not_looked; /* entries of the facts' "not_looked" */
	char first[512]; /* the title of the worst finding, one line; not escaped; empty: none */
	struct vet_ruling ruling; /* of options->policy, where there is one */
};

struct vet_look {
	const struct vet_options *options;
	void (*report)(const struct vet *v, struct buf *out); /* NULL: none */
	int out;		    /* where it goes */
	const char *only;	    /* the one check to run; NULL: all */
	bool accept_no_landlock;
	bool keep_reading;	    /* root, or root over a container's ids, looks at everybody's files */
	/* Runs fn in a process with other ids (a container's); NULL: as it is. */
	int (*run_as)(void *who, int (*fn)(void *ctx, struct error *e), void *ctx, struct error *e);
	void *who;
	/* `check` NULL: all is done, and the report follows. May be NULL. */
	void (*progress)(void *arg, const char *check, size_t index, size_t n, uint64_t bytes);
	void *arg;
};

/* SIGINT, SIGTERM and SIGHUP end the look (-EINTR); the caller has blocked them when it has something to clean up. */
int vet_look(const struct vet_source *src, const struct vet_look *how, struct vet_verdict *out, struct error *e);

/* Worst first, then by check and path. */
void vet_sort(struct vet *v);
