/* SPDX-License-Identifier: Apache-2.0 */
/* What the parsers of advisories in XML share: expat with limits, and without a DOCTYPE, so that no entity is ever expanded. */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <expat.h>

enum { ADVISORY_XML_DEPTH = 64 };

/* The first member of a parser's own state, which is the handlers' context. */
struct advisory_xml {
	XML_Parser xml;
	const char *what;
	struct error *e;
	int failed;
	struct buf text; /* since the last tag; a handler reads and empties it */
	unsigned depth;	 /* of the element that begins or ends, 1 is the root */
};

/* Ends the parse with a reason and the line. */
int advisory_xml_fail(struct advisory_xml *x, const char *why);
/* Without the namespace's prefix. */
const char *advisory_xml_name(const char *full);
/* NULL: absent. */
const char *advisory_xml_attribute(const char **attrs, const char *name);
/* Handlers are not called after a failure. 0, or -EBADMSG, -ENOMEM with `e`. */
int advisory_xml_run(struct advisory_xml *x, const char *data, size_t n, void (*begin)(void *ctx, const char *name, const char **attrs),
		     void (*end)(void *ctx, const char *name, const char *text));
