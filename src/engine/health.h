/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks, docker's way: "starting" until the first success (failures within the start period do not count), then
 * "healthy"; "unhealthy" after `retries` failures in a row. The monitor runs `brig __health ID` every interval; what that does
 * is here: it runs the test in the container, updates state.json and records health_status events.
 */
#pragma once

#include "base/error.h"
#include "engine/container.h"

enum health_exit { HEALTH_OK = 0, HEALTH_FAILED = 1, HEALTH_ERROR = 2 /* the check itself could not be run */ };

enum {
	HEALTH_LOG_MAX = 5,	  /* last checks kept */
	HEALTH_OUTPUT_MAX = 4096, /* bytes of a check's output kept */
};

/* The next state after a check that ended with `code` (0: good) at `now_ns`. Updates health and health_failing; true when
 * the state's name changed. */
bool health_step(const struct health_config *h, struct container_state *s, int code, uint64_t now_ns);

/* Runs one check in the container and saves the outcome; a paused one is left alone. The lock is held, by whoever runs this or
 * its monitor. HEALTH_* or a negative errno. */
int health_check(struct container *c, struct error *e);

/* Body of the hidden command `brig __health ID`, a child of the monitor. Returns an exit code. */
int health_main(const char *id, struct error *e);
