/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to images in registries: HOST[:PORT]/PATH[:TAG][@sha256:HEX], by the grammar of docker's reference package
 * (see name.h) with docker.io's two habits: index.docker.io is docker.io, and a path of one part there is below library/.
 */
#pragma once

#include "base/error.h"
#include "image/store.h"

struct reference {
	char *host; /* "docker.io", "quay.io", "reg.example:5000" */
	char *path; /* "library/alpine" */
	char *tag;  /* NULL: named by digest alone */
	char digest[DIGEST_SIZE]; /* hex, or empty: what the tag means */
};

/* A name without a tag and a digest gets the tag "latest". -EINVAL: no host, or against the grammar. */
int reference_parse(const char *s, struct reference *out, struct error *e);
void reference_free(struct reference *r);
#define _cleanup_reference_ __attribute__((cleanup(reference_free)))

/* "HOST/PATH:TAG" as the store names it; NULL without a tag. The caller frees. */
char *reference_name(const struct reference *r);
/* "HOST/PATH[:TAG]@sha256:HEX" with the digest that was found. The caller frees. */
char *reference_pulled(const struct reference *r, const char *hex);
/* Where its registry answers: docker.io's API has a host of its own. */
const char *reference_server(const struct reference *r);
/* Splits what reference_pulled() made: the part before '@' (a new string) and the hex digits, pointing into `s`. NULL: neither. */
const char *reference_pulled_digest(const char *s, char **name);
