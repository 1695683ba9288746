/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict as an in-toto statement (in-toto attestation framework, spec/v1/statement.md) for other machines: predicate type VET_PREDICATE
 * (trust/sigstore.h), subject the image's manifest. Its predicate:
 *
 *	{"verifier": {"id": "https://brig.dev/vet", "version": brig's},
 *	 "timeVerified": RFC 3339, UTC,
 *	 "verdict": "passed",			no other is ever attested
 *	 "failOn": "high",			the level, as --fail-on and the policy say it; or "never" (a policy may)
 *	 "policy": {"name", "digest": {"sha256"}},	absent: --fail-on alone decided
 *	 "counts": {"critical": 0, "high": 0, "medium": 3, "low": 1, "info": 0},
 *	 "notLooked": 0,			how many things could not be looked at
 *	 "rules": [{"name", "digest": {"sha256"}}, ...],
 *	 "exceptions": [...],			files of --vex and --ignore, the same way; absent: none
 *	 "advisories": {"digest": {"sha256"}, "feeds": [{"name", "published", "imported"}]}}	null: there were none
 *
 * Nothing in it is text of the image but its name in the subject.
 */
#pragma once

#include "vet/look.h"

#include <sys/stat.h>

/* What a verdict comes from, beside the image. */
struct attest_basis {
	json_t *rules, *exceptions, *policy, *advisories; /* as in the predicate; NULL: none */
	struct stat index;				   /* of the advisories */
};
void attest_basis_free(struct attest_basis *b);
#define _cleanup_basis_ __attribute__((cleanup(attest_basis_free)))

/* `policy`: the file of --policy, or NULL. To be read before the look. */
int attest_basis_read(const struct vet_options *o, const char *policy, struct attest_basis *out, struct error *e);
/* After it: -ESTALE when something is another now. */
int attest_basis_check(const struct attest_basis *b, const struct vet_options *o, const char *policy, struct error *e);

/* `name`: of the image, not escaped; `digest`: hex of its manifest; `now_ns`: since the epoch. The caller frees. */
char *attest_statement(const struct attest_basis *b, const struct vet_options *o, const struct vet_verdict *v, const char *name,
		       const char *digest, uint64_t now_ns);
