/* SPDX-License-Identifier: Apache-2.0 */
/* What `brig vet` and `brig sbom` share. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum { EXIT_CLEAN = 0, EXIT_FOUND = 1, EXIT_BLIND = 2 };

struct vet_cli_options {
	char *format, *fail_on, *output, *type, *platform, *policy, *name, **rules;
	char *key, *passphrase_file;
	bool quiet, attest;
	char **vex, **ignore, **sarif;
	bool require_db;
	char *jobs;
	bool attach, remote; /* of brig sbom */
};

/* Looks at argv[0]: EXIT_CLEAN, EXIT_FOUND, or negative with `e->exit` set. */
int vet_cli_run(void *options, int argc, char **argv, struct error *e);
