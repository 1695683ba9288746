/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and volumes in docker's words and fields, for ps, inspect and port. */
#pragma once

#include "base/json.h"
#include "engine/container.h"
#include "engine/volume.h"

/* The fields of `docker ps --format`, all strings, and ".Label". `trunc`: short ids, commands and mounts. New. */
json_t *show_container_row(const struct container *c, bool trunc);

/* What `docker inspect` says of a container, and brig's own under "Brig". A new reference. */
json_t *show_container(const struct container *c);
/* The same of a volume. */
json_t *show_volume(const struct volume *v);

/* "Up 5 minutes (healthy)", "Exited (0) 2 hours ago". The caller frees. */
char *show_status(const struct container *c, uint64_t now_ns);

/*
 * The published ports as they are taken while it runs, as they were asked for before. Calls back for each host address
 * ("127.0.0.1", "::1", "" for the hosts where both are meant is never given).
 */
typedef void (*show_port_fn)(const char *host_addr, uint16_t host_port, uint16_t port, bool udp, void *arg);
void show_each_port(const struct container *c, show_port_fn fn, void *arg);
/* "127.0.0.1:8080", "[::1]:8080" */
char *show_address(const char *addr, uint16_t port);

/* "key=value" strings as an object; the last of a key counts. New. */
json_t *show_pairs(char *const *list);

/* Docker's zero time, where something has not happened yet. */
#define SHOW_NEVER "0001-01-01T00:00:00Z"
