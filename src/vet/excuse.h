/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vulnerabilities that somebody has looked at and that do not count: OpenVEX documents (github.com/openvex/spec, 0.2.0) and
 * ignore files. An ignore file has a line for each exception, "#" begins a comment:
 *
 *	ID		PACKAGE	UNTIL		REASON
 *	CVE-2023-0286	openssl	2026-12-31	nothing here parses X.400 addresses
 *
 * PACKAGE is the name of a source or binary package, or "*". Both the day and the reason must be given; the day is the last one
 * on which the line counts (UTC).
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum excuse_kind { EXCUSE_IGNORED, EXCUSE_NOT_AFFECTED, EXCUSE_FIXED, EXCUSE_AFFECTED, EXCUSE_INVESTIGATED };

/* A thing that a VEX statement is about: a product, and the parts of it that are meant. */
struct excuse_product {
	char *purl;
	char **parts; /* package URLs; NULL: all of it */
};

struct excuse {
	enum excuse_kind kind;
	char **ids;	    /* the vulnerability's names */
	char *package;	    /* ignore file; NULL: VEX, or any */
	char *until;	    /* ignore file: "2026-12-31"; NULL: VEX */
	char *reason;
	const char *source; /* name of the file; borrowed */
	size_t line;	    /* ignore file; 0: VEX */
	uint64_t time;	    /* VEX: ns since 1970; among statements about the same the latest counts */
	struct excuse_product *products;
	size_t n_products;
};

struct excuses {
	struct excuse *list;
	size_t n, cap;
};
void excuses_free(struct excuses *x);
/* An empty one, for parsers; valid until the next is added. */
struct excuse *excuse_add(struct excuses *x, enum excuse_kind kind, const char *source);

/* Adds what the bytes say. -EBADMSG: not what it should be; `what` names the file and must live as long as the list. */
int excuse_parse_ignore(const char *what, const char *data, size_t n, struct excuses *out, struct error *e);
int excuse_parse_vex(const char *what, const char *data, size_t n, struct excuses *out, struct error *e);

/* What it is about: a vulnerability in some packages of an image. */
struct excuse_subject {
	const char *id;
	const char *package;	/* the name that the advisory speaks of */
	const json_t *packages; /* entries of the inventory */
	const char *image, *digest; /* name and manifest digest in hex; NULL: not known */
	const char *today;	/* "2026-11-26" */
};
/* The one that excuses it, or NULL. A later VEX statement that it is affected takes an earlier excuse away. */
const struct excuse *excuse_find(const struct excuses *x, const struct excuse_subject *s);
static inline bool excuse_expired(const struct excuse *x, const char *today)
{
	return x->until && __builtin_strcmp(x->until, today) < 0;
}
