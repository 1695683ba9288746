/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that speaks with a registry, libexec/brig/brig-registry, and who starts it. It has the network and one folder to
 * write to (or, for a push, the open blobs to read), is held by Landlock and seccomp, and is believed nothing: digests are
 * verified again by the process that unpacks, which has no network.
 *
 * It is started with these descriptors:
 *
 *	3	a SOCK_SEQPACKET socket for struct fetch_message
 *	4	the folder for the blobs, each under its digest in hex, or for the one file, "file"; for a push nothing (/dev/null)
 *	5	the request, JSON in a sealed memory file (fetch_request.c writes and reads it)
 *	6..	push: the blobs in the order of the request, each manifest behind what it names
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "image/signatures.h"
#include "image/store.h"

enum { FETCH_SOCKET = 3, FETCH_FOLDER = 4, FETCH_REQUEST = 5, FETCH_BLOBS = 6, FETCH_MEDIA_TYPE = 128 };

enum fetch_operation {
	FETCH_CHECK,
	FETCH_PULL,
	FETCH_PUSH,
	FETCH_FILE,
	FETCH_TAGS,
	FETCH_DOCUMENTS, /* manifests (and configuration) alone, each under its digest */
	FETCH_MISSING,	 /* which of `blobs` are not there, and cannot be taken from the repository `from` either: FETCH_WANT for each */
	FETCH_SOME,	 /* `blobs`, each under its digest */
	FETCH_LAST = FETCH_SOME,
};

struct fetch_blob {
	char hex[DIGEST_SIZE];
	uint64_t size;
	char *media_type; /* push: it is a manifest or an index, and goes behind what it names; NULL: it is a blob */
	char *tag;	  /* push: of a manifest; NULL: it is known by its digest alone */
};

/* A push sends as many blobs as a process can have open. */
enum { FETCH_BLOBS_MAX = 1100 };

struct fetch_request {
	enum fetch_operation operation;
	char *server;	  /* HOST[:PORT] that answers */
	char *repository; /* "library/alpine"; for a check may be NULL */
	char *reference;  /* a tag, or sha256:HEX; of a file: the path on the server, with its query */
	char *user, *password; /* NULL: anonymous */
	char *authorities; /* PEM: the only ones that may vouch for this registry; NULL: the machine's */
	char *certificate, *key; /* PEM of the client; NULL: none */
	char **token_servers;	 /* HOST[:PORT] that may be sent the password too */
	char *platform;		 /* NULL: this machine's */
	char *lookaside;	 /* pull: http or https URL below which GPG signatures lie; NULL */
	char *from;		 /* push: a repository of the same registry in which the blobs may be already; NULL */
	char *unless;		 /* file: its entity tag, when it was fetched before; NULL */
	char *last;		 /* tags: those behind this one; NULL: from the first */
	bool config;		 /* DOCUMENTS: and the configuration of the image that fits the platform */
	bool all;		 /* DOCUMENTS: of an index, every manifest */
	bool referrers;		 /* DOCUMENTS: and what refers to them, by cosign's tags or as referrers; each is told by FETCH_EXTRA */
	bool said_insecure;	 /* registries.conf calls it so, which alone means nothing; not told to the process */
	bool insecure;		 /* a person named this registry insecure */
	bool accept_no_landlock; /* see room.h */
	uint64_t timeout_s;	 /* without a byte */
	uint64_t tags_max;	 /* tags: so many are enough; 0: all */
	uint64_t size_max, layers_max; /* of an image, compressed */
	struct fetch_blob *blobs; /* push */
	size_t n_blobs;
};

json_t *fetch_request_json(const struct fetch_request *r);
int fetch_request_read(const json_t *j, struct fetch_request *out, struct error *e);
void fetch_request_free(struct fetch_request *r);

struct fetch_message {
	enum fetch_word {
		FETCH_PROGRESS, /* bytes */
		FETCH_TOP,	/* what the reference means. The answer: 'y', or 'n' when it is here and only its signatures are wanted */
		FETCH_WANT,	/* may this blob be fetched? The answer is one byte: 'y', 'n' (it is here), or the end */
		FETCH_READY,	/* manifest and configuration are there, and the blobs that nobody wants from the network */
		FETCH_GOT,	/* `top`: this blob is in the folder, whole, and nobody writes to it any more */
		FETCH_SIGNATURE, /* `kept`: one lies in the folder, by the name that signature_name() gives */
		FETCH_UNASKED,	/* `note`: why it is not known whether there are (more) signatures */
		FETCH_EXTRA,	/* DOCUMENTS: one that refers to the image */
		FETCH_TAG,	/* TAGS: one of them, in `note` */
		FETCH_ETAG,	/* FILE: its entity tag, in `note`; empty: it is what it was, and was not sent */
		FETCH_ERROR,
		FETCH_DONE,
	} word;
	union {
		struct {
			uint64_t done, total;
		} bytes;
		struct {
			char hex[DIGEST_SIZE], media_type[FETCH_MEDIA_TYPE];
			uint64_t size;
		} top; /* PULL: manifest or index; also for WANT and GOT, without media type */
		struct {
			char hex[DIGEST_SIZE], tag[FETCH_MEDIA_TYPE]; /* the tag may be empty */
		} extra;
		struct signature_kept kept;
		char note[512];
		struct error error;
	};
};

/* Body of the program. */
int fetch_main(void);
