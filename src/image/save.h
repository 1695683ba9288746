/* SPDX-License-Identifier: Apache-2.0 */
/* Writing images out of the store, every blob verified against its digest on the way. */
#pragma once

#include "base/error.h"
#include "image/store.h"

enum save_format {
	SAVE_DOCKER,	 /* one tar archive that is an OCI layout and an archive of docker save, as docker 25 and up writes */
	SAVE_OCI,	 /* a tar archive of an OCI layout */
	SAVE_OCI_FOLDER, /* an OCI layout as a folder */
};

struct save_request {
	char *const *refs; /* images, as a person names them; a name saves that name, an id saves none */
	enum save_format format;
	int out; /* SAVE_OCI_FOLDER: an empty folder; else a file or pipe to write to. Borrowed */
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* bytes; may be NULL */
	void *arg;
};

int image_save(const struct save_request *r, struct error *e);
