/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement, pure: what policy asks, the signatures that are there, and whether they meet it. A signature that is bad takes nothing
 * from one that is good; each requirement needs its number of different signers.
 */
#pragma once

#include "trust/ask.h"
#include "trust/gpg.h"

struct judged {
	const struct asking *q;
	const struct sig_blob *blobs;
	size_t n;
	/* what gpgv said of blob `i` with the keys of requirement `k`; NULL: it was not asked */
	const struct gpg_said *(*said)(void *arg, size_t i, size_t k);
	void *arg;
	bool index_fits;       /* the index `top` was read, and has the manifest in it */
	const char *version;   /* label of the image, for minimum_version; NULL: none */
};

void judge(const struct judged *j, struct answered *out);
