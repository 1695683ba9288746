/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened: append-only files of one JSON line an event, as docker's /events sends them:
 *
 *	{"Type":"container","Action":"start","Actor":{"ID":"..","Attributes":{"name":"web"}},"scope":"local",
 *	 "time":1763967600,"timeNano":1763967600123456789}
 *
 *	DATA/events		written by the commands
 *	DATA/containers/ID/events	written by the container's monitor and its children, who may not write to DATA when root
 *					runs brig; folded into the former when the container is removed
 *	DATA/events.d/ID		on its way there
 *
 * A line is one write(2) to a descriptor opened O_APPEND. A file that grows over its bound becomes events.1.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
	EVENT_LINE_MAX = 4096,
	EVENTS_CONTAINER_MAX = 256 * 1024, /* bytes of DATA/containers/ID/events before it becomes events.1 */
	EVENTS_MAX = 8 * 1024 * 1024,	   /* of DATA/events */
};

struct event_attr {
	const char *key, *value;
};

/*
 * Records in DATA/events: `type` "container", "image", "volume", ...; `id` of the thing; `name` becomes the attribute "name",
 * may be NULL. Text is escaped; a line over EVENT_LINE_MAX loses attributes from the end. 0 or negative errno; a command does
 * not fail because its event could not be written, so `e` may be NULL.
 */
int event_record(const char *type, const char *id, const char *name, const char *action, const struct event_attr *attrs,
		 size_t n, struct error *e);

/* The same into "events" below `dir`, with the bound `max`; usable in the monitor. */
int event_write(int dir, uint64_t max, const char *type, const char *id, const char *action, const struct event_attr *attrs,
		size_t n);

/* Appends whole lines, under the file's lock. 0 or negative errno. */
int event_append(int dir, uint64_t max, const void *lines, size_t n);

/* Makes one line with its newline in `out`; the length. For event_write and tests. */
size_t event_format(const char *type, const char *id, const char *action, const struct event_attr *attrs, size_t n,
		    uint64_t now_ns, char out[static EVENT_LINE_MAX]);

/* Keeps the events of container `id` in DATA/events, before its folder `dir` is removed. */
int events_fold(int dir, const char *id, struct error *e);

/*
 * The same for those whose removal was their monitor's: when root runs brig, a monitor may only put the file into
 * DATA/events.d, from where this takes it. Only lines about the container of the file's name are taken.
 */
void events_collect(void);

/*
 * Reading, in order of time. Events of containers that still exist get "name" and "image" where they have none. Returns what
 * `event` returned when that was negative.
 */
struct json_t;
struct events_query {
	uint64_t since_ns; /* older ones are left out; 0: none is */
	uint64_t until_ns; /* later ones are left out, and reading ends then; 0: it never does */
	int (*event)(struct json_t *event, uint64_t time_ns, void *arg); /* borrowed */
	void *arg;
};
int events_read(const struct events_query *q, struct error *e);
