/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the name that was signed the name that is meant? containers-policy.json(5), "signedIdentity". Pure.
 *
 * Some formats sign no name (sigstore bundles, notation). They count only where the keys stand for one repository: with matchRepository
 * in an entry whose scope is that repository or an image in it, or with brig's own anyIdentity. Else a key that several repositories
 * share would let one's image pass for another's.
 */
#pragma once

#include "trust/require.h"

/*
 * `image`: HOST/PATH:TAG or HOST/PATH@sha256:HEX as it was asked for. `claimed`: what was signed, NULL: no name. `own_scope`: see
 * above. False with the reason in `e`.
 */
bool identity_fits(const struct identity_rule *rule, const char *image, const char *claimed, bool own_scope, struct error *e);
