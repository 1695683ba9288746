/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the program that speaks with a registry share. */
#pragma once

#include "image/fetch_http.h"

struct fetching {
	struct fetch_request req;
	struct http *http;
	uint64_t done, total, told_ns;
};

void fetch_tell(const struct fetch_message *m);
void fetch_progress(void *fetching, int64_t bytes);
int fetch_pull(struct fetching *f, struct error *e);
int fetch_push(struct fetching *f, struct error *e);
