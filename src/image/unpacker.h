/* SPDX-License-Identifier: Apache-2.0 */
/* The process in the room, and what it may tell: messages of fixed size over a SOCK_SEQPACKET pair. */
#pragma once

#include "image/assemble.h"
#include "image/load.h"
#include "image/oci.h"

enum { CLAIM_MAX = 512 };

struct room_message {
	enum room_word { ROOM_PROGRESS, ROOM_ASK, ROOM_NEXT, ROOM_IMAGE, ROOM_NOTE, ROOM_ERROR, ROOM_DONE } word;
	union {
		uint64_t bytes; /* PROGRESS: read so far */
		/* NEXT, without more: which blob has arrived? The answer is its digest in hex, or one NUL byte when all are there */
		char diff[DIGEST_SIZE]; /* ASK: is the store's table of this layer as it was? The answer is one byte, 'y' or 'n' */
		struct {
			char config[DIGEST_SIZE], manifest[DIGEST_SIZE], tree[DIGEST_SIZE];
			uint64_t manifest_size, size;
			bool docker;	       /* media type of the manifest */
			bool tag_only;	       /* claim is a tag */
			char claim[CLAIM_MAX]; /* empty: no name */
		} image;
		char note[CLAIM_MAX];
		struct error error;
	};
};

/* Runs in the room until everything is unpacked and told; the process then exits. */
void __attribute__((noreturn))
unpacker_run(const struct load_request *r, const struct oci_platform *platform, struct staging *st, int socket);
