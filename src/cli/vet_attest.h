/* SPDX-License-Identifier: Apache-2.0 */
/* `brig vet --attest`: what comes before and after the look. This process has the key; of the image it hears a verdict of fixed size. */
#pragma once

#include "trust/privkey.h"
#include "vet/attest.h"

struct attesting {
	const char *key, *passphrase_file, *policy; /* files; the last two may be NULL */
	struct privkey private;
	struct attest_basis basis;
};
void attesting_free(struct attesting *a);
#define _cleanup_attesting_ __attribute__((cleanup(attesting_free)))

/* Reads the key, which may ask for a passphrase, and what the verdict will come from. */
int attest_begin(struct attesting *a, const struct vet_options *o, struct error *e);
/* Signs that the image passed, and keeps it with what was signed about the image. */
int attest_end(struct attesting *a, const struct vet_options *o, const struct vet_source *s, const struct vet_verdict *v, struct error *e);
