/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate (RFC 9110 section 11.6.1) as registries use it: one challenge, Bearer or Basic. */
#pragma once

#include <stdbool.h>

struct challenge {
	bool bearer; /* else Basic */
	char *realm, *service, *scope; /* NULL: not said */
};

/*
 * Reads one header's value. Several challenges in it: the first that is Bearer or Basic. -EINVAL when it cannot be read, names
 * a parameter twice, or has neither of the two.
 */
int challenge_parse(const char *header, struct challenge *out);
void challenge_free(struct challenge *c);
