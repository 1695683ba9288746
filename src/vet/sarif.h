/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings of other tools, in SARIF 2.1.0 (OASIS): what a result says, by the rules of the specification for what it leaves out. A pure
 * function over bytes. Check "sarif" (check_sarif.c) makes findings of it.
 */
#pragma once

#include "vet/vet.h"

struct sarif_result {
	const char *tool, *version; /* version NULL: not told */
	const char *rule;	    /* its id; "" where there is none */
	enum vet_level level;
	const char *message;	    /* not escaped */
	const char *help;	    /* of the rule; NULL: none */
	const char *path;	    /* relative, as files of an image are named; NULL: no file */
	bool suppressed;	    /* somebody wrote into the log that it does not count */
};

/*
 * Calls `give` for every result that is a failure (or is open, or to be reviewed: of level info); those of another kind or that an earlier
 * run had are passed over. Strings live until it returns. -EBADMSG: damaged, with the place; nothing may have been given.
 */
int sarif_read(const char *what, const char *data, size_t n, void (*give)(void *ctx, const struct sarif_result *r), void *ctx, struct error *e);
