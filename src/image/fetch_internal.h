/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the program that speaks with a registry share. */
#pragma once

#include "image/fetch_http.h"

struct fetching {
	struct fetch_request req;
	struct http *http;
	struct http *aside; /* the server of req.lookaside; NULL: none */
	struct fetch_request aside_req;
	uint64_t done, total, told_ns;
};

/* A manifest or index, verified against what it was asked for by, and kept in the folder under its digest. */
struct document {
	char hex[DIGEST_SIZE], type[FETCH_MEDIA_TYPE];
	char *text;
	size_t n;
	json_t *json;
};
void document_free(struct document *d);
/* `reference`: a tag or sha256:HEX; `d`: the descriptor that names it, or NULL. An enum oci_kind, or negative. */
struct oci_descriptor;
struct oci_platform;
int fetch_document(struct fetching *f, const char *reference, const struct oci_descriptor *d, struct document *out, struct error *e);
/* Of an index, the manifest that fits. */
int fetch_of_index(struct fetching *f, json_t *json, const struct oci_platform *p, struct document *out, struct error *e);
/* Tells what the name means: 1 when all of it is wanted. */
int fetch_tell_top(const struct document *top, struct error *e);

void fetch_tell(const struct fetch_message *m);
void fetch_progress(void *fetching, int64_t bytes);
int fetch_pull(struct fetching *f, struct error *e);
/* Looks for signatures of the manifest and of the index that it came by (the same when there was none). */
void fetch_signatures(struct fetching *f, const char *top, const char *manifest);
int fetch_documents(struct fetching *f, struct error *e);
int fetch_tags(struct fetching *f, struct error *e);
int fetch_missing(struct fetching *f, struct error *e);
int fetch_some(struct fetching *f, struct error *e);
int fetch_push(struct fetching *f, struct error *e);
/* After a manifest: enters it into the list of referrers of its subject, if it has one, for a registry that did not do so itself. */
int fetch_refer(struct fetching *f, const struct fetch_blob *b, const char *text, size_t n, struct error *e);
