/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question that the person's side puts to brig-trust, libexec/brig/brig-trust, and its answer. The question is JSON in a sealed
 * memory file: what policy asks, with every key in it; the answer is one struct. brig-trust is started with
 *
 *	3	the question
 *	4	a pipe for the answer
 *	5	DATA/images/blobs/sha256, to read
 *	6, 7	the signatures of the manifest and of the index that it came by (image/signatures.h); /dev/null: there are none
 *
 * It starts gpgv for OpenPGP, then locks itself in (image/room.h) before it reads a byte that a registry sent.
 */
#pragma once

#include "trust/require.h"

enum { ASK_QUESTION = 3, ASK_ANSWER = 4, ASK_BLOBS = 5, ASK_SIGNATURES = 6, ASK_TEXT_MAX = 512 };

struct asking {
	char manifest[SIG_DIGEST_SIZE], top[SIG_DIGEST_SIZE]; /* hex; the same when there was no index */
	char *image;		/* HOST/PATH:TAG or HOST/PATH@sha256:HEX */
	struct requirements require;
	int64_t expiry_s, not_before; /* 0: not asked for */
	char *minimum_version;	/* NULL: not asked for */
	bool accept_no_landlock;
	char **files;		/* names of the signatures that are there, sorted; for the cached answer alone */
	int64_t now;		/* not in the text */
};

struct answered {
	bool met;
	int64_t until; /* seconds since the epoch: the answer is not to be believed for longer; 0: as far as is known for ever */
	char reason[ASK_TEXT_MAX]; /* who signed, or why not; not escaped */
};

json_t *asking_json(const struct asking *q);
int asking_read(const json_t *j, struct asking *out, struct error *e);
void asking_free(struct asking *q);
#define _cleanup_asking_ __attribute__((cleanup(asking_free)))

/* The person's side (trust/ask.c): from the cached answer where question and signatures are the same, else from brig-trust. */
int ask_signed(struct asking *q, struct answered *out, struct error *e);

/* Body of the program. */
int verify_main(void);
