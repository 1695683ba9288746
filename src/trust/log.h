/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transparency logs (Rekor): entries, promises, proofs. A log's key is pinned; nothing is asked of the log itself.
 *
 *   - A promise (signed entry timestamp, SET) is the log's signature over body, time, place and log. Only it vouches for a time.
 *   - A proof is a path of the Merkle tree (RFC 9162 section 2.1.3.2) to the root in a checkpoint, a note that the log signed
 *     (C2SP signed-note, tlog-checkpoint). It vouches for the entry being there.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "trust/cert.h"
#include "trust/pubkey.h"

enum { LOG_PROOF_MAX = 64, LOG_NOTE_SIGNATURES_MAX = 32 };

struct log_entry {
	struct buf body;      /* canonical JSON, decoded */
	int64_t time;	      /* integratedTime, seconds since the epoch; believed with a promise only */
	int64_t index;	      /* global */
	unsigned char id[32]; /* SHA-256 of the log's key */
	bool has_id;
	struct buf promise;   /* signature; empty: none */
	bool has_proof;
	uint64_t leaf, size;  /* place in the tree, and how many leaves it had */
	unsigned char root[32];
	unsigned char path[LOG_PROOF_MAX][32];
	size_t n_path;
	char *checkpoint; /* NULL: none */
};
void log_entry_free(struct log_entry *l);
#define _cleanup_entry_ __attribute__((cleanup(log_entry_free)))

/* protobuf's JSON of TransparencyLogEntry (sigstore_rekor.proto), in a bundle. */
int log_entry_read(const json_t *j, struct log_entry *out, struct error *e);
/* The annotation dev.sigstore.cosign/bundle: {"SignedEntryTimestamp":..,"Payload":{"body","integratedTime","logIndex","logID"}}. */
int log_bundle_read(const char *text, size_t n, struct log_entry *out, struct error *e);

/* What a log's entry must be about. */
struct log_subject {
	const unsigned char *digest;  /* SHA-256 of what was signed; of DSSE that is its pre-authentication encoding */
	const unsigned char *payload; /* SHA-256 of a DSSE payload; NULL: a plain signature */
	const char *payload_type;     /* of DSSE */
	const void *sig;
	size_t sig_len;
	X509 *cert; /* who signed, or */
	const struct pubkey *key;
};

/*
 * Is the entry recorded by one of the logs, and about this? *time: seconds since the epoch when a promise vouches for it, else 0.
 */
int log_verify(const struct log_entry *l, struct pubkey *const *logs, size_t n_logs, const struct log_subject *s, int64_t *time,
	       struct error *e);

/* The parts. */
int log_inclusion(const void *body, size_t n, uint64_t leaf, uint64_t size, const unsigned char (*path)[32], size_t n_path,
		  const unsigned char root[static 32], struct error *e);
int log_promise(const struct log_entry *l, const struct pubkey *log, struct error *e);
int log_body_is(const struct buf *body, const struct log_subject *s, struct error *e);

struct log_checkpoint {
	char *origin;
	uint64_t size;
	unsigned char root[32];
};
/* Reads a checkpoint that `log` signed; owns `origin` afterwards. */
int log_checkpoint(const char *text, const struct pubkey *log, struct log_checkpoint *out, struct error *e);
