/* SPDX-License-Identifier: Apache-2.0 */
/* Making GPG simple signatures (containers-signature(5)) with the person's own gpg. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* The payload for HOST/PATH:TAG and a digest in hex; `now` in seconds since the epoch. To free. */
char *simple_payload_write(const char *image, const char *hex, int64_t now);

/*
 * Has `gpg --sign` sign it as the user's key `key`; its agent may ask for a passphrase. The message, to free. -ENOENT: gpg is not
 * installed; -EIO: it did not sign, for the reason that it told on stderr.
 */
int gpg_sign(const char *key, const char *payload, char **out, size_t *n, struct error *e);
