/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person wants of an image before it runs: CONFIG/vet.json (gate.h asks by it; `brig vet --policy FILE` too). brig-vet-policy(5).
 *
 *	{"fail_on": "high",			findings of this level or worse refuse: critical ... info, or never; high when it is not there
 *	 "forbidden": ["V1-*", "V2-uid-0"],	rules that refuse at any level; a * at the end is any rest
 *	 "required": ["non-root", "claim", "packages", "complete"],
 *						a user that is not root; a purpose that can be told; a package database; that all was
 *						looked at
 *	 "rootfs": "look",			folders of --rootfs: "look" (at each start; when it is not there), or "skip"
 *	 "exceptions": [{"rule": "V1-cron", "image": "localhost/web*", "path": "usr/sbin/cron",
 *			 "reason": "why", "expires": "2027-01-31"}]}
 *						image and path may be left out, have * and ?; reason must be there; expires is the last day (UTC)
 *
 * What is not understood is an error: a policy that means something else than its author thinks is worse than none.
 */
#pragma once

#include "base/error.h"
#include "vet/vet.h"

enum { POLICY_FILE_MAX = 1024 * 1024, POLICY_RULES_MAX = 1024 };

struct vet_exception {
	char *rule, *image, *path, *reason; /* image, path: NULL is any */
	uint64_t until_ns;		    /* 0: for ever */
};

struct vet_policy {
	enum vet_level fail_on;
	bool never;
	bool skip_folders; /* "rootfs": "skip" */
	char **forbidden, **required;
	struct vet_exception *exceptions;
	size_t n_exceptions;
};

int vet_policy_parse(struct vet_policy *p, const char *text, size_t n, const char *what, struct error *e);
void vet_policy_free(struct vet_policy *p);

struct vet_ruling {
	bool refused;
	char rules[POLICY_RULES_MAX]; /* every rule that refuses, once, with blanks between; "..." at the end when there are too many */
	char rule[64], title[512], path[512]; /* the worst of them; not escaped */
	uint64_t until_ns; /* the ruling holds until then: an exception ends; 0: for ever */
};

/* Ends every text of a ruling that another process sent. */
void vet_ruling_end(struct vet_ruling *r);

/* `now_ns`: CLOCK_REALTIME. Findings are sorted. */
void vet_policy_judge(const struct vet_policy *p, const struct vet *v, uint64_t now_ns, struct vet_ruling *out);
