/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy asks of an image: one element of a list in policy.json (containers-policy.json(5), "POLICY REQUIREMENTS") or in brig's own
 * trust.json (trust/policy.h), which has more members and one more type. Written down by a person, so that what is not understood is an
 * error: unknown and duplicate members, a member that the type has no use for, two sources of keys.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "trust/signature.h"

enum { REQUIREMENTS_MAX = 64, KEYS_MAX = 64, KEY_FILE_MAX = 1024 * 1024 };

enum require_type {
	REQUIRE_ACCEPT,	  /* insecureAcceptAnything */
	REQUIRE_REJECT,
	REQUIRE_GPG,	  /* signedBy */
	REQUIRE_SIGSTORE, /* sigstoreSigned */
	REQUIRE_NOTATION, /* notationSigned, in trust.json only */
};

enum identity_type {
	IDENTITY_EXACT,		       /* matchExact */
	IDENTITY_REPO_DIGEST_OR_EXACT, /* matchRepoDigestOrExact: the default */
	IDENTITY_REPOSITORY,	       /* matchRepository */
	IDENTITY_EXACT_REFERENCE,
	IDENTITY_EXACT_REPOSITORY,
	IDENTITY_REMAP,
	IDENTITY_ANY,		       /* anyIdentity, in trust.json only: the keys are this image's and no other's */
};

struct identity_rule {
	enum identity_type type;
	char *a, *b; /* dockerReference, dockerRepository, or prefix and signedPrefix */
};

/* A piece of key material: where it is, and what it is once it was read. */
struct key_part {
	char *path;	 /* NULL: it stood in the policy */
	const char *field; /* "keyPath", ...; static */
	char *data;	 /* NULL until require_load() */
	size_t size;
};

struct key_parts {
	struct key_part *list;
	size_t n;
};

struct requirement {
	enum require_type type;
	struct identity_rule identity;
	struct key_parts keys, roots, intermediates, rekor, timestamps, ctlogs; /* the last two in trust.json only */
	bool fulcio;
	char *oidc_issuer, *email, *hostname, *uri, **subjects;
	bool own_scope;	       /* the entry that it stands in is for one repository, or less; see trust/identity.h */
	/* trust.json */
	uint64_t threshold;    /* so many different signers; 1 up */
	char *role;	       /* name for messages; NULL */
	char *predicate_type;  /* an attestation of this type is asked for, not a signature; NULL */
	bool signing_authority; /* notation: the roots are of signing authorities */
	char *builder;	       /* of a provenance: builder.id, exact; NULL */
	char *at_most;	       /* of a verdict of brig vet: the worst level of a finding that is let pass, or "none"; NULL: whatever passed there */
	int64_t max_age_s;     /* signatures and attestations count for so long after they were made; 0: not said */
};

struct requirements {
	struct requirement *list;
	size_t n;
};

/* `more`: with what only trust.json may say. The caller frees. */
int require_read(const json_t *list, const char *where, bool more, struct requirements *out, struct error *e);
void require_free(struct requirements *r);

/* Reads the files. A key that others than this user and root can write is refused (-EPERM). */
int require_load(struct requirements *r, struct error *e);

/* Loaded requirements as JSON, with nothing left to look up, and back; for the process that verifies. */
json_t *require_json(const struct requirements *r);
int require_from_json(const json_t *j, struct requirements *out, struct error *e);

/* The levels of brig vet, worst first; NULL ends them. */
extern const char *const require_vet_levels[];

/* "90d", "36h", "2w"; also what parse_duration() takes. Seconds. */
int require_parse_age(const char *s, int64_t *seconds);

/* A short description of who may sign, for people: "a key of /etc/keys/a.pub". To free. */
char *require_words(const struct requirement *r);
