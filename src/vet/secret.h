/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in bytes: rules (data/vet-secrets.rules; its head tells the format) and the scanner that follows them. A rule's patterns begin with
 * plain text, by which all of them are found in one pass (scan.h); what is found is then matched and checked for form: checksums, base64,
 * key formats, entropy. What fails a check is no secret and not told.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "vet/pattern.h"
#include "vet/scan.h"
#include "vet/vet.h"

/* What may be asked of a match, beside its pattern. */
enum secret_check {
	SECRET_GITHUB = 1 << 0,	     /* ends with the CRC-32 of its middle in base 62 (GitHub's and npm's tokens) */
	SECRET_JWT = 1 << 1,	     /* header and claims are JSON; one that has expired is low */
	SECRET_PEM = 1 << 2,	     /* base64 of a key follows; a key with a passphrase is low */
	SECRET_PUTTY = 1 << 3,	     /* a PuTTY key file; a key with a passphrase is low */
	SECRET_BASE64 = 1 << 4,	     /* decodes */
	SECRET_USERPASS = 1 << 5,    /* decodes to USER:PASSWORD */
	SECRET_MIXED = 1 << 6,	     /* has capital and small letters and digits */
	SECRET_PASSWORD = 1 << 7,    /* is no variable, path or placeholder */
	SECRET_GCP = 1 << 8,	     /* a private key stands in the same JSON object */
	SECRET_ASSIGNMENTS = 1 << 9, /* no pattern: NAME=VALUE with a name like DB_PASSWORD and such a value */
};

struct secret_rule {
	char *name, *title, *why;
	enum vet_level level;
	unsigned checks;
	double entropy; /* least, in bits a byte; 0: any */
	bool nocase, word;
	char **in, **not_in, **except;
	size_t n_finds;
	unsigned line; /* where it stands, for errors */
};

struct secret_find {
	struct pattern pattern;
	size_t rule;
};

struct secret_rules {
	struct secret_rule *list;
	size_t n;
	struct secret_find *finds;
	size_t n_finds;
	struct scan *scan; /* NULL: no rule has a pattern */
};

/* Adds the rules of one file, named `what` in errors ("what:3: ..."). A rule of a name that is there replaces it. -EINVAL. */
int secret_rules_parse(struct secret_rules *r, const char *text, size_t n, const char *what, struct error *e);
/* To be called once after the last file, before the first scan. */
int secret_rules_ready(struct secret_rules *r, struct error *e);
void secret_rules_free(struct secret_rules *r);

/* One secret. Never print `text`: secret_preview() says as much of it as may be said. */
struct secret {
	const struct secret_rule *rule;
	enum vet_level level; /* the rule's, or lower where a check knows better */
	const char *note;     /* NULL, or why lower: "has a passphrase" */
	size_t offset;	      /* of `text` in the data */
	const unsigned char *text;
	size_t len;
};

/*
 * Looks through `n` bytes. `path` is what "in" and "not-in" of rules are held against: a path without leading slash, or ":env", ":label",
 * ":history" for texts of the configuration. Threads may share the rules. `found` is called for each secret, overlapping ones too.
 */
typedef void secret_found(void *arg, const struct secret *s);
void secret_scan(const struct secret_rules *r, const char *path, const void *data, size_t n, secret_found *found, void *arg);

/* "ghp_... (40 bytes)": the first four characters, escaped, and how long it is; less of a short one. */
char *secret_preview(const struct secret *s);

/* The checks; exposed for tests. *level and *note as in struct secret. `at` is the whole match, `text` the secret in it. */
bool secret_verify(const struct secret_rule *rule, const unsigned char *data, size_t n, size_t at, struct secret *s);
/* Is this what a person would write as a value that is no password: empty, a variable, a path, "true", "<password>"? */
bool secret_placeholder(const char *s, size_t n);
