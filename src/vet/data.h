/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that are data: PREFIX/share/brig/NAME comes with brig, CONFIG/NAME is the person's own (home.h); BRIG_SHARE is
 * another folder for the former (for tests). To be read in a check's `prepare`:
 * in the room nothing of this machine can be opened.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* One file of rules. Zero-initialise. */
struct vet_data {
	char *path; /* for errors; NULL: there is none */
	char *text;
	size_t len;
};
void vet_data_free(struct vet_data *d);
#define _cleanup_vet_data_ __attribute__((cleanup(vet_data_free)))

/* What comes with brig. That it is missing is an error: the installation is damaged. */
int vet_data_installed(const char *name, struct vet_data *out, struct error *e);
/* The person's own; that there is none is none. */
int vet_data_config(const char *name, struct vet_data *out, struct error *e);
