/* SPDX-License-Identifier: Apache-2.0 */
/* A small client of the D-Bus, for calls to systemd. Waits at most 10 seconds for each answer. */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

struct bus {
	int fd;
	uint32_t serial;
};

struct bus_reply {
	int type;
	uint32_t serial; /* of the call that it answers */
	char name[128];	 /* of an error */
	char text[256];	 /* an error's first argument */
};

/* Connects, authenticates as the caller's effective user, says Hello. */
int bus_open(struct bus *b, const char *socket_path, struct error *e);
void bus_close(struct bus *b);
#define _cleanup_bus_ __attribute__((cleanup(bus_close)))

/*
 * Calls and waits for the answer. `body` is marshalled as `signature` says, from an 8-byte boundary on. An error of the
 * other side is -EREMOTEIO, with its name and text in `reply` (may be NULL) and in `e`.
 */
int bus_call(struct bus *b, const char *dest, const char *path, const char *interface, const char *member,
	     const char *signature, const struct buf *body, struct bus_reply *reply, struct error *e);

/* Marshalling. Little endian; padding counts from the start of the body. */
void bus_pad(struct buf *b, size_t to);
void bus_put_u32(struct buf *b, uint32_t v);
void bus_put_string(struct buf *b, const char *s); /* also an object path */
