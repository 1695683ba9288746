/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images ("localhost/web:latest") and digests ("sha256:HEX"). Both are checked by their grammar before any
 * path or message is made of them.
 *
 * The grammar is that of docker and podman: [HOST[:PORT]/]PATH[:TAG], path parts of lower-case letters and digits
 * joined by ".", "_", "__" or "-"; the first part is a host when it holds "." or ":" or is "localhost".
 *
 * A file can claim any name. Only a pull knows where bytes came from, so what is loaded from a file is kept below
 * localhost/ whatever the file claims (CASES B22), unless the person says --keep-names:
 *
 *	web, web:1			localhost/web:latest, localhost/web:1
 *	docker.io/library/alpine:3	localhost/alpine:3
 *	docker.io/someone/tool		localhost/someone/tool:latest
 *	quay.io/a/b:1			localhost/quay.io/a/b:1
 *	reg.example:5000/a		localhost/reg.example-5000/a:latest
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

enum { NAME_LENGTH_MAX = 255, TAG_LENGTH_MAX = 128 };

/* The 64 hex digits of "sha256:HEX", pointing into `s`; NULL for any other spelling, algorithm or length. */
const char *digest_hex(const char *s);

/* True for a whole name as the store keeps it: HOST[:PORT]/PATH:TAG. */
bool name_valid(const char *s);

/* [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} */
bool tag_valid(const char *s);

/* The part before the tag (`n` characters of `s`), and the tag or NULL, pointing into `s`. */
const char *name_tag(const char *s, size_t *n);

/* True when the first part of `s` is a host. */
bool name_has_host(const char *s);

/*
 * What a person typed made whole: localhost/ before a name without a host, :latest behind one without a tag. The
 * caller frees *out. -EINVAL with `e` saying what is wrong with it.
 */
int name_complete(const char *s, char **out, struct error *e);

/* The name under which a claim from a file is kept, see above. `keep` leaves a host that it carries. */
int name_from_claim(const char *claim, bool keep, char **out, struct error *e);
