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

void fetch_tell(const struct fetch_message *m);
void fetch_progress(void *fetching, int64_t bytes);
int fetch_pull(struct fetching *f, struct error *e);
/* Looks for signatures of the manifest and of the index that it came by (the same when there was none). */
void fetch_signatures(struct fetching *f, const char *top, const char *manifest);
int fetch_tags(struct fetching *f, struct error *e);
int fetch_push(struct fetching *f, struct error *e);
