/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at an image where it is: its documents are fetched into a folder of their own, and read by a process in a room without
 * network, which can write nothing but what it is asked to print. Layers stay where they are.
 */
#pragma once

#include "image/oci.h"
#include "image/registry.h"

/* All verified against the digests that name them. Borrowed. */
struct remote_view {
	const char *hex;	 /* of what the name means: a manifest or an index */
	const char *text;	 /* its bytes, as they came; NUL-terminated */
	size_t n;
	const json_t *top;
	const char *top_type;
	const struct oci_index *index; /* NULL: it is a manifest */
	const char *manifest_hex;
	const struct oci_manifest *manifest; /* the one that fits the platform */
	const json_t *config;
};

/*
 * Calls `show` in the room; it may write to open descriptors, and what it leaves in stdio is written out. With `raw` only the first
 * document is fetched, the view has no manifest and no configuration.
 */
typedef int (*remote_show)(void *arg, const struct remote_view *v, struct error *e);
int remote_look(const struct reference *ref, const char *platform, bool raw, const struct conf *conf, const struct registry_report *report,
		remote_show show, void *arg, struct error *e);

/* Runs `fn` in a room that can read below `dirs` alone, and takes over how it ended. What it sends to `socket` is the caller's `heard`. */
struct remote_room {
	const int *dirs;
	size_t n_dirs;
	bool accept_no_landlock;
	int (*fn)(void *room_arg, int socket, struct error *e);
	void *room_arg; /* NULL: `arg` */
	int (*heard)(void *arg, const void *message, size_t n, struct error *e); /* may be NULL */
	void *arg;
};
int remote_room_run(const struct remote_room *r, struct error *e);

/* A JSON document of a folder, whose digest must be `hex`; -ENOENT when it is not there. `text` may be NULL; else to free. */
int remote_read(int folder, const char *hex, json_t **out, char **text, size_t *n, struct error *e);
