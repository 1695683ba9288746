/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: `brig load` and `brig import`. Two processes share the work. The one in the room (image/unpacker.c) reads
 * the untrusted bytes and can write only below DATA/loading/XXXX; the caller takes what it made from there into the
 * store, by rename, after everything was verified and is on the disk, and publishes it in index.json last.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "image/limits.h"
#include "image/store.h"

struct load_request {
	int input;	      /* a folder (OCI layout), a file or a pipe; borrowed */
	const char *what;     /* of it, for messages: "app.tar", "standard input" */
	const char *base;     /* names an image that bears only a tag; NULL: it stays without a name */
	const char *name;     /* gives the one image this name, whatever it claims; NULL: its own */
	const char *platform; /* "linux/arm64"; NULL: this machine's */
	bool keep_names;      /* names of registries are kept, see image/name.h */
	const char *pulled;   /* a registry sent it, as this (see index.h); NULL: it is vouched for by who loads it */
	bool take;	      /* the input is a folder of brig's own: blobs are moved out of it, not copied */
	const char *again;    /* a repair of the image with this configuration: nothing that was unpacked is believed; NULL */
	char *const *suspects; /* names of the store's blobs and objects that are not what they were: they are replaced */
	json_t *import;	      /* the configuration of a root file system that is imported; NULL: load. Borrowed */
	bool streamed;	      /* blobs come later, see load_arrived(); with `take` */
	int not_for_room;     /* a descriptor that the room shall not have; 0: none */
	struct image_limits limits;
	bool accept_no_landlock;
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* bytes; total 0: unknown. May be NULL */
	void (*note)(void *arg, const char *text);		    /* something a person should know. May be NULL */
	void *arg;
};

struct loaded {
	char id[DIGEST_SIZE];
	char *name; /* NULL: none */
	bool moved; /* the name was another image's before */
};

struct load_result {
	struct loaded *images; /* one for each name */
	size_t n;
};

/*
 * With blobs that are still on their way: the manifests and the configuration are in the folder when it starts, then load_arrived() tells
 * of each blob, load_complete() that there are no more, and load_end() waits, publishes and frees (without publishing when `failed`).
 * Meanwhile load_hear() takes what the room says when load_socket() can be read; 1: that was the last of it. The caller holds the store's lock, and takes signals
 * until load_end().
 */
struct loading;
int load_start(const struct load_request *r, struct load_result *out, struct loading **l, struct error *e);
const int *load_socket(const struct loading *l);
int load_hear(void *loading, struct error *e);
int load_arrived(struct loading *l, const char *hex, struct error *e);
int load_complete(struct loading *l, struct error *e);
int load_end(struct loading *l, bool failed, struct error *e);

/* Removes what loads that were killed left, when nobody holds the store. */
void load_tidy(void);

int image_load(const struct load_request *r, struct load_result *out, struct error *e);
void load_result_free(struct load_result *r);
