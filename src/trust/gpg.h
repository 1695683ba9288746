/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPG simple signing (containers-signature(5)): one OpenPGP signed message (RFC 4880 section 11.3) around a JSON payload. OpenPGP is
 * gpgv's: a child that may run nothing else, has no network, no home and no key but those that the policy names. What it says is read
 * here, strictly: one signature, good, by a key that is neither expired nor revoked, over SHA-256 or better, with RSA, ECDSA or EdDSA.
 */
#pragma once

#include "trust/signature.h"

struct gpg_said {
	char *status; /* lines of --status-fd */
	size_t n_status;
	char *payload; /* what was signed, if it was */
	size_t n_payload;
	int exit; /* code of gpgv */
};

/* Key files (binary or armored, several keys each) as one binary keyring. -EBADMSG names the one that is none. */
int gpg_keyring(const struct sig_bytes *keys, size_t n, struct buf *out, struct error *e);

/*
 * Runs gpgv over the message. Starts a process, so it is called before a process locks itself in. An error only when gpgv could not
 * be run: -ENOENT says how to get it. What it thinks of the message stands in `out`.
 */
int gpg_run(const void *message, size_t n, const void *keyring, size_t keyring_size, bool accept_no_landlock, struct gpg_said *out,
	    struct error *e);
void gpg_said_free(struct gpg_said *s);

/* Pure: what that means. Errors as in trust/signature.h. */
int gpg_judge(const struct gpg_said *s, struct sig_claim *out, struct error *e);

/* The payload alone: critical.type, identity, image, and nothing else beside optional. `type`: "atomic container signature". Pure. */
int simple_payload_read(const char *text, size_t n, const char *type, struct sig_claim *out, struct error *e);
