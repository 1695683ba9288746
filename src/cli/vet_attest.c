/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vet_attest.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/key_file.h"
#include "trust/sign.h"
#include "trust/sigstore.h"

void attesting_free(struct attesting *a)
{
	privkey_free(&a->private);
	attest_basis_free(&a->basis);
}

int attest_begin(struct attesting *a, const struct vet_options *o, struct error *e)
{
	int r = 0;

	/* Whoever reads "passed" elsewhere must be able to rely on something having been asked. */
	if (!o->policy && o->never)
		r = error_set(e, EINVAL, "--attest: a verdict needs --fail-on LEVEL or --policy FILE to be one");
	if (r == 0)
		r = key_read(a->key, a->passphrase_file, &a->private, e);
	return r < 0 ? r : attest_basis_read(o, a->policy, &a->basis, e);
}

int attest_end(struct attesting *a, const struct vet_options *o, const struct vet_source *s, const struct vet_verdict *v, struct error *e)
{
	_cleanup_free_ char *statement = NULL;
	_cleanup_buf_ struct buf envelope = { 0 };
	int r = attest_basis_check(&a->basis, o, a->policy, e);

	if (r < 0)
		return error_wrap(e, "not attested");
	statement = attest_statement(&a->basis, o, v, s->image ? s->image : s->name, s->digest, clock_now_ns());
	r = sign_envelope(&a->private, statement, &envelope, e);
	if (r == 0)
		r = attest_keep(s->digest, &envelope, VET_PREDICATE, e);
	if (r < 0)
		return error_wrap(e, "not attested");
	cli_say("attested: sha256:%s passed; signed by sha256:%s", s->digest, a->private.pub->hex);
	return 0;
}
