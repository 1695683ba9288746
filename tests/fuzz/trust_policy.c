/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person wrote about whom to trust, by the first byte: 'p' policy.json, 't' trust.json, 'l' a file of registries.d; and, from
 * registries, 's' the payload of a simple signature. What is taken has a meaning: each entry is found under its own scope, and the same
 * text is taken again.
 */
#include "base/cleanup.h"
#include "image/lookaside.h"
#include "trust/gpg.h"
#include "trust/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void policy(const char *text, size_t n, int (*parse)(struct policy *, const char *, size_t, const char *, struct error *))
{
	struct policy p = { 0 }, again = { 0 };
	struct error e = { 0 };
	int r = parse(&p, text, n, "policy", &e);

	if (r < 0 && !e.text[0])
		abort();
	if (r == 0) {
		for (size_t i = 0; i < p.n; i++)
			if (p.entries[i].scope && *p.entries[i].scope && strchr(p.entries[i].scope, '/') &&
			    !policy_find(&p, p.entries[i].scope))
				abort();
		policy_find(&p, "quay.io/team/app:1");
		policy_find_extra(&p, "quay.io/team/app:1");
		if (parse(&again, text, n, "policy", &e) < 0 || again.n != p.n || again.n_extras != p.n_extras)
			abort();
	}
	policy_free(&again);
	policy_free(&p);
}

static void lookasides(const char *text, size_t n)
{
	struct lookasides l = { 0 };
	struct error e = { 0 };

	if (lookasides_parse(&l, text, n, "registries", &e) == 0) {
		_cleanup_free_ char *url = lookaside_url(&l, "quay.io/team/app:1", true);
		const char *folder = url ? lookaside_folder(url) : NULL;

		if (folder && folder[0] != '/')
			abort();
	}
	lookasides_free(&l);
}

static void payload(const char *text, size_t n)
{
	static const char *const type = "atomic container signature";
	struct sig_claim c = { 0 };
	struct error e = { 0 };

	/* A digest of 64 hexadecimal digits and a name, or nothing. */
	if (simple_payload_read(text, n, type, &c, &e) == 0 &&
	    (strspn(c.digest, "0123456789abcdef") != 64 || c.digest[64] || !c.identity))
		abort();
	sig_claim_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly its size, so that a byte too far is seen. */
	_cleanup_free_ char *text = size > 1 ? xmalloc(size - 1) : NULL;

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	switch (data[0]) {
	case 'p':
		policy(text, size - 1, policy_parse);
		break;
	case 't':
		policy(text, size - 1, policy_parse_extra);
		break;
	case 'l':
		lookasides(text, size - 1);
		break;
	case 's':
		payload(text, size - 1);
		break;
	default:
		break;
	}
	return 0;
}
