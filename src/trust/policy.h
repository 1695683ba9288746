/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person wrote about whom to trust. Two files:
 *
 * policy.json, containers-policy.json(5), as podman, skopeo and CRI-O read it. The first of these that exists counts, alone:
 *
 *	CONFIG/policy.json			brig's own (/etc/brig, ~/.config/brig; BRIG_CONFIG)
 *	~/.config/containers/policy.json	the user's, for all of these programs
 *	/etc/containers/policy.json		the machine's
 *
 * For a registry's image the entries of the transport "docker" count, the most specific scope first (image/scope.h), then its "" and
 * the default. Other transports are checked by the same grammar and mean nothing here: what is loaded from a file is vouched for by
 * who loads it.
 *
 * insecureAcceptAnything in the default or in "" does not count: distributions ship it, nobody in particular said it of this image.
 * Under a scope that names a registry, a repository or an image somebody did, and it is followed.
 *
 * CONFIG/trust.json, brig's own, adds what policy.json cannot say, so that podman still reads that one:
 *
 *	{"scopes": {"quay.io/team/app": {
 *		"require": [REQUIREMENT...],	as in policy.json, with more (trust/require.h): threshold, role, type notationSigned,
 *						predicateType, builder and atMost for attestations, maxAge, signedIdentity anyIdentity
 *		"threshold": 2,			so many different signers for each requirement of policy.json
 *		"expiry": "90d",		signatures count for so long after they were made
 *		"notBefore": "2026-01-01T00:00:00Z",	older signatures do not count (rollback)
 *		"minimumVersion": "1.4",	of the signed tag (of two numbers up), else of the image's label
 *						org.opencontainers.image.version (rollback)
 *		"pins": false			a pin does not replace a signature
 *	}}}
 *
 * Both must be met where both have an entry. Pure but for policy_load().
 */
#pragma once

#include "base/error.h"
#include "trust/require.h"

struct policy_entry {
	char *scope; /* "" the transport's; NULL: the default */
	struct requirements require;
};

struct extra_entry {
	char *scope;
	struct requirements require; /* may be empty */
	uint64_t threshold;	     /* 0: not said */
	int64_t expiry_s;	     /* 0: never */
	int64_t not_before;	     /* seconds since the epoch; 0: not said */
	char *minimum_version;	     /* NULL: not said */
	bool no_pins;
};

struct policy {
	char *path; /* the policy.json that counts; NULL: there is none */
	struct policy_entry *entries; /* of the transport docker, and the default */
	size_t n;
	struct extra_entry *extras;
	size_t n_extras;
};

/* Reads both files, and no key yet. -EPERM, -EBADMSG: it cannot be said what they mean, so nothing may be decided. */
int policy_load(struct policy *p, struct error *e);
void policy_free(struct policy *p);

/* The texts over what is there. */
int policy_parse(struct policy *p, const char *text, size_t n, const char *what, struct error *e);
int policy_parse_extra(struct policy *p, const char *text, size_t n, const char *what, struct error *e);

/* The entry that counts for HOST/PATH:TAG or HOST/PATH@sha256:HEX. NULL: none. */
const struct policy_entry *policy_find(const struct policy *p, const char *image);
const struct extra_entry *policy_find_extra(const struct policy *p, const char *image);

/* Versions of dotted numbers, with or without a leading v: <0, 0, >0. Whether it is one. */
bool policy_version_valid(const char *s);
int policy_version_compare(const char *a, const char *b);
