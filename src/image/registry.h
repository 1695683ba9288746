/* SPDX-License-Identifier: Apache-2.0 */
/* What brig does with registries, from the side that a person is on: this process has the files, brig-registry the network. */
#pragma once

#include "base/conf.h"
#include "image/fetch.h"
#include "image/limits.h"
#include "image/reference.h"
#include "image/registries.h"

struct registry_report {
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* bytes; may be NULL */
	void (*note)(void *arg, const char *text);
	void *arg;
	/* why it is not known whether there are (more) signatures: that is not the same as none. May be NULL; image_pull() has its own */
	void (*unasked)(void *arg, const char *text);
	void *unasked_arg;
	/* Another descriptor that is watched meanwhile: `also_ready` is called when it can be read. -1 and NULL: none. */
	const int *also;
	int (*also_ready)(void *arg, struct error *e);
	void *also_arg;
	int *socket; /* gets the socket to brig-registry, which no other process shall have; NULL */
};

/*
 * Where the image is asked for and with what: the password, authorities and client certificate for the host (certs.d/HOST in
 * BRIG_CONFIG, ~/.config/containers, /etc/containers, /etc/docker), what brig.conf and registries.conf say. -EACCES: blocked.
 */
int registry_prepare(const struct reference *ref, const struct conf *conf, struct fetch_request *out, struct error *e);
/* The same for the mirror `i` of those that registries.conf names and that are asked for such a name. 1, or 0 when there are no more. */
int registry_prepare_mirror(const struct reference *ref, const struct conf *conf, size_t i, struct fetch_request *out, struct error *e);

/*
 * For reading: calls `attempt` with the mirrors in their order, then with the registry itself, until one does not fail. What fails at a
 * mirror is told by report->note. A mirror is another place of the same bytes: whether an image may run is asked about its own name.
 */
typedef int (*registry_attempt)(void *arg, struct fetch_request *r, struct error *e);
int registry_places(const struct reference *ref, const struct conf *conf, const struct registry_report *report, registry_attempt attempt,
		    void *arg, struct error *e);

/*
 * Runs brig-registry. `heard` is called for each FETCH_TOP, FETCH_WANT, FETCH_READY, FETCH_GOT and FETCH_SIGNATURE: negative ends it
 * with that; 1 fetches the image or the blob. `folder` -1 but for a pull. `fds`: of the blobs for a push. Blocks and takes SIGINT, SIGTERM, SIGHUP meanwhile.
 */
typedef int (*registry_heard)(void *arg, const struct fetch_message *m, struct error *e);
int registry_run(const struct fetch_request *r, int folder, const int *fds, size_t n_fds, const struct registry_report *report,
		 registry_heard heard, void *arg, struct error *e);

/*
 * Fetches an https URL as "file" into `folder`, at most `max` bytes, with the authorities of certs.d/HOST but no password. -EINVAL: not an
 * https URL, or with a user in it.
 */
struct registry_file {
	const char *url;
	uint64_t max;	   /* bytes */
	const char *unless; /* the entity tag of what is here; NULL */
	char *etag;	   /* the new one; NULL: it was not told. The caller frees */
	bool same;	   /* it still has that tag: "file" is empty */
};
int registry_fetch_file(struct registry_file *f, const struct conf *conf, int folder, const struct registry_report *report, struct error *e);

/* Does the registry take these credentials? */
int registry_login(const char *host, const char *user, const char *password, struct error *e);

/* The tags that the registry has of ref's repository, sorted, each once. NULL: none. The caller frees. */
struct tags_wanted {
	const char *last;  /* those behind this one; NULL: all */
	const char *match; /* those that this pattern fits (glob(7)); NULL: all */
	uint64_t most;	   /* so many of them; 0: all */
};
int registry_tags(const struct reference *ref, const struct tags_wanted *wanted, const struct conf *conf, char ***tags, struct error *e);

struct pull_request {
	const struct reference *ref;
	const char *platform;	/* NULL: this machine's */
	const char *again;	/* a repair of the image with this configuration, see load.h; NULL */
	char ***suspects;	/* with `again`: see load.h; grows by the blobs that are found to be wrong */
	const char *pinned;	/* the digest that a person pinned for the name, hex; NULL: none */
	const struct conf *conf;
	struct registry_report report;
};

struct pulled {
	char digest[DIGEST_SIZE]; /* of what the name means */
	char id[DIGEST_SIZE];	  /* of the image */
	bool here;		  /* it was here already */
	bool moved;		  /* the name was another image's before */
	char unasked[512];	  /* the image is here, but it is not known whether it has (more) signatures, for this reason; else empty */
};

/* -EKEYREJECTED: the name is pinned and means something else now. */
int image_pull(const struct pull_request *r, struct pulled *out, struct error *e);

/* Sends a local image to `to`; its manifest's digest into `digest`. */
int image_push(const char *image, const struct reference *to, const struct conf *conf, const struct registry_report *report,
	       char digest[static DIGEST_SIZE], struct error *e);
