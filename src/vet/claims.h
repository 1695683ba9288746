/* SPDX-License-Identifier: Apache-2.0 */
/* What an image claims to be, from its name down to its ports: the first source that says something decides. */
#pragma once

#include "vet/rules.h"

enum claim_basis { CLAIM_NONE, CLAIM_NAME, CLAIM_TITLE, CLAIM_PROGRAM, CLAIM_PACKAGE, CLAIM_PLACES };

struct claims {
	enum claim_basis basis;
	const struct claim **list;
	size_t n;
	char *is; /* "a MariaDB or MySQL database", "a web server and a PHP runtime"; NULL: nothing */
};

void claims_derive(const struct vet *v, const struct rules *r, struct claims *out);
void claims_free(struct claims *c);
const char *claims_basis_name(enum claim_basis basis);
/* Ways in are covered by a name, or by an entrypoint that starts nothing else. */
bool claims_cover(const struct claims *c, const struct capability *what);

/* The words of entrypoint and command, those inside of arguments ("sh -c '...'") too. The caller frees. */
char **claims_started(const struct vet *v);
/* The last part of a path. Points into it. */
const char *claims_base(const char *path);
