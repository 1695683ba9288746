/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing CONFIG/policy.json and CONFIG/trust.json for a person (`brig trust add`, `remove`). Keys are copied to CONFIG/keys, so that they
 * stay what they were. A CONFIG/policy.json that is not there yet begins as the policy that counted until then (policy.h), or as one that
 * rejects; what is written is read first as any other policy would be, and nothing is written that cannot be.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct policy_addition {
	const char *scope;    /* HOST, HOST/PATH, HOST/PATH:TAG, *.DOMAIN */
	const char *key_file; /* OpenPGP key (binary or armored), PEM public key, or PEM certificates of notation's authorities */
	const char *identity; /* a type of signedIdentity without members; NULL: the format's own */
	uint64_t threshold;   /* different signers; 0: leave it */
};

/* `written` gets the path of the file with the entry; to free. -EEXIST: the scope has an entry of another kind. */
int policy_add(const struct policy_addition *a, char **written, struct error *e);
/* Takes both files' entries of the scope away, and the copies of its keys. -ENOENT. */
int policy_remove(const char *scope, struct error *e);
